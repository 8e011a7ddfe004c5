"""The four files of recorded market data, read and checked; every objection is one line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.feeds.parquet import Columns, read_columns, rows_by_text
from bot.feeds.quality import (
    BarRows,
    first_fault,
    is_linear_symbol,
    iso,
    move_faults,
    time_faults,
    value_faults,
)
from bot.feeds.remarks import Tell, bar_gaps, disorder, nobody, payment_gaps
from bot.feeds.series import OpenInterestSeries
from bot.feeds.tape import DAY_MS
from config.aliases import Aliases
from risk.book import FloatArray
from risk.errors import DataError
from risk.returns import HOUR_MS

BARS_FILE = "hourly.parquet"
FUNDING_FILE = "funding.parquet"
INSTRUMENTS_FILE = "instruments.parquet"
OPEN_INTEREST_FILE = "open_interest.parquet"
FUNDING_HOURS = (1, 2, 4, 8)
LARGEST_RATE = 0.05
STAMP_JITTER_MS = 60_000
_MAY_BE_KNOWN = ("min_quantity", "max_quantity")
_FIGURES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class FundingRows:
    """Payments of one venue's symbol, (K,) each, oldest first; rate a fraction per interval."""

    venue: str
    symbol: str
    time_ms: NDArray[np.int64]
    rate: FloatArray
    interval_hours: FloatArray


def read_bars(folder: Path, aliases: Aliases | None, tell: Tell = nobody) -> dict[str, BarRows]:
    """``hourly.parquet`` by symbol, sorted; rows out of order and missing hours are told.

    A move of more than ten times is a fault, unless ``aliases`` knows that the token was
    redenominated that day: then the symbol starts there, because prices are never spliced.

    Raises:
        DataError: the first fault, with file, column, symbol and UTC time.
    """
    path, bars = folder / BARS_FILE, {}
    for symbol, rows in bars_as_they_stand(path).items():
        for text in disorder(path, symbol, rows.time_ms):
            tell(text)
        one = bars[symbol] = _checked(path, symbol, rows.sorted(), aliases)
        for text in bar_gaps(path, symbol, one.time_ms):
            tell(text)
    return bars


def bars_as_they_stand(path: Path) -> dict[str, BarRows]:
    """Bars of a file by symbol, in the order of its rows, with whatever is wrong with them.

    Raises:
        DataError: it cannot be read, or a column or a symbol is not what it must be.
    """
    columns = read_columns(
        path,
        {
            "timestamp": "time",
            "symbol": "text",
            "open": "number",
            "high": "number",
            "low": "number",
            "close": "number",
            "volume": "number",
        },
        holes=_FIGURES,  # told below with their symbol and time
    )
    return {
        symbol: BarRows(columns["timestamp"][rows], *(columns[name][rows] for name in _FIGURES))
        for symbol, rows in _by_symbol(path, columns["symbol"]).items()
    }


def read_funding(folder: Path, tell: Tell = nobody) -> list[FundingRows]:
    """``funding.parquet`` by venue and symbol; times within a minute of a full hour are put on it.

    Raises:
        DataError: the first fault, with file, column, symbol and UTC time.
    """
    path = folder / FUNDING_FILE
    columns = read_columns(
        path,
        {
            "timestamp": "time",
            "venue": "text",
            "symbol": "text",
            "rate": "number",
            "interval_hours": "number",
        },
    )
    found = []
    for venue, of_venue in rows_by_text(columns["venue"]).items():
        for symbol, rows in _by_symbol(path, columns["symbol"][of_venue]).items():
            for text in disorder(path, f"{venue} {symbol}", columns["timestamp"][of_venue[rows]]):
                tell(text)
            one = _funding_rows(venue, symbol, columns, of_venue[rows])
            if problem := _funding_problem(one):
                raise DataError(f"{path}: {problem}")
            for text in payment_gaps(path, f"{venue} {symbol}", one.time_ms, one.interval_hours):
                tell(text)
            found.append(one)
    return found


def read_open_interest(
    folder: Path, symbols: Sequence[str] | None = None, tell: Tell = nobody
) -> dict[str, OpenInterestSeries]:
    """``open_interest.parquet`` (``timestamp``, ``symbol``, ``open_interest`` in base units), of
    the symbols asked for (None: of all); empty where there is no such file.

    Raises:
        DataError: the first fault, with file, column, symbol and UTC time.
    """
    path = folder / OPEN_INTEREST_FILE
    if not path.exists():
        return {}
    columns = read_columns(path, {"timestamp": "time", "symbol": "text", "open_interest": "number"})
    found = {}
    for symbol, rows in _by_symbol(path, columns["symbol"]).items():
        time_ms, base = columns["timestamp"][rows], columns["open_interest"][rows]
        for text in disorder(path, symbol, time_ms):
            tell(text)
        order = np.argsort(time_ms, kind="stable")
        time_ms, base = time_ms[order], base[order]
        bad = np.flatnonzero(~(np.isfinite(base) & (base >= 0.0)))
        if len(bad):
            raise DataError(
                f"{path}: open_interest of {symbol} at {iso(int(time_ms[bad[0]]))} is "
                f"{float(base[bad[0]])!r}, must be a number of at least 0"
            )
        twice = np.flatnonzero(np.diff(time_ms) == 0)
        if len(twice):
            raise DataError(
                f"{path}: timestamp of {symbol} at {iso(int(time_ms[twice[0]]))} is there twice"
            )
        if symbols is None or symbol in symbols:
            found[symbol] = OpenInterestSeries(time_ms, base)
    return found


