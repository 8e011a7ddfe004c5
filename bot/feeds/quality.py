"""What is wrong with hourly bars, whoever sent them: checks on plain arrays."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.returns import HOUR_MS

LARGEST_MOVE = 10.0  # between two bars; beyond it the contract was redenominated or the row is bad
EARLIEST_MS = 1_262_304_000_000  # 2010-01-01
LATEST_MS = 4_102_444_800_000  # 2100-01-01
_LINEAR = re.compile(r"[^\s/:]+/([^\s/:]+):\1")


@dataclass(frozen=True, slots=True)
class BarRows:
    """Hourly bars of one symbol, K rows oldest first; UTC milliseconds, quote and base units."""

    time_ms: NDArray[np.int64]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __len__(self) -> int:
        return len(self.time_ms)

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "BarRows":
        """The rows chosen by index, mask or slice."""
        return BarRows(
            self.time_ms[chosen],
            self.open[chosen],
            self.high[chosen],
            self.low[chosen],
            self.close[chosen],
            self.volume[chosen],
        )

    def sorted(self) -> "BarRows":
        """Oldest first; rows of equal time keep their order."""
        return self.take(np.argsort(self.time_ms, kind="stable"))


@dataclass(frozen=True, slots=True)
class Fault:
    """Row ``index`` at ``time_ms`` cannot be used: ``column`` and what is wrong with its value."""

    index: int
    time_ms: int
    column: str
    problem: str


def iso(time_ms: int) -> str:
    """UTC time for people, to the minute."""
    if not EARLIEST_MS <= time_ms < LATEST_MS:
        return f"{time_ms} ms"
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")


def is_linear_symbol(symbol: str) -> bool:
    """Whether it reads as a unified linear perpetual, ``FET/USDT:USDT``."""
    return _LINEAR.fullmatch(symbol) is not None


def time_faults(time_ms: NDArray[np.int64]) -> list[Fault]:
    """Times out of any sense, off the hour, or given twice; ``time_ms`` (K,) is sorted."""
    faults = [
        Fault(
            int(k),
            int(time_ms[k]),
            "timestamp",
            f"is {int(time_ms[k])} ms since 1970, not a time of trading",
        )
        for k in np.flatnonzero((time_ms < EARLIEST_MS) | (time_ms >= LATEST_MS))
    ]
    faults += [
        Fault(int(k), int(time_ms[k]), "timestamp", "is not on a full hour")
        for k in np.flatnonzero(time_ms % HOUR_MS)
    ]
    faults += [
        Fault(int(k) + 1, int(time_ms[k + 1]), "timestamp", "is there twice")
        for k in np.flatnonzero(np.diff(time_ms) == 0)
    ]
    return faults


def value_faults(rows: BarRows) -> list[Fault]:
    """Prices that are not positive numbers, negative volumes, and bars that contradict
    themselves."""
    faults: list[Fault] = []
    for column in ("open", "high", "low", "close"):
        values = getattr(rows, column)
        bad = np.flatnonzero(~(np.isfinite(values) & (values > 0.0)))
        faults += [
            Fault(
                int(k),
                int(rows.time_ms[k]),
                column,
                f"is {float(values[k])!r}, must be a number above 0",
            )
            for k in bad
        ]
    bad = np.flatnonzero(~(np.isfinite(rows.volume) & (rows.volume >= 0.0)))
    faults += [
        Fault(
            int(k),
            int(rows.time_ms[k]),
            "volume",
            f"is {float(rows.volume[k])!r}, must be a number of at least 0",
        )
        for k in bad
    ]
    top, bottom = np.maximum(rows.open, rows.close), np.minimum(rows.open, rows.close)
    for k in np.flatnonzero(rows.high < rows.low):
        problem = f"is {float(rows.high[k])!r}, below the low of {float(rows.low[k])!r}"
        faults.append(Fault(int(k), int(rows.time_ms[k]), "high", problem))
    for k in np.flatnonzero((rows.high < top) & (rows.high >= rows.low)):
        problem = f"is {float(rows.high[k])!r}, below the open or close of {float(top[k])!r}"
        faults.append(Fault(int(k), int(rows.time_ms[k]), "high", problem))
    for k in np.flatnonzero((rows.low > bottom) & (rows.high >= rows.low)):
        problem = f"is {float(rows.low[k])!r}, above the open or close of {float(bottom[k])!r}"
        faults.append(Fault(int(k), int(rows.time_ms[k]), "low", problem))
    return faults


def move_faults(rows: BarRows) -> list[Fault]:
    """Moves of more than ``LARGEST_MOVE`` times between two bars, up or down; values are good."""
    close = rows.close
    ratio = close[1:] / close[:-1]
    wild = np.flatnonzero((ratio > LARGEST_MOVE) | (ratio < 1.0 / LARGEST_MOVE))
    return [
        Fault(
            int(k) + 1,
            int(rows.time_ms[k + 1]),
            "close",
            f"is {float(close[k + 1])!r} after {float(close[k])!r}, more than {LARGEST_MOVE:g} "
            "times: a redenomination needs an alias, anything else is a wrong price",
        )
        for k in wild
    ]


def bar_faults(rows: BarRows) -> list[Fault]:
    """All faults of sorted rows; moves are looked at only where every value is good."""
    faults = time_faults(rows.time_ms) + value_faults(rows)
    return faults or move_faults(rows)


def first_fault(symbol: str, rows: BarRows) -> str | None:
    """The earliest fault as one line, or None."""
    faults = bar_faults(rows)
    if not faults:
        return None
    fault = min(faults, key=lambda one: one.index)
    return f"{fault.column} of {symbol} at {iso(fault.time_ms)} {fault.problem}"


def good_rows(rows: BarRows) -> tuple[BarRows, list[Fault]]:
    """The rows without fault, and the faults; sorted, of a time given twice the last counts."""
    if _plainly_good(rows):
        return rows, []
    rows = rows.sorted()
    last = np.append(np.diff(rows.time_ms) != 0, True) if len(rows) else np.zeros(0, dtype=bool)
    rows = rows.take(last)
    faults = time_faults(rows.time_ms) + value_faults(rows)
    keep = np.ones(len(rows), dtype=bool)
    keep[[fault.index for fault in faults]] = False
    rows = rows.take(keep)
    wild = move_faults(rows)
    keep = np.ones(len(rows), dtype=bool)
    keep[[fault.index for fault in wild]] = False
    return rows.take(keep), faults + wild


def _plainly_good(rows: BarRows) -> bool:
    """Whether a short look finds them sorted and without any fault, as nearly always."""
    time_ms, top, bottom = rows.time_ms, rows.high, rows.low
    if not len(time_ms):
        return True
    # Nothing is true of NaN.
    return bool(
        time_ms[0] >= EARLIEST_MS
        and time_ms[-1] < LATEST_MS
        and (time_ms[1:] > time_ms[:-1]).all()
        and not (time_ms % HOUR_MS).any()
        and ((bottom > 0.0) & (top < np.inf)).all()
        and ((bottom <= rows.open) & (rows.open <= top)).all()
        and ((bottom <= rows.close) & (rows.close <= top)).all()
        and ((rows.volume >= 0.0) & (rows.volume < np.inf)).all()
        and not move_faults(rows)
    )


def missing_hours(time_ms: NDArray[np.int64], first_ms: int, end_ms: int) -> NDArray[np.int64]:
    """Opens of the hours with first_ms <= open < end_ms that ``time_ms`` lacks."""
    start_ms = -(-first_ms // HOUR_MS) * HOUR_MS
    grid = np.arange(start_ms, end_ms, HOUR_MS, dtype=np.int64)
    # Ticked off by position: a set difference would sort two months for every symbol and cycle.
    places, past_ms = np.divmod(time_ms - start_ms, HOUR_MS)
    there = np.zeros(len(grid), dtype=np.bool_)
    there[places[(past_ms == 0) & (places >= 0) & (places < len(grid))]] = True
    return grid[~there]


def runs_of_hours(hours_ms: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Sorted hour opens as runs (first open, end) of consecutive hours, end exclusive."""
    if not len(hours_ms):
        return []
    breaks = np.flatnonzero(np.diff(hours_ms) != HOUR_MS) + 1
    return [(int(run[0]), int(run[-1]) + HOUR_MS) for run in np.split(hours_ms, breaks)]
