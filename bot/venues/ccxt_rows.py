"""Spares ccxt reading rows that nobody asked for, and what nobody asks of a row.

Asked for the tickers of some symbols, an exchange tells all that it lists, and ccxt turns each of
hundreds of rows into a document before it throws most of them away. Of a level of a book it reads
counts and ids as well, field by field.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

_ID_KEYS: Final = ("symbol", "instId", "contract", "name", "coin")
"""Under which exchanges name the market of a row."""
_READERS: Final = ("parse_tickers", "parse_funding_rates")


def read_only_wanted(exchange: Any) -> None:
    """From now on rows of markets that were not asked for are dropped before they are read."""
    for name in _READERS:
        setattr(exchange, name, _sparing(exchange, getattr(exchange, name)))
    exchange.parse_order_book_bids_asks = _levels_by(exchange.parse_order_book_bids_asks)


def _levels_by(read: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Price and amount of each level; ccxt's own way where one of them is no number."""

    def levels(rows: Any, price_key: Any = 0, amount_key: Any = 1, *rest: Any) -> list[Any]:
        if not isinstance(rows, list):
            return read(rows, price_key, amount_key, *rest)
        try:
            return [[float(row[price_key]), float(row[amount_key])] for row in rows]
        except (TypeError, ValueError, LookupError):
            return read(rows, price_key, amount_key, *rest)

    return levels


def _sparing(exchange: Any, read: Callable[..., Any]) -> Callable[..., Any]:
    def sparing(rows: Any, symbols: Any = None, *rest: Any, **more: Any) -> Any:
        if symbols and isinstance(rows, list):
            rows = wanted_rows(rows, _ids(exchange, symbols), exchange.markets_by_id or {})
        return read(rows, symbols, *rest, **more)

    return sparing


def _ids(exchange: Any, symbols: Sequence[str]) -> frozenset[str]:
    markets = exchange.markets or {}
    return frozenset(str(markets[symbol]["id"]) for symbol in symbols if symbol in markets)


def wanted_rows(rows: list[Any], ids: frozenset[str], listed: Mapping[str, Any]) -> list[Any]:
    """Without those of another listed market; a row that names none that is known stays."""
    return [row for row in rows if (found := _market_id(row, listed)) is None or found in ids]


def _market_id(row: Any, listed: Mapping[str, Any]) -> str | None:
    if not isinstance(row, dict):
        return None
    for key in _ID_KEYS:
        name = row.get(key)
        if isinstance(name, str) and name in listed:
            return name
    return None
