"""Bugs that others have had in sending orders, planted into the real parts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

import bot.journal.writer
import bot.trading.desk
import bot.trading.planner
import bot.trading.resting
from bot.errors import JournalError
from bot.faults.venue import FaultyVenue
from bot.journal.journal import Journal
from bot.trading.execution import Executor
from bot.trading.orders import Acknowledged, OrderState, Rejected, Side, UnknownOutcome
from bot.trading.styles import Style
from bot.venues.paper import PaperVenue
from tests.planted_bug import Bug, Patch


def blind_resend(patch: Patch) -> None:
    send = Executor._send

    async def twice(self: Executor, request: Any, *rest: Any) -> Any:
        outcome = await send(self, request, *rest)
        if isinstance(outcome, UnknownOutcome):
            outcome = await send(self, request, *rest)
        return outcome

    patch.setattr(Executor, "_send", twice)


def unknown_is_failure(patch: Patch) -> None:
    send = Executor._send

    async def certain(self: Executor, request: Any, *rest: Any) -> Any:
        outcome = await send(self, request, *rest)
        if isinstance(outcome, UnknownOutcome):
            return Rejected(request.client_id, "failed", outcome.reason)
        return outcome

    patch.setattr(Executor, "_send", certain)


def swallowed_id_none(patch: Patch) -> None:
    send = Executor._send

    async def trusting(self: Executor, request: Any, *rest: Any) -> Any:
        outcome = await send(self, request, *rest)
        if isinstance(outcome, UnknownOutcome) and "200" in outcome.reason:
            return Acknowledged(request.client_id, "None", OrderState.EXPIRED, Decimal(0), None)
        return outcome

    patch.setattr(Executor, "_send", trusting)


def journal_after_send(patch: Patch) -> None:
    mark, record = Journal.mark_sending, Journal.record_outcome
    waiting: dict[str, Any] = {}

    def later(self: Journal, order: Any, **facts: Any) -> None:
        waiting[order.client_id] = (order, facts)

    def record_now(self: Journal, outcome: Any) -> Any:
        if outcome.client_id in waiting:
            order, facts = waiting.pop(outcome.client_id)
            mark(self, order, **facts)
        return record(self, outcome)

    patch.setattr(Journal, "mark_sending", later)
    patch.setattr(Journal, "record_outcome", record_now)


def journal_failure_swallowed(patch: Patch) -> None:
    mark = Executor._mark_sending

    def careless(self: Executor, *arguments: Any) -> Any:
        try:
            return mark(self, *arguments)
        except JournalError:
            return None

    def kept(self: Journal, outcome: Any) -> Any:
        return record(self, outcome)

    record = Journal.record_outcome
    patch.setattr(Executor, "_mark_sending", careless)
    patch.setattr(Journal, "record_outcome", kept)


def missing_fsync(patch: Patch) -> None:
    connect = bot.journal.writer.connect_writer

    def fast(*arguments: Any) -> Any:
        connection = connect(*arguments)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    patch.setattr(bot.journal.writer, "connect_writer", fast)


def sending_without_waiting(patch: Patch) -> None:
    """What an outcome is allowed, taken by what must be safe before the order leaves."""
    mark = Journal.mark_sending

    def hasty(self: Journal, order: Any, **facts: Any) -> None:
        with self.durable_with_next():
            mark(self, order, **facts)

    patch.setattr(Journal, "mark_sending", hasty)


def ignored_pending_exposure(patch: Patch) -> None:
    mark, unresolved = Journal.mark_sending, Journal.unresolved_orders

    def blind(self: Journal, order: Any, **facts: Any) -> None:
        with _as(Journal, "unresolved_orders", lambda _self, _account=None: ()):
            mark(self, order, **facts)

    assert unresolved is not None
    patch.setattr(Journal, "mark_sending", blind)
    patch.setattr(Executor, "_open_orders", lambda _self: ())


@contextmanager
def _as(owner: type, name: str, value: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, value)
        yield


def reused_client_id(patch: Patch) -> None:
    patch.setattr(
        bot.trading.planner,
        "derive_client_id",
        lambda _key, *, symbol, **_: f"h1same{symbol.partition('/')[0].lower()}",
    )


def limit_beyond_the_collar(patch: Patch) -> None:
    def far(side: Side, quote: Any, tick: Decimal, _settings: Any) -> Decimal:
        price = Decimal(repr(quote.mark)) * (Decimal(1) + side.sign * Decimal("0.05"))
        return (price / tick).to_integral_value() * tick

    patch.setattr(bot.trading.planner, "limit_price", far)
    patch.setattr(bot.trading.desk, "check_order", lambda *_: None)


def order_cap_ignored(patch: Patch) -> None:
    cut = bot.trading.planner._children

    def large(part: Any, instrument: Any, price: Decimal, settings: Any) -> Any:
        return cut(part, instrument, price, replace(settings, max_order_usd=Decimal(100_000)))

    patch.setattr(bot.trading.planner, "_children", large)
    patch.setattr(bot.trading.desk, "check_order", lambda *_: None)


def resting_order_that_crosses(patch: Patch) -> None:
    patch.setattr(bot.trading.resting, "POST_ONLY", "IOC")


def paper_orders_mirrored(patch: Patch) -> None:
    """What is traded on paper is sent to the real account as well."""
    began, place = FaultyVenue.__init__, PaperVenue.place
    real: list[FaultyVenue] = []

    def remembered(self: FaultyVenue, *arguments: Any) -> None:
        began(self, *arguments)
        real[:] = [self]

    async def mirrored(self: PaperVenue, order: Any) -> Any:
        await real[0].place(order)
        return await place(self, order)

    patch.setattr(FaultyVenue, "__init__", remembered)
    patch.setattr(PaperVenue, "place", mirrored)


SENDING = (
    Bug(blind_resend, ("timeout_after_acceptance",), ("I1",)),
    Bug(unknown_is_failure, ("timeout_after_acceptance",), ("I5",)),
    Bug(swallowed_id_none, ("truncated_json",), ("I5", "no defect", "I11", "I13")),
    Bug(journal_after_send, ("sigkill",), ("I2",)),
    Bug(journal_failure_swallowed, ("disk_full",), ("I2",)),
    Bug(missing_fsync, ("power_loss",), ("I2",)),
    Bug(sending_without_waiting, ("power_loss",), ("I2",)),
    Bug(ignored_pending_exposure, ("timeout_before",), ("I3",)),
    Bug(reused_client_id, ("connect_refused",), ("I13", "no defect")),
    Bug(limit_beyond_the_collar, ("price_gap",), ("I4",)),
    Bug(order_cap_ignored, ("price_gap",), ("I4",)),
    Bug(resting_order_that_crosses, ("stall",), ("styles",), Style.POST_ONLY),
    Bug(paper_orders_mirrored, ("stall",), ("I14",), paper=True),
)
