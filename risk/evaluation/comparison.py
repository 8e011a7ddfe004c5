"""Whether one hedge was better than another, or only luckier."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from risk.book import FloatArray
from risk.errors import DataError

LEAST_PERIODS = 10


@dataclass(frozen=True, slots=True)
class DieboldMariano:
    """Comparison of two loss series.

    Attributes:
        mean_difference: of the losses, first less second; below 0 the first is better.
        statistic: that mean in its standard errors; NaN where the two never differ.
        p_value: two-sided, of no difference; NaN likewise.
        lags: how many autocovariances the standard error takes in.
    """

    mean_difference: float
    statistic: float
    p_value: float
    lags: int


def diebold_mariano(
    loss: FloatArray, other_loss: FloatArray, lags: int | None = None
) -> DieboldMariano:
    """Test of equal expected loss of two series (T,), e.g. squared PnL of two hedges.

    With d = loss − other and γ_k its autocovariances, the variance of the mean of d is

        (γ_0 + 2 Σ_{k=1..L} (1 − k/(L + 1)) γ_k) / T

    with Bartlett weights, so that it is never negative and holds under autocorrelation and
    changing variance; the statistic is compared with Student's t of T − 1 degrees, as Harvey,
    Leybourne, Newbold 1997 advise for few periods. (Diebold, Mariano 1995; Newey, West 1987.)

    Args:
        loss, other_loss: (T,), at least ten, finite, the lower the better.
        lags: L; ⌊4 (T/100)^{2/9}⌋ by default (Newey, West 1994).

    Raises:
        DataError: shapes differ, a loss is not finite, too few, or lags outside 0 to T − 1.
    """
    if loss.shape != other_loss.shape or loss.ndim != 1:
        raise DataError(f"losses of shapes {loss.shape} and {other_loss.shape}, must be two alike")
    count = len(loss)
    if count < LEAST_PERIODS:
        raise DataError(f"{count} losses to compare, needs {LEAST_PERIODS}")
    difference = loss - other_loss
    if not np.all(np.isfinite(difference)):
        raise DataError("a loss is not finite")
    if lags is None:
        lags = math.floor(4 * (count / 100) ** (2 / 9))
    if not 0 <= lags < count:
        raise DataError(f"{lags} lags, must be 0 to {count - 1}")
    mean = float(np.mean(difference))
    around = difference - mean
    variance = float(around @ around)
    for k in range(1, lags + 1):
        variance += 2 * (1 - k / (lags + 1)) * float(around[k:] @ around[:-k])
    variance /= count**2
    if not variance > 0:
        return DieboldMariano(mean, math.nan, math.nan, lags)
    statistic = mean / math.sqrt(variance)
    p_value = 2 * float(stats.t.sf(abs(statistic), count - 1))
    return DieboldMariano(mean, statistic, p_value, lags)
