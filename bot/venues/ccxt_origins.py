"""Asks an exchange who made orders that are not ours, where its trades do not tell."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from bot.errors import UnreachableError, VenueError
from bot.trading.orders import Fill
from bot.trading.venue_closes import CloseKind, kind_of_client_id
from risk.errors import DataError

Rows = list[Mapping[str, Any]]
ReadRows = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Rows]]

_AUTO_CLOSE: Final = (("ADL", CloseKind.ADL), ("LIQUIDATION", CloseKind.LIQUIDATION))
_ORDERS_AT_MOST: Final = 20
_BEFORE_MS: Final = 60_000


async def binance_origins(
    exchange: Any, read_rows: ReadRows, symbol: str, trades: Sequence[Fill]
) -> dict[str, CloseKind]:
    """By the list of forced orders, and by the client ids of the orders that are not in it.

    Raises:
        UnreachableError, VenueError, DataError: the list cannot be read.
    """
    market_id = exchange.market(symbol)["id"]
    since_ms = max(1, min(one.timestamp_ms for one in trades) - _BEFORE_MS)
    found: dict[str, CloseKind] = {}
    for word, kind in _AUTO_CLOSE:
        request = {"symbol": market_id, "autoCloseType": word, "startTime": since_ms, "limit": 100}
        rows = await read_rows(
            "forced orders", partial(exchange.fapiprivate_get_forceorders, request)
        )
        found |= {str(row.get("orderId")): kind for row in rows}
    asked = sorted({one.venue_order_id for one in trades} - found.keys())[:_ORDERS_AT_MOST]
    for order_id in asked:
        kind_told = await _by_client_id(exchange, read_rows, symbol, order_id)
        if kind_told is not None:
            found[order_id] = kind_told
    return found


async def _by_client_id(
    exchange: Any, read_rows: ReadRows, symbol: str, order_id: str
) -> CloseKind | None:
    async def one() -> Any:
        return [await exchange.fetch_order(order_id, symbol)]

    try:
        (row,) = await read_rows(f"order {order_id}", one)
    except (UnreachableError, VenueError, DataError):
        return None  # an order that is not shown is nobody's that we know
    return kind_of_client_id(str(row.get("clientOrderId") or ""))
