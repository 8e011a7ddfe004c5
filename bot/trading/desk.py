"""One order at a time: read afresh, check, write down, send once, book, compare.

An order whose outcome is unknown stays unknown and blocks its symbol; reconciliation finds out.
Nothing is ever sent twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.controls.guard import Guard
from bot.errors import SafetyError, UnreachableError, VenueError
from bot.journal.journal import Journal
from bot.journal.rows import OrderRow
from bot.ports import Clock, MarketData, Venue, VenueAccount
from bot.trading.cost_book import CostBook
from bot.trading.depths import Depths
from bot.trading.execution_report import ExecutionContext, PlaceResult, Run
from bot.trading.last_word import unless
from bot.trading.order_notes import OrderNotes, OrderObserver
from bot.trading.orders import (
    Acknowledged,
    NotAccepted,
    OrderOutcome,
    OrderRequest,
    OrderState,
    Rejected,
    Side,
    UnknownOutcome,
)
from bot.trading.planner import PlannedOrder
from bot.trading.pretrade import Denied, OpenOrder, PretradeFacts, PretradeLimits, check_order
from bot.trading.reconcile import book_fills
from bot.trading.styles import ExecutionStyles
from bot.trading.worst_case import moved_otherwise, worst_cap
from risk.errors import DataError

_ZERO = Decimal(0)
NOT_SENT = "not-sent"
PLAN_MAX_AGE_MS = 30_000
"""After this long, by replies that time out or a sleep, the rest of a plan is not sent."""

HaltReason = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Sent:
    """An order that left, with what the venue said of it.

    Attributes:
        external_before: what others held when it was sent, signed base units.
    """

    row: OrderRow
    external_before: Decimal


class OrderDesk:
    """Sends orders; the only part of the engine that does."""

    def __init__(
        self,
        *,
        venue: Venue,
        market: MarketData,
        journal: Journal,
        clock: Clock,
        limits: PretradeLimits,
        observe: OrderObserver | None = None,
        halted: HaltReason = lambda: None,
        guard: Guard | None = None,
        styles: ExecutionStyles | None = None,
    ) -> None:
        """``observe`` is told of every order event as it is journaled; ``halted`` is the kill
        switch, asked right before each send; ``guard`` are the controls that remember; ``styles``
        are the owner's ways to work a plan, all at once without.
        """
        self._venue = venue
        self._market = market
        self._journal = journal
        self._clock = clock
        self._limits = limits
        self._halted = halted
        self.guard = guard or Guard(journal, clock, venue.account_name, limits)
        self.styles = styles or ExecutionStyles()
        self.costs = CostBook(journal, venue.account_name)
        self.depths = Depths(market, clock, limits.collar, limits.mark_max_age_ms // 2)
        self._notes = OrderNotes(journal, self.guard, observe)

    @property
    def venue(self) -> Venue:
        """The account that it trades."""
        return self._venue

    @property
    def journal(self) -> Journal:
        """Where every order is written down before it leaves."""
        return self._journal

    @property
    def clock(self) -> Clock:
        """The engine's."""
        return self._clock

    @property
    def limits(self) -> PretradeLimits:
        """Of the checks."""
        return self._limits

    # Around the send

    async def place(
        self, planned: PlannedOrder, context: ExecutionContext, run: Run
    ) -> Sent | Denied | None:
        """Sends one order, or says which control denies it; None when the run stops here."""
        request = planned.request
        if run.others is None:
            run.others = self._others(run.account)
        if wait_ms := self.guard.wait_ms():
            await self._clock.sleep(wait_ms / 1000)
        try:
            denied = await self._check(request, context, run)
        except (UnreachableError, VenueError, DataError) as error:
            run.stop(request, str(error))
            return None
        if outdated := self.outdated(context):  # the checks may have taken long themselves
            run.stop(request, outdated)
            return None
        halted = self._halt_reason(request, context)
        if halted is not None:
            run.halted = True
            run.stop(request, f"halted: {halted}")
            self.guard.saw_switch()
            return None
        external = self._external(request, run.account)
        denied = denied or self.guard.admit(request) or self._mark_sending(planned, external)
        if denied is not None:
            self._notes.denied(request, denied, context.cycle_id)
            return denied
        self.guard.sending(request, Decimal(repr(run.quotes[request.symbol].mark)))
        self.costs.note_touch(request.client_id, run.quotes[request.symbol])
        self.depths.traded(request.symbol)
        outcome = await self._send(request, context)
        row = self._record(outcome)
        if isinstance(outcome, Rejected) and (late := self._halt_reason(request, context)):
            run.halted, run.stopped = True, f"halted: {late}"
            self.guard.saw_switch()
        if isinstance(outcome, NotAccepted):
            run.stopped = f"the venue asks for fewer requests ({outcome.code}: {outcome.reason})"
        return Sent(row, external)

    def _halt_reason(self, request: OrderRequest, context: ExecutionContext) -> str | None:
        closes = context.closing and request.reduce_only
        return None if closes else self.halted_now()

    def halted_now(self) -> str | None:
        """Why nothing may be sent; None when trading is allowed."""
        return self._halted() or self.guard.halted

    def outdated(self, context: ExecutionContext) -> str:
        """Why the rest of a plan is left: prices are read again, the bot's positions are not."""
        if context.looked_ms is None:
            return ""
        age_ms = self._clock.now_ms() - context.looked_ms
        if abs(age_ms) <= PLAN_MAX_AGE_MS:
            return ""
        return f"the plan rests on a look {age_ms / 1000:.0f} s ago; the next cycle plans anew"

    def _mark_sending(self, planned: PlannedOrder, external: Decimal) -> Denied | None:
        """Makes the order durable; the journal has the last word on unresolved ones."""
        try:
            self._journal.mark_sending(
                planned.request,
                account=self._venue.account_name,
                leg=planned.leg,
                attempt=planned.attempt,
                external_before=external,
            )
        except SafetyError as error:
            return Denied("unresolved", str(error))
        return None

    async def _send(self, request: OrderRequest, context: ExecutionContext) -> OrderOutcome:
        """Sends it, unless a halt came while the disk, or the client's queue, was waited for."""

        def why_not() -> str | None:
            return self._halt_reason(request, context)

        if halted := why_not():
            return Rejected(request.client_id, NOT_SENT, f"halted before it left: {halted}")
        try:
            with unless(why_not):
                return await self._venue.place(request)
        except BaseException as error:  # told on; cancelled or broken, it may have arrived
            reason = f"the send was cut short ({type(error).__name__})"
            self._journal.record_outcome(UnknownOutcome(request.client_id, reason))
            raise

    def _record(self, outcome: OrderOutcome) -> OrderRow:
        """Writes down what the venue said.

        The disk is not waited for where the order is there: lost in a power cut, it is asked for
        by its id at the start, and the next commit, before whatever is sent next, has it as well.
        """
        if not isinstance(outcome, Acknowledged):
            return self._journal.record_outcome(outcome)
        with self._journal.durable_with_next():
            return self._journal.record_outcome(outcome)

    # Before it

    async def _check(
        self, request: OrderRequest, context: ExecutionContext, run: Run
    ) -> Denied | None:
        await self._refresh(request.symbol, run)
        if request.symbol in run.mismatches:
            return Denied("position", f"{request.symbol}: its position did not move as expected")
        depth = await self.depth_usd(request.symbol)
        facts = PretradeFacts(
            now_ms=self._clock.now_ms(),
            instruments=context.instruments,
            quotes=run.quotes,
            account=run.account,
            own=self._journal_positions(),
            open_orders=self._open_orders(),
            allowed=context.allowed,
            positions_ms=run.account.state.timestamp_ms,
            depth_usd={(request.symbol, side): usd for side, usd in depth.items()},
            **self._guarded(request, context, run),
        )
        return check_order(request, facts, self._limits) or self._worst_case(
            request, facts, context, run
        )

    def _guarded(
        self, request: OrderRequest, context: ExecutionContext, run: Run
    ) -> dict[str, Any]:
        """What the controls remember of orders, and know of the venue."""
        guard = self.guard
        return {
            "instruments_ms": context.instruments_ms,
            "halted": {} if context.closing and request.reduce_only else guard.halted_symbols,
            "recent": guard.recent(request.symbol),
            "slices": guard.slices(request.intent_id),
            "rest": guard.rest(request),
            "clock_offset_ms": guard.clock_offset_ms,
            "foreign_orders": self._foreign_orders(run.account),
            "self_trade_safe": getattr(self._venue, "self_trade_safe", False),
            "turnover_usd": guard.turnover_usd(),
        }

    def _foreign_orders(self, account: VenueAccount) -> frozenset[str]:
        """Symbols in which an order is open that is not ours."""
        if not account.open_order_client_ids:
            return account.open_order_symbols
        ours = {row.symbol for row in self._journal.unresolved_orders(self._venue.account_name)}
        return account.open_order_symbols - ours

    def _worst_case(
        self, request: OrderRequest, facts: PretradeFacts, context: ExecutionContext, run: Run
    ) -> Denied | None:
        """An opening of a plan that is not going as planned must not lead out of the caps."""
        as_planned = (
            not context.continuing
            and not (run.incomplete or run.moved)
            and all(r.filled_quantity == r.request.quantity for r in run.results)
        )
        if request.reduce_only or context.cap_use is None or (as_planned and not facts.open_orders):
            return None
        marks = {symbol: quote.mark for symbol, quote in run.quotes.items()}
        pending = (*facts.open_orders, *run.moved)
        if unpriced := {o.symbol for o in pending} - marks.keys():
            return Denied("worst_case", f"{request.symbol}: no price for {min(unpriced)}")
        worse = worst_cap(request, facts.own, pending, marks, context.cap_use)
        return None if worse is None else Denied("worst_case", f"{request.symbol}: {worse}")

    async def _refresh(self, symbol: str, run: Run) -> None:
        """Reads again what would be too old by the time the order arrives."""
        now_ms = self._clock.now_ms()
        await self.see({symbol}, run, within_ms=self._limits.mark_max_age_ms // 2)
        if now_ms - run.account.state.timestamp_ms > self._limits.positions_max_age_ms // 2:
            self._saw(await self._venue.account(), run)

    async def depth_usd(self, symbol: str) -> Mapping[Side, float]:
        """Notional inside the collar that an order of each side meets, as fresh as prices.

        Raises:
            UnreachableError, VenueError, DataError: it cannot be read.
        """
        return await self.depths.read(symbol)

    async def see(self, symbols: set[str], run: Run, *, within_ms: int) -> None:
        """Reads prices again, of these and of all that is held, unless they are fresh enough.

        Raises:
            UnreachableError, VenueError, DataError: there are none to be had.
        """
        now_ms = self._clock.now_ms()
        quotes = [run.quotes.get(symbol) for symbol in symbols]
        if all(q is not None and now_ms - q.timestamp_ms <= within_ms for q in quotes):
            return
        wanted = sorted(symbols | {held for held, _ in self._journal_positions()})
        fresh = await self._market.quotes(wanted)
        for one in wanted:
            run.quotes.pop(one, None)  # what has no price any more must not keep its old one
        run.quotes.update(fresh)

    # After it

    async def settle(self, sent: Sent, run: Run) -> None:
        """Books what was filled, then asks whether the position moved by just that."""
        row = sent.row
        filled = row.filled_quantity
        detail = f"{row.code} {row.reason}".strip()
        if row.state.final:
            self.guard.settled(row.request, filled)
            run.ended.append(row.client_id)
        if row.state in (OrderState.REJECTED, OrderState.UNKNOWN):
            self._notes.went(row, detail)
            run.results.append(PlaceResult(row.request, row.state, filled, detail=detail))
            return
        try:
            if filled > 0:
                # A power cut may take the booking, and how far was read with it: then what the
                # order filled is asked for again, since the order itself is on the disk.
                run.fills += await book_fills(
                    self._journal, self._venue, row.symbol, self._clock, waits=False
                )
            self._saw(await self._venue.account(), run)
            self.guard.review(run.account.state.equity_usd)
        except (UnreachableError, VenueError, DataError) as error:
            run.stopped = detail = f"after an order in {row.symbol}: {error}"
        else:
            detail = self._compare(sent, run)
        self._notes.went(row, detail)
        run.results.append(PlaceResult(row.request, row.state, filled, detail=detail))

    def _compare(self, sent: Sent, run: Run) -> str:
        """Empty when the account moved as our fills say; else what is wrong, in one line."""
        row, external_before = sent.row, sent.external_before
        booked = self._journal.order(row.client_id)
        if booked is not None and booked.unresolved:
            return "not all of its fills are reported yet"
        external = self._external(row.request, run.account)
        if external == external_before:
            self.guard.compared(row.symbol, agrees=True, detail="")
            return ""
        run.mismatches.append(row.symbol)
        detail = f"the position moved by {external - external_before} more than our fills say"
        self._journal.record_event(
            "position_mismatch",
            {"symbol": row.symbol, "before": str(external_before), "after": str(external)},
            client_id=row.client_id,
        )
        self.guard.compared(row.symbol, agrees=False, detail=detail)
        return detail

    # What is known

    def _external(self, request: OrderRequest, account: VenueAccount) -> Decimal:
        """What others hold on the order's position side, signed base units."""
        key = request.symbol, request.position_side
        return account.base_quantity.get(key, _ZERO) - self._journal_positions().get(key, _ZERO)

    def _others(self, account: VenueAccount) -> dict[tuple[str, str], Decimal]:
        """What the account holds beyond our booked fills, signed base units."""
        own, held = self._journal_positions(), account.base_quantity
        return {key: held.get(key, _ZERO) - own.get(key, _ZERO) for key in {**own, **held}}

    def _saw(self, account: VenueAccount, run: Run) -> None:
        """The account as it is now, and what moved in it beside the orders of the run."""
        run.account = account
        unresolved = {one.symbol for one in self._open_orders()}
        run.moved = moved_otherwise(run.others or {}, self._others(account), unresolved)

    def _journal_positions(self) -> Mapping[tuple[str, str], Decimal]:
        return self._journal.own_positions(self._venue.account_name)

    def _open_orders(self) -> tuple[OpenOrder, ...]:
        return tuple(
            OpenOrder(
                row.symbol,
                row.request.side,
                row.request.position_side,
                row.open_quantity,
                row.request.reduce_only,
            )
            for row in self._journal.unresolved_orders(self._venue.account_name)
        )
