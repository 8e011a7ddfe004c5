"""A bound that no hedge can beat, computed from duals without any solver.

For duals μ ≥ 0 of the caps g(h) ≤ k, the Lagrangian J(h) + μᵀ(g(h) − k) is convex and at most J
wherever the caps hold. Its tangent at any point, minimised over the bounds of h, is therefore a
lower bound of J over all hedges that the caps allow (Boyd, Vandenberghe 2004, §5.2). |z_i| and
|h_i| are kept as they are instead of by a tangent, which makes the bound tight where a symbol
does not trade.
"""

from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from strategies.model import HedgeModel


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


def slopes(model: HedgeModel, hedge_usd: FloatArray, duals: FloatArray) -> Slopes:
    """Slopes of J plus what the caps charge, ``duals`` (C,) at least 0, at ``hedge_usd`` (N,)."""
    costs = model.costs
    trade = hedge_usd - model.current
    smooth = model.risk_slope(hedge_usd) + costs.linear_hedge() + costs.signed_trade()
    held = model.bot + hedge_usd
    spread = float(model.volatility @ np.abs(held))
    doubt = 2.0 * model.risk_per_usd * model.uncertainty * spread * model.volatility
    doubt = np.where(model.bot == 0, doubt, 0.0)  # there |x| is |h|
    smooth -= doubt * np.sign(held)
    smooth += 1.5 * costs.impact_trade() * np.sqrt(np.abs(trade)) * np.sign(trade)
    charged = cap_slopes(model, hedge_usd, duals)
    return Slopes(
        smooth=smooth + charged.smooth,
        size=costs.absolute_hedge() + doubt + charged.size,
        turn=costs.linear_trade() + charged.turn,
    )


def cap_slopes(model: HedgeModel, hedge_usd: FloatArray, duals: FloatArray) -> Slopes:
    """What the caps add to the slopes: linear in ``duals`` (C,), without J itself."""
    caps = model.caps
    of = {name: duals[rows] for name, rows in caps.blocks.items()}
    held = model.bot + hedge_usd
    smooth = (of["book"] * np.sign(caps.book_rows @ held)) @ caps.book_rows
    smooth += of["stress"] @ caps.stress_rows
    margin = np.sum(of["stress"]) * caps.stress_margin
    size = of["hedge"] @ caps.hedge_rows
    width = of["book"] @ caps.book_doubt  # the price of |x|
    if caps.stress_shared:
        width = width + margin
    else:
        size = size + margin
    if caps.has_token:
        width = width + of["token"]
    # Where the bot holds nothing |x| is |h|, which is kept as it is.
    smooth += np.where(caps.bot == 0, 0.0, width * np.sign(held))
    size = size + np.where(caps.bot == 0, width, 0.0)
    if caps.has_cae:
        adjusted = caps.root @ held
        exposure = float(np.linalg.norm(adjusted))
        if exposure > 0:
            smooth += of["cae"] * (caps.root.T @ adjusted) / exposure
    turn = np.full(len(held), np.sum(of["turnover"]))
    return Slopes(smooth, size, turn + of["trade"] if caps.has_trade else turn)


def lower_bound_usd(
    model: HedgeModel, limits: FloatArray, duals: FloatArray, hedge_usd: FloatArray
) -> float:
    """Least J in USD that hedges within ``limits`` could reach; −inf is never returned.

    Args:
        model: the decision.
        limits: (C,) USD; infinite rows are left out.
        duals: (C,) at least 0; any will do, those of the solution make the bound tight.
        hedge_usd: (N,) where the tangent is laid, best the solution.
    """
    caps = model.caps
    binding = np.isfinite(limits)
    weight = np.where(binding, np.maximum(duals, 0.0), 0.0)
    finite_limits = np.where(binding, limits, 0.0)
    price = slopes(model, hedge_usd, weight)

    def kept(h: FloatArray) -> FloatArray:
        """Of each symbol: the tangent of the smooth part, and |h| and |z| as they are."""
        line = price.smooth * (h - hedge_usd)
        total: FloatArray = line + price.size * np.abs(h) + price.turn * np.abs(h - model.current)
        return total

    corners = (model.lower, model.upper, model.current, np.zeros_like(hedge_usd))
    least = np.min([kept(h) for h in corners], axis=0)
    lagrangian = float(model.objective_usd(hedge_usd)) + float(
        weight @ (caps.values(hedge_usd) - finite_limits)
    )
    return lagrangian - float(np.sum(kept(hedge_usd))) + float(np.sum(least))
