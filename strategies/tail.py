"""Expected shortfall of one day over filtered scenarios, for the objective and for reports.

    ES_q(x) = min_t  t + Σ_s max(−r_sᵀx − t, 0) / (S (1 − q))

(Rockafellar, Uryasev 2000), the mean of the worst S(1 − q) of S equally likely losses, where the
loss at the edge counts with the fraction that is left. It is convex in x, and −Σ_s w_s r_s is one
of its slopes, with w_s the share with which scenario s counts.
"""

from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray

REPORTED = 0.95
"""Level of the expected shortfall that proposals report."""

_MOST_SCENARIOS = 400
"""More make the problem slower than they make the tail better known: scenarios overlap."""


@dataclass(frozen=True, slots=True)
class TailModel:
    """The tail term of the objective: ``price`` USD for each USD of expected shortfall.

    Attributes:
        returns: (S, N) simple returns.
        confidence: q, above 0 and below 1.
        price: at least 0.
    """

    returns: FloatArray
    confidence: float
    price: float

    def cost_usd(self, held_usd: FloatArray) -> FloatArray:
        """Of books (..., N): (...)."""
        cost: FloatArray = self.price * shortfall_usd(held_usd, self.returns, self.confidence)
        return cost

    def slope(self, held_usd: FloatArray) -> FloatArray:
        """(N,) of ``cost_usd`` at one book (N,); one of several where scenarios tie."""
        loss = -(self.returns @ held_usd)
        order = np.argsort(-loss, kind="stable")
        weight = np.zeros(len(loss))
        weight[order] = _weights(len(loss), self.confidence)
        slope: FloatArray = -self.price * (weight @ self.returns)
        return slope


def tail_model(returns: FloatArray, confidence: float, price: float) -> TailModel:
    """The tail term over at most so many scenarios that solving stays quick, evenly spaced."""
    step = -(-len(returns) // _MOST_SCENARIOS)
    return TailModel(returns[::-1][:: max(step, 1)][::-1], confidence, price)


def shortfall_usd(held_usd: FloatArray, returns: FloatArray, confidence: float) -> FloatArray:
    """ES of one day of books (..., N): (...) USD, a loss is positive.

    Args:
        returns: (S, N) simple returns, S at least 1, finite.
        confidence: q, above 0 and below 1.
    """
    loss = -(held_usd @ returns.T)
    weights = _weights(loss.shape[-1], confidence)
    count = int(np.count_nonzero(weights))
    worst = np.partition(loss, loss.shape[-1] - count, axis=-1)[..., -count:]
    worst = np.sort(worst, axis=-1)[..., ::-1]
    shortfall: FloatArray = worst @ weights[:count]
    return shortfall


def _weights(count: int, confidence: float) -> FloatArray:
    """(S,) share of each of the sorted losses, the worst first; they sum to 1."""
    beyond = max(count * (1.0 - confidence), 1e-9)
    weights: FloatArray = np.clip(beyond - np.arange(count), 0.0, 1.0) / min(beyond, count)
    return weights
