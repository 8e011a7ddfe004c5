"""The convex hedge problem, compiled once for each shape and solved again with new numbers.

    minimise   J(h) = (λτ/2E)·(‖Lᵀx‖² + ρ(σᵀ|x|)²) + τφᵀh + τκ_f s_φᵀ|h| + cᵀ(−h)₊
                      + (τ/T_hold)(aᵀ|z| + bᵀ|z|^{3/2})
    subject to x = p + h,  z = h − h₀,  lower ≤ h ≤ upper,  every cap of the table

Written in the parametrised form of Agrawal et al. 2019 (disciplined parametrised programming):
no parameter multiplies another, so that new numbers need no new compilation. Money is counted in
the model's own unit, because conic solvers lose digits otherwise; 3/2 powers are exact cones.
"""

import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np

from risk.book import FloatArray
from risk.errors import OptimizationError
from strategies.caps import excess
from strategies.certificate import lower_bound_usd
from strategies.model import HedgeModel

_INSIDE = 1e-3  # of the unit of money
_GAP = 1e-4  # of the unit of money, which is about a hundredth of the book


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes a compiled problem fit: sizes and which parts are there."""

    symbols: int
    book_rows: int
    hedge_rows: int
    has_token: bool
    has_cae: bool
    has_turnover: bool
    has_trade: bool
    has_impact: bool
    has_uncertainty: bool

    def blocks(self) -> dict[str, int]:
        """Rows of each block of caps that is there."""
        sizes = {
            "token": self.symbols * self.has_token,
            "book": self.book_rows,
            "hedge": self.hedge_rows,
            "cae": int(self.has_cae),
            "turnover": int(self.has_turnover),
            "trade": self.symbols * self.has_trade,
        }
        return {name: size for name, size in sizes.items() if size}


def shape_of(model: HedgeModel) -> Shape:
    """The shape that a model needs."""
    caps = model.caps
    return Shape(
        symbols=len(model.bot),
        book_rows=len(caps.book_rows),
        hedge_rows=len(caps.hedge_rows),
        has_token=caps.has_token,
        has_cae=caps.has_cae,
        has_turnover=caps.has_turnover,
        has_trade=caps.has_trade,
        has_impact=bool(np.any(model.costs.impact_per_root_usd > 0)),
        has_uncertainty=model.uncertainty > 0,
    )


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A solved problem: hedges (N,) USD, J in USD, and the dual of each cap (USD per USD), (C,)."""

    hedge_usd: FloatArray
    objective_usd: float
    duals: FloatArray
    status: str


@dataclass(frozen=True, slots=True)
class Unsolved:
    """No solution: the caps exclude each other, or the solver failed (never one for the other)."""

    infeasible: bool
    status: str


