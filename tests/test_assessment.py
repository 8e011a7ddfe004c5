"""From what was read to what it means."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bot.measuring.assessment import LEAST_VOLUME_USD, UNKNOWN_FUNDING, Assessment, Screen, assess
from bot.measuring.estimation import MarketModel, MarketView
from bot.measuring.monitor import Observation
from bot.measuring.universe import Universe
from risk.errors import MissingDataError
from risk.returns import HOUR_MS
from tests.panel_market import (
    BTC,
    ETH,
    FET,
    NEAR,
    START_MS,
    SYMBOLS,
    TAO,
    WLD,
    PanelMarket,
    closes,
    observation,
    payments,
)

HOURS = 30 * 24
UNIVERSE = Universe(sector=(FET, NEAR, TAO, WLD), benchmarks=(BTC, ETH), unlisted=())
SCREEN = Screen(14.0, 1e6, frozenset(SYMBOLS))
BOT = {FET: 10_000.0, WLD: 6_000.0}


def market_of(**volume_usd: float) -> PanelMarket:
    return PanelMarket(
        closes(HOURS), volume_usd={f"{k}/USDT:USDT": v for k, v in volume_usd.items()}
    )


def view_of(market: PanelMarket) -> MarketView:
    model = MarketModel(market, backfill_days=40, shrinkage=0.2)
    now_ms = START_MS + HOUR_MS * len(market.closes)
    return asyncio.run(model.refresh(market.symbols, now_ms))


def assessed(
    market: PanelMarket,
    bot_usd: Mapping[str, float] = BOT,
    hedge_usd: Mapping[str, float] | None = None,
    *,
    universe: Universe = UNIVERSE,
    screen: Screen = SCREEN,
    used: float = 0.0,
    **seen: Any,
) -> Assessment:
    look = observation(market, bot_usd, hedge_usd, **seen)
    return assess(look, view_of(market), universe, screen, turnover_used_usd=used)


def test_the_facts_are_the_book_and_the_market():
    market = market_of(TAO=4e6)
    result = assessed(market, BOT, {NEAR: -3_000.0}, used=1_234.0, margin_rate={NEAR: 0.05})
    facts = result.facts
    assert facts.symbols == SYMBOLS
    at = {s: i for i, s in enumerate(facts.symbols)}
    assert facts.bot_usd == pytest.approx([0, 0, 10_000, 0, 0, 6_000])
    assert facts.hedge_usd == pytest.approx([0, 0, 0, -3_000, 0, 0])
    assert facts.risk_equity_usd == pytest.approx(16_000)
    assert facts.equity_usd == 60_000
    assert facts.turnover_used_usd == 1_234
    assert facts.price_usd == pytest.approx(market.closes[-1])
    assert facts.lot_usd == pytest.approx(0.1 * market.closes[-1])
    assert facts.min_trade_usd == pytest.approx(np.maximum(5.0, 0.1 * market.closes[-1]))
    assert facts.half_spread == pytest.approx(np.full(6, 1e-4))
    assert facts.taker_fee == pytest.approx(np.full(6, 5e-4))
    assert facts.adv_usd[at[TAO]] == pytest.approx(4e6)
    assert list(facts.may_hedge) == [True, True, False, True, True, False]
    assert list(facts.in_sector) == [False, False, True, True, True, True]
    assert facts.initial_margin_rate == pytest.approx([1, 1, 1, 0.05, 1, 1])
    assert facts.hands_off == {FET, WLD}
    sigma = result.estimate.volatility_daily
    assert facts.volatility_btc_daily == pytest.approx(sigma[0])
    assert facts.beta_btc == pytest.approx(
        result.estimate.covariance_daily[0] / result.estimate.covariance_daily[0, 0]
    )


def test_exposure_is_that_of_bot_and_hedges_together():
    result = assessed(market_of(), BOT, {NEAR: -3_000.0})
    x = np.array([0, 0, 10_000, -3_000, 0, 6_000.0])
    covariance = result.estimate.covariance_daily
    sigma = float(np.sqrt(x @ covariance @ x))
    assert result.exposure.volatility_daily_usd == pytest.approx(sigma)
    assert result.exposure.cae_usd == pytest.approx(sigma / np.sqrt(covariance[0, 0]))
    assert result.exposure.sector_net_usd == pytest.approx(13_000)
    assert np.sum(result.exposure.component_daily_usd) == pytest.approx(sigma)


def test_thin_tokens_are_in_neither_statistics_nor_hedges():
    result = assessed(market_of(NEAR=400_000.0))
    assert NEAR not in result.estimate.symbols
    assert NEAR not in result.facts.symbols
    assert result.excluded[NEAR] == "average daily volume $400,000 below the floor of $1,000,000"
    rest = [s for s in SYMBOLS if s != NEAR]
    without = view_of(market_of()).estimate_of(rest)
    assert np.allclose(result.estimate.covariance_daily, without.covariance_daily, atol=1e-15)


def test_a_thin_token_that_is_held_is_measured_but_not_hedged_in():
    result = assessed(market_of(NEAR=400_000.0), BOT, {NEAR: -3_000.0})
    at = result.facts.symbols.index(NEAR)
    assert result.facts.hedge_usd[at] == pytest.approx(-3_000)
    assert not result.facts.may_hedge[at]
    assert NEAR not in result.facts.hands_off, "it may shrink, it need not"


def test_a_token_that_does_not_trade_at_all_is_held_at_the_least_volume():
    result = assessed(market_of(FET=0.0))
    assert result.facts.adv_usd[result.facts.symbols.index(FET)] == LEAST_VOLUME_USD


def test_a_young_token_carries_no_hedge_but_is_measured():
    market = market_of()
    market.closes[: HOURS - 10 * 24, 3] = np.nan
    result = assessed(market)
    assert result.excluded[NEAR] == "10.0 days of bars, at least 14 needed"
    assert NEAR in result.estimate.symbols
    assert NEAR not in result.facts.symbols


def test_a_held_token_without_history_stops_the_cycle_in_one_line():
    market = market_of()
    market.closes[: HOURS - 10, 2] = np.nan
    with pytest.raises(MissingDataError) as told:
        assessed(market)
    assert str(told.value) == (
        "FET/USDT:USDT: cannot be measured (only 9 hourly returns, needs 24), so no cycle"
    )
    assert FET not in assessed(market, {WLD: 6_000.0}).facts.symbols


def test_no_bitcoin_no_cycle():
    market = market_of()
    market.closes[HOURS // 2 :, 0] *= 1000.0
    with pytest.raises(MissingDataError, match=r"^BTC/USDT:USDT: cannot be measured .*tenfold"):
        assessed(market)


def test_a_thin_bitcoin_is_still_the_measure():
    result = assessed(market_of(BTC=1_000.0))
    assert result.beta.benchmark == BTC
    assert BTC not in result.facts.symbols
    assert result.facts.volatility_btc_daily == pytest.approx(result.estimate.volatility_daily[0])


def test_a_bot_in_bitcoin_and_in_a_token_of_no_sector():
    few = Universe(sector=(FET, NEAR, WLD), benchmarks=(BTC, ETH), unlisted=())
    result = assessed(market_of(), {BTC: 5_000.0, TAO: 4_000.0, FET: 1_000.0}, universe=few)
    facts = result.facts
    at = {s: i for i, s in enumerate(facts.symbols)}
    assert not facts.may_hedge[[at[BTC], at[TAO], at[FET]]].any()
    assert not facts.in_sector[at[TAO]], "held, but of no sector"
    assert result.exposure.sector_net_usd == pytest.approx(1_000)
    assert facts.beta_btc[at[BTC]] == 1.0


def test_hands_off_where_a_bot_has_a_list_or_an_order():
    result = assessed(market_of(), BOT, {TAO: -2_000.0}, listed=frozenset({TAO}))
    assert result.excluded[TAO] == "hands off: a bot lists it or has an order in it"
    assert TAO in result.facts.hands_off


def test_what_the_config_does_not_allow_carries_no_hedge():
    screen = replace(SCREEN, may_order=frozenset(SYMBOLS) - {ETH, FET})
    result = assessed(market_of(), screen=screen)
    assert result.excluded[ETH] == "not allowed by the config"
    assert result.excluded[FET] == "hands off: held by a bot"
    assert ETH not in result.facts.symbols


def test_no_price_no_hedge():
    result = assessed(market_of(), unpriced=[TAO])
    assert result.excluded[TAO] == "no price now"
    assert TAO not in result.facts.symbols


def test_carry_is_what_is_paid_a_day_and_never_zero_for_want_of_data():
    market = market_of()
    market.payments[NEAR] = payments(NEAR, -2e-4, HOURS, every=4)
    market.payments[TAO] = payments(TAO, 3e-4, HOURS - 30)  # the last one is too old
    facts = assessed(market).facts
    at = {s: i for i, s in enumerate(facts.symbols)}
    assert facts.funding_daily[at[NEAR]] == pytest.approx(-2e-4 * 6)
    assert facts.funding_daily_se[at[NEAR]] == pytest.approx(0.0, abs=1e-12)
    for unknown in (TAO, BTC):
        assert facts.funding_daily[at[unknown]] == UNKNOWN_FUNDING.rate_daily
        assert facts.funding_daily_se[at[unknown]] == UNKNOWN_FUNDING.standard_error


def test_an_empty_book_and_a_book_without_candidates():
    flat = assessed(market_of(), {})
    assert flat.exposure.volatility_daily_usd == 0
    assert flat.facts.risk_equity_usd == 0
    nobody = replace(SCREEN, may_order=frozenset[str]())
    facts = assessed(market_of(), screen=nobody).facts
    assert facts.symbols == (FET, WLD)
    assert not facts.may_hedge.any()


def test_a_crossed_quote_has_no_spread():
    market = market_of()
    look = observation(market, BOT)
    quotes = dict(look.quotes)
    quotes[TAO] = replace(quotes[TAO], bid=quotes[TAO].ask, ask=quotes[TAO].bid)
    seen: Observation = replace(look, quotes=quotes)
    facts = assess(seen, view_of(market), UNIVERSE, SCREEN, turnover_used_usd=0.0).facts
    assert facts.half_spread[facts.symbols.index(TAO)] == 0.0


def test_clusters_have_names_of_tokens():
    result = assessed(market_of())
    assert len(result.facts.cluster_names) == result.clusters.labels.max() + 1
    assert all(name.startswith("cluster of ") for name in result.facts.cluster_names)
    assert set(result.facts.cluster) <= set(range(len(result.facts.cluster_names)))
