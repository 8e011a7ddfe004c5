"""Market data of five exchanges in the formats of their own, through the real client of each."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import numpy as np
import pytest

from bot.clock import SimulatedClock
from bot.feeds.live import LiveFeed
from bot.feeds.tape import DAY_MS
from bot.logs import open_log
from bot.trading.orders import Side
from risk.returns import HOUR_MS
from tests.venue_feeds import FEEDS, HOURS, payment_times, rate_at
from tests.venue_plays import PLAYS, SYMBOLS
from tests.venue_scene import AT_MS, Server, client, serving

pytestmark = pytest.mark.parametrize("venue", sorted(FEEDS))


@asynccontextmanager
async def feeding(venue: str) -> AsyncIterator[tuple[Server, LiveFeed]]:
    """The server of an exchange, and a feed on its real client."""
    async with serving(PLAYS[venue]) as (server, host):
        server.answers |= FEEDS[venue]()
        clock = SimulatedClock(AT_MS)
        log = open_log(None, clock, echo=io.StringIO())
        feed = LiveFeed(client(venue, host), clock, log, open_interest=True)
        try:
            yield server, feed
        finally:
            await feed.close()


async def test_an_instrument_has_base_units_and_its_own_funding_interval(venue: str) -> None:
    async with feeding(venue) as (_, feed):
        one = (await feed.instruments())[SYMBOLS[venue]]
    size = Decimal(10) if venue in ("okx", "gate") else Decimal(1)
    lots = {"okx": Decimal(1), "gate": Decimal(10)}  # a tenth of a contract, and a whole one
    assert (one.contract_size, one.lot) == (size, lots.get(venue, Decimal(1)))
    assert one.funding_interval_hours == HOURS[venue]


async def test_a_quote_has_mark_index_last_and_volume_in_dollars(venue: str) -> None:
    async with feeding(venue) as (_, feed):
        quote = (await feed.quotes([SYMBOLS[venue]]))[SYMBOLS[venue]]
    assert (quote.mark, quote.index, quote.last) == (0.52, 0.519, 0.521)
    assert (quote.bid, quote.ask) == (0.5205, 0.5215)
    # okx tells base units only, which the last price makes dollars of
    assert quote.daily_volume_usd == pytest.approx(521_000 if venue == "okx" else 520_000)
    assert (quote.funding_rate, quote.funding_interval_hours) == (0.0002, HOURS[venue])
    assert quote.next_funding_ms > AT_MS
    assert quote.next_funding_ms % (HOURS[venue] * HOUR_MS) == 0
    # gate tells none that ccxt reads
    assert quote.open_interest_base == (None if venue == "gate" else 3_000_000)


async def test_no_payment_of_two_months_is_missing(venue: str) -> None:
    """Whichever end of them a page shows."""
    start_ms = AT_MS - 60 * DAY_MS
    async with feeding(venue) as (server, feed):
        found = await feed.funding([SYMBOLS[venue]], start_ms, AT_MS)
        asked = len(server.asked)
        again = await feed.funding([SYMBOLS[venue]], start_ms, AT_MS)
        assert len(server.asked) == asked, "asked again before the next is due"
    series = found[SYMBOLS[venue]]
    truth = [time_ms for time_ms in payment_times(venue) if time_ms >= start_ms]
    assert series.time_ms.tolist() == truth
    assert len(truth) == 60 * 24 / HOURS[venue]
    np.testing.assert_allclose(series.rate, [rate_at(time_ms) for time_ms in truth], atol=1e-12)
    assert set(series.interval_hours.tolist()) == {HOURS[venue]}
    np.testing.assert_array_equal(again[SYMBOLS[venue]].rate, series.rate)


async def test_bars_are_whole_and_their_volume_is_in_dollars(venue: str) -> None:
    start_ms = AT_MS // HOUR_MS * HOUR_MS - 10 * DAY_MS
    async with feeding(venue) as (_, feed):
        panel = await feed.bars([SYMBOLS[venue]], start_ms, AT_MS)
    assert len(panel.open_ms) == 240, "the running one is not closed"
    assert (panel.close == 0.5).all()
    np.testing.assert_allclose(panel.quote_volume_usd, 500.0)


async def test_depth_is_in_dollars_by_the_side_that_takes_it(venue: str) -> None:
    async with feeding(venue) as (_, feed):
        depth = await feed.depth_usd(SYMBOLS[venue], 0.01)
    assert depth[Side.SELL] == pytest.approx(2000 * 0.5205)
    assert depth[Side.BUY] == pytest.approx(1000 * 0.5215)
