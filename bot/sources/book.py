"""A book from a file of signed notionals, as of one moment of recorded data."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from bot.errors import UnreachableError
from bot.ports import Clock, Quote, ReportedPosition, SourceSnapshot
from risk.errors import DataError, MissingDataError


class BookSource:
    """``[{"symbol": "FET/USDT:USDT", "notional_usd": 10000}, …]``, signed, long positive."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Read the file.

        Raises:
            UnreachableError: it cannot be read.
            DataError: it is not such a list; one line naming row, field and value.
        """
        self._path = path
        self._clock = clock
        self._notional_usd = _notionals(path)
        self._positions: tuple[ReportedPosition, ...] = ()

    @property
    def name(self) -> str:
        """Of the source."""
        return "book"

    @property
    def max_age_ms(self) -> int:
        """It is never old: it is what was asked about."""
        return 1

    def price_with(self, quotes: Mapping[str, Quote]) -> None:
        """Turn notionals into quantities at these prices.

        Raises:
            MissingDataError: a symbol of the book has no price.
        """
        unpriced = [symbol for symbol in self._notional_usd if symbol not in quotes]
        if unpriced:
            raise MissingDataError(
                f"{self._path}: {unpriced[0]}: no price in the data at that time"
            )
        self._positions = tuple(
            ReportedPosition(symbol, Decimal(repr(usd)) / Decimal(repr(quotes[symbol].mark)))
            for symbol, usd in self._notional_usd.items()
            if usd
        )

    async def read(self) -> SourceSnapshot:
        """The book, as of now."""
        return SourceSnapshot(self.name, self._clock.now_ms(), self._positions)

    async def close(self) -> None:
        """Nothing is held open."""


def _notionals(path: Path) -> dict[str, float]:
    form = 'must be a list of {"symbol", "notional_usd"}'
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreachableError(f"--book {path}: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(rows, list):
        raise DataError(f"{path}: {form}")
    found: dict[str, float] = {}
    for i, row in enumerate(rows):
        where = f"{path}: row {i}"
        if not isinstance(row, dict) or set(row) != {"symbol", "notional_usd"}:
            raise DataError(f"{where}: {form}")
        symbol, usd = row["symbol"], row["notional_usd"]
        if not isinstance(symbol, str) or ":" not in symbol:
            raise DataError(f"{where}: symbol: {symbol!r}, must be like FET/USDT:USDT")
        if isinstance(usd, bool) or not isinstance(usd, int | float) or not math.isfinite(usd):
            raise DataError(f"{where}: notional_usd: {usd!r}, must be a finite number")
        if symbol in found:
            raise DataError(f"{where}: {symbol}: the same symbol twice")
        found[symbol] = float(usd)
    return found
