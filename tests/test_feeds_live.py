"""The live feed: the real ccxt client over HTTP against a simulated exchange with holes."""

import asyncio
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ccxt
import ccxt.async_support
import numpy as np
import pytest

from bot.clock import SimulatedClock
from bot.errors import UnreachableError, VenueError
from bot.feeds.live import LiveFeed
from bot.feeds.live_bars import Progress
from bot.feeds.tape import DAY_MS
from bot.logs import open_log
from bot.venues.clients import make_client
from risk.errors import DataError, PerphedgeError
from risk.returns import HOUR_MS
from tests.live_feed_scene import BTC, FET, NEW, START, asked, stage


async def test_backfill_is_the_exchange_s_history_with_progress() -> None:
    async with stage() as one:
        seen: list[Progress] = []
        panel, requests = await asked(one, one.feed(on_progress=seen.append))
        truth = one.tape.panel([BTC, FET, NEW], one.now - 60 * DAY_MS, one.now, one.now)
        np.testing.assert_array_equal(panel.open_ms, truth.open_ms)
        np.testing.assert_array_equal(panel.close, truth.close)
        np.testing.assert_allclose(panel.quote_volume_usd, truth.quote_volume_usd, rtol=1e-12)
        assert requests == 2 + 2 + 1  # 1,439 hours in pages of 1,000; 480 since the listing
        assert [p.done_hours for p in seen if p.symbol == BTC] == [1000, 1439]
        assert {p.symbol for p in seen} == {BTC, FET, NEW}
        assert all(p.done_hours <= p.total_hours for p in seen)


async def test_instruments_are_those_of_the_exchange() -> None:
    async with stage() as one:
        found = await one.feed().instruments()
        assert found == {
            symbol: replace(truth, max_quantity=found[symbol].max_quantity)
            for symbol, truth in one.tape.instruments.items()
        }
        assert found[NEW].funding_interval_hours == 1.0


async def test_quotes_take_three_requests_for_all_symbols() -> None:
    async with stage() as one:
        feed = one.feed(open_interest=True)
        await asked(one, feed)
        before = one.requests
        quotes = await feed.quotes([FET, BTC, "XXX/USDT:USDT"])
        assert one.requests - before == 3 + 2
        truth = one.tape.quotes(one.now)
        for symbol in (BTC, FET):
            quote = quotes[symbol]
            for name in ("last", "bid", "ask", "funding_interval_hours", "next_funding_ms"):
                assert getattr(quote, name) == getattr(truth[symbol], name), name
            assert quote.mark == pytest.approx(truth[symbol].mark, rel=1e-7)
            assert quote.index == pytest.approx(truth[symbol].index, rel=1e-7)
            assert quote.funding_rate == pytest.approx(truth[symbol].funding_rate, abs=1e-8)
            assert quote.volatility_daily == pytest.approx(truth[symbol].volatility_daily, rel=0.1)
            assert quote.open_interest_base == pytest.approx(
                truth[symbol].open_interest_base, rel=1e-3
            )
            assert quote.timestamp_ms == one.now
        for hours, more in ((0, 0), (3, 0), (1, 2)):  # open interest every four hours
            one.advance(hours * HOUR_MS)
            before = one.requests
            await feed.quotes([FET, BTC])
            assert one.requests - before == 3 + more


async def test_several_requests_at_a_time_bring_the_same_bars() -> None:
    async with stage() as one:
        plain, _ = await asked(one, one.feed())
        wide, _ = await asked(one, one.feed(concurrency=3))
        np.testing.assert_array_equal(plain.close, wide.close)


async def test_a_symbol_that_is_not_listed_is_all_nan() -> None:
    async with stage() as one:
        panel = await one.feed().bars(["XXX/USDT:USDT", BTC], one.now - DAY_MS, one.now)
        assert np.isnan(panel.close[:, 0]).all()
        assert np.isfinite(panel.close[:, 1]).all()


async def test_an_exchange_that_is_gone_is_unreachable() -> None:
    async with stage() as one:
        feed = one.feed()
        await feed.instruments()
        host = one.host
        calls: list[Callable[[], Any]] = [
            feed.instruments,
            lambda: feed.bars([BTC], one.now - DAY_MS, one.now),
            lambda: feed.quotes([BTC]),
            lambda: feed.funding([BTC], one.now - DAY_MS, one.now),
        ]
        feed._exchange.urls["api"] = {
            key: value.replace(host, "127.0.0.1:1") if isinstance(value, str) else value
            for key, value in feed._exchange.urls["api"].items()
        }
        for call in calls:
            with pytest.raises(UnreachableError, match="binanceusdm: ") as caught:
                await call()
            assert "://" not in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "reply", "expected", "says"),
    [
        (400, b'{"code": -1121, "msg": "Invalid symbol."}', VenueError, "BadSymbol: -1121 Invalid"),
        (200, b'{"symbols": [17]}', VenueError, "parseMarket"),
        (200, b"[[[]]]", DataError, "none of 0 is an active linear perp"),
        (200, b"<html>", DataError, "the answer cannot be understood"),
        (503, b"<html>", UnreachableError, "ExchangeNotAvailable"),
        (429, b'{"code": -1003, "msg": "Too many requests"}', UnreachableError, "-1003"),
    ],
)
async def test_refusals_and_nonsense_are_told_apart(
    status: int, reply: bytes, expected: type[PerphedgeError], says: str
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = (
            f"HTTP/1.1 {status} Said\r\nContent-Length: {len(reply)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    clock = SimulatedClock(START)
    client = make_client(
        "binanceusdm",
        urls_host=f"127.0.0.1:{server.sockets[0].getsockname()[1]}",
        now_ms=clock.now_ms,
    )
    feed = LiveFeed(client, clock, open_log(None, clock))
    try:
        with pytest.raises(expected, match=says) as caught:
            await feed.instruments()
    finally:
        await feed.close()
        server.close()
        await server.wait_closed()
    assert str(caught.value).startswith("binanceusdm: ")
    assert "://" not in str(caught.value)


async def test_an_exchange_without_what_is_needed_is_refused_at_start() -> None:
    clock, text = SimulatedClock(START), io.StringIO()
    client = ccxt.async_support.mexc()
    feed = LiveFeed(client, clock, open_log(None, clock, echo=text))
    with pytest.raises(VenueError, match=r"^mexc: cannot be used, it lacks fetchFundingRates$"):
        await feed.instruments()
    await feed.close()
