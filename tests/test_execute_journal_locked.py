"""A journal that another program locks: who locks it, and that nothing stands still for long."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from bot.clock import SimulatedClock, SystemClock
from bot.errors import JournalError
from bot.journal.copy import journal_copy
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.lock import BUSY_MS, PATIENCE_MS, engine_state, when_free
from bot.records.cycle import CycleStatus
from tests.cycle_scene import HISTORY_DAYS, open_scene, small_tape
from tests.e2e_scene import called
from tests.execute_scene import NOW_MS


@pytest.fixture
def state(tmp_path: Path) -> Iterator[tuple[Path, Journal]]:
    with engine_state(tmp_path, SystemClock()) as journal:
        yield tmp_path, journal


class Other:
    """Another program at the same file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def locks(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def ends(self) -> None:
        self._connection.close()


@pytest.fixture
def other(state: tuple[Path, Journal]) -> Iterator[Other]:
    found = Other(state[0] / JOURNAL_NAME)
    yield found
    found.ends()


def taken_s(journal: Journal) -> float:
    """How long one more event takes."""
    started = time.monotonic()
    journal.record_event("tick", {})
    return time.monotonic() - started


def test_those_who_read_lock_nobody_out(state: tuple[Path, Journal]) -> None:
    """Neither in the midst of a long read, nor while they verify or copy all of it."""
    folder, journal = state
    with JournalReader.open_reader(folder / JOURNAL_NAME) as reader:
        for n in range(300):
            journal.record_event("filler", {"n": n})
        reader._connection.execute("BEGIN")
        rows = reader._connection.execute("SELECT * FROM events")
        assert rows.fetchone()
        assert taken_s(journal) < BUSY_MS / 1000
        reader._connection.execute("ROLLBACK")
        with journal_copy(folder, SystemClock()) as copy:
            assert taken_s(journal) < BUSY_MS / 1000
            assert copy.newest_event() > 300
        for command in (("log", "--verify"), ("log",), ("status",)):
            assert called(*command, "--state", str(folder)).code == 0
            assert taken_s(journal) < BUSY_MS / 1000


def test_a_write_stands_still_for_a_second_and_then_fails_in_one_line(
    state: tuple[Path, Journal], other: Other
) -> None:
    """Longer, and its own orders would not be cancelled in time after a halt."""
    _, journal = state
    other.locks()
    started = time.monotonic()
    with pytest.raises(JournalError, match="another process keeps it locked; end that process"):
        journal.record_event("tick", {})
    assert 0.9 < time.monotonic() - started < 1.9
    other.ends()
    journal.record_event("tick", {})
    journal.verify()


@asynccontextmanager
async def ticking(gaps_s: list[float]) -> AsyncIterator[None]:
    """Notes how long the event loop stood still at a time."""

    async def tick() -> None:
        while True:
            started = time.monotonic()
            await asyncio.sleep(0.01)
            gaps_s.append(time.monotonic() - started)

    task = asyncio.ensure_future(tick())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_between_cycles_everything_else_goes_on(
    state: tuple[Path, Journal], other: Other
) -> None:
    _, journal = state
    other.locks()
    asyncio.get_running_loop().call_later(2.0, other.ends)
    gaps_s: list[float] = []
    started = time.monotonic()
    async with ticking(gaps_s):
        await when_free(journal, SystemClock())
    assert 1.9 < time.monotonic() - started < 4.0
    assert len([gap for gap in gaps_s if gap < 0.3]) > 5, "it went on while it was locked"
    assert max(gaps_s) < 1.9
    journal.record_event("tick", {})


async def test_a_program_that_never_lets_go_ends_the_engine(tmp_path: Path) -> None:
    clock = SimulatedClock(NOW_MS)
    with engine_state(tmp_path, clock) as journal:
        other = Other(tmp_path / JOURNAL_NAME)
        other.locks()
        with pytest.raises(JournalError, match="has kept it locked for 20 s; end that program"):
            await when_free(journal, clock)
        assert clock.now_ms() - NOW_MS == PATIENCE_MS
        other.ends()
        await when_free(journal, clock)
        assert clock.now_ms() - NOW_MS == PATIENCE_MS


class Releasing(SimulatedClock):
    """The other program ends while the engine waits for it."""

    other: Other | None = None

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.other is not None:
            self.other.ends()


async def test_a_cycle_begins_when_the_journal_is_free(tmp_path: Path) -> None:
    tape = small_tape()
    clock = Releasing(tape.start_ms + HISTORY_DAYS * 24 * 3_600_000)
    async with open_scene(tmp_path, tape=tape, clock=clock) as scene:
        scene.journal.wait_at_most(10)
        clock.other = Other(tmp_path / JOURNAL_NAME)
        clock.other.locks()
        assert (await scene.cycle()).status is CycleStatus.HEDGED
        clock.other = None
        again = Other(tmp_path / JOURNAL_NAME)
        again.locks()
        with pytest.raises(JournalError, match="has kept it locked"):
            await scene.cycle()
        again.ends()
        assert scene.events[-1]["event"] == "journal_failed"
