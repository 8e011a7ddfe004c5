"""The price of every cap against finite differences, row by row."""

from dataclasses import replace

import numpy as np
import pytest

from risk.limits.caps import RiskLimits
from risk.limits.stresses import account_stress, gap_returns
from strategies.inputs import HedgeFacts
from strategies.model import HedgeModel, hedge_model
from strategies.problem import HedgeProblem
from strategies.shape import shape_of
from strategies.solution import Relaxed
from tests.strategies_cases import easy, random_facts

TIGHT = {
    "token_usd": 0.9,
    "hedge_gross_usd": 0.9,
    "net_usd": 0.9,
    "sector_net_usd": 0.9,
    "cluster_net_usd": 0.9,
    "cluster_gross_usd": 0.9,
    "beta_net_usd": 0.9,
    "cae_usd": 0.98,
    "turnover_daily_usd": 0.9,
    "adv_share": 0.9,
    "margin_use": 0.9,
    "bot_margin_share": 0.9,
    "stress_use": 0.9,
}
"""Each cap alone, at this part of what it measures without it."""

LOOSE = {"adv_share": 0.9, "margin_use": 100.0, "bot_margin_share": 100.0, "stress_use": 100.0}


def facts_of(cap: str, *, shared: bool = False) -> HedgeFacts:
    facts = random_facts(3, n=6, held=2)
    named = gap_returns(facts.in_sector, gap=0.3, benchmark_gap=0.1)
    return replace(
        facts,
        beta_btc_se=np.linspace(0.05, 0.3, 6),
        stress=account_stress(named, np.full(6, 0.05), shared=shared),
        adv_usd=facts.adv_usd * (1e-2 if cap == "adv_share" else 1.0),
        bot_free_margin_usd=30_000.0 if cap == "bot_margin_share" else None,
    )


def solved(problem: HedgeProblem, model: HedgeModel, limits: np.ndarray) -> Relaxed:
    answer = problem.solve(model, limits)
    assert isinstance(answer, Relaxed), answer
    return answer


@pytest.mark.parametrize("impact", [0.0, 1.0])
@pytest.mark.parametrize("cap", TIGHT)
def test_every_cap_has_the_price_that_finite_differences_give_it(cap: str, impact: float):
    facts = facts_of(cap, shared=cap == "stress_use" and impact > 0)
    choices = easy(
        RiskLimits(**{cap: LOOSE.get(cap, 1e9)}),
        risk_aversion=1.0,
        impact=impact,
        beta_uncertainty=1.0,
    )
    model = hedge_model(facts, choices)
    problem = HedgeProblem(shape_of(model))
    free = solved(problem, model, model.caps.limits)
    values = model.caps.values(free.hedge_usd)
    row = int(np.argmax(np.where(np.isfinite(model.caps.limits), values, -np.inf)))
    if cap == "token_usd":
        row = int(np.argmax(np.abs(free.hedge_usd)))
    limits = model.caps.limits.copy()
    limits[row] = TIGHT[cap] * values[row]
    at = solved(problem, model, limits)
    step = 2e-3 * limits[row]
    ends = []
    for sign in (-1.0, 1.0):
        moved = limits.copy()
        moved[row] += sign * step
        ends.append(solved(problem, model, moved).objective_usd)
    slope = (ends[0] - ends[1]) / (2 * step)
    assert slope > 1e-6, "the cap must bind"
    assert at.duals[row] == pytest.approx(slope, rel=5e-3)
    assert model.caps.by_cap(at.duals, np.sum)[cap] == pytest.approx(at.duals[row], rel=1e-3)
