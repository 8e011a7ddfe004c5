"""Writes market data into a folder of recorded data, beside what is there already."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bot.data.brought import Brought, InterestRows, differing
from bot.data.contracts import contract_table, contracts_path
from bot.errors import UsageError
from bot.feeds.quality import iso
from bot.feeds.recorded_files import (
    BARS_FILE,
    FUNDING_FILE,
    OPEN_INTEREST_FILE,
    bars_as_they_stand,
    read_funding,
    read_open_interest,
)
from bot.feeds.remarks import Tell, bar_gaps, nobody, payment_gaps

_TIME = pa.timestamp("ms", tz="UTC")


@dataclass(frozen=True, slots=True)
class Stored:
    """How many rows the folder has now, and how many of them are new."""

    bars: int
    new_bars: int
    payments: int
    new_payments: int
    interest: int
    new_interest: int
    contracts: int
    new_contracts: int


def store(folder: Path, brought: Brought, tell: Tell = nobody) -> Stored:
    """Put them into the folder's files, each file whole or not at all.

    Of a bar that was there already the new one counts, and where it differs this is told; so are
    the hours and payments that are missing then.

    Raises:
        DataError: a file that is there cannot be used.
        UsageError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        bars, new_bars = _bars(folder, brought, tell)
        payments, new_payments = _payments(folder, brought, tell)
        interest, new_interest = _interest(folder, brought)
        contracts, new_contracts = _contracts(folder, brought)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    return Stored(
        bars, new_bars, payments, new_payments, interest, new_interest, contracts, new_contracts
    )


def _bars(folder: Path, brought: Brought, tell: Tell) -> tuple[int, int]:
    path, whole = folder / BARS_FILE, Brought()
    before = 0
    if path.exists():
        for symbol, rows in bars_as_they_stand(path).items():
            before += len(rows)
            whole.add_bars(symbol, rows, str(path))
    if not brought.bars:
        return before, 0
    for symbol, rows in brought.bars.items():
        if symbol in whole.bars:
            changed = list(differing(whole.bars[symbol], rows))
            if changed:
                first = iso(changed[0])
                tell(f"{path}: {symbol}: {len(changed)} bars are other ones now, from {first} on")
        whole.add_bars(symbol, rows, str(path))
        for text in bar_gaps(path, symbol, whole.bars[symbol].time_ms):
            tell(text)
    names = ("open", "high", "low", "close", "volume")
    count = _write(
        path,
        whole.bars.keys(),
        [one.time_ms for one in whole.bars.values()],
        {name: [getattr(one, name) for one in whole.bars.values()] for name in names},
    )
    return count, count - before


def _payments(folder: Path, brought: Brought, tell: Tell) -> tuple[int, int]:
    path, whole = folder / FUNDING_FILE, Brought()
    for one in read_funding(folder) if path.exists() else ():
        whole.add_payments(one)
    before = sum(len(one.rate) for one in whole.payments.values())
    if not brought.payments:
        return before, 0
    for key, rows in brought.payments.items():
        whole.add_payments(rows)
        now = whole.payments[key]
        for text in payment_gaps(path, " ".join(key), now.time_ms, now.interval_hours):
            tell(text)
    rows_of = whole.payments.values()
    count = _write(
        path,
        [symbol for _, symbol in whole.payments],
        [one.time_ms for one in rows_of],
        {
            "rate": [one.rate for one in rows_of],
            "interval_hours": [one.interval_hours for one in rows_of],
        },
        venues=[venue for venue, _ in whole.payments],
    )
    return count, count - before


def _interest(folder: Path, brought: Brought) -> tuple[int, int]:
    path, whole = folder / OPEN_INTEREST_FILE, Brought()
    for symbol, one in read_open_interest(folder).items():
        whole.add_interest(symbol, InterestRows(one.time_ms, one.base))
    before = sum(len(one.base) for one in whole.interest.values())
    if not brought.interest:
        return before, 0
    for symbol, rows in brought.interest.items():
        whole.add_interest(symbol, rows)
    count = _write(
        path,
        whole.interest.keys(),
        [one.time_ms for one in whole.interest.values()],
        {"open_interest": [one.base for one in whole.interest.values()]},
    )
    return count, count - before


def _contracts(folder: Path, brought: Brought) -> tuple[int, int]:
    table, count, new = contract_table(folder, brought.contracts)
    if brought.contracts:
        _replace(contracts_path(folder), table)
    return count, new


def _write(
    path: Path,
    symbols: Iterable[str],
    times: list[NDArray[np.int64]],
    figures: Mapping[str, list[NDArray[np.float64]]],
    *,
    venues: list[str] | None = None,
) -> int:
    """By time, then by name; how many rows."""
    lengths = [len(one) for one in times]
    time_ms = np.concatenate(times)
    named: dict[str, NDArray[np.object_]] = {}
    if venues is not None:
        named["venue"] = np.repeat(np.array(venues, dtype=object), lengths)
    named["symbol"] = np.repeat(np.array(list(symbols), dtype=object), lengths)
    codes = [np.unique(one, return_inverse=True)[1] for one in reversed(named.values())]
    order = np.lexsort([*codes, time_ms])
    columns: dict[str, Any] = {"timestamp": pa.array(time_ms[order]).cast(_TIME)}
    columns |= {name: pa.array(one[order]).dictionary_encode() for name, one in named.items()}
    columns |= {name: pa.array(np.concatenate(one)[order]) for name, one in figures.items()}
    _replace(path, pa.table(columns))
    return len(order)


def _replace(path: Path, table: Any) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            pq.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o644)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
