"""More of what funding tells: capped rates, the premium behind a pinned one, how long it lasts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.correlation.rolling import pair_indices
from risk.crowding.funding import (
    HOURS_PER_YEAR,
    NEUTRAL_ANNUAL,
    PINNED_TOLERANCE,
    FundingSeries,
    excess_annual,
    funding_daily,
    is_pinned,
)
from risk.errors import DataError, EstimationError
from risk.returns import HOUR_MS, utc

DAMPER = 0.0005
"""Venues move the rate towards the interest by up to 0.05 % for 8 hours."""

DAMPER_ANNUAL = DAMPER * HOURS_PER_YEAR / 8
MIN_CAP_RATE = 0.002
"""No venue caps a payment below 0.2 %, so a smaller rate that repeats is not a cap."""

MIN_REPEATS = 3
MIN_STEPS = 30
NEUTRAL_BAND_ANNUAL = 0.01
PAIR_CORRELATION = 0.7
_DAYS_PER_YEAR = 365.0
_NO_DISPERSION = 1e-9


@dataclass(frozen=True, slots=True)
class Reversion:
    """How fast a series comes back to its mean.

    Attributes:
        phi: AR(1) coefficient from one step to the next, corrected for the bias of short series.
        standard_error: of ``phi``.
        step_hours: length of a step.
        half_life_hours: time to lose half of a departure; 0 where a step forgets all, None where
            no return to the mean can be seen (phi at 1 or above).
    """

    phi: float
    standard_error: float
    step_hours: float
    half_life_hours: float | None


@dataclass(frozen=True, slots=True)
class FundingDifferential:
    """What a pair of correlated tokens pays for holding one against the other.

    Attributes:
        long_symbol, short_symbol: the sides that earn: long the cheaper, short the dearer.
        correlation: of the two.
        annual: yearly rate earned on the notional of one side, at least 0.
        standard_error: of ``annual``, for the next days.
        substitute: a side's funding is another venue's or the base rate.
    """

    long_symbol: str
    short_symbol: str
    correlation: float
    annual: float
    standard_error: float
    substitute: bool


@dataclass(frozen=True, slots=True)
class FundingBreadth:
    """How many tokens lean which way; shares of the known ones, which sum to 1."""

    tokens: int
    long_share: float
    neutral_share: float
    short_share: float


def is_capped(
    series: FundingSeries, cap_rate: float | None = None, floor_rate: float | None = None
) -> NDArray[np.bool_]:
    """Payments at the venue's limit, which tell a lower bound of the demand only, shape (K,).

    Where the limits are known a payment at or beyond one of them is capped. Where one is not, it
    is inferred: the most extreme rate of that side and interval, if at least three payments share
    it to the eighth decimal and it is no smaller than 0.2 %.

    Args:
        cap_rate, floor_rate: largest (above 0) and smallest (below 0) rate for one interval.

    Raises:
        DataError: a cap that is not above 0 or a floor that is not below 0.
    """
    if cap_rate is not None and not cap_rate > 0:
        raise DataError(f"{series.symbol}: funding cap is {cap_rate}, must be above 0")
    if floor_rate is not None and not floor_rate < 0:
        raise DataError(f"{series.symbol}: funding floor is {floor_rate}, must be below 0")
    capped = np.zeros(len(series.rate), dtype=np.bool_)
    for sign, limit in ((1.0, cap_rate), (-1.0, floor_rate)):
        side = sign * series.rate
        if limit is not None:
            capped |= side >= sign * limit - PINNED_TOLERANCE
            continue
        for interval in np.unique(series.interval_hours):
            same = series.interval_hours == interval
            top = float(side[same].max())
            at_top = same & (side >= top - PINNED_TOLERANCE)
            if top >= MIN_CAP_RATE and int(at_top.sum()) >= MIN_REPEATS:
                capped |= at_top
    return capped


def premium_excess_annual(series: FundingSeries, premium: FloatArray) -> FloatArray:
    """Yearly excess of the mark-index premium over the interest at each payment, shape (K,).

    Venues set, for 8 hours, F = P + clip(I - P, ±0.05 %), so a pinned rate hides any P within
    0.05 % of I. Where pinned and P is known, the answer is P - I (held within that band); where
    pinned and not known, 0, the middle of it. Everywhere else the premium follows from the rate
    itself: P - I = F - I ± 0.05 %, with the sign of F - I. All on one scale, rising in P; it is
    not the scale of ``excess_annual``, from which it differs by 54.75 % where not pinned, so the
    tokens that are compared must all be measured this way or none.

    Args:
        premium: (K,) mean premium index of each interval, a fraction as the venue tells it (on the
            8-hour basis, whatever the interval), NaN where unknown.

    Raises:
        DataError: the shape does not fit or a premium is infinite.
    """
    given = np.asarray(premium, dtype=np.float64)
    if given.shape != series.rate.shape:
        raise DataError(
            f"{series.symbol}: premiums have shape {given.shape}, must be {series.rate.shape}"
        )
    if np.isinf(given).any():
        time_ms = series.time_ms[int(np.argmax(np.isinf(given)))]
        raise DataError(f"{series.symbol}: premium at {utc(time_ms)} is infinite")
    return behind_the_pin(excess_annual(series), is_pinned(series), given)


def behind_the_pin(
    excess: FloatArray, pinned: NDArray[np.bool_], premium: FloatArray
) -> FloatArray:
    """As ``premium_excess_annual``, of arrays (..., K) of excess, pins and premiums."""
    inside = np.clip(premium * HOURS_PER_YEAR / 8 - NEUTRAL_ANNUAL, -DAMPER_ANNUAL, DAMPER_ANNUAL)
    inside = np.where(np.isnan(inside), 0.0, inside)
    return np.where(pinned, inside, excess + np.sign(excess) * DAMPER_ANNUAL)


def reversion(
    time_ms: NDArray[np.int64], values: FloatArray, step_hours: float
) -> Reversion | None:
    """AR(1) of a series, such as the funding score, and its half-life.

    On a grid of ``step_hours`` up to the last time, where each point takes the last value at or
    before it, x_t - m = φ (x_{t-1} - m) + e by least squares; φ + (1 + 3φ)/n takes out the bias
    (Kendall 1954), and the half-life is step · ln 2 / -ln φ. An average with a half-life of its
    own, as the score is, cannot come back much faster than that.

    Args:
        time_ms: (K,) increasing, UTC milliseconds.
        values: (K,), finite.
        step_hours: the longest interval between payments; shorter would repeat values.

    Returns None with fewer than 30 steps or a series that does not move: unknown, not 0.

    Raises:
        DataError: lengths differ, times do not increase or a value is not finite.
        EstimationError: the step is not above 0.
    """
    if not (math.isfinite(step_hours) and step_hours > 0):
        raise EstimationError(f"step is {step_hours} hours, must be above 0")
    if np.shape(time_ms) != np.shape(values) or np.ndim(values) != 1:
        raise DataError("times and values differ in length")
    if not np.all(np.isfinite(values)) or np.any(np.diff(time_ms) <= 0):
        raise DataError("times must increase and values be finite")
    if not len(values):
        return None
    step_ms = round(step_hours * HOUR_MS)
    n = int((int(time_ms[-1]) - int(time_ms[0])) // step_ms)
    if n < MIN_STEPS:
        return None
    grid = int(time_ms[-1]) - step_ms * np.arange(n, -1, -1)
    x = np.asarray(values, dtype=np.float64)[np.searchsorted(time_ms, grid, side="right") - 1]
    before, after = x[:-1] - x[:-1].mean(), x[1:] - x[1:].mean()
    spread = float(before @ before)
    if spread <= _NO_DISPERSION**2 * n * max(1.0, float(np.abs(x).max())) ** 2:
        return None
    raw = float(before @ after) / spread
    rest = after - raw * before
    error = math.sqrt(float(rest @ rest) / (n - 2) / spread)
    phi = raw + (1 + 3 * raw) / n
    half_life: float | None = None
    if phi <= 0:
        half_life = 0.0
    elif phi < 1:
        half_life = step_hours * math.log(2) / -math.log(phi)
    return Reversion(phi, error, step_hours, half_life)


def funding_differentials(
    funding: Mapping[str, FundingSeries],
    symbols: Sequence[str],
    correlation: FloatArray,
    now_ms: int,
    min_correlation: float = PAIR_CORRELATION,
) -> tuple[FundingDifferential, ...]:
    """What each highly correlated pair pays for long one, short the other; the best first.

    The difference of the expected daily funding (``funding_daily``) times 365. Pairs below
    ``min_correlation``, and tokens whose funding is not known, are left out: none is taken for 0.

    Args:
        funding: settled payments by symbol; a symbol may be missing.
        symbols: N symbols.
        correlation: (N, N); NaN where unknown.

    Raises:
        DataError: the shape does not fit.
    """
    n = len(symbols)
    if np.shape(correlation) != (n, n):
        raise DataError(f"correlation has shape {np.shape(correlation)}, must be ({n}, {n})")
    carry = [funding_daily(funding.get(symbol), now_ms) for symbol in symbols]
    found = []
    for i, j in zip(*(index.tolist() for index in pair_indices(n)), strict=True):
        one, other, rho = carry[i], carry[j], float(correlation[i, j])
        if one is None or other is None or not rho >= min_correlation:
            continue
        difference = _DAYS_PER_YEAR * (one.rate_daily - other.rate_daily)
        dear, cheap = (symbols[i], symbols[j]) if difference >= 0 else (symbols[j], symbols[i])
        error = _DAYS_PER_YEAR * math.hypot(one.standard_error, other.standard_error)
        found.append(
            FundingDifferential(
                long_symbol=cheap,
                short_symbol=dear,
                correlation=rho,
                annual=abs(difference),
                standard_error=error,
                substitute=one.substitute or other.substitute,
            )
        )
    return tuple(sorted(found, key=lambda item: -item.annual))


def funding_breadth(
    excess: FloatArray, band_annual: float = NEUTRAL_BAND_ANNUAL
) -> FundingBreadth | None:
    """Shares of tokens whose yearly excess is above, within and below ± ``band_annual``.

    Args:
        excess: (N,) yearly excess over neutral (a score or a last rate), NaN where unknown.

    Returns None where none is known.

    Raises:
        DataError: an excess is infinite.
        EstimationError: the band is negative.
    """
    values = np.asarray(excess, dtype=np.float64)
    if np.isinf(values).any():
        raise DataError("a funding rate is infinite; NaN means unknown")
    if not band_annual >= 0:
        raise EstimationError(f"neutral band is {band_annual}, must be at least 0")
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    above, below = float((known > band_annual).mean()), float((known < -band_annual).mean())
    neutral = float((np.abs(known) <= band_annual).mean())
    return FundingBreadth(len(known), above, neutral, below)
