"""What solving a hedge problem comes to, and what solves one: told without any solver.

The general solver takes longer to import than an engine to start, and few decisions need it.
"""

from dataclasses import dataclass
from typing import Protocol

from risk.book import FloatArray
from strategies.mix import Mix
from strategies.model import HedgeModel


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A solved problem: hedges (N,) USD, J in USD, and the dual of each cap (USD per USD), (C,).

    ``mix`` is how windows and scenarios weigh in it, None where there are not several.
    """

    hedge_usd: FloatArray
    objective_usd: float
    duals: FloatArray
    status: str
    mix: Mix | None = None


@dataclass(frozen=True, slots=True)
class Unsolved:
    """No solution: the caps exclude each other, or the solver failed (never one for the other)."""

    infeasible: bool
    status: str


class Solves(Protocol):
    """Anything that solves the problem of one shape."""

    def solve(self, model: HedgeModel, limits: FloatArray) -> Relaxed | Unsolved:
        """The least-cost hedge with every cap at or below ``limits`` (C,) USD."""
        ...


class LeastSlack(Protocol):
    """Anything that finds by how little the caps of one shape have to yield."""

    def least_slack(
        self, model: HedgeModel, room: FloatArray, weight: FloatArray
    ) -> FloatArray | Unsolved:
        """Slacks (C,) USD within ``room`` (C,) with the least Σ weight·slack over the caps."""
        ...

    def prices(self, model: HedgeModel) -> FloatArray:
        """Dual of each cap row (C,) in the last ``least_slack``: what it adds to the slacks."""
        ...
