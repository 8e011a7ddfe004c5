"""Runs cycles at a steady pace until told to stop."""

import asyncio
from collections.abc import AsyncIterator

from bot.cycle import Engine
from bot.ports import Clock
from bot.records.cycle import CycleRecord
from bot.stopping import stopped_by_signals


async def run_cycles(
    engine: Engine, clock: Clock, every_ms: int, cycles: int | None = None
) -> AsyncIterator[CycleRecord]:
    """Records of one cycle after another; SIGINT or SIGTERM ends it between two cycles.

    A cycle that takes longer than ``every_ms`` is followed by the next one at once.
    """
    with stopped_by_signals() as stop:
        done = 0
        while not stop.is_set():
            started_ms = clock.now_ms()
            yield await engine.cycle()
            done += 1
            if cycles is not None and done >= cycles:
                break
            # A clock that was set back during the cycle must not make the pause longer.
            rest_ms = min(every_ms, every_ms - (clock.now_ms() - started_ms))
            await _wait(clock, stop, rest_ms / 1000)


async def _wait(clock: Clock, stop: asyncio.Event, seconds: float) -> None:
    """Sleep on the clock, but wake at once when told to stop."""
    if seconds <= 0:
        return
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    stopping = asyncio.ensure_future(stop.wait())
    _, pending = await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
