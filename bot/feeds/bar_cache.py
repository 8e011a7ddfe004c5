"""Closed hourly bars of one exchange on disk, one Parquet file a symbol."""

import contextlib
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bot.feeds.parquet import read_columns
from bot.feeds.quality import BarRows, first_fault
from bot.logs import Logger
from risk.errors import DataError

_COLUMNS = ("open", "high", "low", "close", "volume")
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")


class BarCache:
    """Files are replaced whole, so a crash leaves the old one; one that cannot be read is set
    aside under another name and forgotten."""

    def __init__(self, folder: Path, exchange_id: str, log: Logger) -> None:
        self._folder = folder / "bars" / _UNSAFE.sub("-", exchange_id)
        self._log = log

    def load(self, symbol: str) -> BarRows | None:
        """Bars of a symbol, oldest first; None where there are none that can be trusted."""
        path = self._path(symbol)
        if not path.exists():
            return None
        try:
            columns = read_columns(path, {"timestamp": "time", **dict.fromkeys(_COLUMNS, "number")})
            rows = BarRows(columns["timestamp"], *(columns[name] for name in _COLUMNS))
            problem = first_fault(symbol, rows)
            if problem is None and np.any(np.diff(rows.time_ms) <= 0):
                problem = "rows are out of order"
        except DataError as error:
            problem = str(error)
        if problem is None:
            return rows
        self.set_aside(symbol, problem)
        return None

    def save(self, symbol: str, rows: BarRows) -> None:
        """Replace the bars of a symbol. A full or read-only disk costs the cache, not the run."""
        path = self._path(symbol)
        table = pa.table(
            {
                "timestamp": pa.array(rows.time_ms, type=pa.timestamp("ms", tz="UTC")),
                **{name: pa.array(getattr(rows, name)) for name in _COLUMNS},
            }
        )
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, draft)
            draft.replace(path)
        except OSError as error:
            self._log.warning("bar_cache_not_written", symbol=symbol, reason=str(error))
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    def set_aside(self, symbol: str, reason: str) -> None:
        """Keep the file for a look under another name; it is not read again."""
        path = self._path(symbol)
        aside = path.with_name(f"{path.name}.unusable")
        try:
            path.replace(aside)
        except OSError as error:
            reason = f"{reason}; and it cannot be renamed: {error}"
        self._log.warning("bar_cache_set_aside", symbol=symbol, file=str(aside), reason=reason)

    def _path(self, symbol: str) -> Path:
        return self._folder / f"{_UNSAFE.sub('-', symbol)}.parquet"
