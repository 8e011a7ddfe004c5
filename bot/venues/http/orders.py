"""Placing, changing, cancelling and looking up orders."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bot.venues.http.face import Face, SignedCall
from bot.venues.http.order_request import (
    new_order,
    order_reference,
    side_named,
    wants_result,
)
from bot.venues.http.order_rows import as_accepted, order_row
from bot.venues.http.params import Params, illegal, malformed
from bot.venues.http.wire import Json
from bot.venues.sim.errors import Code, VenueReject, reject
from bot.venues.sim.records import SimOrder

_BATCH_PLACED: Final = 5
_BATCH_CANCELED: Final = 10
_CANCELED_ALL: Final = {"code": 200, "msg": "The operation of cancel all open order is done."}

Single = Callable[[Face, SignedCall], Json]


def place(face: Face, call: SignedCall) -> Json:
    """POST v1/order."""
    shows_result = wants_result(call.params)
    wanted = new_order(face, call.params, hedge_mode=call.account.hedge_mode)
    order = face.exchange.place(call.account, wanted)
    return _row(face, order if shows_result else as_accepted(order))


def test_place(face: Face, call: SignedCall) -> Json:
    """POST v1/order/test: every check of an order, and nothing placed."""
    wants_result(call.params)
    wanted = new_order(face, call.params, hedge_mode=call.account.hedge_mode)
    return _row(face, face.exchange.check(call.account, wanted))


def amend(face: Face, call: SignedCall) -> Json:
    """PUT v1/order: new price and quantity, with a new place in the queue."""
    params = call.params
    one = face.market(params)
    order_id, client_id = order_reference(params)
    order = face.exchange.amend(
        call.account,
        one.symbol,
        order_id=order_id,
        client_id=client_id,
        side=side_named(params),
        quantity=params.decimal("quantity"),
        price=params.decimal("price"),
    )
    return _row(face, order) | {"modifyId": order.amendments}


def cancel(face: Face, call: SignedCall) -> Json:
    """DELETE v1/order."""
    one = face.market(call.params)
    order_id, client_id = order_reference(call.params)
    order = face.exchange.cancel(call.account, one.symbol, order_id=order_id, client_id=client_id)
    return _row(face, order)


def find(face: Face, call: SignedCall) -> Json:
    """GET v1/order."""
    return _row(face, _found(face, call))


def find_open(face: Face, call: SignedCall) -> Json:
    """GET v1/openOrder.

    Raises:
        VenueReject: there is none, or it is open no more (-2013).
    """
    order = _found(face, call)
    if not order.status.open:
        raise reject(Code.NO_SUCH_ORDER)
    return _row(face, order)


def open_orders(face: Face, call: SignedCall) -> Json:
    """GET v1/openOrders."""
    one = face.optional_market(call.params)
    orders = face.exchange.open_orders(call.account, None if one is None else one.symbol)
    return [_row(face, order) for order in orders]


def cancel_all(face: Face, call: SignedCall) -> Json:
    """DELETE v1/allOpenOrders: of one symbol."""
    face.exchange.cancel_all(call.account, face.market(call.params).symbol)
    return _CANCELED_ALL


def countdown(face: Face, call: SignedCall) -> Json:
    """POST v1/countdownCancelAll: a symbol's orders fall when it is not renewed; 0 stops it."""
    one = face.market(call.params)
    countdown_ms = call.params.integer("countdownTime")
    face.exchange.countdown(call.account, one.symbol, countdown_ms)
    return {"symbol": one.market_id, "countdownTime": str(countdown_ms)}


def place_batch(face: Face, call: SignedCall) -> Json:
    """POST v1/batchOrders: each on its own, with its own refusal."""
    return _each(face, call, place)


def amend_batch(face: Face, call: SignedCall) -> Json:
    """PUT v1/batchOrders."""
    return _each(face, call, amend)


def cancel_batch(face: Face, call: SignedCall) -> Json:
    """DELETE v1/batchOrders: by ids of the exchange or of the client."""
    symbol = call.params.text("symbol")
    for names, key, kind in (
        (("orderIdList", "orderidlist"), "orderId", int),
        (("origClientOrderIdList", "origclientorderidlist"), "origClientOrderId", str),
    ):
        sent = [name for name in names if call.params.optional(name) is not None]
        if sent:
            ids = _json_list(call.params, sent[0])
            if len(ids) > _BATCH_CANCELED or not all(type(one) is kind for one in ids):
                raise malformed(names[0])
            asked = [Params({"symbol": symbol, key: str(one)}) for one in ids]
            return [_attempt(face, replace(call, params=params), cancel) for params in asked]
    raise VenueReject(
        -1102,
        "Param 'origClientOrderIdList' or 'orderIdList' must be sent, but both were empty.",
        400,
    )


def _each(face: Face, call: SignedCall, handler: Single) -> list[Json]:
    items = _json_list(call.params, "batchOrders")
    if not 1 <= len(items) <= _BATCH_PLACED:
        raise VenueReject(-4082, "Invalid number of batch place orders.", 400)
    return [_attempt(face, replace(call, params=_params(item)), handler) for item in items]


def _attempt(face: Face, call: SignedCall, handler: Single) -> Json:
    try:
        return handler(face, call)
    except VenueReject as refusal:
        return {"code": refusal.code, "msg": refusal.message}


def _params(item: Json) -> Params:
    """One order of a batch: a flat JSON object."""
    if not isinstance(item, dict):
        raise malformed("batchOrders")
    values: dict[str, str] = {}
    for name, value in item.items():
        if isinstance(value, bool):
            values[name] = str(value).lower()
        elif isinstance(value, str | int | float):
            values[name] = str(value)
        elif value is not None:
            raise malformed("batchOrders")
    return Params(values)


def _json_list(params: Params, name: str) -> list[Json]:
    text = params.text(name)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise illegal(name, "a JSON list") from None
    if not isinstance(document, list):
        raise malformed(name)
    return document


def _found(face: Face, call: SignedCall) -> SimOrder:
    one = face.market(call.params)
    order_id, client_id = order_reference(call.params)
    return face.exchange.find_order(
        call.account, one.symbol, order_id=order_id, client_id=client_id
    )


def _row(face: Face, order: SimOrder) -> dict[str, Json]:
    return order_row(face.by_symbol(order.symbol), order)
