"""Hourly bars and their log returns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError, MissingDataError
from risk.exclusion import Excluded, selection

HOUR_MS = 3_600_000
BARS_PER_DAY = 24

HALTED_BARS = 24
"""After so many hours without any trade a price that stands still is no longer an observation."""

RETURN_BARS = HALTED_BARS + 1
"""Bars before its own that a log return depends on at the most."""

MAX_ABS_LOG_RETURN = math.log(10)
"""A larger move between two closes is taken for a change of denomination or a broken feed."""

_SURELY_FINE = 9.0  # a column within this factor has no move near the tenfold, however rounded


@dataclass(frozen=True, slots=True)
class BarPanel:
    """Closed hourly bars of N symbols on one grid of T hours; NaN where a symbol has no bar.

    Attributes:
        symbols: N unified symbols.
        open_ms: (T,) bar opens, UTC milliseconds, strictly increasing, one hour apart.
        close: (T, N) closing prices, quote units, above 0 or NaN.
        quote_volume_usd: (T, N) traded in the bar, USD, at least 0 or NaN.
    """

    symbols: tuple[str, ...]
    open_ms: NDArray[np.int64]
    close: FloatArray
    quote_volume_usd: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.open_ms), len(self.symbols))
        if self.close.shape != shape or self.quote_volume_usd.shape != shape:
            raise DataError(
                f"bars: close {self.close.shape} and volume "
                f"{self.quote_volume_usd.shape} must be {shape}"
            )
        if len(self.open_ms) > 1 and not np.all(np.diff(self.open_ms) == HOUR_MS):
            raise DataError("bars: open times must be one hour apart and increasing")

    def subset(self, symbols: Sequence[str]) -> "BarPanel":
        """The same grid for ``symbols`` only, in their order.

        Raises:
            MissingDataError: a symbol that is not in the panel.
        """
        if tuple(symbols) == self.symbols:
            return self
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        missing = [symbol for symbol in symbols if symbol not in index]
        if missing:
            raise MissingDataError(f"no bars of {', '.join(missing)}")
        columns = [index[symbol] for symbol in symbols]
        return BarPanel(
            tuple(symbols), self.open_ms, self.close[:, columns], self.quote_volume_usd[:, columns]
        )

    def last(self, bars: int) -> "BarPanel":
        """The newest so many bars, or all there are."""
        first = max(0, len(self.open_ms) - bars)
        return BarPanel(
            self.symbols, self.open_ms[first:], self.close[first:], self.quote_volume_usd[first:]
        )


def utc(time_ms: int) -> str:
    """UTC milliseconds as ``2025-09-30T23:00Z``, for messages."""
    return f"{np.datetime_as_string(np.datetime64(int(time_ms), 'ms'), unit='m')}Z"


def faulty_closes(panel: BarPanel) -> tuple[Excluded, ...]:
    """Symbols whose closes cannot be used, each with its first fault and the bar's UTC open.

    A fault is a close that is infinite, zero or negative, or a move of more than tenfold, up or
    down, from one close to the next one there is. A token does not do that in an hour, while a
    renamed, redenominated or mixed-up one does. Gaps are no shelter: the move from the last close
    before a gap to the first one after it counts too, so that two denominations of one token are
    never spliced into one history. NaN is a missing bar and no fault.
    """
    found = []
    for column in _doubtful(panel.close).tolist():
        fault = _first_fault(panel.open_ms, panel.close[:, column])
        if fault is not None:
            found.append(Excluded(panel.symbols[column], fault))
    return tuple(found)


def _doubtful(close: FloatArray) -> NDArray[np.intp]:
    """Columns that may have a fault: all but those whose highest close is not ninefold the lowest.

    Two passes over all closes at once instead of a look at each move; nearly no column is left.
    """
    if not len(close):
        return np.empty(0, dtype=np.intp)
    lowest, highest = np.fmin.reduce(close, axis=0), np.fmax.reduce(close, axis=0)
    # Infinite closes fail the last comparison, and what is all NaN, which is no fault, both.
    return np.flatnonzero(~((lowest > 0) & (highest / _SURELY_FINE < lowest)))


def without_faults(panel: BarPanel) -> tuple[BarPanel, tuple[Excluded, ...]]:
    """The panel without the symbols that ``faulty_closes`` names, and those with their reasons."""
    excluded = faulty_closes(panel)
    kept = selection(panel.symbols, excluded).kept
    return (panel if not excluded else panel.subset(kept)), excluded


def log_returns(panel: BarPanel) -> FloatArray:
    """Log returns of one bar, r_t = ln(close_t / close_{t-1}), shape (T - 1, N).

    Row t belongs to the bar that opens at ``open_ms[t + 1]``. NaN unless both closes are there:
    a return over a gap is never spread over it nor taken for one hour's. NaN too from the 24th
    hour in a row in which the price stood still and nothing was traded: a halted token would look
    the calmer the longer it is halted. The move with which trading begins again is kept, and a
    volume that is not known halts nothing. Row t depends on the 25 bars before it at most. A panel
    of fewer than two bars gives shape (0, N).

    Raises:
        DataError: a close that cannot be used (see ``faulty_closes``), named with its UTC time.
            ``without_faults`` takes such symbols out beforehand.
    """
    faults = faulty_closes(panel)
    if faults:
        raise DataError("; ".join(f"{fault.symbol}: {fault.reason}" for fault in faults))
    logs = np.log(panel.close)
    returns: FloatArray = logs[1:] - logs[:-1]
    returns[_halted(panel)] = np.nan
    return returns


@dataclass(frozen=True, slots=True)
class _Known:
    """Returns of a panel's symbols without faults, in their order."""

    panel: BarPanel
    clean: BarPanel
    columns: Mapping[str, int]
    returns: FloatArray


