"""A real API server in a process of its own, and a plain client of it."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bot.advice.store import write_book
from risk.limits.caps import RiskLimits
from strategies.entry_check import EntryBook

TOKEN = "canary-7f3a9d5512c04e1b"
BASES = ("BTC", "FET", "NEAR", "TAO", "RENDER")
SYMBOLS = tuple(f"{base}/USDT:USDT" for base in BASES)
CONFIG = """
mode: paper
state_dir: {state}
venue: {{exchange: binanceusdm, account: hedge}}
sources: [{{kind: pushed, name: bot-a}}, {{kind: pushed, name: bot-b}}]
api: {{enabled: true, port: {port}, allowed_hosts: [sidecar], max_body_kib: 64}}
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def book_of(symbols: tuple[str, ...], *, seed: int = 5, **caps: float) -> EntryBook:
    """A book as of now: 1,000 USD long in every second token."""
    generator = np.random.default_rng(seed)
    n = len(symbols)
    sigma = generator.uniform(0.03, 0.07, n)
    correlation = np.full((n, n), 0.6) + 0.4 * np.eye(n)
    return EntryBook(
        timestamp_ms=round(time.time() * 1000),
        symbols=symbols,
        bot_usd=np.where(np.arange(n) % 2, 1_000.0, 0.0),
        hedge_usd=np.zeros(n),
        covariance_daily=correlation * np.outer(sigma, sigma),
        volatility_btc_daily=0.02,
        beta_btc=np.linspace(1.0, 1.5, n),
        in_sector=np.arange(n) > 0,
        cluster=np.zeros(n, dtype=np.int64),
        cluster_names=("cluster of FET",),
        crowding=np.full(n, np.nan),
        limits=RiskLimits(**(caps or {"net_usd": 10_000.0, "cae_usd": 40_000.0})),
        equity_usd=10_000.0,
    )


@dataclass
class Server:
    """A running server and its folder."""

    port: int
    state: Path
    process: "subprocess.Popen[bytes]"
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {TOKEN}"})

    def publish(self, book: EntryBook) -> None:
        """What the engine does after a look."""
        self.state.mkdir(exist_ok=True)
        write_book(self.state, book)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def send(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Status and document of the answer."""
        connection = self.connection()
        content = body if body is not None else json.dumps(document).encode()
        connection.request(
            method,
            path,
            body=None if document is None and body is None else content,
            headers={"Content-Type": "application/json", **self.headers, **(headers or {})},
        )
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def ask(self, usd: float, **changes: Any) -> tuple[int, Any]:
        """An entry check of a long in FET."""
        entry = {"bot": "bot-a", "symbol": SYMBOLS[1], "side": "long", "notional_usd": usd}
        return self.send("POST", "/v1/entry-check", {**entry, **changes})


@contextmanager
def serving(folder: Path, *, extra: str = "", token: str = TOKEN) -> Iterator[Server]:
    """``perphedge api`` on a free port."""
    port, state = free_port(), folder / "state"
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(state=state, port=port) + extra)
    code = "from bot.cli.main import main; main()"
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, "api", "-c", str(config)],
        env={**os.environ, "PERPHEDGE_BOT_TOKEN": token},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        _wait_for(port, process)
        yield Server(port, state, process)
    finally:
        process.terminate()
        process.wait(20)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server has ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not come up")


def now_text(offset_s: float = 0.0) -> str:
    """Now, as positions documents say it."""
    return datetime.fromtimestamp(time.time() + offset_s, tz=UTC).isoformat()
