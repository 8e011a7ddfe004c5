"""How much a bar tells of what tokens have in common, judged by how far they scatter in it.

A token that jumps alone says nothing of its correlations, yet by its size it rules every moment
that it is part of for days. The more the standardised returns of one bar scatter, the less that
bar counts. Market-wide moves, in which all go the same way, keep their weight.
"""

import math

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.covariance.usable import MIN_BARS

ORDINARY_SCATTER = 0.7
"""Standard deviation across tokens of their returns, each counted in its own volatility, in an
ordinary hour. Correlated tokens scatter less than 1; nothing depends on the third digit."""

JUDGED_TOKENS = 3
"""A bar with fewer returns that can be judged counts as an ordinary one."""


class ScatterWeights:
    """The weight of each bar from those before it and itself, O(K·N) a bar.

    With σ_i from the mean of K plain EWMA variances before the bar, u_i = r_i/σ_i over the tokens
    with at least 24 returns, and d² the variance of u across them:

        w = 1/√(1 + d²/d₀²)

    It falls like 1/d: between counting every bar alike and the weights of least squares when the
    noise of a bar has variance d². Nothing is clipped, and w only depends on the past and the bar.
    """

    def __init__(self, width: int, decay: FloatArray) -> None:
        """Start empty.

        Args:
            width: N tokens.
            decay: (K,) what a bar leaves of a weight, between 0 and 1.
        """
        self._decay = decay[:, None]
        self._sum = np.zeros((len(decay), width))
        self._weight = np.zeros((len(decay), width))
        self._observed = np.zeros(width)
        self._plain = np.zeros((2, len(decay)))
        self._weighted = np.zeros((2, len(decay)))

    def update(self, log_return: FloatArray) -> float:
        """Take in (N,) returns, NaN where missing; the weight of this bar."""
        there = ~np.isnan(log_return)
        filled = np.where(there, log_return, 0.0)
        weight = self._judge(filled, there)
        decay = np.where(there, self._decay, 1.0)
        self._sum *= decay
        self._sum += (1 - self._decay) * filled**2
        self._weight *= decay
        self._weight += (1 - self._decay) * there
        self._observed += there
        return weight

    def variance(self) -> FloatArray:
        """(N,) mean of the plain EWMA variances of an hour; 0 where there was no return yet."""
        mean: FloatArray = _ratio(self._sum, self._weight).mean(axis=0)
        return mean

    def scale(self) -> FloatArray:
        """(K,) what undoes by how much the weights lower the variance that all tokens share.

        That is the mean of m², where m is the median of u, which no jump of one token moves.
        """
        plain, weighted = self._plain[0], self._weighted[0]
        undone = plain * self._weighted[1]
        ones: FloatArray = np.ones_like(plain)
        np.divide(undone, weighted * self._plain[1], out=ones, where=weighted > 0)
        return ones

    def _judge(self, filled: FloatArray, there: NDArray[np.bool_]) -> float:
        variance = self.variance()
        known = there & (self._observed >= MIN_BARS) & (variance > 0)
        count = np.count_nonzero(known)
        if count < JUDGED_TOKENS:
            return 1 / math.sqrt(2.0)
        standardised = np.sort(filled[known] / np.sqrt(variance[known]))
        mean = float(standardised.sum()) / count
        scatter = max(float(standardised @ standardised) / count - mean**2, 0.0)
        weight = 1 / math.sqrt(1 + scatter / ORDINARY_SCATTER**2)
        shared = float(standardised[(count - 1) // 2] + standardised[count // 2]) ** 2 / 4
        decay = self._decay[:, 0]
        self._plain = decay * self._plain + (1 - decay) * np.array([[shared], [1.0]])
        counted = np.array([[weight * shared], [weight]])
        self._weighted = decay * self._weighted + (1 - decay) * counted
        return weight


def _ratio(total: FloatArray, weight: FloatArray) -> FloatArray:
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
