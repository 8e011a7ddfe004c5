"""What is refused, with Binance's codes, words and statuses, and how ccxt names it."""

import re
from urllib.parse import urlencode

import pytest

from bot.errors import SafetyError
from bot.venues.http.auth import sign
from bot.venues.http.server import serve_exchange
from bot.venues.loopback import client, loopback_options, require_loopback
from tests.face_market import Market, open_market

KEY, SECRET = "sandbox-bot-key", "sandbox-bot-secret"
ACCOUNT = "/fapi/v3/account"


@pytest.fixture(scope="module")
def market() -> Market:
    return open_market()


def _signed(params: dict[str, object], secret: str = SECRET) -> str:
    text = urlencode(params)
    return f"{text}&signature={sign(secret, text)}"


def test_the_signature_is_hmac_sha256_as_documented() -> None:
    # The example of Binance's own documentation.
    secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
    payload = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
        "&recvWindow=5000&timestamp=1591702613943"
    )
    assert sign(secret, payload) == (
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    )


@pytest.mark.parametrize(
    ("shift_ms", "window_ms", "code"),
    [
        (0, None, None),
        (-5_000, None, None),
        (-5_001, None, -1021),
        (999, None, None),
        (1_000, None, -1021),
        (-30_000, 60_000, None),
        (0, 60_001, -1131),
        (0, 0, -1131),
    ],
)
def test_the_timestamp_must_lie_within_the_window(
    market: Market, shift_ms: int, window_ms: int | None, code: int | None
) -> None:
    params: dict[str, object] = {"timestamp": market.clock.now_ms() + shift_ms}
    if window_ms is not None:
        params["recvWindow"] = window_ms
    status, document = market.raw("GET", ACCOUNT, query=_signed(params), key=KEY)
    assert (status, document.get("code")) == (200 if code is None else 400, code)


def test_keys_and_signatures(market: Market) -> None:
    now = {"timestamp": market.clock.now_ms()}
    good = _signed(now)
    cases = [
        (None, good, 401, -2014, "API-key format invalid."),
        ("not a key", good, 401, -2014, "API-key format invalid."),
        ("unknown", good, 401, -2015, "Invalid API-key, IP, or permissions for action"),
        (KEY, _signed(now, "other"), 400, -1022, "Signature for this request is not valid."),
        (KEY, good.replace("timestamp=1", "timestamp=01"), 400, -1022, "Signature for this"),
        (KEY, urlencode(now), 400, -1102, "Mandatory parameter 'signature' was not sent"),
        (KEY, _signed({}), 400, -1102, "Mandatory parameter 'timestamp' was not sent"),
        (KEY, _signed({"timestamp": "x"}), 400, -1100, "Illegal characters found in parameter"),
        (KEY, good + "&timestamp=5", 400, -1101, "Duplicate values for parameter 'timestamp'"),
    ]
    for key, query, status, code, words in cases:
        seen, document = market.raw("GET", ACCOUNT, query=query, key=key)
        assert (seen, document["code"]) == (status, code), document
        assert words in document["msg"]


def test_a_body_counts_as_part_of_the_signed_text(market: Market) -> None:
    query, body = "symbol=FETUSDT", f"leverage=7&timestamp={market.clock.now_ms()}"
    body += "&signature=" + sign(SECRET, query + body)
    status, document = market.raw("POST", "/fapi/v1/leverage", query, body, KEY)
    assert (status, document["leverage"]) == (200, 7)


