"""From starting a process to an engine that is ready, on a journal of a million rows with 200 open
orders at the venue, against the same on a journal that does not exist yet.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.crowd import open_crowd
from benchmarks.crowd_accounts import HEDGER, NEWCOMER, credentials, symbol
from benchmarks.measure import DisagreementError, Effort, Line, Pairs
from benchmarks.oldjournal import BulkJournal, write_old_journal

OPEN = 200
UNHEARD = 10
"""Of them, in every start: sent, and nobody heard of it. Half of these have filled."""
ENDED = 5
"""And so many were cancelled by somebody since."""
ROWS = 1_000_000
_NOT_KEPT = "PYTHONDONTWRITEBYTECODE"
FIRST = 200  # number of the first symbol in which an order rests


@dataclass
class _Scene:
    """The venue's account and the journal between two starts."""

    host: str
    path: Path
    instruments: Any = None
    prices: dict[str, float] = field(default_factory=dict)
    sent: int = 0
    resting: list[tuple[str, str]] = field(default_factory=list)

    async def place(self, numbers: Sequence[int], *, unheard: int) -> None:
        """Orders of ours, one in a symbol; of the last ``unheard`` the journal has no outcome."""
        from bot.clock import SystemClock
        from bot.journal.rows import IntentRecord
        from bot.trading.orders import OrderRequest, Side
        from bot.venues.ccxt_venue import CcxtVenue
        from bot.venues.clients import make_client

        clock = SystemClock()
        client = make_client("binanceusdm", urls_host=self.host, credentials=credentials(HEDGER))
        client.enableRateLimit = False  # this is the past, not what is measured
        venue = CcxtVenue(client, HEDGER, clock)
        try:
            with BulkJournal.open(self.path, clock) as journal:
                journal.in_bulk()
                for place, number in enumerate(numbers):
                    silent = place >= len(numbers) - unheard
                    fills = silent and place % 2 == 0
                    market = await self._market(client, symbol(number))
                    name = f"h1open{self.sent}"
                    self.sent += 1
                    tick, lot = market["tick"], market["lot"]
                    factor = Decimal("0.99") if fills else Decimal("1.04")
                    mark = Decimal(repr(self.prices[market["id"]]))
                    request = OrderRequest(
                        name,
                        f"i-{name}",
                        symbol(number),
                        Side.SELL,
                        Decimal(repr(50.0 / float(mark))) // lot * lot,
                        mark * factor // tick * tick,
                        "IOC" if fills else "GTC",
                        reduce_only=False,
                    )
                    intent = IntentRecord(
                        request.intent_id, "c1", HEDGER, request.symbol, -request.quantity
                    )
                    journal.record_intents([intent])
                    journal.mark_sending(request, account=HEDGER, leg="leg-0", attempt=0)
                    outcome = await venue.place(request)
                    if not silent:
                        journal.record_outcome(outcome)
                    if not fills:
                        self.resting.append((request.symbol, name))
        finally:
            await venue.close()

    async def cancel(self, count: int) -> None:
        """Somebody cancels the oldest of them while the engine is down."""
        from bot.venues.clients import make_client

        client = make_client("binanceusdm", urls_host=self.host, credentials=credentials(HEDGER))
        try:
            await client.load_markets()
            for name, client_id in self.resting[:count]:
                await client.cancel_order("", name, {"clientOrderId": client_id})
            del self.resting[:count]
        finally:
            await client.close()

    async def _market(self, client: Any, name: str) -> dict[str, Any]:
        if not client.markets:
            await client.load_markets()
        if not self.prices:
            rows = await client.fapipublic_get_premiumindex()
            self.prices = {row["symbol"]: float(row["markPrice"]) for row in rows}
        market = client.markets[name]
        steps = market["precision"]
        return {
            "id": market["id"],
            "tick": Decimal(str(steps["price"])),
            "lot": Decimal(str(steps["amount"])),
        }


def run(effort: Effort) -> Iterator[Line]:
    """Starts in turns: on the old journal, and on none."""
    starts = effort.rounds(20, 2)
    with tempfile.TemporaryDirectory() as name, open_crowd() as host:
        folder = Path(name)
        old = folder / "old"
        (old / "state").mkdir(parents=True)
        scene = _Scene(host, old / "state" / "journal.sqlite")
        until_ms = round(time.time() * 1000)
        rows = write_old_journal(scene.path, effort.rounds(ROWS, 20_000), until_ms)
        size = scene.path.stat().st_size
        ours, theirs, told = [], [], []
        _start(host, _empty(folder / "first"), NEWCOMER)  # compiles, as an installation does
        for number in range(starts):
            asyncio.run(_disturbed(scene))
            seconds, found = _start(host, old, HEDGER)
            _require_known(found, scene)
            ours.append(seconds)
            told.append(found)
            theirs.append(_start(host, _empty(folder / f"new{number}"), NEWCOMER)[0])
    yield Pairs(tuple(ours), tuple(theirs)).line(
        "restart",
        f"process start to ready, {rows:,} rows, {OPEN} open orders",
        "the same without a journal",
        "every order has ended, hedges booked as the venue holds them",
        {
            "p99 s": round(sorted(ours)[-1 - len(ours) // 100], 2),
            "median s after imports": round(median(one["ready_s"] for one in told), 2),
            "most s after imports": round(max(one["ready_s"] for one in told), 2),
            "processor s": round(median(one["cpu_all_s"] for one in told), 2),
            "processor s after imports": round(median(one["cpu_s"] for one in told), 2),
            "requests": round(median(one["requests"] for one in told)),
            "journal MB": round(size / 1e6),
        },
    )


async def _disturbed(scene: _Scene) -> None:
    """What an engine leaves behind that was killed: orders that rest, some that ended since, and
    some that were sent and never heard of."""
    scene.resting.clear()
    await scene.place(range(FIRST, FIRST + OPEN), unheard=UNHEARD)
    await scene.cancel(ENDED)


def _require_known(found: dict[str, Any], scene: _Scene) -> None:
    if found["states"] or found["problems"] or not found["as_booked"]:
        raise DisagreementError(f"restart: {found}, and {len(scene.resting)} rested at the venue")


def _empty(folder: Path) -> Path:
    (folder / "state").mkdir(parents=True)
    return folder


def _environment(compiled: Path) -> dict[str, str]:
    """Ours, but compiled modules are kept, whatever the shell says, as an installation does."""
    kept = {name: value for name, value in os.environ.items() if name != _NOT_KEPT}
    return {**kept, "PYTHONPYCACHEPREFIX": str(compiled)}


def _start(host: str, folder: Path, hedger: str) -> tuple[float, dict[str, Any]]:
    """Seconds until a new process is ready, and what it says."""
    command = [sys.executable, "-m", "benchmarks.restart_once", host, str(folder), hedger]
    root = Path(__file__).resolve().parents[1]
    start = time.perf_counter()
    environment = _environment(folder.parent / "compiled")
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdout=subprocess.PIPE, text=True, cwd=root, env=environment
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - start
    if process.returncode:
        raise DisagreementError(f"restart: the engine did not come up in {folder}")
    return seconds, json.loads(line)
