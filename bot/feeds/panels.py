"""Joining bar panels along time."""

import numpy as np

from risk.book import FloatArray
from risk.errors import DataError
from risk.returns import HOUR_MS, BarPanel


def empty_panel(symbols: tuple[str, ...]) -> BarPanel:
    """No bars yet."""
    nothing = np.empty((0, len(symbols)))
    return BarPanel(symbols, np.empty(0, dtype=np.int64), nothing, nothing)


def joined_panel(old: BarPanel, new: BarPanel, *, keep_from_ms: int) -> BarPanel:
    """Both on one hourly grid from ``keep_from_ms`` on; where both have a bar, ``new`` holds.

    Hours that neither has are NaN.

    Raises:
        DataError: the symbols differ.
    """
    if old.symbols != new.symbols:
        raise DataError(f"bars of {old.symbols} and {new.symbols} cannot be joined")
    opens = np.concatenate([old.open_ms, new.open_ms])
    if len(opens) == 0:
        return old
    start_ms = max(keep_from_ms, int(opens.min()))
    grid = np.arange(start_ms, int(opens.max()) + HOUR_MS, HOUR_MS, dtype=np.int64)
    close = np.full((len(grid), len(old.symbols)), np.nan)
    volume = close.copy()
    for part in (old, new):
        _lay(part, start_ms, close, volume)
    return BarPanel(old.symbols, grid, close, volume)


def _lay(part: BarPanel, start_ms: int, close: FloatArray, volume: FloatArray) -> None:
    if not len(part.open_ms):
        return
    first = (int(part.open_ms[0]) - start_ms) // HOUR_MS  # a panel's hours follow one another
    skipped = max(0, -first)
    target = slice(max(0, first), max(0, first + len(part.open_ms)))
    known = ~np.isnan(part.close[skipped:])
    np.copyto(close[target], part.close[skipped:], where=known)
    np.copyto(volume[target], part.quote_volume_usd[skipped:], where=known)
