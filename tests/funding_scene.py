"""Funding payments made up for a moment, and what is known of them."""

import numpy as np

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate, estimate_from
from risk.crowding.funding import FundingSeries
from risk.crowding.report import CrowdingReport, TokenCrowding
from risk.returns import HOUR_MS

NOW_MS = 1_750_000_000_000 // (24 * HOUR_MS) * (24 * HOUR_MS)
BASE_8H = 0.0001


def series(
    rates: list[float] | FloatArray,
    hours: float | list[float] = 8.0,
    symbol: str = "A",
    end_ms: int = NOW_MS,
    substitute: bool = False,
) -> FundingSeries:
    """Payments that end at ``end_ms``, each after its own interval."""
    rate = np.asarray(rates, dtype=np.float64)
    interval = np.broadcast_to(np.asarray(hours, dtype=np.float64), rate.shape).copy()
    after = np.concatenate([np.cumsum(interval[::-1])[::-1][1:], [0.0]])
    time_ms = end_ms - np.round(after * HOUR_MS).astype(np.int64)
    return FundingSeries(symbol, time_ms, rate, interval, substitute)


def excess(daily: float, hours: float = 8.0) -> float:
    """The rate for an interval that pays ``daily`` above neutral."""
    return BASE_8H * hours / 8 + daily * hours / 24


def estimate(symbols: list[str], correlation: FloatArray | None = None) -> CovarianceEstimate:
    n = len(symbols)
    if correlation is None:
        correlation = np.full((n, n), 0.5) + 0.5 * np.eye(n)
    return estimate_from(symbols, np.full(n, 0.05), correlation, observed_bars=np.full(n, 1000.0))


def known(report: CrowdingReport, symbol: str) -> TokenCrowding:
    token = report.of(symbol)
    assert token is not None
    return token


def number(value: float | None) -> float:
    assert value is not None
    return value
