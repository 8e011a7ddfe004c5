"""The journal's file: every trouble with it is one line, and a reader sees what is committed."""

import os
import sqlite3
from pathlib import Path

import pytest

import bot.journal.schema
from bot.clock import SimulatedClock
from bot.errors import JournalError, SafetyError
from bot.journal.chain import chained_tables
from bot.journal.journal import Journal
from bot.journal.reader import JournalReader
from bot.journal.schema import RESTS_ON, SCHEMA_VERSION
from bot.lock import EngineLock
from tests.execute_scene import NOW_MS
from tests.journal_scene import cycle


def test_a_newer_journal_is_refused(journal_path: Path, clock: SimulatedClock) -> None:
    Journal.open(journal_path, clock).close()
    raw = sqlite3.connect(journal_path)
    raw.execute("INSERT INTO migrations VALUES (?, 0)", (SCHEMA_VERSION + 1,))
    raw.commit()
    raw.close()
    for attempt in (
        lambda: Journal.open(journal_path, clock),
        lambda: JournalReader.open_reader(journal_path),
    ):
        with pytest.raises(SafetyError, match="newer perphedge") as caught:
            attempt()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be taken for one" * 20, None]
)
def test_what_is_no_journal_is_refused(
    journal_path: Path, clock: SimulatedClock, content: bytes | None
) -> None:
    journal_path.parent.mkdir()
    if content is None:
        raw = sqlite3.connect(journal_path)
        raw.execute("CREATE TABLE accounts (name TEXT)")
        raw.commit()
        raw.close()
    else:
        journal_path.write_bytes(content)
    for attempt in (
        lambda: Journal.open(journal_path, clock),
        lambda: JournalReader.open_reader(journal_path),
    ):
        with pytest.raises(JournalError, match=r"no journal|other database") as caught:
            attempt()
        assert "\n" not in str(caught.value)


def test_damage_is_found_when_it_is_opened(journal_path: Path, clock: SimulatedClock) -> None:
    with Journal.open(journal_path, clock) as journal:
        for i in range(200):
            journal.record_event("filler", {"text": "x" * 500, "i": i})
    damaged = bytearray(journal_path.read_bytes())
    for page in range(3, len(damaged) // 4096 - 1):
        damaged[page * 4096 : page * 4096 + 64] = os.urandom(64)
    journal_path.write_bytes(damaged)
    with pytest.raises(JournalError, match="damaged") as caught:
        Journal.open(journal_path, clock)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_told_and_nothing_half_is_kept(journal: Journal) -> None:
    journal.record_event("before", {})
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(JournalError, match="the disk is full"):
        journal.record_event("filler", {"text": "x" * 50_000})
    journal._connection.execute("PRAGMA max_page_count = 1000000")
    journal.record_event("after", {})  # room again: no restart is needed
    assert [e.kind for e in journal.events()][-1] == "after"


def test_a_locked_journal_is_told_after_a_while(journal_path: Path, clock: SimulatedClock) -> None:
    with Journal.open(journal_path, clock, busy_timeout_ms=50) as journal:
        other = sqlite3.connect(journal_path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="locked"):
            journal.record_event("tick", {})
        other.execute("COMMIT")
        other.close()
        journal.record_event("tick", {})


def test_a_directory_that_cannot_be_used_is_told(tmp_path: Path, clock: SimulatedClock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="check"):
        Journal.open(tmp_path / "file" / "journal.sqlite", clock)
    with pytest.raises(JournalError, match="check state_dir"):
        EngineLock(tmp_path / "file").acquire()


def test_reading_beside_a_running_engine_and_after_it(
    journal_path: Path, clock: SimulatedClock, tmp_path: Path
) -> None:
    with pytest.raises(JournalError, match="there is none"):
        JournalReader.open_reader(journal_path)
    with Journal.open(journal_path, clock) as journal:
        journal.record_cycle(cycle("c1"))
        with JournalReader.open_reader(journal_path) as reader:
            journal.record_cycle(cycle("c2", NOW_MS + 1))
            assert [c["cycle_id"] for c in reader.cycles()] == ["c1", "c2"]
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader._connection.execute("DELETE FROM cycles")
    with JournalReader.open_reader(journal_path) as reader:
        assert reader.cycle_count() == 2


@pytest.mark.parametrize("table", [*RESTS_ON, "orders_unresolved", "cycles", "events"])
def test_of_a_large_file_a_start_checks_what_it_rests_on(
    journal_path: Path, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setattr(bot.journal.schema, "CHECKED_WHOLE_BYTES", 0)
    with Journal.open(journal_path, clock) as journal:
        journal.record_event("first", {})
        (root,) = journal._connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
        (size,) = journal._connection.execute("PRAGMA page_size").fetchone()
    Journal.open(journal_path, clock).close()
    with journal_path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\x07" * 8)  # no kind of page begins so
    if table in ("cycles", "events"):
        reader = JournalReader.open_reader(journal_path)
        with reader, pytest.raises(JournalError, match="damaged"):
            reader.verify()
        return
    with pytest.raises(JournalError, match="damaged"):
        Journal.open(journal_path, clock)


def test_every_table_is_checked_or_only_read_by_people(
    journal_path: Path, clock: SimulatedClock
) -> None:
    with Journal.open(journal_path, clock) as journal:
        assert {*chained_tables(journal._connection)} - {*RESTS_ON} == {"cycles", "events"}
