"""A bound that no hedge can beat, computed from duals without any solver.

For duals μ ≥ 0 of the caps g(h) ≤ k, the Lagrangian J(h) + μᵀ(g(h) − k) is convex and at most J
wherever the caps hold. Its tangent at any point, minimised over the bounds of h, is therefore a
lower bound of J over all hedges that the caps allow (Boyd, Vandenberghe 2004, §5.2). |z_i| and
|h_i| are kept as they are instead of by a tangent, which makes the bound tight where a symbol
does not trade.
"""

import math
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from strategies.caps import excess
from strategies.mix import Mix
from strategies.model import HedgeModel

_GAP = 1e-4  # of the unit of money, which is about a hundredth of the book


@dataclass(frozen=True, slots=True)
class Slopes:
    """Of the Lagrangian at one hedge, (N,) USD per USD; |h| and |z| are kept apart.

    Attributes:
        smooth: of everything else.
        size, turn: prices of |h| and of |z|, at least 0.
    """

    smooth: FloatArray
    size: FloatArray
    turn: FloatArray


def slopes(
    model: HedgeModel, hedge_usd: FloatArray, duals: FloatArray, *, mix: Mix | None = None
) -> Slopes:
    """Slopes of J plus what the caps charge, ``duals`` (C,) at least 0, at ``hedge_usd`` (N,).

    With a ``mix`` J counts risk as that weighs it.
    """
    hedge, absolute, traded, signed, impact = model.costs.weights
    smooth = _risk_slope(model, hedge_usd, mix) + hedge + signed
    size, charged = absolute, cap_slopes(model, hedge_usd, duals)
    if model.uncertainty > 0:
        held = model.bot + hedge_usd
        spread = float(model.volatility @ np.abs(held))
        doubt = 2.0 * model.risk_per_usd * model.uncertainty * spread * model.volatility
        doubt = np.where(model.bot == 0, doubt, 0.0)  # there |x| is |h|
        smooth, size = smooth - doubt * np.sign(held), size + doubt
    if impact is not None:
        trade = hedge_usd - model.current
        smooth += 1.5 * impact * np.sqrt(np.abs(trade)) * np.sign(trade)
    return Slopes(
        smooth=smooth + charged.smooth, size=size + charged.size, turn=traded + charged.turn
    )


def _risk_slope(model: HedgeModel, hedge_usd: FloatArray, mix: Mix | None) -> FloatArray:
    if mix is None:
        return model.risk_slope(hedge_usd)
    held = model.bot + hedge_usd
    slope = mix.slope(model, held)
    if model.uncertainty > 0:
        spread = float(model.volatility @ np.abs(held))
        doubt = 2.0 * model.risk_per_usd * model.uncertainty * spread
        slope = slope + doubt * (model.volatility * np.sign(held))
    return slope


def cap_slopes(model: HedgeModel, hedge_usd: FloatArray, duals: FloatArray) -> Slopes:
    """What the caps add to the slopes: linear in ``duals`` (C,), without J itself.

    Blocks without a price, which are most, are passed over.
    """
    caps, held = model.caps, model.bot + hedge_usd
    smooth, size, width, turn = np.zeros((4, len(held)))  # width: the price of |x|
    if not duals.any():
        return Slopes(smooth, size, turn)
    of = {name: duals[rows] for name, rows in caps.blocks.items() if duals[rows].any()}
    if "book" in of:
        smooth += (of["book"] * np.sign(caps.book_rows @ held)) @ caps.book_rows
        width += of["book"] @ caps.book_doubt
    if "stress" in of:
        smooth += of["stress"] @ caps.stress_rows
        margin = np.sum(of["stress"]) * caps.stress_margin
        if caps.stress_shared:
            width += margin
        else:
            size += margin
    if "hedge" in of:
        size += of["hedge"] @ caps.hedge_rows
    width += of.get("token", 0.0)
    # Where the bot holds nothing |x| is |h|, which is kept as it is.
    smooth += np.where(caps.bot == 0, 0.0, width * np.sign(held))
    size += np.where(caps.bot == 0, width, 0.0)
    if "cae" in of:
        adjusted = caps.root @ held
        exposure = float(np.linalg.norm(adjusted))
        if exposure > 0:
            smooth += of["cae"] * (caps.root.T @ adjusted) / exposure
    turn += np.sum(of["turnover"]) if "turnover" in of else 0.0
    turn += of.get("trade", 0.0)
    return Slopes(smooth, size, turn)


def proven(
    model: HedgeModel,
    limits: FloatArray,
    duals: FloatArray,
    hedge_usd: FloatArray,
    objective_usd: float,
    *,
    mix: Mix | None = None,
) -> bool:
    """Caps hold, and no hedge can be better, both to about a millionth of the book.

    Nothing is taken from whoever found the hedges but them and the duals. What is not a number
    proves nothing.

    Args:
        limits: (C,) USD; infinite for none, a NaN is never kept.
        duals: (C,) USD per USD.
        hedge_usd: (N,).
        objective_usd: J there.
        mix: as for ``lower_bound_usd``.
    """
    near = _GAP * model.unit_usd
    values = model.caps.values(hedge_usd)
    if not ((excess(values, limits + near) == 0).all() and np.isfinite(hedge_usd).all()):
        return False
    lagrangian = objective_usd + _charged_usd(limits, duals, values)
    bound = lagrangian - _fall_usd(model, limits, duals, hedge_usd, mix=mix)
    return math.isfinite(objective_usd) and objective_usd - bound <= near


def lower_bound_usd(
    model: HedgeModel,
    limits: FloatArray,
    duals: FloatArray,
    hedge_usd: FloatArray,
    *,
    mix: Mix | None = None,
) -> float:
    """Least J in USD that hedges within ``limits`` could reach; −inf is never returned.

    Args:
        model: the decision.
        limits: (C,) USD; infinite rows are left out.
        duals: (C,) at least 0; any will do, those of the solution make the bound tight.
        hedge_usd: (N,) where the tangent is laid, best the solution.
        mix: how windows and scenarios weigh; any will do, None for the worst there, which is loose
            where several are.
    """
    lagrangian = float(model.objective_usd(hedge_usd))
    lagrangian += _charged_usd(limits, duals, model.caps.values(hedge_usd))
    return lagrangian - _fall_usd(model, limits, duals, hedge_usd, mix=mix)


def _charged_usd(limits: FloatArray, duals: FloatArray, values: FloatArray) -> float:
    """What caps of values (C,) charge, USD; infinite ones nothing."""
    kept = np.isfinite(limits)
    return float(np.maximum(duals, 0.0)[kept] @ (values - limits)[kept])


def _fall_usd(
    model: HedgeModel,
    limits: FloatArray,
    duals: FloatArray,
    hedge_usd: FloatArray,
    *,
    mix: Mix | None,
) -> float:
    """How far below the Lagrangian at the hedges its tangent falls within their bounds, USD.

    The tangent is a sum over symbols, each a line with kinks at no hedge and at no trade.
    """
    weight = np.where(np.isfinite(limits), np.maximum(duals, 0.0), 0.0)
    price = slopes(model, hedge_usd, weight, mix=mix)
    below = 0.0 if mix is None else mix.less_usd(model, model.bot + hedge_usd)
    lower, upper = model.lower, model.upper
    kinks = (np.minimum(np.maximum(kink, lower), upper) for kink in (model.current, 0.0))
    at = np.array([hedge_usd, lower, upper, *kinks])
    usd = price.smooth * (at - hedge_usd)
    usd += price.size * np.abs(at) + price.turn * np.abs(at - model.current)
    return below + float((usd[0] - usd[1:].min(axis=0)).sum())
