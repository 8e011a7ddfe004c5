"""The last W bars of returns, and sums over them that neither drift nor cancel."""

from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.errors import EstimationError


@dataclass(frozen=True, slots=True)
class PairMoments:
    """Sums over the bars in which both i and j have a return, all (N, N).

    Attributes:
        product: Σ r_i r_j.
        first: Σ r_i over the bars that i shares with j; not symmetric.
        count: how many such bars.
    """

    product: FloatArray
    first: FloatArray
    count: FloatArray

    def covariance(self, mean_removed: bool = False) -> FloatArray:
        """(N, N) covariance of one bar, pair by pair, NaN where a pair has too few bars.

        Around zero Σ r_i r_j / n; with ``mean_removed`` the usual sample covariance
        (Σ r_i r_j - Σ r_i Σ r_j / n) / (n - 1), each over the bars that the pair shares.
        """
        least = 1 if not mean_removed else 2
        n = np.where(self.count >= least, self.count, np.nan)
        around_zero: FloatArray = self.product / n
        if not mean_removed:
            return around_zero
        sample: FloatArray = (self.product - self.first * self.first.T / n) / (n - 1)
        return sample


def pair_moments(returns: FloatArray) -> PairMoments:
    """The sums over all rows of (T, N) returns, NaN where missing, by matrix products."""
    there = (~np.isnan(returns)).astype(np.float64)
    filled = np.where(there > 0, returns, 0.0)
    return PairMoments(filled.T @ filled, filled.T @ there, there.T @ there)


class ReturnWindow:
    """The last W rows of N returns, oldest thrown out first."""

    def __init__(self, width: int, window_bars: int) -> None:
        """Start empty.

        Raises:
            EstimationError: a window of less than two bars.
        """
        if window_bars < 2:
            raise EstimationError(f"window is {window_bars} bars, must be at least 2")
        self._rows = np.full((window_bars, width), np.nan)
        self._observed = np.zeros(width)
        self._seen = 0

    @property
    def observed_bars(self) -> FloatArray:
        """(N,) returns taken in since the start, those that have left the window too."""
        return self._observed.copy()

    def push(self, row: FloatArray) -> FloatArray:
        """Take in one row; the one that leaves comes back, all NaN while the window fills."""
        at = self._seen % len(self._rows)
        leaving: FloatArray = self._rows[at].copy()
        self._rows[at] = row
        self._observed += ~np.isnan(row)
        self._seen += 1
        return leaving

    def rows(self) -> FloatArray:
        """The rows in the window, oldest first, shape (at most W, N)."""
        if self._seen < len(self._rows):
            return self._rows[: self._seen].copy()
        return np.roll(self._rows, -(self._seen % len(self._rows)), axis=0)


class WindowMoments:
    """PairMoments of the last W rows, kept up by adding and removing one row, O(N²) a bar.

    Every sum carries the exact rounding error of each addition along (Knuth's two-sum, summed up
    as in Neumaier 1974). What a row adds is what it takes away when it leaves, to the bit, so
    neither a million bars nor a crash far larger than all that follows leaves a trace.
    """

    def __init__(self, width: int, window_bars: int) -> None:
        """Start empty; arguments and errors as ReturnWindow."""
        self._window = ReturnWindow(width, window_bars)
        self._sum = np.zeros((2, width, width))
        self._lost = np.zeros((2, width, width))
        self._count = np.zeros((width, width))

    @property
    def observed_bars(self) -> FloatArray:
        """(N,) returns taken in since the start."""
        return self._window.observed_bars

    def push(self, row: FloatArray) -> None:
        """Take in (N,) returns, NaN where missing; the oldest row leaves a full window."""
        leaving = self._window.push(row)
        self._add(row, 1.0)
        if not np.isnan(leaving).all():
            self._add(leaving, -1.0)

    def moments(self) -> PairMoments:
        """The sums over the rows now in the window."""
        product, first = self._sum + self._lost
        return PairMoments(product, first, self._count.copy())

    def _add(self, row: FloatArray, sign: float) -> None:
        there = (~np.isnan(row)).astype(np.float64)
        filled = np.where(there > 0, row, 0.0)
        term = np.stack([np.outer(sign * filled, filled), np.outer(sign * filled, there)])
        total = self._sum + term
        kept = total - self._sum
        self._lost += (self._sum - (total - kept)) + (term - kept)
        self._sum = total
        self._count += sign * np.outer(there, there)
