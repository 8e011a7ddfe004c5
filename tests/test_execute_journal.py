"""The journal: durable, exact, each fill once, only legal steps, one line for every trouble."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.errors import JournalError, LockHeldError, SafetyError
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.journal.rows import LEGAL_TRANSITIONS
from bot.journal.schema import SCHEMA_VERSION
from bot.lock import EngineLock, engine_state, lock_holder
from bot.records.cycle import CycleRecord, CycleStatus
from bot.trading.attribution import HedgeClosedExternally
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import (
    Acknowledged,
    NotAccepted,
    OrderState,
    Rejected,
    Side,
    UnknownOutcome,
)
from risk.errors import DataError
from tests.execute_scene import (
    ACCOUNT,
    FET,
    KEY,
    NOW_MS,
    TAO,
    acknowledged,
    fill,
    intent,
    order,
    send,
)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW_MS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / JOURNAL_NAME


@pytest.fixture
def journal(path: Path, clock: SimulatedClock) -> Iterator[Journal]:
    with Journal.open(path, clock) as opened:
        yield opened


def cycle(cycle_id: str, at: int = NOW_MS) -> CycleRecord:
    return CycleRecord(cycle_id, "t", at, CycleStatus.NO_HEDGE, "because", bot_gross_usd=1.5)


def bring_to(journal: Journal, state: OrderState) -> str:
    """An order in that state, by legal steps; its client id."""
    request = order(f"h1{state.value}", intent_id=f"i-{state.value}")
    send(journal, request)
    if state is OrderState.SENDING:
        return request.client_id
    if state in (OrderState.ABSENT, OrderState.QUARANTINED):
        journal.record_outcome(UnknownOutcome(request.client_id, "lost"))
        journal.settle(request.client_id, state, "worked out")
    elif state is OrderState.UNKNOWN:
        journal.record_outcome(UnknownOutcome(request.client_id, "lost"))
    elif state is OrderState.REJECTED:
        journal.record_outcome(Rejected(request.client_id, "-2019", "no margin"))
    else:
        journal.record_outcome(acknowledged(request, state, "0"))
    return request.client_id


def test_files_are_private_and_settings_are_the_safe_ones(path: Path, journal: Journal) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert journal._connection.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_the_install_key_is_made_once(path: Path, clock: SimulatedClock) -> None:
    with Journal.open(path, clock) as first:
        key = first.install_key
    with Journal.open(path, clock, install_key=KEY) as second:
        assert second.install_key == key
    assert len(key) == 32
    with Journal.open(path.with_name("other"), clock, install_key=KEY) as given:
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


def test_an_order_is_known_with_every_detail_once_it_may_have_been_sent(journal: Journal) -> None:
    request = order()
    journal.start_epoch()
    send(journal, request, Decimal("12.5"))
    row = journal.order(request.client_id)
    assert row is not None
    assert row.request == request
    assert (row.state, row.epoch, row.external_before) == (
        OrderState.SENDING,
        1,
        Decimal("12.5"),
    )
    assert row.open_quantity == request.quantity
    assert [e.kind for e in journal.events(cycle_id="c1")] == ["order_sending"]


def test_a_client_id_is_never_used_again(journal: Journal) -> None:
    request = order()
    send(journal, request)
    journal.record_outcome(Rejected(request.client_id, "-2019", "no margin"))
    with pytest.raises(JournalError, match="before sending"):
        journal.mark_sending(request, account=ACCOUNT, leg="open-0", attempt=0)


@pytest.mark.parametrize(
    "state",
    [
        OrderState.SENDING,
        OrderState.UNKNOWN,
        OrderState.LIVE,
        OrderState.PARTIAL,
        OrderState.QUARANTINED,
    ],
)
def test_no_order_beside_an_unresolved_one(journal: Journal, state: OrderState) -> None:
    bring_to(journal, state)
    with pytest.raises(SafetyError, match="not resolved"):
        send(journal, order("h1next", intent_id="next"))
    send(journal, order("h1other", symbol=TAO, price="400", intent_id="other"))


# A planned order is not in the journal, and sending is where it comes in.
STEPS = [
    (before, after)
    for before, after in product(OrderState, OrderState)
    if OrderState.PLANNED not in (before, after) and after not in (before, OrderState.SENDING)
]


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_only_legal_steps(journal: Journal, before: OrderState, after: OrderState) -> None:
    client_id = bring_to(journal, before)
    if after in LEGAL_TRANSITIONS.get(before, ()):
        journal.settle(client_id, after, "a step")
    else:
        with pytest.raises(JournalError, match="cannot become"):
            journal.settle(client_id, after, "a step")
        after = before
    row = journal.order(client_id)
    assert row is not None
    assert row.state is after
    if before.final:
        assert before not in LEGAL_TRANSITIONS


def test_outcomes_by_kind(journal: Journal) -> None:
    for number, (outcome, state, code) in enumerate(
        [
            (lambda c: Rejected(c, "-2019", "no margin"), OrderState.REJECTED, "-2019"),
            (lambda c: NotAccepted(c, "-1003", "slower"), OrderState.REJECTED, "-1003"),
            (lambda c: UnknownOutcome(c, "lost"), OrderState.UNKNOWN, ""),
        ]
    ):
        symbol = f"S{number}/USDT:USDT"
        request = order(f"h1{number}", symbol=symbol, intent_id=f"i{number}")
        send(journal, request)
        row = journal.record_outcome(outcome(request.client_id))
        assert (row.state, row.code) == (state, code)
    with pytest.raises(JournalError, match="not in the journal"):
        journal.record_outcome(UnknownOutcome("h1never", "lost"))


def test_an_older_answer_takes_nothing_back(journal: Journal) -> None:
    request = order()
    send(journal, request)
    partial = Acknowledged(request.client_id, "v1", OrderState.PARTIAL, Decimal(400), None)
    journal.record_outcome(partial)
    stale = replace(partial, state=OrderState.LIVE, filled_quantity=Decimal(0))
    row = journal.record_outcome(stale)
    assert (row.state, row.filled_quantity) == (OrderState.PARTIAL, Decimal(400))


def test_what_is_final_stays_although_the_venue_changes_its_mind(journal: Journal) -> None:
    request = order()
    send(journal, request)
    first = Acknowledged(request.client_id, "v1", OrderState.EXPIRED, Decimal(400), Decimal("0.5"))
    journal.record_outcome(first)
    journal.record_outcome(first)  # hearing it twice is nothing new
    with pytest.raises(JournalError, match="which is final"):
        journal.record_outcome(
            replace(first, state=OrderState.FILLED, filled_quantity=Decimal(1000))
        )
    row = journal.order(request.client_id)
    assert row is not None
    assert (row.state, row.filled_quantity) == (OrderState.EXPIRED, Decimal(400))
    assert sum(e.kind == "order_expired" for e in journal.events()) == 1


def test_fills_are_booked_once_and_only_ours(journal: Journal) -> None:
    request = order()
    send(journal, request)
    outcome = Acknowledged(request.client_id, "v1", OrderState.FILLED, Decimal(1000), None)
    journal.record_outcome(outcome)
    assert len(journal.unresolved_orders(ACCOUNT)) == 1, "filled, but its fills are not booked"
    ours = [
        fill("t1", quantity="600", client_id=""),
        fill("t2", quantity="400", client_id="", at=NOW_MS + 1),
    ]
    foreign = [fill("t3", client_id="", venue_order_id="v9"), fill("t4", client_id="bot-1")]
    booked = journal.record_fills(ACCOUNT, FET, [*ours, *foreign, ours[0]], read_ms=NOW_MS)
    assert [(f.trade_id, f.client_id) for f in booked] == [
        ("t1", request.client_id),
        ("t2", request.client_id),
    ]
    assert journal.record_fills(ACCOUNT, FET, ours, read_ms=NOW_MS + 5) == ()
    assert journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(-1000)}
    assert journal.own_positions("another") == {}
    assert journal.unresolved_orders(ACCOUNT) == ()
    assert journal.turnover_usd(NOW_MS) == 500
    assert journal.turnover_usd(NOW_MS + 1, ACCOUNT) == 200
    assert journal.watermark(ACCOUNT, FET) == NOW_MS + 5
    assert [o.fill.trade_id for o in journal.cycle_fills("c1")] == ["t1", "t2"]
    assert journal.ledger(ACCOUNT).fees_usd == Decimal("0.50")


def test_contradicting_fills_are_refused_and_nothing_of_them_is_booked(journal: Journal) -> None:
    request = order()
    send(journal, request)
    journal.record_outcome(Acknowledged(request.client_id, "v1", OrderState.LIVE, Decimal(0), None))
    with pytest.raises(DataError, match="contradicts its order"):
        journal.record_fills(
            ACCOUNT, FET, [fill("t1", quantity="1"), fill("t2", side=Side.BUY)], read_ms=NOW_MS
        )
    assert journal.own_fills(ACCOUNT) == []
    journal.record_fills(ACCOUNT, FET, [fill("t1", quantity="1")], read_ms=NOW_MS)
    with pytest.raises(DataError, match="is booked as sell 1 at"):
        journal.record_fills(ACCOUNT, FET, [fill("t1", quantity="2")], read_ms=NOW_MS)


def test_more_fills_than_ordered_are_booked_and_told(journal: Journal) -> None:
    send(journal, order())
    journal.record_fills(
        ACCOUNT, FET, [fill("t1", quantity="900"), fill("t2", quantity="200")], read_ms=NOW_MS
    )
    assert journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(-1100)}
    assert [e.document["booked_quantity"] for e in journal.events(kind="order_overfilled")] == [
        "1100"
    ]


def test_from_when_fills_are_wanted(journal: Journal, clock: SimulatedClock) -> None:
    assert journal.fills_wanted_since(ACCOUNT, FET) is None
    first = order("h1a", intent_id="a")
    send(journal, first)
    journal.record_outcome(Rejected("h1a", "-2019", ""))
    assert journal.fills_wanted_since(ACCOUNT, FET) == NOW_MS
    journal.record_fills(ACCOUNT, FET, [], read_ms=NOW_MS + 50)
    assert journal.fills_wanted_since(ACCOUNT, FET) == NOW_MS + 50
    clock.advance_to(NOW_MS + 60)
    send(journal, order("h1b", intent_id="b"))
    journal.record_fills(ACCOUNT, FET, [], read_ms=NOW_MS + 500)
    # Its venue id is unknown, so its fills may have been read already and taken for others'.
    assert journal.fills_wanted_since(ACCOUNT, FET) == NOW_MS + 60


def test_funding_is_booked_once(journal: Journal) -> None:
    receipts = [
        FundingReceipt("f1", FET, Decimal("0.31"), NOW_MS),
        FundingReceipt("f2", FET, Decimal("-0.02"), NOW_MS + 1),
    ]
    assert journal.record_funding(ACCOUNT, receipts, read_ms=NOW_MS) == 2
    assert journal.record_funding(ACCOUNT, receipts, read_ms=NOW_MS) == 0
    assert journal.funding_receipts(ACCOUNT) == receipts
    assert journal.ledger(ACCOUNT).funding_usd == Decimal("0.29")


def test_a_close_by_others_is_booked_unless_an_order_may_be_the_cause(journal: Journal) -> None:
    send(journal, order())
    journal.record_outcome(acknowledged(order()))
    journal.record_fills(ACCOUNT, FET, [fill("t1", client_id="h1order")], read_ms=NOW_MS)
    change = HedgeClosedExternally(FET, "BOTH", Decimal(-1000), Decimal(-400))
    send(journal, order("h1next", intent_id="next"))
    with pytest.raises(DataError, match="not resolved"):
        journal.record_external_close(ACCOUNT, change, timestamp_ms=NOW_MS)
    journal.record_outcome(Rejected("h1next", "-2019", ""))
    journal.record_external_close(ACCOUNT, change, timestamp_ms=NOW_MS + 1)
    assert journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(-400)}
    assert len(journal.own_fills(ACCOUNT)) == 1, "no fill was invented"
    assert len(journal.events(kind="hedge_closed_externally")) == 1


# Troubles of the file


def test_a_newer_journal_is_refused(path: Path, clock: SimulatedClock) -> None:
    Journal.open(path, clock).close()
    raw = sqlite3.connect(path)
    raw.execute("INSERT INTO migrations VALUES (?, 0)", (SCHEMA_VERSION + 1,))
    raw.commit()
    raw.close()
    for attempt in (lambda: Journal.open(path, clock), lambda: JournalReader.open_reader(path)):
        with pytest.raises(SafetyError, match="newer perphedge") as caught:
            attempt()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be taken for one" * 20, None]
)
def test_what_is_no_journal_is_refused(
    path: Path, clock: SimulatedClock, content: bytes | None
) -> None:
    path.parent.mkdir()
    if content is None:
        raw = sqlite3.connect(path)
        raw.execute("CREATE TABLE accounts (name TEXT)")
        raw.commit()
        raw.close()
    else:
        path.write_bytes(content)
    for attempt in (lambda: Journal.open(path, clock), lambda: JournalReader.open_reader(path)):
        with pytest.raises(JournalError, match=r"no journal|other database") as caught:
            attempt()
        assert "\n" not in str(caught.value)


def test_damage_is_found_when_it_is_opened(path: Path, clock: SimulatedClock) -> None:
    with Journal.open(path, clock) as journal:
        for i in range(200):
            journal.record_event("filler", {"text": "x" * 500, "i": i})
    damaged = bytearray(path.read_bytes())
    for page in range(3, len(damaged) // 4096 - 1):
        damaged[page * 4096 : page * 4096 + 64] = os.urandom(64)
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match="damaged") as caught:
        Journal.open(path, clock)
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


def test_a_locked_journal_is_told_after_a_while(path: Path, clock: SimulatedClock) -> None:
    with Journal.open(path, clock, busy_timeout_ms=50) as journal:
        other = sqlite3.connect(path, isolation_level=None)
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
    path: Path, clock: SimulatedClock, tmp_path: Path
) -> None:
    with pytest.raises(JournalError, match="there is none"):
        JournalReader.open_reader(path)
    with Journal.open(path, clock) as journal:
        journal.record_cycle(cycle("c1"))
        with JournalReader.open_reader(path) as reader:
            journal.record_cycle(cycle("c2", NOW_MS + 1))
            assert [c["cycle_id"] for c in reader.cycles()] == ["c1", "c2"]
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader._connection.execute("DELETE FROM cycles")
    with JournalReader.open_reader(path) as reader:
        assert reader.cycle_count() == 2


# Processes

CRASH = """
import sys, time
from pathlib import Path
from tests.execute_scene import *
from bot.trading.orders import UnknownOutcome
journal = Journal.open(Path(sys.argv[1]), SimulatedClock(NOW_MS))
journal.start_epoch()
stage = sys.argv[2]
if stage == "intent":
    journal.record_intents([intent()])
