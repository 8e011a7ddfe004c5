"""Several sources at once that fail, hang, tell half or flap; over real files and sockets."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.cli.records import source_lines
from bot.clock import SimulatedClock, SystemClock
from bot.errors import UnreachableError
from bot.journal.journal import Journal
from bot.measuring.source_reads import SourceReads
from bot.ports import Clock, PositionSource, SourceSnapshot
from bot.records.cycle import CycleStatus
from bot.sources.file import FileSource, parse_positions
from bot.sources.health import FAILING, WELL_AGAIN, SourcesHealth
from risk.errors import DataError, StaleDataError
from tests.cycle_scene import open_scene
from tests.monitor_scene import Source

NOW_MS = 1_750_000_000_000
FET = "FET/USDT:USDT"


def document(at_ms: int, base: float = 5.0) -> str:
    stamp = datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat()
    return json.dumps(
        {"timestamp": stamp, "positions": [{"symbol": FET, "side": "long", "base": base}]}
    )


@dataclass
class SocketSource:
    """Asks a local server for a positions document over a real connection."""

    name: str
    port: int
    max_age_ms: int = 5_000
    reads: int = 0

    async def read(self) -> SourceSnapshot:
        self.reads += 1
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError as error:
            raise UnreachableError(f"source {self.name}: {type(error).__name__}") from error
        try:
            text = (await reader.read()).decode()
        finally:
            writer.close()
        return parse_positions(text, f"source {self.name}", self.name)

    async def close(self) -> None:
        pass


@asynccontextmanager
async def answering(text: Callable[[], str], after_s: float = 0.0) -> AsyncIterator[int]:
    """The port of a server that answers ``text()`` after so long."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(after_s)
            writer.write(text().encode())
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite", SimulatedClock(NOW_MS)) as opened:
        yield opened


def reads_of(
    sources: list[PositionSource], journal: Journal, clock: Clock, within_s: float = 5.0
) -> tuple[SourceReads, SourcesHealth]:
    def check_age(what: str, timestamp_ms: int, max_age_ms: int) -> None:
        age_ms = clock.now_ms() - timestamp_ms
        if age_ms > max_age_ms:
            raise StaleDataError(f"{what}: {age_ms} ms old")

    health = SourcesHealth(sources, journal, clock)
    return SourceReads(sources, {}, health, clock, check_age, within_s=within_s), health


def told(journal: Journal) -> list[tuple[str, str]]:
    found = [e for e in journal.events() if e.kind in (FAILING, WELL_AGAIN)]
    return [(e.kind, str(e.document["source"])) for e in found]


async def test_all_that_fail_are_named_and_none_is_flat(tmp_path: Path, journal: Journal) -> None:
    clock = SimulatedClock(NOW_MS)
    half, good = tmp_path / "half.json", tmp_path / "good.json"
    half.write_text(document(NOW_MS)[:-20])
    good.write_text(document(NOW_MS))
    sources: list[PositionSource] = [
        FileSource("gone", tmp_path / "gone.json", 60_000),
        FileSource("half", half, 60_000),
        FileSource("good", good, 60_000),
        Source(clock, name="old", age_ms=60_001, max_age_ms=60_000),
    ]
    reads, health = reads_of(sources, journal, clock)
    with pytest.raises(DataError) as caught:
        await reads.all()
    parts = str(caught.value).split("; ")
    begin = ("source gone: cannot read", str(half), "source old: 60001 ms old")
    assert len(parts) == 3
    assert all(one.startswith(how) for one, how in zip(parts, begin, strict=True))
    known = {one["name"]: one for one in health.documents()}
    assert [name for name in known if known[name]["failing"]] == ["gone", "half", "old"]
    assert known["good"]["age_seconds"] == 0
    assert known["good"]["last_error"] == ""
    assert told(journal) == [(FAILING, "gone"), (FAILING, "half"), (FAILING, "old")]


async def test_only_silence_is_told_as_silence(tmp_path: Path, journal: Journal) -> None:
    gone: list[PositionSource] = [FileSource(n, tmp_path / n, 60_000) for n in ("a", "b")]
    reads, _ = reads_of(gone, journal, SimulatedClock(NOW_MS))
    with pytest.raises(UnreachableError, match=r"^source a: .*; source b: "):
        await reads.all()


async def test_one_that_hangs_has_its_time_and_holds_up_no_other(journal: Journal) -> None:
    clock = SystemClock()

    def now() -> str:
        return document(clock.now_ms())

    async with answering(now, after_s=30.0) as mute, answering(now) as quick:
        sources: list[PositionSource] = [SocketSource("mute", mute), SocketSource("quick", quick)]
        reads, health = reads_of(sources, journal, clock, within_s=1.5)
        started = time.monotonic()
        with pytest.raises(UnreachableError) as caught:
            await reads.all()
        assert time.monotonic() - started < 15, "half of what the mute one takes"
        assert str(caught.value) == "source mute: no answer within 1.5 s"
        assert [one["failing"] for one in health.documents()] == [True, False]


async def test_what_waited_for_a_slow_one_is_read_again(journal: Journal) -> None:
    """The slow one takes longer than the quick one may be old."""
    clock = SystemClock()

    def now() -> str:
        return document(clock.now_ms())

    async with answering(now, after_s=1.6) as late, answering(now) as quick:
        fast = SocketSource("fast", quick, max_age_ms=1_400)
        slow = SocketSource("slow", late)
        reads, _ = reads_of([fast, slow], journal, clock)
        found = await reads.all()
        reads.require_fresh(found)
        assert [one.source for one in found] == ["fast", "slow"]
        assert (fast.reads, slow.reads) == (2, 1)


