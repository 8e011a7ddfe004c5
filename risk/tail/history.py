"""Prices of the past on one grid without holes, for replaying today's book through it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.errors import DataError, MissingDataError
from risk.returns import BarPanel, faulty_closes


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """Log prices of N symbols over T hours.

    Attributes:
        symbols: N symbols.
        open_ms: (T,) bar opens, UTC milliseconds.
        log_price: (T, N) log of the close at the end of each bar, up to a constant for each
            symbol; NaN where nothing is known that could stand in.
        filled: (T, N) True where the price is a stand-in and not the token's own.
    """

    symbols: tuple[str, ...]
    open_ms: NDArray[np.int64]
    log_price: FloatArray
    filled: NDArray[np.bool_]

    def columns(self, symbols: Sequence[str]) -> NDArray[np.intp]:
        """Where symbols stand in the arrays.

        Raises:
            MissingDataError: one of them is not there.
        """
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        missing = [symbol for symbol in symbols if symbol not in index]
        if missing:
            raise MissingDataError(f"no price history of {', '.join(missing)}")
        return np.array([index[symbol] for symbol in symbols], dtype=np.intp)


def price_history(panel: BarPanel, estimate: CovarianceEstimate) -> PriceHistory:
    """Prices of the panel's symbols that have an estimate, with stand-ins where there is no bar.

    Inside a gap the log price goes straight from the last close to the next, so that windows over
    it are right. Before a listing, and after the last bar of a token that stopped, its hourly
    return is its regression on the tokens that have one in that hour,

        r_i = Σ_io Σ_oo⁻¹ r_o

    with today's covariance: the expected move, without anything of its own, hence on the mild side
    for a lone token. Where no token of that hour has a return the price stays unknown.

    Raises:
        DataError: a close that cannot be used, named with its UTC time.
    """
    symbols = tuple(symbol for symbol in panel.symbols if symbol in set(estimate.symbols))
    chosen = panel.subset(symbols)
    faults = faulty_closes(chosen)
    if faults:
        raise DataError("; ".join(f"{fault.symbol}: {fault.reason}" for fault in faults))
    own = ~np.isnan(chosen.close)
    if not own.size:
        return PriceHistory(symbols, chosen.open_ms, chosen.close.copy(), own)
    logs = np.log(chosen.close)
    for i in range(len(symbols)):
        there = np.flatnonzero(own[:, i])
        if len(there):
            inside = slice(int(there[0]), int(there[-1]) + 1)
            hours = np.arange(inside.start, inside.stop)
            logs[inside, i] = np.interp(hours, there, logs[there, i])
    returns = np.diff(logs, axis=0)
    covariance = estimate.subset(symbols).covariance_daily
    _fill_by_regression(returns, covariance)
    path = _paths(logs, returns)
    return PriceHistory(symbols, chosen.open_ms, path, ~own & ~np.isnan(path))


def _fill_by_regression(returns: FloatArray, covariance: FloatArray) -> None:
    """Fill NaN in (T - 1, N) returns in place, one regression for each pattern of what is there."""
    there = ~np.isnan(returns)
    if there.all():
        return
    patterns, which = np.unique(there, axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        if pattern.all() or not pattern.any():
            continue
        rows = np.flatnonzero(which.ravel() == k)
        known, gone = np.flatnonzero(pattern), np.flatnonzero(~pattern)
        weights = np.linalg.solve(covariance[np.ix_(known, known)], covariance[np.ix_(known, gone)])
        returns[np.ix_(rows, gone)] = returns[np.ix_(rows, known)] @ weights


def _paths(logs: FloatArray, returns: FloatArray) -> FloatArray:
    """Carry each token's own prices forward and backward by the returns, (T, N)."""
    path = logs.copy()
    for i in range(path.shape[1]):
        there = np.flatnonzero(~np.isnan(logs[:, i]))
        if not len(there):
            # Never priced: a path of stand-ins alone, from wherever they can be had.
            path[:, i] = np.concatenate([[0.0], np.cumsum(returns[:, i])])
            continue
        first, last = int(there[0]), int(there[-1])
        path[:first, i] = path[first, i] - np.cumsum(returns[:first, i][::-1])[::-1]
        path[last + 1 :, i] = path[last, i] + np.cumsum(returns[last:, i])
    return path
