"""Market data on their way into a folder: by symbol, checked, each time once."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bot.feeds.quality import BarRows, Fault, iso, time_faults, value_faults
from bot.feeds.recorded_files import FUNDING_HOURS, FundingRows
from risk.book import FloatArray
from risk.errors import DataError
from risk.returns import HOUR_MS


@dataclass(frozen=True, slots=True)
class InterestRows:
    """Open interest of one symbol, (K,) each, oldest first; base units."""

    time_ms: NDArray[np.int64]
    base: FloatArray


@dataclass(slots=True)
class Brought:
    """Bars, open interest and what a contract is by symbol, payments by venue and symbol."""

    bars: dict[str, BarRows] = field(default_factory=dict)
    payments: dict[tuple[str, str], FundingRows] = field(default_factory=dict)
    interest: dict[str, InterestRows] = field(default_factory=dict)
    contracts: dict[str, dict[str, float]] = field(default_factory=dict)

    def add_bars(self, symbol: str, rows: BarRows, where: str) -> None:
        """More bars of a symbol; of a time that is there the later ones count.

        A wild move is no fault here: who reads the folder knows of redenominations.

        Raises:
            DataError: the first fault, with ``where``, symbol and time.
        """
        one = latest(rows)
        _refuse(where, symbol, time_faults(one.time_ms) + value_faults(one))
        known = self.bars.get(symbol)
        self.bars[symbol] = latest(rows if known is None else _joined(known, rows))

    def add_payments(self, rows: FundingRows) -> None:
        """More payments, in the same way."""
        key = rows.venue, rows.symbol
        known = self.payments.get(key)
        columns = [
            np.concatenate([getattr(one, name) for one in (known, rows) if one is not None])
            for name in ("time_ms", "rate", "interval_hours")
        ]
        keep = last_of_each(columns[0])
        time_ms, rate, interval = (column[keep] for column in columns)
        self.payments[key] = FundingRows(*key, time_ms, rate, interval)

    def add_interest(self, symbol: str, rows: InterestRows) -> None:
        """More open interest, in the same way."""
        parts = [one for one in (self.interest.get(symbol), rows) if one is not None]
        time_ms = np.concatenate([one.time_ms for one in parts])
        base = np.concatenate([one.base for one in parts])
        keep = last_of_each(time_ms)
        self.interest[symbol] = InterestRows(time_ms[keep], base[keep])


def latest(rows: BarRows) -> BarRows:
    """Sorted; of rows of one time the last."""
    return rows.take(last_of_each(rows.time_ms))


def last_of_each(time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices that sort (K,) times; of equal ones the last that came."""
    order: NDArray[np.int64] = np.argsort(time_ms, kind="stable")
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = np.diff(time_ms[order]) != 0
    found: NDArray[np.int64] = order[last]
    return found


def intervals_of(time_ms: NDArray[np.int64], where: str) -> FloatArray:
    """(K,) hours that each payment settles: since the one before; of the first, until the next.

    After a gap it is the longest interval in use that the gap is a multiple of.

    Args:
        time_ms: (K,) sorted, each on a full hour.

    Raises:
        DataError: there is a single payment, so nobody knows its interval.
    """
    hours = np.diff(time_ms) / HOUR_MS
    if not len(hours):
        raise DataError(f"{where}: a single payment, of which nobody can tell the interval")
    usual = {float(one) for one in hours if one in FUNDING_HOURS} or {float(max(FUNDING_HOURS))}

    def fitting(gap: float) -> float:
        if gap in FUNDING_HOURS:
            return gap
        return max((one for one in usual if gap % one == 0), default=min(usual))

    return np.array([fitting(float(one)) for one in (hours[0], *hours)])


def _joined(one: BarRows, other: BarRows) -> BarRows:
    names = ("time_ms", "open", "high", "low", "close", "volume")
    return BarRows(*(np.concatenate([getattr(one, n), getattr(other, n)]) for n in names))


def _refuse(where: str, symbol: str, faults: list[Fault]) -> None:
    for fault in sorted(faults, key=lambda one: one.index):
        raise DataError(
            f"{where}: {fault.column} of {symbol} at {iso(fault.time_ms)} {fault.problem}"
        )


def differing(old: BarRows, new: BarRows) -> Iterator[int]:
    """Times at which both have a bar, and not the same one."""
    _, i, j = np.intersect1d(old.time_ms, new.time_ms, return_indices=True)
    names = ("open", "high", "low", "close", "volume")
    same = np.all([getattr(old, n)[i] == getattr(new, n)[j] for n in names], axis=0)
    yield from old.time_ms[i[~same]].tolist()
