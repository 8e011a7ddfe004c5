"""The hedge problem written out once more, as plainly as cvxpy allows, to compare with."""

import cvxpy as cp
import numpy as np

from strategies.model import HedgeModel


def reference_usd(model: HedgeModel, limits: np.ndarray) -> float:
    """Least J in USD within ``limits`` (C,); infinite where no hedge keeps them.

    Nothing is compiled or tightened, and money is counted in the model's unit.
    """
    unit, caps = model.unit_usd, model.caps
    hedge = cp.Variable(len(model.bot))
    held, trade = hedge + model.bot / unit, hedge - model.current / unit
    limit = {block: limits[rows] / unit for block, rows in caps.blocks.items()}
    constraints = [hedge >= model.lower / unit, hedge <= model.upper / unit]

    def add(value: cp.Expression, block: str) -> None:
        bounded = np.flatnonzero(np.isfinite(limit[block]))
        if len(bounded):
            constraints.append(value[bounded] <= limit[block][bounded])

    if caps.has_token:
        add(cp.abs(held), "token")
    if len(caps.book_rows):
        add(cp.abs(caps.book_rows @ held) + caps.book_doubt @ cp.abs(held), "book")
    if len(caps.hedge_rows):
        add(caps.hedge_rows @ cp.abs(hedge), "hedge")
    if len(caps.stress_rows):
        y = held if caps.stress_shared else hedge
        add(caps.stress_rows @ y + caps.stress_margin @ cp.abs(y), "stress")
    if caps.has_cae:
        add(cp.reshape(cp.norm(caps.root @ held), (1,), order="C"), "cae")
    if caps.has_turnover:
        add(cp.reshape(cp.norm1(trade), (1,), order="C"), "turnover")
    if caps.has_trade:
        add(cp.abs(trade), "trade")
    costs = model.costs
    root = np.linalg.cholesky(model.covariance).T
    spread = model.volatility @ cp.abs(held)
    risk = cp.sum_squares(root @ held) + model.uncertainty * cp.square(spread)
    objective = model.risk_per_usd * unit * risk
    objective += costs.linear_hedge() @ hedge + costs.absolute_hedge() @ cp.abs(hedge)
    objective += costs.linear_trade() @ cp.abs(trade) + costs.signed_trade() @ trade
    if np.any(costs.impact_trade() > 0):
        impact = costs.impact_trade() * np.sqrt(unit)
        objective += impact @ cp.power(cp.abs(trade), 1.5, approx=False)
    problem = cp.Problem(cp.Minimize(objective), constraints)
    problem.solve(solver=cp.CLARABEL)
    return float(problem.value) * unit
