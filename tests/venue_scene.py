"""Real ccxt clients of six exchanges, talking to a server of ours that answers as they would."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import SecretStr

from bot.clock import SystemClock
from bot.venues.ccxt_controlled import ControlledVenue
from bot.venues.clients import make_client
from bot.venues.loopback import client as loopback_client
from bot.venues.wire_ids import wire_id
from config.secrets import Credentials

KEY = "canarykey0123456789canarykey0123456789canarykey0123456789canary"
SECRET = "canarysecret0123456789canarysecret0123456789canarysecret0123456"
PASSPHRASE = "canaryphrase0123456789"
WALLET = "0x1111111111111111111111111111111111111111"
PRIVATE = "0x" + "0123456789abcdef" * 4
CLIENT_ID = "h1abcdefghijklmnopqrstuvwx"
AT_MS = 1_750_000_000_000
T0, T1 = AT_MS - 60_000, AT_MS - 30_000
VENUES = ("binanceusdm", "bybit", "okx", "hyperliquid", "bitget", "gate")

Handler = Callable[[web.BaseRequest, str], Awaitable[web.StreamResponse]]


def said(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Handler:
    async def handler(_request: web.BaseRequest, _body: str) -> web.StreamResponse:
        return web.json_response(document, status=status, headers=headers)

    return handler


def text(body: str, status: int = 200, kind: str = "text/html", **headers: str) -> Handler:
    async def handler(_request: web.BaseRequest, _body: str) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=body, content_type=kind, headers=named)

    return handler


async def hang_up(request: web.BaseRequest, _body: str) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def cut_in_the_body(request: web.BaseRequest, _body: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"code": "0", "data": [{"ordId')
    assert request.transport is not None
    request.transport.close()
    return response


async def silence(_request: web.BaseRequest, _body: str) -> web.StreamResponse:
    await asyncio.sleep(3)
    return web.Response()


@dataclass
class Server:
    """Answers what it was told by method and path; an order's POST is counted.

    Attributes:
        order: how it takes an order.
        answers: by "METHOD path", for hyperliquid "info TYPE".
        orders: bodies of the orders that came.
        asked: every request, as in ``answers``; ``bodies``: what came with it.
    """

    order_path: str
    order: Handler = field(default_factory=lambda: said({}))
    answers: dict[str, Handler] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = (await request.read()).decode()
        name = f"{request.method} {request.path}"
        if request.path == "/info":
            name = f"info {json.loads(body)['type']}"
        self.asked.append(name)
        self.bodies.append(request.query_string + body)
        if name == self.order_path:
            self.orders.append(body)
            return await self.order(request, body)
        handler = self.answers.get(name) or text("<html>nothing here</html>", 500)
        return await handler(request, body)


@dataclass(frozen=True)
class Play:
    """What one exchange says.

    Attributes:
        order_path: where an order goes.
        markets: answers that ``load_markets`` needs.
        taken: the reply to an order that was taken.
        found: the answer to a question for it, of 400 filled out of 1000 and expired.
        find_path: where that question goes.
        absent: the answer where there is no such order.
        refusals: replies that reject an order, with status and code.
        slow: replies that were surely not taken, with status and code.
        exists: the reply to a used client id; None where the exchange has none that is known.
        unknown: replies of its own that prove nothing, with status.
    """

    order_path: str
    markets: Mapping[str, Any]
    taken: Any
    found: Any
    find_path: str
    absent: tuple[Any, int]
    refusals: tuple[tuple[Any, int, str], ...]
    slow: tuple[tuple[Any, int, str], ...]
    exists: tuple[Any, int] | None
    unknown: tuple[tuple[Any, int], ...]
    setup: Mapping[str, Any] = field(default_factory=dict)


def credentials(venue: str) -> Credentials:
    if venue == "hyperliquid":
        return Credentials(SecretStr(WALLET), SecretStr(PRIVATE))
    return Credentials(SecretStr(KEY), SecretStr(SECRET), SecretStr(PASSPHRASE))


def client(venue: str, host: str, scheme: str = "http") -> Any:
    """The unmodified client, its addresses pointed at ``host``."""
    if venue == "binanceusdm":
        exchange = loopback_client(host, key=KEY, secret=SECRET)
    else:
        exchange = make_client(venue, credentials=credentials(venue))
        exchange.urls["api"] = _moved(exchange.urls["api"], f"{scheme}://{host}")
    exchange.enableRateLimit = False
    exchange.timeout_on_exit = 0
    return exchange


def _moved(addresses: Any, origin: str) -> Any:
    if isinstance(addresses, dict):
        return {name: _moved(one, origin) for name, one in addresses.items()}
    return origin + urlsplit(addresses.replace("{hostname}", "host")).path


@asynccontextmanager
async def serving(play: Play) -> AsyncIterator[tuple[Server, str]]:
    """The server, and its address."""
    answers = {name: said(reply) for name, reply in {**play.markets, **play.setup}.items()}
    server = Server(play.order_path, said(play.taken), answers)
    server.answers[play.find_path] = said(play.found)
    runner = web.ServerRunner(web.Server(server.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield server, f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def playing(venue: str, play: Play) -> AsyncIterator[tuple[Server, ControlledVenue]]:
    """The server, and the adapter on a real client of it."""
    async with serving(play) as (server, host):
        adapter = ControlledVenue(
            client(venue, host),
            "hedge",
            SystemClock(),
            currency="USDC" if venue == "hyperliquid" else "USDT",
        )
        try:
            yield server, adapter
        finally:
            await adapter.close()


async def impatient(adapter: ControlledVenue) -> None:
    """From now on it waits for less than a second; the markets it has read before."""
    await adapter._markets.load()
    adapter._exchange.timeout = 700


def on_wire(venue: str) -> str:
    """The client id of the scene as the exchange knows it."""
    return wire_id(venue, CLIENT_ID)
