"""freqtrade's folder of downloaded futures data: candles and funding rates, feather, parquet, JSON.

Files are ``FET_USDT_USDT-1h-futures.feather`` and ``FET_USDT_USDT-8h-funding_rate.feather``; of the
second the column ``open`` is the rate that was settled at ``date``.
"""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import feather

from bot.data.brought import Brought, intervals_of, last_of_each
from bot.feeds.quality import BarRows, iso
from bot.feeds.recorded_files import LARGEST_RATE, STAMP_JITTER_MS, FundingRows
from bot.feeds.remarks import Tell, nobody
from risk.book import FloatArray
from risk.errors import DataError, MissingDataError
from risk.returns import HOUR_MS

_NAME = re.compile(
    r"([^-]+)_([A-Z]+)_([A-Z]+)-(\w+)-(futures|funding_rate)\.(feather|parquet|json\.gz|json)"
)
_COLUMNS = ("open", "high", "low", "close", "volume")


def read_freqtrade(folder: Path, venue: str, tell: Tell = nobody) -> Brought:
    """Hourly candles and funding rates of a folder such as ``user_data/data/binance/futures``.

    Args:
        venue: whose funding this is, such as ``binance``.
        tell: told how many files were left alone.

    Raises:
        DataError: a file is damaged; with file, symbol and time.
        MissingDataError: there is no such folder, or nothing in it can be used.
    """
    if not folder.is_dir():
        raise MissingDataError(f"{folder}: no such folder")
    found, others = Brought(), list[Path]()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        named = _NAME.fullmatch(path.name)
        if named is None or (named[5] == "futures" and named[4] != "1h"):
            others.append(path)
            continue
        symbol = f"{named[1]}/{named[2]}:{named[3]}"
        time_ms, figures = _read(path, symbol)
        if named[5] == "futures":
            found.add_bars(symbol, BarRows(time_ms, *figures), str(path))
        else:
            found.add_payments(_payments(path, venue, symbol, time_ms, figures[0]))
    if others:
        tell(
            f"{folder}: {len(others)} files are of other kinds and left alone, as {others[0].name}"
        )
    if not (found.bars or found.payments):
        raise MissingDataError(
            f"{folder}: no file named like FET_USDT_USDT-1h-futures.feather; name the folder of "
            "futures data, such as user_data/data/binance/futures"
        )
    return found


def _payments(
    path: Path, venue: str, symbol: str, stamp_ms: NDArray[np.int64], rate: FloatArray
) -> FundingRows:
    time_ms = (stamp_ms + HOUR_MS // 2) // HOUR_MS * HOUR_MS
    off = np.flatnonzero(np.abs(stamp_ms - time_ms) > STAMP_JITTER_MS)
    if len(off):
        at = iso(int(stamp_ms[off[0]]))
        raise DataError(f"{path}: payment of {symbol} at {at} is not on a full hour")
    keep = last_of_each(time_ms)
    time_ms, rate = time_ms[keep], rate[keep]
    bad = np.flatnonzero(~(np.abs(rate) <= LARGEST_RATE))
    if len(bad):
        at = iso(int(time_ms[bad[0]]))
        raise DataError(
            f"{path}: rate of {symbol} at {at} is {float(rate[bad[0]])!r}, must be a fraction from "
            f"-{LARGEST_RATE:g} to {LARGEST_RATE:g}"
        )
    return FundingRows(venue, symbol, time_ms, rate, intervals_of(time_ms, f"{path}: {symbol}"))


def _read(path: Path, symbol: str) -> tuple[NDArray[np.int64], list[FloatArray]]:
    """Times in UTC milliseconds, and the five figures."""
    try:
        if path.name.endswith((".json", ".json.gz")):
            return _of_json(path)
        table = feather.read_table(path) if path.suffix == ".feather" else pq.read_table(path)
        return _of_table(path, table)
    except (pa.ArrowException, OSError, EOFError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path}: {symbol}: cannot be read: {reason}") from error


def _of_json(path: Path) -> tuple[NDArray[np.int64], list[FloatArray]]:
    data = path.read_bytes()
    rows = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    table = np.array(rows if isinstance(rows, list) else [], dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 6 or not len(table):
        raise DataError(f"{path}: must be a list of [time, open, high, low, close, volume]")
    return table[:, 0].astype(np.int64), [column.copy() for column in table[:, 1:].T]


def _of_table(path: Path, table: Any) -> tuple[NDArray[np.int64], list[FloatArray]]:
    lacking = [name for name in ("date", *_COLUMNS) if name not in table.column_names]
    if lacking:
        raise DataError(f"{path}: column {lacking[0]} is missing")
    if not table.num_rows:
        raise DataError(f"{path}: is empty, must hold at least one row")
    date = table.column("date")
    if not pa.types.is_timestamp(date.type) or date.type.tz is None:
        raise DataError(f"{path}: column date is {date.type}, must be a timestamp with time zone")
    time_ms = date.cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64())
    figures = [
        np.asarray(table.column(name).cast(pa.float64()).to_numpy(), dtype=np.float64)
        for name in _COLUMNS
    ]
    return np.asarray(time_ms.to_numpy(), dtype=np.int64), figures
