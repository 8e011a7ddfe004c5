"""Runs cycles at a steady pace until told to stop, and early when a stream has news."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from bot.cycle import Engine
from bot.ports import Clock
from bot.records.cycle import CycleRecord
from bot.stopping import stopped_by_signals


async def run_cycles(
    engine: Engine,
    clock: Clock,
    every_ms: int,
    cycles: int | None = None,
    stop: asyncio.Event | None = None,
) -> AsyncIterator[CycleRecord]:
    """Records of one cycle after another; SIGINT or SIGTERM ends it between two cycles.

    A cycle that takes longer than ``every_ms`` is followed by the next one at once. News of the
    engine's streams wake the next one early, but never closer to the last than their spacing;
    somebody's decision on a proposal wakes it at once.

    Args:
        stop: ends it between two cycles too; set before, no cycle is begun.
    """
    streams, approvals = engine.streams, engine.approvals
    decided = () if approvals is None else (approvals.wake,)
    with stopped_by_signals(stop) as stopped:
        done = 0
        while not stopped.is_set():
            started_ms = clock.now_ms()
            yield await engine.cycle()
            done += 1
            if cycles is not None and done >= cycles:
                break
            # A clock that was set back during the cycle must not make the pause longer.
            taken_ms = max(0, clock.now_ms() - started_ms)
            if streams is None:
                await _wait(clock, (every_ms - taken_ms) / 1000, stopped, *decided)
                continue
            spacing_ms = min(every_ms, streams.spacing_ms)
            await _wait(clock, (spacing_ms - taken_ms) / 1000, stopped, *decided)
            rest_ms = every_ms - max(taken_ms, spacing_ms)
            await _wait(clock, rest_ms / 1000, stopped, streams.wake, *decided)


async def _wait(clock: Clock, seconds: float, *until: asyncio.Event) -> None:
    """Sleep on the clock, but wake at once when one of these events is set."""
    if seconds <= 0:
        return
    waiting: set[asyncio.Future[Any]] = {asyncio.ensure_future(one.wait()) for one in until}
    waiting.add(asyncio.ensure_future(clock.sleep(seconds)))
    _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
