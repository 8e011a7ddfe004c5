"""The track of cancels: durable before they leave, ours alone, and never in the order's way."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from bot.errors import JournalError, SafetyError
from bot.trading.cancels import CancelOutcome, Cancels, cancel_resting
from bot.trading.orders import OrderRequest, OrderState, Side
from bot.venues.sim.records import NewOrder, OrderType
from tests.execute_scene import ACCOUNT, FET, order, send
from tests.styles_scene import Street, StyleStage, open_styles


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[StyleStage]:
    async with open_styles(tmp_path) as opened:
        yield opened


async def resting(stage: StyleStage, client_id: str = "h1rests") -> OrderRequest:
    """An order of ours that rests above the market."""
    request = order(client_id, price="0.504", quantity="1000", intent_id=f"i-{client_id}")
    request = OrderRequest(**{**_fields(request), "time_in_force": "GTX"})
    send(stage.journal, request)
    stage.journal.record_outcome(await stage.venue.place(request))
    return request


def _fields(request: OrderRequest) -> dict[str, object]:
    return {name: getattr(request, name) for name in OrderRequest.__slots__}


async def test_it_is_durable_before_it_leaves(stage: StyleStage) -> None:
    request = await resting(stage)
    seen = []
    stage.street.at = lambda _street, what: seen.append((what, stage.cancels()))
    cancels = Cancels(stage.venue, stage.journal)
    assert await cancels.cancel(FET, request.client_id, "test") is CancelOutcome.CONFIRMED
    assert seen == [("cancel", ["cancel_sending"]), ("find", ["cancel_sending"])]
    assert stage.cancels() == ["cancel_sending", "cancel_confirmed"]
    row = stage.journal.order(request.client_id)
    assert row is not None
    assert (row.state, row.unresolved) == (OrderState.CANCELED, False)


async def test_to_cancel_again_changes_nothing(stage: StyleStage) -> None:
    request = await resting(stage)
    cancels = Cancels(stage.venue, stage.journal)
    await cancels.cancel(FET, request.client_id, "test")
    before = stage.journal.order(request.client_id)
    assert await cancels.cancel(FET, request.client_id, "again") is CancelOutcome.CONFIRMED
    assert stage.journal.order(request.client_id) == before


async def test_an_order_of_somebody_else_is_never_cancelled(stage: StyleStage) -> None:
    """Not even one whose id begins as ours do."""
    theirs = NewOrder(
        FET, Side.SELL, OrderType.LIMIT, Decimal(100), Decimal("0.51"), client_id="h1theirs"
    )
    stage.venue.inner.exchange.place(stage.account, theirs)
    await resting(stage)
    with pytest.raises(SafetyError, match="no order of ours"):
        await Cancels(stage.venue, stage.journal).cancel(FET, "h1theirs", "test")
    assert stage.venue.cancelled == []
    assert await cancel_resting(stage.journal, stage.venue, stage.clock, "test") == ()
    assert [o.client_id for o in stage.account.open_orders()] == ["h1theirs"]


async def test_a_journal_that_fails_keeps_no_cancel_back(stage: StyleStage) -> None:
    request = await resting(stage)
    stage.journal._broken = True
    with pytest.raises(JournalError):
        await Cancels(stage.venue, stage.journal).cancel(FET, request.client_id, "test")
    assert stage.account.open_orders() == []


async def test_a_cancel_that_is_cut_short_is_unknown_and_so_is_its_order(
    stage: StyleStage,
) -> None:
    request = await resting(stage)

    def cut(_street: Street, what: str) -> None:
        if what == "cancel":
            raise asyncio.CancelledError

    stage.street.at = cut
    with pytest.raises(asyncio.CancelledError):
        await Cancels(stage.venue, stage.journal).cancel(FET, request.client_id, "test")
    assert stage.cancels() == ["cancel_sending", "cancel_unknown"]
    [row] = stage.journal.unresolved_orders(ACCOUNT)
    assert (row.state, row.open_quantity) == (OrderState.LIVE, Decimal(1000))


async def test_an_order_that_is_being_sent_is_left_to_its_sender(stage: StyleStage) -> None:
    """The kill switch cancels it all the same; the answer to the send comes afterwards."""
    request = OrderRequest(
        **{**_fields(order("h1sent", price="0.504", quantity="1000")), "time_in_force": "GTX"}
    )
    send(stage.journal, request)
    outcome = await stage.venue.place(request)
    found = await Cancels(stage.venue, stage.journal).cancel(FET, "h1sent", "kill_switch")
    assert found is CancelOutcome.CONFIRMED
    row = stage.journal.order("h1sent")
    assert row is not None
    assert row.state is OrderState.SENDING
    assert stage.journal.record_outcome(outcome).state is OrderState.LIVE
    assert await cancel_resting(stage.journal, stage.venue, stage.clock, "test") == ()
    assert stage.journal.unresolved_orders(ACCOUNT) == ()
