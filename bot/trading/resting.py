"""Works a plan with orders that rest at the best price, all its symbols side by side.

One hand goes round the symbols: where nothing rests it places the next order, where something
rests it looks what became of it, and where the place at the best price is lost it cancels and
places anew, under a new id. A symbol never has two orders at a time. When the time is up all that
rests is cancelled, and what is left is handed back to be taken at once. However many symbols
there are, that takes no longer; and however it ends, nothing is left resting.
"""

import asyncio
import contextlib
from dataclasses import replace
from decimal import Decimal

from bot.controls.facts import Denied
from bot.controls.order_checks import EVERYTHING
from bot.controls.table import BY_NAME, Effect
from bot.errors import UnreachableError, VenueError
from bot.journal.rows import OrderRow
from bot.trading.cancels import CancelOutcome, Cancels
from bot.trading.desk import PLAN_MAX_AGE_MS, OrderDesk
from bot.trading.execution_report import ExecutionContext, PlaceResult, Run
from bot.trading.orders import Acknowledged, OrderState
from bot.trading.planner import PlannedOrder
from bot.trading.reconcile import book_fills
from bot.trading.resting_leg import Leg, legs_of
from bot.trading.resting_price import (
    POST_ONLY,
    WOULD_TAKE,
    lost_its_place,
    resting_price,
    too_small,
)
from bot.trading.styles import ExecutionStyles
from risk.errors import DataError

_ZERO = Decimal(0)
_RESERVE_MS = 6_000
"""Of a plan's age: kept for cancels and for taking what is left."""
_RESTING = (OrderState.LIVE, OrderState.PARTIAL)


