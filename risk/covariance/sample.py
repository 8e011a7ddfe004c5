"""The sample covariance of a rolling window, streaming and batch."""

from collections.abc import Sequence

import numpy as np

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.usable import (
    MIN_BARS,
    columns_of,
    require_returns,
    sound_estimate,
    usable_symbols,
)
from risk.covariance.window import PairMoments, WindowMoments, pair_moments
from risk.errors import EstimationError
from risk.returns import BARS_PER_DAY


class RollingCovariance:
    """Equally weighted covariance of the last W hourly bars, O(N²) a bar.

    Over the bars t of the window in which both i and j have a return, n_ij of them:

        Σ_ij = 24 · Σ_t r_it r_jt / n_ij

    or, with the mean removed, 24 times the usual sample covariance with n_ij - 1. The window is
    one of hours, not of returns: a gap makes it thinner and not longer. Then as
    ``sound_estimate``. ``observed_bars`` of the estimate counts all returns since the start, so
    that it tells how long a token is known; ``effective_bars`` those in the window.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        window_days: float = 30.0,
        min_bars: int = MIN_BARS,
        mean_removed: bool = False,
    ) -> None:
        """Start empty.

        Args:
            symbols: N distinct symbols.
            window_days: length of the window, at least two hours.
            min_bars: a symbol with fewer returns in the window is excluded, at least 2.
            mean_removed: whether returns are taken around their mean; hourly means are noise, so
                by default they are taken around zero.

        Raises:
            EstimationError: an argument outside its range.
        """
        require_window(symbols, window_days, min_bars)
        self._symbols = tuple(symbols)
        self._window_days = window_days
        self._min_bars = min_bars
        self._mean_removed = mean_removed
        self._moments = WindowMoments(len(symbols), window_bars(window_days))

    @property
    def symbols(self) -> tuple[str, ...]:
        """The N symbols, in the order of the returns."""
        return self._symbols

    def update(self, log_return: FloatArray) -> None:
        """Take in one bar: (N,) log returns, NaN where a symbol has none.

        Raises:
            DataError: the shape does not fit or a return is infinite; nothing is taken in then.
        """
        self._moments.push(require_returns(log_return, self._symbols, bars=None))

    def estimate(self, symbols: Sequence[str] | None = None) -> CovarianceEstimate:
        """The estimate over the window, of the symbols that have one; the rest is excluded.

        Args:
            symbols: only these, in their order; all by default.

        Raises:
            MissingDataError: a symbol that was never asked for.
            EstimationError: no symbol has a usable variance.
        """
        chosen = self._symbols if symbols is None else tuple(symbols)
        keep = columns_of(chosen, self._symbols)
        moments, square = self._moments.moments(), np.ix_(keep, keep)
        return _finish(
            chosen,
            PairMoments(moments.product[square], moments.first[square], moments.count[square]),
            self._moments.observed_bars[keep],
            window_days=self._window_days,
            min_bars=self._min_bars,
            mean_removed=self._mean_removed,
        )


def rolling_covariance(
    log_returns: FloatArray,
    symbols: Sequence[str],
    window_days: float = 30.0,
    min_bars: int = MIN_BARS,
    mean_removed: bool = False,
) -> CovarianceEstimate:
    """The estimate of RollingCovariance after (T, N) returns, by matrix products over the window.

    Args:
        log_returns: (T, N) hourly log returns, oldest first, NaN where missing.
        symbols, window_days, min_bars, mean_removed: as RollingCovariance.

    Raises:
        DataError: the shape does not fit or a return is infinite.
        EstimationError: an argument outside its range, or no symbol has a usable variance.
    """
    require_window(symbols, window_days, min_bars)
    returns = require_returns(log_returns, symbols, bars=-1)
    return _finish(
        tuple(symbols),
        pair_moments(returns[-window_bars(window_days) :]),
        (~np.isnan(returns)).sum(axis=0).astype(np.float64),
        window_days=window_days,
        min_bars=min_bars,
        mean_removed=mean_removed,
    )


def window_bars(window_days: float) -> int:
    """How many hourly bars ``window_days`` days are, to the nearest."""
    return round(window_days * BARS_PER_DAY)


def over_last(window_days: float) -> str:
    """``in the last 30 days``, for reasons."""
    return f"in the last {window_days:g} days"


def require_window(symbols: Sequence[str], window_days: float, min_bars: int) -> None:
    """Check the settings that all estimators over a window share.

    Raises:
        EstimationError: symbols that repeat, a window under two hours or one that is not finite,
            or ``min_bars`` outside 2 to the length of the window.
    """
    if len(set(symbols)) != len(symbols):
        raise EstimationError("symbols must be distinct")
    if not np.isfinite(window_days) or window_bars(window_days) < 2:
        raise EstimationError(f"window is {window_days} days, must be at least two hours")
    if not 2 <= min_bars <= window_bars(window_days):
        raise EstimationError(
            f"min_bars is {min_bars}, must be between 2 and the {window_bars(window_days)} bars "
            "of the window"
        )


def _finish(
    symbols: tuple[str, ...],
    moments: PairMoments,
    observed: FloatArray,
    *,
    window_days: float,
    min_bars: int,
    mean_removed: bool,
) -> CovarianceEstimate:
    covariance = BARS_PER_DAY * moments.covariance(mean_removed)
    in_window = np.diag(moments.count)
    # Rounding may leave a constant price with a variance just below 0.
    volatility = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    chosen = usable_symbols(symbols, volatility, in_window, min_bars, over_last(window_days))
    keep = [symbols.index(symbol) for symbol in chosen.kept]
    return sound_estimate(
        chosen,
        covariance[np.ix_(keep, keep)],
        observed_bars=observed[keep],
        effective_bars=in_window[keep],
    )