async def test_what_grew_old_until_it_is_used_is_a_failure(journal: Journal) -> None:
    clock = SimulatedClock(NOW_MS)
    sources: list[PositionSource] = [Source(clock, name="a"), Source(clock, name="b")]
    reads, health = reads_of(sources, journal, clock)
    found = await reads.all()
    clock.advance_to(NOW_MS + 5_001)
    with pytest.raises(DataError, match=r"^source a: 5001 ms old; source b: 5001 ms old$"):
        reads.require_fresh(found)
    assert [one["failing"] for one in health.documents()] == [True, True]


async def test_a_defect_leaves_nothing_running_behind(journal: Journal) -> None:
    clock = SystemClock()

    class Broken(Source):
        async def read(self) -> SourceSnapshot:
            raise ZeroDivisionError

    async with answering(lambda: document(clock.now_ms()), after_s=30.0) as mute:
        sources: list[PositionSource] = [
            SocketSource("mute", mute),
            Broken(SimulatedClock(NOW_MS), name="broken"),
        ]
        reads, _ = reads_of(sources, journal, clock)
        before = asyncio.all_tasks()
        with pytest.raises(ZeroDivisionError):
            await reads.all()
        reading = [t for t in asyncio.all_tasks() - before if "_one" in repr(t.get_coro())]
        assert reading == []


def test_however_it_flaps_each_beginning_and_each_end_is_told_once(journal: Journal) -> None:
    for fails in itertools.product((False, True), repeat=6):
        clock = SimulatedClock(NOW_MS)
        source = Source(clock)
        health, known = SourcesHealth([source], journal, clock), len(told(journal))
        expected, began_ms, was = [], None, False
        for fail in fails:
            clock.advance_to(clock.now_ms() + 1_000)
            if fail:
                began_ms = began_ms if was else clock.now_ms()
                health.failed("bot-a", DataError("no\nreply"))
            else:
                health.good("bot-a", clock.now_ms() - 7)
            if fail != was:
                expected.append((FAILING if fail else WELL_AGAIN, "bot-a"))
            was = fail
            (one,) = health.documents()
            assert one["failing"] is fail
            assert (one["failing_since"] is None) is not fail
            assert one["last_error"] in ("", "no reply")
        assert told(journal)[known:] == expected
        if was and began_ms is not None:
            since = datetime.fromisoformat(health.documents()[0]["failing_since"])
            assert round(since.timestamp() * 1000) == began_ms


def test_a_restart_tells_nothing_twice_and_forgets_nothing(journal: Journal) -> None:
    clock = SimulatedClock(NOW_MS)
    first = SourcesHealth([Source(clock)], journal, clock)
    first.good("bot-a", NOW_MS)
    first.failed("bot-a", UnreachableError("no reply"))
    clock.advance_to(NOW_MS + 60_000)
    second = SourcesHealth([Source(clock), Source(clock, name="new")], journal, clock)
    second.recall(first.documents())
    known, fresh = second.documents()
    assert known == {**first.documents()[0], "age_seconds": 60.0}
    assert (fresh["failing"], fresh["last_good"]) == (False, None)
    second.failed("bot-a", UnreachableError("no reply"))
    second.good("bot-a", clock.now_ms())
    assert told(journal) == [(FAILING, "bot-a"), (WELL_AGAIN, "bot-a")]
    assert journal.events(kind=WELL_AGAIN)[0].document["seconds"] == 60


async def test_a_cycle_is_held_says_which_and_the_record_and_status_tell_it(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        began_ms = scene.clock.now_ms()
        good = await scene.cycle()
        assert good.bot_gross_usd
        scene.positions_file.unlink()
        scene.clock.advance_to(scene.clock.now_ms() + 60_000)
        held = [await scene.cycle() for _ in range(3)]
        assert {one.status for one in held} == {CycleStatus.HELD}
        assert all(one.reason.startswith("source manual: cannot read") for one in held)
        assert {one.bot_gross_usd for one in held} == {None}
        (one,) = held[-1].sources
        age_s = (scene.clock.now_ms() - began_ms) / 1000
        assert (one["name"], one["failing"], one["age_seconds"]) == ("manual", True, age_s)
        ((title, line),) = source_lines({"sources": held[-1].sources})
        assert title == "Source manual"
        assert line.startswith(f"fails since {one['failing_since']}: source manual: cannot read")
        scene.hold()
        well = await scene.cycle()
        assert well.status is not CycleStatus.HELD
        kinds = [e.kind for e in scene.journal.events() if e.kind in (FAILING, WELL_AGAIN)]
        assert kinds == [FAILING, WELL_AGAIN]
        document: Any = scene.journal.cycle(well.cycle_id)
        assert document["sources"][0]["failing"] is False
        assert document["sources"][0]["last_error"].startswith("source manual: cannot read")


async def test_a_position_is_told_by_each_that_holds_it(tmp_path: Path, journal: Journal) -> None:
    clock = SimulatedClock(NOW_MS)
    sources: list[PositionSource] = []
    for n in range(3):
        path = tmp_path / f"{n}.json"
        path.write_text(document(NOW_MS, base=float(n + 1)))
        sources.append(FileSource(f"bot-{n}", path, 60_000))
    reads, _ = reads_of(sources, journal, clock)
    found = await reads.all()
    assert [(s.source, s.positions[0].base_quantity) for s in found] == [
        (f"bot-{n}", Decimal(n + 1)) for n in range(3)
    ]
