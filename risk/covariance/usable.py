"""From a raw covariance to an estimate that can be used: who has one, and what is mended."""

from collections.abc import Iterator, Sequence

import numpy as np

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate, estimate_from, nearest_by_clipping
from risk.errors import DataError, EstimationError, MissingDataError
from risk.exclusion import Excluded, Selection, selection

MIN_BARS = 24
"""Below this many returns a symbol has no estimate at all; hedging asks for far more."""

MIN_VOLATILITY_DAILY = 1e-6
"""Below this a price is taken for constant: a millionth a day is less than any tick."""


def usable_symbols(
    symbols: Sequence[str],
    volatility_daily: FloatArray,
    bars: FloatArray,
    min_bars: int,
    over: str = "",
) -> Selection:
    """Keep the symbols with enough returns and a price that moved.

    Args:
        symbols: N symbols.
        volatility_daily: (N,) standard deviations; NaN or 0 where there is none.
        bars: (N,) hourly returns behind each.
        min_bars: fewer than this exclude a symbol.
        over: what the bars were counted over, for the message, as "in the last 30 days".

    Raises:
        EstimationError: nothing is kept; the message gives every reason.
    """
    excluded = tuple(_unusable(symbols, volatility_daily, bars, min_bars, over))
    chosen = selection(symbols, excluded)
    if not chosen.kept:
        reasons = "; ".join(f"{item.symbol}: {item.reason}" for item in excluded)
        raise EstimationError(f"no symbol has a covariance estimate ({reasons or 'none given'})")
    return chosen


def sound_estimate(
    chosen: Selection,
    covariance_daily: FloatArray,
    *,
    observed_bars: FloatArray,
    effective_bars: FloatArray,
) -> CovarianceEstimate:
    """An estimate of the kept symbols from their covariance, made positive definite.

    Volatilities are the root of the diagonal. The correlation is filled where a pair never met
    and projected where pairs with different histories contradict each other; a matrix without
    such faults keeps its numbers.

    Args:
        chosen: M kept symbols, and the excluded ones to hand on.
        covariance_daily: (M, M), symmetric, diagonal above 0, NaN where a pair never met.
        observed_bars, effective_bars: (M,), as CovarianceEstimate has them.

    Raises:
        EstimationError: as CovarianceEstimate.
    """
    scale = np.sqrt(np.diag(covariance_daily))
    correlation = filled_with_mean(covariance_daily / np.outer(scale, scale))
    return estimate_from(
        chosen.kept,
        scale,
        nearest_by_clipping(correlation),
        observed_bars=observed_bars,
        effective_bars=effective_bars,
        excluded=chosen.excluded,
    )


def columns_of(chosen: Sequence[str], symbols: Sequence[str]) -> list[int]:
    """Where each of ``chosen`` stands among ``symbols``.

    Raises:
        MissingDataError: a symbol that was never asked for.
    """
    column = {symbol: i for i, symbol in enumerate(symbols)}
    strange = [symbol for symbol in chosen if symbol not in column]
    if strange:
        raise MissingDataError(f"no returns of {', '.join(strange)} were ever taken in")
    return [column[symbol] for symbol in chosen]


def filled_with_mean(correlation: FloatArray) -> FloatArray:
    """Unknown (NaN) pairs get the mean of the known ones, 0 if none is; the diagonal becomes 1.

    Shape (N, N) in and out, symmetric; the mean is over pairs of different tokens.
    """
    filled = correlation.copy()
    known = ~np.isnan(filled)
    if not known.all():
        np.fill_diagonal(known, val=False)
        filled[~known] = filled[known].mean() if known.any() else 0.0
    np.fill_diagonal(filled, 1.0)
    return filled


def require_returns(
    log_returns: FloatArray, symbols: Sequence[str], *, bars: int | None
) -> FloatArray:
    """The returns as float64 after a check of shape and finiteness; NaN means missing.

    Args:
        log_returns: (N,) for one bar, (T, N) for many.
        symbols: N symbols.
        bars: None for one bar, else the T that is expected; -1 for any.

    Raises:
        DataError: the shape does not fit, or a return is infinite, named with its symbol.
    """
    returns = np.asarray(log_returns, dtype=np.float64)
    n = len(symbols)
    expected = (n,) if bars is None else (bars, n)
    if bars == -1 and returns.shape[1:] == (n,):
        expected = returns.shape
    if returns.shape != expected:
        wanted = f"(bars, {n})" if bars == -1 else expected
        raise DataError(f"returns have shape {returns.shape}, must be {wanted}")
    infinite = np.isinf(returns)
    if infinite.any():
        column = int(np.argwhere(infinite)[0][-1])
        raise DataError(f"{symbols[column]}: a return is infinite; NaN means missing")
    return returns


def require_unnamed_returns(log_returns: FloatArray) -> FloatArray:
    """(T, N) returns of tokens known by their column alone, as ``require_returns``.

    Raises:
        DataError: not two-dimensional, or a return is infinite, named with column and row.
    """
    returns = np.asarray(log_returns, dtype=np.float64)
    if returns.ndim != 2:
        raise DataError(f"returns have shape {returns.shape}, must be (bars, tokens)")
    infinite = np.argwhere(np.isinf(returns))
    if len(infinite):
        row, column = infinite[0].tolist()
        raise DataError(f"return of token {column} in row {row} is infinite; NaN means missing")
    return returns


def _unusable(
    symbols: Sequence[str],
    volatility_daily: FloatArray,
    bars: FloatArray,
    min_bars: int,
    over: str,
) -> Iterator[Excluded]:
    place = f" {over}" if over else ""
    rows = zip(symbols, volatility_daily.tolist(), bars.tolist(), strict=True)
    for symbol, sigma, count in rows:
        if count < min_bars:
            yield Excluded(symbol, f"only {count:.0f} hourly returns{place}, needs {min_bars}")
        elif not sigma >= MIN_VOLATILITY_DAILY:
            yield Excluded(symbol, f"price did not move over {count:.0f} hourly returns{place}")
