"""The least-cost hedge that respects every cap, and beyond the caps as much as pays.

With λ = 0 it is the cheapest way back under the caps; with λ above 0 it also takes away the risk
that is cheaper to hedge than to bear.
"""

from dataclasses import replace

import numpy as np

from risk.covariance.estimators import HEDGE_ESTIMATOR
from strategies.answer import PlannedProposal, conflict
from strategies.checks import check_choices, check_facts
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.model import HedgeModel, hedge_model
from strategies.plan import Plan, Planner, Plans, closed
from strategies.proposal import HedgeProposal, NoHedge, NoHedgeReason, RiskState
from strategies.solution import Unsolved
from strategies.state import risk_state
from strategies.still import StandingStill
from strategies.unwind import unwound


class MinimumRisk:
    """Hedges by convex optimisation; keeps compiled problems, so not to be shared by threads."""

    estimator = HEDGE_ESTIMATOR
    """Of the covariance that it is to be told."""

    _checked: HedgeChoices | None = None

    def __init__(self) -> None:
        self._planner: Plans = Planner()

    @property
    def name(self) -> str:
        """As it is called in the config."""
        return "minimum_risk"

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        """The least-cost hedge, or the reason for none.

        The same facts and choices give the same answer, whatever was decided before. Where the
        bot is flat, hedges that are left are closed whatever they cost, as fast as the volume
        allows; so is, first of all, a hedge in a symbol where hands are off.

        Raises:
            OptimizationError: a fact or a choice is malformed; names the field.
        """
        check_facts(facts)
        if choices is not self._checked:  # they cannot change
            check_choices(choices)
            self._checked = choices
        facts = facts.kept()
        bot_flat, hedges_flat = not facts.bot_usd.any(), not facts.hedge_usd.any()
        if bot_flat and hedges_flat:
            detail = "the bot holds nothing and no hedge is open"
            return self._none(facts, NoHedgeReason.FLAT, detail, _now(facts, choices))
        if bot_flat:
            model = self._model(facts, choices)
            plan = closed(model, unwound(facts, choices))
            return PlannedProposal(self.name, facts, choices, model=model, plan=plan)
        start = _hands_taken_off(facts, choices)
        model = self._model(start, choices)
        found = self._planner.plan(model) if len(model.movable) else None
        if isinstance(found, Unsolved) and not (found.infeasible and start is not facts):
            return self._unsolved(facts, found, _now(facts, choices))
        if isinstance(found, Plan):
            plan = found
        elif start is facts:
            detail = "no symbol is left to hedge with: every one is hands-off or not eligible"
            state = _now(facts, choices)
            return self._none(facts, NoHedgeReason.NOTHING_ALLOWED, detail, state)
        else:
            plan = closed(model, start.hedge_usd)
        if (plan.lots.hedge_usd == facts.hedge_usd).all():
            return self._standing_still(facts, choices, model, plan)
        return PlannedProposal(self.name, facts, choices, model=model, plan=plan)

    def _model(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeModel:
        """What is to be solved; a strategy that leaves something out of account replaces it."""
        return hedge_model(facts, choices)

    def _unsolved(self, facts: HedgeFacts, plan: Unsolved, before: RiskState) -> NoHedge:
        if plan.infeasible:
            detail = "the caps exclude each other and no allowed hedge brings any of them closer"
            return self._none(facts, NoHedgeReason.INFEASIBLE, detail, before)
        detail = f"held: the solver ended with {plan.status}, which is never acted on"
        return self._none(facts, NoHedgeReason.SOLVER_FAILED, detail, before)

    def _standing_still(
        self, facts: HedgeFacts, choices: HedgeChoices, model: HedgeModel, plan: Plan
    ) -> NoHedge:
        if plan.conflict is None and model.caps.clearly_kept:
            return StandingStill(self.name, facts, choices, model)
        before = _now(facts, choices)
        if not before.breaches:
            return StandingStill(self.name, facts, choices, model)
        reasons = conflict(model, plan, before)
        caps = ", ".join(dict.fromkeys(breach.cap for breach in before.breaches))
        detail = f"no allowed trade brings {caps} closer to its cap without harm to another"
        if reasons is not None and len(reasons.caps) > 1:
            against = ", ".join(dict.fromkeys(one.cap for one in reasons.caps))
            detail += f"; together these cannot be met: {against}"
        held = self._none(facts, NoHedgeReason.INFEASIBLE, detail, before)
        return replace(held, conflict=reasons)

    def _none(
        self, facts: HedgeFacts, reason: NoHedgeReason, detail: str, state: RiskState
    ) -> NoHedge:
        return NoHedge(self.name, facts.timestamp_ms, reason, detail, state)


def _now(facts: HedgeFacts, choices: HedgeChoices) -> RiskState:
    """The risk as it stands."""
    return risk_state(facts, choices, facts.hedge_usd)


def _hands_taken_off(facts: HedgeFacts, choices: HedgeChoices) -> HedgeFacts:
    """The facts as they are once hedges in the bots' own symbols are closed, as far as they may be.

    They come back unchanged where there is no such hedge.
    """
    if not facts.hands_off:
        return facts
    off = np.array([symbol in facts.hands_off for symbol in facts.symbols])
    left = unwound(facts, choices, off)
    traded = float(np.sum(np.abs(left - facts.hedge_usd)))
    if traded == 0:
        return facts
    used = facts.turnover_used_usd + traded
    return replace(facts, hedge_usd=left, turnover_used_usd=used)
