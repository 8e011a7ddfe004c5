"""Orders and executions as the exchange writes them."""

from dataclasses import replace
from typing import Final

from bot.trading.orders import Side
from bot.venues.http.face import Listed
from bot.venues.http.wire import Json, fixed
from bot.venues.sim.records import ZERO, OrderStatus, SimOrder, SimTrade

LIQUIDATION_PREFIX: Final = "autoclose-"


def side_of(side: Side) -> str:
    """``BUY`` or ``SELL``."""
    return side.value.upper()


def order_row(one: Listed, order: SimOrder) -> dict[str, Json]:
    """One order, with the keys of every order endpoint; a plain order has no trigger."""
    quote_places = max(5, one.price_places + one.quantity_places)
    executed = fixed(order.filled_quantity, one.quantity_places)
    return {
        "orderId": order.order_id,
        "symbol": one.market_id,
        "pair": one.market_id,
        "status": order.status.value,
        "clientOrderId": order.client_id,
        "price": fixed(order.price, one.price_places),
        "avgPrice": fixed(order.average_price, max(5, one.price_places + 3)),
        "origQty": fixed(order.quantity, one.quantity_places),
        "executedQty": executed,
        "cumQty": executed,
        "cumBase": executed,
        "cumQuote": fixed(order.filled_quote_usd, quote_places),
        "timeInForce": order.time_in_force.value,
        "type": order.type.value,
        "origType": order.type.value,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": side_of(order.side),
        "positionSide": order.position_side.value,
        "stopPrice": fixed(ZERO, one.price_places),
        "activatePrice": fixed(ZERO, one.price_places),
        "priceRate": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": order.self_trade_prevention.value,
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def as_accepted(order: SimOrder) -> SimOrder:
    """The order before it was matched: what an acknowledgement without result shows."""
    return replace(
        order,
        status=OrderStatus.NEW,
        filled_quantity=ZERO,
        filled_quote_usd=ZERO,
        updated_ms=order.created_ms,
    )


def trade_row(one: Listed, trade: SimTrade) -> dict[str, Json]:
    """One execution."""
    quantity = fixed(trade.quantity, one.quantity_places)
    return {
        "symbol": one.market_id,
        "pair": one.market_id,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "side": side_of(trade.side),
        "price": fixed(trade.price, one.price_places),
        "qty": quantity,
        "baseQty": quantity,
        "realizedPnl": fixed(trade.realised_pnl_usd, 8),
        "marginAsset": one.instrument.quote,
        "quoteQty": fixed(trade.quote_usd, 8),
        "commission": fixed(trade.fee_usd, 8),
        "commissionAsset": one.instrument.quote,
        "time": trade.timestamp_ms,
        "positionSide": trade.position_side.value,
        "buyer": trade.side is Side.BUY,
        "maker": trade.maker,
    }
