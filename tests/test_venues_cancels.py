"""Cancels at six exchanges: over is only what is proven to be over."""

from typing import Any

import pytest

from tests.venue_binance import binance_order
from tests.venue_bitget import BITGET_ORDER, bitget_reply
from tests.venue_bybit import BYBIT_ORDER, bybit_reply
from tests.venue_gate import gate_order
from tests.venue_hyperliquid import hyper_reply
from tests.venue_okx import OKX_ORDER, okx_reply, okx_row
from tests.venue_plays import PLAYS, SYMBOLS
from tests.venue_scene import (
    CLIENT_ID,
    VENUES,
    cut_in_the_body,
    impatient,
    on_wire,
    playing,
    said,
    silence,
    text,
)

pytestmark = pytest.mark.parametrize("venue", VENUES)

CANCELS: dict[str, tuple[str, Any]] = {
    "binanceusdm": ("DELETE /fapi/v1/order", binance_order(status="CANCELED")),
    "bybit": ("POST /v5/order/cancel", bybit_reply({"orderId": "42", "orderLinkId": CLIENT_ID})),
    "okx": ("POST /api/v5/trade/cancel-order", okx_reply([okx_row("0", "", "42")])),
    "hyperliquid": (
        "POST /exchange",
        {"status": "ok", "response": {"type": "cancel", "data": {"statuses": ["success"]}}},
    ),
    "bitget": (
        "POST /api/v2/mix/order/cancel-order",
        bitget_reply({"orderId": "42", "clientOid": CLIENT_ID}),
    ),
    "gate": (f"DELETE /api/v4/futures/usdt/orders/{on_wire('gate')}", gate_order()),
}
OVER: dict[str, tuple[Any, int]] = {
    "binanceusdm": ({"code": -2011, "msg": "No such order."}, 400),
    "bybit": (bybit_reply({}, 110001, "No such order."), 200),
    "okx": (okx_reply([okx_row("51400", "No such order.")], "1"), 200),
    "hyperliquid": (
        hyper_reply({"error": "Order was never placed, already canceled, or filled. asset=3"}),
        200,
    ),
    "bitget": (bitget_reply(None, "40768", "No such order."), 400),
    "gate": ({"label": "ORDER_NOT_FOUND", "message": "No such order."}, 404),
}
STILL_OPEN: dict[str, Any] = {
    "bybit": bybit_reply({"list": [{**BYBIT_ORDER, "orderStatus": "PartiallyFilled"}]}),
    "okx": okx_reply([{**OKX_ORDER, "state": "partially_filled"}]),
    "hyperliquid": {
        **PLAYS["hyperliquid"].found,
        "order": {**PLAYS["hyperliquid"].found["order"], "status": "open"},
    },
    "bitget": bitget_reply({**BITGET_ORDER, "state": "partially_filled"}),
}


async def test_a_cancel_names_our_order_and_is_proven(venue: str) -> None:
    name, reply = CANCELS[venue]
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        server.answers[name] = server.order = said(reply)
        assert await adapter.cancel(SYMBOLS[venue], CLIENT_ID) is True
        sent = server.asked.index(name)
        assert on_wire(venue) in server.asked[sent] + server.bodies[sent]
        assert server.asked.count(name) == 1
        if venue in STILL_OPEN:  # the receipt of a cancel is not yet its effect
            server.answers[PLAYS[venue].find_path] = said(STILL_OPEN[venue])
            assert await adapter.cancel(SYMBOLS[venue], CLIENT_ID) is False


async def test_what_is_over_already_is_over(venue: str) -> None:
    name, _ = CANCELS[venue]
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        server.answers[name] = server.order = said(*OVER[venue])
        assert await adapter.cancel(SYMBOLS[venue], CLIENT_ID) is True


async def test_trouble_is_no_proof(venue: str) -> None:
    name, _ = CANCELS[venue]
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        for handler in (
            text("<html>Welcome</html>"),
            said({}),
            said([]),
            text('{"orderId": 4', kind="application/json"),
            text("<html>Bad gateway</html>", 502),
            text("", 429),
            cut_in_the_body,
            silence,
        ):
            if handler is silence:
                await impatient(adapter)
            server.answers[name] = server.order = handler
            assert await adapter.cancel(SYMBOLS[venue], CLIENT_ID) is False
