"""What is noticed in recorded data and does not keep it from being used: one line each. Pure."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.feeds.quality import iso, missing_hours, runs_of_hours
from risk.returns import HOUR_MS

Tell = Callable[[str], None]
"""Takes one line for the owner of the data."""

_GAPS_TOLD = 3
_LATE = 1.5
"""A payment that comes after more than so many of its intervals: at least one is not there."""


def nobody(_: str) -> None:
    """Where nobody listens."""


def disorder(path: Path, who: str, time_ms: NDArray[np.int64]) -> Iterator[str]:
    """Rows that are older than the one before them, which are put in order; (K,) as they stand."""
    back = np.flatnonzero(np.diff(time_ms) < 0)
    if len(back):
        at = iso(int(time_ms[back[0] + 1]))
        yield f"{path}: {who} at {at} is older than the row before it; rows are put in order"


def bar_gaps(path: Path, who: str, time_ms: NDArray[np.int64]) -> Iterator[str]:
    """Hours without a bar between the first and the last, (K,) sorted; they stay unknown."""
    lost = missing_hours(time_ms, int(time_ms[0]), int(time_ms[-1]))
    runs = runs_of_hours(lost)
    for first_ms, end_ms in runs[:_GAPS_TOLD]:
        hours = (end_ms - first_ms) // HOUR_MS
        yield f"{path}: {who} has no bar from {iso(first_ms)} to {iso(end_ms)} ({hours} h)"
    if len(runs) > _GAPS_TOLD:
        told = sum((end - first) // HOUR_MS for first, end in runs[:_GAPS_TOLD])
        more, last = len(runs) - _GAPS_TOLD, iso(runs[-1][0])
        yield f"{path}: {who} has {more} more gaps, {len(lost) - told} h in all, the last at {last}"


def payment_gaps(
    path: Path, who: str, time_ms: NDArray[np.int64], interval_hours: NDArray[np.float64]
) -> Iterator[str]:
    """Payments that follow the one before later than their own interval, (K,) sorted."""
    late_ms = np.diff(time_ms) - interval_hours[1:] * HOUR_MS * _LATE
    rows = np.flatnonzero(late_ms > 0)
    for row in rows[:_GAPS_TOLD].tolist():
        first, last = iso(int(time_ms[row])), iso(int(time_ms[row + 1]))
        every = f"{interval_hours[row + 1]:g} h"
        yield f"{path}: {who} has no payment between {first} and {last}, one every {every}"
    if len(rows) > _GAPS_TOLD:
        last = iso(int(time_ms[rows[-1]]))
        yield f"{path}: {who} has {len(rows) - _GAPS_TOLD} more gaps, the last after {last}"
