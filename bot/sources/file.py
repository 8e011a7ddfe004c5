"""Positions from a JSON file that the bot, or its owner, keeps up to date."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.errors import UnreachableError
from bot.ports import ReportedPosition, SourceSnapshot
from bot.sources.json_file import is_number, parse_json, read_text, shown
from risk.errors import DataError, MissingDataError

_KEYS = {"symbol", "side", "base", "entry_price", "leverage"}
_LARGEST = Decimal("1e15")


class FileSource:
    """Reads ``positions.json`` anew each time; the file's own timestamp says how old it is."""

    def __init__(self, name: str, path: Path, max_age_ms: int, exchange: str | None = None) -> None:
        """``exchange``: ccxt's id of the bot's; None: that of the hedges."""
        self._name = name
        self._path = path
        self._max_age_ms = max_age_ms
        self._exchange = exchange

    @property
    def name(self) -> str:
        """As the config calls it."""
        return self._name

    @property
    def max_age_ms(self) -> int:
        """Older than this is stale."""
        return self._max_age_ms

    async def read(self) -> SourceSnapshot:
        """Positions as the file has them.

        Raises:
            UnreachableError: there is no such file, or it cannot be read.
            DataError: it is not what a positions file must be; the message names the field.
        """
        try:
            text = read_text(self._path)
            # Asked for afterwards: at worst what was read counts as the same as what is read next.
            written_ns = self._path.stat().st_mtime_ns
        except OSError as error:
            raise UnreachableError(
                f"source {self._name}: cannot read {self._path}: {error.strerror}"
            ) from error
        snapshot = parse_positions(text, str(self._path), self._name)
        edition = f"{snapshot.timestamp_ms} {written_ns}"
        return replace(snapshot, edition=edition, exchange=self._exchange)

    async def close(self) -> None:
        """Nothing is held open."""


def parse_positions(text: str, where: str, source: str) -> SourceSnapshot:
    """A positions document as a snapshot.

    Raises:
        DataError: one line naming ``where``, the field, its value and what is allowed.
    """
    document = parse_json(text, where)
    if not isinstance(document, dict):
        raise DataError(f'{where}: must be an object with "timestamp" and "positions"')
    _only(document, {"timestamp", "positions"}, where)
    rows = document.get("positions")
    if not isinstance(rows, list):
        raise MissingDataError(f"{where}: positions: missing, must be a list ([] when flat)")
    positions = tuple(_position(row, f"{where}: positions[{i}]") for i, row in enumerate(rows))
    _refuse_repeated(positions, where)
    return SourceSnapshot(
        source=source,
        timestamp_ms=_timestamp_ms(document.get("timestamp"), where),
        positions=tuple(p for p in positions if p.base_quantity != 0),
    )


def _only(row: Mapping[str, Any], allowed: set[str], where: str) -> None:
    unknown = sorted(set(row) - allowed)
    if unknown:
        raise DataError(
            f"{where}: {shown(unknown[0])}: unknown key, allowed: {', '.join(sorted(allowed))}"
        )


def _timestamp_ms(value: object, where: str) -> int:
    form = 'must be UTC like "2026-01-31T12:00:00Z"'
    if value is None:
        raise MissingDataError(f"{where}: timestamp: missing, {form}")
    if not isinstance(value, str):
        raise DataError(f"{where}: timestamp: {shown(value)}, {form}")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise DataError(f"{where}: timestamp: {shown(value)}, {form}") from error
    if moment.tzinfo is None:
        raise DataError(f"{where}: timestamp: {shown(value)} has no time zone, {form}")
    return round(moment.timestamp() * 1000)


def _position(row: object, where: str) -> ReportedPosition:
    if not isinstance(row, dict):
        raise DataError(f"{where}: must be an object with symbol, side and base")
    _only(row, _KEYS, where)
    symbol = row.get("symbol")
    if not isinstance(symbol, str) or not is_unified_symbol(symbol):
        raise DataError(f"{where}: symbol: {shown(symbol)}, must be like FET/USDT:USDT")
    side = row.get("side")
    if side not in ("long", "short"):
        raise DataError(f"{where}: side: {shown(side)}, must be long or short")
    base = _number(row.get("base"), f"{where}: base", "base units, at least 0, without a sign")
    if base < 0:
        raise DataError(
            f"{where}: base: {shown(base)}, must not be negative; side tells the direction"
        )
    return ReportedPosition(
        symbol=symbol,
        base_quantity=base if side == "long" else -base,
        entry_price=_optional(row, "entry_price", where),
        leverage=_optional(row, "leverage", where),
    )


def is_unified_symbol(text: str) -> bool:
    """Whether it has the form of ccxt's name of a perpetual: base, quote and settlement."""
    base, slash, rest = text.partition("/")
    quote, colon, settled = rest.partition(":")
    parts = (base, quote, settled)
    return bool(slash and colon) and all(p and p.isprintable() and " " not in p for p in parts)


def _number(value: object, where: str, allowed: str) -> Decimal:
    if not isinstance(value, int | Decimal) or not is_number(value):
        told = "missing" if value is None else shown(value)
        raise DataError(f"{where}: {told}, must be a number: {allowed}")
    number = Decimal(value)
    if not number.is_finite() or abs(number) > _LARGEST:
        raise DataError(f"{where}: {shown(value)}, must be finite and plausible: {allowed}")
    return number


def _optional(row: Mapping[str, Any], key: str, where: str) -> float | None:
    if row.get(key) is None:
        return None
    value = float(_number(row[key], f"{where}: {key}", "above 0"))
    if value <= 0:
        raise DataError(f"{where}: {key}: {shown(row[key])}, must be above 0")
    return value


def _refuse_repeated(positions: tuple[ReportedPosition, ...], where: str) -> None:
    seen: set[tuple[str, bool]] = set()
    for position in positions:
        key = (position.symbol, position.base_quantity >= 0)
        if key in seen:
            raise DataError(f"{where}: {position.symbol}: the same symbol and side twice")
        seen.add(key)
