"""Closing the hedges of a bot that is flat. No solver is asked, so none can fail.

With nothing to hedge, a hedge is a bet. Costs do not count (closing falls due some day anyway,
and funding received is no reason to stay), nor does the turnover cap; only a symbol's share of
daily volume slows the closing down.
"""

import numpy as np

from risk.book import FloatArray
from strategies.model import HedgeModel, smallest_trade_usd


def unwound(model: HedgeModel, adv_limit_usd: FloatArray) -> FloatArray:
    """Hedges (N,) USD after one decision of closing: 0 where the volume allows it at once.

    Elsewhere as many whole lots as ``adv_limit_usd`` (N,) holds are bought back, and at least
    the smallest trade that the venue takes, so that every decision comes closer to none.
    """
    current = model.current
    size, least = np.abs(current), smallest_trade_usd(model)
    allowed = np.minimum(adv_limit_usd, size)
    bought = np.maximum(np.floor(allowed / model.lot_usd) * model.lot_usd, least)
    at_once = (size <= adv_limit_usd) | (size <= bought)
    return np.where(at_once, 0.0, current - np.sign(current) * bought)
