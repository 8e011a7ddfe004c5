"""Variables of one decision, held under its caps: what every compiled problem is made of.

Money is counted in the model's own unit, because conic solvers lose digits otherwise.
"""

import cvxpy as cp
import numpy as np

from risk.book import FloatArray
from strategies.model import HedgeModel
from strategies.shape import Shape

_INSIDE = 1e-3  # of the unit of money


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
            for name, count in (
                ("book", shape.book_rows),
                ("hedge", shape.hedge_rows),
                ("stress", shape.stress_rows),
            )
            if count
        }
        if shape.has_doubt:
            self.rows["doubt"] = cp.Parameter((shape.book_rows, n), nonneg=True)
        if shape.stress_rows:
            self.margin = cp.Parameter(n, nonneg=True)
        self.width = cp.Variable(n)  # at least |x|
        self.width_limit = cp.Parameter(n, nonneg=True)
        self.needs_width = shape.has_doubt or (shape.stress_rows > 0 and shape.stress_shared)
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
            *(self._wide() if self.needs_width else []),
            *(constraint for block in self.capped.values() for constraint in block),
        ]

    def _wide(self) -> list[cp.Constraint]:
        size = self.width
        return [self.held <= size, -self.held <= size, size <= self.width_limit]

    def _capped(self, block: str, limit: cp.Expression) -> list[cp.Constraint]:
        if block == "token":
            return [self.held <= limit, -self.held <= limit]
        if block == "book":
            value = self.rows["book"] @ self.held
            if self.shape.has_doubt:
                limit = limit - self.rows["doubt"] @ self.width
            return [value <= limit, -value <= limit]
        if block == "stress":
            y, size = (
                (self.held, self.width) if self.shape.stress_shared else (self.hedge, self.size)
            )
            return [self.rows["stress"] @ y + self.margin @ size <= limit]
        if block == "hedge":
            return [self.rows["hedge"] @ self.size <= limit]
        plain = {
            "cae": cp.norm(self.adjusted),
            "turnover": cp.sum(self.turn),
            "trade": self.turn,
        }
        return [plain[block] <= limit]

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
        if self.needs_width:
            wide = np.maximum(np.abs(model.bot + model.lower), np.abs(model.bot + model.upper))
            put(self.width_limit, (wide / unit) * 1.01 + 0.01)
        put(self.root, caps.root)
        for name, rows in (
            ("book", caps.book_rows),
            ("hedge", caps.hedge_rows),
            ("stress", caps.stress_rows),
            ("doubt", caps.book_doubt),
        ):
            if name in self.rows:
                put(self.rows[name], rows)
        if self.shape.stress_rows:
            put(self.margin, caps.stress_margin)
        finite = np.minimum(limits, out_of_reach(model))
        for name, limit in self.limit.items():
            put(limit, np.maximum(finite[caps.blocks[name]], 0.0) / unit)

    def duals(self, model: HedgeModel) -> FloatArray:
        """Dual of each cap row after a solve, (C,); 0 where a row is clearly inside its limit."""
        rows = np.zeros(len(model.caps.names))
        values, blocks = model.caps.values(self.hedge_usd(model)), model.caps.blocks
        for name, constraints in self.capped.items():
            total = sum(np.atleast_1d(np.asarray(c.dual_value)) for c in constraints)
            limit = np.asarray(self.limit[name].value) * model.unit_usd
            binds = values[blocks[name]] > limit - _INSIDE * model.unit_usd
            rows[blocks[name]] = np.where(binds, np.maximum(total, 0.0), 0.0)
        return rows

    def hedge_usd(self, model: HedgeModel) -> FloatArray:
        """The hedges of the last solve, (N,) USD, within their bounds to the last digit."""
        return np.clip(np.asarray(self.hedge.value) * model.unit_usd, model.lower, model.upper)


def put(parameter: cp.Parameter, value: FloatArray | float) -> None:
    """Set a parameter without the checks, which take longer than solving.

    Signs and NaN are looked for once before every solve, in all parameters together.
    """
    number = np.asarray(value, dtype=np.float64)
    if number.shape != parameter.shape:
        raise ValueError(f"parameter of shape {parameter.shape}: value of shape {number.shape}")
    parameter.save_value(number)


def out_of_reach(model: HedgeModel) -> FloatArray:
    """(C,) USD that no hedge within the bounds can reach: a limit above it might as well be it."""
    caps = model.caps
    most = caps.values(model.current) + caps.change(model.upper - model.lower)
    return 1.1 * most + model.unit_usd
