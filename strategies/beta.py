"""The market hedge: short as much BTC as the book moves with it."""

import numpy as np

from risk.book import FloatArray
from strategies.inputs import HedgeFacts
from strategies.rule import RuleStrategy


def beta() -> RuleStrategy:
    """Short of BTC by the book's beta to it."""
    return RuleStrategy("beta", "rolling_30d", beta_in_btc)


def beta_in_btc(facts: HedgeFacts) -> FloatArray:
    """h_BTC = −Σ β_i p_i, in the symbol that is BTC.

    BTC is the symbol outside of the sector with beta 1 and BTC's own volatility.

    Returns:
        (N,) USD; all 0 where BTC is not among the symbols or may not be hedged.
    """
    target = np.zeros_like(facts.bot_usd)
    variance = np.diag(facts.covariance_daily)
    is_btc = (
        ~facts.in_sector
        & np.isclose(facts.beta_btc, 1.0, rtol=1e-6, atol=0.0)
        & np.isclose(np.sqrt(variance), facts.volatility_btc_daily, rtol=1e-6, atol=0.0)
    )
    if np.any(is_btc):
        target[int(np.argmax(is_btc))] = -float(facts.beta_btc @ facts.bot_usd)
    return target
