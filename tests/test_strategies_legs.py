"""A limit on the number of hedges, against every choice of so few."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import strategies.legs
from risk.limits.caps import RiskLimits
from strategies.inputs import HedgeFacts
from strategies.legs import FewLegs, NotFound, limited_legs
from strategies.minimum_risk import MinimumRisk
from strategies.model import HedgeModel, hedge_model
from strategies.problem import HedgeProblem
from strategies.proposal import HedgeProposal
from strategies.shape import shape_of
from strategies.solution import Relaxed, Unsolved
from tests.strategies_cases import easy, random_facts, two_tokens

CHOICES = easy(RiskLimits(net_usd=70_000.0, cae_usd=250_000.0))


def compiled(facts: HedgeFacts) -> tuple[HedgeProblem, HedgeModel, Relaxed]:
    model = hedge_model(facts, CHOICES)
    problem = HedgeProblem(shape_of(model))
    free = problem.solve(model, model.caps.limits)
    assert isinstance(free, Relaxed), free
    return problem, model, free


def best_by_enumeration(problem: HedgeProblem, model: HedgeModel, most: int) -> float:
    movable = np.flatnonzero(model.upper > model.lower).tolist()
    best = np.inf
    for chosen in combinations(movable, most):
        shut = [i for i in movable if i not in chosen]
        lower, upper = model.lower.copy(), model.upper.copy()
        lower[shut] = upper[shut] = 0.0
        found = problem.solve(replace(model, lower=lower, upper=upper), model.caps.limits)
        if isinstance(found, Relaxed):
            best = min(best, found.objective_usd)
    return best


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("most", [1, 2, 4])
def test_no_choice_of_so_few_legs_is_better(seed: int, most: int):
    problem, model, free = compiled(random_facts(seed, n=10, held=2))
    few = limited_legs(problem, model, model.caps.limits, free, most)
    best = best_by_enumeration(problem, model, most)
    if isinstance(few, NotFound):
        assert few.proven
        assert best == np.inf
        return
    assert np.count_nonzero(np.abs(few.relaxed.hedge_usd) > 0.1) <= most
    assert few.gap_usd == 0.0
    assert few.relaxed.objective_usd == pytest.approx(best, rel=1e-6)


def test_what_the_search_leaves_open_is_told(monkeypatch: pytest.MonkeyPatch):
    problem, model, free = compiled(random_facts(2, n=10, held=2))
    best = best_by_enumeration(problem, model, 2)
    monkeypatch.setattr(strategies.legs, "_MOST_SOLVES", 0)  # backward elimination alone
    few = limited_legs(problem, model, model.caps.limits, free, 2)
    assert isinstance(few, FewLegs)
    assert few.relaxed.objective_usd >= best - 1e-3
    assert few.relaxed.objective_usd - few.gap_usd <= best + 1e-3


class Failing:
    """A real problem whose solver gives up at every so many solves."""

    def __init__(self, problem: HedgeProblem, every: int) -> None:
        self._problem, self._every, self.solves = problem, every, 0

    def solve(self, model: HedgeModel, limits: np.ndarray) -> Relaxed | Unsolved:
        self.solves += 1
        if self.solves % self._every == 0:
            return Unsolved(infeasible=False, status="solver_error")
        return self._problem.solve(model, limits)


@pytest.mark.parametrize("every", [3, 4, 5, 7])
def test_a_solver_that_fails_proves_nothing(every: int):
    proven = set[bool]()
    for seed in (1, 2, 3):
        problem, model, free = compiled(random_facts(seed, n=10, held=2))
        best = best_by_enumeration(problem, model, 2)
        few = limited_legs(Failing(problem, every), model, model.caps.limits, free, 2)
        if isinstance(few, FewLegs):
            assert few.relaxed.objective_usd - few.gap_usd <= best * (1 + 1e-6)
            proven.add(few.gap_usd == 0.0)
    assert False in proven, "nothing was left open"


def test_none_found_is_no_proof_that_there_is_none(monkeypatch: pytest.MonkeyPatch):
    limits = RiskLimits(net_usd=10_000.0, token_usd=25_000.0, hedge_gross_usd=60_000.0)
    choices = easy(limits, largest_hedge_usd=25_000.0)
    model = hedge_model(two_tokens(50_000.0, 0.0, 0.0), choices)
    problem = HedgeProblem(shape_of(model))
    free = problem.solve(model, model.caps.limits)
    assert isinstance(free, Relaxed)
    arguments = (model, model.caps.limits, free, 1)
    assert limited_legs(problem, *arguments) == NotFound(proven=True)
    assert limited_legs(Failing(problem, 1), *arguments) == NotFound(proven=False)
    monkeypatch.setattr(strategies.legs, "_MOST_SOLVES", 0)
    assert limited_legs(problem, *arguments) == NotFound(proven=False)
    answer = MinimumRisk().decide(two_tokens(50_000.0, 0.0, 0.0), replace(choices, most_legs=1))
    assert isinstance(answer, HedgeProposal)
    assert "needed" not in answer.solver_status
    assert "more than 1 legs used" in answer.solver_status


def test_hedges_that_are_open_count_and_are_closed():
    facts = random_facts(5, n=8, held=2)
    held = np.where(facts.may_hedge, -2_000.0, 0.0)
    facts = replace(facts, hedge_usd=np.rint(held / facts.lot_usd) * facts.lot_usd)
    choices = replace(CHOICES, most_legs=3)
    answer = MinimumRisk().decide(facts, choices)
    assert isinstance(answer, HedgeProposal)
    assert sum(leg.target_usd != 0 for leg in answer.legs) <= 3
    assert answer.after.breaches == ()
    assert "legs" not in answer.solver_status


def test_more_legs_than_wanted_when_so_few_cannot_meet_the_caps():
    facts = two_tokens(50_000.0, 0.0, 0.0)
    limits = RiskLimits(net_usd=10_000.0, token_usd=25_000.0, hedge_gross_usd=60_000.0)
    bound = easy(limits, most_legs=1, largest_hedge_usd=25_000.0)
    answer = MinimumRisk().decide(facts, bound)
    assert isinstance(answer, HedgeProposal)
    assert len(answer.trades) == 2
    assert answer.solver_status.endswith("more than 1 legs needed")


def test_no_leg_at_all():
    facts = replace(random_facts(5, n=8, held=2), hedge_usd=np.zeros(8))
    problem, model, free = compiled(facts)
    loose = np.full_like(model.caps.limits, np.inf)
    few = limited_legs(problem, model, loose, free, 0)
    assert isinstance(few, FewLegs)
    assert np.all(few.relaxed.hedge_usd == 0)
