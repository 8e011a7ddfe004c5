"""What a book earned and risked, from its gains hour by hour. Pure."""

from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray

DAY_HOURS = 24
DAYS_A_YEAR = 365
_TAIL = 0.05


@dataclass(frozen=True, slots=True)
class Result:
    """One book over the whole span.

    Attributes:
        pnl_usd: gain of all hours, USD.
        volatility_annual: standard deviation of daily gains over a year, as a fraction of the
            capital; None with fewer than two days.
        es95_daily_usd: mean loss of the worst 5 % of days, USD, a loss positive; None without a
            day. Of fewer than 20 days it is the worst one's.
        max_drawdown_usd: largest fall from a high of the equity, USD, at least 0.
    """

    pnl_usd: float
    volatility_annual: float | None
    es95_daily_usd: float | None
    max_drawdown_usd: float


def result_of(hourly_usd: FloatArray, capital_usd: float) -> Result:
    """The figures of a book that gained this in each hour."""
    daily = daily_gains_usd(hourly_usd)
    volatility = None
    if len(daily) > 1:
        volatility = float(np.std(daily, ddof=1) * np.sqrt(DAYS_A_YEAR) / capital_usd)
    worst = None
    if len(daily):
        count = max(1, int(np.ceil(_TAIL * len(daily))))
        worst = float(-np.sort(daily)[:count].mean())
    equity = np.concatenate(([0.0], np.cumsum(hourly_usd)))
    drawdown = float((np.maximum.accumulate(equity) - equity).max())
    return Result(float(hourly_usd.sum()), volatility, worst, drawdown)


def daily_gains_usd(hourly_usd: FloatArray) -> FloatArray:
    """Sums of each 24 hours from the first on; what is left over at the end is left out."""
    days = len(hourly_usd) // DAY_HOURS
    return np.asarray(hourly_usd[: days * DAY_HOURS].reshape(days, DAY_HOURS).sum(axis=1))


def effectiveness_daily(unhedged_usd: FloatArray, hedged_usd: FloatArray) -> float | None:
    """1 less the ratio of variances of daily gains, with hedges to without; None where the book
    alone did not move or there are fewer than two days."""
    alone, both = daily_gains_usd(unhedged_usd), daily_gains_usd(hedged_usd)
    if len(alone) < 2 or not np.var(alone) > 0:
        return None
    return float(1.0 - np.var(both, ddof=1) / np.var(alone, ddof=1))
