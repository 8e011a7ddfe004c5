"""The convex problem against closed forms, another solver, and finite differences."""

import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import minimize

import strategies.problem
from risk.limits.caps import RiskLimits
from strategies.caps import excess
from strategies.certificate import lower_bound_usd
from strategies.compiled import CompiledProblem
from strategies.constraints import out_of_reach
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.model import HedgeModel, hedge_model
from strategies.problem import HedgeProblem
from strategies.shape import shape_of
from strategies.solution import Relaxed, Unsolved
from tests.strategies_cases import easy, free, random_facts, two_tokens
from tests.strategies_choices import CAPS as STRESSED_CAPS

CAPS = replace(STRESSED_CAPS, stress_use=None)
EVERYTHING = easy(
    CAPS, impact=1.0, estimation_uncertainty=0.05, carry_risk=1.0, crowding_charge=0.01
)


def solved(facts: HedgeFacts, choices: HedgeChoices) -> tuple[HedgeModel, Relaxed]:
    model = hedge_model(facts, choices)
    answer = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
    assert isinstance(answer, Relaxed), answer
    return model, answer


def price(model: HedgeModel, answer: Relaxed, cap: str) -> float:
    return model.caps.by_cap(answer.duals, np.sum)[cap]


def test_two_tokens_have_a_closed_form():
    facts = two_tokens(funding_daily=np.array([0.0, 2e-4]))
    _, answer = solved(facts, easy(RiskLimits(), risk_aversion=4.0))
    weight = 4.0 / (2 * 50_000.0)
    s = facts.covariance_daily
    # 2w(Σ₀₁p + Σ₁₁h) + φ − a/5 = 0 on the short side
    expected = -(2 * weight * s[0, 1] * 50_000.0 + 2e-4 - 7e-4 / 5) / (2 * weight * s[1, 1])
    assert answer.hedge_usd[1] == pytest.approx(expected, rel=1e-6)
    assert answer.hedge_usd[0] == 0.0


def test_the_objective_in_dollars_by_hand():
    facts = two_tokens(funding_daily=np.array([0.0, 2e-4]))
    choices = easy(RiskLimits(), risk_aversion=3.0, horizon_days=2.0, estimation_uncertainty=0.1)
    model = hedge_model(facts, choices)
    # 50,000 and -20,000 at 5 % a day, correlated 0.8: variance 2,500² + 1,000² - 1.6·2,500·1,000
    variance, spread = 2_500.0**2 + 1_000.0**2 - 1.6 * 2_500.0 * 1_000.0, 3_500.0
    risk = 3.0 * 2.0 / (2 * 50_000.0) * (variance + 0.1 * spread**2)
    costs = -2.0 * 2e-4 * 20_000.0 + 2.0 / 5.0 * 7e-4 * 20_000.0
    assert float(model.objective_usd(np.array([0.0, -20_000.0]))) == pytest.approx(risk + costs)


def test_a_cost_above_the_gain_means_no_trade():
    facts = two_tokens(taker_fee=np.full(2, 0.2))
    _, answer = solved(facts, easy(RiskLimits()))
    assert answer.hedge_usd == pytest.approx(0.0, abs=1e-3)


def test_without_risk_aversion_the_cheapest_way_under_the_caps():
    facts = two_tokens(
        50_000.0, 0.0, 0.0, taker_fee=np.array([0.0, 3e-4, 8e-4]), half_spread=np.full(3, 2e-4)
    )
    model, answer = solved(facts, free(net_usd=30_000.0, token_usd=15_000.0))
    assert answer.hedge_usd == pytest.approx([0.0, -15_000.0, -5_000.0], abs=0.1)
    # One dollar more of net saves the dearer trade; one more of token moves a dollar across.
    assert price(model, answer, "net_usd") == pytest.approx(1e-3 / 5, rel=1e-4)
    assert price(model, answer, "token_usd") == pytest.approx(5e-4 / 5, rel=1e-4)


def test_a_turnover_cap_leaves_what_is_used_up_out():
    facts = two_tokens(turnover_used_usd=4_000.0)
    _, answer = solved(facts, easy(RiskLimits(turnover_daily_usd=10_000.0)))
    assert answer.hedge_usd[1] == pytest.approx(-6_000.0, abs=0.1)


