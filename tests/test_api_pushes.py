"""Documents that come at once: each is answered when it, or one after it, is on the disk."""

import asyncio
import errno
import json
import threading
import time
from pathlib import Path

import pytest

from bot.api.pushes import PushDesk
from bot.api.turns import Turns
from bot.sources.pushed import PushedFiles, pushed_file
from risk.errors import DataError, StaleDataError
from tests.api_scene import SYMBOLS, now_text

BOT = "bot-a"


def _text(base: float, *, offset_s: float = 0.0, rows: int = 1) -> str:
    row = {"symbol": SYMBOLS[1], "side": "long", "base": base}
    more = [{**row, "symbol": f"T{i}/USDT:USDT"} for i in range(1, rows)]
    return json.dumps({"timestamp": now_text(offset_s), "positions": [row, *more]})


def _now_ms() -> int:
    return round(time.time() * 1000)


class SlowDisk(PushedFiles):
    """Writes when it is let, and fails when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, frozenset({BOT}))
        self.may_write = threading.Event()
        self.full = False
        self.written: list[str] = []

    def keep(self, source: str, text: str, timestamp_ms: int) -> None:
        assert self.may_write.wait(10)
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().keep(source, text, timestamp_ms)
        self.written.append(text)


async def test_what_comes_during_a_write_is_written_at_once_and_the_newest_counts(
    tmp_path: Path,
) -> None:
    disk = SlowDisk(tmp_path)
    desk = PushDesk(disk)
    texts = [_text(float(n + 1)) for n in range(100)]
    puts = [asyncio.create_task(desk.put(BOT, text, _now_ms())) for text in texts]
    await asyncio.sleep(0.05)
    assert not any(put.done() for put in puts), "nothing is on the disk yet"
    disk.may_write.set()
    taken = await asyncio.gather(*puts)
    assert [str(s.positions[0].base_quantity) for s in taken] == [str(n + 1.0) for n in range(100)]
    assert len(disk.written) <= 2
    assert pushed_file(tmp_path, BOT).read_text() == texts[-1]


async def test_a_full_disk_is_told_to_everybody_and_keeps_nothing_out_afterwards(
    tmp_path: Path,
) -> None:
    disk = SlowDisk(tmp_path)
    desk = PushDesk(disk)
    disk.may_write.set()
    await desk.put(BOT, first := _text(1.0, offset_s=-20), _now_ms())
    disk.full = True
    puts = [desk.put(BOT, _text(float(n)), _now_ms()) for n in range(2, 5)]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(o) for o in outcomes] == [OSError] * 3
    assert pushed_file(tmp_path, BOT).read_text() == first
    disk.full = False
    # Older than those that failed, newer than the one that stands.
    await desk.put(BOT, later := _text(9.0, offset_s=-10), _now_ms())
    assert pushed_file(tmp_path, BOT).read_text() == later
    with pytest.raises(StaleDataError, match="older than the positions that were taken last"):
        await desk.put(BOT, first, _now_ms())


async def test_an_older_document_does_not_pass_one_that_waits(tmp_path: Path) -> None:
    disk = SlowDisk(tmp_path)
    desk = PushDesk(disk)
    waiting = asyncio.create_task(desk.put(BOT, newest := _text(1.0), _now_ms()))
    await asyncio.sleep(0.01)
    with pytest.raises(StaleDataError):
        await desk.put(BOT, _text(2.0, offset_s=-5), _now_ms())
    disk.may_write.set()
    await waiting
    assert pushed_file(tmp_path, BOT).read_text() == newest


async def test_the_loop_goes_on_while_the_disk_hangs_and_a_long_document_is_read(
    tmp_path: Path,
) -> None:
    disk = SlowDisk(tmp_path)
    desk = PushDesk(disk)
    long = _text(1.0, rows=2_000)
    put = asyncio.create_task(desk.put(BOT, long, _now_ms()))
    rounds = 0
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        await asyncio.sleep(0.001)
        rounds += 1
    assert not put.done()
    assert rounds > 50
    disk.may_write.set()
    assert len((await put).positions) == 2_000
    with pytest.raises(DataError, match="body: not JSON"):
        await desk.put(BOT, long + "}", _now_ms())


async def test_between_two_that_wait_their_turn_the_loop_does_what_is_ready() -> None:
    """In the order in which they came; one that is given up is passed over."""
    turns, course = Turns(), []

    async def push(number: int) -> None:
        await turns.mine()
        course.append(f"push {number}")

    async def ask() -> None:
        for number in range(4):
            course.append(f"ask {number}")
            await asyncio.sleep(0)

    pushes = [asyncio.create_task(push(number)) for number in range(4)]
    asking = asyncio.create_task(ask())
    await asyncio.sleep(0)
    pushes[2].cancel()
    await asyncio.gather(asking, *pushes, return_exceptions=True)
    assert [one for one in course if one.startswith("push")] == ["push 0", "push 1", "push 3"]
    between = course[course.index("push 0") : course.index("push 3")]
    assert sum(one.startswith("ask") for one in between) >= 2


async def test_after_our_clock_was_set_back_positions_are_taken_again(tmp_path: Path) -> None:
    files = PushedFiles(tmp_path, frozenset({BOT}))
    desk = PushDesk(files)
    await desk.put(BOT, _text(1.0, offset_s=3_600), _now_ms() + 3_600_000)
    for again in (desk, PushDesk(PushedFiles(tmp_path, frozenset({BOT})))):
        await again.put(BOT, _text(2.0), _now_ms())
    assert files.last_ms(BOT) == pytest.approx(_now_ms(), abs=30_000)
    with pytest.raises(StaleDataError, match="older than the positions"):
        await desk.put(BOT, _text(3.0, offset_s=-10), _now_ms())
