"""From a plan to a proposal: what the trades are, do, cost, and what else was weighed."""

import numpy as np

from risk.book import FloatArray
from strategies.alternatives import alternatives
from strategies.caps import excess
from strategies.costs import cost_model
from strategies.cushion import passed_on
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.model import HedgeModel
from strategies.plan import Plan
from strategies.proposal import CapInConflict, Conflict, HedgeLeg, HedgeProposal, RiskState
from strategies.sentence import proposal_sentence
from strategies.state import risk_state
from strategies.strain import deleveraging, stress_lines
from strategies.variance import variance_split

_SAME_LIMIT = 2e-3  # of the unit of money


def proposal(
    strategy: str,
    facts: HedgeFacts,
    choices: HedgeChoices,
    *,
    model: HedgeModel,
    plan: Plan,
    before: RiskState,
) -> HedgeProposal:
    """The proposal that carries out ``plan``.

    Args:
        strategy: its name.
        facts: as they are; ``model`` may start from hedges that were closed beforehand.
        before: risk as it stands.
    """
    target = plan.lots.hedge_usd
    after = risk_state(facts, choices, target)
    cost = cost_model(facts, choices).estimate(target, target - facts.hedge_usd)
    slacks = _slacks(facts, choices, model, target)
    reasons = conflict(model, plan, before)
    return HedgeProposal(
        strategy=strategy,
        timestamp_ms=facts.timestamp_ms,
        legs=_legs(facts, target),
        before=before,
        after=after,
        cost=cost,
        shadow_prices=_shadow_prices(choices, model, plan),
        slacks_usd=slacks,
        objective_relaxed=plan.relaxed.objective_usd,
        objective_lots=plan.lots.objective_usd,
        solver_status=plan.status,
        sentence=proposal_sentence(
            facts,
            target,
            before=before,
            after=after,
            cost=cost,
            slacks_usd=slacks,
            conflict=reasons,
        ),
        alternatives=alternatives(facts, model, target, plan.relaxed.hedge_usd),
        variance=variance_split(facts, target),
        stresses=stress_lines(facts, target),
        deleveraging=deleveraging(facts, target),
        conflict=reasons,
    )


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
        tokens = caps.blocks["token"]
        prices[tokens] = np.where(widened[tokens], 0.0, prices[tokens])
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
    return tuple(
        HedgeLeg(
            symbol=facts.symbols[i],
            current_usd=float(facts.hedge_usd[i]),
            target_usd=float(target[i]),
            trade_usd=float(target[i] - facts.hedge_usd[i]),
            price_usd=float(facts.price_usd[i]),
        )
        for i in np.flatnonzero((facts.hedge_usd != 0) | (target != 0)).tolist()
    )