def _limit(market: Market, **change: str) -> dict[str, str]:
    """A good order below the market, with some changes."""
    price = market.exchange.quote("FET/USDT:USDT").last * 0.95
    good = {"symbol": "FETUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    return {**good, "quantity": "100", "price": f"{price:.4f}", **change}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": ""}, -1102),
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"symbol": "fet/usdt"}, -1100),
        ({"side": "HOLD"}, -1117),
        ({"side": ""}, -1102),
        ({"type": "ICEBERG"}, -1116),
        ({"type": "STOP_MARKET"}, -4120),
        ({"type": "MARKET"}, -1106),
        ({"timeInForce": "GTD"}, -1115),
        ({"timeInForce": ""}, -1102),
        ({"quantity": ""}, -1102),
        ({"quantity": "-1"}, -1100),
        ({"quantity": "NaN"}, -1100),
        ({"quantity": "1e3"}, -1100),
        ({"quantity": "0"}, -4003),
        ({"quantity": "1.5"}, -1111),
        ({"price": "0"}, -4001),
        ({"price": "1.00001"}, -1111),
        ({"price": ""}, -1102),
        ({"quantity": "1"}, -4164),
        ({"reduceOnly": "true"}, -2022),
        ({"reduceOnly": "maybe"}, -1130),
        ({"positionSide": "UP"}, -4060),
        ({"positionSide": "LONG"}, -4061),
        ({"newClientOrderId": "a b"}, -4015),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"newOrderRespType": "FULL"}, -1136),
        ({"selfTradePreventionMode": "MAYBE"}, -5039),
        ({"priceMatch": "QUEUE"}, -5037),
        ({"stopPrice": "1"}, -1106),
        ({"closePosition": "true"}, -1106),
    ],
)
def test_wrong_orders_are_refused_and_change_nothing(
    market: Market, change: dict[str, str], code: int
) -> None:
    status, document = market.ask("POST", "/fapi/v1/order", "bot", **_limit(market, **change))
    assert (status, document["code"]) == (400, code), document
    assert market.get("/fapi/v1/openOrders", "bot") == []


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("/fapi/v1/klines", {"symbol": "FETUSDT"}, -1102),
        ("/fapi/v1/klines", {"symbol": "FETUSDT", "interval": "7m"}, -1120),
        ("/fapi/v1/klines", {"symbol": "FETUSDT", "interval": "1h", "limit": 1501}, -1130),
        ("/fapi/v1/klines", {"symbol": "FETUSDT", "interval": "1h", "limit": "x"}, -1100),
        ("/fapi/v1/depth", {"symbol": "FETUSDT", "limit": 7}, -4021),
        ("/fapi/v1/fundingRate", {"startTime": 2, "endTime": 1}, -1023),
        ("/fapi/v1/ticker/price", {"symbol": "GRASSUSDT"}, -1121),  # lists later
        ("/futures/data/openInterestHist", {"symbol": "FETUSDT", "period": "3m"}, -1130),
        ("/futures/data/openInterestHist",
         {"symbol": "FETUSDT", "period": "1h", "startTime": 1}, -1130),
    ],
)  # fmt: skip
def test_wrong_questions(market: Market, path: str, params: dict[str, object], code: int) -> None:
    status, document = market.ask("GET", path, **params)
    assert (status, document["code"]) == (400, code)


def test_orders_that_are_not_there(market: Market) -> None:
    ghost = {"symbol": "FETUSDT", "origClientOrderId": "ghost"}
    assert market.ask("GET", "/fapi/v1/order", "bot", **ghost)[1]["code"] == -2013
    assert market.ask("GET", "/fapi/v1/openOrder", "bot", **ghost)[1]["code"] == -2013
    assert market.ask("DELETE", "/fapi/v1/order", "bot", **ghost)[1]["code"] == -2011
    assert market.ask("GET", "/fapi/v1/order", "bot", symbol="FETUSDT")[1]["code"] == -1102


def test_an_account_does_not_see_another_ones_orders(market: Market) -> None:
    sent = market.did("POST", "/fapi/v1/order", "bot", **_limit(market, newClientOrderId="mine"))
    asked = {"symbol": "FETUSDT", "orderId": sent["orderId"]}
    assert market.ask("GET", "/fapi/v1/order", "hedge", **asked)[1]["code"] == -2013
    assert market.ask("DELETE", "/fapi/v1/order", "hedge", **asked)[1]["code"] == -2011
    market.did("DELETE", "/fapi/v1/order", "bot", **asked)


