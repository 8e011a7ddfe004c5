"""How the correlation of pairs came to be what it is: rolling windows over hourly or daily bars."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.correlation.rolling import pair_indices, rolling_correlation, unpacked
from risk.errors import EstimationError, MissingDataError
from risk.returns import BARS_PER_DAY, HOUR_MS, BarPanel, log_returns

DAY_MS = BARS_PER_DAY * HOUR_MS


class Bar(StrEnum):
    """Over what time one return is taken."""

    HOURLY = "hourly"
    DAILY = "daily"

    @property
    def length_ms(self) -> int:
        """Milliseconds of one bar."""
        return HOUR_MS if self is Bar.HOURLY else DAY_MS


@dataclass(frozen=True, slots=True)
class BarReturns:
    """Log returns of N symbols on one grid of T bars.

    Attributes:
        symbols: N symbols.
        bar: hourly, or daily by UTC days.
        open_ms: (T,) opens of the bars over which the returns are taken, UTC milliseconds.
        log_return: (T, N), NaN where a symbol has none.
    """

    symbols: tuple[str, ...]
    bar: Bar
    open_ms: NDArray[np.int64]
    log_return: FloatArray

    def window_bars(self, window_days: float) -> int:
        """How many bars ``window_days`` days are, to the nearest."""
        return round(window_days * DAY_MS / self.bar.length_ms)


@dataclass(frozen=True, slots=True)
class CorrelationHistory:
    """Rolling correlation of all P pairs of N symbols at T times.

    Attributes:
        symbols: N symbols.
        bar, window_days: of the rolling window.
        open_ms: (T,) open of the last bar of each window, UTC milliseconds; the value is known
            when that bar closes.
        packed: (T, P) correlations in the order of ``pair_indices``, NaN where unknown.
    """

    symbols: tuple[str, ...]
    bar: Bar
    window_days: float
    open_ms: NDArray[np.int64]
    packed: FloatArray

    def pair(self, one: str, other: str) -> FloatArray:
        """(T,) correlations of two symbols, in either order.

        Raises:
            MissingDataError: a symbol that is not in the history.
            EstimationError: twice the same symbol.
        """
        missing = [symbol for symbol in (one, other) if symbol not in self.symbols]
        if missing:
            raise MissingDataError(f"no correlation history of {', '.join(missing)}")
        _require_two(one, other)
        i, j = sorted((self.symbols.index(one), self.symbols.index(other)))
        rows, columns = pair_indices(len(self.symbols))
        return self.packed[:, int(np.flatnonzero((rows == i) & (columns == j))[0])]

    def matrix(self, at: int) -> FloatArray:
        """(N, N) correlation at row ``at``, diagonal 1."""
        return unpacked(self.packed[at], len(self.symbols))


def hourly_returns(panel: BarPanel) -> BarReturns:
    """``log_returns`` with the opens of their bars.

    Raises:
        DataError: as ``log_returns``.
    """
    return BarReturns(panel.symbols, Bar.HOURLY, panel.open_ms[1:], log_returns(panel))


def daily_returns(panel: BarPanel) -> BarReturns:
    """Log returns from one UTC day's last close to the next day's, r_d = ln(close_d / close_d-1).

    A day's close is that of its last hourly bar, open at 23:00 UTC. A day of which that bar is
    missing has no close, even if earlier ones are there: closes of tokens taken at different
    hours would look less correlated than they are. So the day that is still going on is not used,
    and a day without close leaves two returns missing, NaN.

    Raises:
        DataError: as ``log_returns``.
    """
    log_returns(panel)  # for its check of all closes, also of those between the days' last
    last = np.flatnonzero(panel.open_ms % DAY_MS == DAY_MS - HOUR_MS)
    logs = np.log(panel.close[last])
    open_ms = panel.open_ms[last] - (DAY_MS - HOUR_MS)
    return BarReturns(panel.symbols, Bar.DAILY, open_ms[1:], logs[1:] - logs[:-1])


def bar_returns(panel: BarPanel, bar: Bar) -> BarReturns:
    """``hourly_returns`` or ``daily_returns``."""
    return hourly_returns(panel) if bar is Bar.HOURLY else daily_returns(panel)


def correlation_history(
    panel: BarPanel,
    window_days: float = 30.0,
    *,
    bar: Bar = Bar.HOURLY,
    min_observations: int | None = None,
) -> CorrelationHistory:
    """Rolling correlation of all pairs of a panel at every bar; see ``rolling_correlation``.

    It holds T × P numbers: a year of hours of 18 symbols is 10 MB, of 200 symbols 1.4 GB.

    Args:
        panel: hourly bars, T + 1 of them for T hourly returns.
        window_days: length of the rolling window.
        bar: hourly or daily returns.
        min_observations: fewer shared returns give NaN; by default half of the window.

    Raises:
        DataError: a close that cannot be used.
        EstimationError: the window is shorter than two bars, or ``min_observations`` out of range.
    """
    returns = bar_returns(panel, bar)
    packed = rolling_correlation(
        returns.log_return, returns.window_bars(window_days), min_observations
    )
    return CorrelationHistory(panel.symbols, bar, window_days, returns.open_ms, packed)


def pair_history(
    panel: BarPanel,
    one: str,
    other: str,
    window_days: float = 30.0,
    *,
    bar: Bar = Bar.HOURLY,
    min_observations: int | None = None,
) -> CorrelationHistory:
    """``correlation_history`` of two symbols only, for a chart: packed has shape (T, 1).

    Raises:
        MissingDataError: a symbol that is not in the panel.
        DataError, EstimationError: as ``correlation_history``, or twice the same symbol.
    """
    _require_two(one, other)
    return correlation_history(
        panel.subset([one, other]), window_days, bar=bar, min_observations=min_observations
    )


def _require_two(one: str, other: str) -> None:
    if one == other:
        raise EstimationError(f"a pair needs two different symbols, got {one} twice")
