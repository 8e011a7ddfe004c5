"""The hedge that people think of first: against each token, short the one that moves most alike."""

import numpy as np

from risk.book import FloatArray
from strategies.inputs import HedgeFacts
from strategies.rule import RuleStrategy


def pair() -> RuleStrategy:
    """Short 1:1, against every position, of the symbol best correlated with it."""
    return RuleStrategy("pair", "rolling_30d", best_pairs)


def best_pairs(facts: HedgeFacts) -> FloatArray:
    """h_k = −Σ p_i over the positions i whose best-correlated symbol that may be hedged is k.

    Returns:
        (N,) USD; all 0 where no symbol may be hedged. Long against a short position.
    """
    target = np.zeros_like(facts.bot_usd)
    allowed = np.flatnonzero(facts.may_hedge)
    if not len(allowed):
        return target
    volatility = np.sqrt(np.diag(facts.covariance_daily))
    correlation = facts.covariance_daily / np.outer(volatility, volatility)
    for i in np.flatnonzero(facts.bot_usd).tolist():
        target[allowed[np.argmax(correlation[i, allowed])]] -= facts.bot_usd[i]
    return target