def read_instrument_rows(folder: Path) -> dict[str, dict[str, float]]:
    """``instruments.parquet`` by symbol: the numbers of each row, ``listed_at`` as milliseconds
    (left out where not given, as are ``min_quantity`` and ``max_quantity``); empty where there is
    no such file.

    Raises:
        DataError: the first fault, with file, column and symbol.
    """
    path = folder / INSTRUMENTS_FILE
    if not path.exists():
        return {}
    numbers = ("tick", "lot", "min_notional", "maker_fee", "taker_fee", "funding_interval_hours")
    columns = read_columns(
        path,
        {"symbol": "text", **dict.fromkeys(numbers, "number")},
        {"listed_at": "time", **dict.fromkeys(_MAY_BE_KNOWN, "number")},
    )
    found: dict[str, dict[str, float]] = {}
    for row, symbol in enumerate(columns["symbol"].tolist()):
        if symbol in found:
            raise DataError(f"{path}: symbol {symbol} is there twice")
        facts = {name: float(columns[name][row]) for name in numbers}
        for name, value in facts.items():
            if allowed := _not_allowed(name, value):
                raise DataError(f"{path}: {name} of {symbol} is {value!r}, must be {allowed}")
        if "listed_at" in columns and columns["listed_at"][row] >= 0:
            facts["listed_at_ms"] = float(columns["listed_at"][row])
        facts |= _known(path, symbol, columns, row)
        found[symbol] = facts
    return found


def _known(path: Path, symbol: str, columns: Columns, row: int) -> dict[str, float]:
    """Of what a contract may have beside: the numbers that are given."""
    found = {}
    for name in _MAY_BE_KNOWN:
        value = float(columns[name][row]) if name in columns else math.nan
        if math.isnan(value):
            continue
        if not 0.0 < value < math.inf:
            raise DataError(f"{path}: {name} of {symbol} is {value!r}, must be a number above 0")
        found[name] = value
    return found


def _not_allowed(name: str, value: float) -> str | None:
    """What a number of an instrument must be, where ``value`` is not."""
    if name in ("tick", "lot"):
        return None if 0.0 < value < math.inf else "a number above 0"
    if name == "min_notional":
        return None if 0.0 <= value < math.inf else "a number of at least 0"
    if name == "funding_interval_hours":
        return None if value in FUNDING_HOURS else "1, 2, 4 or 8"
    return None if -0.01 <= value <= 0.01 else "a fraction from -0.01 to 0.01"


def _by_symbol(path: Path, values: NDArray[np.object_]) -> dict[str, NDArray[np.int64]]:
    """Indices of the rows of each symbol, in the order of their names."""
    found = rows_by_text(values)
    for symbol in found:
        if not is_linear_symbol(symbol):
            raise DataError(
                f"{path}: symbol {symbol!r} is not a linear perpetual, must be like FET/USDT:USDT"
            )
    return found


def _checked(path: Path, symbol: str, rows: BarRows, aliases: Aliases | None) -> BarRows:
    rows = since_renamed(symbol, rows, aliases)
    if problem := first_fault(symbol, rows):
        raise DataError(f"{path}: {problem}")
    return rows


def since_renamed(symbol: str, rows: BarRows, aliases: Aliases | None) -> BarRows:
    """The rows since the token was last redenominated, as far as the aliases know of it."""
    if aliases is not None and not time_faults(rows.time_ms) and not value_faults(rows):
        days = [
            np.datetime64(day, "ms").astype(np.int64)
            for day in aliases.breaks(symbol.partition("/")[0])
        ]
        known = [
            fault.index
            for fault in move_faults(rows)
            if any(abs(fault.time_ms - day) <= 2 * DAY_MS for day in days)
        ]
        if known:
            rows = rows.take(np.arange(known[-1], len(rows), dtype=np.int64))
    return rows


def _funding_rows(
    venue: str, symbol: str, columns: Columns, rows: NDArray[np.int64]
) -> FundingRows:
    time_ms = columns["timestamp"][rows]
    nearest = (time_ms + HOUR_MS // 2) // HOUR_MS * HOUR_MS
    time_ms = np.where(np.abs(time_ms - nearest) <= STAMP_JITTER_MS, nearest, time_ms)
    order = np.argsort(time_ms, kind="stable")
    return FundingRows(
        venue,
        symbol,
        time_ms[order],
        columns["rate"][rows][order],
        columns["interval_hours"][rows][order],
    )


def _funding_problem(rows: FundingRows) -> str | None:
    """The first fault as one line, or None."""
    who = f"{rows.venue} {rows.symbol}"
    if faults := time_faults(rows.time_ms):
        fault = min(faults, key=lambda one: one.index)
        return f"timestamp of {who} at {iso(fault.time_ms)} {fault.problem}"
    bad = np.flatnonzero(~(np.abs(rows.rate) <= LARGEST_RATE))
    if len(bad):
        return (
            f"rate of {who} at {iso(int(rows.time_ms[bad[0]]))} is {float(rows.rate[bad[0]])!r}, "
            f"must be a fraction from -{LARGEST_RATE:g} to {LARGEST_RATE:g} per interval"
        )
    bad = np.flatnonzero(~np.isin(rows.interval_hours, FUNDING_HOURS))
    if len(bad):
        return (
            f"interval_hours of {who} at {iso(int(rows.time_ms[bad[0]]))} is "
            f"{float(rows.interval_hours[bad[0]]):g}, must be 1, 2, 4 or 8"
        )
    return None
