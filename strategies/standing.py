"""Whether standing still is the best there is, told by optimality conditions instead of a solver.

Every trade z from the hedges h₀ raises J + μᵀ(g − k) by at least

    Σ_i u_i d_i + b_i d_i^{3/2} + κ_i d_i²,   d_i = |z_i|, u_i the slope on the side i trades to,

for any prices μ ≥ 0 of the caps: the Lagrangian is convex, |z| and |h| have one slope on either
side of h₀, impact costs b, and the risk term curves by at least κ_i = (λτ/2E)·λ_min(C)·σ_i² with C
the correlations. Risk that symbols share is charged by prices too, so that a dozen trades which all
take away the same risk do not seem to gain a dozen times. A trade must be worth w beyond that,
moves at least a lot and stays within its bounds. Where no set of trades comes below what the prices
charge, nothing pays. Without any prices these are the textbook conditions of a point that is
optimal (Boyd, Vandenberghe 2004, §5.5).
"""

from dataclasses import dataclass, replace

import numpy as np

from risk.book import FloatArray
from strategies.caps import excess
from strategies.certificate import cap_slopes, slopes
from strategies.model import HedgeModel

_MOST_ROWS = 6
_NEAR = 0.02  # of its limit: a cap with more room than that has no price worth finding
_MOST_FACTORS = 8
_ROUNDS = 15


def standing_prices(model: HedgeModel, limits: FloatArray) -> FloatArray | None:
    """Prices (C,) of the caps that prove standing still to be best; None where they are not found.

    None is no proof of the opposite. A cap that is over its limit (C,) is never left to stand, nor
    is what is not a number.
    """
    try:
        return _proof(model, limits)
    except np.linalg.LinAlgError:
        return None


def _proof(model: HedgeModel, limits: FloatArray) -> FloatArray | None:
    values = model.caps.now
    if not np.all(excess(values, limits) == 0) or _too_many_legs(model):
        return None
    sides = _sides(model)
    none = np.zeros(len(values))
    if sides.certain(sides.slope, 0.0):
        return none
    room = np.maximum(limits - values, 0.0)
    near = np.flatnonzero(room <= _NEAR * np.where(np.isfinite(limits), limits, 0.0))
    if not len(near) and _one_trade_pays(model, sides):
        return None
    near = near[np.argsort(room[near], kind="stable")][:_MOST_ROWS]
    rows = [_charged(model, np.eye(1, len(values), row)[0]) for row in near.tolist()]
    sides, shared, charge = _with_risk(model, sides)
    charges = _Charges(
        rows=np.array([*rows, *shared]).reshape(-1, len(sides.slope)),
        room=np.concatenate([room[near], np.zeros(len(charge))]),
        square=np.concatenate([np.zeros(len(near)), charge]),
        caps=len(near),
    )
    price = _prices(sides, charges)
    if not sides.certain(sides.slope + price @ charges.rows, charges.usd(price)):
        return None
    none[near] = price[: len(near)]
    return none


def _too_many_legs(model: HedgeModel) -> bool:
    return model.most_legs is not None and int(np.count_nonzero(model.current)) > model.most_legs


def _one_trade_pays(model: HedgeModel, sides: "_Sides") -> bool:
    """Some trade alone gains more than it must be worth: there is nothing to prove."""
    if model.tail is not None or len(model.other_roots):
        return False
    own = model.risk_per_usd * (1.0 + model.uncertainty) * model.volatility**2
    alone = replace(sides, curve=np.tile(own, 2))
    size = np.clip(alone.size(alone.slope), alone.least, alone.most)
    return bool(np.any(alone.rise(alone.slope, size)[alone.most > 0] < -alone.worth))


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
        size = np.minimum(np.maximum(self.size(slope), self.least), self.most)
        lost = (self.rise(slope, size) + self.worth)[~(self.most <= 0)]
        fewest = lost.min(initial=np.inf)
        if fewest < 0:
            fewest = np.minimum(lost, 0.0).sum()
        return bool(fewest > charged_usd)


def _sides(model: HedgeModel) -> _Sides:
    at, least = model.current, model.smallest_trade_usd
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
        curve=np.zeros(2 * len(at)),
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


def _with_risk(model: HedgeModel, sides: _Sides) -> tuple[_Sides, FloatArray, FloatArray]:
    """The curvature of each symbol's own; of shared factors slopes (K, 2N) and charges (K,).

    C ⪰ λ_min·I + Σ_k (λ_k − λ_min)·v_k v_kᵀ, and each shared square is at least its tangent,
    (v_kᵀSd)² ≥ 2y·v_kᵀSd − y²: a slope for the price y, and a charge of its square.
    """
    n = len(model.current)
    if len(model.other_roots) or model.risk_per_usd == 0:  # not one quadratic, or none
        return sides, np.empty((0, 2 * n)), np.empty(0)
    correlation = model.covariance / np.outer(model.volatility, model.volatility)
    strength, vectors = np.linalg.eigh(correlation)
    least = max(float(strength[0]), 0.0)
    charge = model.risk_per_usd * (strength[-_MOST_FACTORS:] - least)
    slope = 2.0 * charge[:, None] * (model.volatility * vectors.T[-_MOST_FACTORS:])
    curve = model.risk_per_usd * least * model.volatility**2
    return replace(sides, curve=np.tile(curve, 2)), np.hstack([slope, -slope]), charge


@dataclass(frozen=True, slots=True)
class _Charges:
    """What prices do: the first ``caps`` are of caps and at least 0, the others of shared risk.

    Attributes:
        rows: (P, 2N) what a price adds to the slopes.
        room, square: (P,) what it charges, per unit and per unit squared.
    """

    rows: FloatArray
    room: FloatArray
    square: FloatArray
    caps: int

    def usd(self, price: FloatArray) -> float:
        return float(price @ self.room + price**2 @ self.square)


def _prices(sides: _Sides, charges: _Charges) -> FloatArray:
    """Prices (P,) that prove it, or that prove most.

    Minimises what trades of any size could gain plus what the prices charge, a convex function, by
    Newton steps; any prices are good for a proof, so that it may stop as soon as there is one.
    """
    rows = charges.rows
    price = best = np.zeros(len(rows))
    least = np.inf
    for _ in range(_ROUNDS):
        slope = sides.slope + price @ rows
        charged = charges.usd(price)
        if sides.certain(slope, charged):
            return price
        size = sides.size(slope)
        gain = charged - float(sides.rise(slope, size).sum())
        if gain < least:
            best, least = price, gain
        downhill = rows @ size - charges.room - 2.0 * charges.square * price
        bending = (size > 0) & (sides.curve > 0)
        moved = rows[:, bending]
        hessian = (moved / (2.0 * sides.curve[bending])) @ moved.T
        hessian.flat[:: len(price) + 1] += 2.0 * charges.square
        free = (price > 0) | (downhill > 0)
        free[charges.caps :] = True
        inner = hessian[free][:, free]
        steepest = inner.diagonal().max(initial=0.0)
        if not steepest > 0:
            break
        inner.flat[:: len(inner) + 1] += 1e-9 * inner.trace()
        following = price.copy()
        following[free] += np.linalg.solve(inner, downhill[free])
        following[: charges.caps] = np.maximum(following[: charges.caps], 0.0)
        if (np.abs(following - price) <= 1e-9 * np.abs(price)).all():
            break
        price = following
    return best
