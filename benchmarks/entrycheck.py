"""An answer to a bot that asks before it enters, while decisions are made beside it without pause.

The server is a process of its own, asked over loopback with one connection kept open. The peer is
its route without work, ``GET /v1/alive``: what is left is the entry check itself.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import DisagreementError, Effort, Line, Pairs, timed
from bot.advice.store import write_book
from risk.limits.caps import RiskLimits
from strategies.entry_check import EntryBook

HELD = 50
_TOKENS = 60
_TOKEN = "benchmark-of-entry-checks"  # noqa: S105 - nothing is behind it
_CONFIG = """
mode: paper
state_dir: {state}
venue: {{exchange: binanceusdm, account: hedge}}
sources: [{{kind: pushed, name: bot}}]
api: {{port: {port}}}
entry_check: {{max_age_seconds: 3600}}
"""
_SOLVING = """
from benchmarks.decision import _Case
case = _Case(50, 24 * 100, 20_000)
print("solving", flush=True)
while True:
    case.decide()
"""
_ROOT = Path(__file__).resolve().parents[1]


def run(effort: Effort) -> Iterator[Line]:
    """Seconds of single answers, in turns with the route that does nothing."""
    with tempfile.TemporaryDirectory() as folder, _solving(), _serving(Path(folder)) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        ours, theirs = [], []
        for number in range(effort.rounds(2_000, 50) + 20):
            seconds, answer = timed(partial(_ask, connection, number))
            if not answer["measured"]:
                raise DisagreementError(f"entry check: {answer['reason']}")
            bare, _ = timed(partial(_request, connection, "GET", "/v1/alive", None))
            if number >= 20:
                ours.append(seconds)
                theirs.append(bare)
        connection.close()
    p99 = {
        f"{name}_p99_ms": round(float(np.quantile(values, 0.99)) * 1e3, 2)
        for name, values in (("ours", ours), ("theirs", theirs))
    }
    case = f"{HELD} positions, decisions beside it without pause"
    yield Pairs(tuple(ours), tuple(theirs)).line(
        "entrycheck", case, "GET of an empty answer", "every answer is measured", p99
    )


def _ask(connection: http.client.HTTPConnection, number: int) -> dict[str, object]:
    entry = {
        "bot": "bot",
        "symbol": f"T{number % _TOKENS}/USDT:USDT",
        "side": "long" if number % 3 else "short",
        "notional_usd": 1_000.0 + number,
        "entry_id": str(number % 5),
    }
    return _request(connection, "POST", "/v1/entry-check", json.dumps(entry))


def _request(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | None
) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    document: dict[str, object] = json.loads(answer.read())
    if answer.status != 200:
        raise DisagreementError(f"entry check: {answer.status} {document}")
    return document


def _book() -> EntryBook:
    generator = np.random.default_rng(3)
    sigma = generator.uniform(0.03, 0.08, _TOKENS)
    correlation = np.full((_TOKENS, _TOKENS), 0.6) + 0.4 * np.eye(_TOKENS)
    held = np.arange(_TOKENS) < HELD
    return EntryBook(
        timestamp_ms=round(time.time() * 1000),
        symbols=tuple(f"T{i}/USDT:USDT" for i in range(_TOKENS)),
        bot_usd=np.where(held, 1_000.0, 0.0),
        hedge_usd=np.where(held, 0.0, -2_000.0),
        covariance_daily=correlation * np.outer(sigma, sigma),
        volatility_btc_daily=0.02,
        beta_btc=generator.uniform(0.8, 1.6, _TOKENS),
        in_sector=np.ones(_TOKENS, dtype=bool),
        cluster=np.arange(_TOKENS) % 6,
        cluster_names=tuple(f"cluster of T{i}" for i in range(6)),
        crowding=generator.normal(size=_TOKENS),
        limits=RiskLimits(
            token_usd=2e4, net_usd=6e4, sector_net_usd=6e4, cluster_net_usd=3e4,
            beta_net_usd=8e4, cae_usd=2e5,
        ),
        equity_usd=100_000.0,
        beta_doubt=np.full(_TOKENS, 0.1),
    )  # fmt: skip


@contextmanager
def _serving(folder: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    state = folder / "state"
    state.mkdir()
    write_book(state, _book())
    config = folder / "config.yaml"
    config.write_text(_CONFIG.format(state=state, port=port))
    code = "from bot.cli.main import main; main()"
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, "api", "-c", str(config)],
        cwd=_ROOT,
        env={**os.environ, "PERPHEDGE_BOT_TOKEN": _TOKEN},
    )
    try:
        _wait(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise DisagreementError("entry check: the server has ended")


@contextmanager
def _solving() -> Iterator[None]:
    """A process that does nothing but decide, as an engine in its worst hour."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _SOLVING], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        if process.stdout.readline().strip() != "solving":
            raise DisagreementError("entry check: nothing decides beside it")
        yield
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
