"""The sector hedge: short the sector's other tokens, each as much as the others."""

import numpy as np

from risk.book import FloatArray
from strategies.inputs import HedgeFacts
from strategies.rule import RuleStrategy


def basket() -> RuleStrategy:
    """Equal-weighted short of the sector's other tokens, 1:1 with the book."""
    return RuleStrategy("basket", "rolling_30d", equal_weights)


def equal_weights(facts: HedgeFacts) -> FloatArray:
    """h_k = −Σ p_i / M for each of the M tokens of the sector that may be hedged.

    Returns:
        (N,) USD; all 0 where there is none. For a book of longs Σ p is its gross.
    """
    tokens = facts.may_hedge & facts.in_sector
    share = -float(np.sum(facts.bot_usd)) / max(int(np.count_nonzero(tokens)), 1)
    return np.where(tokens, share, 0.0)
