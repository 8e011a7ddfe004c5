"""Everything that is wrong with a folder of recorded data, not only the first of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.feeds.quality import Fault, bar_faults, iso, missing_hours
from bot.feeds.recorded_files import (
    BARS_FILE,
    bars_as_they_stand,
    read_funding,
    read_instrument_rows,
    read_open_interest,
    since_renamed,
)
from bot.feeds.remarks import bar_gaps, disorder
from config.aliases import Aliases
from risk.errors import DataError, MissingDataError

FAULTS_TOLD = 20
"""Of one symbol; the number of the others is told."""


@dataclass(frozen=True, slots=True)
class SymbolBars:
    """What there is of one symbol, UTC milliseconds; nothing is known of the hours it lacks."""

    symbol: str
    first_ms: int
    last_ms: int
    bars: int
    missing: int


@dataclass(slots=True)
class Examined:
    """What a folder holds.

    Attributes:
        faults: what keeps it from being used, a line each.
        remarks: what was put in order or is missing, a line each.
        payments: how many, by venue and symbol.
    """

    symbols: list[SymbolBars] = field(default_factory=list)
    payments: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        bars = [
            {
                "symbol": one.symbol,
                "from": iso(one.first_ms),
                "to": iso(one.last_ms),
                "bars": one.bars,
                "missing_hours": one.missing,
            }
            for one in self.symbols
        ]
        return {
            "bars": bars,
            "payments": self.payments,
            "faults": self.faults,
            "remarks": self.remarks,
        }


def examined(folder: Path, aliases: Aliases | None) -> Examined:
    """Look at all four files.

    Of bars every fault is told, of the other files the first one.

    Raises:
        MissingDataError: there is no such folder.
    """
    if not folder.is_dir():
        raise MissingDataError(f"{folder}: no such folder")
    found = Examined()
    _try(found, lambda: _bars(found, folder / BARS_FILE, aliases))
    _try(found, lambda: _payments(found, folder))
    _try(found, lambda: read_instrument_rows(folder))
    _try(found, lambda: read_open_interest(folder, (), found.remarks.append))
    return found


def _try(found: Examined, read: Callable[[], object]) -> None:
    try:
        read()
    except DataError as error:
        found.faults.append(str(error))


def _bars(found: Examined, path: Path, aliases: Aliases | None) -> None:
    for symbol, rows in bars_as_they_stand(path).items():
        found.remarks += disorder(path, symbol, rows.time_ms)
        whole = since_renamed(symbol, rows.sorted(), aliases)
        faults = bar_faults(whole)
        found.faults += _told(path, symbol, faults)
        if faults:
            continue
        first_ms, last_ms = int(whole.time_ms[0]), int(whole.time_ms[-1])
        lost = len(missing_hours(whole.time_ms, first_ms, last_ms))
        found.remarks += bar_gaps(path, symbol, whole.time_ms)
        found.symbols.append(SymbolBars(symbol, first_ms, last_ms, len(whole), lost))


def _told(path: Path, symbol: str, faults: list[Fault]) -> list[str]:
    ordered = sorted(faults, key=lambda one: one.index)
    lines = [
        f"{path}: {one.column} of {symbol} at {iso(one.time_ms)} {one.problem}"
        for one in ordered[:FAULTS_TOLD]
    ]
    if len(ordered) > FAULTS_TOLD:
        last = iso(ordered[-1].time_ms)
        lines.append(f"{path}: {symbol} has {len(ordered) - FAULTS_TOLD} more, the last at {last}")
    return lines


def _payments(found: Examined, folder: Path) -> None:
    for one in read_funding(folder, found.remarks.append):
        found.payments[f"{one.venue} {one.symbol}"] = len(one.rate)
