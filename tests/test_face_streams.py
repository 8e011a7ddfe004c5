"""Streams of the simulated exchange, through the unmodified ccxt.pro client and by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.clock import SimulatedClock
from bot.feeds.generated import generated_tape
from bot.feeds.generated_universe import UNIVERSE
from bot.feeds.tape import DAY_MS
from bot.venues.http.face import Face
from bot.venues.http.listen_keys import VALID_MS
from bot.venues.http.server import LoopbackServer, serve_exchange
from bot.venues.loopback import client
from bot.venues.sim.exchange import SimulatedExchange
from tests.face_market import Market

FET, NEAR = "FET/USDT:USDT", "NEAR/USDT:USDT"
EXAMPLES = Path(__file__).resolve().parents[2] / "shared/venue_examples/binance_usdm_official.json"


@dataclass
class Stage:
    """A served market, a trading client and a client with streams, both of ``hedge``."""

    market: Market
    server: LoopbackServer
    rest: Any
    pro: Any

    async def sockets(self, count: int) -> None:
        """Wait until so many connections stand."""
        for _ in range(200):
            if len(self.server.streams.sockets()) >= count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(self.server.streams.sockets())

    async def subscribed(self, count: int) -> None:
        """Wait until so many names are subscribed to."""
        for _ in range(200):
            if sum(len(one.streams) for one in self.server.streams.sockets()) >= count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("nobody subscribed")


def small_market() -> Market:
    """A market of three contracts, two days old."""
    specs = [one for one in UNIVERSE if one.base in ("BTC", "FET", "NEAR")]
    tape = generated_tape(7, 1_750_000_000_000, history_days=2, specs=specs)
    clock = SimulatedClock(tape.start_ms + 2 * DAY_MS + 17 * 60_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 7)
    exchange.open_account("hedge", "sandbox-hedge-key", "sandbox-hedge-secret", Decimal(50_000))
    exchange.update_market(tape.quotes(clock.now_ms()))
    return Market(exchange, tape, clock, Face(exchange, tape, clock))


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    market = small_market()
    async with serve_exchange(market.exchange, market.tape, market.clock) as server:
        key, secret = "sandbox-hedge-key", "sandbox-hedge-secret"
        now_ms = market.clock.now_ms
        rest = client(server.host, key=key, secret=secret, now_ms=now_ms)
        pro = client(server.host, key=key, secret=secret, now_ms=now_ms, streams=True)
        try:
            await rest.load_markets()
            pro.set_markets_from_exchange(rest)
            yield Stage(market, server, rest, pro)
        finally:
            await pro.close()
            await rest.close()


async def soon(waiting: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(waiting, 20.0)


async def test_a_fill_is_told_with_order_trade_position_and_balance() -> None:
    async with stage() as here:
        waiting = [
            asyncio.ensure_future(one())
            for one in (
                here.pro.watch_my_trades,
                here.pro.watch_orders,
                here.pro.watch_positions,
                here.pro.watch_balance,
            )
        ]
        await here.sockets(1)
        book = await here.rest.fetch_order_book(FET, 20)
        sent = await here.rest.create_order(
            FET, "limit", "sell", 400, book["bids"][-1][0],
            {"timeInForce": "IOC", "clientOrderId": "h1stream"},
        )  # fmt: skip
        trades, orders, positions, balance = [await soon(one) for one in waiting]
        assert len(here.server.streams.sockets("private")) == 1  # one connection for all of them
        account = here.market.exchange.account_by_key("sandbox-hedge-key")
        assert account is not None
        assert trades[-1]["id"] in {str(one.trade_id) for one in account.trades}
        assert (trades[-1]["symbol"], trades[-1]["side"]) == (FET, "sell")
        assert orders[-1]["clientOrderId"] == "h1stream"
        await asyncio.sleep(0.05)
        known = next(one for one in here.pro.orders if one["id"] == sent["id"])
        assert (known["filled"], known["status"]) == (sent["filled"], "closed")
        assert (positions[-1]["symbol"], positions[-1]["side"]) == (FET, "short")
        assert balance["total"]["USDT"] == pytest.approx(float(account.wallet_usd), abs=1.0)


async def test_prices_are_told_each_time_that_the_market_moves() -> None:
    async with stage() as here:
        marks = asyncio.ensure_future(here.pro.watch_mark_prices())
        books = asyncio.ensure_future(here.pro.watch_bids_asks([FET]))
        days = asyncio.ensure_future(here.pro.watch_tickers([NEAR]))
        await here.subscribed(3)
        here.market.advance(1_000)
        quotes = here.market.exchange
        told = await soon(marks)
        assert told[FET]["markPrice"] == pytest.approx(quotes.quote(FET).mark, rel=1e-6)
        assert told[FET]["indexPrice"] == pytest.approx(quotes.quote(FET).index, rel=1e-6)
        assert told[FET]["timestamp"] == here.market.clock.now_ms()
        best = quotes.depth(FET, 1)
        row = (await soon(books))[FET]
        assert (row["bid"], row["ask"]) == (float(best.bids[0][0]), float(best.asks[0][0]))
        assert (await soon(days))[NEAR]["last"] == pytest.approx(quotes.quote(NEAR).last, rel=1e-3)


async def test_a_listen_key_lives_for_an_hour_unless_it_is_kept() -> None:
    market = small_market()
    key = "sandbox-hedge-key"

    def ask(method: str) -> tuple[int, Any]:
        status, document = market.raw(method, "/fapi/v1/listenKey", key=key)
        return status, document

    assert ask("PUT") == (400, {"code": -1125, "msg": "This listenKey does not exist."})
    status, first = ask("POST")
    assert (status, set(first)) == (200, {"listenKey"})
    market.advance(VALID_MS - 1)
    assert ask("POST") == (200, first)  # the running one, kept
    market.advance(VALID_MS - 1)
    assert ask("PUT")[0] == 200
    market.advance(VALID_MS)
    assert ask("PUT")[0] == 400
    assert ask("POST")[1] != first
    assert ask("DELETE") == (200, {})
    assert ask("PUT")[0] == 400
    assert market.raw("POST", "/fapi/v1/listenKey")[0] == 401
    assert first["listenKey"] not in repr(market.face.listen_keys.__dict__)


async def test_an_expired_key_is_told_once_and_opens_nothing_more() -> None:
    async with stage() as here, aiohttp.ClientSession() as session:
        answer = await here.rest.fapiPrivatePostListenKey()
        url = f"http://{here.server.host}/private/ws?listenKey={answer['listenKey']}"
        async with session.ws_connect(url) as socket:
            await here.sockets(1)
            here.market.advance(VALID_MS)
            message = json.loads((await soon(socket.receive())).data)
            assert message["e"] == "listenKeyExpired"
            here.market.exchange.transfer(
                here.market.exchange.account_by_key("sandbox-hedge-key"), Decimal(5)
            )
            with pytest.raises(TimeoutError):  # connected, and says no more
                await asyncio.wait_for(socket.receive(), 0.1)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url)
        assert refused.value.status == 401


async def test_subscriptions_are_answered_and_wrong_ones_refused() -> None:
    async with stage() as here, aiohttp.ClientSession() as session:
        address = f"http://{here.server.host}"
        async with session.ws_connect(f"{address}/market/ws") as socket:

            async def say(document: object) -> Any:
                await socket.send_str(json.dumps(document))
                return json.loads((await soon(socket.receive())).data)

            name = "fetusdt@markPrice"
            asked = {"method": "SUBSCRIBE", "params": [name], "id": 1}
            assert await say(asked) == {"result": None, "id": 1}
            listed = await say({"method": "LIST_SUBSCRIPTIONS", "id": 2})
            assert listed == {"result": [name], "id": 2}
            for wrong in ("fetusdt@bookTicker", "fetusdt@depth", "x"):
                refused = await say({"method": "SUBSCRIBE", "params": [wrong], "id": 3})
                assert refused["error"]["code"] == 2
            assert (await say([]))["error"]["code"] == 3
            for _ in range(4):  # every three seconds, since it has no @1s
                here.market.advance(1_000)
            rows = [json.loads((await soon(socket.receive())).data) for _ in range(2)]
            assert rows[1]["E"] - rows[0]["E"] == 3_000
            assert await say({**asked, "method": "UNSUBSCRIBE"}) == {"result": None, "id": 1}
        async with session.ws_connect(f"{address}/public/ws/fetusdt@bookTicker") as socket:
            here.market.advance(1_000)
            assert json.loads((await soon(socket.receive())).data)["s"] == "FETUSDT"


async def test_messages_have_every_key_of_the_published_examples() -> None:
    if not EXAMPLES.exists():
        pytest.skip("no published examples beside this tree")
    examples = json.loads(EXAMPLES.read_text())
    async with stage() as here, aiohttp.ClientSession() as session:
        pairs = (
            ("market", "fetusdt@markPrice@1s", "MarkPriceStream"),
            ("market", "!markPrice@arr@1s", "MarkPriceStreamForAllMarket"),
            ("market", "fetusdt@miniTicker", "IndividualSymbolMiniTickerStream"),
            ("public", "fetusdt@bookTicker", "IndividualSymbolBookTickerStreams"),
            ("public", "!bookTicker", "AllBookTickersStream"),
        )
        for kind, name, example in pairs:
            url = f"http://{here.server.host}/{kind}/ws/{name}"
            async with session.ws_connect(url) as socket:
                here.market.advance(1_000)
                told = json.loads((await soon(socket.receive())).data)
            wanted = examples[f"ws:websocketstreams:{example}"]["response"]
            if isinstance(wanted, list):
                told, wanted = told[0], wanted[0]
            assert {k: type(v) for k, v in wanted.items()}.items() <= {
                k: type(v) for k, v in told.items()
            }.items(), name


async def test_a_cut_connection_raises_and_what_was_missed_never_comes() -> None:
    import ccxt

    async with stage() as here:
        waiting = asyncio.ensure_future(here.pro.watch_orders())
        await here.sockets(1)
        assert await here.server.streams.cut("private") == 1
        with pytest.raises(ccxt.NetworkError):
            await soon(waiting)
        account = here.market.exchange.account_by_key("sandbox-hedge-key")
        assert account is not None
        here.market.exchange.transfer(account, Decimal(5))
        again = asyncio.ensure_future(here.pro.watch_balance())
        await here.sockets(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(again, 0.1)
        assert not here.server.streams.sockets("market")


async def test_the_exchange_makes_no_events_while_nobody_is_connected() -> None:
    async with stage() as here:
        assert not here.market.exchange.bus.heard
        waiting = asyncio.ensure_future(here.pro.watch_orders())
        await here.sockets(1)
        assert here.market.exchange.bus.heard
        waiting.cancel()
        await here.pro.close()
        for _ in range(100):
            if not here.market.exchange.bus.heard:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("still listened to")
