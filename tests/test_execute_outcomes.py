"""What replies to an order mean: by hand, and from a server that makes all kinds of trouble."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SystemClock
from bot.errors import PerphedgeError, SafetyError, UnreachableError, VenueError
from bot.trading.orders import (
    Acknowledged,
    NotAccepted,
    OrderOutcome,
    OrderState,
    Rejected,
    UnknownOutcome,
)
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.loopback import client
from bot.venues.outcomes import Meaning, Reply, classify, clean_text, meaning_of
from tests.execute_scene import FET, order

KEY = "canarykey0123456789canarykey0123456789canarykey0123456789canary"
SECRET = "canarysecret0123456789canarysecret0123456789canarysecret0123456"
ORDER = order("h1abcdefghijklmnopqrstuvwx", price="0.5")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def reply(body: str, status: int | None = 400, *, sent: bool = True) -> Reply:
    return Reply(sent, status, body, "ExchangeError")


def code(number: int, message: str = "words") -> str:
    return json.dumps({"code": number, "msg": message})


@pytest.mark.parametrize("number", [-2019, -2022, -4164, -1111, -2015, -5022, -4061, -1121])
def test_listed_refusals_are_rejections(number: int) -> None:
    outcome = classify("binanceusdm", "h1", reply(code(number)))
    assert outcome == Rejected("h1", str(number), "words")


@pytest.mark.parametrize("number", [-1003, -1015, -1021, -5028])
def test_slow_down_and_clock_codes_are_not_accepted(number: int) -> None:
    assert isinstance(classify("binanceusdm", "h1", reply(code(number))), NotAccepted)


@pytest.mark.parametrize("status", [418, 429])
@pytest.mark.parametrize("body", ["", "<html>", code(-99999)])
def test_slow_down_statuses_are_not_accepted(status: int, body: str) -> None:
    outcome = classify("binanceusdm", "h1", reply(body, status))
    assert isinstance(outcome, NotAccepted)
    assert outcome.code == str(status)


@pytest.mark.parametrize("number", [-1000, -1001, -1006, -1007, -1008, -99999, -4116, -2013, 0])
def test_everything_else_is_unknown(number: int) -> None:
    assert isinstance(classify("binanceusdm", "h1", reply(code(number), 503)), UnknownOutcome)


@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[]", "null", '{"code": true}', '{"code": null}', '{"code": -2019', '"-2019"'],
)
@pytest.mark.parametrize("status", [None, 200, 400, 403, 404, 502, 503])
def test_what_cannot_be_read_is_unknown(body: str, status: int | None) -> None:
    assert isinstance(classify("binanceusdm", "h1", reply(body, status)), UnknownOutcome)


def test_a_venue_without_a_table_leaves_all_unknown() -> None:
    assert isinstance(classify("someplace", "h1", reply(code(-2019))), UnknownOutcome)
    assert meaning_of("binanceusdm", "-4116") is Meaning.EXISTS


def test_what_never_left_was_surely_not_taken() -> None:
    outcome = classify("binanceusdm", "h1", reply("", None, sent=False))
    assert isinstance(outcome, Rejected)


@given(st.text(max_size=300))
def test_texts_are_one_short_line_without_addresses_or_secrets(text: str) -> None:
    cleaned = clean_text(f"{text} https://x.example/fapi?signature=abc {SECRET} 10.0.0.7")
    assert len(cleaned) <= 160
    assert len(cleaned.splitlines()) <= 1
    for leak in ("signature", SECRET, "10.0.0.7", "x.example"):
        assert leak not in cleaned


# Over a socket, with the real client


def exchange_info() -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "serverTime": 1_750_000_000_000,
        "rateLimits": [],
        "exchangeFilters": [],
        "assets": [],
        "symbols": [
            {
                "symbol": "FETUSDT",
                "pair": "FETUSDT",
                "contractType": "PERPETUAL",
                "deliveryDate": 4_133_404_800_000,
                "onboardDate": 1_569_398_400_000,
                "status": "TRADING",
                "baseAsset": "FET",
                "quoteAsset": "USDT",
                "marginAsset": "USDT",
                "pricePrecision": 4,
                "quantityPrecision": 0,
                "orderTypes": ["LIMIT", "MARKET"],
                "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
                "filters": [
                    {
                        "filterType": "PRICE_FILTER",
                        "tickSize": "0.0001",
                        "minPrice": "0.0001",
                        "maxPrice": "1000",
                    },
                    {
                        "filterType": "LOT_SIZE",
                        "stepSize": "1",
                        "minQty": "1",
                        "maxQty": "1000000",
                    },
                    {"filterType": "MIN_NOTIONAL", "notional": "5"},
                ],
            }
        ],
    }


def order_reply(**change: Any) -> dict[str, Any]:
    document = {
        "orderId": 42,
        "symbol": "FETUSDT",
        "status": "FILLED",
        "clientOrderId": ORDER.client_id,
        "price": "0.5",
        "avgPrice": "0.4999",
        "origQty": "1000",
        "executedQty": "1000",
        "cumQuote": "499.9",
        "timeInForce": "IOC",
        "type": "LIMIT",
        "reduceOnly": False,
        "side": "SELL",
        "positionSide": "BOTH",
        "updateTime": 1_750_000_000_000,
    }
    return {k: v for k, v in {**document, **change}.items() if v is not None}


class Server:
    """Answers POST and GET of an order as told, and counts what it was sent."""

    def __init__(self) -> None:
        self.on_post: Handler = said(order_reply())
        self.on_get: Handler = said({"code": -2013, "msg": "Order does not exist."}, 400)
        self.elsewhere: Handler = text_reply("<html>nothing here</html>", 500)
        self.posts: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/fapi/v1/exchangeInfo":
            return web.json_response(exchange_info())
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
    exchange.timeout = 500
    exchange.timeout_on_exit = 0
    venue = CcxtVenue(exchange, "hedge", SystemClock())
    try:
        yield server, venue
    finally:
        await venue.close()
        await runner.cleanup()


async def outcome_of(on_post: Handler, on_get: Handler | None = None) -> OrderOutcome:
    async with running() as (server, venue):
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


@pytest.mark.parametrize(
    ("change", "state", "filled"),
    [
        ({}, OrderState.FILLED, 1000),
        ({"status": "EXPIRED", "executedQty": "400"}, OrderState.EXPIRED, 400),
        ({"status": "EXPIRED", "executedQty": "0", "avgPrice": "0"}, OrderState.EXPIRED, 0),
        ({"status": "EXPIRED_IN_MATCH", "executedQty": "0"}, OrderState.EXPIRED, 0),
        ({"status": "CANCELED", "executedQty": "1"}, OrderState.CANCELED, 1),
        ({"status": "NEW", "executedQty": "0"}, OrderState.LIVE, 0),
        ({"status": "PARTIALLY_FILLED", "executedQty": "7"}, OrderState.PARTIAL, 7),
    ],
)
async def test_an_order_that_came_back(
    change: dict[str, Any], state: OrderState, filled: int
) -> None:
    outcome = await outcome_of(said(order_reply(**change)))
    assert isinstance(outcome, Acknowledged)
    assert (outcome.venue_order_id, outcome.state) == ("42", state)
    assert outcome.filled_quantity == filled


@pytest.mark.parametrize(
    "on_post",
    [
        said(order_reply(orderId=None)),
        said(order_reply(clientOrderId="somebody-elses")),
        said(order_reply(status="SOMETHING_NEW")),
        said(order_reply(status=None)),
        said([]),
        said({}),
        text_reply("<html>Welcome</html>"),
        text_reply('{"orderId": 42, "sym', kind="application/json"),
        text_reply("", 200, "application/json"),
        text_reply("null", 200, "application/json"),
        text_reply("<html>Forbidden</html>", 403),
        text_reply("<html>Bad gateway</html>", 502),
        said({"code": -1007, "msg": "Timeout; execution status unknown."}, 408),
        said({"code": -1006, "msg": "Unexpected response."}, 503),
        said({"code": -1008, "msg": "Overloaded."}, 503),
        said({"code": -31337, "msg": "Unheard of."}, 400),
        hang_up,
        cut_in_the_body,
        silence,
    ],
)
async def test_what_proves_nothing_is_unknown(on_post: Handler) -> None:
    assert isinstance(await outcome_of(on_post), UnknownOutcome)


@pytest.mark.parametrize(
    ("document", "status", "kind"),
    [
        ({"code": -2019, "msg": "Margin is insufficient."}, 400, Rejected),
        # ccxt finds these by their words alone and drops the code from its own text
        ({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, 401, Rejected),
        (
            {"code": -2010, "msg": "Account has insufficient balance for requested action."},
            400,
            Rejected,
        ),
        ({"code": -4014, "msg": "Price not increased by tick size. PRICE_FILTER"}, 400, Rejected),
        ({"code": -1021, "msg": "Timestamp outside of the recvWindow."}, 400, NotAccepted),
        ({"code": -1003, "msg": "Too many requests."}, 429, NotAccepted),
        ({"code": -1003, "msg": "Banned until 1750000000000."}, 418, NotAccepted),
    ],
)
async def test_refusals_over_the_wire(document: Any, status: int, kind: type[Any]) -> None:
    outcome = await outcome_of(said(document, status))
    assert isinstance(outcome, kind)
    assert outcome.code == str(document["code"])


async def test_a_duplicate_id_proves_that_the_order_exists() -> None:
    duplicate = said({"code": -4116, "msg": "ClientOrderId is duplicated."}, 400)
    found = await outcome_of(duplicate, said(order_reply(status="EXPIRED", executedQty="3")))
    assert isinstance(found, Acknowledged)
    assert (found.state, found.filled_quantity) == (OrderState.EXPIRED, Decimal(3))
    lost = await outcome_of(duplicate)
    assert isinstance(lost, UnknownOutcome)


async def test_asking_for_an_order() -> None:
    async with running() as (server, venue):
        assert await venue.find(FET, ORDER.client_id) is None
        server.on_get = said(order_reply())
        assert isinstance(await venue.find(FET, ORDER.client_id), Acknowledged)
        for trouble in (
            said({"code": -1001, "msg": "Internal error."}, 500),
            said({"code": -1121, "msg": "Invalid symbol."}, 400),
            text_reply("Not found", 404),
            hang_up,
            silence,
        ):
            server.on_get = trouble
            assert isinstance(await venue.find(FET, ORDER.client_id), UnknownOutcome)


async def test_what_would_be_rounded_or_is_not_listed_is_never_sent() -> None:
    async with running() as (server, venue):
        for wrong in (
            order(quantity="1000.5"),
            order(price="0.49995"),
            order(quantity="0.2"),
            order(symbol="NEW/USDT:USDT"),
        ):
            outcome = await venue.place(wrong)
            assert isinstance(outcome, Rejected)
            assert outcome.code == "not-sent"
        assert server.posts == []


async def test_reads_fail_in_one_line_without_leaks() -> None:
    async with running() as (_, venue):
        with pytest.raises(UnreachableError, match="binanceusdm does not answer") as caught:
            await venue.account()
        _assert_no_leak(caught.value)
    exchange = client("127.0.0.1:9", key=KEY, secret=SECRET)
    exchange.timeout_on_exit = 0
    venue = CcxtVenue(exchange, "hedge", SystemClock())
    with pytest.raises(UnreachableError) as caught:
        await venue.account()
    _assert_no_leak(caught.value)
    outcome = await venue.place(ORDER)
    assert isinstance(outcome, Rejected), "without markets nothing was sent"
    await venue.close()


async def test_a_refused_read_names_the_code() -> None:
    async with running() as (server, venue):
        words = "Invalid API-key, IP, or permissions for action, request ip: 10.1.2.3"
        server.elsewhere = said({"code": -2015, "msg": words}, 401)
        with pytest.raises(VenueError, match="code -2015: Invalid API-key") as caught:
            await venue.account()
        assert "10.1.2.3" not in str(caught.value)
        _assert_no_leak(caught.value)


def _assert_no_leak(error: PerphedgeError) -> None:
    assert "\n" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None
    for leak in (KEY, SECRET, "signature", "http://", "127.0.0.1"):
        assert leak not in str(error)


async def test_a_client_that_would_repeat_or_print_is_refused() -> None:
    for change in (
        {"options": {"maxRetriesOnFailure": 3}},
        {"options": {"order": {"maxRetriesOnFailure": 1}}},
        {"verbose": True},
    ):
        exchange = client("127.0.0.1:9")
        exchange.options.update(change.get("options", {}))
        exchange.verbose = change.get("verbose", False)
        with pytest.raises(SafetyError):
            CcxtVenue(exchange, "hedge", SystemClock())
