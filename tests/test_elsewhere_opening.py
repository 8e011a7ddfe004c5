"""Which exchanges' own data an engine would read, by its settings."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from bot.clock import SimulatedClock, SystemClock
from bot.errors import VenueError
from bot.feeds.live import LiveFeed
from bot.logs import stderr_log
from bot.ports import Clock
from bot.surroundings import Surroundings, open_other_venues
from config.load import load_settings
from config.settings import Settings
from tests.bot_server_scene import answering

HOST = "127.0.0.1:18081"


def settings_of(folder: Path, more: str, venue: str = "") -> Settings:
    file = folder / "my.yaml"
    file.write_text(
        f"mode: paper\nstate_dir: {folder}/state\n"
        f"venue: {{exchange: binanceusdm, account: h{venue}}}\n"
        f"sources: [{{kind: file, name: a, path: p.json, exchange: bybit}}]\n{more}"
    )
    return load_settings(file)


def opened(settings: Settings, clock: Clock | None = None) -> Any:
    clock = clock or SystemClock()
    return open_other_venues(settings, Surroundings(clock), stderr_log(clock, "error"))


def test_by_default_every_exchange_that_can_be_read(tmp_path: Path) -> None:
    venues = opened(settings_of(tmp_path, ""))
    assert {e: venues.venue_of(e) for e in ("bybit", "gateio", "okx", "binance", "dydx", None)} == {
        "bybit": "bybit",
        "gateio": "gate",
        "okx": "okx",
        "binance": None,
        "dydx": None,
        None: None,
    }


def test_none_where_positions_are_mapped(tmp_path: Path) -> None:
    assert opened(settings_of(tmp_path, "universe: {other_venues: map}")) is None


async def test_beside_a_simulated_exchange_only_what_is_named(tmp_path: Path) -> None:
    simulated = f", urls_host: '{HOST}'"
    venues = opened(settings_of(tmp_path, "", simulated))
    assert venues.venue_of("bybit") is None
    named = f"data: {{venues: [{{exchange: bybit, urls_host: '{HOST}'}}]}}"
    venues = opened(settings_of(tmp_path, named, simulated))
    assert venues.venue_of("bybit") == "bybit"
    assert venues.venue_of("okx") is None
    feed = venues.feed("bybit")
    assert isinstance(feed, LiveFeed)
    assert feed._exchange.urls["api"]["fapiPublic"] == f"http://{HOST}/fapi/v1"
    await venues.close()


@pytest.mark.parametrize(("exchange", "address"), [("bybit", "api-testnet"), ("gate", "testnet")])
async def test_a_test_network_is_another_market(
    tmp_path: Path, exchange: str, address: str
) -> None:
    more = f"data: {{venues: [{{exchange: {exchange}, testnet: true}}]}}"
    venues = opened(settings_of(tmp_path, more))
    client = venues.feed(exchange)._exchange
    assert client.id == exchange
    assert address in str(client.urls["api"])
    assert not client.apiKey
    cache = venues.feed(exchange)._bars._cache
    assert f"of-{exchange}" in str(cache._folder)
    await venues.close()


async def test_each_has_a_client_of_its_own_without_a_key(tmp_path: Path) -> None:
    venues = opened(settings_of(tmp_path, ""))
    bybit, okx = (venues.feed(one)._exchange for one in ("bybit", "okx"))
    assert (bybit.id, okx.id) == ("bybit", "okx")
    assert bybit.throttler is not okx.throttler
    assert not bybit.apiKey
    assert not okx.apiKey
    assert venues.feed("bybit")._exchange is bybit
    await venues.close()


async def test_an_exchange_where_nothing_is_held_any_more_leaves_no_socket_open(
    tmp_path: Path,
) -> None:
    async def nothing(_: web.Request) -> web.StreamResponse:
        return web.json_response({"code": -1, "msg": "later"}, status=400)

    clock = SimulatedClock(1_795_390_827_000)
    async with answering(nothing) as url:
        host = f", urls_host: '{urlsplit(url).netloc}'"
        more = f"data: {{venues: [{{exchange: bybit{host}}}]}}"
        venues = opened(settings_of(tmp_path, more, host), clock)
        with pytest.raises(VenueError, match=r"^bybit: "):
            await venues.listings({"bybit": {"FET/USDT:USDT"}})
        client = venues.feed("bybit")._exchange
        session = client.session
        assert not session.closed
        clock.advance_to(clock.now_ms() + 3_600_001)
        await venues.listings({})
        assert session.closed
        assert venues.feed("bybit")._exchange is not client
        await venues.close()
