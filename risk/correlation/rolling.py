"""Rolling Pearson correlation of every pair over a whole history, at the speed of plain sums."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.covariance.usable import require_unnamed_returns
from risk.errors import EstimationError

CANCELLED = 1e-4
"""Below this share of variance in the mean square, subtracting the mean loses digits that matter:
then the window is computed anew around its own mean."""

CONSTANT = 1e-20
"""At this share or below, deviations from the mean are rounding, and the series is constant."""

CHUNK_VALUES = 1 << 16  # half a megabyte of float64 stays in a processor's cache


@lru_cache(maxsize=64)
def pair_indices(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the P = n(n-1)/2 pairs i < j, in the packed order: (0,1), (0,2), …

    The same arrays each time, which cannot be written to.
    """
    one, other = np.triu_indices(n, 1)
    one.flags.writeable = other.flags.writeable = False
    return one, other


def rolling_correlation(
    log_returns: FloatArray, window_bars: int, min_observations: int | None = None
) -> FloatArray:
    """Correlation of each pair over the last W rows, at every row, shape (T, P).

    Over the n rows t - W + 1 … t in which both x and y are there, around their means over these:

        ρ = Σ (x - x̄)(y - ȳ) / √(Σ (x - x̄)² Σ (y - ȳ)²)

    Pairs are packed as ``pair_indices`` has them; ``unpacked`` makes matrices. Row t uses nothing
    after t. Early rows use the rows there are.

    History is cut into blocks of W rows, so that every window is the end of one block and the
    beginning of the next. Running sums from each cut in both directions therefore give any window
    by one addition and never by subtraction (van Herk 1992; Gil, Werman 1993): nothing that has
    left a window can leave a trace in it.

    Args:
        log_returns: (T, N), oldest first, NaN where missing; any evenly spaced bars.
        window_bars: W, at least 2.
        min_observations: fewer shared rows than this, at least 2, give NaN; by default half of
            the window.

    Returns:
        (T, P), within [-1, 1]. NaN where a pair shares too few rows or one of the two is constant
        over them.

    Raises:
        DataError: not two-dimensional, or a return is infinite.
        EstimationError: the window or ``min_observations`` is out of range.
    """
    returns = require_unnamed_returns(log_returns)
    least = _least(window_bars, min_observations)
    bars, n = returns.shape
    one, other = pair_indices(n)
    packed = np.full((len(one), bars), np.nan)
    series = np.ascontiguousarray(returns.T)
    for start in range(0, bars, window_bars):
        stop = min(start + window_bars, bars)
        first = max(start - window_bars + 1, 0)
        block = _Block(series[:, first:stop], start - first, window_bars, least)
        step = max(1, CHUNK_VALUES // (stop - first))
        for at in range(0, len(one), step):
            chunk = slice(at, at + step)
            block.correlate(one[chunk], other[chunk], packed[chunk, start:stop])
        for t in (start + np.flatnonzero(block.cancelled)).tolist():
            rows = returns[max(t - window_bars + 1, 0) : t + 1]
            packed[:, t] = window_correlation(rows, least)[0][one, other]
    return packed.T


def window_correlation(
    log_returns: FloatArray, min_observations: int = 2
) -> tuple[FloatArray, FloatArray]:
    """Correlation of each pair over all rows, and how many rows it rests on, both (N, N).

    Pearson's over the rows in which both are there. Diagonal 1, or NaN for a series that is
    constant or has too few observations; its pairs are NaN too.

    Args:
        log_returns: (T, N), NaN where missing.
        min_observations: fewer shared rows than this, at least 2, give NaN.

    Raises:
        DataError: not two-dimensional, or a return is infinite.
        EstimationError: ``min_observations`` is below 2.
    """
    returns = require_unnamed_returns(log_returns)
    if min_observations < 2:
        raise EstimationError(f"min_observations is {min_observations}, must be at least 2")
    there = ~np.isnan(returns)
    if len(returns) >= min_observations and there.all():
        return _whole_correlation(returns), np.full((returns.shape[1],) * 2, float(len(returns)))
    mask = there.astype(np.float64)
    count = mask.T @ mask
    filled = np.where(there, returns, 0.0)
    centre = filled.sum(axis=0) / np.maximum(mask.sum(axis=0), 1.0)
    centred = np.where(there, returns - centre, 0.0)
    n = np.where(count >= min_observations, count, np.nan)
    mean = centred.T @ mask / n
    variance = (centred**2).T @ mask / n - mean**2
    variance[~(variance > CONSTANT * ((filled**2).T @ mask / n))] = np.nan
    covariance = centred.T @ centred / n - mean * mean.T
    correlation: FloatArray = np.clip(covariance / np.sqrt(variance * variance.T), -1.0, 1.0)
    np.fill_diagonal(correlation, np.where(np.isnan(np.diag(variance)), np.nan, 1.0))
    return correlation, count


def _whole_correlation(returns: FloatArray) -> FloatArray:
    """As ``window_correlation`` where nothing is missing: each sum is the same for every pair."""
    n = len(returns)
    centred = returns - returns.sum(axis=0) / n
    mean = centred.sum(axis=0) / n
    covariance = centred.T @ centred / n - mean * mean[:, None]
    variance = covariance.diagonal().copy()
    variance[~(variance > CONSTANT * (np.einsum("tn,tn->n", returns, returns) / n))] = np.nan
    root = variance * variance[:, None]
    correlation: FloatArray = np.clip(covariance / np.sqrt(root, out=root), -1.0, 1.0)
    np.fill_diagonal(correlation, np.where(np.isnan(variance), np.nan, 1.0))
    return correlation


def unpacked(packed: FloatArray, n: int) -> FloatArray:
    """Matrices (…, n, n) of packed pairs (…, P), symmetric, with a diagonal of 1.

    Raises:
        EstimationError: the number of pairs is not that of n tokens.
    """
    one, other = pair_indices(n)
    if packed.shape[-1:] != one.shape:
        raise EstimationError(f"{packed.shape[-1:]} pairs, {n} tokens have {len(one)}")
    matrices = np.ones((*packed.shape[:-1], n, n))
    matrices[..., one, other] = packed
    matrices[..., other, one] = packed
    return matrices


class _Block:
    """The windows that end in one block of rows, of N series side by side in time.

    ``cancelled`` tells, for each row of the block, whether subtracting the mean cost digits in
    some pair of those correlated so far.
    """

    def __init__(self, series: FloatArray, before: int, window_bars: int, least: int) -> None:
        """(N, L) values, how many of the L rows come before the block, W, least observations."""
        there: NDArray[np.bool_] = ~np.isnan(series)
        self._before = before
        self._new = series.shape[1] - before
        self._least = least
        self._complete: NDArray[np.bool_] = np.asarray(there.all(axis=1))
        self._some: NDArray[np.bool_] = np.asarray(there.any(axis=1))
        self._mask = self._folded(there.astype(np.float64))
        self._values = self._folded(np.where(there, series, 0.0))
        rows = np.arange(before + 1, series.shape[1] + 1, dtype=np.float64)
        count = np.minimum(rows, window_bars)
        count[count < least] = np.nan
        mean = self._sums(self._values.copy()) / count
        square = self._sums(self._values**2) / count
        self._scale, cancelled = _inverse_deviation(square, mean)
        self._scale_of_sum, self._scaled_mean = self._scale / count, self._scale * mean
        self.cancelled: NDArray[np.bool_] = np.asarray(cancelled[self._complete].any(axis=0))

    def correlate(self, one: NDArray[np.int64], other: NDArray[np.int64], out: FloatArray) -> None:
        """Fill ``out`` (pairs, rows of the block), NaN at first, where there is a correlation."""
        complete = self._complete[one] & self._complete[other]
        if complete.all():
            out[:] = self._without_gaps(one, other)
            return
        out[complete] = self._without_gaps(one[complete], other[complete])
        gappy = self._some[one] & self._some[other] & ~complete
        if gappy.any():
            out[gappy] = self._with_gaps(one[gappy], other[gappy])

    def _without_gaps(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> FloatArray:
        product = self._values[one]
        product *= self._values[other]
        found = self._sums(product)
        found *= self._scale_of_sum[one]
        found *= self._scale[other]
        found -= self._scaled_mean[one] * self._scaled_mean[other]
        return np.clip(found, -1.0, 1.0, out=found)

    def _with_gaps(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> FloatArray:
        x, mask_x = self._values[one], self._mask[one]
        y, mask_y = self._values[other], self._mask[other]
        count = self._sums(mask_x * mask_y)
        count[count < self._least] = np.nan
        mean_x, mean_y = self._sums(x * mask_y) / count, self._sums(y * mask_x) / count
        found = self._sums(x * y) / count - mean_x * mean_y
        for values, mask, mean in ((x, mask_y, mean_x), (y, mask_x, mean_y)):
            scale, cancelled = _inverse_deviation(self._sums(values**2 * mask) / count, mean)
            self.cancelled |= cancelled.any(axis=0)
            found *= scale
        return np.clip(found, -1.0, 1.0, out=found)

    def _folded(self, values: FloatArray) -> FloatArray:
        """(N, L) values from the cut between the blocks outwards, forwards and back in turn.

        The running sums in both directions can then be taken as one of complex numbers. A sum
        waits for each addition before the next one, and here two wait together.
        """
        folded = np.zeros((len(values), max(self._new, self._before + 1), 2))
        folded[:, : self._new, 0] = values[:, self._before :]
        if self._before:
            folded[:, 1 : self._before + 1, 1] = values[:, self._before - 1 :: -1]
        return folded.reshape(len(values), -1)

    def _sums(self, folded: FloatArray) -> FloatArray:
        """Sums over the windows that end in the block, (R, rows of the block); uses up ``folded``.

        A window that ends ``m`` rows after the cut begins ``m`` rows after the block before does,
        so it is the forward sum to m plus the backward sum to where only m rows are left.
        """
        running = folded.view(np.complex128)
        np.cumsum(running, axis=1, out=running)
        sums: FloatArray = running.real[:, : self._new] + running.imag[:, ::-1][:, : self._new]
        return sums


def _inverse_deviation(
    square: FloatArray, mean: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """1/σ from mean squares and means, NaN for σ = 0; and where σ² has lost digits."""
    variance = square - mean**2
    cancelled = (variance <= CANCELLED * square) & (square > 0)
    variance[~(variance > 0)] = np.nan
    return 1.0 / np.sqrt(variance), cancelled


def _least(window_bars: int, min_observations: int | None) -> int:
    if window_bars < 2:
        raise EstimationError(f"window is {window_bars} bars, must be at least 2")
    least = max(2, window_bars // 2) if min_observations is None else min_observations
    if not 2 <= least <= window_bars:
        raise EstimationError(
            f"min_observations is {least}, must be between 2 and the window of {window_bars} bars"
        )
    return least
