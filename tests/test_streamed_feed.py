"""Quotes that a stream keeps fresh: when they are believed, and what time they bear."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SimulatedClock
from bot.feeds.live_prices import LivePrices
from bot.feeds.streamed import StreamedFeed, StreamRules
from bot.ports import Quote
from bot.venues.streams.inbox import CONFIRM_MS, StreamInbox
from tests.sim_scene import FET, START_MS, TAO, Scene

MARK_MS, READ_MS = 1_500, 30_000


class Rest:
    """What REST would say; counts how often it is asked."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock, self.asked = clock, 0
        self.price = 1.0
        self.missing: set[str] = set()

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self.asked += 1
        base = Scene().quote(FET)
        prices = dict.fromkeys(("mark", "index", "last", "bid", "ask"), self.price)
        return {
            one: replace(base, symbol=one, timestamp_ms=self.clock.now_ms(), **prices)
            for one in symbols
            if one not in self.missing
        }


class Desk:
    """A feed on a stream that stands."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(START_MS)
        self.rest: Any = Rest(self.clock)
        self.inbox, self.prices = StreamInbox("market", 5_000), LivePrices()
        rules = StreamRules(MARK_MS, READ_MS)
        self.feed = StreamedFeed(self.rest, self.prices, self.inbox, self.clock, rules)
        self.feed.complete = lambda: True
        self.inbox.connected(self.clock.now_ms())

    def told(self, symbol: str = FET, **prices: float) -> None:
        ticker = {"symbol": symbol, "timestamp": self.clock.now_ms(), **prices}
        self.prices.take(ticker, self.clock.now_ms())
        self.inbox.heartbeat(self.clock.now_ms())

    def later(self, milliseconds: int) -> None:
        self.clock.advance_to(self.clock.now_ms() + milliseconds)


async def test_streamed_prices_bear_their_own_time_and_spare_requests() -> None:
    desk = Desk()
    assert (await desk.feed.quotes([FET]))[FET].mark == 1.0
    desk.later(1_000)
    desk.told(markPrice=1.1, indexPrice=1.09)
    desk.told(bid=1.08, ask=1.12)
    desk.told(last=1.11, quoteVolume=5e6)
    desk.later(700)
    found = (await desk.feed.quotes([FET]))[FET]
    assert desk.rest.asked == 1
    assert (found.mark, found.index, found.bid, found.ask) == (1.1, 1.09, 1.08, 1.12)
    assert (found.last, found.daily_volume_usd) == (1.11, 5e6)
    assert found.timestamp_ms == desk.clock.now_ms() - 700
    assert found.funding_rate == 0.0
    assert (desk.feed.reads, desk.feed.spared) == (1, 1)


async def test_an_old_mark_price_is_read_again_and_never_passed_off_as_new() -> None:
    desk = Desk()
    await desk.feed.quotes([FET])
    desk.told(markPrice=1.1)
    desk.later(MARK_MS + 1)
    desk.told(bid=1.0, ask=1.2)  # a book is no mark price
    assert (await desk.feed.quotes([FET]))[FET].mark == 1.0
    assert desk.rest.asked == 2


async def test_nothing_is_taken_from_a_stream_that_is_not_believed() -> None:
    desk = Desk()
    desk.told(markPrice=1.1)
    await desk.feed.quotes([FET])  # REST has told since it stands
    desk.inbox.disconnected(desk.clock.now_ms(), "cut")
    desk.told(markPrice=1.1)
    await desk.feed.quotes([FET])
    desk.inbox.connected(desk.clock.now_ms())
    desk.told(markPrice=1.1)
    assert (await desk.feed.quotes([FET]))[FET].mark == 1.0
    assert desk.rest.asked == 3
    assert (await desk.feed.quotes([FET]))[FET].mark == 1.1
    desk.later(1_000)
    for later_ms in (5_001, 5_001 + CONFIRM_MS):  # others speak, this one does not
        desk.inbox.exchange_moved(desk.clock.now_ms() + later_ms)
    await desk.feed.quotes([FET])
    assert desk.rest.asked == 4


async def test_every_symbol_needs_a_whole_quote_since_the_connection_stands() -> None:
    desk = Desk()
    await desk.feed.quotes([FET, TAO])
    desk.inbox.disconnected(desk.clock.now_ms(), "cut")
    desk.inbox.connected(desk.clock.now_ms())
    await desk.feed.quotes([FET])  # the stream is believed again, of this symbol only
    for symbol in (FET, TAO):
        desk.told(symbol, markPrice=1.1)
    assert (await desk.feed.quotes([FET]))[FET].mark == 1.1
    assert desk.rest.asked == 2
    assert (await desk.feed.quotes([FET, TAO]))[TAO].mark == 1.0
    assert desk.rest.asked == 3


async def test_volumes_and_rates_are_read_again_in_time() -> None:
    desk = Desk()
    await desk.feed.quotes([FET])
    for milliseconds, asked in ((READ_MS, 1), (1, 2)):
        desk.later(milliseconds)
        desk.told(markPrice=1.1, bid=1.0, ask=1.2, last=1.1)
        await desk.feed.quotes([FET])
        assert desk.rest.asked == asked
    desk.feed.complete = lambda: False  # best and last prices are not told
    desk.later(5_001)
    desk.told(markPrice=1.1)
    await desk.feed.quotes([FET])
    assert desk.rest.asked == 3


@pytest.mark.parametrize("silent", [{"bid", "ask"}, {"last"}])
async def test_marks_alone_do_not_keep_best_and_last_prices_fresh(silent: set[str]) -> None:
    """One kind of price has stopped, and the others hide it: REST is asked again in time."""
    desk = Desk()
    await desk.feed.quotes([FET, TAO])
    for _ in range(6):
        desk.later(1_000)
        prices = {"markPrice": 1.1, "bid": 1.0, "ask": 1.2, "last": 1.1}
        for symbol in (FET, TAO):
            desk.told(symbol, **{k: v for k, v in prices.items() if k not in silent})
        await desk.feed.quotes([FET, TAO])
    assert desk.rest.asked == 2


async def test_a_quiet_symbol_beside_one_that_is_told_needs_no_request() -> None:
    desk = Desk()
    await desk.feed.quotes([FET, TAO])
    for _ in range(20):
        desk.later(1_000)
        desk.told(FET, markPrice=1.1)
        desk.told(TAO, markPrice=1.1, bid=1.0, ask=1.2, last=1.1)
        await desk.feed.quotes([FET, TAO])
    assert desk.rest.asked == 1


async def test_what_rest_leaves_out_stays_out() -> None:
    desk = Desk()
    desk.rest.missing = {TAO}
    await desk.feed.quotes([FET, TAO])
    for symbol in (FET, TAO):
        desk.told(symbol, markPrice=1.1)
    assert set(await desk.feed.quotes([FET, TAO])) == {FET}
    assert desk.rest.asked == 1


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 0.0, -1.0, None, "x", True])
def test_what_is_no_price_changes_nothing(wrong: Any) -> None:
    prices = LivePrices()
    ticker = {"symbol": FET, "markPrice": wrong, "bid": wrong, "ask": 1.0, "last": wrong}
    assert not prices.take(ticker, 10)
    assert not prices.take({"symbol": FET, "bid": 2.0, "ask": 1.0}, 10)


@given(st.permutations(range(6)))
def test_prices_that_come_late_change_nothing(order: list[int]) -> None:
    prices = LivePrices()
    for k in order:
        prices.take({"symbol": FET, "timestamp": 100 + k, "markPrice": 1.0 + k}, 500)
    found = prices.quote(replace(Scene().quote(FET), timestamp_ms=0), 0)
    assert found is not None
    assert (found.mark, found.timestamp_ms) == (6.0, 105)


def test_a_time_far_ahead_does_not_keep_out_what_comes_after_it() -> None:
    prices, far = LivePrices(), 10**15  # microseconds, say
    prices.take({"symbol": FET, "timestamp": far, "markPrice": 9.0, "bid": 8.9, "ask": 9.1}, 500)
    prices.take({"symbol": FET, "timestamp": 700, "markPrice": 1.0, "bid": 0.9, "ask": 1.1}, 710)
    found = prices.quote(replace(Scene().quote(FET), timestamp_ms=0), 0)
    assert found is not None
    assert (found.mark, found.bid, found.timestamp_ms) == (1.0, 0.9, 700)
