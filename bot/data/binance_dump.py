"""Binance's public dumps of USD-M futures: klines, funding rates and metrics, as CSV or zipped.

Files are known by their names: ``BTCUSDT-1h-2025-02.zip``, ``BTCUSDT-fundingRate-2025-02.zip``,
``BTCUSDT-metrics-2025-02-01.zip``; the same with ``.csv``. Klines may begin with a line of names
or not, and tell times in milliseconds or, in newer dumps, microseconds.
"""

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bot.data.brought import Brought, InterestRows
from bot.feeds.quality import BarRows, iso
from bot.feeds.recorded_files import FUNDING_HOURS, LARGEST_RATE, STAMP_JITTER_MS, FundingRows
from bot.feeds.remarks import Tell, nobody
from risk.errors import DataError, MissingDataError
from risk.returns import HOUR_MS

VENUE = "binance"
_NAME = re.compile(r"([A-Z0-9]+)-(1h|fundingRate|metrics)-(\d{4}-\d\d(?:-\d\d)?)\.(?:zip|csv)")
_QUOTES = ("USDT", "USDC")
_OTHER_FOLDERS = frozenset(
    {"spot", "cm", "markPriceKlines", "indexPriceKlines", "premiumIndexKlines"}
)
"""Of a dump that was mirrored whole; what they hold has the same names."""

_LARGEST_BYTES = 256 << 20
_FIRST_MICROSECONDS = 10**14
_Row = list[str]


def read_dump(folder: Path, tell: Tell = nobody) -> Brought:
    """Every file below the folder that can be used.

    Args:
        tell: told how many files were left alone, and why.

    Raises:
        DataError: a file is damaged, or its checksum (``NAME.CHECKSUM``, where there is one) is
            another; with file, symbol and time.
        MissingDataError: there is no such folder, or nothing in it can be used.
    """
    if not folder.is_dir():
        raise MissingDataError(f"{folder}: no such folder")
    found, others = Brought(), list[Path]()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        named = _NAME.fullmatch(path.name)
        symbol = None if named is None else unified(named[1])
        elsewhere = not _OTHER_FOLDERS.isdisjoint(path.relative_to(folder).parts)
        if path.name.endswith(".CHECKSUM"):
            continue
        if named is None or symbol is None or elsewhere:
            others.append(path)
            continue
        _READERS[named[2]](path, symbol, found)
    if others:
        tell(
            f"{folder}: {len(others)} files are of other kinds and left alone, as {others[0].name}"
        )
    if not (found.bars or found.payments or found.interest):
        raise MissingDataError(
            f"{folder}: no file named like BTCUSDT-1h-2025-02.zip, BTCUSDT-fundingRate-2025-02.zip "
            "or BTCUSDT-metrics-2025-02-01.zip"
        )
    return found


def unified(market: str) -> str | None:
    """``BTC/USDT:USDT`` of ``BTCUSDT``; None of what is no linear perpetual in dollars."""
    for quote in _QUOTES:
        if market.endswith(quote) and len(market) > len(quote):
            return f"{market.removesuffix(quote)}/{quote}:{quote}"
    return None


