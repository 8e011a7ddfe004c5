"""Expected shortfall and the worst of several windows in the objective, against other solvers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from risk.errors import OptimizationError
from risk.limits.caps import RiskLimits
from risk.tail.ranks import expected_shortfall
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.model import HedgeModel, hedge_model
from strategies.problem import HedgeProblem
from strategies.shape import shape_of
from strategies.solution import Relaxed
from strategies.state import risk_state
from strategies.tail import shortfall_usd, tail_model
from tests.strategies_cases import easy, random_facts


def with_tail(seed: int, scenarios: int, n: int = 6) -> HedgeFacts:
    facts = random_facts(seed, n=n, held=2)
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(facts.covariance_daily)
    returns = np.expm1(rng.standard_t(4, (scenarios, n)) / np.sqrt(2) @ root.T)
    return replace(facts, tail_returns=returns)


def solved(facts: HedgeFacts, choices: HedgeChoices) -> tuple[HedgeModel, Relaxed]:
    model = hedge_model(facts, choices)
    answer = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
    assert isinstance(answer, Relaxed), answer
    return model, answer


@pytest.mark.parametrize(("count", "level"), [(200, 0.95), (137, 0.95), (41, 0.99), (10, 0.9)])
def test_shortfall_is_that_of_the_risk_report(count: int, level: float):
    rng = np.random.default_rng(count)
    returns, books = rng.normal(0.0, 0.05, (count, 4)), rng.normal(0.0, 1e4, (3, 4))
    expected = [expected_shortfall(-(returns @ book), level) for book in books]
    assert shortfall_usd(books, returns, level) == pytest.approx(expected, rel=1e-12)


def test_the_state_of_a_book_tells_it():
    facts = with_tail(2, 300)
    state = risk_state(facts, easy(RiskLimits()), facts.hedge_usd)
    assert facts.tail_returns is not None
    loss = -(facts.tail_returns @ facts.bot_usd)
    assert state.es95_usd == pytest.approx(expected_shortfall(loss, 0.95))
    without = replace(facts, tail_returns=None)
    assert risk_state(without, easy(RiskLimits()), facts.hedge_usd).es95_usd is None


def test_its_slope_is_a_finite_difference():
    rng = np.random.default_rng(1)
    tail = tail_model(rng.normal(0.0, 0.05, (137, 4)), 0.95, 2.0)
    book, slope = rng.normal(0.0, 1e4, 4), np.zeros(4)
    for i in range(4):
        step = np.zeros(4)
        step[i] = 1e-3
        slope[i] = float(tail.cost_usd(book + step) - tail.cost_usd(book - step)) / 2e-3
    assert tail.slope(book) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_the_tail_alone_a_linear_program_finds_the_same(seed: int):
    facts = replace(with_tail(seed, 120), crowding=np.zeros(6), funding_daily=np.zeros(6))
    choices = easy(RiskLimits(), risk_aversion=1e-9, tail_aversion=0.5)
    model, answer = solved(facts, choices)
    assert facts.tail_returns is not None
    returns, count = facts.tail_returns, 120
    # s (sizes of shorts), t, u:  min 0.5·(t + Σu / (0.05·S)) + (1/5)·a·s
    cost = np.concatenate(
        [(facts.taker_fee + facts.half_spread) / 5.0, [0.5], np.full(count, 0.5 / (0.05 * count))]
    )
    above = np.hstack([returns, -np.ones((count, 1)), -np.eye(count)])
    program = linprog(
        cost,
        A_ub=above,
        b_ub=returns @ facts.bot_usd,
        bounds=[(0.0, -low) for low in model.lower] + [(None, None)] + [(0.0, None)] * count,
        method="highs",
    )
    assert program.status == 0
    assert answer.objective_usd == pytest.approx(program.fun, rel=1e-5)
    assert answer.hedge_usd == pytest.approx(-program.x[:6], abs=20.0)


def test_more_aversion_to_the_tail_never_leaves_more_of_it():
    facts, left = with_tail(4, 250), []
    for price in (0.0, 0.05, 0.2, 1.0):
        _, answer = solved(facts, easy(RiskLimits(), 0.5, tail_aversion=price))
        assert facts.tail_returns is not None
        held = facts.bot_usd + answer.hedge_usd
        left.append(float(shortfall_usd(held, facts.tail_returns, 0.95)))
    assert np.all(np.diff(left) <= 1e-3)
    assert left[-1] < 0.98 * left[0]


def test_only_so_many_scenarios_are_solved_over():
    tail = tail_model(np.arange(1000.0)[:, None], 0.95, 1.0)
    assert len(tail.returns) <= 400
    assert tail.returns[-1] == 999.0


def windows(facts: HedgeFacts, count: int) -> np.ndarray:
    rng = np.random.default_rng(9)
    n = len(facts.symbols)
    found = []
    for _ in range(count):
        draws = rng.standard_normal((3 * n, n)) @ np.linalg.cholesky(facts.covariance_daily).T
        found.append(draws.T @ draws / (3 * n) * rng.uniform(0.6, 1.6))
    return np.array(found)


@pytest.mark.parametrize("seed", [1, 5, 8])
def test_the_worst_window_against_sequential_quadratic_programming(seed: int):
    facts = random_facts(seed, n=6, held=2)
    facts = replace(facts, covariance_windows_daily=windows(facts, 3))
    choices = easy(RiskLimits(), worst_window=True)
    model, answer = solved(facts, choices)
    assert facts.covariance_windows_daily is not None
    every = [facts.covariance_daily, *facts.covariance_windows_daily]
    unit = 1e3

    def hedge(v: np.ndarray) -> np.ndarray:
        return -v[:6] * unit

    def cost(v: np.ndarray) -> float:
        h = hedge(v)
        carry = facts.funding_daily @ h
        return float(v[6] + carry + (facts.taker_fee + facts.half_spread) @ -h / 5.0)

    def room(v: np.ndarray) -> np.ndarray:
        x = facts.bot_usd + hedge(v)
        return np.array([v[6] - 4.0 / (2 * facts.risk_equity_usd) * (x @ s @ x) for s in every])

    bounds = [(0.0, -low / unit) for low in model.lower] + [(0.0, None)]
    start = np.append(np.minimum(5.0, -model.lower / unit), 1e3)
    best = minimize(
        cost,
        start,
        method="SLSQP",
        bounds=bounds,
        constraints={"type": "ineq", "fun": room},
        options={"maxiter": 500, "ftol": 1e-10},
    )
    assert np.all(room(best.x) > -1e-4)
    assert answer.objective_usd == pytest.approx(best.fun, rel=1e-4)
    assert answer.objective_usd == pytest.approx(cost(np.append(-answer.hedge_usd / unit, 0.0))
        + 4.0 / (2 * facts.risk_equity_usd)
        * max((facts.bot_usd + answer.hedge_usd) @ s @ (facts.bot_usd + answer.hedge_usd)
              for s in every), rel=1e-9)  # fmt: skip


def test_a_window_that_is_nowhere_worse_changes_nothing():
    facts = random_facts(3)
    calm = replace(facts, covariance_windows_daily=0.5 * facts.covariance_daily[None])
    _, plain = solved(facts, easy(RiskLimits()))
    _, with_calm = solved(calm, easy(RiskLimits(), worst_window=True))
    assert with_calm.hedge_usd == pytest.approx(plain.hedge_usd, abs=1.0)
    assert with_calm.objective_usd == pytest.approx(plain.objective_usd, rel=1e-6)


def test_a_window_without_a_root_is_named():
    facts = random_facts(3)
    flat = np.array([facts.covariance_daily, np.ones_like(facts.covariance_daily)])
    with pytest.raises(OptimizationError, match=r"covariance_windows_daily\[1\]: not positive"):
        hedge_model(
            replace(facts, covariance_windows_daily=flat),
            easy(RiskLimits(), worst_window=True),
        )
