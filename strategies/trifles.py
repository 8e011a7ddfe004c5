"""Leaves out trades that are hardly worth making.

Convex problems spread a hedge over every symbol that helps at all. The smallest trades cost an
order each, at every decision, and take away next to nothing: the others do their work instead.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from strategies.model import HedgeModel
from strategies.solution import Relaxed, Solves

_NOTHING = 1e-6  # of the unit of money: what a solver leaves of no trade


def without_trifles(
    problem: Solves, model: HedgeModel, limits: FloatArray, relaxed: Relaxed
) -> tuple[HedgeModel, Relaxed]:
    """The problem in which as many of the smallest trades as can be are left out, and its solution.

    Left out are the k smallest trades of ``relaxed`` for the largest k, found by halving, with
    which J rises by no more than k times what a trade must be worth, and ``limits`` (C,) still
    hold. Where that is none, both come back as they were.
    """
    size = np.abs(relaxed.hedge_usd - model.current)
    small_first = np.argsort(size, kind="stable")
    small_first = small_first[size[small_first] > _NOTHING * model.unit_usd]
    may_stay = (model.lower <= model.current) & (model.current <= model.upper)
    small_first = small_first[may_stay[small_first]]
    kept, best = (model, relaxed), 0
    least, most = 1, len(small_first) - 1  # leaving out all of them is for the search to judge
    while least <= most:
        count = (least + most + 1) // 2
        pinned = _pinned(model, small_first[:count])
        solved = problem.solve(pinned, limits)
        allowed = relaxed.objective_usd + count * model.trade_worth_usd
        if isinstance(solved, Relaxed) and solved.objective_usd <= allowed:
            kept, best = (pinned, solved), count
            least = count + 1
        else:
            most = count - 1
    return kept if best else (model, relaxed)


def _pinned(model: HedgeModel, symbols: NDArray[np.int64]) -> HedgeModel:
    """The model with no trade in ``symbols``."""
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[symbols] = upper[symbols] = model.current[symbols]
    return replace(model, lower=lower, upper=upper)
