"""Lines that break before a word is said: names, sockets and TLS, with the real clients."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bot.clock import SystemClock
from bot.errors import UnreachableError
from bot.feeds.live import LiveFeed
from bot.logs import silent_log
from bot.trading.orders import UnknownOutcome
from bot.venues.ccxt_controlled import ControlledVenue
from tests.execute_scene import order
from tests.test_venues_keys import LEAKS, chain_of
from tests.tls_scene import certified
from tests.venue_plays import PLAYS, SYMBOLS
from tests.venue_scene import CLIENT_ID, VENUES, _moved, client, serving

KINDS = ("no such name", "refused", "not trusted", "no TLS")


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate for this machine that nobody vouches for."""
    return certified(tmp_path_factory.mktemp("tls"))[0]


@asynccontextmanager
async def broken_line(kind: str, context: ssl.SSLContext) -> AsyncIterator[tuple[str, list[str]]]:
    """An origin where nothing works, and what reached it all the same."""
    came: list[str] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        came.append(f"{request.method} {request.path}")
        return web.json_response({})

    if kind == "no such name":
        yield "https://exchange.invalid", came
        return
    if kind == "refused":
        with socket.socket() as taken:  # bound, and nobody listens
            taken.bind(("127.0.0.1", 0))
            yield f"https://127.0.0.1:{taken.getsockname()[1]}", came
        return
    runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    tls = context if kind == "not trusted" else None
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}", came
    finally:
        await runner.cleanup()


def without_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """No resolver answers, as on a machine without a network."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await real(host, *rest, **more)

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("venue", VENUES)
async def test_nobody_knows_of_an_order_and_no_read_is_believed(
    venue: str,
    untrusted: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    without_names(monkeypatch)
    async with serving(PLAYS[venue]) as (server, host):
        exchange = client(venue, host)
        adapter = ControlledVenue(exchange, "hedge", SystemClock())
        request = order(CLIENT_ID, symbol=SYMBOLS[venue], price="0.5")
        await adapter.place(request)  # whatever a client asks before its first order is known now
        sent = len(server.orders)
        good, texts = exchange.urls["api"], []
        for kind in KINDS:
            async with broken_line(kind, untrusted) as (origin, came):
                exchange.urls["api"] = _moved(good, origin)
                outcome = await adapter.place(request)
                found = await adapter.find(SYMBOLS[venue], CLIENT_ID)
                assert isinstance(outcome, UnknownOutcome), (kind, outcome)
                assert isinstance(found, UnknownOutcome), (kind, found)
                assert not await adapter.cancel(SYMBOLS[venue], CLIENT_ID), kind
                with pytest.raises(UnreachableError) as caught:
                    await adapter.account()
                assert came == []
                texts += [repr(outcome), repr(found), chain_of(caught.value)]
                assert not any(part in texts[-1] for part in ("127.0.0.1", ".invalid", "://"))
        assert len(server.orders) == sent
        await adapter.close()
    everything = "\n".join([*texts, caplog.text])
    assert not [secret for secret in LEAKS if secret in everything]


@pytest.mark.parametrize("venue", ["okx", "hyperliquid"])
async def test_market_data_is_out_of_reach_and_follows_nobody_elsewhere(
    venue: str, untrusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_names(monkeypatch)
    async with serving(PLAYS[venue]) as (server, host):
        exchange = client(venue, host)
        feed = LiveFeed(exchange, SystemClock(), silent_log(SystemClock()))
        good = exchange.urls["api"]
        for kind in KINDS:
            async with broken_line(kind, untrusted) as (origin, _):
                exchange.urls["api"] = _moved(good, origin)
                with pytest.raises(UnreachableError) as caught:
                    await feed.instruments()
                assert not any(part in str(caught.value) for part in ("127.0.0.1", "://"))
        exchange.urls["api"] = good

        async def moved(_request: web.BaseRequest, _body: str) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": "/elsewhere"})

        for name in PLAYS[venue].markets:
            server.answers[name] = moved
        with pytest.raises(UnreachableError):
            await feed.instruments()
        assert not [one for one in server.asked if "elsewhere" in one]
        await feed.close()
