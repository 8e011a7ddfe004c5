"""Carries out a plan, one order after another: check, write down, send once, book, compare.

An order whose outcome is unknown stays unknown and blocks its symbol; reconciliation finds out.
Nothing is ever sent twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bot.controls.guard import Guard
from bot.controls.table import FRESHNESS, number_of
from bot.errors import SafetyError, UnreachableError, VenueError
from bot.journal.journal import Journal
from bot.journal.rows import IntentRecord, OrderRow
from bot.ports import Clock, MarketData, Quote, Venue, VenueAccount
from bot.trading.orders import (
    Fill,
    NotAccepted,
    OrderOutcome,
    OrderRequest,
    OrderState,
    UnknownOutcome,
)
from bot.trading.planner import Plan, PlannedIntent, PlannedOrder
from bot.trading.pretrade import Denied, OpenOrder, PretradeFacts, PretradeLimits, check_order
from bot.trading.reconcile import book_fills
from bot.trading.worst_case import CapUse, worst_cap
from risk.errors import DataError
from risk.instrument import Instrument

_ZERO = Decimal(0)
PLAN_MAX_AGE_MS = 30_000
"""After this long, by replies that time out or a sleep, the rest of a plan is not sent."""

OrderObserver = Callable[[str, Mapping[str, Any]], None]
HaltReason = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class PlaceResult:
    """What became of one planned order.

    Attributes:
        state: PLANNED where it was never sent.
        denied: the control that stopped it, if one did.
        detail: the venue's or our own reason, one line; empty when all went well.
    """

    request: OrderRequest
    state: OrderState
    filled_quantity: Decimal = _ZERO
    denied: Denied | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What became of a plan.

    Attributes:
        results: one for each planned order, in order.
        fills: executions that were booked.
        mismatches: symbols whose position did not move as our fills say.
        stopped: why the rest was not sent; empty when everything was tried.
        halted: the kill switch was what stopped it.
        account: the account as it was last read.
    """

    results: tuple[PlaceResult, ...]
    fills: tuple[Fill, ...]
    mismatches: tuple[str, ...]
    stopped: str
    account: VenueAccount
    halted: bool = False

    @property
    def denials(self) -> tuple[PlaceResult, ...]:
        """Orders that a control stopped."""
        return tuple(r for r in self.results if r.denied is not None)

    @property
    def unknown(self) -> tuple[PlaceResult, ...]:
        """Orders of which nobody knows what became."""
        return tuple(r for r in self.results if r.state is OrderState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """Facts and permissions of one cycle.

    Attributes:
        allowed: symbols in which a hedge may grow.
        limits_hash, inputs: written into the journal with every intent.
        cap_use: use of the caps on what is held; asked when a plan does not go as planned.
        instruments_ms: when the instruments were read, UTC milliseconds.
        closing: an operator wants everything closed, halted or not; only closes are sent then.
        looked_ms: when the plan's look at the bot ended; None: the plan does not grow old.
    """

    cycle_id: str
    instruments: Mapping[str, Instrument]
    quotes: Mapping[str, Quote]
    account: VenueAccount
    allowed: frozenset[str]
    limits_hash: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    cap_use: CapUse | None = None
    instruments_ms: int | None = None
    closing: bool = False
    looked_ms: int | None = None


@dataclass(slots=True)
class _Run:
    """What changes while a plan is carried out."""

    account: VenueAccount
    quotes: dict[str, Quote]
    results: list[PlaceResult] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)
    stopped: str = ""
    halted: bool = False


