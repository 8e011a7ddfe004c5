"""An order request read from its parameters, and the ways to name an order."""

from typing import Final

from bot.trading.orders import Side
from bot.venues.http.face import Face
from bot.venues.http.params import Params, missing
from bot.venues.sim.errors import Code, VenueReject, reject
from bot.venues.sim.records import (
    NewOrder,
    OrderType,
    PositionSide,
    SelfTradePrevention,
    TimeInForce,
)

_SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
_TRIGGERED: Final = frozenset(
    {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
)
_ACKNOWLEDGEMENTS: Final = frozenset({"ACK", "RESULT"})


def side_named(params: Params) -> Side:
    """The parameter ``side``."""
    return _SIDES[params.choice("side", _SIDES, None, reject(Code.BAD_SIDE))]


def wants_result(params: Params) -> bool:
    """Whether the reply shall show what was filled at once, not only that the order was taken."""
    refusal = VenueReject(-1136, "Invalid newOrderRespType.", 400)
    return params.choice("newOrderRespType", _ACKNOWLEDGEMENTS, "ACK", refusal) == "RESULT"


def new_order(face: Face, params: Params, *, hedge_mode: bool) -> NewOrder:
    """The order that the parameters ask for; filters and margin are the core's to check.

    Raises:
        VenueReject: a parameter is missing, malformed or not of this type of order.
    """
    one = face.market(params)
    side = side_named(params)
    kind = _type(params)
    _refuse_extras(params, kind, hedge_mode=hedge_mode)
    quantity = params.decimal("quantity")
    limit = kind is OrderType.LIMIT
    return NewOrder(
        symbol=one.symbol,
        side=side,
        type=kind,
        quantity=quantity,
        price=params.decimal("price") if limit else None,
        time_in_force=_time_in_force(params) if limit else TimeInForce.GTC,
        client_id=params.optional("newClientOrderId") or "",
        reduce_only=params.flag("reduceOnly"),
        position_side=_position_side(params),
        self_trade_prevention=_self_trade_prevention(params),
    )


def order_reference(params: Params) -> tuple[int | None, str | None]:
    """``orderId`` and ``origClientOrderId``; the first one wins.

    Raises:
        VenueReject: neither is there (-1102).
    """
    order_id = params.optional_integer("orderId")
    if order_id is not None:
        return order_id, None
    client_id = params.optional("origClientOrderId")
    if client_id is None:
        raise VenueReject(
            -1102,
            "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
            400,
        )
    return None, client_id


def _type(params: Params) -> OrderType:
    kind = params.text("type")
    if kind in _TRIGGERED:
        raise VenueReject(
            -4120,
            "Order type not supported for this endpoint. "
            "Please use the Algo Order API endpoints instead.",
            400,
        )
    allowed = [one.value for one in OrderType]
    return OrderType(params.choice("type", allowed, None, reject(Code.BAD_ORDER_TYPE)))


def _time_in_force(params: Params) -> TimeInForce:
    allowed = [one.value for one in TimeInForce]
    refusal = reject(Code.BAD_TIME_IN_FORCE)
    return TimeInForce(params.choice("timeInForce", allowed, None, refusal))


def _position_side(params: Params) -> PositionSide:
    allowed = [one.value for one in PositionSide]
    refusal = reject(Code.BAD_POSITION_SIDE)
    return PositionSide(params.choice("positionSide", allowed, "BOTH", refusal))


def _self_trade_prevention(params: Params) -> SelfTradePrevention:
    allowed = [one.value for one in SelfTradePrevention]
    refusal = VenueReject(-5039, "Invalid self trade prevention mode.", 400)
    default = SelfTradePrevention.EXPIRE_TAKER.value
    return SelfTradePrevention(params.choice("selfTradePreventionMode", allowed, default, refusal))


def _refuse_extras(params: Params, kind: OrderType, *, hedge_mode: bool) -> None:
    """What this exchange or this type of order does not take is refused, never ignored."""
    unwanted = {"stopPrice", "activationPrice", "callbackRate"}
    if kind is OrderType.MARKET:
        unwanted |= {"price", "timeInForce"}
    if hedge_mode and params.flag("reduceOnly"):
        unwanted.add("reduceOnly")
    if params.flag("closePosition"):
        unwanted.add("closePosition")
    for name in sorted(unwanted):
        if params.optional(name) is not None:
            raise reject(Code.PARAMETER_NOT_REQUIRED, name=name)
    if params.optional("priceMatch") not in {None, "NONE"}:
        raise VenueReject(-5037, "Invalid price match.", 400)
    if kind is OrderType.LIMIT and params.optional("timeInForce") is None:
        raise missing("timeInForce")
