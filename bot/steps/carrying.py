"""Carries a proposal out: plans its orders, has them sent, and says what came of it."""

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bot.records.cycle import CycleRecord, CycleStatus
from bot.records.ending import Look, ended, outcome
from bot.records.summary import fill_records, hedge_vector, leg_records, order_records
from bot.steps.parts import EngineParts, Policy
from bot.trading.execution import ExecutionContext, ExecutionReport
from bot.trading.order_costs import SymbolCost
from bot.trading.planner import Plan, PlanIdentity, Skipped, plan_orders
from bot.trading.worst_case import CapUse
from risk.errors import DataError
from strategies.costs import cost_model
from strategies.proposal import HedgeProposal
from strategies.state import limit_report, risk_state


async def carry_out(
    parts: EngineParts,
    policy: Policy,
    seen: CycleRecord,
    look: Look,
    proposal: HedgeProposal,
    *,
    closing: bool,
    continuing: bool = False,
) -> tuple[CycleRecord, ExecutionReport]:
    """The record of the cycle with what was sent, and what became of that.

    With ``continuing`` nothing new is planned; slices of an earlier decision go out.

    Raises:
        JournalError: the journal failed; the engine must stop.
    """
    plan = Plan((), (), ())
    if not continuing:
        plan = _planned(parts, policy, seen, look, proposal)
    for skipped in plan.skipped:
        parts.log.warning("leg_skipped", symbol=skipped.symbol, reason=skipped.reason)
    context = _context(parts, seen, look, proposal, closing=closing)
    context = replace(context, continuing=continuing)
    report = await parts.executor.execute(plan, context)
    return _executed(parts, seen, look, proposal, report, skipped=plan.skipped), report


def _planned(
    parts: EngineParts, policy: Policy, seen: CycleRecord, look: Look, proposal: HedgeProposal
) -> Plan:
    observation = look.observation
    account = observation.account
    return plan_orders(
        proposal,
        observation.instruments,
        observation.quotes,
        observation.own,
        identity=PlanIdentity(parts.venue.account_name, seen.cycle_id, parts.journal.install_key),
        settings=replace(policy.plan(account.state.equity_usd), hedge_mode=account.hedge_mode),
    )


def _context(
    parts: EngineParts, seen: CycleRecord, look: Look, proposal: HedgeProposal, *, closing: bool
) -> ExecutionContext:
    facts, observation = look.assessment.facts, look.observation
    may_hedge = zip(facts.symbols, facts.may_hedge, strict=True)
    return ExecutionContext(
        cycle_id=seen.cycle_id,
        instruments=observation.instruments,
        quotes=observation.quotes,
        account=observation.account,
        allowed=frozenset(symbol for symbol, may in may_hedge if may),
        limits_hash=_hash_of(look.choices.limits),
        inputs={"sentence": proposal.sentence},
        cap_use=cap_use_of(look),
        looked_ms=observation.book.timestamp_ms,
        instruments_ms=parts.monitor.instruments_ms,
        closing=closing,
        breached=bool(proposal.before.breaches),
        expected=_expected(look),
    )


def _expected(look: Look) -> dict[str, SymbolCost]:
    """What the decision reckoned a trade to cost, by symbol."""
    facts, model = look.assessment.facts, cost_model(look.assessment.facts, look.choices)
    scale = np.sqrt(np.diag(facts.covariance_daily) / facts.adv_usd)
    columns = (model.fee, model.half_spread, model.impact_per_root_usd, scale)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    found = dict(zip(facts.symbols, (SymbolCost(*row) for row in rows), strict=True))
    return {s: c for s, c in found.items() if all(map(math.isfinite, dataclasses.astuple(c)))}


def cap_use_of(look: Look) -> CapUse:
    """What these hedges would use of each cap.

    It raises a DataError for a symbol that the look did not measure: something moved there since.
    """
    facts = look.assessment.facts

    def use(hedge_usd: Mapping[str, float]) -> Mapping[str, float]:
        unknown = sorted(s for s, usd in hedge_usd.items() if usd and s not in facts.symbols)
        if unknown:
            raise DataError(f"{unknown[0]} moved during the plan, which was made without it")
        vector = np.array([hedge_usd.get(symbol, 0.0) for symbol in facts.symbols])
        return limit_report(facts, look.choices, vector).cap_use

    return use


def _executed(
    parts: EngineParts,
    seen: CycleRecord,
    look: Look,
    proposal: HedgeProposal,
    report: ExecutionReport,
    *,
    skipped: Sequence[Skipped],
) -> CycleRecord:
    facts = look.assessment.facts
    marks = dict(zip(facts.symbols, facts.price_usd.tolist(), strict=True))
    own = parts.journal.own_positions(parts.venue.account_name)
    hedge_usd = hedge_vector(facts, own, marks)
    after = risk_state(facts, look.choices, hedge_usd)
    status, reason = outcome(report, proposal, skipped)
    if report.waiting and not report.results:
        status, reason = CycleStatus.NO_HEDGE, report.waiting
    record = ended(seen, look, status, reason, proposal, after=after)
    return replace(
        record,
        legs=leg_records(facts, proposal, hedge_usd),
        orders=order_records(report.results),
        fills=fill_records(report.fills),
        costs=tuple(cost.document() for cost in report.costs),
    )


def _hash_of(limits: object) -> str:
    return hashlib.sha256(repr(limits).encode()).hexdigest()[:16]
