"""From a plan to a proposal: what the trades are, do, cost, and what else was weighed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from risk.book import FloatArray
from strategies.alternatives import alternatives
from strategies.caps import excess
from strategies.costs import cost_model
from strategies.cushion import passed_on
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.model import HedgeModel
from strategies.plan import Plan
from strategies.proposal import (
    Alternative,
    CapInConflict,
    Conflict,
    CostEstimate,
    Deleveraging,
    HedgeLeg,
    HedgeProposal,
    RiskState,
    StressLine,
    VarianceSplit,
)
from strategies.sentence import proposal_sentence
from strategies.state import risk_state
from strategies.strain import deleveraging, stress_lines
from strategies.variance import variance_split

_SAME_LIMIT = 2e-3  # of the unit of money


class PlannedProposal(HedgeProposal):
    """The proposal that carries out a plan; what it tells is worked out once, when asked for.

    Orders need its legs alone. Equal to another where all that it tells is.

    Args:
        strategy: its name.
        facts: as they are, and kept as they are (``HedgeFacts.kept``), for what is told is worked
            out later; ``model`` may start from hedges that were closed beforehand.
        choices: the owner's.
        model, plan: what was decided.
    """

    def __init__(
        self,
        strategy: str,
        facts: HedgeFacts,
        choices: HedgeChoices,
        *,
        model: HedgeModel,
        plan: Plan,
    ) -> None:
        # Not set by the class it comes from: that one is frozen, and has these as fields.
        known = {
            "strategy": strategy,
            "timestamp_ms": facts.timestamp_ms,
            "legs": _legs(facts, plan.lots.hedge_usd),
            "objective_relaxed": plan.relaxed.objective_usd,
            "objective_lots": plan.lots.objective_usd,
            "solver_status": plan.status,
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)
        self.__dict__["_told"] = _Told(facts, choices, model, plan)

    @property
    def _of(self) -> "_Told":
        told: _Told = self.__dict__["_told"]
        return told

    @cached_property
    def before(self) -> RiskState:
        return risk_state(self._of.facts, self._of.choices, self._of.facts.hedge_usd)

    @cached_property
    def after(self) -> RiskState:
        return risk_state(self._of.facts, self._of.choices, self._of.target)

    @cached_property
    def cost(self) -> CostEstimate:
        facts, target = self._of.facts, self._of.target
        return cost_model(facts, self._of.choices).estimate(target, target - facts.hedge_usd)

    @cached_property
    def shadow_prices(self) -> dict[str, float]:
        return _shadow_prices(self._of.choices, self._of.model, self._of.plan)

    @cached_property
    def slacks_usd(self) -> dict[str, float]:
        return _slacks(self._of.facts, self._of.choices, self._of.model, self._of.target)

    @cached_property
    def sentence(self) -> str:
        return proposal_sentence(
            self._of.facts,
            self._of.target,
            before=self.before,
            after=self.after,
            cost=self.cost,
            slacks_usd=self.slacks_usd,
            conflict=self.conflict,
        )

    @cached_property
    def alternatives(self) -> tuple[Alternative, ...]:
        relaxed = self._of.plan.relaxed.hedge_usd
        return alternatives(self._of.facts, self._of.model, self._of.target, relaxed)

    @cached_property
    def variance(self) -> VarianceSplit:
        return variance_split(self._of.facts, self._of.target)

    @cached_property
    def stresses(self) -> tuple[StressLine, ...]:
        return stress_lines(self._of.facts, self._of.target)

    @cached_property
    def deleveraging(self) -> Deleveraging | None:
        return deleveraging(self._of.facts, self._of.target)

    @cached_property
    def conflict(self) -> Conflict | None:
        plan = self._of.plan
        return None if plan.conflict is None else conflict(self._of.model, plan, self.before)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a proposal tells of."""

    facts: HedgeFacts
    choices: HedgeChoices
    model: HedgeModel
    plan: Plan

    @property
    def target(self) -> FloatArray:
        return self.plan.lots.hedge_usd


def conflict(model: HedgeModel, plan: Plan, before: RiskState) -> Conflict | None:
    """Why the caps cannot all be met; None where they can."""
    if plan.conflict is None:
        return None
    caps = model.caps
    rows = tuple(CapInConflict(caps.names[i], caps.scopes[i]) for i in plan.conflict.tolist())
    alone = dict.fromkeys(breach.cap for breach in before.breaches if breach.bot_alone)
    return Conflict(rows, tuple(alone))


def _shadow_prices(choices: HedgeChoices, model: HedgeModel, plan: Plan) -> dict[str, float]:
    """USD of J for one USD more of each cap as it stands in the config, over all of its rows."""
    caps = model.caps
    values = caps.values(plan.relaxed.hedge_usd)
    prices = plan.relaxed.duals * passed_on(
        caps, values, choices.cushion, _SAME_LIMIT * model.unit_usd
    )
    if choices.limits.token_usd is not None:
        # Widened to what allowed hedges can reach: the cap itself is out of their reach.
        widened = caps.limits > choices.limits.token_usd * (1 + 1e-9)
        tokens = np.array([name == "token_usd" for name in caps.names])
        prices[tokens & widened] = 0.0
    return caps.by_cap(prices, np.sum)


def _slacks(
    facts: HedgeFacts, choices: HedgeChoices, model: HedgeModel, target: FloatArray
) -> dict[str, float]:
    """By cap, how far it must be raised for the trades to fit; only those that must."""
    over = excess(model.caps.values(target), model.caps.limits)
    slacks = model.caps.by_cap(over, np.max)
    cap = choices.limits.turnover_daily_usd
    if cap is not None:
        # All trades count, those too that closed what the model no longer knew of.
        traded, left = np.sum(np.abs(target - facts.hedge_usd)), cap - facts.turnover_used_usd
        slacks["turnover_daily_usd"] = float(excess(traded, np.maximum(left, 0.0)))
    return {cap: usd for cap, usd in slacks.items() if usd > 0}


def _legs(facts: HedgeFacts, target: FloatArray) -> tuple[HedgeLeg, ...]:
    columns = (facts.hedge_usd, target, target - facts.hedge_usd, facts.price_usd)
    rows = zip(facts.symbols, *(column.tolist() for column in columns), strict=True)
    return tuple(HedgeLeg(*row) for row in rows if row[1] != 0 or row[2] != 0)