def _klines(path: Path, symbol: str, found: Brought) -> None:
    rows = [_numbers(path, symbol, row, (0, 1, 2, 3, 4, 5)) for row in _rows(path)]
    if not rows:
        raise DataError(f"{path}: {symbol}: is empty, must hold at least one row")
    table = np.array(rows)
    time_ms = table[:, 0].astype(np.int64)
    time_ms = np.where(time_ms >= _FIRST_MICROSECONDS, time_ms // 1000, time_ms)
    found.add_bars(symbol, BarRows(time_ms, *table[:, 1:].T.copy()), str(path))


def _funding(path: Path, symbol: str, found: Brought) -> None:
    rows = [_numbers(path, symbol, row, (0, 1, 2)) for row in _rows(path)]
    if not rows:
        raise DataError(f"{path}: {symbol}: is empty, must hold at least one row")
    table = np.array(rows)
    stamp = table[:, 0].astype(np.int64)
    time_ms = (stamp + HOUR_MS // 2) // HOUR_MS * HOUR_MS
    for row, (at_ms, full_ms, hours, rate) in enumerate(
        zip(stamp.tolist(), time_ms.tolist(), *table[:, 1:].T.tolist(), strict=True)
    ):
        where = f"{path}: row {row + 1} of {symbol} at {iso(at_ms)}"
        if abs(at_ms - full_ms) > STAMP_JITTER_MS:
            raise DataError(f"{where} is not on a full hour")
        if hours not in FUNDING_HOURS:
            raise DataError(f"{where}: interval is {hours:g} h, must be 1, 2, 4 or 8")
        if not abs(rate) <= LARGEST_RATE:
            raise DataError(f"{where}: rate is {rate!r}, must be within {LARGEST_RATE:g}")
    found.add_payments(FundingRows(VENUE, symbol, time_ms, table[:, 2].copy(), table[:, 1].copy()))


def _metrics(path: Path, symbol: str, found: Brought) -> None:
    """Every five minutes in the dump; those of full hours are kept."""
    times, base = [], []
    for row in _rows(path):
        if len(row) < 3:
            raise DataError(f"{path}: {symbol}: a row of {len(row)} columns, must have at least 3")
        at_ms = _utc_ms(path, symbol, row[0])
        if at_ms % HOUR_MS:
            continue
        [value] = _numbers(path, symbol, row, (2,))
        if not 0.0 <= value < np.inf:
            raise DataError(
                f"{path}: open interest of {symbol} at {iso(at_ms)} is {value!r}, must be a number "
                "of at least 0"
            )
        times.append(at_ms)
        base.append(value)
    found.add_interest(symbol, InterestRows(np.array(times, dtype=np.int64), np.array(base)))


_READERS: dict[str, Callable[[Path, str, Brought], None]] = {
    "1h": _klines,
    "fundingRate": _funding,
    "metrics": _metrics,
}


def _rows(path: Path) -> Iterator[_Row]:
    """Without the line of names, and without empty lines."""
    for row in csv.reader(io.StringIO(_text(path))):
        if row and row[0][:1].isdigit():
            yield row


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        _require_sum(path, data)
        return (_unzipped(path, data) if path.suffix == ".zip" else data).decode()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no text") from error


def _require_sum(path: Path, data: bytes) -> None:
    beside = path.with_name(f"{path.name}.CHECKSUM")
    if not beside.exists():
        return
    told = beside.read_text(encoding="utf-8").split()
    if not told or told[0].lower() != hashlib.sha256(data).hexdigest():
        raise DataError(f"{path}: is not what {beside.name} says, so it is damaged: get it again")


def _unzipped(path: Path, data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            [inside] = [one for one in archive.infolist() if one.filename.endswith(".csv")]
            if inside.file_size > _LARGEST_BYTES:
                raise DataError(f"{path}: {inside.filename} is larger than {_LARGEST_BYTES} bytes")
            return archive.read(inside)
    except ValueError as error:
        raise DataError(f"{path}: must hold one .csv file") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError) as error:
        raise DataError(f"{path}: cannot be unzipped: {error}") from error


def _numbers(path: Path, symbol: str, row: _Row, columns: tuple[int, ...]) -> list[float]:
    try:
        return [float(row[column]) for column in columns]
    except IndexError:
        least = max(columns) + 1
        raise DataError(
            f"{path}: {symbol}: row {','.join(row)[:60]} has {len(row)} columns, must have {least}"
        ) from None
    except ValueError:
        raise DataError(f"{path}: {symbol}: row {','.join(row)[:60]} holds no numbers") from None


def _utc_ms(path: Path, symbol: str, text: str) -> int:
    try:
        at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise DataError(
            f"{path}: {symbol}: time {text[:40]!r} is not YYYY-MM-DD hh:mm:ss"
        ) from None
    return int(at.timestamp()) * 1000
