"""What a bot held over time, from a file.

CSV or Parquet with the columns ``timestamp`` (UTC, ISO 8601 or milliseconds), ``symbol`` and
``quantity_base`` (base units, signed, long positive): what is held from then on, 0 once it is
closed. Or freqtrade's exported backtest result: each trade is held from the first full hour at or
after its opening until the first at or after its close.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bot.errors import UsageError
from bot.replay.holdings import Holdings
from risk.errors import DataError
from risk.instrument import Instrument
from risk.returns import HOUR_MS

COLUMNS: Final = ("timestamp", "symbol", "quantity_base")
_LARGEST_BASE: Final = 1e15
Change = tuple[int, str, float]


def read_holdings(
    path: Path, instruments: Mapping[str, Instrument], time_ms: NDArray[np.int64]
) -> Holdings:
    """The bot's positions at these hours.

    Raises:
        UsageError: the file cannot be read.
        DataError: it holds something that cannot be used; one line naming file, row and value.
    """
    try:
        if path.suffix in (".json", ".zip"):
            return _at_hours(_freqtrade_changes(path), path, instruments, time_ms, adds=True)
        return _at_hours(_table_changes(path), path, instruments, time_ms, adds=False)
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
    if not abs(base) <= _LARGEST_BASE:
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


def _freqtrade_changes(path: Path) -> list[Change]:
    """Plus at the opening, minus at the close."""
    strategies = _freqtrade_document(path).get("strategy")
    if not isinstance(strategies, dict) or len(strategies) != 1:
        raise DataError(f"{path}: strategy: must hold the trades of exactly one strategy")
    (result,) = strategies.values()
    trades = result.get("trades") if isinstance(result, dict) else None
    if not isinstance(trades, list):
        raise DataError(f"{path}: trades: missing, must be a list")
    changes: list[Change] = []
    for i, trade in enumerate(trades):
        where = f"{path}: trades[{i}]"
        try:
            amount = float(trade["amount"]) * (-1 if trade["is_short"] else 1)
            opened, closed = int(trade["open_timestamp"]), int(trade["close_timestamp"])
            symbol = str(trade["pair"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{where}: {error}: missing or unusable") from error
        if not (0 < abs(amount) <= _LARGEST_BASE and opened <= closed):
            raise DataError(f"{where}: amount {amount}, opened {opened}, closed {closed}")
        changes += [(opened, symbol, amount), (closed, symbol, -amount)]
    return sorted(changes)


def _freqtrade_document(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = [n for n in archive.namelist() if n == f"{path.stem}.json"]
                if not names:
                    raise DataError(f"{path}: holds no {path.stem}.json")
                text = archive.read(names[0]).decode()
        else:
            text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except (ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no backtest result of freqtrade ({error})") from error
    if not isinstance(document, dict):
        raise DataError(f"{path}: no backtest result of freqtrade")
    return document


def _at_hours(
    changes: Sequence[Change],
    path: Path,
    instruments: Mapping[str, Instrument],
    time_ms: NDArray[np.int64],
    *,
    adds: bool,
) -> Holdings:
    """What holds from the first full hour at or after each change on."""
    symbols = tuple(sorted({symbol for _, symbol, _ in changes}))
    for symbol in symbols:
        if symbol not in instruments:
            raise DataError(f"{path}: {symbol}: not in the data")
    column = {symbol: k for k, symbol in enumerate(symbols)}
    quantity = np.zeros((len(time_ms), len(symbols)))
    for moment, symbol, base in changes:
        row = max(0, -(-(moment - int(time_ms[0])) // HOUR_MS))
        held = quantity[row:, column[symbol]]
        if adds:
            held += base
        else:
            held[:] = base
    # Sums of floats leave dust where a trade is closed.
    largest = np.abs(quantity).max(axis=0, initial=0.0)
    quantity[np.abs(quantity) < 1e-9 * largest] = 0.0
    return Holdings(symbols, time_ms, quantity)


def _iso(moment_ms: int) -> str:
    return str(pd.Timestamp(moment_ms, unit="ms", tz="UTC").isoformat())
