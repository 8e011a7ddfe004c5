"""How far inside its cap a trade ends.

A hedge that ends exactly at a cap is over it again at the next tick, half of the time, and would be
traded again and again for a few dollars each. So whatever trades ends a little inside; and what
stands between there and the cap is left alone. That is a band with two edges: crossing the outer
one (the cap) forces a trade, which goes to the inner one.
"""

import numpy as np

from risk.book import FloatArray
from strategies.caps import CapTable, Tier


def cushioned(caps: CapTable, hedge_usd: FloatArray, cushion: float) -> FloatArray:
    """What trades aim at, (C,) USD, at most the caps.

        (1 − c) K            where the value is above K now: the way back ends inside
        max((1 − c) K, now)  where it is not: no trade may come nearer to K, none has to go away

    Caps on trades stay: what was traded does not move with the market.

    Args:
        hedge_usd: (N,) hedges now.
        cushion: c, at least 0 and below 1.
    """
    if cushion == 0:
        return caps.limits
    now, limits = caps.values(hedge_usd), caps.limits
    inside = (1.0 - cushion) * limits
    aim = np.where(now > limits, inside, np.minimum(np.maximum(inside, now), limits))
    return np.where((caps.tiers == Tier.TRADE) | ~np.isfinite(limits), limits, aim)