def test_a_hands_off_hedge_may_shrink_and_never_grow():
    held = two_tokens(50_000.0, -1_000.0, may_hedge=np.array([False, False]))
    _, answer = solved(held, easy(RiskLimits()))
    assert answer.hedge_usd[1] == pytest.approx(-1_000.0, abs=0.1)
    paid = replace(held, funding_daily=np.array([0.0, -0.05]))
    _, answer = solved(paid, easy(RiskLimits()))
    assert answer.hedge_usd[1] == pytest.approx(0.0, abs=0.1)


def test_longs_only_where_they_are_chosen():
    facts = two_tokens(-50_000.0)
    _, short = solved(facts, easy(RiskLimits()))
    _, signed = solved(facts, easy(RiskLimits(), shorts_only=False))
    assert short.hedge_usd[1] == 0.0
    assert signed.hedge_usd[1] > 30_000.0


def slsqp(model: HedgeModel) -> float:
    """The least J by sequential quadratic programming, every |z| split into two sides."""
    free = np.flatnonzero(model.upper > model.lower)
    count, unit = len(free), model.unit_usd

    def hedge(v: np.ndarray) -> np.ndarray:
        h = model.current.copy()
        h[free] += (v[:count] - v[count:]) * unit
        return h

    def rise(v: np.ndarray) -> float:
        h, t = hedge(v), np.zeros(len(model.bot))
        t[free] = (v[:count] + v[count:]) * unit
        split = float(model.costs.objective_usd(h, t))
        risk = float(model.objective_usd(h) - model.costs.objective_usd(h, h - model.current))
        return (risk + split) / unit

    def room(v: np.ndarray) -> np.ndarray:
        left = (model.caps.limits - model.caps.values(hedge(v))) / unit
        return left[np.isfinite(left)]

    sides = [(0.0, float(r)) for r in (model.upper - model.current)[free] / unit]
    sides += [(0.0, float(r)) for r in (model.current - model.lower)[free] / unit]
    best = np.inf
    for start in (0.0, 1.0, 4.0):
        guess = np.concatenate([np.zeros(count), np.full(count, start)])
        guess = np.clip(guess, 0.0, [high for _, high in sides])
        answer = minimize(
            rise,
            guess,
            method="SLSQP",
            bounds=sides,
            constraints={"type": "ineq", "fun": room},
            options={"maxiter": 400, "ftol": 1e-12},
        )
        if np.all(room(answer.x) > -1e-6):
            best = min(best, float(answer.fun) * unit)
    return best


@pytest.mark.parametrize("seed", [1, 3, 4, 10, 12])
def test_another_solver_finds_the_same_cost(seed: int):
    facts = random_facts(seed, n=6, held=2)
    model, answer = solved(facts, EVERYTHING)
    assert np.all(excess(model.caps.values(answer.hedge_usd), model.caps.limits + 0.01) == 0)
    reference = slsqp(model)
    assert answer.objective_usd == pytest.approx(reference, rel=2e-4)
    assert answer.objective_usd <= reference + 0.01


@pytest.mark.parametrize("gross_usd", [300.0, 100_000.0, 50_000_000.0])
@pytest.mark.parametrize("choices", [EVERYTHING, easy(CAPS), easy(RiskLimits())])
def test_a_bound_without_a_solver_confirms_books_of_every_size(
    gross_usd: float, choices: HedgeChoices
):
    scale = gross_usd / 100_000.0
    limits = RiskLimits(
        **{
            f.name: value if f.name in {"adv_share", "margin_use"} else value * scale
            for f in fields(RiskLimits)
            if (value := getattr(choices.limits, f.name)) is not None
        }
    )
    facts = random_facts(7, n=12, gross_usd=gross_usd)
    model, answer = solved(facts, replace(choices, limits=limits))
    limit = np.minimum(model.caps.limits, out_of_reach(model))
    bound = lower_bound_usd(model, limit, answer.duals, answer.hedge_usd)
    assert bound <= answer.objective_usd + 1e-9 * gross_usd
    assert answer.objective_usd - bound < 1e-6 * gross_usd


@pytest.mark.parametrize("cap", ["net_usd", "cae_usd", "hedge_gross_usd", "turnover_daily_usd"])
def test_shadow_prices_are_finite_differences(cap: str):
    facts = random_facts(3, n=6, held=2)
    calm = easy(RiskLimits(**{cap: 1e9}), risk_aversion=1.0)
    model, answer = solved(facts, calm)
    limit = 0.98 * float(model.caps.values(answer.hedge_usd)[0])

    def at(change: float) -> tuple[HedgeModel, Relaxed]:
        return solved(facts, replace(calm, limits=RiskLimits(**{cap: limit + change})))

    model, answer = at(0.0)
    step = 1e-3 * limit
    slope = (at(-step)[1].objective_usd - at(step)[1].objective_usd) / (2 * step)
    assert slope > 1e-6
    assert price(model, answer, cap) == pytest.approx(slope, rel=2e-3)


