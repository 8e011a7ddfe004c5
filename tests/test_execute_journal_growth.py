"""What is asked around every order costs the same in an old journal as in a new one."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bot.journal.fill_writes
import bot.journal.schema
from bot.approval.reading import ENDS, ended
from bot.clock import SimulatedClock
from bot.journal import cycle_reads
from bot.journal.journal import Journal
from bot.journal.migrations import UNRESOLVED
from bot.journal.reader import JournalReader
from bot.journal.rows import UNSETTLED
from bot.journal.schema import SCHEMA_VERSION
from bot.records.cycle import CycleRecord, CycleStatus, iso_utc
from bot.trading.attribution import HedgeClosedExternally
from bot.trading.orders import OrderState, Side
from tests.execute_scene import ACCOUNT, FET, NOW_MS, TAO, acknowledged, fill, order, send


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite", SimulatedClock(NOW_MS)) as opened:
        yield opened


def booked(journal: Journal, n: int, symbol: str, quantity: int, at: int) -> None:
    """Order and fill number ``n``, filled ``at`` milliseconds after the start."""
    side = Side.BUY if quantity > 0 else Side.SELL
    request = order(
        f"h{n}", symbol=symbol, side=side, quantity=str(abs(quantity)), intent_id=f"i{n}"
    )
    send(journal, request)
    journal.record_outcome(acknowledged(request))
    done = fill(
        f"t{n}",
        side=side,
        quantity=str(abs(quantity)),
        client_id=f"h{n}",
        venue_order_id=f"v-h{n}",
        symbol=symbol,
        at=NOW_MS + at,
    )
    assert len(journal.record_fills(ACCOUNT, symbol, [done], read_ms=NOW_MS)) == 1


quantities = st.integers(-5, 5).filter(bool)
moves = st.lists(
    st.tuples(st.sampled_from((FET, TAO)), quantities, st.integers(0, 6), st.booleans()),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(moves)
def test_positions_followed_fill_by_fill_are_those_of_the_whole_ledger(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int, int, bool]]
) -> None:
    # Fills come late and early, and now and then somebody else closes half of what there is.
    # What is noted on the way, here after every second fill, is where a fresh reader begins.
    path = tmp_path_factory.mktemp("moves") / "journal.sqlite"
    with (
        pytest.MonkeyPatch.context() as often,
        Journal.open(path, SimulatedClock(NOW_MS)) as journal,
    ):
        often.setattr(bot.journal.fill_writes, "NOTE_EVERY_FILLS", 2)
        for n, (symbol, quantity, at, closed) in enumerate(moves):
            booked(journal, n, symbol, quantity, at)
            assert journal.own_positions(ACCOUNT) == journal.ledger(ACCOUNT).open_quantity
            own = journal.own_positions(ACCOUNT).get((symbol, "BOTH"))
            if closed and own:
                change = HedgeClosedExternally(symbol, "BOTH", own, own / 2)
                journal.record_external_close(ACCOUNT, change, timestamp_ms=NOW_MS + at)
            with JournalReader.open_reader(path) as fresh:
                assert journal.own_positions(ACCOUNT) == fresh.own_positions(ACCOUNT)


def test_a_fresh_start_reads_only_what_came_after_the_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.journal.fill_writes, "NOTE_EVERY_FILLS", 3)
    path = tmp_path / "journal.sqlite"
    with Journal.open(path, SimulatedClock(NOW_MS)) as journal:
        for n in range(8):
            booked(journal, n, FET, n + 1, n)
            journal.own_positions(ACCOUNT)
    with JournalReader.open_reader(path) as fresh:
        monkeypatch.setattr(fresh, "own_fills", lambda *_: pytest.fail("everything was read"))
        assert fresh.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(36)}
        known = fresh._noted(ACCOUNT)
        assert known is not None
        assert 5 <= known.fill < 8


def test_what_is_handed_out_can_be_changed_without_harm(journal: Journal) -> None:
    booked(journal, 1, FET, 3, 0)
    journal.own_positions(ACCOUNT).clear()
    assert journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(3)}


def test_a_flat_position_is_left_out_and_can_open_again(journal: Journal) -> None:
    for n, quantity in enumerate((3, -3, -2)):
        booked(journal, n, FET, quantity, n)
        total = sum((3, -3, -2)[: n + 1])
        expected = {(FET, "BOTH"): Decimal(total)} if total else {}
        assert journal.own_positions(ACCOUNT) == expected


def test_no_question_around_an_order_reads_all_orders(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked(journal, 1, FET, 3, 0)
    journal.own_positions(ACCOUNT)  # the first time everything is replayed
    booked(journal, 2, FET, 3, 0)
    asked: list[tuple[str, tuple[object, ...]]] = []
    rows = JournalReader._rows

    def watched(self: JournalReader, sql: str, *values: object) -> list[sqlite3.Row]:
        asked.append((sql, values))
        return rows(self, sql, *values)

    monkeypatch.setattr(JournalReader, "_rows", watched)
    journal.unresolved_orders(ACCOUNT)
    journal.fills_wanted_since(ACCOUNT, FET)
    journal.funding_wanted_since(ACCOUNT)
    journal.own_positions(ACCOUNT)
    journal.fills_of_order("h2")
    journal.kept_events("order_costs", since_ms=NOW_MS)
    assert len(asked) >= 11
    for sql, values in asked:
        plan = [str(row[3]) for row in rows(journal, f"EXPLAIN QUERY PLAN {sql}", *values)]
        assert not {"SCAN orders", "SCAN fills", "SCAN events", "SCAN intents"} & set(plan), sql


def test_fills_of_an_order_are_its_own_as_they_were_booked(journal: Journal) -> None:
    for number in (1, 2, 3):
        booked(journal, number, FET, number, 0)
    mine, inputs = journal.fills_of_order("h2")
    assert [own.fill.quantity for own in mine] == [Decimal(2)]
    assert mine == [own for own in journal.own_fills(ACCOUNT) if own.fill.client_id == "h2"]
    assert inputs == {}


def test_kept_events_since_then_are_the_same_where_the_clock_stepped_back(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "journal.sqlite", SimulatedClock(NOW_MS)
    with Journal.open(path, clock) as journal:
        for minutes in (0, 9, 5, 7, 3, 12):
            journal._clock = SimulatedClock(NOW_MS + minutes * 60_000)
            journal.record_event("order_costs", {"costs": [], "minute": minutes})
        for since in range(14):
            told = journal.kept_events("order_costs", since_ms=NOW_MS + since * 60_000)
            expected = [minute for minute in (0, 9, 5, 7, 3, 12) if minute >= since]
            assert [event.document["minute"] for event in told] == expected


def test_the_index_names_every_state_that_may_still_change() -> None:
    states = sorted(state.value for state in (*UNSETTLED, OrderState.QUARANTINED))
    listed = ", ".join(f"'{state}'" for state in states)
    assert UNRESOLVED.startswith(f"(state IN ({listed}) OR")


def test_an_older_journal_is_brought_up_with_all_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "journal.sqlite", SimulatedClock(NOW_MS)
    with monkeypatch.context() as old:
        old.setattr(bot.journal.schema, "SCHEMA_VERSION", 1)
        with Journal.open(path, clock) as journal:
            booked(journal, 1, FET, 4, 0)
            send(journal, order("h2", intent_id="i2"))
    with Journal.open(path, clock) as journal:
        assert journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(4)}
        assert [row.client_id for row in journal.unresolved_orders(ACCOUNT)] == ["h2"]
        versions = journal._rows("SELECT version FROM migrations ORDER BY version")
        assert [row["version"] for row in versions] == list(range(1, SCHEMA_VERSION + 1))


def test_the_last_ends_of_proposals_are_found_by_an_index(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order, whatever happened in between; a page asks for them with every cycle."""
    for number, kind in enumerate(ENDS):
        journal.record_event(kind, {"proposal_id": str(number), "reason": ""})
        journal.record_event("tick", {})
    asked: list[str] = []
    rows = JournalReader._rows

    def watched(self: JournalReader, sql: str, *values: object) -> list[sqlite3.Row]:
        asked.append(sql)
        return rows(self, sql, *values)

    monkeypatch.setattr(JournalReader, "_rows", watched)
    assert [row.kind for row in ended(journal)] == list(ENDS)
    assert [row.kind for row in ended(journal, 2)] == list(ENDS)[-2:]
    for sql in asked:
        [plan] = [str(row[3]) for row in rows(journal, f"EXPLAIN QUERY PLAN {sql}", -1)]
        assert "USING INDEX events_proposal_ended" in plan


def test_cycles_are_read_back_only_as_far_as_they_are_asked_for(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        at_ms = NOW_MS + number // 2  # some within the same millisecond
        journal.record_cycle(
            CycleRecord(f"c{number}", iso_utc(at_ms), at_ms, CycleStatus.NO_HEDGE, "")
        )
    parsed: list[str] = []
    document = cycle_reads.row_document

    def watched(row: sqlite3.Row) -> dict[str, Any]:
        parsed.append(str(document(row)["cycle_id"]))
        return document(row)

    monkeypatch.setattr(cycle_reads, "row_document", watched)
    found = next(one for one in journal.cycles_back(5) if one["cycle_id"] == "c4")
    assert found["cycle_id"] == "c4"
    assert parsed == ["c5", "c4"]
    assert [one["cycle_id"] for one in journal.cycles_back(5)] == ["c5", "c4", "c3", "c2", "c1"]
