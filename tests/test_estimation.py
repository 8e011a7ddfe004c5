"""What the engine believes about the market, bar by bar."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from bot.errors import UnreachableError
from bot.measuring.estimation import DAY_MS, FUNDING_KEPT_MS, MarketModel
from risk.correlation.clusters import cluster
from risk.covariance.basis import FEWEST_BARS
from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.returns import HOUR_MS
from tests.panel_market import BTC, FET, START_MS, SYMBOLS, PanelMarket, closes, payments

HOURS = 20 * 24
SHRINKAGE = 0.2


def model_of(market: PanelMarket, days: int = 30, **options: Any) -> MarketModel:
    return MarketModel(market, backfill_days=days, shrinkage=SHRINKAGE, **options)


def at(hours: float) -> int:
    return START_MS + round(hours * HOUR_MS)


def batch(market: PanelMarket, hours: int) -> np.ndarray:
    """Of the returns of every bar closed by then, in the order of SYMBOLS."""
    returns = np.diff(np.log(market.closes[:hours]), axis=0)
    return mean_ewma_covariance(returns, SYMBOLS, shrinkage=SHRINKAGE).covariance_daily


async def test_hour_by_hour_it_is_what_one_backfill_gives():
    market = PanelMarket(closes(HOURS))
    model = model_of(market)
    await model.refresh(SYMBOLS, at(HOURS - 30))
    for hour in range(HOURS - 29, HOURS + 1):
        view = await model.refresh(SYMBOLS, at(hour))
    assert view.symbols == tuple(sorted(SYMBOLS))
    assert view.unusable == {}
    expected = batch(market, HOURS)
    assert view.estimate.symbols == SYMBOLS
    assert np.max(np.abs(view.estimate.covariance_daily - expected)) < 1e-10
    assert list(view.estimate.observed_bars) == [HOURS - 1] * len(SYMBOLS)


async def test_no_bar_that_is_not_closed_is_looked_at():
    market = PanelMarket(closes(HOURS))
    early = await model_of(market).refresh(SYMBOLS, at(HOURS - 10.5))
    assert early.panel.open_ms[-1] == at(HOURS - 12)
    market.closes[HOURS - 11 :] *= 3.0  # the running bar and what follows
    again = await model_of(market).refresh(SYMBOLS, at(HOURS - 10.5))
    assert np.array_equal(early.estimate.covariance_daily, again.estimate.covariance_daily)


async def test_within_the_hour_nothing_is_fetched():
    market = PanelMarket(closes(HOURS))
    model = model_of(market)
    first = await model.refresh(SYMBOLS, at(HOURS - 5))
    asked = len(market.asked_bars)
    second = await model.refresh(SYMBOLS, at(HOURS - 4.1))
    assert len(market.asked_bars) == asked
    assert np.array_equal(first.estimate.covariance_daily, second.estimate.covariance_daily)
    await model.refresh(SYMBOLS, at(HOURS - 4))
    assert market.asked_bars[-1] == (at(HOURS - 9), at(HOURS - 4))


async def test_estimates_and_clusters_are_made_once_for_each_bar():
    model, some = model_of(PanelMarket(closes(HOURS))), SYMBOLS[::2]
    first = await model.refresh(SYMBOLS, at(HOURS - 1))
    second = await model.refresh(SYMBOLS, at(HOURS - 0.5))
    assert second.estimate is first.estimate
    assert second.estimate_of(some) is first.estimate_of(some)
    groups = second.cluster_memory.of(second.estimate_of(some))
    assert first.cluster_memory.of(first.estimate_of(some)) is groups

    later = await model.refresh(SYMBOLS, at(HOURS))
    fresh = await model_of(PanelMarket(closes(HOURS))).refresh(SYMBOLS, at(HOURS))
    for symbols in (SYMBOLS, some):
        ours, plain = later.estimate_of(symbols), fresh.estimate_of(symbols)
        assert np.max(np.abs(ours.covariance_daily - plain.covariance_daily)) < 1e-10
        assert list(ours.observed_bars) == list(plain.observed_bars)
        known = cluster(plain.correlation, symbols)
        assert list(later.cluster_memory.of(ours).labels) == list(known.labels)


async def test_a_bar_that_comes_late_is_taken_in_at_its_place():
    market = PanelMarket(closes(HOURS))
    late = market.closes[HOURS - 3, 2]
    market.closes[HOURS - 3, 2] = np.nan
    model = model_of(market)
    await model.refresh(SYMBOLS, at(HOURS - 4))
    gap = await model.refresh(SYMBOLS, at(HOURS - 1))
    assert gap.estimate.observed_bars[2] == HOURS - 4
    market.closes[HOURS - 3, 2] = late
    market.volume[HOURS - 3, 2] = 1e6
    view = await model.refresh(SYMBOLS, at(HOURS))
    assert np.max(np.abs(view.estimate.covariance_daily - batch(market, HOURS))) < 1e-10


async def test_hours_that_were_slept_through_are_made_up_for():
    market = PanelMarket(closes(HOURS))
    model = model_of(market)
    await model.refresh(SYMBOLS, at(HOURS - 60))
    view = await model.refresh(SYMBOLS, at(HOURS))
    assert np.max(np.abs(view.estimate.covariance_daily - batch(market, HOURS))) < 1e-10


async def test_other_symbols_mean_another_backfill():
    told: list[tuple[str, ...]] = []
    market = PanelMarket(closes(HOURS))
    model = model_of(market, on_backfill=told.append)
    await model.refresh([BTC], at(HOURS - 1))
    view = await model.refresh([FET, BTC], at(HOURS))
    assert told == [(BTC,), (BTC, FET)]
    assert view.estimate.symbols == (BTC, FET)
    assert market.asked_bars[-1] == (at(HOURS) - 30 * DAY_MS, at(HOURS))


async def test_old_bars_leave_the_panel():
    market = PanelMarket(closes(HOURS))
    model = model_of(market, days=15)
    await model.refresh(SYMBOLS, at(HOURS - 5))
    view = await model.refresh(SYMBOLS, at(HOURS))
    assert len(view.panel.open_ms) == 15 * 24
    assert view.panel.open_ms[0] == at(HOURS - 15 * 24)


async def test_a_price_that_cannot_be_and_a_young_token_are_named():
    market = PanelMarket(closes(HOURS))
    market.closes[200:, 2] *= 1000.0
    market.closes[: HOURS - 10, 3] = np.nan
    view = await model_of(market).refresh(SYMBOLS, at(HOURS))
    assert set(view.unusable) == {SYMBOLS[2], SYMBOLS[3]}
    assert "more than tenfold" in view.unusable[SYMBOLS[2]]
    assert view.unusable[SYMBOLS[3]] == "only 9 hourly returns, needs 24"
    assert view.estimate.symbols == tuple(s for s in SYMBOLS if s not in view.unusable)


async def test_a_fault_that_shows_later_takes_the_token_out():
    market = PanelMarket(closes(HOURS))
    model = model_of(market)
    assert (await model.refresh(SYMBOLS, at(HOURS - 5))).unusable == {}
    market.closes[HOURS - 2 :, 2] /= 1000.0
    view = await model.refresh(SYMBOLS, at(HOURS))
    assert set(view.unusable) == {SYMBOLS[2]}
    assert view.estimate.symbols == tuple(s for s in SYMBOLS if s != SYMBOLS[2])


async def test_a_young_contract_is_paired_with_its_home_as_soon_as_it_has_the_bars():
    """Without a restart, and then as if the engine had just started."""
    far, home = SYMBOLS[5], FET
    market = PanelMarket(closes(HOURS))
    rng = np.random.default_rng(3)
    at_home = market.closes[:, SYMBOLS.index(home)]
    market.closes[:, 5] = at_home * np.exp(2e-4 * rng.standard_normal(HOURS))
    market.closes[: HOURS - 10 - FEWEST_BARS, 5] = np.nan
    market.volume[: HOURS - 10 - FEWEST_BARS, 5] = np.nan
    model = model_of(market)
    paired_from = None
    for hour in range(HOURS - 20, HOURS + 1):
        view = await model.refresh(SYMBOLS, at(hour), {far: home})
        if view.homes and paired_from is None:
            paired_from, revision = hour, view.revision
            assert view.homes == {far: home}
    assert paired_from == HOURS - 9  # one bar more than returns
    assert view.revision == revision  # once, not at each bar
    fresh = await model_of(market).refresh(SYMBOLS, at(HOURS), {far: home})
    assert fresh.homes == view.homes
    assert np.max(np.abs(view.estimate.covariance_daily - fresh.estimate.covariance_daily)) < 1e-10


async def test_an_estimate_of_a_few_knows_nothing_of_the_others():
    market = PanelMarket(closes(HOURS))
    rng = np.random.default_rng(5)  # a token on its own, which lowers the mean correlation
    market.closes[:, 5] = 7.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(HOURS)))
    model = model_of(market)
    view = await model.refresh(SYMBOLS, at(HOURS))
    few = SYMBOLS[:5]
    alone = await model_of(market).refresh(few, at(HOURS))
    assert np.allclose(
        view.estimate_of(few).covariance_daily, alone.estimate.covariance_daily, atol=1e-15
    )
    part = view.estimate.subset(few).correlation
    assert np.mean(view.estimate_of(few).correlation - part) > 0.01


async def test_funding_is_appended_once():
    market = PanelMarket(closes(HOURS))
    market.payments[FET] = payments(FET, 1e-4, HOURS)
    model = model_of(market)
    await model.refresh(SYMBOLS, at(HOURS - 30))
    for hour in range(HOURS - 29, HOURS + 1):
        view = await model.refresh(SYMBOLS, at(hour))
    assert set(view.funding) == {FET}
    assert np.array_equal(view.funding[FET].time_ms, market.payments[FET].time_ms)


class _LineDown(PanelMarket):
    """Answers for bars while ``down``, but not for funding."""

    down = False

    async def funding(self, *asked: Any) -> Any:
        if self.down:
            raise UnreachableError("funding: no answer")
        return await super().funding(*asked)


@pytest.mark.parametrize("first", [(FET, BTC), (BTC,), ()], ids=["an hour", "a symbol", "all"])
async def test_a_refresh_that_fails_half_way_is_made_up_for_by_the_next(first: tuple[str, ...]):
    market = _LineDown(closes(HOURS))
    market.payments[FET] = payments(FET, 1e-4, HOURS)
    model = model_of(market)
    if first:
        await model.refresh(first, at(HOURS - 9))
    market.down = True
    with pytest.raises(UnreachableError):
        await model.refresh((FET, BTC), at(HOURS))
    market.down = False
    view = await model.refresh((FET, BTC), at(HOURS))
    whole = await model_of(market).refresh((FET, BTC), at(HOURS))
    assert np.array_equal(view.funding[FET].time_ms, whole.funding[FET].time_ms)
    assert np.allclose(
        view.estimate.covariance_daily, whole.estimate.covariance_daily, rtol=0, atol=1e-12
    )


async def test_funding_is_the_same_object_until_the_next_payment():
    """What it told of crowding is remembered by the object, from one refresh to the next."""
    market = PanelMarket(closes(HOURS))
    market.payments[FET] = payments(FET, 1e-4, HOURS)
    model = model_of(market)
    views = [await model.refresh(SYMBOLS, at(hour)) for hour in range(HOURS - 20, HOURS + 1)]
    assert len({id(view.crowding_memory) for view in views}) == 1
    series = [view.funding[FET] for view in views]
    for old, new in pairwise(series):
        assert (new is old) == (len(new.time_ms) == len(old.time_ms))
    assert len({len(one.time_ms) for one in series}) == 4  # three payments in twenty hours


async def test_a_long_run_forgets_payments_that_no_measure_looks_back_to():
    hours = FUNDING_KEPT_MS // HOUR_MS + 200
    market = PanelMarket(closes(HOURS))
    market.payments[FET] = payments(FET, 1e-4, hours)
    model = model_of(market)
    for hour in range(HOURS - 24, hours + 1, 24):
        view = await model.refresh(SYMBOLS, at(hour))
    kept, paid = view.funding[FET].time_ms, market.payments[FET].until(at(hour)).time_ms
    assert at(hour) - FUNDING_KEPT_MS <= kept[0] + 24 * HOUR_MS
    assert len(kept) < len(paid)
    assert np.array_equal(kept, paid[-len(kept) :])


async def test_premiums_are_appended_with_their_payments():
    market = PanelMarket(closes(HOURS))
    whole = payments(FET, 0.0001, HOURS)
    premium = np.linspace(-3e-4, 3e-4, len(whole.rate))
    market.payments[FET] = replace(whole, premium=None)
    model = model_of(market)
    await model.refresh(SYMBOLS, at(HOURS - 30))
    # The exchange began to tell them only later.
    market.payments[FET] = replace(whole, premium=premium)
    view = await model.refresh(SYMBOLS, at(HOURS))
    got = view.funding[FET]
    later = got.time_ms > at(HOURS - 30)
    assert later.sum() >= 3
    assert got.premium is not None
    assert np.isnan(got.premium[~later]).all()
    assert got.premium[later].tolist() == premium[-int(later.sum()) :].tolist()


@pytest.mark.parametrize("hours_before", [9, 16])
async def test_funding_that_starts_later_is_found(hours_before: int):
    market = PanelMarket(closes(HOURS))
    model = model_of(market)
    assert (await model.refresh(SYMBOLS, at(HOURS - hours_before))).funding == {}
    market.payments[BTC] = payments(BTC, 1e-4, HOURS)
    view = await model.refresh(SYMBOLS, at(HOURS))
    assert view.funding[BTC].time_ms[-1] == at(HOURS)