def test_a_cap_that_does_not_bind_has_no_price():
    _, answer = solved(random_facts(3), easy(RiskLimits(net_usd=1e12, token_usd=1e12)))
    assert np.all(answer.duals == 0)


def test_the_order_of_symbols_does_not_matter():
    facts = random_facts(11)
    order = np.random.default_rng(0).permutation(len(facts.symbols))
    arrays = {
        f.name: getattr(facts, f.name)[order]
        for f in fields(HedgeFacts)
        if isinstance(getattr(facts, f.name), np.ndarray) and f.name != "covariance_daily"
    }
    turned = replace(
        facts,
        symbols=tuple(facts.symbols[i] for i in order),
        covariance_daily=facts.covariance_daily[np.ix_(order, order)],
        **arrays,
    )
    _, plain = solved(facts, easy(CAPS))
    _, permuted = solved(turned, easy(CAPS))
    assert permuted.hedge_usd == pytest.approx(plain.hedge_usd[order], abs=0.5)
    assert permuted.objective_usd == pytest.approx(plain.objective_usd, rel=1e-6)


def test_one_compiled_problem_serves_new_numbers():
    first, second = (hedge_model(random_facts(s), easy(CAPS)) for s in (1, 2))
    shared = HedgeProblem(shape_of(first))
    shared.solve(first, first.caps.limits)
    again = shared.solve(second, second.caps.limits)
    alone = HedgeProblem(shape_of(second)).solve(second, second.caps.limits)
    assert isinstance(again, Relaxed)
    assert isinstance(alone, Relaxed)
    assert np.array_equal(again.hedge_usd, alone.hedge_usd)


def test_caps_that_exclude_each_other_are_infeasible_not_failed():
    model = hedge_model(two_tokens(), easy(RiskLimits(net_usd=1e3, hedge_gross_usd=1e3)))
    answer = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
    assert answer == Unsolved(infeasible=True, status="infeasible")


def inaccurate(monkeypatch: pytest.MonkeyPatch, spoil: Callable[[CompiledProblem], None]) -> None:
    """Let every solve end as optimal_inaccurate, after ``spoil`` changed its answer."""
    honest = strategies.problem.run

    def run(problem: CompiledProblem) -> str:
        honest(problem)
        spoil(problem)
        return str(cp.OPTIMAL_INACCURATE)

    monkeypatch.setattr(strategies.problem, "run", run)


def test_an_inaccurate_answer_is_used_once_it_is_verified(monkeypatch: pytest.MonkeyPatch):
    inaccurate(monkeypatch, lambda problem: None)
    _, answer = solved(random_facts(3), easy(CAPS))
    assert answer.status == "optimal_inaccurate"


@pytest.mark.parametrize("error_usd", [-2_000.0, 2_000.0])
def test_an_inaccurate_answer_that_is_wrong_is_not_used(
    error_usd: float, monkeypatch: pytest.MonkeyPatch
):
    model = hedge_model(random_facts(3), easy(CAPS))
    problem = HedgeProblem(shape_of(model))
    hedge = problem._body.hedge

    def spoil(_: CompiledProblem) -> None:
        hedge.value = hedge.value + error_usd / model.unit_usd

    inaccurate(monkeypatch, spoil)
    answer = problem.solve(model, model.caps.limits)
    assert answer == Unsolved(infeasible=False, status="optimal_inaccurate")


def test_times(capsys: pytest.CaptureFixture[str]):
    model = hedge_model(random_facts(1, n=20, held=5), easy(CAPS))
    start = time.perf_counter()
    problem = HedgeProblem(shape_of(model))
    problem.solve(model, model.caps.limits)
    compiled = time.perf_counter()
    for _ in range(10):
        problem.solve(model, model.caps.limits)
    each = (time.perf_counter() - compiled) / 10
    with capsys.disabled():
        sys.stdout.write(
            f"\n20 symbols: {compiled - start:.2f} s to compile, {each * 1e3:.1f} ms to solve\n"
        )
