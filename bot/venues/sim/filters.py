"""Binance's order filters: price and quantity steps, bounds, minimum notional, price band."""

import re
from dataclasses import dataclass
from decimal import Decimal

from bot.trading.orders import Side
from bot.venues.sim.errors import Code, VenueReject, reject
from bot.venues.sim.records import NewOrder, OrderType
from bot.venues.sim.settings import ExchangeSettings
from risk.instrument import Instrument

CLIENT_ID = re.compile(r"[.A-Za-z0-9:/_-]{1,36}")
_STEPS_TO_MAXIMUM = Decimal(10) ** 10


@dataclass(frozen=True, slots=True)
class SymbolFilters:
    """Filters of one symbol, as the exchange publishes them.

    Attributes:
        tick, min_price, max_price: quote units (PRICE_FILTER).
        step, min_quantity, max_quantity: base units (LOT_SIZE and MARKET_LOT_SIZE).
        min_notional_usd: of orders that are not reduce-only (MIN_NOTIONAL).
        multiplier_up, multiplier_down: of mark, for limit prices (PERCENT_PRICE).
        max_orders: open orders per account (MAX_NUM_ORDERS).
        market_take_bound: how far from mark a market order may reach, a fraction.
        liquidation_fee: a fraction of notional.
    """

    tick: Decimal
    min_price: Decimal
    max_price: Decimal
    step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional_usd: Decimal
    multiplier_up: Decimal
    multiplier_down: Decimal
    max_orders: int
    market_take_bound: Decimal
    liquidation_fee: Decimal

    @property
    def price_decimals(self) -> int:
        """Decimal places of a price."""
        return decimals(self.tick)

    @property
    def quantity_decimals(self) -> int:
        """Decimal places of a quantity."""
        return decimals(self.step)


def decimals(step: Decimal) -> int:
    """Decimal places that a whole number of ``step`` may need."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -int(exponent))


def symbol_filters(instrument: Instrument, settings: ExchangeSettings) -> SymbolFilters:
    """The filters of ``instrument``; bounds that it does not know are wide."""
    return SymbolFilters(
        tick=instrument.tick,
        min_price=instrument.tick,
        max_price=instrument.tick * _STEPS_TO_MAXIMUM,
        step=instrument.lot,
        min_quantity=max(instrument.min_quantity, instrument.lot),
        max_quantity=instrument.max_quantity or instrument.lot * _STEPS_TO_MAXIMUM,
        min_notional_usd=instrument.min_notional_usd,
        multiplier_up=1 + settings.percent_price,
        multiplier_down=1 - settings.percent_price,
        max_orders=settings.max_open_orders,
        market_take_bound=settings.market_take_bound,
        liquidation_fee=settings.liquidation_fee,
    )


def check_quantity(filters: SymbolFilters, quantity: Decimal) -> None:
    """Refuse a quantity that is not finite, positive, on the step and within bounds."""
    if not quantity.is_finite():
        raise reject(Code.MANDATORY_PARAMETER, name="quantity")
    if quantity <= 0:
        raise reject(Code.QUANTITY_NOT_POSITIVE)
    if decimals(quantity) > filters.quantity_decimals:
        raise reject(Code.BAD_PRECISION)
    if quantity < filters.min_quantity:
        raise reject(Code.QUANTITY_BELOW_MIN)
    if quantity > filters.max_quantity:
        raise reject(Code.QUANTITY_ABOVE_MAX)
    if quantity % filters.step:
        raise reject(Code.QUANTITY_OFF_STEP)


def check_price(filters: SymbolFilters, side: Side, price: Decimal | None, mark: Decimal) -> None:
    """Refuse a limit price off the tick, out of bounds, or too far beyond ``mark``."""
    if price is None or not price.is_finite():
        raise reject(Code.MANDATORY_PARAMETER, name="price")
    if price <= 0:
        raise reject(Code.PRICE_NOT_POSITIVE)
    if decimals(price) > filters.price_decimals:
        raise reject(Code.BAD_PRECISION)
    if price < filters.min_price:
        raise reject(Code.PRICE_BELOW_MIN)
    if price > filters.max_price:
        raise reject(Code.PRICE_ABOVE_MAX)
    if price % filters.tick:
        raise reject(Code.PRICE_OFF_TICK)
    refusal = _outside_band(filters, side, price, mark)
    if refusal is not None:
        raise refusal


def _outside_band(
    filters: SymbolFilters, side: Side, price: Decimal, mark: Decimal
) -> VenueReject | None:
    cap, floor = mark * filters.multiplier_up, mark * filters.multiplier_down
    if side is Side.BUY and price > cap:
        return reject(Code.PRICE_ABOVE_CAP, limit=format(cap.normalize(), "f"))
    if side is Side.SELL and price < floor:
        return reject(Code.PRICE_BELOW_FLOOR, limit=format(floor.normalize(), "f"))
    return None


def check_notional(
    filters: SymbolFilters, quantity: Decimal, price: Decimal, *, closing: bool
) -> None:
    """Refuse an order below the minimum notional, unless it only closes."""
    if not closing and quantity * price < filters.min_notional_usd:
        limit = format(filters.min_notional_usd.normalize(), "f")
        raise reject(Code.MIN_NOTIONAL, limit=limit)


def check_client_id(client_id: str) -> None:
    """Refuse a client order id that is not 1 to 36 of the allowed characters."""
    if not CLIENT_ID.fullmatch(client_id):
        raise reject(Code.BAD_CLIENT_ID)


def check_form(filters: SymbolFilters, order: NewOrder, mark: Decimal) -> None:
    """Everything that can be refused by looking at the order and the mark price alone."""
    if order.client_id:
        check_client_id(order.client_id)
    check_quantity(filters, order.quantity)
    if order.type is OrderType.LIMIT:
        check_price(filters, order.side, order.price, mark)
    elif order.price is not None:
        raise reject(Code.PARAMETER_NOT_REQUIRED, name="price")
