"""How often clients ask: by their own windows, by what exchanges tell, and cancels at once."""

import asyncio
import time
from datetime import UTC
from email.utils import format_datetime
from typing import Any

import ccxt.async_support
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SystemClock
from bot.errors import UnreachableError
from bot.trading.orders import Acknowledged, NotAccepted
from bot.venues.ccxt_controlled import ControlledVenue
from bot.venues.ccxt_market import reading
from bot.venues.ccxt_pacing import SHARE, Allowance, pace, retry_after_s
from bot.venues.clients import make_client
from tests.execute_scene import order
from tests.venue_plays import PLAYS, SYMBOLS
from tests.venue_scene import CLIENT_ID, VENUES, client, said, serving, text

HALF_USED = {
    "binanceusdm": {"X-MBX-USED-WEIGHT-1M": "1200"},
    "bybit": {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "5"},
    "gate": {"X-Gate-RateLimit-Limit": "200", "X-Gate-RateLimit-Requests-Remain": "100"},
}
ALL_USED = {
    "binanceusdm": {"X-MBX-USED-WEIGHT-1M": "2400"},
    "bybit": {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "0"},
    "gate": {"X-Gate-RateLimit-Limit": "200", "X-Gate-RateLimit-Requests-Remain": "0"},
}


@pytest.mark.parametrize("venue", VENUES)
def test_a_client_takes_half_of_the_limit_in_a_rolling_window(venue: str) -> None:
    plain = getattr(ccxt.async_support, venue)()
    exchange = make_client(venue)
    window = exchange.throttler.config
    assert window["algorithm"] == "rollingWindow"
    assert window["windowSize"] >= 1000.0
    # What one window lets through, against what ccxt takes for the exchange's limit.
    most = window["windowSize"] / plain.rateLimit
    assert window["maxWeight"] == pytest.approx(SHARE * most)


@pytest.mark.parametrize("venue", VENUES)
async def test_a_question_that_is_dearer_than_a_window_takes_all_of_it(venue: str) -> None:
    exchange = make_client(venue)
    async with asyncio.timeout(1.0):
        await exchange.throttle(10**6)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await exchange.throttle(1)
    await exchange.close()


@pytest.mark.parametrize("venue", sorted(HALF_USED))
def test_what_the_exchange_tells_of_its_limit_pauses_questions(venue: str) -> None:
    one = Allowance(venue)
    one.note(200, {}, 100.0)
    one.note(200, HALF_USED[venue], 100.0)
    assert one.pause_s(100.0) == 0.0
    one.note(200, ALL_USED[venue], 100.0)
    assert one.pause_s(100.0) == 10.0
    assert one.pause_s(107.0) == 3.0
    one.note(200, HALF_USED[venue], 101.0)
    assert one.pause_s(101.0) == 0.0, "a new window has begun"


@given(
    venue=st.sampled_from(VENUES),
    status=st.sampled_from([200, 403, 418, 429, 503]),
    headers=st.dictionaries(
        st.sampled_from(
            [
                *(n for h in HALF_USED.values() for n in h),
                *("Retry-After", "x-mbx-used-weight-1m", "Date"),
            ]
        ),
        st.one_of(
            st.integers(-5, 10**12).map(str),
            st.text(max_size=6),
            st.datetimes().map(lambda at: format_datetime(at.replace(tzinfo=UTC), usegmt=True)),
        ),
    ),
)
def test_no_header_stops_questions_for_ever(
    venue: str, status: int, headers: dict[str, str]
) -> None:
    one = Allowance(venue)
    one.note(status, headers, 5.0)
    assert 0.0 <= one.pause_s(5.0) <= 10.0
    assert 0.0 <= one.closed_s(5.0) <= 3 * 86_400
    assert one.closed_s(5.0) == 0.0 or status in (403, 418, 429)


NOON = "Sun, 15 Jun 2025 12:00:00 GMT"


@pytest.mark.parametrize(
    ("told", "date", "seconds"),
    [
        ("30", NOON, 30.0),
        ("Sun, 15 Jun 2025 12:01:30 GMT", NOON, 90.0),
        ("Sunday, 15-Jun-25 12:01:30 GMT", NOON, 90.0),  # both old forms that HTTP still knows
        ("Sun Jun 15 12:01:30 2025", NOON, 90.0),
        ("Sun, 15 Jun 2025 11:59:00 GMT", NOON, 0.0),
        ("Sun, 15 Jun 2098 12:00:00 GMT", NOON, 3 * 86_400.0),
        ("Sun, 15 Jun 2025 12:01:30 GMT", "", None),
        ("Sun, 99 Jun 2025 12:01:30 GMT", NOON, None),
        ("soon", NOON, None),
        ("-30", NOON, None),
    ],
)
def test_how_long_to_wait_is_told_in_seconds_or_by_a_date(
    told: str, date: str, seconds: float | None
) -> None:
    assert retry_after_s({"retry-after": told, "Date": date}) == seconds


