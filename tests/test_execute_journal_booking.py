"""What the journal books: each fill and payment once, only ours, and nothing that contradicts."""

from decimal import Decimal

import pytest

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.trading.attribution import HedgeClosedExternally
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import Acknowledged, OrderState, Rejected, Side
from risk.errors import DataError
from tests.execute_scene import ACCOUNT, FET, NOW_MS, acknowledged, fill, order, send


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


def test_what_was_taken_back_is_booked_when_it_is_told_again(journal: Journal) -> None:
    send(journal, order())
    told = [fill("t1", quantity="400")]

    def book_with_what_fails() -> None:
        with journal.together("book with what fails"):
            assert journal.record_fills(ACCOUNT, FET, told, read_ms=NOW_MS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        book_with_what_fails()
    assert journal.own_fills(ACCOUNT) == []
    assert [f.trade_id for f in journal.record_fills(ACCOUNT, FET, told, read_ms=NOW_MS)] == ["t1"]
    assert journal.record_fills(ACCOUNT, FET, told, read_ms=NOW_MS) == ()
    assert len(journal.own_fills(ACCOUNT)) == 1


def test_a_fill_whose_order_is_known_only_later_is_booked_then(journal: Journal) -> None:
    request = order()
    send(journal, request)
    told = [fill("t1", quantity="400", client_id="")]
    assert journal.record_fills(ACCOUNT, FET, told, read_ms=NOW_MS) == ()
    journal.record_outcome(Acknowledged(request.client_id, "v1", OrderState.LIVE, Decimal(0), None))
    booked = journal.record_fills(ACCOUNT, FET, told, read_ms=NOW_MS)
    assert [f.client_id for f in booked] == [request.client_id]


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