else:
    send(journal, order())
if stage == "outcome":
    journal.record_outcome(acknowledged(order()))
if stage == "fills":
    journal.record_outcome(acknowledged(order()))
    journal.record_fills(ACCOUNT, FET, [fill(venue_order_id="v-h1order")], read_ms=NOW_MS)
if stage == "transaction":
    journal._connection.execute("BEGIN IMMEDIATE")
    journal._connection.execute("UPDATE orders SET state = 'filled'")
print("ready", flush=True)
time.sleep(60)
"""


def killed(path: Path, stage: str) -> None:
    """Runs the engine's writes up to a stage in a process of its own, then SIGKILL."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", CRASH, str(path), stage],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize(
    ("stage", "state", "held"),
    [
        ("intent", None, 0),
        ("sending", OrderState.UNKNOWN, 0),
        ("transaction", OrderState.UNKNOWN, 0),
        ("outcome", OrderState.FILLED, 0),
        ("fills", OrderState.FILLED, -1000),
    ],
)
def test_a_kill_at_any_point_leaves_the_truth(
    path: Path, clock: SimulatedClock, stage: str, state: OrderState | None, held: int
) -> None:
    killed(path, stage)
    with Journal.open(path, clock) as journal:
        interrupted = journal.sending_to_unknown()
        row = journal.order("h1order")
        assert (row and row.state) == state
        assert [r.client_id for r in interrupted] == (
            ["h1order"] if state is OrderState.UNKNOWN else []
        )
        assert journal.own_positions(ACCOUNT).get((FET, "BOTH"), 0) == held
        # A filled order whose fills are not booked blocks its symbol until they are.
        blocked = bool(journal.unresolved_orders(ACCOUNT))
        assert blocked is (stage in {"sending", "transaction", "outcome"})
        assert journal.start_epoch() == 2


