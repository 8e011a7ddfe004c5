"""The worst hours of a recorded market, found by what happened to prices and funding. Pure.

Four kinds: the sector falls, everything begins to move together, one token's funding is extreme,
one token's price parts from its sector's within an hour. Each finder gives the largest first; two
of a kind are never nearer to each other than ``APART_HOURS``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError

CRASH_HOURS: Final = 24
SPIKE_HOURS: Final = 48
CALM_HOURS: Final = 720
SPIKE_STEP: Final = 6
"""Correlations of two days change little within so many hours."""
SQUEEZE_HOURS: Final = 72
APART_HOURS: Final = 168
LEAST_TOKENS: Final = 3
"""Fewer are no sector."""


class ShockKind(StrEnum):
    """What happened."""

    SECTOR_CRASH = "sector-crash"
    CORRELATION_SPIKE = "correlation-spike"
    FUNDING_SQUEEZE = "funding-squeeze"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Shock:
    """One, by rows of the hours that were looked at.

    Attributes:
        first, last: rows of the first and the last of its hours.
        column: of the token that it happened to; None: the whole sector.
        size: mean log return of the sector over the hours, rise of the mean pairwise correlation,
            funding paid by longs over the hours (a fraction of notional), or the log return of the
            token beyond the sector's median.
    """

    kind: ShockKind
    first: int
    last: int
    column: int | None
    size: float


def sector_crashes(log_returns: FloatArray, count: int) -> list[Shock]:
    """Falls of the equal-weighted sector over ``CRASH_HOURS``.

    Args:
        log_returns: (T, N) hourly; NaN where unknown, which is left out of an hour's mean. An hour
            with fewer than ``LEAST_TOKENS`` makes every window over it unknown.

    Raises:
        DataError: not a matrix.
    """
    moved = _trailing_sum(sector_returns(log_returns), CRASH_HOURS)
    return [
        Shock(ShockKind.SECTOR_CRASH, row - CRASH_HOURS + 1, row, None, float(moved[row]))
        for row, _ in _largest(-moved[:, None], count)
        if moved[row] < 0
    ]


def correlation_spikes(log_returns: FloatArray, count: int) -> list[Shock]:
    """Rises of the mean pairwise correlation of ``SPIKE_HOURS`` over that of the month before.

    The mean pairwise correlation of returns that were divided by each token's own volatility in the
    window: (N var(mean) - 1) / (N - 1). Only tokens without a gap in both windows count. Every
    ``SPIKE_STEP`` hours are looked at.
    """
    _require_matrix(log_returns)
    hours = len(log_returns)
    rise = np.full(hours, np.nan)
    for row in range(CALM_HOURS + SPIKE_HOURS - 1, hours, SPIKE_STEP):
        begin = row - SPIKE_HOURS + 1
        window = log_returns[begin - CALM_HOURS : row + 1]
        whole = window[:, ~np.isnan(window).any(axis=0)]
        if whole.shape[1] >= LEAST_TOKENS:
            calm, now = whole[:CALM_HOURS], whole[CALM_HOURS:]
            rise[row] = _mean_correlation(now) - _mean_correlation(calm)
    return [
        Shock(ShockKind.CORRELATION_SPIKE, row - SPIKE_HOURS + 1, row, None, float(rise[row]))
        for row, _ in _largest(rise[:, None], count)
        if rise[row] > 0
    ]


def funding_squeezes(paid: FloatArray, count: int) -> list[Shock]:
    """The most that longs of one token paid, or were paid, over ``SQUEEZE_HOURS``.

    Args:
        paid: (T, N) funding that fell due in each hour, a fraction of notional, positive: longs
            pay; 0 in an hour without a payment, NaN where it is not known.
    """
    _require_matrix(paid)
    total = np.column_stack(
        [_trailing_sum(paid[:, k], SQUEEZE_HOURS) for k in range(paid.shape[1])]
    )
    return [
        Shock(ShockKind.FUNDING_SQUEEZE, row - SQUEEZE_HOURS + 1, row, k, float(total[row, k]))
        for row, k in _largest(np.abs(total), count)
        if total[row, k] != 0
    ]


def gaps(log_returns: FloatArray, liquid: NDArray[np.bool_], count: int) -> list[Shock]:
    """Hours in which one token's price parted most from the median of the sector.

    Args:
        liquid: (T, N) where a token is traded enough for its price to be believed.
    """
    _require_matrix(log_returns)
    known = np.sum(~np.isnan(log_returns), axis=1) >= LEAST_TOKENS
    median = np.full(len(log_returns), np.nan)
    median[known] = np.nanmedian(log_returns[known], axis=1)
    beyond = np.where(liquid, log_returns - median[:, None], np.nan)
    return [
        Shock(ShockKind.GAP, row, row, k, float(beyond[row, k]))
        for row, k in _largest(np.abs(beyond), count)
        if beyond[row, k] != 0
    ]


def _largest(score: FloatArray, count: int) -> list[tuple[int, int]]:
    """Rows and columns of the largest scores, ``APART_HOURS`` apart; NaN is none."""
    left = np.where(np.isnan(score), -np.inf, score)
    found: list[tuple[int, int]] = []
    while len(found) < count and left.size:
        row, column = (int(one) for one in np.unravel_index(int(np.argmax(left)), left.shape))
        if left[row, column] == -np.inf:
            break
        found.append((row, column))
        left[max(0, row - APART_HOURS + 1) : row + APART_HOURS] = -np.inf
    return found


def sector_returns(log_returns: FloatArray) -> FloatArray:
    """(T,) hourly log returns of the equal-weighted sector.

    Args:
        log_returns: (T, N) hourly; NaN where unknown, which is left out of an hour's mean. An hour
            with fewer than ``LEAST_TOKENS`` is NaN.

    Raises:
        DataError: not a matrix.
    """
    _require_matrix(log_returns)
    known = ~np.isnan(log_returns)
    counts = known.sum(axis=1)
    total = np.where(known, log_returns, 0.0).sum(axis=1)
    return np.where(counts >= LEAST_TOKENS, total / np.maximum(counts, 1), np.nan)


def _trailing_sum(values: FloatArray, hours: int) -> FloatArray:
    """(T,) over the last ``hours``, NaN where one of them is unknown."""
    unknown = np.isnan(values)
    total = np.concatenate(([0.0], np.cumsum(np.where(unknown, 0.0, values))))
    holes = np.concatenate(([0], np.cumsum(unknown)))
    found = np.full(len(values), np.nan)
    if len(values) >= hours:
        whole = holes[hours:] == holes[:-hours]
        found[hours - 1 :] = np.where(whole, total[hours:] - total[:-hours], np.nan)
    return found


def _mean_correlation(returns: FloatArray) -> float:
    deviation = returns.std(axis=0)
    moving = deviation > 0
    tokens = int(moving.sum())
    if tokens < LEAST_TOKENS:
        return np.nan
    scaled = (returns[:, moving] - returns[:, moving].mean(axis=0)) / deviation[moving]
    return float((tokens * scaled.mean(axis=1).var() - 1.0) / (tokens - 1))


def _require_matrix(values: FloatArray) -> None:
    if values.ndim != 2:
        raise DataError(f"shocks: an array of shape {values.shape}, hours by tokens is needed")