class CapConstraints:
    """Variables of hedges, book and trades, tied together and held under the caps.

    Args:
        shape: sizes and blocks.
        slack: by block, what may be exceeded (a variable); empty where caps are hard.
    """

    def __init__(self, shape: Shape, slack: dict[str, cp.Variable]) -> None:
        n = shape.symbols
        self.shape = shape
        self.hedge, self.held, self.trade = cp.Variable(n), cp.Variable(n), cp.Variable(n)
        self.size, self.turn = cp.Variable(n), cp.Variable(n)  # at least |h| and |z|
        self.adjusted = cp.Variable(n)
        self.bot, self.current = cp.Parameter(n), cp.Parameter(n)
        self.lower, self.upper = cp.Parameter(n), cp.Parameter(n)
        self.size_limit = cp.Parameter(n, nonneg=True)
        self.turn_limit = cp.Parameter(n, nonneg=True)
        self.root = cp.Parameter((n, n))
        self.limit = {
            name: cp.Parameter(count, nonneg=True) for name, count in shape.blocks().items()
        }
        self.rows = {
            name: cp.Parameter((count, n))
            for name, count in (("book", shape.book_rows), ("hedge", shape.hedge_rows))
            if count
        }
        self.capped = {
            name: self._capped(name, limit + slack[name] if name in slack else limit)
            for name, limit in self.limit.items()
        }
        self.constraints = [
            self.held == self.bot + self.hedge,
            self.trade == self.hedge - self.current,
            self.adjusted == self.root @ self.held,
            self.lower <= self.hedge,
            self.hedge <= self.upper,
            self.hedge <= self.size,
            -self.hedge <= self.size,
            self.size <= self.size_limit,
            self.trade <= self.turn,
            -self.trade <= self.turn,
            self.turn <= self.turn_limit,
            *(constraint for block in self.capped.values() for constraint in block),
        ]

    def _capped(self, block: str, limit: cp.Expression) -> list[cp.Constraint]:
        if block == "token":
            return [self.held <= limit, -self.held <= limit]
        if block == "book":
            value = self.rows["book"] @ self.held
            return [value <= limit, -value <= limit]
        if block == "hedge":
            return [self.rows["hedge"] @ self.size <= limit]
        if block == "cae":
            return [cp.norm(self.adjusted) <= limit]
        if block == "turnover":
            return [cp.sum(self.turn) <= limit]
        return [self.turn <= limit]

    def fill(self, model: HedgeModel, limits: FloatArray) -> None:
        """Set every parameter; ``limits`` (C,) USD, infinite ones become merely out of reach."""
        unit, caps = model.unit_usd, model.caps
        put(self.bot, model.bot / unit)
        put(self.current, model.current / unit)
        put(self.lower, model.lower / unit)
        put(self.upper, model.upper / unit)
        size = np.maximum(np.abs(model.lower), np.abs(model.upper))
        turn = np.maximum(model.upper - model.current, model.current - model.lower)
        put(self.size_limit, (size / unit) * 1.01 + 0.01)
        put(self.turn_limit, (turn / unit) * 1.01 + 0.01)
        put(self.root, caps.root)
        for name, rows in (("book", caps.book_rows), ("hedge", caps.hedge_rows)):
            if name in self.rows:
                put(self.rows[name], rows)
        finite = np.minimum(limits, out_of_reach(model))
        for name, limit in self.limit.items():
            put(limit, np.maximum(finite[caps.blocks[name]], 0.0) / unit)

    def duals(self, model: HedgeModel) -> FloatArray:
        """Dual of each cap row after a solve, (C,); 0 where a row is clearly inside its limit."""
        rows = np.zeros(len(model.caps.names))
        for name, constraints in self.capped.items():
            total = sum(np.atleast_1d(np.asarray(c.dual_value)) for c in constraints)
            limit = np.asarray(self.limit[name].value) * model.unit_usd
            value = model.caps.values(self.hedge_usd(model))[model.caps.blocks[name]]
            binds = value > limit - _INSIDE * model.unit_usd
            rows[model.caps.blocks[name]] = np.where(binds, np.maximum(total, 0.0), 0.0)
        return rows

    def hedge_usd(self, model: HedgeModel) -> FloatArray:
        """The hedges of the last solve, (N,) USD, within their bounds to the last digit."""
        return np.clip(np.asarray(self.hedge.value) * model.unit_usd, model.lower, model.upper)


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
        objective = (
            self._risk * cp.sum_squares(body.adjusted)
            + self._linear_trade @ body.turn
            + self._linear_hedge @ body.hedge
            + self._absolute_hedge @ body.size
        )
        constraints = list(body.constraints)
        if shape.has_impact:
            self._impact = cp.Parameter(n, nonneg=True)
            objective += self._impact @ cp.power(body.turn, 1.5, approx=False)
        if shape.has_uncertainty:
            self._uncertainty = cp.Parameter(n, nonneg=True)
            weighted = cp.Variable()
            constraints.append(self._uncertainty @ cp.abs(body.held) <= weighted)
            objective += cp.square(weighted)
        self._problem = cp.Problem(cp.Minimize(objective), constraints)
        require_dpp(self._problem)

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
        status = run(self._problem)
        if status not in {cp.OPTIMAL, cp.OPTIMAL_INACCURATE}:
            return Unsolved(infeasible=status == cp.INFEASIBLE, status=status)
        hedge = body.hedge_usd(model)
        solved = Relaxed(hedge, float(model.objective_usd(hedge)), body.duals(model), status)
        if status == cp.OPTIMAL_INACCURATE and not _verified(solved, model, limits):
            return Unsolved(infeasible=False, status=status)
        return solved


def put(parameter: cp.Parameter, value: FloatArray | float) -> None:
    """Set a parameter unless it is so already; checking a new value takes longer than solving."""
    if parameter.value is None or not np.array_equal(parameter.value, value):
        parameter.value = value


def out_of_reach(model: HedgeModel) -> FloatArray:
    """(C,) USD that no hedge within the bounds can reach: a limit above it might as well be it."""
    caps = model.caps
    most = caps.values(model.current) + caps.change(model.upper - model.lower)
    return 1.1 * most + model.unit_usd


def require_dpp(problem: cp.Problem) -> None:
    """Raise OptimizationError unless new numbers need no new compilation."""
    if not problem.is_dpp():
        raise OptimizationError("hedge problem: not in disciplined parametrised form")


def run(problem: cp.Problem) -> str:
    """Solve with Clarabel and return the status, ``solver_error`` when it gave up."""
    with warnings.catch_warnings():
        # An inaccurate solution is judged by its status; the warning would only repeat it.
        warnings.simplefilter("ignore")
        try:
            problem.solve(solver=cp.CLARABEL, warm_start=False, enforce_dpp=True)
        except cp.SolverError:
            return str(cp.SOLVER_ERROR)
    return str(problem.status)


def _verified(solved: Relaxed, model: HedgeModel, limits: FloatArray) -> bool:
    """Caps hold, and no hedge can be better, both to about a millionth of the book."""
    finite = np.minimum(limits, out_of_reach(model))
    over = excess(model.caps.values(solved.hedge_usd), finite + _GAP * model.unit_usd)
    bound = lower_bound_usd(model, finite, solved.duals, solved.hedge_usd)
    return not np.any(over) and solved.objective_usd - bound <= _GAP * model.unit_usd
