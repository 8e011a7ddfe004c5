"""The convex hedge problem, compiled once for each shape and solved again with new numbers.

    minimise   J(h) = (λτ/2E)·(max_k ‖L_kᵀx‖² + ρ(σᵀ|x|)²) + ν·ES(x)
                      + τφᵀh + τκ_f s_φᵀ|h| + cᵀ(−h)₊ + (τ/T_hold)(aᵀ|z| + bᵀ|z|^{3/2})
    subject to x = p + h,  z = h − h₀,  lower ≤ h ≤ upper,  every cap of the table

Written in the parametrised form of Agrawal et al. 2019 (disciplined parametrised programming):
no parameter multiplies another, so that new numbers need no new compilation. Money is counted in
the model's own unit, because conic solvers lose digits otherwise; 3/2 powers are exact cones.
"""

import cvxpy as cp
import numpy as np

from risk.book import FloatArray
from strategies.certificate import proven
from strategies.compiled import CompiledProblem
from strategies.constraints import CapConstraints, put
from strategies.mix import Mix, mix_of
from strategies.model import HedgeModel
from strategies.shape import Shape
from strategies.solution import Relaxed, Unsolved


class HedgeProblem:
    """One compiled problem with hard caps. Not to be shared between threads.

    Raises:
        OptimizationError: the problem is not in disciplined parametrised form.
    """

    def __init__(self, shape: Shape) -> None:
        n = shape.symbols
        self._body = body = CapConstraints(shape, {})
        self._risk = cp.Parameter(nonneg=True)
        self._linear_trade = cp.Parameter(n, nonneg=True)
        self._linear_hedge = cp.Parameter(n)
        self._absolute_hedge = cp.Parameter(n, nonneg=True)
        constraints = list(body.constraints)
        objective = (
            self._variance(constraints)
            + self._linear_trade @ body.turn
            + self._linear_hedge @ body.hedge
            + self._absolute_hedge @ body.size
        )
        if shape.has_impact:
            self._impact = cp.Parameter(n, nonneg=True)
            objective += self._impact @ cp.power(body.turn, 1.5, approx=False)
        if shape.has_uncertainty:
            self._uncertainty = cp.Parameter(n, nonneg=True)
            weighted = cp.Variable()
            constraints.append(self._uncertainty @ cp.abs(body.held) <= weighted)
            objective += cp.square(weighted)
        if shape.scenarios:
            objective += self._tail(constraints)
        self._problem = CompiledProblem(cp.Problem(cp.Minimize(objective), constraints))

    def _variance(self, constraints: list[cp.Constraint]) -> cp.Expression:
        """λτ/2E times the variance, or the largest of all windows; appends to ``constraints``."""
        body, n = self._body, self._body.shape.symbols
        self._roots = [cp.Parameter((n, n)) for _ in range(body.shape.windows)]
        if not self._roots:
            return self._risk * cp.sum_squares(body.adjusted)
        worst = cp.Variable(nonneg=True)
        self._windows = [cp.norm(body.adjusted) <= worst]
        self._windows += [cp.norm(root @ body.held) <= worst for root in self._roots]
        constraints += self._windows
        return self._risk * cp.square(worst)

    def _tail(self, constraints: list[cp.Constraint]) -> cp.Expression:
        """ν times the expected shortfall by Rockafellar and Uryasev; appends to ``constraints``."""
        count = self._body.shape.scenarios
        self._returns = cp.Parameter((count, self._body.shape.symbols))
        self._edge_price, self._beyond_price = cp.Parameter(nonneg=True), cp.Parameter(nonneg=True)
        edge, beyond = cp.Variable(), cp.Variable(count, nonneg=True)
        self._losses = self._returns @ self._body.held + edge + beyond >= 0
        constraints.append(self._losses)
        return self._edge_price * edge + self._beyond_price * cp.sum(beyond)

    def solve(self, model: HedgeModel, limits: FloatArray) -> Relaxed | Unsolved:
        """The least-cost hedge with every cap at or below ``limits`` (C,) USD.

        Only an optimal solution is returned; one that the solver calls inaccurate only when the
        caps hold in exact arithmetic and a lower bound shows it to be as good as optimal.
        """
        body, unit = self._body, model.unit_usd
        body.fill(model, limits)
        costs = model.costs
        put(self._risk, model.risk_per_usd * model.volatility_btc**2 * unit)
        put(self._linear_trade, costs.linear_trade())
        put(self._linear_hedge, costs.linear_hedge() + costs.signed_trade())
        put(self._absolute_hedge, costs.absolute_hedge())
        if body.shape.has_impact:
            put(self._impact, costs.impact_trade() * np.sqrt(unit))
        if body.shape.has_uncertainty:
            weight = np.sqrt(model.risk_per_usd * model.uncertainty * unit)
            put(self._uncertainty, weight * model.volatility)
        for parameter, root in zip(self._roots, model.other_roots, strict=True):
            put(parameter, root / model.volatility_btc)
        if model.tail is not None:
            tail = model.tail
            put(self._returns, tail.returns)
            put(self._edge_price, tail.price)
            put(self._beyond_price, tail.price / (len(tail.returns) * (1.0 - tail.confidence)))
        status = run(self._problem)
        if status not in {cp.OPTIMAL, cp.OPTIMAL_INACCURATE}:
            return Unsolved(infeasible=status == cp.INFEASIBLE, status=status)
        hedge = body.hedge_usd(model)
        told = status + self._problem.note
        objective, duals = float(model.objective_usd(hedge)), body.duals(model)
        mix = self._mix(model)
        certain = status == cp.OPTIMAL or proven(model, limits, duals, hedge, objective, mix=mix)
        if not certain:
            return Unsolved(infeasible=False, status=status)
        return Relaxed(hedge, objective, duals, told, mix)

    def _mix(self, model: HedgeModel) -> Mix | None:
        """Of the solution, by the duals of what makes windows and scenarios count."""
        windows, scenarios = np.empty(0), np.empty(0)
        if self._roots:
            windows = np.array([float(window.dual_value) for window in self._windows])
        if model.tail is not None:
            scenarios = np.asarray(self._losses.dual_value, dtype=np.float64)
        if not (len(windows) or len(scenarios)):
            return None
        return mix_of(model, windows, scenarios)


def run(problem: CompiledProblem) -> str:
    """Solve with the parameters as they are; the status, ``solver_error`` when it gave up."""
    return problem.solve()
