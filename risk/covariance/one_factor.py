"""Correlations drawn towards those that one common factor explains."""

import numpy as np

from risk.book import FloatArray
from risk.covariance.estimate import EIGENVALUE_FLOOR, nearest_by_clipping


def one_factor_correlation(correlation: FloatArray) -> FloatArray:
    """The correlation of tokens that share nothing but their common index, (N, N).

    With l_i the correlation of token i with the sum of all standardised returns,

        l = R 1/√(1ᵀR 1)        F_ij = c l_i l_j for i ≠ j,  F_ii = 1

    and c such that the mean correlation stays what it is: the index holds the token itself, so
    the loads alone would be a little too large. c is at most 1, and 0 where correlations are
    negative on average. |l_i| is at most 1, so F = c l lᵀ + diag(1 − c l²) has no negative
    eigenvalue. Unlike constant correlation it leaves each token its own closeness to the market.
    (The single-index target of Ledoit and Wolf 2003, with the index of standardised returns.)

    Args:
        correlation: R, positive definite, unit diagonal.
    """
    return _factor(_loads(correlation))


def shrink_to_one_factor(correlation: FloatArray, shrinkage: float) -> tuple[FloatArray, bool]:
    """(1 − s) R + s F with F of ``one_factor_correlation``, positive definite before and after.

    Where R is above the floor of ``nearest_by_clipping``, and F too because every token keeps some
    variance of its own, so is all that lies between them; then the second value is True.

    Args:
        correlation: R, symmetric, unit diagonal; need not be positive definite.
        shrinkage: s, 0 to 1.
    """
    sound = nearest_by_clipping(correlation)
    loads = _loads(sound)
    shrunk = (1 - shrinkage) * sound + shrinkage * _factor(loads)
    if sound is correlation and float((loads**2).max()) < 1 - 2 * EIGENVALUE_FLOOR:
        return shrunk, True
    return nearest_by_clipping(shrunk), False


def _loads(correlation: FloatArray) -> FloatArray:
    """√c l, (N,)."""
    row = correlation.sum(axis=1)
    total = float(row.sum())
    load = row / np.sqrt(total)
    shared = float(load.sum()) ** 2 - float(load @ load)
    scale = min(max((total - len(row)) / shared, 0.0), 1.0) if shared > 0 else 0.0
    loads: FloatArray = np.sqrt(scale) * load
    return loads


def _factor(loads: FloatArray) -> FloatArray:
    factor: FloatArray = loads[:, None] * loads
    factor.flat[:: len(factor) + 1] = 1.0
    return factor
