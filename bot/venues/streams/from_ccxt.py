"""Unified structures of ccxt.pro, and some messages of Binance's that it passes over, as news."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from bot.trading.orders import OrderState, Side
from bot.trading.venue_closes import CloseKind, kind_of_client_id
from bot.venues.ccxt_market import number
from bot.venues.close_causes import cause_of
from bot.venues.streams.news import (
    MarginNews,
    MoneyNews,
    OrderNews,
    PositionNews,
    SettingsNews,
    StreamNews,
    TradeNews,
)
from bot.venues.wire_ids import own_id

_STATES: Final = {
    "closed": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}

_FORCED_TYPES: Final = {
    "liquidation": CloseKind.LIQUIDATION,
    "full_liquidation": CloseKind.LIQUIDATION,
    "partial_liquidation": CloseKind.LIQUIDATION,
    "adl": CloseKind.ADL,
    "delivery": CloseKind.SETTLEMENT,
}
"""Kinds of orders of Binance and OKX that no client can send."""

_CLIENT_IDS: Final = ("c", "orderLinkId", "clOrdId", "clientOid", "text", "cloid", "clientOrderId")
"""Under which name exchanges tell the client id of an execution."""

ContractSize = Callable[[str], Decimal]
Row = Mapping[str, Any]


def read_news(venue: str, row: Row, size: ContractSize, now_ms: int) -> StreamNews | None:
    """What a structure tells; None where it is none of ours, or cannot be read.

    A stream is news and no record: what cannot be read is left to REST. ``size`` gives base units
    of a contract; ``now_ms`` stands in for times that the exchange does not tell.
    """
    try:
        if "takerOrMaker" in row and row.get("id") is not None:
            return _trade(venue, row, size, now_ms)
        if "clientOrderId" in row and row.get("status") is not None:
            return _order(venue, row, size, now_ms)
        if "contracts" in row and "side" in row:
            return _position(row, size, now_ms)
        if isinstance(row.get("total"), Mapping):
            return _money(row, now_ms)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None
    return None


def read_extra(message: object, symbol_of: Callable[[str], str]) -> StreamNews | None:
    """Binance's changes of settings and margin calls, which ccxt does not read."""
    if not isinstance(message, Mapping):
        return None
    event_ms = int(number(message.get("E")) or 0)
    times = event_ms, int(number(message.get("T")) or event_ms)
    match message.get("e"):
        case "ACCOUNT_CONFIG_UPDATE":
            changed = message.get("ac")
            if isinstance(changed, Mapping) and changed.get("s"):
                symbol = symbol_of(str(changed["s"]))
                return SettingsNews(*times, symbol, "leverage", str(changed.get("l")))
            return SettingsNews(*times, "", "multi_assets", str(message.get("ai")))
        case "MARGIN_CALL":
            rows = message.get("p") or ()
            return MarginNews(*times, tuple(symbol_of(str(row.get("s"))) for row in rows))
    return None


def says_expired(message: object) -> bool:
    """The listen key of this connection has ended."""
    return isinstance(message, Mapping) and message.get("e") in (
        "listenKeyExpired",
        "eventStreamTerminated",
    )


def _order(venue: str, row: Row, size: ContractSize, now_ms: int) -> OrderNews:
    symbol, info = str(row["symbol"]), row.get("info") or {}
    filled = _decimal(row.get("filled") or 0) * size(symbol)
    client_id = own_id(venue, row.get("clientOrderId"))
    state = _STATES.get(str(row["status"]))
    if state is None:
        state = OrderState.PARTIAL if filled else OrderState.LIVE
    at_ms = _time(row, now_ms, "lastUpdateTimestamp", "lastTradeTimestamp", "timestamp")
    return OrderNews(
        at_ms,
        at_ms,
        symbol=symbol,
        client_id=client_id,
        venue_order_id=str(row.get("id") or ""),
        state=state,
        filled_quantity=filled,
        forced=_forced(venue, info, client_id),
    )


def _trade(venue: str, row: Row, size: ContractSize, now_ms: int) -> TradeNews:
    symbol, info = str(row["symbol"]), row.get("info") or {}
    at_ms = _time(row, now_ms, "timestamp")
    client_id = own_id(venue, _raw(info, *_CLIENT_IDS))
    return TradeNews(
        at_ms,
        at_ms,
        symbol=symbol,
        trade_id=str(row["id"]),
        client_id=client_id,
        venue_order_id=str(row.get("order") or ""),
        side=Side(str(row["side"])),
        quantity=_decimal(row["amount"]) * size(symbol),
        price=_decimal(row["price"]),
        forced=_forced(venue, info, client_id),
    )


def _position(row: Row, size: ContractSize, now_ms: int) -> PositionNews:
    symbol, side = str(row["symbol"]), str(row.get("side") or "")
    held = _decimal(row.get("contracts") or 0) * size(symbol)
    at_ms = _time(row, now_ms, "timestamp")
    leg = side.upper() if row.get("hedged") and side in ("long", "short") else "BOTH"
    return PositionNews(at_ms, at_ms, symbol, leg, -held if side == "short" else held)


def _money(row: Row, now_ms: int) -> MoneyNews:
    info = row.get("info")
    changed = info.get("a") if isinstance(info, Mapping) else None
    reason = str(changed.get("m") or "") if isinstance(changed, Mapping) else ""
    told_ms = number(info.get("T")) if isinstance(info, Mapping) else None
    at_ms = int(told_ms) if told_ms else _time(row, now_ms, "timestamp")
    totals = {k: v for k, v in row["total"].items() if k in ("USDT", "USDC") and v is not None}
    wallet = _decimal(next(iter(totals.values()))) if len(totals) == 1 else None
    return MoneyNews(at_ms, at_ms, reason, wallet)


def _raw(info: object, *names: str) -> object:
    """The exchange's own word, under the first of these names."""
    if not isinstance(info, Mapping):
        return None
    return next((info[name] for name in names if info.get(name)), None)


def _forced(venue: str, info: object, client_id: str) -> CloseKind | None:
    """Which part of the exchange sent an order; None for a client's."""
    told = cause_of(venue, info) if isinstance(info, Mapping) else ""
    type_ = str(_raw(info, "o", "category") or "").lower()
    return CloseKind(told) if told else _FORCED_TYPES.get(type_) or kind_of_client_id(client_id)


def _time(row: Row, now_ms: int, *names: str) -> int:
    found = (number(row.get(name)) for name in names)
    return int(next((one for one in found if one), now_ms))


def _decimal(value: object) -> Decimal:
    found = Decimal(str(value))
    if not found.is_finite():
        raise ValueError("not a finite number")
    return found
