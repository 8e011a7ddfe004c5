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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from risk.book import FloatArray
from strategies.caps import excess
from strategies.certificate import cap_slopes
from strategies.model import HedgeModel
from strategies.sides import Sides, both_sides, one_trade_pays, sides_of

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
    if not (excess(values, limits) == 0).all() or _too_many_legs(model):
        return None
    sides, none = sides_of(model), np.zeros(len(values))
    if sides.certain(sides.slope, sides.size(sides.slope), 0.0):
        return none
    room = np.maximum(limits - values, 0.0)
    near = np.flatnonzero(room <= _NEAR * np.where(np.isfinite(limits), limits, 0.0))
    if not len(near) and one_trade_pays(model, sides):
        return None
    near = near[np.argsort(room[near], kind="stable")][:_MOST_ROWS]
    sides, charges = _with_risk(model, sides)
    price = _prices(sides, charges.beside(_rows(model, near), room[near]))
    if price is None:
        return None
    none[near] = price[: len(near)]
    return none


def _too_many_legs(model: HedgeModel) -> bool:
    return model.most_legs is not None and int(np.count_nonzero(model.current)) > model.most_legs


def _rows(model: HedgeModel, caps: NDArray[np.intp]) -> FloatArray:
    """(R, 2N) what a price of each of ``caps`` (R,) adds to the slopes."""
    rows = np.empty((len(caps), 2 * len(model.current)))
    for row, cap in zip(rows, caps.tolist(), strict=True):
        add = cap_slopes(model, model.current, np.eye(1, len(model.caps.names), cap)[0])
        row[:] = both_sides(model, add.smooth, add.size, add.turn)
    return rows


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
    caps: int = 0

    def usd(self, price: FloatArray) -> float:
        return float(price @ self.room + (price * price) @ self.square)

    def beside(self, rows: FloatArray, room: FloatArray) -> "_Charges":
        """These, and before them prices of R caps with ``rows`` (R, 2N) and ``room`` (R,) USD."""
        if not len(rows):
            return self
        return _Charges(
            rows=np.concatenate([rows, self.rows]),
            room=np.concatenate([room, self.room]),
            square=np.concatenate([np.zeros(len(room)), self.square]),
            caps=len(room),
        )


def _with_risk(model: HedgeModel, sides: Sides) -> tuple[Sides, _Charges]:
    """The curvature of each symbol's own; of K shared factors slopes and charges.

    C ⪰ λ_min·I + Σ_k (λ_k − λ_min)·v_k v_kᵀ, and each shared square is at least its tangent,
    (v_kᵀSd)² ≥ 2y·v_kᵀSd − y²: a slope for the price y, and a charge of its square.
    """
    if len(model.other_roots) or model.risk_per_usd == 0:  # not one quadratic, or none
        return sides, _Charges(np.empty((0, len(sides.slope))), np.empty(0), np.empty(0))
    volatility = model.volatility
    correlation = model.covariance / (volatility[:, None] * volatility)
    strength, vectors, failed = lapack.dsyevd(correlation, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError("eigenvalues of the correlations were not found")
    least = max(float(strength[0]), 0.0)
    charge = model.risk_per_usd * (strength[-_MOST_FACTORS:] - least)
    slope = (2.0 * charge)[:, None] * (volatility * vectors.T[-_MOST_FACTORS:])
    curved = sides.curved(model.risk_per_usd * least * volatility * volatility)
    shared = np.concatenate([slope, -slope], axis=1)
    return curved, _Charges(shared, np.zeros(len(charge)), charge)


def _prices(sides: Sides, charges: _Charges) -> FloatArray | None:
    """Prices (P,) that prove it; None where none were found.

    Minimises what trades of any size could gain plus what the prices charge, a convex function, by
    Newton steps; any prices are good for a proof, so that it may stop as soon as there is one.
    """
    rows, price = charges.rows, np.zeros(len(charges.rows))
    for _ in range(_ROUNDS):
        slope = sides.slope + price @ rows
        size = sides.size(slope)
        if sides.certain(slope, size, charges.usd(price)):
            return price
        following = _newton(sides, charges, price, size)
        if following is None or np.abs(following - price).max() <= 1e-9 * np.abs(price).max():
            return None
        price = following
    return None


def _newton(
    sides: Sides, charges: _Charges, price: FloatArray, size: FloatArray
) -> FloatArray | None:
    """The next prices; None where there is nowhere to go."""
    rows, caps, bend = charges.rows, charges.caps, 2.0 * charges.square
    downhill = rows @ size - charges.room - bend * price
    hessian = (rows * sides.give(size)) @ rows.T
    hessian.flat[:: len(price) + 1] += bend
    free: NDArray[np.intp] | slice = slice(None)
    inner = hessian
    if caps:
        free = np.flatnonzero((price > 0) | (downhill > 0) | (np.arange(len(price)) >= caps))
        inner = hessian[free[:, None], free]
    steep = float(inner.trace())
    if not steep > 0:
        return None
    inner.flat[:: len(inner) + 1] += 1e-9 * steep
    _, step, failed = lapack.dposv(inner, downhill[free])
    if failed:
        return None
    following = price.copy()
    following[free] += step
    if caps:
        following[:caps] = np.maximum(following[:caps], 0.0)
    return following
