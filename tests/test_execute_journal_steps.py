"""Orders in the journal: known before they may have left, only legal steps, what is final stays."""

from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from bot.errors import JournalError, SafetyError
from bot.journal.journal import Journal
from bot.journal.rows import LEGAL_TRANSITIONS, IntentRecord
from bot.trading.orders import Acknowledged, NotAccepted, OrderState, Rejected, UnknownOutcome
from tests.execute_scene import ACCOUNT, TAO, acknowledged, order, send


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


def test_what_is_to_be_written_with_an_order_fails_once_where_it_contradicts(
    journal: Journal,
) -> None:
    send(journal, order("h1", intent_id="i1"))
    journal.record_outcome(acknowledged(order("h1", intent_id="i1"), OrderState.CANCELED, "0"))
    again, other = (IntentRecord(one, "c2", ACCOUNT, TAO, Decimal(1)) for one in ("i1", "i2"))
    journal.plan_intents([again])
    with pytest.raises(JournalError, match=r"UNIQUE constraint failed: intents\.intent_id"):
        journal.record_event("next", {})
    journal.record_event("after", {})  # not kept from being written by what can never be
    journal.plan_intents([other])
    journal.record_event("with it", {})
    assert [e.kind for e in journal.events()][-2:] == ["after", "with it"]
    assert journal._rows("SELECT cycle_id FROM intents ORDER BY rowid")[-1]["cycle_id"] == "c2"
    journal.verify()


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
