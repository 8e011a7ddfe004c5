"""How much of the bot's free margin the hedges take, and the cap on it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.measuring.bot_margin import bot_margin
from bot.ports import SourceAccount
from risk.errors import DataError, OptimizationError
from risk.limits.caps import RiskLimits
from risk.limits.cures import explain
from risk.limits.measures import Standing
from strategies.checks import check_facts
from strategies.inputs import HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.proposal import HedgeProposal
from strategies.state import risk_state
from tests.panel_market import PanelMarket, closes, observation
from tests.strategies_cases import easy, free, random_facts, two_tokens


@pytest.fixture(scope="module")
def market() -> PanelMarket:
    return PanelMarket(closes(48))


def test_hedges_in_an_account_of_their_own_take_nothing(market: PanelMarket) -> None:
    one, other = market.symbols[:2]
    seen = observation(market, {one: 1_000.0}, {other: -5_000.0}, margin_rate={other: 0.1})
    found = bot_margin(seen)
    assert (found.shared, found.hedges_usd, found.free_usd, found.share) == (False, 0.0, None, 0.0)


def test_in_the_bots_account_they_take_their_initial_margin(market: PanelMarket) -> None:
    """-5,000 at 10x and -300 at an unknown leverage: 500 + 300 of 59,200 + 800."""
    one, two, three = market.symbols[:3]
    seen = observation(
        market,
        {one: 1_000.0},
        {two: -5_000.0, three: -300.0},
        margin_rate={two: 0.1},
        shared_account=True,
        available_usd=59_200.0,
    )
    found = bot_margin(seen)
    assert found.hedges_usd == pytest.approx(800.0)
    assert found.free_usd == pytest.approx(60_000.0)
    assert found.share == pytest.approx(800 / 60_000)


def test_what_cannot_be_a_share_is_none_and_told_as_null(market: PanelMarket) -> None:
    one = market.symbols[0]
    seen = observation(market, {}, {one: -1_000.0}, shared_account=True, available_usd=-2_000.0)
    found = bot_margin(seen)
    assert found.free_usd == pytest.approx(-1_000.0)
    assert found.share is None
    assert found.document()["share"] is None


def test_the_money_that_bots_tell_is_shown(market: PanelMarket) -> None:
    told = {"freq": SourceAccount(5, equity_usd=900.0, free_usd=400.0)}
    seen = replace(observation(market, {}), bot_accounts=told)
    assert bot_margin(seen).document()["bots"] == {
        "freq": {
            "timestamp_ms": 5,
            "equity_usd": 900.0,
            "free_usd": 400.0,
            "used_margin_usd": None,
        }
    }


def test_the_cap_by_hand() -> None:
    """10 % margin on 8,000 of hedges is 800, of 1,000 free: 0.8, twice a cap of 0.4."""
    facts = two_tokens(50_000.0, -8_000.0, bot_free_margin_usd=1_000.0)
    choices = free(bot_margin_share=0.4)
    state = risk_state(facts, choices, facts.hedge_usd)
    assert state.cap_use == {"bot_margin_share": pytest.approx(2.0)}
    (breach,) = state.breaches
    assert (breach.value, breach.curable, breach.bot_alone) == (pytest.approx(0.8), True, False)
    standing = Standing(
        facts.symbols, facts.bot_usd, facts.hedge_usd, facts.covariance_daily,
        facts.volatility_btc_daily, facts.beta_btc, facts.in_sector, facts.cluster,
        facts.initial_margin_rate, facts.equity_usd, (), None, None, 1_000.0,
    )  # fmt: skip
    found = explain(breach, standing)
    assert found.cure is not None
    assert (found.cure.symbol, found.cure.reduce_usd) == ("B", pytest.approx(4_000.0))


@pytest.mark.parametrize("free_usd", [0.0, -500.0])
def test_where_nothing_is_free_every_hedge_is_too_much(free_usd: float) -> None:
    facts = two_tokens(50_000.0, -8_000.0, bot_free_margin_usd=free_usd)
    choices = free(bot_margin_share=0.4)
    (breach,) = risk_state(facts, choices, facts.hedge_usd).breaches
    assert breach.value == math.inf
    assert risk_state(facts, choices, np.zeros(2)).breaches == ()


def test_without_a_shared_account_the_cap_binds_nothing() -> None:
    facts = two_tokens(50_000.0, -8_000.0)
    choices = free(bot_margin_share=1e-6)
    assert risk_state(facts, choices, facts.hedge_usd).cap_use == {"bot_margin_share": 0.0}
    answer = MinimumRisk().decide(facts, free(net_usd=30_000.0, bot_margin_share=1e-6))
    assert isinstance(answer, HedgeProposal)
    assert answer.legs[0].target_usd == pytest.approx(-20_000.0, abs=1)


def test_hedges_come_down_when_the_bot_needs_the_margin() -> None:
    """Net 42,000 over its cap of 30,000, and yet: 0.4 of 1,000 bears 4,000 of hedges."""
    facts = two_tokens(50_000.0, -8_000.0, bot_free_margin_usd=1_000.0)
    answer = MinimumRisk().decide(facts, free(net_usd=30_000.0, bot_margin_share=0.4))
    assert isinstance(answer, HedgeProposal)
    assert answer.legs[0].target_usd == -4_000.0


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    share=st.floats(0.05, 1.0),
    free_usd=st.floats(100.0, 50_000.0),
)
def test_no_decision_takes_more_than_the_share(seed: int, share: float, free_usd: float) -> None:
    facts = random_facts(seed, bot_free_margin_usd=free_usd)
    facts = replace(facts, hedge_usd=np.zeros(len(facts.symbols)))
    limits = RiskLimits(net_usd=20_000.0, bot_margin_share=share)
    answer = MinimumRisk().decide(facts, easy(limits))
    if not isinstance(answer, HedgeProposal):
        return
    targets = _targets(facts, answer)
    taken_usd = float(facts.initial_margin_rate @ np.abs(targets))
    assert taken_usd <= share * free_usd * (1 + 1e-9)
    assert answer.after.cap_use["bot_margin_share"] == pytest.approx(taken_usd / (share * free_usd))


def _targets(facts: HedgeFacts, answer: HedgeProposal) -> np.ndarray:
    by_symbol = {leg.symbol: leg.target_usd for leg in answer.legs}
    return np.array([by_symbol.get(s, 0.0) for s in facts.symbols])


def test_what_is_no_number_is_never_compared_with_the_cap() -> None:
    facts = two_tokens(bot_free_margin_usd=math.nan)
    with pytest.raises(OptimizationError, match="bot_free_margin_usd: nan"):
        check_facts(facts)
    with pytest.raises(DataError, match="bot_free_margin_usd"):
        risk_state(facts, free(bot_margin_share=0.4), facts.hedge_usd)
