"""What a bot held over time, from a file.

CSV or Parquet with the columns ``timestamp`` (UTC, ISO 8601 or milliseconds), ``symbol`` and
``quantity_base`` (base units, signed, long positive): what is held from then on, 0 once it is
closed. Or freqtrade's exported backtest result: each part of a trade is held from the first full
hour at or after its order was filled until the first at or after that of its exit.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bot.errors import UsageError
from bot.feeds.remarks import Tell, nobody
from bot.replay.changes import LARGEST_BASE, Change, at_hours
from bot.replay.freqtrade_trades import read_trades, unseen_remark
from bot.replay.holdings import Holdings
from risk.errors import DataError
from risk.instrument import Instrument

COLUMNS: Final = ("timestamp", "symbol", "quantity_base")


def read_holdings(
    path: Path,
    instruments: Mapping[str, Instrument],
    time_ms: NDArray[np.int64],
    tell: Tell = nobody,
) -> Holdings:
    """The bot's positions at these hours; ``tell`` is told what they do not show.

    Raises:
        UsageError: the file cannot be read.
        DataError: it holds something that cannot be used; one line naming file, row and value.
    """
    try:
        if path.suffix in (".json", ".zip"):
            trades = read_trades(path)
            remark = unseen_remark(path, trades, time_ms)
            if remark is not None:
                tell(remark)
            changes = sorted(change for one in trades for change in one.changes)
            return at_hours(changes, path, instruments, time_ms, adds=True)
        return at_hours(_table_changes(path), path, instruments, time_ms, adds=False)
    except OSError as error:
        raise UsageError(f"--positions {path}: {error.strerror or error}") from error


def _table_changes(path: Path) -> list[Change]:
    if path.suffix == ".parquet":
        try:
            table = pd.read_parquet(path)
        except (ValueError, OSError) as error:
            raise DataError(f"{path}: no Parquet file ({type(error).__name__})") from error
    elif path.suffix == ".csv":
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
        except (ValueError, pd.errors.ParserError) as error:
            raise DataError(f"{path}: no CSV file ({type(error).__name__})") from error
    else:
        raise UsageError(f"--positions {path}: must end in .csv, .parquet, .json or .zip")
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise DataError(f"{path}: column {missing[0]} is missing; needed are {', '.join(COLUMNS)}")
    rows = zip(*(table[name] for name in COLUMNS), strict=True)
    changes = [_change(f"{path}: row {i + 1}", *row) for i, row in enumerate(rows)]
    seen = set()
    for moment, symbol, _ in changes:
        if (moment, symbol) in seen:
            raise DataError(f"{path}: {symbol} at {_iso(moment)}: told twice")
        seen.add((moment, symbol))
    return sorted(changes)


def _change(where: str, timestamp: Any, symbol: Any, quantity: Any) -> Change:
    moment = _moment_ms(where, timestamp)
    try:
        base = float(quantity)
    except (TypeError, ValueError):
        base = float("nan")
    if not abs(base) <= LARGEST_BASE:
        raise DataError(f"{where}: quantity_base: {quantity}, must be a number of base units")
    return moment, str(symbol), base


def _moment_ms(where: str, timestamp: Any) -> int:
    try:
        if isinstance(timestamp, str) and timestamp.isdigit():
            return int(timestamp)
        if isinstance(timestamp, (int, np.integer)):
            return int(timestamp)
        moment = pd.Timestamp(timestamp)
        if pd.isna(moment):
            raise ValueError
    except (ValueError, TypeError):
        raise DataError(
            f"{where}: timestamp: {timestamp}, must be a time like 2025-06-01T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        raise DataError(f"{where}: timestamp: {timestamp}, has no time zone; add Z for UTC")
    return int(moment.timestamp() * 1000)


def _iso(moment_ms: int) -> str:
    return str(pd.Timestamp(moment_ms, unit="ms", tz="UTC").isoformat())
