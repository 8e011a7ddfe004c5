"""Whether standing still is the best there is, told by optimality conditions instead of a solver.

Every trade z from the hedges h₀ raises J + μᵀ(g − k) by at least

    Σ_i u_i d_i + b_i d_i^{3/2} + κ_i d_i²,   d_i = |z_i|, u_i the slope on the side i trades to,

for any prices μ ≥ 0 of the caps: the Lagrangian is convex, |z| and |h| have one slope on either
side of h₀, impact costs b, and the risk term curves by at least κ_i = (λτ/2E)·λ_min(C)·σ_i² with C
the correlations. A trade must be worth w beyond that, moves at least a lot and stays within its
bounds. Where no set of trades comes below what the prices charge for the room that the caps still
have, nothing pays. With μ = 0 these are the textbook conditions of a point that is optimal (Boyd,
Vandenberghe 2004, §5.5).
"""

from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from strategies.caps import excess
from strategies.certificate import cap_slopes, slopes
from strategies.model import HedgeModel, smallest_trade_usd

_MOST_ROWS = 6
_NEAR = 0.02  # of its limit: a cap with more room than that has no price worth finding
_ROUNDS = 12


def standing_prices(model: HedgeModel, limits: FloatArray) -> FloatArray | None:
    """Prices (C,) of the caps that prove standing still to be best; None where they are not found.

    None is no proof of the opposite. A cap that is over its limit (C,) is never left to stand.
    """
    values = model.caps.values(model.current)
    if np.any(excess(values, limits) > 0) or _too_many_legs(model):
        return None
    sides = _sides(model)
    none = np.zeros(len(values))
    if sides.certain(sides.slope, 0.0):
        return none
    room = np.maximum(limits - values, 0.0)
    near = np.flatnonzero(room <= _NEAR * np.where(np.isfinite(limits), limits, 0.0))
    if not len(near):
        return None
    near = near[np.argsort(room[near], kind="stable")][:_MOST_ROWS]
    rows = np.array([_charged(model, np.eye(1, len(values), r)[0]) for r in near.tolist()])
    price = _prices(sides, rows, room[near])
    if not sides.certain(sides.slope + price @ rows, float(price @ room[near])):
        return None
    none[near] = price
    return none


def _too_many_legs(model: HedgeModel) -> bool:
    return model.most_legs is not None and int(np.count_nonzero(model.current)) > model.most_legs


@dataclass(frozen=True, slots=True)
class _Sides:
    """Each symbol twice, as it trades up and as it trades down; (2N,).

    Attributes:
        slope: u without caps.
        least, most: the smallest and the largest trade, USD; most is 0 where there is none.
        impact, curve: b and κ.
        worth: w, USD.
    """

    slope: FloatArray
    least: FloatArray
    most: FloatArray
    impact: FloatArray
    curve: FloatArray
    worth: float

    def rise(self, slope: FloatArray, size: FloatArray) -> FloatArray:
        """u·d + b·d^{3/2} + κ·d², (2N,) USD."""
        total: FloatArray = (slope + self.impact * np.sqrt(size) + self.curve * size) * size
        return total

    def size(self, slope: FloatArray) -> FloatArray:
        """The trade of any size with the least rise, (2N,): the root of a quadratic in √d."""
        down = np.maximum(-slope, 0.0)
        steep = 3.0 * self.impact
        below = steep + np.sqrt(steep**2 + 32.0 * self.curve * down)
        root = np.where(down > 0, np.inf, 0.0)
        np.divide(4.0 * down, below, out=root, where=below > 0)
        least: FloatArray = np.minimum(root**2, self.most)
        return least

    def certain(self, slope: FloatArray, charged_usd: float) -> bool:
        """No trades in lots gain what they must be worth, even with ``charged_usd`` on top."""
        size = np.clip(self.size(slope), self.least, self.most)
        lost = self.rise(slope, size) + self.worth
        lost = lost[self.most > 0]
        fewest = np.sum(np.minimum(lost, 0.0)) if np.any(lost < 0) else np.min(lost, initial=np.inf)
        return bool(fewest > charged_usd)


def _sides(model: HedgeModel) -> _Sides:
    at, least = model.current, smallest_trade_usd(model)
    price = slopes(model, at, np.zeros(len(model.caps.names)))
    return _Sides(
        slope=_both(model, price.smooth, price.size, price.turn),
        # A close may be smaller than the smallest trade.
        least=np.concatenate(
            [
                np.where(at < 0, np.minimum(least, -at), least),
                np.where(at > 0, np.minimum(least, at), least),
            ]
        ),
        most=np.maximum(np.concatenate([model.upper - at, at - model.lower]), 0.0),
        impact=np.tile(model.costs.impact_trade(), 2),
        curve=np.tile(_curvature(model), 2),
        worth=model.trade_worth_usd,
    )


def _both(model: HedgeModel, smooth: FloatArray, size: FloatArray, turn: FloatArray) -> FloatArray:
    """Slopes up and down, (2N,); |h| grows either way from 0 and one way only from elsewhere."""
    side = np.sign(model.current)
    up = smooth + turn + np.where(side == 0, size, side * size)
    down = -smooth + turn + np.where(side == 0, size, -side * size)
    return np.concatenate([up, down])


def _charged(model: HedgeModel, duals: FloatArray) -> FloatArray:
    add = cap_slopes(model, model.current, duals)
    return _both(model, add.smooth, add.size, add.turn)


def _curvature(model: HedgeModel) -> FloatArray:
    """κ (N,); 0 where the risk is the worst of several windows."""
    if len(model.other_roots) or model.risk_per_usd == 0:
        return np.zeros(len(model.current))
    correlation = model.covariance / np.outer(model.volatility, model.volatility)
    least = float(np.linalg.eigvalsh(correlation)[0])
    return model.risk_per_usd * max(least, 0.0) * model.volatility**2


def _prices(sides: _Sides, rows: FloatArray, room: FloatArray) -> FloatArray:
    """Prices (R,) of caps with slopes ``rows`` (R, 2N) and ``room`` left that prove most.

    Minimises what trades of any size could gain plus what the prices charge, a convex function, by
    Newton steps; any prices are good for a proof, so that it may stop anywhere.
    """
    price = best = np.zeros(len(room))
    least = np.inf
    for _ in range(_ROUNDS):
        slope = sides.slope + price @ rows
        size = sides.size(slope)
        gain = float(price @ room - np.sum(sides.rise(slope, size)))
        if gain < least:
            best, least = price, gain
        downhill = rows @ size - room
        bending = (size > 0) & (sides.curve > 0)
        moved = rows[:, bending]
        hessian = (moved / (2.0 * sides.curve[bending])) @ moved.T
        free = (price > 0) | (downhill > 0)
        if not np.any(free) or not np.any(np.diag(hessian)[free] > 0):
            break
        inner = hessian[np.ix_(free, free)]
        inner = inner + 1e-9 * np.trace(inner) * np.eye(len(inner))
        step = np.zeros(len(room))
        step[free] = np.linalg.solve(inner, downhill[free])
        following = np.maximum(price + step, 0.0)
        if np.allclose(following, price, rtol=1e-9, atol=0.0):
            break
        price = following
    return best
