"""Which caps exclude each other: a minimal set of them.

Deletion filter (Chinneck, Dravnieks 1991): a cap is left out; if the others still cannot all hold
it is no part of the set, else it is. What remains cannot be met, and without any one of its caps
it could be. The start is narrowed by duals: the caps with a price in the problem of least total
slack cannot be met by themselves (Farkas), and they are few.
"""

import numpy as np
from numpy.typing import NDArray

from strategies.model import HedgeModel
from strategies.solution import LeastSlack, Unsolved

_NOT_MET = 1e-3  # of the unit of money: less total slack than this is none
_PRICED = 1e-5


def minimal_conflict(problem: LeastSlack, model: HedgeModel) -> NDArray[np.int64]:
    """Rows of ``model.caps`` that no allowed hedge meets all at once, and none of which is idle.

    Empty where the caps can be met, or where the solver does not tell. Bounds of the hedges (signs,
    hands off, reach) always hold. Which of several minimal sets is found depends on the order:
    caps on trades are left out first, as they matter only today.
    """
    caps = model.caps
    room = np.maximum(caps.values(model.current) + caps.change(model.upper - model.lower), 0.0)

    def excluded(rows: NDArray[np.bool_]) -> bool:
        slack = problem.least_slack(model, room, rows.astype(float))
        if isinstance(slack, Unsolved):
            return False  # not known to be: the caps stay in the set
        return float(np.sum(slack[rows])) > _NOT_MET * model.unit_usd

    every = np.isfinite(caps.limits)
    if not excluded(every):
        return np.zeros(0, dtype=np.int64)
    rows = every & (problem.prices(model) > _PRICED)
    if not np.any(rows) or not excluded(rows):
        rows = every
    candidates = np.flatnonzero(rows)
    for row in candidates[np.argsort(caps.tiers[candidates], kind="stable")].tolist():
        rows[row] = False
        rows[row] = not excluded(rows)
    return np.flatnonzero(rows)
