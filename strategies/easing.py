"""When the caps exclude each other: which yield, and by how little.

Each cap may be exceeded by a slack. The slacks of the strictest tier are made as small as can be
and held there, then those of the next, down to the caps on trading, which therefore yield first
(lexicographic goal programming; Charnes, Cooper 1961). The buffer before liquidation yields last;
signs, hands-off symbols and initial margin never do. No cap on the book may end further over than
it is already, so that standing still is always among the answers and whatever is done is an
improvement.
"""

import numpy as np

from risk.book import FloatArray
from strategies.caps import Tier, excess
from strategies.model import HedgeModel
from strategies.solution import LeastSlack, Unsolved

EASE = 1e-4  # of the unit of money: keeps the eased problem from shrinking to a single point
_STRICTEST_FIRST = (Tier.LIQUIDATION, Tier.SIZE, Tier.BOOK, Tier.TRADE)
_CONE_GIVE = 0.01
"""Near its least the correlation-adjusted exposure is flat: its last hundredth would take as many
trades as all the rest, again at every decision. That near is as close as it goes."""
ROOM_FOR_THE_SOLVER = (0.0, 1e-3, 1e-2)
"""Of the unit of money: what to add to eased limits, in turn, until the solver can use them."""


def eased_limits(problem: LeastSlack, model: HedgeModel) -> FloatArray | Unsolved:
    """Limits (C,) USD that can be met: the caps themselves where no slack is needed.

    Where margin or the buffer before liquidation is over its cap and cannot come down without
    making another breach worse, the others have to give way: to lose the account is worse.
    """
    caps = model.caps
    now = caps.values(model.current)
    over = excess(now, caps.limits)
    most = np.maximum(now + caps.change(model.upper - model.lower), 0.0)
    never = caps.tiers == Tier.NEVER
    room = np.where(never, 0.0, np.where(caps.tiers == Tier.TRADE, most, over))
    eased = _tier_by_tier(problem, model, room)
    if isinstance(eased, Unsolved):
        if eased.infeasible and np.any(over[never]):
            return _tier_by_tier(problem, model, np.where(never, 0.0, most))
        return eased
    buffer = caps.tiers == Tier.LIQUIDATION
    if np.any(eased[buffer] > caps.limits[buffer]):
        strict = never | buffer
        safer = _tier_by_tier(problem, model, np.where(strict, room, most))
        if not isinstance(safer, Unsolved):
            return safer
    return eased


def _tier_by_tier(
    problem: LeastSlack, model: HedgeModel, room: FloatArray
) -> FloatArray | Unsolved:
    caps, ease = model.caps, EASE * model.unit_usd
    room = np.where(np.isfinite(caps.limits), room, 0.0)
    yielding = [tier for tier in _STRICTEST_FIRST if np.any(room[caps.tiers == tier] > 0)]
    for tier in yielding or [Tier.NEVER]:  # with nothing to yield, only ask whether all can hold
        rows = (caps.tiers == tier) & (room > 0)
        slack = problem.least_slack(model, room, rows.astype(float))
        if isinstance(slack, Unsolved):
            return slack
        needed = np.where(slack > ease, slack + ease, 0.0)
        room = np.where(rows, np.minimum(needed, room + ease), room)
    return _with_give(model, caps.limits + room)


def _with_give(model: HedgeModel, eased: FloatArray) -> FloatArray:
    """``eased`` (C,) USD with a hundredth more for the cone where it is eased, if it is used now.

    Never more than it measures now: what is over its cap does not get worse.
    """
    caps, limits = model.caps, eased.copy()
    cone = caps.blocks["cae"]
    now = caps.values(model.current)[cone]
    give = np.clip(now, eased[cone], (1 + _CONE_GIVE) * eased[cone])
    limits[cone] = np.where(eased[cone] > caps.limits[cone], give, eased[cone])
    return limits


def loosened(limits: FloatArray, model: HedgeModel, room: float) -> FloatArray:
    """Eased limits (C,) with ``room`` units of money more, only where they are eased."""
    return np.where(limits > model.caps.limits, limits + room * model.unit_usd, limits)
