"""Cycles of a running engine while a bot pushes a thousand updates a second, and while none comes.

Exchange, engine, API server and pusher are a process each, over loopback, on wall time; bad ones
are among the pushes, and a second client asks before entries. Held to: every bad request gets its
4xx; nothing is answered by 5xx; each cycle reads what was accepted before it began, or later; and
the cycle after the flood reads exactly what was accepted last.
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
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import flooder
from benchmarks.measure import DisagreementError, Effort, Line, Pairs
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.logs import LOG_NAME

RATE = 1_000.0
_CONFIG = """
mode: paper
autonomy: auto
state_dir: state
venue: {{exchange: binanceusdm, account: hedge, paper_wallet_usd: 60000, urls_host: "{host}"}}
sources: [{{kind: pushed, name: bot, max_age_seconds: 3600}}]
api: {{enabled: true, port: {port}}}
universe: {{sector: ai, benchmarks: [BTC/USDT:USDT, ETH/USDT:USDT], min_daily_volume_usd: 1000000}}
caps: {{net_usd: 20000, sector_net_usd: 20000, beta_net_usd: 15000, cae_usd: 60000}}
hedge: {{strategy: minimum_risk, monitor_every: 1s}}
"""
_ROOT = Path(__file__).resolve().parents[1]
_MAIN = "from bot.cli.main import main; main()"
_UP_S = 120.0
_ENTRY = {"bot": "bot", "symbol": "RENDER/USDT:USDT", "side": "long", "notional_usd": 100.0}


@dataclass(frozen=True)
class Cycle:
    """One cycle: when it began and ended (Unix seconds), and which push it read."""

    begun_s: float
    ended_s: float
    read: int | None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended_s - self.begun_s


class Running:
    """``perphedge run`` with its API."""

    def __init__(self, state: Path, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.state = state
        self.port = port
        self.process = process

    def events(self) -> list[dict[str, Any]]:
        """Everything in its log."""
        file = self.state / LOG_NAME
        lines = file.read_text(encoding="utf-8").split("\n")[:-1] if file.exists() else []
        return [json.loads(line) for line in lines]

    def cycles(self) -> list[Cycle]:
        """Those that are over and were not held."""
        ended = {
            e["cycle_id"]: datetime.fromisoformat(e["timestamp"]).timestamp()
            for e in self.events()
            if e["event"] == "cycle"
        }
        with JournalReader.open_reader(self.state / JOURNAL_NAME) as journal:
            documents = [d for d in journal.cycles() if d["cycle_id"] in ended]
        found = [
            Cycle(d["timestamp_ms"] / 1000, ended[d["cycle_id"]], _read(d))
            for d in documents
            if d["status"] in ("hedged", "no_hedge")
        ]
        return sorted(found, key=lambda one: one.begun_s)

    def after(self, moment_s: float, count: int = 1, *, within_s: float = _UP_S) -> list[Cycle]:
        """Wait for cycles that began after a moment."""
        until = time.monotonic() + within_s
        while time.monotonic() < until and self.process.poll() is None:
            found = [one for one in self.cycles() if one.begun_s > moment_s]
            if len(found) >= count:
                return found
            time.sleep(0.2)
        raise DisagreementError(f"flood: the engine makes no cycles: {self.events()[-3:]}")

    def push(self, number: int) -> int:
        """One push; its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        path, bearer = f"/v1/positions/{flooder.SOURCE}", f"Bearer {flooder.TOKEN}"
        connection.request("PUT", path, flooder.document(number), {"Authorization": bearer})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status


def _read(document: dict[str, Any]) -> int | None:
    for leg in document["legs"]:
        if leg["symbol"] == "FET/USDT:USDT":
            return flooder.number_of(leg["bot_usd"] / leg["mark_price"])
    return None


def run(effort: Effort) -> Iterator[Line]:
    """Turns of calm and flood."""
    turns, seconds = effort.rounds(3, 1), effort.rounds(12, 4)
    with (
        tempfile.TemporaryDirectory() as name,
        open_venue() as host,
        running(Path(name), host) as engine,
    ):
        turn = Turns(engine)
        for _ in range(turns):
            turn.calm(seconds)
            turn.flood(seconds)
    few = min(len(turn.flooded), len(turn.quiet))
    ours = tuple(one.seconds for one in turn.flooded[:few])
    theirs = tuple(one.seconds for one in turn.quiet[:few])
    yield Pairs(ours, theirs).line(
        "flood",
        f"cycle of a running engine, {RATE:,.0f} pushes a second beside it",
        "its cycles while nothing is pushed",
        "every cycle read what was accepted before it",
        turn.facts(seconds),
    )


