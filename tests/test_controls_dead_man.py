"""The exchange's dead-man switch: what the real clients send, and when it is kept from firing."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import SimulatedClock, SystemClock
from bot.controls.dead_man import DeadMan
from bot.controls.facts import PretradeLimits
from bot.controls.guard import Guard
from bot.journal.journal import Journal
from bot.policy import pretrade_limits
from bot.trading.orders import Acknowledged, OrderState
from bot.venues.ccxt_controlled import ControlledVenue
from bot.venues.ccxt_dead_man import HAS_DEAD_MAN
from bot.venues.loopback import client as loopback_client
from config.load import settings_from
from tests.execute_scene import ACCOUNT, FET, NOW_MS, TAO, order, send
from tests.venue_okx import okx_reply
from tests.venue_plays import PLAYS, SYMBOLS
from tests.venue_scene import VENUES, playing, said

LIMITS = replace(PretradeLimits(), dead_man_ms=30_000)
PATHS = {
    "binanceusdm": "POST /fapi/v1/countdownCancelAll",
    "okx": "POST /api/v5/trade/cancel-all-after",
    "gate": "POST /api/v4/futures/usdt/countdown_cancel_all",
}
ARMED = {
    "binanceusdm": {"symbol": "FETUSDT", "countdownTime": "60000"},
    "okx": okx_reply([{"triggerTime": "1750000060000", "tag": "", "ts": "1750000000000"}]),
    "gate": {"triggerTime": 1750000060000},
}
DISARMED = {
    "binanceusdm": {"symbol": "FETUSDT", "countdownTime": "0"},
    "okx": okx_reply([{"triggerTime": "0", "tag": "", "ts": "1750000000000"}]),
    "gate": {"triggerTime": 0},
}
WORDS = {
    "binanceusdm": (("symbol=FETUSDT", "countdownTime=60000"), ("countdownTime=0",)),
    "okx": (('"timeOut":60',), ('"timeOut":0',)),
    "gate": (('"timeout":60', '"contract":"FET_USDT"'), ('"timeout":0',)),
}


def test_who_has_one_that_is_used() -> None:
    assert set(PATHS) == HAS_DEAD_MAN


@pytest.mark.parametrize("venue", sorted(PATHS))
async def test_it_is_armed_and_disarmed_once_and_proven(venue: str) -> None:
    symbol, sent = SYMBOLS[venue], list[str]()
    async with playing(venue, PLAYS[venue]) as (server, adapter):

        def answers(reply: Any, status: int = 200) -> None:
            async def handler(request: web.BaseRequest, body: str) -> web.StreamResponse:
                sent.append(request.query_string + body)
                return await said(reply, status)(request, body)

            server.answers[PATHS[venue]] = handler

        assert adapter.has_dead_man
        for reply, after_ms, words in (
            (ARMED[venue], 60_000, WORDS[venue][0]),
            (DISARMED[venue], 0, WORDS[venue][1]),
        ):
            answers(reply)
            assert await adapter.arm_dead_man(symbol, after_ms)
            assert all(word in sent[-1] for word in words), sent[-1]
        for nonsense, status in (
            (DISARMED[venue], 200),
            ({}, 200),
            ([], 200),
            ({"code": 1}, 400),
            ({"label": "x"}, 500),
        ):
            answers(nonsense, status)
            assert not await adapter.arm_dead_man(symbol, 60_000), nonsense
        assert not await adapter.arm_dead_man("NO/USDT:USDT", 60_000)
        assert server.orders == []


@pytest.mark.parametrize("venue", sorted(set(VENUES) - set(PATHS)))
async def test_elsewhere_nothing_is_sent(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        assert not adapter.has_dead_man
        assert not await adapter.arm_dead_man(SYMBOLS[venue], 60_000)
        assert not [one for one in server.asked if one.startswith("POST")]


async def test_one_for_the_whole_account_is_disarmed_with_the_last_symbol() -> None:
    adapter = ControlledVenue(loopback_client("127.0.0.1:9"), "hedge", SystemClock())
    switch, calls = adapter._dead_man, list[int]()

    async def observe(call: Any) -> Any:
        calls.append(1)
        return True, None

    adapter._wire.venue = "okx"
    adapter._wire.observe = observe  # type: ignore[assignment, method-assign]  # a tap on the wire
    for symbol, after_ms in ((FET, 9), (TAO, 9), (FET, 0)):
        assert await switch.arm(symbol, after_ms)
    assert len(calls) == 2
    assert await switch.arm(TAO, 0)
    assert len(calls) == 3
    await adapter.close()


class Exchange:
    """Counts down by a clock, as an exchange does."""

    account_name = ACCOUNT
    has_dead_man = True

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.works = True
        self.ends_ms: dict[str, int] = {}

    async def arm_dead_man(self, symbol: str, after_ms: int) -> bool:
        if not self.works:
            return False
        self.ends_ms.pop(symbol, None)
        if after_ms:
            self.ends_ms[symbol] = self.clock.now_ms() + after_ms
        return True

    def fired(self) -> bool:
        return any(end_ms <= self.clock.now_ms() for end_ms in self.ends_ms.values())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite", SimulatedClock(NOW_MS)) as opened:
        yield opened


def resting(journal: Journal, client_id: str = "h1rests", symbol: str = FET) -> None:
    request = replace(order(client_id, symbol=symbol), time_in_force="GTX")
    send(journal, request)
    journal.record_outcome(Acknowledged(client_id, "v1", OrderState.LIVE, Decimal(0), None))


@given(gaps_ms=st.lists(st.integers(1, 2_500), min_size=10, max_size=60))
@settings(max_examples=20)
async def test_it_never_fires_while_we_look_often_enough(
    tmp_path_factory: pytest.TempPathFactory, gaps_ms: list[int]
) -> None:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path_factory.mktemp("j") / "journal.sqlite", clock) as journal:
        exchange: Any = Exchange(clock)
        watch = DeadMan(exchange, Guard(journal, clock, ACCOUNT, LIMITS), journal, clock)
        await watch.tick()
        assert exchange.ends_ms == {}, "nothing rests"
        resting(journal)
        for gap_ms in gaps_ms:
            await watch.tick()
            clock.advance_to(clock.now_ms() + gap_ms)
            assert not exchange.fired()
        clock.advance_to(clock.now_ms() + 30_001)
        assert exchange.fired(), "and it does when nobody looks"
        assert len(journal.events(kind="dead_man_armed")) == 1, "renewing is no news"


async def test_what_no_longer_rests_is_disarmed_and_trouble_is_told(journal: Journal) -> None:
    clock = SimulatedClock(NOW_MS)
    exchange: Any = Exchange(clock)
    guard = Guard(journal, clock, ACCOUNT, LIMITS)
    watch = DeadMan(exchange, guard, journal, clock)
    resting(journal)
    exchange.works = False
    await watch.tick()
    assert [alert.control for alert in guard.alerts] == ["dead_man"]
    exchange.works = True
    await watch.tick()
    assert guard.alerts == ()
    assert set(exchange.ends_ms) == {FET}
    journal.settle("h1rests", OrderState.CANCELED, "it is over")
    exchange.works = False
    await watch.tick()
    assert set(exchange.ends_ms) == {FET}, "tried again the next time"
    exchange.works = True
    await watch.tick()
    assert exchange.ends_ms == {}
    assert len(journal.events(kind="dead_man_disarmed")) == 1


async def test_orders_that_cannot_rest_arm_nothing(journal: Journal) -> None:
    clock = SimulatedClock(NOW_MS)
    exchange: Any = Exchange(clock)
    send(journal, order("h1ioc"))
    await DeadMan(exchange, Guard(journal, clock, ACCOUNT, LIMITS), journal, clock).tick()
    assert exchange.ends_ms == {}


@pytest.mark.parametrize(
    ("ownership", "after_ms"), [("sub_account", 60_000), ("shared", None), ("hedge_mode", None)]
)
def test_it_is_never_armed_where_others_trade(
    tmp_path: Path, ownership: str, after_ms: int | None
) -> None:
    document = {
        "mode": "paper",
        "state_dir": "s",
        "venue": {"exchange": "binanceusdm", "account": "h", "ownership": ownership},
        "sources": [{"kind": "file", "name": "a", "path": "x.json"}],
    }
    assert (
        pretrade_limits(settings_from(document, where="t", base=tmp_path)).dead_man_ms == after_ms
    )