HOLD = """
import sys, time
from pathlib import Path
from bot.clock import SystemClock
from bot.lock import engine_state
with engine_state(Path(sys.argv[1]), SystemClock()) as journal:
    print(journal.epoch, flush=True)
    time.sleep(60)
"""


def test_a_second_engine_is_refused_and_the_first_named(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", HOLD, str(state)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert first.stdout is not None
    try:
        assert first.stdout.readline() == "1\n"
        assert lock_holder(state) == first.pid
        with pytest.raises(LockHeldError, match=f"process {first.pid}"):
            EngineLock(state).acquire()
    finally:
        first.kill()
        first.wait()
        first.stdout.close()
    assert lock_holder(state) is None
    with engine_state(state, SimulatedClock(NOW_MS)) as journal:  # a kill gives the lock back
        assert journal.epoch == 2
        assert lock_holder(state) == os.getpid()
    assert lock_holder(state) is None


def test_documents_are_plain_json(journal: Journal, path: Path) -> None:
    journal.record_intents([replace(intent(), document={"why": "a cap"})])
    raw = sqlite3.connect(path)
    text = raw.execute("SELECT document FROM intents").fetchone()[0]
    raw.close()
    assert json.loads(text) == {"why": "a cap"}


def test_what_is_planned_is_on_the_disk_with_the_next_commit_and_not_lost_by_one_that_fails(
    journal: Journal, path: Path
) -> None:
    def stored() -> list[str]:
        with sqlite3.connect(path) as raw:
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
    journal: Journal, path: Path
) -> None:
    def stored() -> list[str]:
        with JournalReader.open_reader(path) as reader:
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
