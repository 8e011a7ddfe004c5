"""Data of other exchanges: names, when they are asked, and what happens when they do not answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SimulatedClock
from bot.elsewhere import at_venue, is_elsewhere, parted
from bot.errors import UnreachableError, VenueError
from bot.feeds import other_venues
from bot.feeds.other_venues import OtherVenues
from bot.feeds.router import RoutedFeed
from bot.feeds.tape import DAY_MS
from bot.feeds.tape_feed import TapeFeed
from risk.errors import DataError
from risk.instrument import Instrument
from risk.returns import HOUR_MS
from tests.cycle_scene import BTC, FET, HISTORY_DAYS, TAO, small_tape
from tests.elsewhere_scene import BASIS, BYBIT, EXTRA_FUNDING, PREMIUM, FarFeed, others

FAR_FET, FAR_TAO = f"{FET}@{BYBIT}", f"{TAO}@{BYBIT}"
TAPE = small_tape()


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(TAPE.start_ms + HISTORY_DAYS * DAY_MS + 17 * 60_000)


@pytest.fixture
def far(clock: SimulatedClock) -> FarFeed:
    return FarFeed(TAPE, clock)


@pytest.fixture
def routed(clock: SimulatedClock, far: FarFeed) -> RoutedFeed:
    return RoutedFeed(TapeFeed(TAPE, clock), others(far, clock))


@given(
    st.text(st.characters(exclude_characters="@"), min_size=1),
    st.text(st.characters(exclude_characters="@"), min_size=1),
)
def test_a_name_comes_apart_as_it_was_put_together(symbol: str, venue: str) -> None:
    assert parted(at_venue(symbol, venue)) == (symbol, venue)
    assert is_elsewhere(at_venue(symbol, venue))
    assert parted(symbol) == (symbol, None)
    assert not is_elsewhere(symbol)


async def test_nothing_but_the_hedge_venue_is_asked_for_its_own(
    clock: SimulatedClock, far: FarFeed, routed: RoutedFeed
) -> None:
    end_ms = clock.now_ms()
    home = TapeFeed(TAPE, clock)
    panel = await routed.bars([BTC, FET], end_ms - DAY_MS, end_ms)
    direct = await home.bars([BTC, FET], end_ms - DAY_MS, end_ms)
    np.testing.assert_array_equal(panel.close, direct.close)
    assert await routed.quotes([FET]) == await home.quotes([FET])
    assert (await routed.funding([FET], end_ms - DAY_MS, end_ms)).keys() == {FET}
    assert await routed.instruments() == await home.instruments()
    assert far.asked == []


async def test_each_exchange_tells_its_own_contracts(
    clock: SimulatedClock, far: FarFeed, routed: RoutedFeed
) -> None:
    end_ms = clock.now_ms()
    symbols = (FAR_TAO, BTC, FAR_FET, FET)
    panel = await routed.bars(symbols, end_ms - DAY_MS, end_ms)
    assert panel.symbols == symbols
    higher = 1 + BASIS * (panel.open_ms // HOUR_MS % 2)
    np.testing.assert_allclose(panel.close[:, 2], panel.close[:, 3] * higher, rtol=1e-12)
    assert not np.isnan(panel.quote_volume_usd).any()

    quotes = await routed.quotes(symbols)
    assert {s: q.symbol for s, q in quotes.items()} == {s: s for s in symbols}
    assert quotes[FAR_FET].mark == pytest.approx(quotes[FET].mark * (1 + PREMIUM), rel=1e-12)

    paid = await routed.funding(symbols, end_ms - 5 * DAY_MS, end_ms)
    assert paid[FAR_FET].symbol == FAR_FET
    np.testing.assert_allclose(paid[FAR_FET].rate, paid[FET].rate + EXTRA_FUNDING)
    assert ("quotes", (TAO, FET)) in far.asked  # by its own names, all in one request
    assert await routed.depth_usd(FAR_FET, 0.01) == {}
    await routed.close()
    assert far.closed


async def test_an_hour_that_only_one_exchange_has_ended_is_missing_on_the_other(
    clock: SimulatedClock,
) -> None:
    ahead = SimulatedClock(clock.now_ms() + HOUR_MS)
    end_ms = ahead.now_ms()
    early = RoutedFeed(TapeFeed(TAPE, ahead), others(FarFeed(TAPE, clock), clock))
    panel = await early.bars([FET, FAR_FET], end_ms - DAY_MS, end_ms)
    assert np.isnan(panel.close[:, 1]).tolist() == [False] * (len(panel.open_ms) - 1) + [True]
    late = RoutedFeed(TapeFeed(TAPE, clock), others(FarFeed(TAPE, ahead), ahead))
    panel = await late.bars([FET, FAR_FET], end_ms - DAY_MS, end_ms)
    assert not np.isnan(panel.close).any()


@pytest.mark.parametrize(
    "error",
    [UnreachableError("no route"), VenueError("maintenance"), DataError("tickers: no list")],
)
async def test_one_that_fails_raises_with_its_name_and_gives_nothing(
    clock: SimulatedClock, far: FarFeed, routed: RoutedFeed, error: Exception
) -> None:
    far.error = error
    end_ms = clock.now_ms()
    for call in (
        lambda: routed.quotes([BTC, FAR_FET]),
        lambda: routed.bars([BTC, FAR_FET], end_ms - DAY_MS, end_ms),
        lambda: routed.funding([BTC, FAR_FET], end_ms - DAY_MS, end_ms),
    ):
        with pytest.raises(type(error), match=f"^bybit: {error}"):
            await call()
    assert (await routed.quotes([BTC])).keys() == {BTC}


async def test_one_that_says_nothing_is_given_up(
    clock: SimulatedClock, far: FarFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(FarFeed):
        async def instruments(self) -> Mapping[str, Instrument]:
            await asyncio.sleep(60)
            return {}

    monkeypatch.setattr(other_venues, "ANSWER_SECONDS", 0.05)
    silent = others(Silent(TAPE, clock), clock)
    with pytest.raises(UnreachableError, match=r"bybit: no answer within 0\.05 s"):
        await silent.listings({BYBIT: {FET}})


class _Held:
    """Never answers; tells whether somebody still waits."""

    def __init__(self) -> None:
        self.waiting = 0

    async def __call__(self, *_: object) -> Any:
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.waiting -= 1


@pytest.mark.parametrize("what", ["bars", "quotes", "funding", "depth_usd"])
async def test_no_question_to_one_that_says_nothing_holds_the_cycle(
    clock: SimulatedClock, far: FarFeed, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    silent, end_ms = _Held(), clock.now_ms()
    monkeypatch.setattr(far, what, silent)
    monkeypatch.setattr(other_venues, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(other_venues, "HISTORY_SECONDS", 0.06)
    routed = RoutedFeed(TapeFeed(TAPE, clock), others(far, clock))
    ask = {
        "bars": lambda: routed.bars([BTC, FAR_FET], end_ms - DAY_MS, end_ms),
        "quotes": lambda: routed.quotes([BTC, FAR_FET]),
        "funding": lambda: routed.funding([BTC, FAR_FET], end_ms - DAY_MS, end_ms),
        "depth_usd": lambda: routed.depth_usd(FAR_FET, 0.01),
    }[what]
    with pytest.raises(UnreachableError, match=r"bybit: no answer within 0\.0[56] s"):
        async with asyncio.timeout(20):
            await ask()
    assert silent.waiting == 0


async def test_no_question_goes_on_once_another_failed(
    clock: SimulatedClock, far: FarFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, slow = TapeFeed(TAPE, clock), _Held()
    for what in ("bars", "quotes", "funding"):
        monkeypatch.setattr(home, what, slow)
    far.error = UnreachableError("no route")
    routed, end_ms = RoutedFeed(home, others(far, clock)), clock.now_ms()
    for call in (
        lambda: routed.quotes([BTC, FAR_FET]),
        lambda: routed.bars([BTC, FAR_FET], end_ms - DAY_MS, end_ms),
        lambda: routed.funding([BTC, FAR_FET], end_ms - DAY_MS, end_ms),
    ):
        with pytest.raises(UnreachableError, match=r"^bybit: no route"):
            await call()
        assert slow.waiting == 0


async def test_of_several_lists_none_is_read_on_once_one_failed(clock: SimulatedClock) -> None:
    bad, slow = FarFeed(TAPE, clock), _Held()
    bad.error = VenueError("maintenance")
    good = FarFeed(TAPE, clock)
    good.instruments = slow  # type: ignore[method-assign]
    feeds = {"okx": good, BYBIT: bad}
    venues = OtherVenues(feeds.__getitem__, clock, home="binance", readable=feeds)
    with pytest.raises(VenueError, match="bybit: maintenance"):
        await venues.listings({"okx": {FET}, BYBIT: {FET}})
    assert slow.waiting == 0


async def test_one_where_nothing_is_held_any_more_is_closed_and_opened_anew(
    clock: SimulatedClock,
) -> None:
    opened: list[FarFeed] = []

    def open_feed(_: str) -> FarFeed:
        opened.append(FarFeed(TAPE, clock))
        return opened[-1]

    venues = OtherVenues(open_feed, clock, home="binance", readable=(BYBIT,))
    for _ in range(3):
        await venues.listings({BYBIT: {FET}})
        clock.advance_to(clock.now_ms() + 1_800_000)
        await venues.listings({})
    assert [one.closed for one in opened] == [False]
    clock.advance_to(clock.now_ms() + 1_800_001)
    await venues.listings({})
    assert [one.closed for one in opened] == [True]
    await venues.listings({BYBIT: {FET}})
    await venues.close()
    await venues.close()
    assert [one.closed for one in opened] == [True, True]


async def test_sockets_that_do_not_close_keep_no_cycle(
    clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(FarFeed):
        async def close(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(other_venues, "CLOSE_SECONDS", 0.01)
    venues = OtherVenues(lambda _: Hanging(TAPE, clock), clock, home="binance", readable=(BYBIT,))
    await venues.listings({BYBIT: {FET}})
    await asyncio.wait_for(venues.close(), 5)


async def test_a_list_is_read_once_an_hour_or_when_it_lacks_something(
    clock: SimulatedClock, far: FarFeed
) -> None:
    opened: list[str] = []

    def open_feed(venue: str) -> FarFeed:
        opened.append(venue)
        return far

    venues = OtherVenues(open_feed, clock, home="binance", readable=(BYBIT, "binanceusdm"))
    assert opened == []

    async def reads(*symbols: str) -> int:
        listed = await venues.listings({BYBIT: set(symbols)})
        assert FET in listed[BYBIT]
        return len(far.asked)

    assert await reads(FET) == 1
    assert await reads(FET, TAO) == 1
    assert await reads(FET, "NEW/USDT:USDT") == 1  # just read
    clock.advance_to(clock.now_ms() + 61_000)
    assert await reads(FET) == 1
    assert await reads(FET, "NEW/USDT:USDT") == 2
    clock.advance_to(clock.now_ms() + 3_400_000)
    assert await reads(FET) == 3
    assert opened == [BYBIT]

    far.error = UnreachableError("gone")
    assert await reads(FET) == 3  # known for another hour
    clock.advance_to(clock.now_ms() + 3_400_000)
    with pytest.raises(UnreachableError, match="bybit: gone"):
        await venues.listings({BYBIT: {FET}})


def test_whose_data_are_used(clock: SimulatedClock, far: FarFeed) -> None:
    venues = others(far, clock)
    assert venues.venue_of("bybit") == "bybit"
    assert venues.venue_of("binance") is None  # that of the hedges, by another name
    assert venues.venue_of(None) is None
    assert venues.venue_of("dydx") is None


def test_a_contract_keeps_its_steps_under_its_name_here() -> None:
    one = TAPE.instruments[FET]
    assert other_venues.renamed(one, BYBIT) == replace(one, symbol=FAR_FET, venue=BYBIT)
