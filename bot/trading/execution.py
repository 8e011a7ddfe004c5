"""Carries out a plan: writes its intents down, then works its orders in the chosen style."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from itertools import zip_longest
from typing import Any

from bot.controls.facts import Denied
from bot.controls.venue_ports import Canceller
from bot.journal.rows import IntentRecord
from bot.trading.desk import PLAN_MAX_AGE_MS, HaltReason, OrderDesk
from bot.trading.execution_report import (
    ExecutionContext,
    ExecutionReport,
    PlaceResult,
    Run,
)
from bot.trading.order_costs import Arrival
from bot.trading.order_notes import OrderObserver
from bot.trading.orders import OrderState
from bot.trading.planner import Plan, PlannedIntent, PlannedOrder
from bot.trading.programs import Programs
from bot.trading.resting import RestingWork
from bot.trading.slices import Program
from bot.trading.slicing import Slicing
from bot.trading.styles import Style

__all__ = [
    "PLAN_MAX_AGE_MS",
    "ExecutionContext",
    "ExecutionReport",
    "Executor",
    "HaltReason",
    "OrderObserver",
    "PlaceResult",
]


class Executor(OrderDesk):
    """Carries out plans; whatever rested or waited, what is left is sent one after another."""

    @cached_property
    def programs(self) -> Programs:
        """Slices that are under way."""
        programs = Programs(self.journal, self.venue.account_name)
        if Style.SLICED not in (self.styles.style, self.styles.breach_style):
            programs.end_all("slices are no longer chosen")
        return programs

    async def execute(self, plan: Plan, context: ExecutionContext) -> ExecutionReport:
        """Carries out a plan as far as checks, venue and data allow.

        Raises:
            JournalError: the journal failed; then nothing more is sent.
        """
        style, decided = self._style_of(context), plan
        fresh: tuple[Program, ...] = ()
        if style is Style.SLICED:
            plan, fresh = await self._sliced(plan, context)
        else:
            self.programs.end_all("a new plan is worked in another style")
        if style is Style.POST_ONLY:
            plan = _with_reprices(plan, self.styles.max_reprices)
        self.guard.begin(plan)
        sliced = {program.intent_id for program in fresh}
        at_once = Style.POST_ONLY if style is Style.POST_ONLY else Style.IOC
        self._journal.plan_intents(
            IntentRecord(
                intent.intent_id,
                context.cycle_id,
                self._venue.account_name,
                intent.symbol,
                intent.trade_quantity,
                context.limits_hash,
                self._inputs(intent, context, "sliced" if intent.intent_id in sliced else at_once),
            )
            for intent in plan.intents
            if not intent.known
        )
        for program in fresh:
            self.programs.start(program, context.cycle_id)
        # What goes out slowly is not there yet when the rest goes out at once.
        incomplete = bool(decided.skipped) or _by_symbol(plan) != _by_symbol(decided)
        run = Run(context.account, dict(context.quotes), incomplete)
        orders: Sequence[PlannedOrder] = plan.orders
        if style is Style.POST_ONLY and orders:
            orders = await RestingWork(self, self.styles, context, run).work(plan.orders)
        await self._all_of(orders, context, run)
        costs = self.costs.record(run.ended, context.cycle_id)
        return replace(run.report(), waiting=self._waiting(), costs=costs)

    async def _sliced(
        self, plan: Plan, context: ExecutionContext
    ) -> tuple[Plan, tuple[Program, ...]]:
        """What of a plan goes out now, and the programs that begin with it."""
        slicing = Slicing(self, self.styles, self.programs)
        if context.continuing:
            return await slicing.due(context), ()
        sliced = await slicing.of_decision(plan, context)
        return sliced.plan, sliced.fresh

    def _waiting(self) -> str:
        """What goes on with later cycles."""
        self.programs.end_done()
        names = ", ".join(sorted(self.programs.active))
        return f"hedges are sliced over time: {names}" if names else ""

    def _style_of(self, context: ExecutionContext) -> Style:
        """As the owner chose; nothing may rest where nothing can be cancelled."""
        if context.continuing:
            return Style.SLICED
        style = self.styles.of_plan(breached=context.breached, closing=context.closing)
        if style is Style.POST_ONLY and not isinstance(self.venue, Canceller):
            return Style.IOC
        return style

    def _inputs(
        self, intent: PlannedIntent, context: ExecutionContext, style: str
    ) -> Mapping[str, Any]:
        """What the decision rested on, and what its fills will be judged by."""
        quote = context.quotes.get(intent.symbol)
        told: dict[str, Any] = {}
        if quote is not None:
            mid, expected = (quote.bid + quote.ask) / 2, context.expected.get(intent.symbol)
            arrival = Arrival(quote.mark, mid, expected)
            told = {"mark": repr(quote.mark), "arrival": arrival.document()}
        told |= {"style": str(style), "quantity": str(intent.trade_quantity)}
        instrument = context.instruments.get(intent.symbol)
        if instrument is not None:  # else the checks deny its orders
            told["lot"] = str(instrument.lot)
        return {**context.inputs, **told, "slices": self.guard.slices(intent.intent_id)}

    async def _all_of(
        self, orders: Sequence[PlannedOrder], context: ExecutionContext, run: Run
    ) -> None:
        """One order after the other, as far as nothing stops it."""
        try:
            for planned, following in zip_longest(orders, orders[1:]):
                run.stopped = run.stopped or self.outdated(context)
                if run.stopped:
                    run.leave(planned.request, run.stopped)
                else:
                    await self._carry_out(planned, following, context, run)
        finally:
            await self.depths.end()

    async def _carry_out(
        self,
        planned: PlannedOrder,
        following: PlannedOrder | None,
        context: ExecutionContext,
        run: Run,
    ) -> None:
        """One order that fills at once or ends."""
        outcome = await self.place(planned, context, run)
        if isinstance(outcome, Denied):
            request = planned.request
            run.results.append(
                PlaceResult(request, OrderState.PLANNED, denied=outcome, detail=outcome.reason)
            )
        elif outcome is not None:
            if following is not None and not run.stopped:
                self.depths.begin(following.request.symbol)
            await self.settle(outcome, run)


def _with_reprices(plan: Plan, max_reprices: int) -> Plan:
    """The plan with the orders that its legs may take: each may rest, be lost, and be taken."""
    planned = Counter(order.request.intent_id for order in plan.orders)
    intents = tuple(
        replace(one, most_orders=2 * planned[one.intent_id] + max_reprices) for one in plan.intents
    )
    return replace(plan, intents=intents)


def _by_symbol(plan: Plan) -> dict[str, Decimal]:
    """What the orders of a plan trade in all."""
    total: dict[str, Decimal] = {}
    for one in plan.orders:
        request = one.request
        total[request.symbol] = total.get(request.symbol, Decimal(0)) + request.quantity
    return total
