"""What a proposal tells of bad days: stresses of the account, and hedges that the venue closes."""

import numpy as np

from risk.book import FloatArray
from strategies.inputs import HedgeFacts
from strategies.proposal import Deleveraging, StressLine

_CLOSED = 0.5
"""Share of every hedge that auto-deleveraging takes: venues close by rank, not in proportion, but
half of what stands against a liquidation is a bad day as they happened."""


def stress_lines(facts: HedgeFacts, target_usd: FloatArray) -> tuple[StressLine, ...]:
    """Loss and margin in each stress, with the hedges of now and with those of ``target_usd``."""
    if facts.stress is None:
        return ()
    hedges = np.stack([facts.hedge_usd, target_usd])
    before, after = facts.stress.taken_usd(facts.bot_usd, hedges).tolist()
    return tuple(map(StressLine, facts.stress.names, before, after))


def deleveraging(facts: HedgeFacts, target_usd: FloatArray) -> Deleveraging | None:
    """A share of every hedge is closed just before the worst stress; None without hedges.

    σ = √(yᵀΣy),   loss = max_j −r_jᵀy,   y = p + (1 − α) h
    """
    if not np.any(target_usd):
        return None
    left = facts.bot_usd + (1.0 - _CLOSED) * target_usd
    volatility = float(np.sqrt(max(float(left @ facts.covariance_daily @ left), 0.0)))
    if facts.stress is None or not facts.stress.names:
        return Deleveraging(_CLOSED, volatility, "", None)
    losses = -(facts.stress.returns @ left)
    worst = int(np.argmax(losses))
    return Deleveraging(_CLOSED, volatility, facts.stress.names[worst], float(losses[worst]))
