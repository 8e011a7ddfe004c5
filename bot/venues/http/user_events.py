"""What a private stream says, in the protocol's words, of the events of one account."""

from typing import Final

from bot.venues.http.face import Face
from bot.venues.http.order_rows import side_of
from bot.venues.http.wire import Json, fixed, plain
from bot.venues.sim.events import (
    AccountChanged,
    AccountEvent,
    Execution,
    LeverageChanged,
    MarginCalled,
    OrderChanged,
    PositionNow,
    Stamp,
)
from bot.venues.sim.records import ZERO, MarginType

_ASSET: Final = "USDT"


def user_event(face: Face, event: AccountEvent) -> Json:
    """One message."""
    match event:
        case OrderChanged():
            return _timed("ORDER_TRADE_UPDATE", event.stamp) | {"o": _order(face, event)}
        case AccountChanged():
            return _timed("ACCOUNT_UPDATE", event.stamp) | {"a": _account(face, event)}
        case LeverageChanged():
            market_id = face.by_symbol(event.symbol).market_id
            setting = {"s": market_id, "l": event.leverage}
            return _timed("ACCOUNT_CONFIG_UPDATE", event.stamp) | {"ac": setting}
        case MarginCalled():
            return _margin_call(face, event)


def key_expired(key: str, now_ms: int) -> Json:
    """The last message of a private stream."""
    return {"e": "listenKeyExpired", "E": now_ms, "listenKey": key}


def _timed(name: str, stamp: Stamp) -> dict[str, Json]:
    return {"e": name, "E": stamp.event_ms, "T": stamp.transaction_ms}


def _order(face: Face, event: OrderChanged) -> dict[str, Json]:
    order, trade = event.order, event.trade
    one = face.by_symbol(order.symbol)
    forced = event.execution is Execution.CALCULATED
    type_ = "LIQUIDATION" if forced else order.type.value
    price, quantity = one.price_places, one.quantity_places
    row: dict[str, Json] = {
        "s": one.market_id,
        "c": order.client_id,
        "S": side_of(order.side),
        "o": type_,
        "f": order.time_in_force.value,
        "q": fixed(order.quantity, quantity),
        "p": fixed(order.price, price),
        "ap": fixed(order.average_price, max(5, price + 3)),
        "sp": "0",
        "x": event.execution.value,
        "X": order.status.value,
        "i": order.order_id,
        "l": fixed(ZERO if trade is None else trade.quantity, quantity),
        "z": fixed(order.filled_quantity, quantity),
        "L": fixed(ZERO if trade is None else trade.price, price),
        "T": event.stamp.transaction_ms,
        "t": 0 if trade is None else trade.trade_id,
        "b": "0",
        "a": "0",
        "m": trade is not None and trade.maker,
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": type_,
        "ps": order.position_side.value,
        "cp": False,
        "rp": fixed(ZERO if trade is None else trade.realised_pnl_usd, 8),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": order.self_trade_prevention.value,
        "pm": "NONE",
        "gtd": 0,
    }
    if trade is not None:  # a fee is told with an execution only
        row |= {"n": fixed(trade.fee_usd, 8), "N": one.instrument.quote}
    return row


def _account(face: Face, event: AccountChanged) -> dict[str, Json]:
    balance = {
        "a": _ASSET,
        "wb": fixed(event.wallet_usd, 8),
        "cw": fixed(event.cross_wallet_usd, 8),
        "bc": fixed(event.change_usd, 8),
    }
    return {
        "m": event.reason.value,
        "B": [balance],
        "P": [_position(face, leg) for leg in event.positions],
    }


def _position(face: Face, leg: PositionNow) -> dict[str, Json]:
    one = face.by_symbol(leg.symbol)
    return {
        "s": one.market_id,
        "pa": plain(leg.quantity),
        "ep": fixed(leg.entry_price, one.price_places + 4),
        "bep": fixed(leg.break_even_price, one.price_places + 4),
        "cr": fixed(leg.realised_usd, 8),
        "up": fixed(leg.unrealised_pnl_usd, 8),
        "mt": "isolated" if leg.margin_type is MarginType.ISOLATED else "cross",
        "iw": fixed(leg.isolated_wallet_usd, 8),
        "ps": leg.position_side.value,
    }


def _margin_call(face: Face, event: MarginCalled) -> dict[str, Json]:
    rows = [
        {
            "s": face.by_symbol(leg.symbol).market_id,
            "ps": leg.position_side.value,
            "pa": plain(leg.quantity),
            "mt": leg.margin_type.value,
            "iw": fixed(leg.isolated_wallet_usd, 8),
            "mp": fixed(leg.mark_price, 8),
            "up": fixed(leg.unrealised_pnl_usd, 8),
            "mm": fixed(leg.maintenance_margin_usd, 8),
        }
        for leg in event.positions
    ]
    document: dict[str, Json] = {"e": "MARGIN_CALL", "E": event.stamp.event_ms}
    if event.cross_wallet_usd is not None:
        document["cw"] = fixed(event.cross_wallet_usd, 8)
    return document | {"p": rows}
