"""Closing hedges that have to go, without a solver, so that none can fail.

With nothing to hedge, a hedge is a bet; and one in a symbol that a bot trades itself is a bet
against that bot, which the solver would keep for ever, since nothing hedges as well. Costs do not
count (closing falls due some day anyway, and funding received is no reason to stay), nor does the
turnover cap; only a symbol's share of daily volume slows the closing down.
"""

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.model import smallest_trade_usd


def unwound(
    facts: HedgeFacts, choices: HedgeChoices, which: NDArray[np.bool_] | None = None
) -> FloatArray:
    """Hedges (N,) USD after one decision of closing those in ``which`` (N,), all by default.

    0 where the cap on the share of daily volume allows it at once. Elsewhere as many whole lots
    as it holds are bought back, and at least the smallest trade that the venue takes, so that
    every decision comes closer to none.
    """
    current, share = facts.hedge_usd, choices.limits.adv_share
    most = np.full(len(current), np.inf) if share is None else share * facts.adv_usd
    size, least = np.abs(current), smallest_trade_usd(facts)
    bought = np.floor(np.minimum(most, size) / facts.lot_usd) * facts.lot_usd
    bought = np.maximum(bought, least)
    left = np.where(size <= np.maximum(most, bought), 0.0, current - np.sign(current) * bought)
    return left if which is None else np.where(which, left, current)