class RestingWork:
    """Works one plan."""

    def __init__(
        self, desk: OrderDesk, styles: ExecutionStyles, context: ExecutionContext, run: Run
    ) -> None:
        self._desk = desk
        self._styles = styles
        self._context = context
        self._run = run
        self._cancels = Cancels(desk.venue, desk.journal)
        self._collar = Decimal(repr(desk.limits.collar))

    async def work(self, orders: tuple[PlannedOrder, ...]) -> list[PlannedOrder]:
        """What is left to be taken when the time is up; empty when all was filled.

        Raises:
            JournalError: the journal failed; what rests was cancelled as far as that goes.
        """
        legs = legs_of(orders, self._desk.venue.account_name, self._desk.journal.install_key)
        lacking = self._run.incomplete
        # What rests, or waits for its turn, may never fill: each opening must be right without it.
        self._run.incomplete = lacking or len(legs) > 1
        try:
            await self._until_over(legs)
            await self._withdraw(legs)
        except (asyncio.CancelledError, Exception):
            await self._withdraw_at_any_price()
            raise
        self._run.incomplete = lacking
        quotes, instruments = self._run.quotes, self._context.instruments
        left = [one for leg in legs for one in leg.left(quotes, instruments, self._collar)]
        return sorted(left, key=lambda one: not one.request.reduce_only)

    async def _until_over(self, legs: list[Leg]) -> None:
        end_ms = self._end_ms()
        while any(leg.at_work for leg in legs):
            if self._must_stop() or not await self._see(legs):
                return
            for leg in legs:
                if leg.at_work:
                    await self._step(leg)
                if self._run.stopped:
                    return
            if not any(leg.at_work for leg in legs):
                return
            if self._desk.clock.now_ms() >= end_ms:
                return
            await self._desk.clock.sleep(self._styles.poll_ms / 1000)

    def _end_ms(self) -> int:
        now_ms = self._desk.clock.now_ms()
        end_ms = now_ms + self._styles.rest_ms
        if self._context.looked_ms is not None:
            end_ms = min(end_ms, self._context.looked_ms + PLAN_MAX_AGE_MS - _RESERVE_MS)
        return end_ms

    def _must_stop(self) -> bool:
        """A halt, or a plan that has grown old; notes why."""
        run, desk = self._run, self._desk
        halted = desk.halted_now()
        if halted is not None:
            run.halted, run.stopped = True, f"halted: {halted}"
        run.stopped = run.stopped or desk.outdated(self._context)
        return bool(run.stopped)

    async def _see(self, legs: list[Leg]) -> bool:
        """Fresh prices of everything that is worked; False where there are none."""
        wanted = {leg.name for leg in legs if leg.waiting}
        try:
            await self._desk.see(wanted, self._run, within_ms=self._styles.poll_ms // 2)
        except (UnreachableError, VenueError, DataError) as error:
            self._run.stopped = str(error)
        return not self._run.stopped

    # One leg

    async def _step(self, leg: Leg) -> None:
        if leg.sent is not None:
            await self._look(leg)
        if self._desk.guard.halted_symbols.keys() & {leg.name, EVERYTHING}:
            leg.over = True
            if leg.sent is not None:
                await self._cancel(leg, "its symbol is halted")
            return
        if leg.sent is not None and self._may_reprice(leg):
            await self._cancel(leg, "its place at the best price is lost")
        if leg.sent is None and leg.at_work:
            await self._place(leg)

    def _best(self, leg: Leg) -> Decimal | None:
        """The price at which the leg's next order rests."""
        request = leg.waiting[0].request
        quote = self._run.quotes.get(request.symbol)
        instrument = self._context.instruments.get(request.symbol)
        if quote is None or instrument is None:
            return None
        return resting_price(request.side, quote, instrument.tick, self._collar)

    def _may_reprice(self, leg: Leg) -> bool:
        """The order's place is lost, and another one may be sent for it so soon."""
        assert leg.sent is not None
        row = leg.sent.row
        return (
            row.state in _RESTING
            and lost_its_place(row.request, self._best(leg))
            and not self._rests_too_little(leg)
            and self._may_send_again(leg)
        )

    def _rests_too_little(self, leg: Leg) -> bool:
        """What is left would be refused as a new order."""
        assert leg.sent is not None
        row = leg.sent.row
        left = row.request.quantity - row.filled_quantity
        instrument = self._context.instruments[row.symbol]
        closes = row.request.reduce_only
        return too_small(instrument, left, row.request.limit_price, reduce_only=closes)

    def _may_send_again(self, leg: Leg) -> bool:
        """Within the owner's spacing, count and messages a second."""
        since = leg.sent_ms
        now_ms = self._desk.clock.now_ms()
        spaced = since is None or not 0 <= now_ms - since < self._styles.reprice_every_ms
        fresh = leg.attempts == 0
        return (fresh or (spaced and leg.repriced < self._styles.max_reprices)) and (
            self._desk.guard.wait_ms() == 0
        )

    async def _place(self, leg: Leg) -> None:
        price = self._best(leg)
        if price is None or not self._may_send_again(leg):
            leg.over = leg.repriced >= self._styles.max_reprices and leg.attempts > 0
            return
        planned = leg.waiting[0]
        closes = planned.request.reduce_only
        instrument = self._context.instruments.get(planned.request.symbol)
        if instrument is None or too_small(instrument, leg.rest, price, reduce_only=closes):
            leg.next()
            return
        order = leg.attempt(price, POST_ONLY)
        outcome = await self._desk.place(order, self._context, self._run)
        if isinstance(outcome, Denied):
            self._denied(leg, outcome)
        elif outcome is not None:
            leg.sent_ms = self._desk.clock.now_ms()
            leg.repriced += leg.attempts > 0
            leg.attempts += 1
            leg.sent = outcome
            await self._took(leg, outcome.row)

    def _denied(self, leg: Leg, denied: Denied) -> None:
        """A plain denial may be gone when others have filled: it is tried once more at the end."""
        leg.over = True
        _, effect = BY_NAME.get(denied.control, (None, Effect.DENY))
        if effect is not Effect.DENY:
            request = leg.waiting[0].request
            self._run.results.append(
                PlaceResult(request, OrderState.PLANNED, denied=denied, detail=denied.reason)
            )
            leg.next()

    async def _look(self, leg: Leg) -> None:
        """What became of the order that rests; what it filled is booked at once."""
        assert leg.sent is not None
        before = leg.sent.row
        try:
            found = await self._desk.venue.find(before.symbol, before.client_id)
        except (UnreachableError, VenueError, DataError):
            return  # not seen now; the next look or the cancel at the end will tell
        known = self._desk.journal.order(before.client_id)
        assert known is not None, "it was sent"
        if isinstance(found, Acknowledged) and not known.state.final:
            known = self._desk.journal.record_outcome(found)
        await self._took(leg, known)

    async def _took(self, leg: Leg, row: OrderRow) -> None:
        """Takes in the state of the order at work."""
        assert leg.sent is not None
        before, leg.sent = leg.sent.row, replace(leg.sent, row=row)
        if row.state in _RESTING:
            if row.filled_quantity > before.filled_quantity or row.booked_quantity < (
                row.filled_quantity
            ):
                await self._book(row)
            return
        if row.state is OrderState.UNKNOWN:
            return  # it may rest: it is looked for until the time is up, and cancelled then
        sent, leg.sent = leg.sent, None
        await self._desk.settle(sent, self._run)
        if row.code in WOULD_TAKE:  # no end of the leg: it is priced anew
            self._run.results[-1] = replace(self._run.results[-1], detail="")
        leg.rest -= row.filled_quantity
        if leg.rest <= 0 or (row.state is OrderState.REJECTED and row.code not in WOULD_TAKE):
            leg.next()

    async def _book(self, row: OrderRow) -> None:
        desk = self._desk
        try:
            self._run.fills += await book_fills(desk.journal, desk.venue, row.symbol, desk.clock)
        except (UnreachableError, VenueError, DataError) as error:
            self._run.stopped = f"after an order in {row.symbol}: {error}"

    # Ending

    async def _cancel(self, leg: Leg, why: str) -> None:
        """Cancels the order that rests; where nobody hears of it the leg ends here."""
        assert leg.sent is not None
        row = leg.sent.row
        outcome = await self._cancels.cancel(row.symbol, row.client_id, why)
        known = self._desk.journal.order(row.client_id)
        assert known is not None, "it was sent"
        if outcome is CancelOutcome.UNKNOWN and not known.state.final:
            leg.over = leg.lost = True
            return
        await self._took(leg, known)

    async def _withdraw(self, legs: list[Leg]) -> None:
        """Nothing is left resting, or it is known that nobody knows."""
        why = self._run.stopped or "the time to rest is up"
        for leg in legs:
            if leg.sent is not None:
                await self._cancel(leg, why)
            if leg.sent is not None:  # unresolved: it counts at its worst until it is found out
                await self._desk.settle(leg.sent, self._run)

    async def _withdraw_at_any_price(self) -> None:
        """Something broke: cancels all that may be open, and lets what broke go on.

        By what the guard knows without the journal: an order may rest whose reply could not be
        written down, or of whose send nobody heard the end.
        """
        desk = self._desk
        with desk.journal.impatient():
            for client_id, symbol in desk.guard.open_ids().items():
                with contextlib.suppress(Exception):  # none keeps the others from being cancelled
                    await self._cancels.attempt(symbol, client_id, "the plan broke off")
