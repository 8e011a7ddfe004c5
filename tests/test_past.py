"""What the past tells a decision beside the covariance, from closed bars."""

from dataclasses import replace

import numpy as np
import pytest

from bot.measuring.estimation import MarketModel, MarketView
from bot.measuring.past import Past, PastSettings
from bot.policy import policy_of
from config.choices import choices
from config.load import load_settings, profile_path
from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.errors import EstimationError, MissingDataError
from risk.tail.ranks import expected_shortfall
from risk.tail.scenarios import filtered_scenarios
from risk.tail.var_es import day_returns, tail_risk
from strategies.inputs import HedgeFacts
from tests.panel_market import START_MS, SYMBOLS, PanelMarket, closes
from tests.strategies_cases import random_facts

HOUR_MS = 3_600_000
HOURS = 24 * 60


async def view_at(market: PanelMarket, hours: int = HOURS) -> MarketView:
    model = MarketModel(market, backfill_days=60, shrinkage=0.2)
    return await model.refresh(SYMBOLS, START_MS + hours * HOUR_MS)


def facts_of(view: MarketView) -> HedgeFacts:
    n = len(SYMBOLS)
    return replace(
        random_facts(1, n=n, held=2),
        symbols=SYMBOLS,
        covariance_daily=view.estimate.covariance_daily,
        in_sector=np.arange(n) > 1,
    )


async def test_the_tail_is_that_of_the_risk_report():
    market = PanelMarket(closes(HOURS))
    view = await view_at(market)
    facts = Past(PastSettings()).added(facts_of(view), view)
    assert facts.tail_returns is not None
    returns = np.diff(np.log(market.closes), axis=0)
    assert (START_MS // HOUR_MS + HOURS) % 4 == 3  # the days end three hours before the bars
    days = filtered_scenarios(returns[:-3], SYMBOLS)
    today = filtered_scenarios(returns, SYMBOLS).volatility_daily
    scenarios = replace(days, volatility_daily=today)
    told = tail_risk(facts.bot_usd, scenarios)
    loss = -(facts.tail_returns @ facts.bot_usd)
    assert len(loss) == told.scenarios
    assert expected_shortfall(loss, 0.95) == pytest.approx(told.es95_usd, rel=1e-9)


async def test_peers_stand_in_for_the_tail_of_a_token_that_is_too_new():
    close = closes(HOURS)
    close[: HOURS - 5 * 24, 5] = np.nan
    view = await view_at(PanelMarket(close))
    facts = Past(PastSettings()).added(facts_of(await view_at(PanelMarket(closes(HOURS)))), view)
    assert facts.tail_returns is not None
    assert np.isfinite(facts.tail_returns).all()
    whole = Past(PastSettings()).added(facts, await view_at(PanelMarket(closes(HOURS))))
    assert whole.tail_returns is not None
    old, made_up = whole.tail_returns[-200:], facts.tail_returns[-200:]
    assert made_up[:, :5] == pytest.approx(old[:, :5], rel=1e-12)
    assert 0.3 < made_up[:, 5].std() / old[:, 5].std() < 3


async def test_of_a_market_of_three_weeks_the_tail_is_untold():
    view = await view_at(PanelMarket(closes(21 * 24)))
    facts = Past(PastSettings()).added(facts_of(view), view)
    assert facts.tail_returns is None
    assert facts.stress is not None


async def test_stresses_have_names_and_the_weeks_are_of_the_sector():
    market = PanelMarket(closes(HOURS))
    view = await view_at(market)
    settings = PastSettings(worst_weeks=1, maintenance_margin_rate=0.04, shared=True)
    facts = Past(settings).added(facts_of(view), view)
    assert facts.stress is not None
    assert facts.stress.names == (
        "sector up",
        "sector down",
        "funding squeeze",
        "sector's worst week 1",
        "sector's best week 1",
    )
    assert facts.stress.shared
    assert np.all(facts.stress.margin_rate == 0.04)
    weeks = market.closes[168:] / market.closes[:-168] - 1.0
    sector = weeks[:, 2:].sum(axis=1)
    assert facts.stress.returns[3] == pytest.approx(weeks[np.argmin(sector)])
    assert facts.stress.returns[4] == pytest.approx(weeks[np.argmax(sector)])


async def test_other_windows_are_half_lives_of_the_same_estimator():
    market = PanelMarket(closes(HOURS))
    view = await view_at(market)
    settings = PastSettings(windows_days=(3.0, 30.0), shrinkage=0.1)
    facts = Past(settings).added(facts_of(view), view)
    assert facts.covariance_windows_daily is not None
    returns = np.diff(np.log(market.closes), axis=0)
    for days, window in zip((3.0, 30.0), facts.covariance_windows_daily, strict=True):
        expected = mean_ewma_covariance(returns, SYMBOLS, (days,), 0.1).covariance_daily
        assert window == pytest.approx(expected, rel=1e-9)
    plain = Past(PastSettings()).added(facts_of(view), view)
    assert plain.covariance_windows_daily is None


async def test_it_is_made_anew_only_with_a_new_bar():
    market = PanelMarket(closes(HOURS + 5))
    model = MarketModel(market, backfill_days=60, shrinkage=0.2)
    past = Past(PastSettings())
    view = await model.refresh(SYMBOLS, START_MS + HOURS * HOUR_MS)
    first = past.added(facts_of(view), view)
    same = past.added(facts_of(view), await model.refresh(SYMBOLS, START_MS + HOURS * HOUR_MS + 9))
    assert same.tail_returns is first.tail_returns
    later = await model.refresh(SYMBOLS, START_MS + (HOURS + 4) * HOUR_MS)
    assert past.added(facts_of(later), later).tail_returns is not first.tail_returns


def test_day_returns_name_what_is_missing():
    rng = np.random.default_rng(0)
    returns = rng.normal(0.0, 0.01, (24 * 40, 2))
    returns[:, 1] = np.nan
    scenarios = filtered_scenarios(returns, ("A", "B"))
    with pytest.raises(MissingDataError, match="no scenarios of C"):
        day_returns(scenarios, ("A", "C"))
    with pytest.raises(EstimationError, match="B: no volatility"):
        day_returns(scenarios, ("A", "B"))
    assert day_returns(scenarios, ("A",)).shape[1] == 1


def test_settings_reach_the_facts_and_the_choices():
    settings = load_settings(profile_path("paper"))
    hedge = settings.hedge.model_copy(
        update={
            "beta_uncertainty": 1.5,
            "cushion": 0.03,
            "tail_aversion": 0.1,
            "tail_confidence": 0.9,
            "worst_windows_days": (7.0, 90.0),
            "most_legs": 4,
        }
    )
    stress = settings.stress.model_copy(update={"sector_gap": 0.4, "worst_weeks": 3})
    caps = settings.caps.model_copy(update={"stress_use": 0.7})
    chosen = settings.model_copy(update={"hedge": hedge, "stress": stress, "caps": caps})
    told = choices(chosen, 10_000.0)
    assert told.limits.stress_use == 0.7
    assert (told.beta_uncertainty, told.cushion, told.most_legs) == (1.5, 0.03, 4)
    assert (told.tail_aversion, told.tail_confidence, told.worst_window) == (0.1, 0.9, True)
    past = policy_of(chosen).past
    assert (past.sector_gap, past.worst_weeks, past.windows_days) == (0.4, 3, (7.0, 90.0))
    assert not past.shared
    plain = choices(settings, 10_000.0)
    assert (plain.tail_aversion, plain.worst_window, plain.most_legs) == (0.0, False, None)
    assert plain.cushion == 0.02
