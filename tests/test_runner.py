"""Cycle after cycle at a steady pace, until told to stop."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from bot.approval.desk import ApprovalDesk
from bot.clock import SimulatedClock, SystemClock
from bot.errors import JournalError
from bot.records.cycle import CycleRecord, CycleStatus, iso_utc
from bot.runner import run_cycles
from bot.stopping import stopped_by_signals
from bot.venues.streams.desk import StreamDesk

NOW_MS = 1_750_000_000_000


class Engine:
    """Counts cycles; each takes as long as it is told to."""

    streams: StreamDesk | None = None
    approvals: ApprovalDesk | None = None

    def __init__(self, clock: Any, work: Callable[[int], float] = lambda _: 0.0) -> None:
        self.clock, self.work = clock, work
        self.started_ms: list[int] = []

    async def cycle(self) -> CycleRecord:
        now_ms = self.clock.now_ms()
        self.started_ms.append(now_ms)
        seconds = self.work(len(self.started_ms))
        if seconds:
            await self.clock.sleep(seconds)
        return CycleRecord(
            f"c{len(self.started_ms)}", iso_utc(now_ms), now_ms, CycleStatus.NO_HEDGE, ""
        )


async def run(engine: Any, clock: Any, every_ms: int, cycles: int | None = None) -> list[str]:
    return [record.cycle_id async for record in run_cycles(engine, clock, every_ms, cycles)]


async def test_a_steady_pace_whatever_the_cycles_take() -> None:
    clock = SimulatedClock(NOW_MS)
    engine = Engine(clock, lambda n: {1: 5.0, 2: 59.0, 3: 150.0}.get(n, 0.0))
    assert await run(engine, clock, 60_000, 5) == ["c1", "c2", "c3", "c4", "c5"]
    assert [(ms - NOW_MS) / 1000 for ms in engine.started_ms] == [0, 60, 120, 270, 330]


async def test_the_last_cycle_is_not_waited_for() -> None:
    clock = SimulatedClock(NOW_MS)
    await run(Engine(clock), clock, 60_000, 1)
    assert clock.now_ms() == NOW_MS


async def test_a_clock_set_back_does_not_stretch_the_pause() -> None:
    class Jumping(SimulatedClock):
        slept: list[float]

        async def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            await super().sleep(seconds)

    clock = Jumping(NOW_MS)
    clock.slept = []

    def set_back(n: int) -> float:
        if n == 1:
            clock._now_ms -= 7_200_000
        return 0.0

    await run(Engine(clock, set_back), clock, 60_000, 2)
    assert clock.slept == [60.0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_in_a_pause_ends_it_at_once(number: signal.Signals) -> None:
    clock = SystemClock()
    engine = Engine(clock)
    loop = asyncio.get_running_loop()
    loop.call_later(0.05, os.kill, os.getpid(), number)
    assert await asyncio.wait_for(run(engine, clock, 600_000), 5) == ["c1"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


async def test_who_was_told_to_stop_before_begins_no_cycle() -> None:
    clock, stop = SimulatedClock(NOW_MS), asyncio.Event()
    stop.set()
    engine: Any = Engine(clock)
    assert [one async for one in run_cycles(engine, clock, 60_000, stop=stop)] == []
    assert engine.started_ms == []


async def test_a_signal_in_a_cycle_lets_it_end() -> None:
    clock = SystemClock()
    engine = Engine(clock, lambda _: 0.2)
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(run(engine, clock, 1), 5) == ["c1"]


async def test_an_error_passes_through_and_leaves_no_handler() -> None:
    class Broken:
        streams = approvals = None

        async def cycle(self) -> CycleRecord:
            raise JournalError("no room")

    with pytest.raises(JournalError):
        await run(Broken(), SimulatedClock(NOW_MS), 60_000)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


async def test_whoever_stops_listening_ends_it() -> None:
    clock = SimulatedClock(NOW_MS)
    engine: Any = Engine(clock)
    async with aclosing(run_cycles(engine, clock, 60_000)) as records:  # type: ignore[type-var]  # a generator
        async for _ in records:
            break
    assert len(engine.started_ms) == 1
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


async def test_the_given_event_is_the_one_that_is_set() -> None:
    event = asyncio.Event()
    with stopped_by_signals(event) as stop:
        assert stop is event
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(event.wait(), 5)


PATIENT = textwrap.dedent(
    """
    import asyncio
    from bot.stopping import stopped_by_signals
    async def main():
        with stopped_by_signals() as stop:
            print("ready", flush=True)
            await stop.wait()
            print("told", flush=True)
            await asyncio.sleep(60)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("broken in", flush=True)
    """
)


def test_a_second_signal_breaks_in() -> None:
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", PATIENT], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "told\n"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "broken in\n"
            assert process.wait(10) == 0
        finally:
            process.kill()
