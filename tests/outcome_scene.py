"""A server that takes orders and then makes all kinds of trouble, and what a client makes of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from bot.clock import SystemClock
from bot.trading.orders import OrderOutcome
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.loopback import client
from tests.execute_scene import order
from tests.venue_binance import binance_market, binance_order

KEY = "canarykey0123456789canarykey0123456789canarykey0123456789canary"
SECRET = "canarysecret0123456789canarysecret0123456789canarysecret0123456"
ORDER = order("h1abcdefghijklmnopqrstuvwx", price="0.5")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def order_reply(**change: Any) -> dict[str, Any]:
    """Our order, wholly filled, but for the change; None leaves a field out."""
    filled = {"status": "FILLED", "avgPrice": "0.4999", "executedQty": "1000", "cumQuote": "499.9"}
    document = {**binance_order(**filled), "clientOrderId": ORDER.client_id, **change}
    return {k: v for k, v in document.items() if v is not None}


class Server:
    """Answers POST and GET of an order as told, and counts what it was sent."""

    def __init__(self) -> None:
        self.on_post: Handler = said(order_reply())
        self.on_get: Handler = said({"code": -2013, "msg": "Order does not exist."}, 400)
        self.elsewhere: Handler = text_reply("<html>nothing here</html>", 500)
        self.posts: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/fapi/v1/exchangeInfo":
            return web.json_response({"symbols": [binance_market()]})
        if request.path == "/fapi/v1/order" and request.method == "POST":
            self.posts.append({k: str(v) for k, v in (await request.post()).items()})
            return await self.on_post(request)
        if request.path == "/fapi/v1/order":
            return await self.on_get(request)
        return await self.elsewhere(request)


def said(document: Any, status: int = 200) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response(document, status=status)

    return handler


def text_reply(body: str, status: int = 200, kind: str = "text/html") -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, content_type=kind)

    return handler


async def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def cut_in_the_body(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(json.dumps(order_reply()).encode()[:60])
    assert request.transport is not None
    request.transport.close()
    return response


async def silence(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3)
    return web.Response()


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Server, CcxtVenue]]:
    server = Server()
    runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    exchange = client(f"127.0.0.1:{runner.addresses[0][1]}", key=KEY, secret=SECRET)
    exchange.enableRateLimit = False
    exchange.timeout_on_exit = 0
    venue = CcxtVenue(exchange, "hedge", SystemClock())
    try:
        yield server, venue
    finally:
        await venue.close()
        await runner.cleanup()


async def impatient(venue: CcxtVenue) -> None:
    """From now on it waits for half a second; what it answers at once, it has answered."""
    await venue.find(ORDER.symbol, ORDER.client_id)
    venue._exchange.timeout = 500


async def outcome_of(on_post: Handler, on_get: Handler | None = None) -> OrderOutcome:
    async with running() as (server, venue):
        if on_post is silence:
            await impatient(venue)
        server.on_post = on_post
        server.on_get = on_get or server.on_get
        outcome = await venue.place(ORDER)
        assert len(server.posts) == 1, "sent once"
        sent = server.posts[0]
        assert sent["newClientOrderId"] == ORDER.client_id
        assert (sent["quantity"], sent["price"], sent["timeInForce"]) == ("1000", "0.5", "IOC")
        for leak in (KEY, SECRET, "signature", "http://"):
            assert leak not in repr(outcome)
        return outcome