class ReturnsMemory:
    """Log returns of the panel asked about last: several measures of a bar rest on them."""

    def __init__(self) -> None:
        self._last: _Known | None = None

    def grow(self, panel: BarPanel, clean: BarPanel, changed_ms: int) -> None:
        """A panel that goes on from the one before: only what is new in it is worked out.

        Args:
            panel: the later hours, of the same symbols.
            clean: as ``without_faults`` has it.
            changed_ms: from this open on bars may be others than they were.
        """
        last = self._last
        grown = None
        if last is not None and last.clean.symbols == clean.symbols:
            grown = _grown(last, clean, changed_ms)
        self._last = _known(panel, clean, grown)

    def of(self, panel: BarPanel, symbols: Sequence[str]) -> FloatArray:
        """(T - 1, N) as ``log_returns`` of the panel's subset, in the order of ``symbols``.

        Raises:
            MissingDataError: a symbol that is not in the panel.
            DataError: a close that cannot be used.
        """
        last = self._last  # read once: another thread may ask about another panel
        if last is None or last.panel is not panel:
            last = self._last = _known(panel, without_faults(panel)[0])
        if last.clean.symbols == symbols:
            return last.returns
        if not last.columns.keys() >= set(symbols):
            return log_returns(panel.subset(symbols))  # says which symbol has what fault
        return last.returns[:, [last.columns[symbol] for symbol in symbols]]


def _known(panel: BarPanel, clean: BarPanel, returns: FloatArray | None = None) -> _Known:
    if returns is None:
        returns = log_returns(clean)
    returns.setflags(write=False)
    return _Known(panel, clean, {symbol: k for k, symbol in enumerate(clean.symbols)}, returns)


def _grown(last: _Known, clean: BarPanel, changed_ms: int) -> FloatArray | None:
    """``log_returns`` of ``clean`` from those that are known; None where these do not reach."""
    if min(len(last.clean.open_ms), len(clean.open_ms)) <= RETURN_BARS:
        return None
    gone = (int(clean.open_ms[0]) - int(last.clean.open_ms[0])) // HOUR_MS
    fresh = int((clean.open_ms[1:] >= changed_ms).sum())
    kept = len(clean.open_ms) - 1 - fresh
    if gone < 0 or kept < HALTED_BARS or gone + kept > len(last.returns):
        return None
    returns = np.empty((kept + fresh, len(clean.symbols)))
    returns[:kept] = last.returns[gone : gone + kept]
    # A halt is told from 24 bars, of which some have left: the first rows know of none.
    first = slice(None, HALTED_BARS)
    returns[: HALTED_BARS - 1] = np.diff(np.log(clean.close[first]), axis=0)
    if fresh:
        returns[kept:] = log_returns(clean.last(fresh + RETURN_BARS))[-fresh:]
    return returns


def _halted(panel: BarPanel) -> NDArray[np.bool_]:
    """(T - 1, N) True from the 24th bar in a row with neither a trade nor a move."""
    still = (panel.quote_volume_usd[1:] == 0) & (panel.close[1:] == panel.close[:-1])
    halted: NDArray[np.bool_] = np.zeros(still.shape, dtype=np.bool_)
    # Most tokens never stand still for so many hours, in a row or not.
    quiet = np.flatnonzero(np.count_nonzero(still, axis=0) >= HALTED_BARS)
    if len(quiet):
        runs = np.lib.stride_tricks.sliding_window_view(still[:, quiet], HALTED_BARS, axis=0)
        halted[HALTED_BARS - 1 :, quiet] = runs.all(axis=2)
    return halted


def _first_fault(open_ms: NDArray[np.int64], close: FloatArray) -> str | None:
    there = np.flatnonzero(~np.isnan(close))
    values = close[there]
    unusable = ~(np.isfinite(values) & (values > 0))
    # Only up to the first unusable close can moves be measured.
    end = int(np.argmax(unusable)) if unusable.any() else len(values)
    moves = np.diff(np.log(values[:end]))
    absurd = np.abs(moves) > MAX_ABS_LOG_RETURN
    if absurd.any():
        i = int(np.argmax(absurd))
        gap = int(there[i + 1] - there[i])
        over = "in one bar" if gap == 1 else f"across {gap} bars with none between"
        return (
            f"close goes from {values[i]:g} to {values[i + 1]:g} {over} "
            f"at {utc(open_ms[there[i + 1]])}, more than tenfold: another denomination?"
        )
    if end < len(values):
        return f"close is {values[end]:g} at {utc(open_ms[there[end]])}, must be above 0 and finite"
    return None
