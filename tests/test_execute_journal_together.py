"""Several writes of the journal at once: what a failure takes with it, and what it leaves."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.errors import JournalError
from bot.journal.anchor import ANCHORED, anchor_path
from bot.journal.journal import Journal
from bot.journal.reader import JournalReader
from tests.execute_scene import ACCOUNT, FET, NOW_MS, fill, intent, order, send

BIG = "x" * 200_000


def kinds(journal: JournalReader) -> list[str]:
    return [event.kind for event in journal.events()]


def written_and_failed(journal: Journal, *, inner: bool = False) -> None:
    with journal.together("nothing of it"):
        if inner:
            with journal.together("a part"):
                journal.record_event("never", {})
        journal.record_event("never", {})
        raise JournalError("no")


def ended_by_sqlite(journal: Journal) -> None:
    with journal.together("all"):
        journal.record_event("before", {})
        journal._connection.execute("ROLLBACK")  # as SQLite itself does when it must
        with pytest.raises(JournalError, match="took this one with it"):
            journal.record_event("after", {})


@contextmanager
def no_room(journal: Journal) -> Iterator[None]:
    """A disk that is nearly full: little fits, much does not."""
    (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
    journal._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    try:
        yield
    finally:
        journal._connection.execute("PRAGMA max_page_count = 1073741823")


def test_a_block_in_a_block_is_a_part_of_it(journal: Journal) -> None:
    with journal.together("all"):
        journal.record_event("before", {})
        with journal.together("a part"):
            journal.record_event("inside", {})
        journal.record_event("after", {})
    assert kinds(journal) == ["before", "inside", "after"]
    journal.verify()


def test_an_inner_block_that_fails_leaves_the_outer_one(journal: Journal) -> None:
    with journal.together("all"):
        journal.record_event("before", {})
        with pytest.raises(JournalError, match="no"):
            written_and_failed(journal)
        journal.record_event("after", {})
    assert kinds(journal) == ["before", "after"]
    journal.verify()


def test_an_outer_block_that_fails_takes_the_inner_one_with_it(journal: Journal) -> None:
    with pytest.raises(JournalError, match="no"):
        written_and_failed(journal, inner=True)
    journal.record_event("next", {})
    assert kinds(journal) == ["next"]
    journal.verify()


def test_a_part_that_takes_the_whole_with_it_lets_nothing_follow(journal: Journal) -> None:
    """A full disk can end the transaction itself; what follows must not be written without it."""
    journal.record_event("first", {})
    with pytest.raises(JournalError, match="took this one with it"):
        ended_by_sqlite(journal)
    assert kinds(journal) == ["first"]
    journal.verify()
    journal.record_event("next", {})
    assert kinds(journal) == ["first", "next"]
    journal.verify()


def test_a_full_disk_in_a_part_leaves_a_journal_that_verifies(
    journal: Journal, journal_path: Path, clock: SimulatedClock
) -> None:
    with no_room(journal), journal.together("all"):
        journal.record_event("small", {})
        with pytest.raises(JournalError, match="full"):
            journal.record_event("big", {"text": BIG})
        journal.record_event("small again", {})
    journal.verify()
    found = kinds(journal)
    journal.close()
    with Journal.open(journal_path, clock) as again:
        assert kinds(again) == found == ["small", "small again"]


def test_a_plan_that_contradicts_takes_no_other_note_with_it(
    journal_path: Path, clock: SimulatedClock
) -> None:
    """That there must be an anchor is written with the next commit, as plans are."""
    journal = Journal.open(journal_path, clock)
    assert journal.meta(ANCHORED) is None, "it waits for a commit"
    journal.plan_intents([intent("i1")])
    journal.plan_intents([intent("i1")])
    with pytest.raises(JournalError):
        journal.record_event("tick", {})
    journal.record_event("tick", {})
    assert journal.meta(ANCHORED) == "1"
    journal._connection.close()
    anchor_path(journal_path).unlink()
    with (
        JournalReader.open_reader(journal_path) as reader,
        pytest.raises(JournalError, match="gone or spoilt"),
    ):
        reader.require_anchor()


def test_a_whole_cycle_can_be_one_block(journal: Journal) -> None:
    """What is planned in it is written at once, as the order that follows rests on it."""
    request = order("h1mine")
    with journal.together("an hour"):
        assert journal.is_free(), "it is ours"
        journal.plan_intents([intent(request.intent_id)])
        journal.mark_sending(
            request, account=ACCOUNT, leg="open-0", attempt=0, external_before=Decimal(0)
        )
        with pytest.raises(JournalError):
            journal.plan_intents([intent(request.intent_id)])
    assert [row.client_id for row in journal.unresolved_orders()] == ["h1mine"]
    journal.record_event("tick", {})
    journal.verify()


def test_what_others_write_is_noticed_and_what_was_remembered_is_read_anew(
    journal: Journal, journal_path: Path
) -> None:
    """Somebody with another program is no engine: no line of the chain clashes with ours."""
    send(journal, order("h1mine"))
    assert [row.client_id for row in journal.unresolved_orders()] == ["h1mine"]
    with sqlite3.connect(journal_path) as other:
        other.execute("UPDATE orders SET state = 'absent'")
    other.close()
    with pytest.raises(JournalError, match="no"):
        written_and_failed(journal)
    journal.record_event("tick", {})
    assert kinds(journal)[-2:] == ["journal_touched", "tick"]
    assert journal.unresolved_orders() == ()
    journal.record_event("tick", {})
    assert kinds(journal)[-2:] == ["tick", "tick"], "once"
    with pytest.raises(JournalError, match="row 1 of orders was changed"):
        journal.verify()


def test_fills_told_before_are_booked_anew_by_the_very_call_that_notices_others(
    journal: Journal, journal_path: Path
) -> None:
    """Somebody took a fill out of the file; what is told again must not count as booked."""
    send(journal, order("h1mine"))
    told = [fill("t1", client_id="h1mine")]
    assert len(journal.record_fills(ACCOUNT, FET, told, read_ms=NOW_MS)) == 1
    assert journal.record_fills(ACCOUNT, FET, told, read_ms=NOW_MS) == ()
    with sqlite3.connect(journal_path) as other:
        other.execute("DELETE FROM fills")
    other.close()
    assert journal.record_fills(ACCOUNT, FET, told, read_ms=NOW_MS + 1) == tuple(told)
    assert len(journal.own_fills(ACCOUNT)) == 1


def test_what_was_noticed_is_told_once_although_the_next_write_did_not_begin(
    journal: Journal, journal_path: Path
) -> None:
    journal.record_event("tick", {})
    other = sqlite3.connect(journal_path, isolation_level=None)
    other.execute("UPDATE events SET kind = 'tock' WHERE kind = 'tick'")
    journal.record_event("noticed", {})
    journal.wait_at_most(0)
    for _ in range(2):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="locked"):
            journal.record_event("kept out", {})
        other.execute("ROLLBACK")
        journal.record_event("after", {})
    other.close()
    assert kinds(journal) == ["tock", "journal_touched", "noticed", "after", "after"]


def test_what_was_not_told_because_the_write_failed_is_told_by_the_next(
    journal: Journal, journal_path: Path
) -> None:
    journal.record_event("tick", {})
    with sqlite3.connect(journal_path) as other:
        other.execute("UPDATE events SET kind = 'tock' WHERE kind = 'tick'")
    other.close()
    for _ in range(2):
        with pytest.raises(JournalError, match="no"):
            written_and_failed(journal)
    journal.record_event("after", {})
    assert kinds(journal) == ["tock", "journal_touched", "after"]


def test_those_who_only_look_are_not_taken_for_writers(
    journal: Journal, journal_path: Path
) -> None:
    with JournalReader.open_reader(journal_path) as reader:
        journal.record_event("tick", {})
        reader.verify()
        journal.record_event("tick", {})
    journal.record_event("tick", {})
    assert kinds(journal) == ["tick"] * 3