def test_a_test_order_is_checked_but_not_placed(market: Market) -> None:
    received = market.exchange.counters.orders_received
    assert market.did("POST", "/fapi/v1/order/test", "bot", **_limit(market))["status"] == "NEW"
    wrong = _limit(market, price="1.00001")
    assert market.ask("POST", "/fapi/v1/order/test", "bot", **wrong)[1]["code"] == -1111
    assert market.get("/fapi/v1/openOrders", "bot") == []
    assert market.exchange.counters.orders_received == received


def test_unknown_paths_and_methods(market: Market) -> None:
    status, page = market.raw("GET", "/fapi/v1/doesNotExist")
    assert (status, "404" in page, page.startswith("<")) == (404, True, True)
    assert market.raw("GET", "/_forbidden/sapi/account")[0] == 404
    assert market.raw("PATCH", "/fapi/v1/order")[0] == 405


@pytest.mark.parametrize(
    ("host", "name"),
    [("127.0.0.1:1", "127.0.0.1"), ("localhost:80", "localhost"), ("[::1]:5", "::1"),
     ("127.8.8.8", "127.8.8.8"), ("::1", "::1")],
)  # fmt: skip
def test_loopback_hosts_are_let_through(host: str, name: str) -> None:
    assert require_loopback(host) == name


@pytest.mark.parametrize(
    "host",
    ["fapi.binance.com", "10.0.0.1:80", "0.0.0.0:80", "localhost.evil.com", "127.0.0.1.evil.com",
     "", "[::1", "[::1]x", "user@127.0.0.1:80", "127.0.0.1:80@evil.com", "::", "127.1"],
)  # fmt: skip
async def test_every_other_host_is_refused(market: Market, host: str) -> None:
    with pytest.raises(SafetyError, match="this machine"):
        loopback_options(host)
    with pytest.raises(SafetyError):
        client(host)
    with pytest.raises(SafetyError):
        async with serve_exchange(market.exchange, market.tape, market.clock, host):
            pass


def test_no_address_of_the_client_leaves_this_machine() -> None:
    exchange = client("127.0.0.1:9")
    reached = re.findall(r"(?:https?|wss?)://([^/']+)", str(exchange.urls["api"]))
    assert set(reached) == {"127.0.0.1:9"}


async def test_ccxt_names_the_errors(market: Market) -> None:
    import ccxt

    now_ms = market.clock.now_ms
    async with serve_exchange(market.exchange, market.tape, market.clock) as server:
        cases = [
            ({"key": KEY, "secret": "wrong", "now_ms": now_ms}, ccxt.AuthenticationError, "-1022"),
            ({"key": "nobody", "secret": "x", "now_ms": now_ms}, ccxt.AuthenticationError, "-2015"),
            ({"key": KEY, "secret": SECRET}, ccxt.InvalidNonce, "-1021"),
        ]
        for settings, kind, code in cases:
            exchange = client(server.host, **settings)
            with pytest.raises(kind, match=code):
                await exchange.fetch_balance()
            await exchange.close()
        exchange = client(server.host, key=KEY, secret=SECRET, now_ms=now_ms)
        symbol, price = "FET/USDT:USDT", market.exchange.quote("FET/USDT:USDT").last
        with pytest.raises(ccxt.InvalidOrder, match="-4164"):
            await exchange.create_order(symbol, "limit", "buy", 1, price)
        with pytest.raises(ccxt.InsufficientFunds, match="-2019"):
            await exchange.create_order("BTC/USDT:USDT", "market", "buy", 200)
        with pytest.raises(ccxt.OrderNotFound, match="-2013"):
            await exchange.fetch_order("1", symbol)
        with pytest.raises(ccxt.OrderNotFound, match="-2011"):
            await exchange.cancel_order("1", symbol)
        with pytest.raises(ccxt.OrderNotFillable, match="-5022"):
            await exchange.create_order(
                symbol, "limit", "buy", 100, price * 1.01, {"postOnly": True}
            )
        with pytest.raises(ccxt.InvalidOrder, match="-2022"):
            await exchange.create_order(symbol, "market", "sell", 100, None, {"reduceOnly": True})
        await exchange.close()
