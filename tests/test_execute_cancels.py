"""The track of cancels: durable before they leave, ours alone, and never in the order's way."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from bot.errors import JournalError, SafetyError
from bot.journal.rows import OrderRow
from bot.ports import Venue
from bot.trading.cancels import AT_A_TIME, CancelOutcome, Cancels, cancel_resting
from bot.trading.orders import Acknowledged, OrderRequest, OrderState, Side
from bot.venues.sim.records import NewOrder, OrderType
from tests.execute_scene import ACCOUNT, FET, acknowledged, order, send
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


class Far:
    """A venue a while away, which counts the requests under way and may break at one of them."""

    account_name = ACCOUNT

    def __init__(self, breaks_at: int | None = None) -> None:
        self.under_way = self.most = 0
        self.cancelled: list[str] = []
        self.breaks_at = breaks_at

    async def cancel(self, symbol: str, client_id: str) -> bool:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.cancelled.append(client_id)
        broken = len(self.cancelled) == self.breaks_at
        await asyncio.sleep(0.002)
        self.under_way -= 1
        if broken:
            raise ZeroDivisionError
        return True

    async def find(self, symbol: str, client_id: str) -> Acknowledged:
        return Acknowledged(client_id, f"v-{client_id}", OrderState.CANCELED, Decimal(0), None)


def many(stage: StyleStage, count: int) -> list[OrderRow]:
    """So many orders that rest, each in a symbol of its own."""
    with stage.journal.together("rest"):
        for n in range(count):
            request = order(f"h1many{n}", symbol=f"T{n}/USDT:USDT", intent_id=f"i-{n}")
            send(stage.journal, request)
            stage.journal.record_outcome(acknowledged(request, OrderState.LIVE, "0"))
    return list(stage.journal.unresolved_orders(ACCOUNT))


@pytest.mark.parametrize("count", [3, AT_A_TIME, 50])
async def test_many_are_cancelled_some_at_a_time_and_each_once(
    stage: StyleStage, count: int
) -> None:
    rows, far = many(stage, count), Far()
    await Cancels(cast("Venue", far), stage.journal).cancel_all(rows, "test")
    assert sorted(far.cancelled) == sorted(row.client_id for row in rows)
    assert far.most == min(AT_A_TIME, count)
    assert stage.journal.unresolved_orders(ACCOUNT) == ()
    assert stage.cancels() == ["cancel_sending"] * count + ["cancel_confirmed"] * count


@pytest.mark.parametrize("count", [3, 50])
async def test_one_that_breaks_keeps_no_other_from_being_cancelled(
    stage: StyleStage, count: int
) -> None:
    rows, far = many(stage, count), Far(breaks_at=2)
    with pytest.raises(ZeroDivisionError):
        await Cancels(cast("Venue", far), stage.journal).cancel_all(rows, "test")
    assert sorted(far.cancelled) == sorted(row.client_id for row in rows)
    assert sorted(stage.cancels()[count:]) == ["cancel_confirmed"] * (count - 1) + [
        "cancel_unknown"
    ]
    [left] = stage.journal.unresolved_orders(ACCOUNT)
    assert left.client_id == far.cancelled[1]


async def test_an_engine_that_is_told_to_stop_leaves_no_cancel_under_way(
    stage: StyleStage,
) -> None:
    rows, far = many(stage, 50), Far()
    task = asyncio.create_task(Cancels(cast("Venue", far), stage.journal).cancel_all(rows, "test"))
    while len(far.cancelled) < 30:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    sent = len(far.cancelled)
    await asyncio.sleep(0.02)
    assert len(far.cancelled) == sent < 50, "nothing is sent after it"
    ends = stage.cancels()[50:]
    assert len(ends) == sent, "what was sent has an end"
    assert ends.count("cancel_unknown") == sent - ends.count("cancel_confirmed") > 0
    left = {row.client_id for row in stage.journal.unresolved_orders(ACCOUNT)}
    assert len(left) == 50 - ends.count("cancel_confirmed")
