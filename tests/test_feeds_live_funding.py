"""Funding by the live feed: what was settled, its intervals, and the next payment."""

import numpy as np
import pytest

from bot.feeds.live_funding import intervals, next_payment_ms
from bot.feeds.tape import DAY_MS
from risk.crowding.funding import is_pinned
from risk.returns import HOUR_MS
from tests.live_feed_scene import BTC, FET, NEW, stage


async def test_funding_is_the_settled_history_with_its_intervals() -> None:
    async with stage() as one:
        feed = one.feed()
        symbols, start = [BTC, FET, NEW], one.now - 30 * DAY_MS
        got = await feed.funding(symbols, start, one.now + 1)
        for symbol in symbols:
            truth = one.tape.funding_series(symbol, start, one.now + 1)
            assert truth is not None
            np.testing.assert_array_equal(got[symbol].time_ms, truth.time_ms)
            np.testing.assert_array_equal(got[symbol].interval_hours, truth.interval_hours)
            np.testing.assert_allclose(got[symbol].rate, truth.rate, atol=1e-8)
        before = one.requests
        again = await feed.funding(symbols, start, one.now + 1)
        assert one.requests == before
        assert again.keys() == got.keys()
        one.advance(HOUR_MS)
        later = await feed.funding([NEW], start, one.now + 1)
        assert len(later[NEW].rate) == len(got[NEW].rate) + 1


async def test_funding_is_asked_for_only_when_a_payment_is_due() -> None:
    async with stage() as one:
        feed = one.feed()
        symbols, start = [BTC, FET, NEW], one.now - 30 * DAY_MS
        intervals_ms = {
            s: round(one.tape.instruments[s].funding_interval_hours * HOUR_MS) for s in symbols
        }
        await feed.funding(symbols, start, one.now + 1)
        for _ in range(24):
            one.advance(HOUR_MS)
            before = one.requests
            got = await feed.funding(symbols, start, one.now + 1)
            due = [s for s in symbols if one.now % intervals_ms[s] < HOUR_MS]
            pinned = [s for s in due if is_pinned(got[s])[-1]]
            assert one.requests - before == len(due) + len(pinned)
            for symbol in symbols:
                truth = one.tape.funding_series(symbol, start, one.now + 1)
                assert truth is not None
                np.testing.assert_array_equal(got[symbol].time_ms, truth.time_ms)


async def test_the_premium_behind_pinned_payments_is_read_and_no_other() -> None:
    async with stage() as one:
        feed = one.feed()
        symbols, start = [BTC, FET, NEW], one.now - 30 * DAY_MS
        got = await feed.funding(symbols, start, one.now + 1)
        seen = 0
        for hours in (0, 9):
            one.advance(hours * HOUR_MS)
            got = await feed.funding(symbols, start, one.now + 1)
            for symbol, series in got.items():
                truth = one.tape.funding_series(symbol, start, one.now + 1)
                assert truth is not None
                assert truth.premium is not None
                assert series.premium is not None
                pinned = is_pinned(series)
                seen += int(pinned.sum())
                assert np.isnan(series.premium[~pinned]).all()
                np.testing.assert_allclose(series.premium[pinned], truth.premium[pinned], atol=1e-9)
                # The venue's own rule: a rate is pinned because the premium is near the interest.
                assert np.all(np.abs(series.premium[pinned] - 0.0001) <= 0.0005 + 1e-8)
        assert seen > 50


async def test_an_exchange_that_tells_no_premium_costs_no_payment() -> None:
    async with stage() as one:
        feed = one.feed()
        start = one.now - 30 * DAY_MS
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(one.tape), "premium", lambda *_: None)
            got = await feed.funding([BTC], start, one.now + 1)
        assert len(got[BTC].rate) == 90
        assert got[BTC].premium is None


def test_the_next_payment_follows_the_shorter_of_told_and_kept_interval() -> None:
    hours = np.array([0, 8, 16, 24], dtype=np.int64) * HOUR_MS
    assert next_payment_ms(hours, 8.0) == 32 * HOUR_MS
    assert next_payment_ms(hours, 1.0) == 25 * HOUR_MS  # it pays more often from now on
    assert next_payment_ms(hours // 8, 8.0) == 4 * HOUR_MS  # told late, or never
    assert next_payment_ms(hours + 4 * HOUR_MS, 8.0) == 32 * HOUR_MS  # a grid of another hour
    assert next_payment_ms(hours[:1], 4.0) == 4 * HOUR_MS
    assert next_payment_ms(hours[:0], 4.0) == 0


def test_intervals_are_told_by_the_distance_between_payments() -> None:
    hours = np.array([0, 8, 16, 20, 24, 48, 56, 57, 58])
    np.testing.assert_array_equal(
        intervals(hours * HOUR_MS, 1.0), [8.0, 8.0, 8.0, 4.0, 4.0, 8.0, 8.0, 1.0, 1.0]
    )
    assert intervals(np.array([HOUR_MS]), 4.0).tolist() == [4.0]
    assert intervals(np.empty(0, dtype=np.int64), 4.0).tolist() == []
