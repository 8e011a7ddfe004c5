"""The installed command in its own processes, and an exchange on a socket that can be watched."""

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bot.cli.main import main
from bot.clock import SystemClock
from bot.feeds.generated import HISTORY_DAYS, generated_tape
from bot.venues.http.accounts import default_accounts
from bot.venues.http.server import serve_exchange
from bot.venues.sim.account import SimAccount
from bot.venues.sim.exchange import SimulatedExchange

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
COMMAND = Path(sys.executable).parent / "perphedge"
STATUSES = {"hedged", "proposed", "no_hedge", "held", "denied", "halted"}
CYCLE_KEYS = {
    "cycle_id",
    "timestamp",
    "status",
    "bot_gross_usd",
    "hedge_gross_usd",
    "volatility_unhedged_daily_usd",
    "volatility_before_daily_usd",
    "cae_before_usd",
    "volatility_after_daily_usd",
    "cae_after_usd",
    "breaches_before",
    "breaches_after",
    "orders",
    "fills",
}
LONGS = {"FET/USDT:USDT": 12_000, "TAO/USDT:USDT": 40, "WLD/USDT:USDT": 9_000}
AUTO = (r"^autonomy: .*$", "autonomy: auto")
LIMIT_SECONDS = 120


@dataclass(frozen=True)
class Finished:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log on stderr, one JSON object a line."""
        return [json.loads(line) for line in self.err.splitlines()]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """As the tests run in, without anybody's keys."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PERPHEDGE_")}
    return {**kept, "PYTHONWARNINGS": "error::ResourceWarning", **(extra or {})}


def start(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """The command, running; the caller ends it."""
    return subprocess.Popen(  # noqa: S603 - our own command
        [str(COMMAND), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(env),
        cwd=ROOT,
    )


def finish(process: subprocess.Popen[str]) -> Finished:
    """Wait for its end."""
    try:
        out, err = process.communicate(timeout=LIMIT_SECONDS)
    finally:
        process.kill()
    return Finished(process.returncode, out, err)


def perphedge(*arguments: str, env: Mapping[str, str] | None = None) -> Finished:
    """The command, from start to end."""
    return finish(start(*arguments, env=env))


def called(*arguments: str) -> Finished:
    """The command in this process, which already has the heavy packages; not for signals."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(arguments)
    code = ended.value.code
    assert isinstance(code, int)
    return Finished(code, out.getvalue(), err.getvalue())


def until(what: Callable[[], bool], seconds: float = 90.0) -> None:
    """Wait until it is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def clear_of_the_hour(seconds: float) -> None:
    """Wait for the next hour where this one ends sooner than that.

    With the hour comes a bar, with the bar another estimate, and a decision that stood
    still before it may trade after it.
    """
    left = 3_600 - time.time() % 3_600
    if left < seconds:
        time.sleep(left + 1)


@dataclass
class ServedExchange:
    """A simulated exchange on wall time, in a thread of the test's own process."""

    host: str
    exchange: SimulatedExchange
    loop: asyncio.AbstractEventLoop

    def do(self, what: Callable[[], T]) -> T:
        """Run it where the exchange runs, between two requests."""

        async def run() -> T:
            return what()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def account(self, name: str) -> SimAccount:
        """One of ``bot`` and ``hedge``."""
        found = self.exchange.account_by_key(f"sandbox-{name}-key")
        assert found is not None
        return found

    def held(self, name: str) -> dict[str, Decimal]:
        """Base units by symbol, only what is not flat."""
        account = self.account(name)
        return self.do(
            lambda: {p.symbol: p.quantity for p in account.positions.values() if p.quantity}
        )


@contextmanager
def served_exchange(seed: int = 11) -> Iterator[ServedExchange]:
    """Serve until the block ends; the market moves five times a second."""
    clock = SystemClock()
    tape = generated_tape(seed, clock.now_ms() - HISTORY_DAYS * 86_400_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, seed)
    for one in default_accounts():
        exchange.open_account(one.name, one.api_key, one.api_secret, one.wallet_usd)
    started: list[ServedExchange] = []
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        exchange.update_market(tape.quotes(clock.now_ms()))
        async with serve_exchange(exchange, tape, clock) as server:
            started.append(ServedExchange(server.host, exchange, asyncio.get_running_loop()))
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.2)
                exchange.update_market(tape.quotes(clock.now_ms()))

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield started[0]
    finally:
        stop.set()
        thread.join(30)


def write_positions(path: Path, longs: Mapping[str, float], *, age_seconds: float = 0) -> None:
    """A positions file of longs in base units."""
    moment = datetime.fromtimestamp(time.time() - age_seconds, UTC)
    rows = [{"symbol": s, "side": "long", "base": base} for s, base in longs.items()]
    document = {"timestamp": moment.isoformat(), "positions": rows}
    path.write_text(json.dumps(document), encoding="utf-8")


def paper_config(folder: Path, host: str, *changes: tuple[str, str]) -> Path:
    """A copy of the paper profile pointed at ``host``; ``changes`` are patterns and new lines."""
    return _config(folder, "paper", (r"^  # urls_host: .*$", f"  urls_host: {host}"), *changes)


def live_config(folder: Path, host: str, *changes: tuple[str, str]) -> Path:
    """A copy of the live profile with both accounts at ``host``; executes at once."""
    return _config(
        folder,
        "live",
        (r"^  ownership: .*$", f"  urls_host: {host}"),
        (r"^    account: main$", f"    urls_host: {host}"),
        AUTO,
        *changes,
    )


def _config(folder: Path, profile: str, *changes: tuple[str, str]) -> Path:
    text = (ROOT / f"config/profiles/{profile}.yaml").read_text(encoding="utf-8")
    fast = (r"^  monitor_every: .*$", "  monitor_every: 1s")
    for old, new in ((r"^state_dir: .*$", "state_dir: state"), fast, *changes):
        text, found = re.subn(old, new, text, flags=re.MULTILINE)
        assert found == 1, old
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{profile}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def one_line(finished: Finished, code: int) -> str:
    """The only line on stderr of a command that was refused with this code."""
    assert finished.code == code, finished
    assert finished.out == ""
    assert finished.err.count("\n") == 1, finished.err
    assert finished.err.startswith("perphedge: ")
    return finished.err.strip()


def hedges_hold(document: dict[str, Any]) -> None:
    """What a demo must have come to by its last cycle."""
    cycles = document["cycles"]
    last = cycles[-1]
    assert last["bot_gross_usd"] >= 0.9 * max(c["bot_gross_usd"] for c in cycles)
    assert last["breaches_after"] == []
    unhedged = last["volatility_unhedged_daily_usd"]
    assert 0 < last["volatility_after_daily_usd"] <= 0.5 * unhedged
    assert "hedged" in {c["status"] for c in cycles}
    for cycle in cycles:
        sent = [o for o in cycle["orders"] if o["state"] != "planned"]
        assert (cycle["status"] == "hedged") == bool(cycle["fills"])
        assert bool(sent) or not cycle["fills"]
        if not cycle["fills"]:
            after, before = (cycle[f"volatility_{w}_daily_usd"] for w in ("after", "before"))
            assert after == before
