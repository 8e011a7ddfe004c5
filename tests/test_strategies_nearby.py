"""One step from a solved problem, against solving the problem next to it."""

from dataclasses import replace

import numpy as np
import pytest

from risk.limits.caps import RiskLimits
from strategies.caps import excess
from strategies.inputs import HedgeChoices
from strategies.lots import Lots, best_lots, nearest_lots
from strategies.model import HedgeModel, hedge_model
from strategies.nearby import Nearby, near_starts, nearby
from strategies.plan import Plan, Planner, _from_nearby
from strategies.problem import HedgeProblem
from strategies.shape import shape_of
from strategies.solution import Relaxed
from tests.strategies_cases import easy, free, random_facts

CAPS = RiskLimits(
    hedge_gross_usd=60_000,
    net_usd=45_000,
    cluster_net_usd=60_000,
    beta_net_usd=60_000,
    cae_usd=300_000,
)
CHOICES = {
    "no caps": easy(RiskLimits()),
    "net": easy(RiskLimits(net_usd=40_000.0), risk_aversion=0.1),
    "gross": easy(RiskLimits(hedge_gross_usd=25_000.0)),
    "cone": easy(RiskLimits(cae_usd=180_000.0), risk_aversion=1.0),
    "impact": easy(RiskLimits(net_usd=40_000.0), risk_aversion=0.1, impact=1.0),
    "uncertainty": easy(CAPS, estimation_uncertainty=0.05),
}


def solved(model: HedgeModel, limits: np.ndarray) -> Relaxed:
    answer = HedgeProblem(shape_of(model)).solve(model, limits)
    assert isinstance(answer, Relaxed), answer
    return answer


def stepping(seed: int, choices: HedgeChoices) -> Nearby:
    model = hedge_model(random_facts(seed, n=10, held=3), choices)
    near = nearby(model, model.caps.limits, solved(model, model.caps.limits))
    assert near is not None
    return near


@pytest.mark.parametrize("name", list(CHOICES))
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_a_small_trade_left_out_costs_what_solving_again_says(name: str, seed: int):
    near = stepping(seed, CHOICES[name])
    model = near.model
    size = np.where(near.trade != 0, np.abs(near.trade), np.inf)
    out = np.array([int(np.argmin(size))])
    step = near.stepped(out, np.zeros(len(near.rows)))
    assert step is not None
    assert step[out[0]] == model.current[out[0]]
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[out] = upper[out] = model.current[out]
    again = solved(replace(model, lower=lower, upper=upper), near.limits)
    rise = again.objective_usd - near.relaxed.objective_usd
    assert near.cost_usd(step) == pytest.approx(again.objective_usd, abs=0.3 * rise + 0.01)


@pytest.mark.parametrize("name", ["gross"])
def test_distance_from_a_cap_is_kept_to_the_dollar(name: str):
    near = stepping(2, CHOICES[name])
    assert len(near.rows) >= 1
    step = near.stepped(np.array([], dtype=np.int64), np.full(len(near.rows), 5.0))
    assert step is not None
    values = near.model.caps.values(step)[near.rows]
    assert values == pytest.approx(near.limits[near.rows] - 5.0, abs=0.2)


def test_a_step_that_changes_nothing_stays_at_the_solution():
    near = stepping(1, CHOICES["uncertainty"])
    step = near.stepped(np.array([], dtype=np.int64), np.zeros(len(near.rows)))
    assert step is not None
    assert step == pytest.approx(near.relaxed.hedge_usd, abs=1.0)


@pytest.mark.parametrize("name", list(CHOICES))
def test_lots_found_nearby_are_inside_the_caps_and_nearly_as_good_as_the_bound(name: str):
    near = 0
    for seed in range(8):
        model = hedge_model(random_facts(seed, n=10, held=3), CHOICES[name])
        plan = Planner().plan(model)
        assert isinstance(plan, Plan)
        if "margin" in plan.status or "eased" in plan.status:
            continue
        near += 1
        values = model.caps.values(plan.lots.hedge_usd)
        assert not np.any(excess(values, model.caps.limits))
        gained = float(model.objective_usd(model.current)) - plan.relaxed.objective_usd
        worth = model.trade_worth_usd * np.count_nonzero(near_trades(plan, model))
        gap = plan.lots.objective_usd - plan.relaxed.objective_usd
        assert -1e-3 <= gap <= 0.02 * abs(gained) + worth
    assert near >= 6


def near_trades(plan: Plan, model: HedgeModel) -> np.ndarray:
    return plan.relaxed.hedge_usd != model.current


def test_searching_from_the_steps_is_as_good_as_searching_from_solutions():
    near = stepping(3, CHOICES["net"])
    model = near.model
    stepped = best_lots(model, near.limits, [nearest_lots(model, h) for h in near_starts(near)])
    plain = best_lots(model, near.limits, [nearest_lots(model, near.relaxed.hedge_usd)])
    assert stepped.objective_usd <= plain.objective_usd + model.trade_worth_usd * 10


def test_costs_without_curvature_are_left_to_the_solver():
    model = hedge_model(random_facts(1), free(net_usd=30_000.0))
    relaxed = solved(model, model.caps.limits)
    assert nearby(model, model.caps.limits, relaxed) is None


def test_equations_that_cannot_be_solved_are_left_to_the_solver(monkeypatch: pytest.MonkeyPatch):
    near = stepping(2, CHOICES["gross"])
    none, flush = np.array([], dtype=np.int64), np.zeros(len(near.rows))
    flat = replace(near, hessian=np.zeros_like(near.hessian), slopes=0.0 * near.slopes)
    assert flat.stepped(none, flush) is None
    assert replace(near, hessian=np.nan * near.hessian).stepped(none, flush) is None
    stepped = Planner().plan(near.model)
    assert isinstance(stepped, Plan)

    def singular(*_: object) -> np.ndarray:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("strategies.nearby.np.linalg.solve", singular)
    solved_again = Planner().plan(near.model)
    assert isinstance(solved_again, Plan)
    worth = near.model.trade_worth_usd * len(near.trade)
    assert solved_again.lots.objective_usd == pytest.approx(stepped.lots.objective_usd, abs=worth)


def test_dust_of_a_solver_is_no_trade_and_allows_for_none(monkeypatch: pytest.MonkeyPatch):
    """Lots may cost more than the solution by what trades left out were worth; dust was none."""
    model = hedge_model(random_facts(1, n=10, held=3), CHOICES["net"])
    limits = model.caps.limits
    clean = solved(model, limits)
    lots = nearest_lots(model, clean.hedge_usd)
    gap = 0.01 * (model.objective_now_usd - clean.objective_usd)
    for trades, accepted in ((0.5, True), (3.0, False)):
        objective = clean.objective_usd + gap + (trades - 0.5) * model.trade_worth_usd
        dear = Lots(lots, objective, over_usd=0.0)
        monkeypatch.setattr("strategies.plan.best_lots", lambda *_, dear=dear, **__: dear)
        still = (lots == model.current) & (model.upper > model.lower)
        dusty = replace(clean, hedge_usd=np.where(still, -1.0, clean.hedge_usd))
        assert np.count_nonzero(still) >= 3
        found = _from_nearby(model, limits, dusty)
        assert (found is not None) is accepted
