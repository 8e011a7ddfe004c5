"""Asking an exchange for one order by its client id."""

from collections.abc import Mapping
from typing import Any, Final

NO_SUCH_ORDER: Final = "no such order"
"""Stands for the order where the exchange says that there is none without an error."""

_BYBIT_LISTS: Final = ("private_get_v5_order_realtime", "private_get_v5_order_history")


async def fetch_by_client_id(exchange: Any, symbol: str, wire_id: str) -> Any:
    """ccxt's order, or ``NO_SUCH_ORDER``; raises what ccxt raises, and ValueError on nonsense."""
    if exchange.id == "bybit":
        return await _fetch_from_lists(exchange, symbol, wire_id)
    return await exchange.fetch_order("", symbol, {"clientOrderId": wire_id})


async def _fetch_from_lists(exchange: Any, symbol: str, wire_id: str) -> Any:
    """Bybit, which ccxt asks by its own ids only: what is open or recent, then the history."""
    market = exchange.market(symbol)
    request = {"category": "linear", "symbol": market["id"], "orderLinkId": wire_id}
    for name in _BYBIT_LISTS:
        rows = _rows(await getattr(exchange, name)(request))
        found = [row for row in rows if row.get("orderLinkId") == wire_id]
        if len(found) > 1:
            raise ValueError("one client id, several orders")
        if found:
            return exchange.parse_order(found[0], market)
    return NO_SUCH_ORDER


def _rows(reply: Any) -> list[Mapping[str, Any]]:
    """The list in a reply, which must be there: an empty one says that there is no such order."""
    result = reply.get("result") if isinstance(reply, dict) else None
    rows = result.get("list") if isinstance(result, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("no list of orders")
    return rows
