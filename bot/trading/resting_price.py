"""Where an order rests, and when it has lost its place. Pure."""

import math
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from bot.ports import Quote
from bot.trading.client_ids import derive_client_id
from bot.trading.orders import OrderRequest, Side
from bot.trading.planner import PlannedOrder
from risk.instrument import Instrument

POST_ONLY = "GTX"
WOULD_TAKE = frozenset({"-5022", "BadAloPx", "ORDER_POC_IMMEDIATE", "POC_FILL_IMMEDIATELY"})
"""Codes by which exchanges refuse a post-only order that would have taken: the price is stale.

Bybit, OKX and Bitget take such an order and cancel it at once instead.
"""


def resting_price(side: Side, quote: Quote, tick: Decimal, collar: Decimal) -> Decimal | None:
    """The best price of the order's own side, on the tick away from the market.

    None: the quote is not usable, or that price lies outside the collar around the mark.
    """
    prices = (quote.mark, quote.bid, quote.ask)
    if not all(math.isfinite(p) and p > 0 for p in prices) or quote.bid >= quote.ask:
        return None
    touch, rounding = (quote.bid, ROUND_FLOOR) if side is Side.BUY else (quote.ask, ROUND_CEILING)
    price = (_decimal(touch) / tick).to_integral_value(rounding) * tick
    mark = _decimal(quote.mark)
    return price if price > 0 and abs(price - mark) <= mark * collar else None


def lost_its_place(order: OrderRequest, best: Decimal | None) -> bool:
    """Others offer a better price than the order does, or its side has no usable price."""
    return best is None or order.side.sign * (best - order.limit_price) > 0


def too_small(
    instrument: Instrument, quantity: Decimal, price: Decimal, *, reduce_only: bool
) -> bool:
    """The venue would refuse what is left; from which a close is free."""
    if reduce_only:
        return quantity <= 0
    return quantity < instrument.min_quantity or quantity * price < instrument.min_notional_usd


def attempt_of(
    planned: PlannedOrder,
    attempt: int,
    *,
    account: str,
    install_key: bytes,
    quantity: Decimal,
    price: Decimal,
    time_in_force: str,
) -> PlannedOrder:
    """The planned order once more, under an id of its own."""
    request = planned.request
    client_id = derive_client_id(
        install_key,
        account=account,
        symbol=request.symbol,
        intent_id=request.intent_id,
        leg=planned.leg,
        attempt=attempt,
    )
    again = replace(
        request,
        client_id=client_id,
        quantity=quantity,
        limit_price=price,
        time_in_force=time_in_force,
    )
    return PlannedOrder(again, planned.leg, attempt)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(float(value)))
