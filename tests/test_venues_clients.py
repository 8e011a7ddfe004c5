"""Clients for data and for orders: apart, with one list of markets; and who may be traded on."""

import asyncio
import dataclasses
import shutil
import ssl
from pathlib import Path

import pytest

from bot.clock import SimulatedClock, SystemClock
from bot.errors import SafetyError
from bot.trading.orders import Acknowledged
from bot.venues.capabilities import NEEDED, require_tradable
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.clients import make_client
from tests.execute_scene import order
from tests.venue_accounts import ACCOUNTS
from tests.venue_plays import PLAYS, SYMBOLS
from tests.venue_scene import AT_MS, CLIENT_ID, VENUES, client, credentials, said, serving

HOUR_MS = 3_600_000


@pytest.mark.parametrize("venue", VENUES)
async def test_a_list_of_markets_is_read_once_for_two_clients(venue: str) -> None:
    play = dataclasses.replace(PLAYS[venue], setup={**PLAYS[venue].setup, **ACCOUNTS[venue]})
    async with serving(play) as (server, host):
        server.answers[play.find_path] = said(play.found)
        data, trading = client(venue, host), client(venue, host)
        clock = SimulatedClock(AT_MS)
        adapter = CcxtVenue(trading, "hedge", clock, markets_from=data)
        await data.load_markets()
        before = [one for one in server.asked if one in play.markets]
        outcome = await adapter.place(order(CLIENT_ID, symbol=SYMBOLS[venue], price="0.5"))
        assert isinstance(outcome, Acknowledged)
        assert [one for one in server.asked if one in play.markets] == before
        assert trading.markets is data.markets
        await data.load_markets(True)  # the feed looks for new listings
        await adapter.find(SYMBOLS[venue], CLIENT_ID)
        assert trading.markets is data.markets
        asked = len(server.asked)
        clock.advance_to(AT_MS + HOUR_MS + 1)  # and nobody else looks
        await adapter.find(SYMBOLS[venue], CLIENT_ID)
        assert [one for one in server.asked[asked:] if one in play.markets]
        assert trading.markets is data.markets
        await adapter.close()
        await data.close()


@pytest.mark.parametrize("venue", [v for v in VENUES if v != "binanceusdm"])
def test_clients_pace_themselves_by_a_rolling_window_and_read_only_what_is_traded(
    venue: str,
) -> None:
    exchange = make_client(venue, credentials=credentials(venue))
    assert exchange.enableRateLimit is True
    assert exchange.rateLimiterAlgorithm == "rollingWindow"
    assert not exchange.has["fetchCurrencies"]
    assert exchange.options["fetchMarkets"]["types"] in (["swap"], ["linear"])
    assert not exchange.options.get("maxRetriesOnFailure")


async def test_an_order_does_not_queue_behind_market_data() -> None:
    """Two clients have two limiters: one that has used up its window does not hold the other."""
    async with serving(PLAYS["okx"]) as (_, host):
        data, trading = client("okx", host), client("okx", host)
        data.enableRateLimit = trading.enableRateLimit = True
        adapter = CcxtVenue(trading, "hedge", SystemClock(), markets_from=data)
        await data.load_markets()
        burst = [asyncio.create_task(data.throttle(1000)) for _ in range(50)]
        await asyncio.sleep(0)
        async with asyncio.timeout(2):
            outcome = await adapter.place(order(CLIENT_ID, symbol=SYMBOLS["okx"], price="0.5"))
        assert isinstance(outcome, Acknowledged)
        assert not all(one.done() for one in burst), "or nothing was proven"
        for one in burst:
            one.cancel()
        await asyncio.gather(*burst, return_exceptions=True)
        await adapter.close()
        await data.close()


@pytest.mark.parametrize("venue", VENUES)
def test_the_six_can_be_traded_on(venue: str) -> None:
    lacking = require_tradable(make_client(venue))
    assert all(": " in line for line in lacking)
    assert (lacking == []) == (venue == "binanceusdm")


@pytest.mark.parametrize("venue", ["kucoinfutures", "bingx", "paradex"])
def test_others_are_refused_with_a_list_of_those_that_are_not(venue: str) -> None:
    with pytest.raises(SafetyError, match=f"{venue}: no orders are sent there") as caught:
        require_tradable(make_client(venue))
    for one in VENUES:
        assert one in str(caught.value)


def test_what_is_missing_is_named() -> None:
    exchange = make_client("okx")
    exchange.has = {**exchange.has, "fetchMyTrades": False, "cancelOrder": None}
    with pytest.raises(SafetyError, match="it lacks cancelOrder, fetchMyTrades") as caught:
        require_tradable(exchange)
    assert set(NEEDED) >= {"cancelOrder", "fetchMyTrades"}
    assert "\n" not in str(caught.value)


async def test_clients_share_one_set_of_root_certificates(tmp_path: Path) -> None:
    """Unless one is told to trust others, or opens with a context of its own."""
    other = tmp_path / "others.pem"
    shutil.copy(make_client("okx").cafile, other)
    one, two, three, four = (make_client(name) for name in ("okx", "gate", "okx", "okx"))
    three.cafile = str(other)
    own = four.ssl_context = ssl.create_default_context()
    for exchange in (one, two, three, four):
        exchange.open()
        await exchange.close()
    assert one.ssl_context is two.ssl_context
    assert one.ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert one.ssl_context.check_hostname
    assert three.ssl_context not in (one.ssl_context, None)
    assert four.ssl_context is own
