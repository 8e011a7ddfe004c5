"""One hedge decision against what its convex problems alone cost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import clarabel
import cvxpy as cp
import numpy as np
from cvxpy.reductions.solvers.conic_solvers.clarabel_conif import dims_to_solver_cones
from scipy import sparse

import strategies.problem
from benchmarks.decisions import demo_choices, generated_facts, recorded_facts
from benchmarks.measure import DisagreementError, Effort, Line, alternate, require_close
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.proposal import HedgeProposal, NoHedge

_TOLERANCE = 1e-6
"""Relative difference of the optimal values: the same solver on smaller numbers."""


@dataclass(frozen=True, slots=True)
class Solve:
    """One problem that a decision solved: its parameters, its canonical data and its optimum."""

    compiled: Any
    problem: Any
    parameters: list[tuple[Any, Any]]
    data: dict[str, Any]
    chain: Any
    inverse: Any
    value: float

    def with_cvxpy(self) -> float:
        for parameter, value in self.parameters:
            parameter.value = value
        self.problem.solve(solver=cp.CLARABEL, warm_start=False, enforce_dpp=True)
        return float(self.problem.value)

    def straight(self) -> Any:
        """The solver alone on the smaller numbers that a decision hands to it."""
        for parameter, value in self.parameters:
            parameter.value = value
        return self.compiled.solve()

    def with_clarabel(self) -> Any:
        data = self.data
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        upper = sparse.triu(data["P"]).tocsc()
        cones = dims_to_solver_cones(data["dims"])
        return clarabel.DefaultSolver(
            upper, data["c"], data["A"], data["b"], cones, settings
        ).solve()

    def value_of(self, answer: Any) -> float:
        """The optimum of the problem as it was written, from the solver's own answer."""
        self.problem.unpack_results(answer, self.chain, self.inverse)
        return float(self.problem.value)


def captured(decide: Callable[[], object]) -> list[Solve]:
    """The problems that one decision solves."""
    solves: list[Solve] = []
    run = strategies.problem.run

    def watched(compiled: Any) -> str:
        status, problem = run(compiled), compiled.problem
        parameters = [(p, np.copy(p.value)) for p in problem.parameters()]
        # The value as the caller is about to find it.
        value = float(problem.objective.value)
        data, chain, inverse = problem.get_problem_data(cp.CLARABEL, solver_opts={})
        solves.append(Solve(compiled, problem, parameters, data, chain, inverse, value))
        return status

    # The lean program of a decision is left out, so that the general one is asked.
    with (
        patch("strategies.problem.run", watched),
        patch("strategies.lean.lean_solution", lambda *_: None),
    ):
        decide()
    return solves


class _Case:
    """One decision, repeated, and the problems that it solves."""

    def __init__(self, facts: HedgeFacts, choices: HedgeChoices) -> None:
        self.facts, self.choices = facts, choices
        self.strategy = MinimumRisk()
        self.first = self.decide()  # compiles, which happens once in the life of an engine
        self.solves = captured(self.decide)

    def decide(self) -> HedgeProposal | NoHedge:
        return self.strategy.decide(self.facts, self.choices)

    def clarabel(self) -> list[Any]:
        return [one.with_clarabel() for one in self.solves]

    def cvxpy(self) -> list[float]:
        return [one.with_cvxpy() for one in self.solves]

    def difference(self, values: list[float]) -> float:
        """Largest relative difference from what the decision's own solves came to."""
        pairs = zip(values, self.solves, strict=True)
        return max(abs(value - one.value) / abs(one.value) for value, one in pairs)

    def require_answers(self, decision: HedgeProposal | NoHedge, answers: list[Any]) -> None:
        pairs = zip(self.solves, answers, strict=True)
        self.require(decision, [one.value_of(answer) for one, answer in pairs])

    def require(self, decision: HedgeProposal | NoHedge, values: list[float]) -> None:
        if decision != self.first:
            raise DisagreementError("hedge: the same facts gave two decisions")
        require_close("hedge: optimal values", self.difference(values), _TOLERANCE)


def run(effort: Effort) -> Iterator[Line]:
    """A generated market, and a recorded one where it is there."""
    markets = {"generated market": generated_facts()}
    if effort.market.exists():
        markets["real market"] = recorded_facts(effort.market)
    for name, facts in markets.items():
        case = _Case(facts, demo_choices())
        title = f"decide, {len(facts.symbols)} symbols, {name}"
        worst = case.difference([one.value_of(one.with_clarabel()) for one in case.solves])
        agreement = f"optimal values differ by {worst:.0e}"
        count = len(case.solves)
        rounds = effort.rounds(25, 3)
        alone = alternate(
            case.decide,
            case.clarabel,
            rounds,
            agree=case.require_answers,
        )
        yield alone.line("hedge", title, f"Clarabel alone, the same {count} problems", agreement)
        again = alternate(case.decide, case.cvxpy, rounds, agree=case.require)
        yield again.line("hedge", title, f"cvxpy solving the same {count} problems", agreement)
