"""Variances over the bars that two tokens share, so that a late listing keeps its correlations.

The covariance of a pair rests on the bars both have. Divided by volatilities that rest on other
bars it gives no correlation: where a token was listed in wild days, its peers' calm past makes the
quotient too large, even above 1, and the other way round.
"""

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray


class SharedVariances:
    """Sums of r_i² over the bars that i shares with j, for each half-life, O(N²) a bar.

    As long as nobody misses a bar they are all the same as the tokens' own sums, and nothing is
    kept. From the first gap on, with the weights of the covariance itself,

        V_k,ij ← b_k V_k,ij + (1 - b_k) w r_i²     at every bar where both i and j have a return.

    Rounding is the same as in the covariance: where all bars of i are shared, V_k,ij is S_k,ii to
    the last bit.

    Attributes:
        sums: V, (K, N, N), row i, column j; None before the first gap.
        bars: (N, N) how many bars each pair shares; empty before the first gap.
    """

    def __init__(self) -> None:
        """Start without a gap."""
        self.sums: FloatArray | None = None
        self.bars: FloatArray = np.zeros((0, 0))

    def begin(self, own: FloatArray, observed: FloatArray) -> None:
        """There is a gap now.

        Args:
            own: S, (K, N, N), before the bar that has it.
            observed: (N,) returns before it, of all the same number.
        """
        if self.sums is None:
            diagonal = own.diagonal(axis1=1, axis2=2)
            self.sums = np.broadcast_to(diagonal[:, :, None], own.shape).copy()
            self.bars = np.broadcast_to(observed, own.shape[1:]).copy()

    def update(
        self,
        filled: FloatArray,
        both: NDArray[np.bool_] | float,
        decay: FloatArray,
        share: FloatArray,
    ) -> None:
        """Take in one bar.

        Args:
            filled: (N,) returns, 0 where there is none.
            both: (N, N) whether both of a pair have one; 1 where all have.
            decay: what the bar leaves of each pair, broadcast to (K, N, N).
            share: (K, 1, 1) the weight of the bar.
        """
        if self.sums is not None:
            self.sums *= decay
            self.sums += share * (both * (filled * filled)[:, None])
            self.bars += both


def with_own_variances(
    covariance: FloatArray, shared: FloatArray, met: NDArray[np.bool_]
) -> FloatArray:
    """A_ij √(A_ii / V_ij) √(A_jj / V_ji): correlations of shared bars, variances of all bars.

    By Cauchy and Schwarz no correlation is beyond 1. Where V_ij = A_ii the numbers stay as they
    are, to the last bit. A pair of which one stood still in all shared bars is not known.

    Args:
        covariance: A, (N, N), NaN where a pair never met.
        shared: V, (N, N), the variance of i over the bars it shares with j.
        met: (N, N) False for a pair that shares too few bars; NaN then.
    """
    ratio = np.full_like(shared, np.nan)
    np.divide(covariance.diagonal()[:, None], shared, out=ratio, where=met & (shared > 0))
    scale = np.sqrt(ratio)
    scaled: FloatArray = covariance * scale * scale.T
    np.fill_diagonal(scaled, covariance.diagonal())
    return scaled
