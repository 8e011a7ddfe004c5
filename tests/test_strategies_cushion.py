"""Trades end a little inside the caps, and nothing is traded only for that."""

from dataclasses import replace

import numpy as np
import pytest

from risk.limits.caps import RiskLimits
from strategies.cushion import cushioned
from strategies.inputs import HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.model import hedge_model
from strategies.proposal import HedgeProposal, NoHedge
from tests.strategies_cases import easy, free, random_facts, two_tokens

STRATEGY = MinimumRisk()
CUSHION = replace(free(net_usd=30_000.0), cushion=0.02)


def test_a_breach_is_brought_back_to_the_inner_edge():
    answer = STRATEGY.decide(two_tokens(), CUSHION)
    assert isinstance(answer, HedgeProposal)
    assert answer.after.cap_use["net_usd"] == pytest.approx(0.98, abs=1e-4)
    plain = STRATEGY.decide(two_tokens(), replace(CUSHION, cushion=0.0))
    assert isinstance(plain, HedgeProposal)
    assert plain.after.cap_use["net_usd"] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("short", [20_000.0, 20_300.0])
def test_between_the_edges_nothing_is_traded(short: float):
    assert isinstance(STRATEGY.decide(two_tokens(50_000.0, -short), CUSHION), NoHedge)


def test_what_pays_does_not_come_nearer_to_a_cap_than_the_cushion():
    limits = RiskLimits(hedge_gross_usd=20_000.0)
    answer = STRATEGY.decide(two_tokens(), easy(limits, cushion=0.05))
    assert isinstance(answer, HedgeProposal)
    assert answer.after.cap_use["hedge_gross_usd"] == pytest.approx(0.95, abs=1e-3)
    near = two_tokens(50_000.0, -19_500.0)
    assert isinstance(STRATEGY.decide(near, easy(limits, cushion=0.05)), NoHedge)


def test_where_only_the_caps_themselves_can_be_met_they_are_enough():
    limits = RiskLimits(net_usd=30_000.0, hedge_gross_usd=20_000.0)
    answer = STRATEGY.decide(two_tokens(), easy(limits, risk_aversion=0.0, cushion=0.02))
    assert isinstance(answer, HedgeProposal)
    assert answer.after.breaches == ()
    assert answer.conflict is None


def test_the_aim_by_hand():
    model = hedge_model(
        two_tokens(50_000.0, -20_500.0), easy(RiskLimits(net_usd=30_000.0, adv_share=0.01))
    )
    aim = cushioned(model.caps, model.caps.values(np.array([0.0, -20_500.0])), 0.02)
    assert aim[0] == pytest.approx(29_500.0)  # 98 % is 29,400: it stands between the edges
    assert np.all(aim[1:] == model.caps.limits[1:])  # caps on trades stay
    nearer = model.caps.values(np.array([0.0, -19_000.0]))
    assert cushioned(model.caps, nearer, 0.02)[0] == pytest.approx(29_400.0)


def forced_trades(facts: HedgeFacts, cushion: float, ticks: int) -> tuple[int, int]:
    """How often the cap is exceeded, and trades made, while prices tremble by 0.2 %."""
    rng = np.random.default_rng(7)
    choices = replace(free(net_usd=60_000.0), cushion=cushion)
    bot, hedge = facts.bot_usd, facts.hedge_usd  # at a price of 1
    over = trades = 0
    for _ in range(ticks):
        price = np.exp(0.002 * rng.standard_normal(len(facts.symbols)))
        now = replace(facts, bot_usd=bot * price, hedge_usd=hedge * price)
        if abs(float(np.sum(now.bot_usd + now.hedge_usd))) <= 60_000.0:
            continue
        over += 1
        answer = STRATEGY.decide(now, choices)
        if isinstance(answer, HedgeProposal):
            trades += 1
            target = now.hedge_usd.copy()
            for leg in answer.legs:
                target[facts.symbols.index(leg.symbol)] = leg.target_usd
            hedge = target / price
    return over, trades


def test_a_cushion_spares_the_trades_at_an_edge():
    facts = random_facts(5)
    over_plain, trades_plain = forced_trades(facts, 0.0, 240)
    over, trades = forced_trades(facts, 0.02, 240)
    assert trades_plain >= 5
    assert (over, trades) == (1, 1)
    assert over_plain >= trades_plain


@pytest.mark.parametrize("cushion", [0.0, 0.02])
@pytest.mark.parametrize("cap", ["net_usd", "hedge_gross_usd", "cae_usd", "token_usd"])
def test_the_price_told_is_that_of_the_cap_in_the_config(cap: str, cushion: float):
    facts = random_facts(3, n=6, held=2)
    limit = {"net_usd": 5_000.0, "hedge_gross_usd": 40_000.0, "cae_usd": 113_000.0}
    choices = easy(
        RiskLimits(**{cap: limit.get(cap, 20_000.0)}), risk_aversion=2.0, cushion=cushion
    )

    def decided(change: float) -> HedgeProposal:
        limits = RiskLimits(**{cap: limit.get(cap, 20_000.0) + change})
        answer = STRATEGY.decide(facts, replace(choices, limits=limits))
        assert isinstance(answer, HedgeProposal)
        return answer

    less, more = decided(-50.0).objective_relaxed, decided(50.0).objective_relaxed
    slope = (less - more) / 100.0
    assert slope > 1e-5
    assert decided(0.0).shadow_prices[cap] == pytest.approx(slope, rel=2e-2)


def test_a_cap_that_gave_way_has_no_price():
    limits = RiskLimits(net_usd=10_000.0, hedge_gross_usd=20_000.0)
    answer = STRATEGY.decide(two_tokens(), easy(limits))
    assert isinstance(answer, HedgeProposal)
    assert answer.slacks_usd["net_usd"] > 0
    assert answer.shadow_prices["net_usd"] == 0.0
