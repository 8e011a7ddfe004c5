"""A book from a file of signed notionals, as of one moment of recorded data."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from bot.errors import UsageError
from bot.ports import Clock, Quote, ReportedPosition, SourceSnapshot
from bot.sources.file import is_unified_symbol
from bot.sources.json_file import is_number, parse_json, read_text, shown
from bot.sources.symbols import Mapped, SymbolMap
from risk.errors import DataError, MissingDataError

_LARGEST_USD = Decimal("1e12")


class BookSource:
    """``[{"symbol": "FET/USDT:USDT", "notional_usd": 10000}, …]``, signed, long positive."""

    def __init__(self, path: Path, clock: Clock, *, partial: bool = False) -> None:
        """Read the file.

        Args:
            partial: positions without a price are set aside with the reason, not refused.

        Raises:
            UsageError: it cannot be read.
            DataError: it is not such a list; one line naming row, field and value.
        """
        self._path = path
        self._clock = clock
        self._partial = partial
        self._notional_usd = notionals(path)
        self._positions: tuple[ReportedPosition, ...] = ()
        self._set_aside: dict[str, str] = {}
        self._called: dict[str, str] = {}

    @property
    def unmeasured(self) -> Mapping[str, tuple[float, str]]:
        """Notional, USD, and the reason, of each position that was set aside."""
        return {
            symbol: (float(self._notional_usd[symbol]), reason)
            for symbol, reason in self._set_aside.items()
        }

    def set_aside(self, reasons: Mapping[str, str]) -> bool:
        """Leave positions out of the book for these reasons, by the symbol in the data;
        others than the book's are passed over. False where none of them was in it."""
        known = {
            s: reasons[name]
            for s, usd in self._notional_usd.items()
            if usd and (name := self._called.get(s, s)) in reasons
        }
        self._set_aside |= known
        self._positions = tuple(p for p in self._positions if p.symbol not in self._set_aside)
        return bool(known)

    @property
    def name(self) -> str:
        """Of the source."""
        return "book"

    @property
    def max_age_ms(self) -> int:
        """It is never old: it is what was asked about."""
        return 1

    def price_with(self, quotes: Mapping[str, Quote], symbols: SymbolMap | None = None) -> None:
        """Turn notionals into quantities at these prices.

        Args:
            symbols: finds the price of a symbol that the data have under another name.

        Raises:
            MissingDataError: a symbol of the book has no price, and the book must be whole.
        """
        marks = {s: quote.mark for s, quote in quotes.items()}
        for symbol in self._notional_usd:
            found = None if symbols is None else symbols.find(None, symbol)
            if isinstance(found, Mapped) and found.symbol in quotes:
                self._called[symbol] = found.symbol
                marks[symbol] = quotes[found.symbol].mark * float(found.ratio)
        unpriced = [s for s in self._notional_usd if s not in marks and s not in self._set_aside]
        if self._partial:
            self.set_aside(dict.fromkeys(unpriced, "no price in the data at that time"))
        elif unpriced:
            raise MissingDataError(
                f"{self._path}: {unpriced[0]}: no price in the data at that time"
            )
        self._positions = tuple(
            ReportedPosition(symbol, usd / Decimal(repr(marks[symbol])))
            for symbol, usd in self._notional_usd.items()
            if usd and symbol not in self._set_aside
        )

    async def read(self) -> SourceSnapshot:
        """The book, as of now."""
        return SourceSnapshot(self.name, self._clock.now_ms(), self._positions)

    async def close(self) -> None:
        """Nothing is held open."""


def notionals(path: Path) -> dict[str, Decimal]:
    """The signed notionals of such a file, USD, by symbol.

    Raises:
        UsageError: it cannot be read.
        DataError: it is not such a list; one line naming row, field and value.
    """
    form = 'must be a list of {"symbol", "notional_usd"}'
    try:
        rows = parse_json(read_text(path), str(path))
    except OSError as error:
        raise UsageError(f"--book {path}: {error.strerror}") from error
    if not isinstance(rows, list):
        raise DataError(f"{path}: {form}")
    found: dict[str, Decimal] = {}
    for i, row in enumerate(rows):
        where = f"{path}: row {i}"
        if not isinstance(row, dict) or set(row) != {"symbol", "notional_usd"}:
            raise DataError(f"{where}: {shown(row)}: {form}")
        symbol, usd = row["symbol"], row["notional_usd"]
        if not isinstance(symbol, str) or not is_unified_symbol(symbol):
            raise DataError(f"{where}: symbol: {shown(symbol)}, must be like FET/USDT:USDT")
        if not is_number(usd) or not abs(Decimal(usd)) <= _LARGEST_USD:
            raise DataError(
                f"{where}: notional_usd: {shown(usd)}, must be a number of USD, below 0 if short"
            )
        if symbol in found:
            raise DataError(f"{where}: {symbol}: the same symbol twice")
        found[symbol] = Decimal(usd)
    return found
