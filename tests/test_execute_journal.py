"""The journal: private, in order of time, plain JSON, and each write whole or not at all."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.errors import JournalError
from bot.journal.journal import Journal
from bot.journal.reader import JournalReader
from bot.records.cycle import CycleRecord
from bot.trading.orders import OrderState
from tests.execute_scene import ACCOUNT, KEY, NOW_MS, acknowledged, intent, order, send
from tests.journal_scene import cycle


def test_files_are_private_and_settings_are_the_safe_ones(
    journal_path: Path, journal: Journal
) -> None:
    assert journal_path.stat().st_mode & 0o777 == 0o600
    assert journal_path.parent.stat().st_mode & 0o777 == 0o700
    with sqlite3.connect(journal_path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert journal._connection.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_the_install_key_is_made_once(journal_path: Path, clock: SimulatedClock) -> None:
    with Journal.open(journal_path, clock) as first:
        key = first.install_key
    with Journal.open(journal_path, clock, install_key=KEY) as second:
        assert second.install_key == key
    assert len(key) == 32
    with Journal.open(journal_path.with_name("other"), clock, install_key=KEY) as given:
        assert given.install_key == KEY


def test_cycles_and_events_are_read_by_time_and_id(journal: Journal, clock: SimulatedClock) -> None:
    for i in range(5):
        journal.record_cycle(cycle(f"c{i}", NOW_MS + i))
        journal.record_event("tick", {"i": i}, cycle_id=f"c{i}")
        clock.advance_to(NOW_MS + i + 1)
    assert [c["cycle_id"] for c in journal.cycles()] == ["c0", "c1", "c2", "c3", "c4"]
    assert [c["cycle_id"] for c in journal.cycles(NOW_MS + 2, limit=2)] == ["c3", "c4"]
    assert journal.cycle("c3") == {**cycle("c3", NOW_MS + 3).document(), **_as_lists(cycle("c3"))}
    assert journal.cycle("nope") is None
    assert journal.cycle_count() == 5
    events = journal.events(NOW_MS + 1, limit=2)
    assert [e.document["i"] for e in events] == [3, 4]
    assert [e.document["i"] for e in journal.events(after_id=events[0].event_id)] == [4]
    assert [e.document["i"] for e in journal.events(cycle_id="c2", kind="tick")] == [2]
    assert journal.events(kind="other") == []


def _as_lists(record: CycleRecord) -> dict[str, list[object]]:
    return {k: list(v) for k, v in record.document().items() if isinstance(v, tuple)}


def test_a_cycle_is_written_once_and_only_as_json(journal: Journal) -> None:
    journal.record_cycle(cycle("c1"))
    with pytest.raises(JournalError, match="cycle c1"):
        journal.record_cycle(cycle("c1"))
    with pytest.raises(JournalError, match="cannot be written as JSON"):
        journal.record_cycle(replace(cycle("c2"), bot_gross_usd=float("nan")))
    assert journal.cycle_count() == 1


def test_documents_are_plain_json(journal: Journal, journal_path: Path) -> None:
    journal.record_intents([replace(intent(), document={"why": "a cap"})])
    raw = sqlite3.connect(journal_path)
    text = raw.execute("SELECT document FROM intents").fetchone()[0]
    raw.close()
    assert json.loads(text) == {"why": "a cap"}


def test_what_is_planned_is_on_the_disk_with_the_next_commit_and_not_lost_by_one_that_fails(
    journal: Journal, journal_path: Path
) -> None:
    def stored() -> list[str]:
        with sqlite3.connect(journal_path) as raw:
            rows = raw.execute("SELECT intent_id FROM intents ORDER BY rowid").fetchall()
        raw.close()
        return [row[0] for row in rows]

    journal.plan_intents([replace(intent(), intent_id="i1"), replace(intent(), intent_id="i2")])
    assert stored() == []
    with pytest.raises(JournalError, match="not in the journal"):
        journal.record_outcome(acknowledged(order("h1nobody")))
    assert stored() == []
    request = order("h1first", intent_id="i2")
    journal.mark_sending(request, account=ACCOUNT, leg="open-0", attempt=0)
    assert stored() == ["i1", "i2"]
    journal.record_event("tick", {})
    assert stored() == ["i1", "i2"]
    assert journal.verify().number > 0


def test_what_is_written_together_is_committed_once_and_a_part_that_fails_leaves_no_trace(
    journal: Journal, journal_path: Path
) -> None:
    def stored() -> list[str]:
        with JournalReader.open_reader(journal_path) as reader:
            return [event.kind for event in reader.events()]

    send(journal, order("h1one"))
    before = stored()
    with journal.together("write some"):
        journal.record_event("first", {})
        half = acknowledged(order("h1one"), OrderState.ABSENT, "3")  # its quantity is written first
        with pytest.raises(JournalError, match="sending cannot become absent"):
            journal.record_outcome(half)
        journal.record_event("second", {})
        assert stored() == before
    assert stored() == [*before, "first", "second"]
    with pytest.raises(JournalError, match="written as JSON"), journal.together("write some"):
        [journal.record_event("third", {"n": n}) for n in (1.0, float("nan"))]
    journal.record_event("last", {})
    assert stored() == [*before, "first", "second", "last"]
    assert journal.verify().number > 0
