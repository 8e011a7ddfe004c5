"""The least by which caps that exclude each other have to be exceeded, as a compiled problem."""

import cvxpy as cp
import numpy as np

from risk.book import FloatArray
from strategies.caps import excess
from strategies.compiled import CompiledProblem
from strategies.constraints import CapConstraints, put
from strategies.easing import EASE
from strategies.model import HedgeModel
from strategies.problem import run
from strategies.shape import Shape
from strategies.solution import Unsolved


class ElasticProblem:
    """One compiled problem that minimises weighted slacks. Not to be shared between threads."""

    def __init__(self, shape: Shape) -> None:
        blocks = shape.blocks()
        self._slack = {name: cp.Variable(count) for name, count in blocks.items()}
        self._room = {name: cp.Parameter(count, nonneg=True) for name, count in blocks.items()}
        self._weight = {name: cp.Parameter(count, nonneg=True) for name, count in blocks.items()}
        self._body = CapConstraints(shape, self._slack)
        constraints = list(self._body.constraints)
        for name, slack in self._slack.items():
            constraints += [slack >= 0, slack <= self._room[name]]
        total = sum(self._weight[name] @ slack for name, slack in self._slack.items())
        self._problem = CompiledProblem(cp.Problem(cp.Minimize(total), constraints))

    def least_slack(
        self, model: HedgeModel, room: FloatArray, weight: FloatArray
    ) -> FloatArray | Unsolved:
        """Slacks (C,) USD within ``room`` (C,) with the least Σ weight·slack over the caps.

        They are measured at the hedges found, in exact arithmetic, so that they are enough even
        where the solver calls its answer inaccurate.
        """
        self._body.fill(model, model.caps.limits)
        for name, rows in model.caps.blocks.items():
            if name in self._room:
                put(self._room[name], room[rows] / model.unit_usd)
                put(self._weight[name], weight[rows])
        status = run(self._problem)
        if status not in {cp.OPTIMAL, cp.OPTIMAL_INACCURATE}:
            return Unsolved(infeasible=status == cp.INFEASIBLE, status=status)
        slack = excess(model.caps.values(self._body.hedge_usd(model)), model.caps.limits)
        if np.any(slack > room + EASE * model.unit_usd):
            return Unsolved(infeasible=False, status=status)
        return slack

    def prices(self, model: HedgeModel) -> FloatArray:
        """Dual of each cap row (C,) in the last ``least_slack``: what it adds to the slacks."""
        return self._body.duals(model)
