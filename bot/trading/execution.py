"""Carries out a plan: writes its intents down, then sends its orders, one after another."""

from collections.abc import Mapping
from typing import Any

from bot.controls.facts import Denied
from bot.journal.rows import IntentRecord
from bot.trading.desk import PLAN_MAX_AGE_MS, HaltReason, OrderDesk
from bot.trading.execution_report import (
    ExecutionContext,
    ExecutionReport,
    PlaceResult,
    Run,
)
from bot.trading.order_notes import OrderObserver
from bot.trading.orders import OrderState
from bot.trading.planner import Plan, PlannedIntent, PlannedOrder

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
    """Carries out plans, order by order."""

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
        run = Run(context.account, dict(context.quotes))
        for planned in plan.orders:
            run.stopped = run.stopped or self._outdated(context)
            if run.stopped:
                run.leave(planned.request, run.stopped)
            else:
                await self._carry_out(planned, context, run)
        return run.report()

    def _inputs(self, intent: PlannedIntent, context: ExecutionContext) -> Mapping[str, Any]:
        """What the decision rested on, and what its fills will be judged by."""
        quote = context.quotes.get(intent.symbol)
        mark = {} if quote is None else {"mark": repr(quote.mark)}
        return {**context.inputs, **mark, "slices": self.guard.slices(intent.intent_id)}

    async def _carry_out(self, planned: PlannedOrder, context: ExecutionContext, run: Run) -> None:
        """One order that fills at once or ends."""
        outcome = await self._place(planned, context, run)
        if isinstance(outcome, Denied):
            request = planned.request
            run.results.append(
                PlaceResult(request, OrderState.PLANNED, denied=outcome, detail=outcome.reason)
            )
        elif outcome is not None:
            await self._settle(outcome, run)
