"""How far inside its cap a trade ends.

A hedge that ends exactly at a cap is over it again at the next tick, half of the time, and would be
traded again and again for a few dollars each. So whatever trades ends a little inside; and what
stands between there and the cap is left alone. That is a band with two edges: crossing the outer
one (the cap) forces a trade, which goes to the inner one.
"""

import numpy as np

from risk.book import FloatArray
from strategies.caps import CapTable


def cushioned(caps: CapTable, now_usd: FloatArray, cushion: float) -> FloatArray:
    """What trades aim at, (C,) USD, at most the caps.

        (1 − c) K            where the value is above K now: the way back ends inside
        max((1 − c) K, now)  where it is not: no trade may come nearer to K, none has to go away

    Caps on trades stay: what was traded does not move with the market.

    Args:
        now_usd: (C,) what every row measures now.
        cushion: c, at least 0 and below 1.
    """
    if cushion == 0:
        return caps.limits
    limits = caps.limits
    inside = (1.0 - cushion) * limits
    aim = np.where(now_usd > limits, inside, np.minimum(np.maximum(inside, now_usd), limits))
    return np.where(caps.on_trades, limits, aim)


def passed_on(
    caps: CapTable, values_usd: FloatArray, cushion: float, margin_usd: float
) -> FloatArray:
    """How many USD the limit in force moves when its cap is raised by one, (C,), from 0 to 1.

    1 where a trade ends at the cap, 1 − c where it ends at the inner edge. 0 in between, where the
    value of now is the limit, and beyond the cap, where the cap gave way: there a dollar more of
    the cap takes a dollar off the slack and changes nothing else.

    Args:
        values_usd: (C,) at the solution, where a row with a price is at its limit.
        margin_usd: values so close are the same.
    """
    inside = (1.0 - cushion) * caps.limits
    at_cap = np.abs(values_usd - caps.limits) <= margin_usd
    at_edge = np.abs(values_usd - inside) <= margin_usd
    at_edge &= ~caps.on_trades
    return np.where(at_cap, 1.0, np.where(at_edge, 1.0 - cushion, 0.0))
