"""Scenarios of a history that grows: its days now and then, today's volatility at every bar."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from risk.book import FloatArray
from risk.covariance.mean_ewma import HALF_LIVES_DAYS
from risk.covariance.usable import MIN_VOLATILITY_DAILY, require_returns
from risk.covariance.weights import ewma_decay
from risk.returns import BARS_PER_DAY, HOUR_MS
from risk.tail.scenarios import STEP_BARS, WARM_UP_BARS, Scenarios, filtered_scenarios


class ScenarioMemory:
    """The days of the scenarios are kept for ``STEP_BARS`` bars, scaled to each bar's volatility.

    They end at hours of UTC that ``STEP_BARS`` divides, so the newest may lack three hours; a whole
    number of steps before that is taken, and at least as many of the oldest hours left out. So
    they depend on the bars alone: a restart finds the same.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._last: tuple[tuple[object, ...], Scenarios] | None = None

    def of(
        self, log_returns: FloatArray, symbols: Sequence[str], last_ms: int, revision: int
    ) -> Scenarios:
        """The scenarios at the last bar; a bar corrected since the days were made counts later.

        Args:
            log_returns: (T, N), hourly, oldest first, NaN where missing.
            symbols: N symbols.
            last_ms: when the last bar opened, UTC milliseconds.
            revision: of the history; under the same one only its ends differ.

        Raises:
            DataError: the shape does not fit or a return is infinite.
        """
        newest = (last_ms // HOUR_MS + 1) % STEP_BARS
        rows = len(log_returns) - (STEP_BARS - 1)
        rows -= rows % STEP_BARS
        if rows <= 0:
            return filtered_scenarios(log_returns, symbols)
        key = (revision, last_ms - newest * HOUR_MS, rows, tuple(symbols))
        if self._last is None or self._last[0] != key:
            end = len(log_returns) - newest
            self._last = key, filtered_scenarios(log_returns[end - rows : end], symbols)
        return replace(self._last[1], volatility_daily=volatility_after(log_returns, symbols))


def volatility_after(log_returns: FloatArray, symbols: Sequence[str]) -> FloatArray:
    """(N,) daily volatility after the last of (T, N) bars, as the scenarios are scaled with.

    NaN where a token has too few returns or stands still.

    Raises:
        DataError: the shape does not fit or a return is infinite.
    """
    returns = require_returns(log_returns, symbols, bars=-1)
    there = ~np.isnan(returns)
    whole = there.all(axis=0)
    squares = np.full(len(symbols), np.nan)
    if len(returns) >= WARM_UP_BARS:
        squares[whole] = _weights(len(returns)) @ returns[:, whole] ** 2
    for token in np.flatnonzero(~whole).tolist():
        own = returns[there[:, token], token]
        if len(own) >= WARM_UP_BARS:
            squares[token] = _weights(len(own)) @ own**2
    sigma: FloatArray = np.sqrt(BARS_PER_DAY * squares)
    sigma[~(sigma >= MIN_VOLATILITY_DAILY)] = np.nan
    return sigma


@lru_cache(maxsize=64)
def _weights(bars: int) -> FloatArray:
    """(T,) of the mean of the normalised EWMAs, oldest first, summing to 1."""
    decay = ewma_decay(HALF_LIVES_DAYS)[:, None]
    parts = (1 - decay) / (1 - decay**bars) * decay ** np.arange(bars - 1, -1, -1)
    mean: FloatArray = parts.mean(axis=0)
    mean.setflags(write=False)
    return mean