class Turns:
    """What calm and floods came to."""

    def __init__(self, engine: Running) -> None:
        self.engine = engine
        self.number = 1
        self.quiet: list[Cycle] = []
        self.flooded: list[Cycle] = []
        self.told: list[flooder.Flood] = []
        self.quiet_asks_s: list[float] = []
        self.asks_s: list[float] = []
        if engine.push(self.number) != 200:
            raise DisagreementError("flood: the first push was not taken")
        engine.after(time.time(), 3)  # hedged by then

    def calm(self, seconds: float) -> None:
        """No pushes."""
        begun = time.time()
        self.quiet_asks_s += _asked(self.engine.port, seconds)
        self.quiet += [one for one in self.engine.cycles() if one.begun_s > begun]

    def flood(self, seconds: float) -> None:
        """Pushes all the time, and then one that must be what the next cycle reads."""
        begun = time.time()
        words = [str(w) for w in (self.engine.port, seconds, RATE, self.number + 1)]
        command = [sys.executable, "-m", "benchmarks.flooder", *words]
        process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE)  # noqa: S603
        self.asks_s += _asked(self.engine.port, seconds)
        out, _ = process.communicate(timeout=seconds + 60)
        told = flooder.Flood(**json.loads(out))
        self.told.append(told)
        over = time.time()
        beside = [one for one in self.engine.after(begun) if one.begun_s < over]
        self.flooded += beside
        _require_clear_answers(told)
        _require_nothing_lost(told, beside)
        self.number = max(number for _, number in told.accepted) + 1_000
        if self.engine.push(self.number) != 200:
            raise DisagreementError("flood: the last push was not taken")
        last = self.engine.after(time.time())[0]
        if last.read != self.number:
            raise DisagreementError(f"flood: {self.number} was accepted, {last.read} was read")

    def facts(self, seconds: float) -> dict[str, Any]:
        """Figures of all turns."""
        pushes = sum(sum(t.statuses.values()) for t in self.told)
        accepted = sum(len(t.accepted) for t in self.told)
        bad = sum(sum(t.refused.values()) for t in self.told)
        return {
            "a second": round((pushes + bad) / (seconds * len(self.told))),
            "pushes": pushes,
            "accepted": accepted,
            "409, older than the last": pushes - accepted,
            "bad ones, all 4xx": bad,
            "cycles beside": len(self.flooded),
            "quiet cycles": len(self.quiet),
            "median ms beside": round(1e3 * median(c.seconds for c in self.flooded)),
            "median ms quiet": round(1e3 * median(c.seconds for c in self.quiet)),
            "entry check p99 ms beside": round(1e3 * float(np.quantile(self.asks_s, 0.99)), 1),
            "entry check p99 ms quiet": round(1e3 * float(np.quantile(self.quiet_asks_s, 0.99)), 1),
            "most behind ms": round(1e3 * max(t.latest_s for t in self.told)),
        }


def _require_clear_answers(told: flooder.Flood) -> None:
    strange = {int(status) for status in told.statuses} - {200, 409}
    wrong = [k for k in told.refused if int(k.rpartition(" ")[2]) != flooder.BAD[k[:-4]]]
    if strange or wrong or not told.refused:
        raise DisagreementError(f"flood: answers {told.statuses} and {told.refused}")


def _require_nothing_lost(told: flooder.Flood, cycles: list[Cycle]) -> None:
    """Pushes of the same millisecond, one a connection at most, count in the order they came."""
    for one in cycles:
        before = [number for answered_s, number in told.accepted if answered_s < one.begun_s]
        if one.read is None or (before and one.read < max(before) - flooder.CONNECTIONS):
            raise DisagreementError(f"flood: {max(before)} was accepted, then {one.read} read")


def _asked(port: int, seconds: float) -> list[float]:
    """Seconds of entry checks, one after another with a pause between."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {flooder.TOKEN}", "Content-Type": "application/json"}
    taken: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        body = json.dumps({**_ENTRY, "entry_id": str(len(taken) % 5)})
        begun = time.perf_counter()
        connection.request("POST", "/v1/entry-check", body, headers)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        taken.append(time.perf_counter() - begun)
        if answer.status != 200 or not found["measured"]:
            raise DisagreementError(f"flood: an entry check was answered by {found}")
        time.sleep(0.02)
    connection.close()
    return taken


@contextmanager
def open_venue() -> Iterator[str]:
    """``perphedge venue`` until the block ends; its address."""
    command = [sys.executable, "-c", _MAIN, "venue", "--port", "0", "--json"]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE)  # noqa: S603
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["address"].removeprefix("http://")
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def running(
    folder: Path, host: str, *, port: int | None = None, **environment: str
) -> Iterator[Running]:
    """``perphedge run`` until the block ends, entered when its port is listened on."""
    port = port or _free_port()
    config = folder / "config.yaml"
    config.write_text(_CONFIG.format(host=host, port=port))
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _MAIN, "run", "-c", str(config)],
        cwd=_ROOT,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PERPHEDGE_BOT_TOKEN": flooder.TOKEN, **environment},
    )
    engine = Running(folder / "state", port, process)
    try:
        _wait(engine)
        yield engine
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(engine: Running) -> None:
    until = time.monotonic() + _UP_S
    while time.monotonic() < until and engine.process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", engine.port)) == 0:
                return
        time.sleep(0.1)
    raise DisagreementError(f"flood: the API did not come up: {engine.events()[-3:]}")
