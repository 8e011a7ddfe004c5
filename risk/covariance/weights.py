"""Exponential weights of bars: what an hour leaves of them, of pairs with gaps, and their worth."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import EstimationError
from risk.returns import BARS_PER_DAY


def effective_bars(observed_bars: FloatArray, decay: FloatArray) -> FloatArray:
    """(Σw)²/Σw² of the mean of K normalised EWMA weights over n bars, same shape as n; 0 for none.

    With w_a = mean_k (1 - b_k) b_k^a / (1 - b_k^n) for ages a < n, Σw = 1 and

        Σw² = mean_kl (1 - b_k)(1 - b_l) (1 - (b_k b_l)^n) / ((1 - b_k^n)(1 - b_l^n)(1 - b_k b_l)).

    Args:
        observed_bars: n, at least 0.
        decay: (K,) the b_k, between 0 and 1.
    """
    bars = np.asarray(observed_bars, dtype=np.float64)
    n = np.maximum(bars, 1.0)
    if n.size and n.min() == n.max():  # as most often, and powers are dear
        one = _effective(float(n.flat[0]), decay.tolist())
        return np.where(bars > 0, one, 0.0)
    power = decay ** n[..., None]
    scale = (1 - decay) / (1 - power)
    product = decay[:, None] * decay
    sums = (1 - power[..., :, None] * power[..., None, :]) / (1 - product)
    squares = (scale[..., :, None] * scale[..., None, :] * sums).sum(axis=(-2, -1))
    effective: FloatArray = np.where(bars > 0, product.size / squares, 0.0)
    return effective


def _effective(bars: float, decay: Sequence[float]) -> float:
    """The same for one n, at least 1."""
    power = [b**bars for b in decay]
    scale = [(1 - b) / (1 - p) for b, p in zip(decay, power, strict=True)]
    parts = list(zip(scale, decay, power, strict=True))
    squares = sum(s * t * (1 - p * q) / (1 - b * c) for s, b, p in parts for t, c, q in parts)
    return float(len(decay) * len(decay)) / float(squares)


def ewma_decay(half_lives_days: Sequence[float]) -> FloatArray:
    """b = 2^(-1/(24·H)), what an hour leaves of a weight, for each half-life H in days, (K,).

    Raises:
        EstimationError: no half-life, or one that is not above 0 and finite.
    """
    if not len(half_lives_days) or not all(h > 0 and math.isfinite(h) for h in half_lives_days):
        raise EstimationError(f"half-lives {list(half_lives_days)} days, each must be above 0")
    return np.array([2 ** (-1 / (BARS_PER_DAY * h)) for h in half_lives_days])


def pair_weights(
    there: NDArray[np.bool_], decay: FloatArray
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]]:
    """Two groups of columns and the weights (K, T) of every bar in the pairs between them.

    A group has its gaps in the same bars. The weight of a bar is (1 - b)·b^a, where a is the
    number of later bars that both groups have, 0 where one of them has none; groups that never
    meet are left out.

    Args:
        there: (T, N) whether there is a return.
        decay: (K,) the b.
    """
    groups: dict[bytes, list[int]] = {}
    for column in range(there.shape[1]):
        groups.setdefault(there[:, column].tobytes(), []).append(column)
    columns = [np.array(group, dtype=np.int64) for group in groups.values()]
    for i, one in enumerate(columns):
        for other in columns[i:]:
            both = there[:, one[0]] & there[:, other[0]]
            if both.any():
                later = both.sum() - np.cumsum(both)
                ages = (1 - decay[:, None]) * decay[:, None] ** later
                yield one, other, np.where(both, ages, 0.0)
