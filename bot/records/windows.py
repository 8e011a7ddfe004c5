"""Correlations of two plain windows as a record keeps them: half a matrix, in hundredths. Pure.

A matrix is symmetric and its diagonal says nothing, and two digits are what a window of some
hundred hours can tell. So a record of many symbols keeps both windows in less room than it takes
to write out one matrix.
"""

from collections.abc import Mapping
from math import isnan
from typing import Any

import numpy as np

from risk.book import FloatArray
from risk.correlation.report import LEAST_SHARE, LONG_DAYS, SHORT_DAYS
from risk.correlation.rolling import pair_indices, window_correlation
from risk.returns import BARS_PER_DAY

WINDOWS_DAYS = {"30d": LONG_DAYS, "7d": SHORT_DAYS}
Windows = dict[str, list[int | None]]


def windows_record(returns: FloatArray) -> Windows:
    """Pearson correlations of the last 30 and 7 days of (T, N) hourly log returns, by window.

    Each has the pairs (0, 1), (0, 2), … (1, 2), … of the N symbols, in hundredths; None for a pair
    that shares too few hours of the window, or of which one price did not move.
    """
    one, other = pair_indices(returns.shape[1])
    found = {}
    for name, days in WINDOWS_DAYS.items():
        rows = returns[-days * BARS_PER_DAY :]
        least = round(LEAST_SHARE * days * BARS_PER_DAY)
        matrix, _ = window_correlation(rows, least)
        hundredths = np.rint(100 * matrix[one, other])
        found[name] = [None if isnan(value) else int(value) for value in hundredths.tolist()]
    return found


def window_pair(correlation: Mapping[str, Any], window: str, one: str, other: str) -> float | None:
    """The correlation of two symbols in a record's window; None where it is not known."""
    symbols = [str(symbol) for symbol in correlation.get("symbols") or ()]
    packed = (correlation.get("windows") or {}).get(window)
    if packed is None or one == other or one not in symbols or other not in symbols:
        return None
    i, j = sorted((symbols.index(one), symbols.index(other)))
    n = len(symbols)
    if len(packed) != n * (n - 1) // 2:
        return None
    value = packed[i * (2 * n - i - 1) // 2 + j - i - 1]
    return None if value is None else value / 100


def window_matrix(correlation: Mapping[str, Any], window: str) -> list[list[float | None]] | None:
    """A record's window as rows of a whole matrix; None where the record has none that fits."""
    packed = (correlation.get("windows") or {}).get(window)
    n = len(correlation.get("symbols") or ())
    if packed is None or not n or len(packed) != n * (n - 1) // 2:
        return None
    values = np.full((n, n), np.nan)
    rows, columns = pair_indices(n)
    values[rows, columns] = [np.nan if value is None else value / 100 for value in packed]
    values[columns, rows] = values[rows, columns]
    np.fill_diagonal(values, 1.0)
    return [[None if isnan(value) else value for value in row] for row in values.tolist()]
