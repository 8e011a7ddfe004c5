"""Where a value stands among others, by median and median absolute deviation."""

import math

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray

NO_DISPERSION = 1e-9


def robust_z(values: FloatArray, among: NDArray[np.bool_], *, floor: float = 0.0) -> FloatArray:
    """(x - median) / max(1.4826 MAD, floor), (N,), median and MAD over the entries ``among``.

    1.4826 makes the median absolute deviation a standard deviation under normality. Where the
    entries have no dispersion every known z is 0. NaN in, NaN out; without any entry, all NaN.

    Args:
        floor: least dispersion that is worth telling, in the unit of the values, at least 0.
    """
    if not among.any():
        return np.full(len(values), np.nan)
    centre = median(values[among])
    spread = 1.4826 * median(np.abs(values[among] - centre))
    if spread <= NO_DISPERSION * max(1.0, abs(centre)):
        return np.where(np.isnan(values), np.nan, 0.0)
    return (values - centre) / max(spread, floor)


def median(values: FloatArray) -> float:
    """Of one value or more; numpy's takes ten times as long for a few tokens."""
    ordered = np.sort(values).tolist()
    middle = len(ordered) // 2
    if math.isnan(ordered[-1]):  # sorted last
        return math.nan
    if len(ordered) % 2:
        return float(ordered[middle])
    return float((ordered[middle - 1] + ordered[middle]) / 2)
