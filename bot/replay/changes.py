"""Changes of what a bot holds, at any time, as positions at full hours. Pure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.replay.holdings import Holdings
from risk.errors import DataError
from risk.instrument import Instrument
from risk.returns import HOUR_MS

LARGEST_BASE: Final = 1e15
Change = tuple[int, str, float]
"""UTC milliseconds, symbol, base units."""


def at_hours(
    changes: Sequence[Change],
    path: Path,
    instruments: Mapping[str, Instrument],
    time_ms: NDArray[np.int64],
    *,
    adds: bool,
) -> Holdings:
    """What holds from the first full hour at or after each change on.

    Args:
        changes: in the order of their time.
        path: where they are from.
        adds: a change is added to what is held; else it takes its place.

    Raises:
        DataError: a symbol is not in the data.
    """
    symbols = tuple(sorted({symbol for _, symbol, _ in changes}))
    for symbol in symbols:
        if symbol not in instruments:
            raise DataError(f"{path}: {symbol}: not in the data")
    column = {symbol: k for k, symbol in enumerate(symbols)}
    quantity = np.zeros((len(time_ms), len(symbols)))
    for moment, symbol, base in changes:
        held = quantity[max(0, row_of(moment, time_ms)) :, column[symbol]]
        if adds:
            held += base
        else:
            held[:] = base
    # Sums of floats leave dust where a trade is closed.
    largest = np.abs(quantity).max(axis=0, initial=0.0)
    quantity[np.abs(quantity) < 1e-9 * largest] = 0.0
    return Holdings(symbols, time_ms, quantity)


def row_of(moment_ms: int, time_ms: NDArray[np.int64]) -> int:
    """Of the first full hour at or after a moment; below 0 or beyond the last where it lies so."""
    return -(-(moment_ms - int(time_ms[0])) // HOUR_MS)
