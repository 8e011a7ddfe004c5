"""A cycle without trades where a venue lists 500 perpetuals and a bot holds 50 of them.

Real ccxt over loopback, the venue in a process of its own, wall time. The peer sends the same GET
requests bare, so what lies between the two is the engine's own work, ccxt's reading included; the
processor's time tells the same on a busy machine.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import aiohttp
from ccxt.async_support.base.exchange import Exchange
from yarl import URL

from benchmarks.crowd import HELD, LISTED, open_crowd
from benchmarks.crowd_accounts import BOT, HEDGER, IN_SECTOR, credentials, settings_values
from benchmarks.measure import DisagreementError, Effort, Line, Pairs
from bot.clock import SystemClock
from bot.cycle import Engine
from bot.logs import silent_log
from bot.records.cycle import CycleStatus
from bot.wiring import Surroundings, open_engine
from config.load import settings_from

_MOST_WARM_UPS = 20
_CALM_BEFORE = 3  # cycles without a trade before any is measured
_PAUSE_S = 5.0  # quicker cycles would wait for their share of the exchange's limit, as they must

Get = tuple[str, dict[str, str]]


class _Meter:
    """Wall and processor seconds of cycles, and of their requests sent bare."""

    def __init__(self) -> None:
        self.sent: list[Get] = []
        self.wall_s: list[float] = []
        self.cpu_s: list[float] = []
        self.bare_s: list[float] = []
        self.bare_cpu_s: list[float] = []

    def watched(self) -> Any:
        plain, meter = Exchange.fetch, self

        async def fetch(
            client: Any, url: str, method: str = "GET", headers: Any = None, body: Any = None
        ) -> Any:
            if method == "GET":
                meter.sent.append((url, dict(headers or {})))
            return await plain(client, url, method, headers, body)

        return fetch

    async def cycle(self, engine: Engine) -> CycleStatus:
        self.sent.clear()
        wall, cpu = time.perf_counter(), time.process_time()
        record = await engine.cycle()
        self.wall_s.append(time.perf_counter() - wall)
        self.cpu_s.append(time.process_time() - cpu)
        return record.status

    async def bare(self, session: aiohttp.ClientSession) -> None:
        """The requests of the last cycle once more, one after another."""
        wall, cpu = time.perf_counter(), time.process_time()
        for url, headers in self.sent:
            async with session.get(URL(url, encoded=True), headers=headers) as reply:
                answer = await reply.text()
                if reply.status != 200 or not answer:
                    told = f"{reply.status} {answer[:200]}"
                    raise DisagreementError(f"cycle: no answer the second time: {told}: {url}")
        self.bare_s.append(time.perf_counter() - wall)
        self.bare_cpu_s.append(time.process_time() - cpu)


def run(effort: Effort) -> Iterator[Line]:
    """After the backfill, and after the engine has hedged what it found."""
    meter = _Meter()
    with (
        tempfile.TemporaryDirectory() as name,
        open_crowd() as host,
        ExitStack() as stack,
    ):
        stack.enter_context(patch.object(Exchange, "fetch", meter.watched()))
        asyncio.run(_measured(host, Path(name), meter, effort.rounds(24, 5)))
    yield Pairs(tuple(meter.wall_s), tuple(meter.bare_s)).line(
        "crowd",
        f"cycle without trades, {LISTED} listed, {IN_SECTOR} in the sector, {HELD} held by a bot",
        "its GET requests by bare aiohttp",
        "every request answered again",
        {
            "requests a cycle": len(meter.sent),
            "processor ms": round(1e3 * median(meter.cpu_s), 1),
            "least processor ms": round(1e3 * min(meter.cpu_s), 1),
            "processor ms of the peer": round(1e3 * median(meter.bare_cpu_s), 1),
        },
    )


async def _measured(host: str, folder: Path, meter: _Meter, rounds: int) -> None:
    clock = SystemClock()
    settings = settings_from(settings_values(host, folder), where="benchmark", base=folder)
    around = Surroundings(clock, credentials={name: credentials(name) for name in (BOT, HEDGER)})
    async with (
        open_engine(settings, around, silent_log(clock)) as engine,
        aiohttp.ClientSession() as session,
    ):
        await _calm(engine, meter)
        for _ in range(rounds):
            await asyncio.sleep(_PAUSE_S)
            status = await meter.cycle(engine)
            if status is not CycleStatus.NO_HEDGE:
                raise DisagreementError(f"cycle: {status}, where nothing was to be done")
            await meter.bare(session)


async def _calm(engine: Engine, meter: _Meter) -> None:
    """Cycles until the engine has nothing to do; they are not measured."""
    calm = 0
    for _ in range(_MOST_WARM_UPS):
        calm = calm + 1 if await meter.cycle(engine) is CycleStatus.NO_HEDGE else 0
        if calm >= _CALM_BEFORE:
            meter.wall_s.clear()
            meter.cpu_s.clear()
            return
        await asyncio.sleep(_PAUSE_S)
    raise DisagreementError("cycle: the engine does not come to rest")
