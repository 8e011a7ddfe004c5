"""A bound that no hedge can beat, computed from duals without any solver.

For duals μ ≥ 0 of the caps g(h) ≤ k, the Lagrangian J(h) + μᵀ(g(h) − k) is convex and at most J
wherever the caps hold. Its tangent at any point, minimised over the bounds of h, is therefore a
lower bound of J over all hedges that the caps allow (Boyd, Vandenberghe 2004, §5.2). |z_i| and
|h_i| are kept as they are instead of by a tangent, which makes the bound tight where a symbol
does not trade.
"""

import numpy as np

from risk.book import FloatArray
from strategies.model import HedgeModel


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
    of = {name: weight[rows] for name, rows in caps.blocks.items()}
    held, trade = model.bot + hedge_usd, hedge_usd - model.current
    costs = model.costs

    adjusted = caps.root @ held
    exposure = float(np.linalg.norm(adjusted))
    slope = model.risk_slope(hedge_usd) + costs.linear_hedge() + costs.signed_trade()
    slope += 1.5 * costs.impact_trade() * np.sqrt(np.abs(trade)) * np.sign(trade)
    slope += (of["book"] * np.sign(caps.book_rows @ held)) @ caps.book_rows
    slope += (of["book"] @ caps.book_doubt) * np.sign(held)
    slope += of["stress"] @ caps.stress_rows
    margin = np.sum(of["stress"]) * caps.stress_margin
    if caps.has_token:
        slope += of["token"] * np.sign(held)
    if caps.has_cae and exposure > 0:
        slope += of["cae"] * (caps.root.T @ adjusted) / exposure
    size_price = costs.absolute_hedge() + of["hedge"] @ caps.hedge_rows
    if caps.stress_shared:
        slope += margin * np.sign(held)
    else:
        size_price = size_price + margin
    turn_price = costs.linear_trade() + np.sum(of["turnover"])
    if caps.has_trade:
        turn_price = turn_price + of["trade"]

    def kept(h: FloatArray) -> FloatArray:
        """Of each symbol: the tangent of the smooth part, and |h| and |z| as they are."""
        line = slope * (h - hedge_usd)
        total: FloatArray = line + size_price * np.abs(h) + turn_price * np.abs(h - model.current)
        return total

    corners = (model.lower, model.upper, model.current, np.zeros_like(hedge_usd))
    least = np.min([kept(h) for h in corners], axis=0)
    lagrangian = float(model.objective_usd(hedge_usd)) + float(
        weight @ (caps.values(hedge_usd) - finite_limits)
    )
    return lagrangian - float(np.sum(kept(hedge_usd))) + float(np.sum(least))