class Executor:
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
    ) -> None:
        """``observe`` is told of every order event as it is journaled; ``halted`` is the kill
        switch, asked right before each send; ``guard`` are the controls that remember.
        """
        self._venue = venue
        self._market = market
        self._journal = journal
        self._clock = clock
        self._limits = limits
        self._observe = observe
        self._halted = halted
        self.guard = guard or Guard(journal, clock, venue.account_name, limits)

    async def execute(self, plan: Plan, context: ExecutionContext) -> ExecutionReport:
        """Carries out a plan as far as checks, venue and data allow.

        Raises:
            JournalError: the journal failed; then nothing more is sent.
        """
        self.guard.begin(plan)
        self._journal.record_intents(
            IntentRecord(
                intent.intent_id,
                context.cycle_id,
                self._venue.account_name,
                intent.symbol,
                intent.trade_quantity,
                context.limits_hash,
                self._inputs(intent, context),
            )
            for intent in plan.intents
        )
        run = _Run(context.account, dict(context.quotes))
        for planned in plan.orders:
            run.stopped = run.stopped or self._outdated(context)
            if run.stopped:
                detail = f"not sent: {run.stopped}"
                run.results.append(PlaceResult(planned.request, OrderState.PLANNED, detail=detail))
            else:
                await self._carry_out(planned, context, run)
        return ExecutionReport(
            tuple(run.results),
            tuple(run.fills),
            tuple(run.mismatches),
            run.stopped,
            run.account,
            run.halted,
        )

    def _inputs(self, intent: PlannedIntent, context: ExecutionContext) -> Mapping[str, Any]:
        """What the decision rested on, and what its fills will be judged by."""
        quote = context.quotes.get(intent.symbol)
        mark = {} if quote is None else {"mark": repr(quote.mark)}
        return {**context.inputs, **mark, "slices": self.guard.slices(intent.intent_id)}

    def _outdated(self, context: ExecutionContext) -> str:
        """Why the rest of a plan is left: prices are read again, the bot's positions are not."""
        if context.looked_ms is None:
            return ""
        age_ms = self._clock.now_ms() - context.looked_ms
        if abs(age_ms) <= PLAN_MAX_AGE_MS:
            return ""
        return f"the plan rests on a look {age_ms / 1000:.0f} s ago; the next cycle plans anew"

    async def _carry_out(self, planned: PlannedOrder, context: ExecutionContext, run: _Run) -> None:
        request = planned.request
        closes = context.closing and request.reduce_only
        if wait_ms := self.guard.wait_ms():
            await self._clock.sleep(wait_ms / 1000)
        try:
            denied = await self._check(request, context, run)
        except (UnreachableError, VenueError, DataError) as error:
            self._stop(run, request, str(error))
            return
        if outdated := self._outdated(context):  # the checks may have taken long themselves
            self._stop(run, request, outdated)
            return
        halted = None if closes else self._halted() or self.guard.halted
        if halted is not None:
            run.halted = True
            self._stop(run, request, f"halted: {halted}")
            return
        external = self._external(request, run.account)
        if denied is None:
            denied = self.guard.admit(request)
        if denied is None:
            denied = self._mark_sending(planned, external)
        if denied is not None:
            self._note_denial(request, denied, context)
            run.results.append(
                PlaceResult(request, OrderState.PLANNED, denied=denied, detail=denied.reason)
            )
            return
        self.guard.sending(request, Decimal(repr(run.quotes[request.symbol].mark)))
        outcome = await self._send(request)
        row = self._journal.record_outcome(outcome)
        if isinstance(outcome, NotAccepted):
            run.stopped = f"the venue asks for fewer requests ({outcome.code}: {outcome.reason})"
        await self._settle(row, external, run)

    @staticmethod
    def _stop(run: _Run, request: OrderRequest, why: str) -> None:
        run.stopped = why
        run.results.append(PlaceResult(request, OrderState.PLANNED, detail=f"not sent: {why}"))

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

    async def _send(self, request: OrderRequest) -> OrderOutcome:
        try:
            return await self._venue.place(request)
        except BaseException as error:
            # Cancelled or broken in the middle of the send: whatever it was, it may have arrived.
            reason = f"the send was cut short ({type(error).__name__})"
            self._journal.record_outcome(UnknownOutcome(request.client_id, reason))
            raise

    async def _check(
        self, request: OrderRequest, context: ExecutionContext, run: _Run
    ) -> Denied | None:
        await self._refresh(request.symbol, run)
        if request.symbol in run.mismatches:
            return Denied("position", f"{request.symbol}: its position did not move as expected")
        depth = await self._market.depth_usd(request.symbol, self._limits.collar)
        facts = PretradeFacts(
            now_ms=self._clock.now_ms(),
            instruments=context.instruments,
            quotes=run.quotes,
            account=run.account,
            own=self._journal.own_positions(self._venue.account_name),
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
        self, request: OrderRequest, context: ExecutionContext, run: _Run
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
        self, request: OrderRequest, facts: PretradeFacts, context: ExecutionContext, run: _Run
    ) -> Denied | None:
        """An opening of a plan that is not going as planned must not lead out of the caps."""
        as_planned = all(r.filled_quantity == r.request.quantity for r in run.results)
        if request.reduce_only or context.cap_use is None or (as_planned and not facts.open_orders):
            return None
        marks = {symbol: quote.mark for symbol, quote in run.quotes.items()}
        if unpriced := {o.symbol for o in facts.open_orders} - marks.keys():
            return Denied("worst_case", f"{request.symbol}: no price for {min(unpriced)}")
        worse = worst_cap(request, facts.own, facts.open_orders, marks, context.cap_use)
        return None if worse is None else Denied("worst_case", f"{request.symbol}: {worse}")

    async def _refresh(self, symbol: str, run: _Run) -> None:
        """Reads again what would be too old by the time the order arrives."""
        now_ms = self._clock.now_ms()
        quote = run.quotes.get(symbol)
        if quote is None or now_ms - quote.timestamp_ms > self._limits.mark_max_age_ms // 2:
            wanted = sorted({symbol} | {held for held, _ in self._journal_positions()})
            fresh = await self._market.quotes(wanted)
            for one in wanted:
                run.quotes.pop(one, None)  # what has no price any more must not keep its old one
            run.quotes.update(fresh)
        if now_ms - run.account.state.timestamp_ms > self._limits.positions_max_age_ms // 2:
            run.account = await self._venue.account()

    async def _settle(self, row: OrderRow, external_before: Decimal, run: _Run) -> None:
        """Books what was filled, then asks whether the position moved by just that."""
        filled = row.filled_quantity
        detail = f"{row.code} {row.reason}".strip()
        if row.state.final:
            self.guard.settled(row.request, filled)
        if row.state in (OrderState.REJECTED, OrderState.UNKNOWN):
            self._tell(row, detail)
            run.results.append(PlaceResult(row.request, row.state, filled, detail=detail))
            return
        try:
            if filled > 0:
                run.fills += await book_fills(self._journal, self._venue, row.symbol, self._clock)
            run.account = await self._venue.account()
            self.guard.review(run.account.state.equity_usd)
        except (UnreachableError, VenueError, DataError) as error:
            run.stopped = detail = f"after an order in {row.symbol}: {error}"
        else:
            detail = self._compare(row, external_before, run)
        self._tell(row, detail)
        run.results.append(PlaceResult(row.request, row.state, filled, detail=detail))

    def _compare(self, row: OrderRow, external_before: Decimal, run: _Run) -> str:
        """Empty when the account moved as our fills say; else what is wrong, in one line."""
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

    def _external(self, request: OrderRequest, account: VenueAccount) -> Decimal:
        """What others hold on the order's position side, signed base units."""
        key = request.symbol, request.position_side
        return account.base_quantity.get(key, _ZERO) - self._journal_positions().get(key, _ZERO)

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

    def _note_denial(
        self, request: OrderRequest, denied: Denied, context: ExecutionContext
    ) -> None:
        document = {
            "symbol": request.symbol,
            "side": request.side.value,
            "quantity": str(request.quantity),
            "limit_price": str(request.limit_price),
            "control": denied.control,
            "number": number_of(denied.control),
            "reason": denied.reason,
        }
        self._journal.record_event(
            "order_denied", document, cycle_id=context.cycle_id, client_id=request.client_id
        )
        if self._observe is not None:
            self._observe("order_denied", {"client_id": request.client_id, **document})
        if number_of(denied.control) == FRESHNESS:
            self.guard.held(denied.reason)
        self.guard.acted(denied, request.symbol)

    def _tell(self, row: OrderRow, detail: str) -> None:
        if self._observe is None:
            return
        facts = {
            "client_id": row.client_id,
            "symbol": row.symbol,
            "side": row.request.side.value,
            "quantity": str(row.request.quantity),
            "limit_price": str(row.request.limit_price),
            "reduce_only": row.request.reduce_only,
            "filled_quantity": str(row.filled_quantity),
            "average_price": None if row.average_price is None else str(row.average_price),
            "detail": detail,
        }
        self._observe(f"order_{row.state.value}", facts)
