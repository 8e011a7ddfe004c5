"""The straight way to the solver against the modelling layer's own, on all that may occur."""

from dataclasses import replace
from typing import Any

import clarabel
import cvxpy as cp
import numpy as np
import pytest

from risk.errors import OptimizationError
from risk.limits.caps import RiskLimits
from strategies.compiled import CompiledProblem
from strategies.elastic import ElasticProblem
from strategies.model import HedgeModel, hedge_model
from strategies.problem import HedgeProblem
from strategies.shape import shape_of
from strategies.solution import Relaxed, Unsolved
from tests.strategies_cases import easy, random_facts, two_tokens
from tests.strategies_choices import CAPS, CHOICES, facts_of

_power = cp.power


def both(problem: HedgeProblem, model: HedgeModel) -> tuple[Relaxed | Unsolved, Any, Any]:
    """The straight answer, and hedges and status of cvxpy solving the same problem as it stands."""
    straight = problem.solve(model, model.caps.limits)
    compiled = problem._problem
    assert compiled.note == ""
    compiled.problem.solve(solver=cp.CLARABEL, warm_start=False, enforce_dpp=True)
    return straight, compiled.problem.status, problem._body


@pytest.mark.parametrize("name", list(CHOICES))
def test_the_straight_way_and_cvxpy_agree(name: str):
    problems: dict[Any, HedgeProblem] = {}
    solved = 0
    for seed in range(12):
        model = hedge_model(facts_of(seed), CHOICES[name])
        shape = shape_of(model)
        problem = problems[shape] = problems.get(shape) or HedgeProblem(shape)
        straight, status, body = both(problem, model)
        if isinstance(straight, Unsolved):
            assert straight.infeasible == (status == cp.INFEASIBLE)
            continue
        assert status == cp.OPTIMAL
        solved += 1
        hedge = body.hedge_usd(model)
        book = float(np.sum(np.abs(model.bot)))
        assert straight.objective_usd == pytest.approx(
            float(model.objective_usd(hedge)), abs=1e-6 * model.unit_usd
        )
        if model.risk_per_usd > 0:  # otherwise several hedges may be equally cheap
            assert straight.hedge_usd == pytest.approx(hedge, abs=2e-5 * book)
            assert straight.duals == pytest.approx(body.duals(model), abs=1e-5)
    assert solved >= 6


@pytest.mark.parametrize("seed", [61, 130, 224, 236])
def test_a_long_step_beside_power_cones_does_not_end_in_no_answer(
    seed: int, monkeypatch: pytest.MonkeyPatch
):
    """Found where the solver's usual steps get stuck; 3/2 powers as second-order cones do not."""
    facts, rng = random_facts(seed, n=6, held=2), np.random.default_rng(seed)
    normal = rng.standard_normal((60, 6)) @ np.linalg.cholesky(facts.covariance_daily).T
    facts = replace(
        facts,
        tail_returns=np.expm1(normal),
        covariance_windows_daily=1.2 * facts.covariance_daily[None],
    )
    choices = easy(
        RiskLimits(net_usd=60_000.0, beta_net_usd=90_000.0, adv_share=0.01),
        risk_aversion=0.0,
        impact=1.0,
        tail_aversion=0.05,
        worst_window=True,
    )
    model = hedge_model(facts, choices)
    found = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
    with monkeypatch.context() as patch:
        patch.setattr(cp, "power", lambda x, p, approx: _power(x, p, approx=True))
        other = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
    assert isinstance(found, Relaxed), found
    assert isinstance(other, Relaxed), other
    assert found.status == "optimal"
    assert found.objective_usd == pytest.approx(other.objective_usd, abs=1e-6 * model.unit_usd)


def _duals(constraint: cp.Constraint) -> np.ndarray:
    return np.concatenate([np.ravel(dual.value) for dual in constraint.dual_variables])


def test_every_variable_and_every_dual_comes_back():
    rng = np.random.default_rng(0)
    x, y, t = cp.Variable(4), cp.Variable(4), cp.Variable()
    price, level, low = cp.Parameter(4), cp.Parameter(nonneg=True), cp.Parameter(4)
    constraints = [
        y == x + level,
        low <= x,
        x <= 3.0,
        2.0 * x[0] <= 1.0 + level,
        cp.norm(y) <= 4.0 + level,
        cp.sum(y) == 1.0,
        cp.norm(cp.vstack([x, y]), axis=0) <= 5.0 * np.ones(4),
        cp.power(t, 1.5, approx=False) <= level,
        t <= cp.sum(x) + 2.0,
    ]
    constraints.append(cp.SOC(3.0 + level, cp.hstack([x, y])))
    objective = cp.Minimize(cp.sum_squares(x) + price @ y - 0.3 * t)
    problem = CompiledProblem(cp.Problem(objective, constraints))
    for _ in range(20):
        price.value, level.value = rng.normal(size=4), rng.uniform(0.1, 0.5)
        low.value = rng.uniform(-2.0, 0.2, 4)
        assert problem.solve() == cp.OPTIMAL
        assert problem.note == ""
        variables = [np.copy(v.value) for v in (x, y, t)]
        duals = [_duals(c) for c in constraints]
        problem.problem.solve(solver=cp.CLARABEL)
        for ours, theirs in zip(variables, (x, y, t), strict=True):
            assert ours == pytest.approx(theirs.value, abs=1e-5)
        for ours, constraint in zip(duals, constraints, strict=True):
            assert ours == pytest.approx(_duals(constraint), abs=1e-4)


