"""The lean program against the general one, and its method against conditions of optimality."""

import numpy as np
import pytest

from risk.limits.caps import RiskLimits
from strategies.interior import Program, optimum
from strategies.lean import LeanFirst, lean_solution
from strategies.model import hedge_model
from strategies.problem import HedgeProblem
from strategies.shape import shape_of
from strategies.solution import Relaxed, Unsolved
from tests.strategies_cases import easy, random_facts, two_tokens
from tests.strategies_choices import CAPS, CHOICES, facts_of

LEAN = ["no caps", "caps", "signed", "impact", "uncertainty", "doubt", "tight", "still"]
MORE = {
    "tight": easy(RiskLimits(net_usd=40_000.0, hedge_gross_usd=75_000.0), risk_aversion=0.3),
    "still": easy(CAPS, holding_days=0.5),
}


@pytest.mark.parametrize("name", LEAN)
def test_it_agrees_with_the_general_problem(name: str):
    choices, found = {**CHOICES, **MORE}[name], 0
    for seed in range(8):
        model = hedge_model(facts_of(seed), choices)
        lean = lean_solution(model, model.caps.limits)
        if lean is None:
            continue
        general = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
        assert isinstance(general, Relaxed)
        found += 1
        book = float(np.sum(np.abs(model.bot)))
        assert lean.objective_usd == pytest.approx(general.objective_usd, abs=1e-6 * model.unit_usd)
        assert lean.hedge_usd == pytest.approx(general.hedge_usd, abs=2e-5 * book)
        assert lean.duals == pytest.approx(general.duals, abs=1e-5)
    assert found >= 3


@pytest.mark.parametrize("name", ["cheapest", "windows", "tail"])
def test_it_says_nothing_of_what_it_does_not_know(name: str):
    model = hedge_model(facts_of(0), CHOICES[name])
    assert lean_solution(model, model.caps.limits) is None
    assert isinstance(LeanFirst(shape_of(model)).solve(model, model.caps.limits), Relaxed)


def test_caps_that_exclude_each_other_are_left_to_the_general_problem():
    model = hedge_model(two_tokens(), easy(RiskLimits(net_usd=1e3, hedge_gross_usd=1e3)))
    assert lean_solution(model, model.caps.limits) is None
    answer = LeanFirst(shape_of(model)).solve(model, model.caps.limits)
    assert answer == Unsolved(infeasible=True, status="infeasible")


def test_the_exposure_cap_is_kept_though_it_is_no_row():
    free = hedge_model(random_facts(3), easy(RiskLimits(), risk_aversion=0.3))
    loose = lean_solution(free, free.caps.limits)
    assert loose is not None
    reached = float(np.linalg.norm(free.root @ (free.bot + loose.hedge_usd)))
    for share, lean in ((1.01, True), (0.95, False)):
        capped = hedge_model(
            random_facts(3), easy(RiskLimits(cae_usd=share * reached), risk_aversion=0.3)
        )
        assert (lean_solution(capped, capped.caps.limits) is not None) is lean
        answer = LeanFirst(shape_of(capped)).solve(capped, capped.caps.limits)
        assert isinstance(answer, Relaxed)
        exposure = float(np.linalg.norm(capped.root @ (capped.bot + answer.hedge_usd)))
        assert exposure <= min(share, 1.0) * reached * (1 + 1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_the_method_meets_the_conditions_of_optimality(seed: int):
    rng = np.random.default_rng(seed)
    k, r = int(rng.integers(1, 12)), int(rng.integers(0, 5))
    root = rng.normal(size=(k, k))
    top = rng.uniform(0.1, 5.0, k)
    rows = rng.normal(size=(r, k))
    inside = rows @ (top * rng.uniform(0.2, 0.8, k))
    program = Program(
        curve=root @ root.T + 0.1 * np.eye(k),
        slope=rng.normal(size=k),
        impact=rng.uniform(0.0, 1.0, k) if seed % 2 else None,
        top=top,
        rows=rows,
        room=inside + rng.uniform(0.0, 0.5, r),
    )
    found = optimum(program)
    assert found is not None
    d = found.point
    slope = program.curve @ d + program.slope + found.top_price + found.row_price @ rows
    if program.impact is not None:
        slope = slope + 1.5 * program.impact * np.sqrt(d)
    assert np.all((d >= 0) & (d <= top))
    assert np.all(rows @ d <= program.room + 1e-8)
    assert np.all(found.top_price >= 0)
    assert np.all(found.row_price >= 0)
    assert np.all(slope >= -1e-8)
    assert float(np.abs(slope * d).max()) < 1e-7
    assert float(np.abs(found.top_price * (top - d)).max()) < 1e-7
    assert float(np.abs(found.row_price * (program.room - rows @ d)).max(initial=0.0)) < 1e-7


def test_the_method_says_nothing_where_no_point_is_allowed():
    one = np.ones((1, 1))
    program = Program(one, -np.ones(1), None, np.ones(1), -one, np.array([-2.0]))
    assert optimum(program) is None