async def test_questions_wait_and_orders_and_cancels_do_not() -> None:
    """The real client of an exchange whose address has used up its allowance."""
    play = PLAYS["binanceusdm"]
    async with serving(play) as (server, host):
        data, trading = client("binanceusdm", host), client("binanceusdm", host)
        clock = [0.0]
        for one in (data, trading):
            pace(one, lambda: clock[0])
        await data.load_markets()
        await trading.load_markets()
        server.answers["GET /fapi/v1/time"] = said(
            {"serverTime": 1}, headers={"X-MBX-USED-WEIGHT-1M": "2400"}
        )
        adapter = ControlledVenue(trading, "hedge", SystemClock())
        await data.fetch_time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await data.fetch_time()
        clock[0] = 11.0
        await data.fetch_time()
        await trading.fetch_time()
        found = await adapter.find(SYMBOLS["binanceusdm"], CLIENT_ID)
        assert isinstance(found, Acknowledged), "what is about orders does not wait"
        await adapter.close()
        await data.close()


async def test_a_ban_is_kept_to_by_all_questions_and_lifted_in_time() -> None:
    play = PLAYS["binanceusdm"]
    async with serving(play) as (server, host):
        exchange = client("binanceusdm", host)
        clock = [0.0]
        pace(exchange, lambda: clock[0])
        await exchange.load_markets()
        busy = text('{"code": -1003, "msg": "banned"}', 418, "application/json", Retry_After="40")
        server.answers["GET /fapi/v1/time"] = busy
        with pytest.raises(UnreachableError), reading("binanceusdm", "time"):
            await exchange.fetch_time()
        server.answers["GET /fapi/v1/time"] = said({"serverTime": 1})
        asked = len(server.asked)
        clock[0] = 39.0
        with pytest.raises(UnreachableError, match="left alone"), reading("binanceusdm", "time"):
            await exchange.fetch_time()
        assert len(server.asked) == asked, "nothing left"
        clock[0] = 41.0
        assert await exchange.fetch_time() == 1
        await exchange.close()


@pytest.mark.parametrize("venue", ["okx", "binanceusdm"])
async def test_a_cancel_waits_for_no_turn(venue: str) -> None:
    """The client's own window is full for a minute."""
    play = PLAYS[venue]
    async with serving(play) as (server, host):
        exchange = client(venue, host)
        exchange.enableRateLimit = True
        if venue == "binanceusdm":  # which is made for loopback, where nothing is paced
            pace(exchange)
        adapter = ControlledVenue(exchange, "hedge", SystemClock())
        await adapter._markets.load()
        full = exchange.throttler.config["maxWeight"]
        window_ms = exchange.throttler.config["windowSize"] = 60_000.0
        now_ms = time.time() * 1000
        exchange.throttler.timestamps = [{"timestamp": now_ms, "cost": full}]
        assert window_ms == 60_000.0
        cancels: list[str] = []

        async def cancelled(request: web.BaseRequest, body: str) -> web.StreamResponse:
            cancels.append(request.query_string + body)
            return await said(play.taken)(request, body)

        for name in ("DELETE /fapi/v1/order", "POST /api/v5/trade/cancel-order"):
            server.answers[name] = cancelled
        async with asyncio.timeout(1.0):
            await adapter.cancel(SYMBOLS[venue], CLIENT_ID)
        assert len(cancels) == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await adapter.place(order(CLIENT_ID, symbol=SYMBOLS[venue], price="0.5"))
        assert server.orders == []
        await adapter.close()


async def test_an_order_in_a_ban_is_still_the_exchanges_to_judge() -> None:
    """It is not sent where the exchange told the sender; what it told others is not held back."""
    play = PLAYS["binanceusdm"]
    async with serving(play) as (server, host):
        exchange = client("binanceusdm", host)
        pace(exchange)
        adapter = ControlledVenue(exchange, "hedge", SystemClock())
        server.order = text("<html>busy</html>", 429, Retry_After="30")
        request: Any = order(CLIENT_ID, symbol=SYMBOLS["binanceusdm"], price="0.5")
        for code in ("429", "backing-off"):
            outcome = await adapter.place(request)
            assert isinstance(outcome, NotAccepted)
            assert outcome.code == code
        assert len(server.orders) == 1
        await adapter.close()