def test_the_elastic_problem_agrees_too():
    limits = replace(CAPS, hedge_gross_usd=9_000.0, turnover_daily_usd=4_000.0)
    compared = 0
    for seed in range(12):
        model = hedge_model(facts_of(seed), easy(limits, risk_aversion=0.0))
        problem = ElasticProblem(shape_of(model))
        rows = np.ones(len(model.caps.names))
        slack = problem.least_slack(model, 1e5 * rows, rows)
        if isinstance(slack, Unsolved):
            continue
        value = problem._problem.problem.objective.value
        problem._problem.problem.solve(solver=cp.CLARABEL)
        assert value == pytest.approx(problem._problem.problem.value, abs=1e-5)
        compared += 1
    assert compared >= 6


def test_the_answer_does_not_depend_on_what_was_solved_before():
    models = [hedge_model(facts_of(seed), CHOICES["everything"]) for seed in (1, 3, 5, 7)]
    used = HedgeProblem(shape_of(models[0]))
    for model in models:
        used.solve(model, model.caps.limits)
    for model in models:
        again = used.solve(model, model.caps.limits)
        alone = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
        if isinstance(again, Unsolved) or isinstance(alone, Unsolved):
            assert again == alone
            continue
        assert np.array_equal(again.hedge_usd, alone.hedge_usd)
        assert np.array_equal(again.duals, alone.duals)


class PanicException(BaseException):
    """As Rust code that panics is seen from Python: no Exception."""


def test_a_solver_that_breaks_is_a_failure_not_infeasible(monkeypatch: pytest.MonkeyPatch):
    model = hedge_model(two_tokens(), easy(RiskLimits()))
    problem = HedgeProblem(shape_of(model))

    def panic(*_: object) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setattr(clarabel, "DefaultSolver", panic)
    answer = problem.solve(model, model.caps.limits)
    assert answer == Unsolved(infeasible=False, status="solver_error")


def test_an_interrupt_is_no_failure_of_the_solver(monkeypatch: pytest.MonkeyPatch):
    model = hedge_model(two_tokens(), easy(RiskLimits()))
    problem = HedgeProblem(shape_of(model))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(clarabel, "DefaultSolver", interrupt)
    with pytest.raises(KeyboardInterrupt):
        problem.solve(model, model.caps.limits)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_a_parameter_that_is_no_number_or_has_the_wrong_sign_is_refused(value: float):
    x, weight = cp.Variable(2), cp.Parameter(2, nonneg=True)
    problem = CompiledProblem(cp.Problem(cp.Minimize(weight @ x), [x >= 1.0]))
    weight.value = np.ones(2)
    assert problem.solve() == cp.OPTIMAL
    weight.save_value(np.array([1.0, value]))
    with pytest.raises(OptimizationError, match="not finite, or negative"):
        problem.solve()


def test_what_cannot_go_straight_goes_through_cvxpy_and_says_so():
    matrix = cp.Parameter((2, 2), symmetric=True)
    x = cp.Variable(2)
    problem = CompiledProblem(cp.Problem(cp.Minimize(cp.sum_squares(matrix @ x - 1.0)), [x >= 0]))
    matrix.value = np.diag([2.0, 4.0])
    assert problem.solve() == cp.OPTIMAL
    assert "through cvxpy" in problem.note
    assert x.value == pytest.approx([0.5, 0.25], abs=1e-6)
    matrix.value = np.diag([1.0, 5.0])
    assert problem.solve() == cp.OPTIMAL
    assert x.value == pytest.approx([1.0, 0.2], abs=1e-6)


def test_infeasible_and_unbounded_are_told_apart():
    x, top = cp.Variable(), cp.Parameter()
    top.value = 0.0
    assert CompiledProblem(cp.Problem(cp.Minimize(x), [x >= 1, x <= top])).solve() == cp.INFEASIBLE
    assert CompiledProblem(cp.Problem(cp.Minimize(x), [x <= top])).solve() == cp.UNBOUNDED


def test_a_product_of_parameters_is_refused():
    x, a, b = cp.Variable(), cp.Parameter(nonneg=True), cp.Parameter(nonneg=True)
    with pytest.raises(OptimizationError, match="disciplined parametrised"):
        CompiledProblem(cp.Problem(cp.Minimize(a * b * x), [x >= 1]))
