"""What a journal's writer remembers: always what somebody else reads out of the file."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.clock import SimulatedClock
from bot.errors import JournalError
from bot.journal.journal import Journal
from bot.journal.memory import Memory
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.trading.attribution import HedgeClosedExternally
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import OrderState
from tests.execute_scene import ACCOUNT, FET, NOW_MS, acknowledged, fill, intent, order
from tests.journal_scene import cycle

STEPS = ("send", "lose", "fill", "close", "fund", "event", "setting", "cycle", "refused", "undone")


def told(journal: JournalReader) -> dict[str, object]:
    """Every answer that a writer remembers."""
    return {
        "unresolved": journal.unresolved_orders(),
        "of the account": journal.unresolved_orders(ACCOUNT),
        "of another": journal.unresolved_orders("other"),
        "positions": journal.own_positions(ACCOUNT),
        "positions of another": journal.own_positions("other"),
        "fill": journal.newest_fill(),
        "event": journal.newest_event(),
        "fills": [row[:2] for row in journal.fills_with_orders(ACCOUNT)],
        "fills after": journal.fills_with_orders(ACCOUNT, after=journal.newest_fill()),
        "setting": journal.meta("setting"),
        "epoch": journal.epoch,
        "fills wanted": journal.fills_wanted_since(ACCOUNT, FET),
        "funding": journal.funding_receipts(ACCOUNT),
        "funding lately": journal.funding_receipts(ACCOUNT, NOW_MS + 5_000),
        "funding of another": journal.funding_receipts("other"),
        "funding wanted": journal.funding_wanted_since(ACCOUNT),
    }


class Writing:
    """One journal, and steps that write to it, each numbered."""

    def __init__(self, journal: Journal, clock: SimulatedClock) -> None:
        self.journal = journal
        self.clock = clock

    def step(self, kind: str, number: int) -> None:
        self.clock.advance_to(self.clock.now_ms() + 1000)
        getattr(self, kind)(number)

    def send(self, number: int) -> None:
        request = order(f"h1{number}", intent_id=f"i{number}")
        if self.journal.unresolved_orders(ACCOUNT):
            return
        self.journal.plan_intents([intent(request.intent_id, f"c{number}")])
        self.journal.mark_sending(request, account=ACCOUNT, leg="a", attempt=1)

    def lose(self, _number: int) -> None:
        self.journal.sending_to_unknown()

    def fill(self, number: int) -> None:
        for row in self.journal.unresolved_orders():
            whole = acknowledged(row.request, OrderState.FILLED, str(row.request.quantity))
            self.journal.record_outcome(whole)
            found = [fill(f"t{number}", client_id=row.client_id, at=self.clock.now_ms())]
            self.journal.record_fills(ACCOUNT, FET, found, read_ms=self.clock.now_ms())

    def close(self, _number: int) -> None:
        held = self.journal.own_positions(ACCOUNT).get((FET, "BOTH"))
        if held is not None and not self.journal.unresolved_orders():
            change = HedgeClosedExternally(FET, "BOTH", held, Decimal(0))
            at_ms = self.clock.now_ms()
            self.journal.record_external_close(ACCOUNT, change, timestamp_ms=at_ms)

    def fund(self, number: int) -> None:
        paid = FundingReceipt(f"f{number}", FET, Decimal("-0.5"), self.clock.now_ms())
        self.journal.record_funding(ACCOUNT, [paid], read_ms=self.clock.now_ms())

    def event(self, number: int) -> None:
        self.journal.record_event("something", {"number": number})

    def setting(self, number: int) -> None:
        self.journal.set_meta("setting", str(number))
        self.journal.start_epoch()

    def cycle(self, number: int) -> None:
        self.journal.record_cycle(cycle(f"c{number}"))

    def refused(self, number: int) -> None:
        """A part that fails takes back what was read of it as well."""
        with self.journal.together("all of it"):
            self.journal.set_meta("setting", f"kept {number}")
            with pytest.raises(JournalError):
                self._fails_in_a_part()
            assert self.journal.meta("setting") == f"kept {number}"

    def undone(self, number: int) -> None:
        """A transaction that fails takes back what was read in it as well."""
        with pytest.raises(JournalError):
            self._fails(number)

    def _fails_in_a_part(self) -> None:
        with self.journal._transaction("a part") as db:
            db.execute("UPDATE meta SET value = 'gone' WHERE key = 'setting'")
            assert self.journal.meta("setting") == "gone"
            raise JournalError("no")

    def _fails(self, number: int) -> None:
        with self.journal.together("nothing of it"):
            self.journal.record_event("never", {"number": number})
            self.journal.set_meta("setting", "never")
            self.journal.start_epoch()
            assert self.journal.meta("setting") == "never"
            told(self.journal)
            raise JournalError("no")


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(steps=st.lists(st.sampled_from(STEPS), min_size=10, max_size=20))
def test_a_writer_tells_what_the_file_says(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock = SimulatedClock(NOW_MS)
    path = tmp_path_factory.mktemp("memory") / JOURNAL_NAME
    with Journal.open(path, clock) as journal:
        writing = Writing(journal, clock)
        for number, kind in enumerate(steps):
            writing.step(kind, number)
            with JournalReader.open_reader(path) as reader:
                assert told(journal) == told(reader)


def test_what_is_remembered_is_not_read_again(tmp_path: Path) -> None:
    with Journal.open(tmp_path / JOURNAL_NAME, SimulatedClock(NOW_MS)) as journal:
        first = told(journal)
        statements: list[str] = []
        journal._connection.set_trace_callback(statements.append)
        assert journal.own_positions(ACCOUNT) == first["positions"]
        assert journal.unresolved_orders(ACCOUNT) == first["of the account"]
        assert not statements
        journal.record_event("something", {})
        assert journal.newest_event() == 1


def test_positions_that_are_handed_out_are_the_callers_own(tmp_path: Path) -> None:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / JOURNAL_NAME, clock) as journal:
        writing = Writing(journal, clock)
        writing.send(1)
        writing.fill(1)
        held = journal.own_positions(ACCOUNT)
        before = dict(held)
        held.clear()
        assert before
        assert journal.own_positions(ACCOUNT) == before


def test_an_answer_rests_on_each_of_its_tables() -> None:
    memory, answers = Memory(), iter(range(9))

    def ask(question: str, *tables: str) -> int:
        return memory.recall(question, tables, lambda: next(answers))

    assert [ask("both", "a", "b"), ask("both", "a", "b"), ask("one", "a")] == [0, 0, 1]
    memory.written("b")
    assert [ask("both", "a", "b"), ask("one", "a")] == [2, 1]
    memory.forget()
    assert [ask("both", "a", "b"), ask("one", "a")] == [3, 4]


@settings(max_examples=25, deadline=None)
@given(
    days=st.lists(st.integers(0, 12), min_size=1, max_size=8),
    asked=st.lists(st.integers(0, 14), min_size=1, max_size=8),
)
def test_payments_of_any_days_are_told_in_the_order_of_time(
    days: list[int], asked: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock = SimulatedClock(NOW_MS)
    path = tmp_path_factory.mktemp("memory") / JOURNAL_NAME
    paid = []
    with Journal.open(path, clock) as journal:
        for number, day in enumerate(days):
            one = FundingReceipt(f"f{number}", FET, Decimal(number), NOW_MS + day * 86_400_000)
            journal.record_funding(ACCOUNT, [one], read_ms=clock.now_ms())
            paid.append(one)
            for since in asked:
                since_ms = NOW_MS + since * 86_400_000
                in_time = sorted(paid, key=lambda payment: payment.timestamp_ms)
                expected = [payment for payment in in_time if payment.timestamp_ms >= since_ms]
                assert journal.funding_receipts(ACCOUNT, since_ms) == expected
