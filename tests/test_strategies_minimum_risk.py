"""Whole decisions, from facts to proposal or to the reason for none."""

import sys
import time
from dataclasses import replace
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies.problem
from risk.limits.caps import RiskLimits, check_trade_limits
from strategies.base import HedgeStrategy
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.none import NoHedging
from strategies.proposal import HedgeProposal, NoHedge, NoHedgeReason
from tests.strategies_cases import easy, free, random_facts, two_tokens
from tests.strategies_choices import WIDER_CAPS as CAPS

STRATEGY: HedgeStrategy = MinimumRisk()


def proposed(facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal:
    answer = STRATEGY.decide(facts, choices)
    assert isinstance(answer, HedgeProposal), answer
    return answer


def refused(facts: HedgeFacts, choices: HedgeChoices) -> NoHedge:
    answer = STRATEGY.decide(facts, choices)
    assert isinstance(answer, NoHedge), answer
    return answer


def hedges(facts: HedgeFacts, proposal: HedgeProposal) -> np.ndarray:
    by_symbol = {leg.symbol: leg.target_usd for leg in proposal.legs}
    return np.array([by_symbol.get(symbol, 0.0) for symbol in facts.symbols])


def test_a_cap_is_met_at_the_least_cost():
    answer = proposed(two_tokens(), free(net_usd=30_000.0))
    (leg,) = answer.legs
    assert (leg.symbol, leg.current_usd, leg.target_usd) == ("B", 0.0, -20_000.0)
    assert leg.trade_usd == -20_000.0
    assert answer.trades == (leg,)
    assert answer.cost.fee_usd == pytest.approx(10.0)
    assert answer.cost.spread_usd == pytest.approx(4.0)
    assert [b.cap for b in answer.before.breaches] == ["net_usd"]
    assert answer.after.breaches == ()
    assert answer.after.cap_use["net_usd"] == pytest.approx(1.0)
    assert answer.shadow_prices == pytest.approx({"net_usd": 7e-4 / 5}, rel=1e-3)
    assert answer.slacks_usd == {}
    assert answer.objective_lots == pytest.approx(answer.objective_relaxed, abs=1e-3)
    assert answer.sentence == (
        "Sell 20,000 USD of B: daily volatility goes from 2,500 to 1,803 USD for 14.00 USD of "
        "trading cost; every cap on the book holds again."
    )


def test_risk_that_is_cheap_to_hedge_is_hedged_without_a_breach():
    facts = random_facts(1, n=12, held=4)
    answer = proposed(facts, easy(RiskLimits()))
    assert answer.after.volatility_daily_usd < 0.75 * answer.before.volatility_daily_usd
    held = facts.bot_usd + hedges(facts, answer)
    volatility = float(np.sqrt(held @ facts.covariance_daily @ held))
    assert answer.after.volatility_daily_usd == pytest.approx(volatility)
    assert answer.after.cae_usd == pytest.approx(volatility / facts.volatility_btc_daily)
    assert answer.after.hedge_gross_usd == pytest.approx(np.sum(np.abs(hedges(facts, answer))))


def test_nobody_holds_anything():
    answer = refused(two_tokens(0.0, risk_equity_usd=0.0), easy(CAPS))
    assert answer.reason is NoHedgeReason.FLAT
    assert answer.state is not None
    assert answer.state.volatility_daily_usd == 0.0


def test_a_trade_that_does_not_pay_is_not_proposed():
    answer = refused(two_tokens(taker_fee=np.full(2, 0.1)), easy(RiskLimits()))
    assert answer.reason is NoHedgeReason.NOT_WORTH_IT
    assert "no trade takes away more risk than it costs" in answer.detail


@pytest.mark.parametrize(
    ("facts", "limits", "under"),
    [
        ({"turnover_used_usd": 1e5}, {"turnover_daily_usd": 1e5}, "turnover_daily_usd"),
        ({"turnover_used_usd": 99_996.0}, {"turnover_daily_usd": 1e5}, "turnover_daily_usd"),
        ({"adv_usd": np.full(2, 100.0)}, {"adv_share": 0.01}, "adv_share"),
    ],
)
def test_a_trade_that_would_pay_is_not_called_too_dear_where_none_is_allowed(
    facts: dict[str, Any], limits: dict[str, float], under: str
):
    assert proposed(two_tokens(), easy(RiskLimits())).trades
    answer = refused(two_tokens(**facts), easy(RiskLimits(**limits)))
    assert answer.reason is NoHedgeReason.NOT_WORTH_IT
    assert answer.detail == f"every cap holds and there is no room for a trade under {under}"


def test_a_small_hedge_that_may_be_closed_leaves_room_for_a_trade():
    facts = two_tokens(50_000.0, -3.0, turnover_used_usd=99_996.0)
    answer = refused(facts, easy(RiskLimits(turnover_daily_usd=1e5)))
    assert "no trade takes away more risk than it costs" in answer.detail


def test_no_symbol_is_left():
    answer = refused(two_tokens(may_hedge=np.array([False, False])), easy(CAPS))
    assert answer.reason is NoHedgeReason.NOTHING_ALLOWED
    assert answer.state is not None
    assert {b.cap for b in answer.state.breaches} >= {"net_usd"}


def test_no_allowed_hedge_helps():
    facts = two_tokens(-50_000.0, taker_fee=np.full(2, 0.1))
    answer = refused(facts, easy(RiskLimits(net_usd=30_000.0)))
    assert answer.reason is NoHedgeReason.INFEASIBLE
    assert "net_usd" in answer.detail


def test_margin_comes_down_at_once():
    facts = two_tokens(50_000.0, -30_000.0, equity_usd=2_000.0)
    answer = proposed(facts, free(net_usd=30_000.0, margin_use=0.5))
    assert answer.legs[0].target_usd == -10_000.0
    assert answer.slacks_usd == pytest.approx({"net_usd": 10_000.0})


def test_a_net_cap_and_a_gross_cap_that_exclude_each_other_leave_the_hedge_where_it_is():
    facts = two_tokens(50_000.0, -20_000.0)
    answer = refused(facts, free(net_usd=30_000.0, hedge_gross_usd=8_000.0))
    assert answer.reason is NoHedgeReason.INFEASIBLE
    assert "hedge_gross_usd" in answer.detail


def test_a_failed_solver_is_held(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(strategies.problem, "run", lambda problem: str(cp.SOLVER_ERROR))
    answer = refused(two_tokens(), free(net_usd=30_000.0))
    assert answer.reason is NoHedgeReason.SOLVER_FAILED
    assert "solver_error" in answer.detail
    assert answer.state is not None


def test_caps_that_exclude_each_other_are_brought_as_close_as_they_go():
    answer = proposed(two_tokens(), free(net_usd=30_000.0, hedge_gross_usd=8_000.0))
    assert answer.legs[0].target_usd == -8_000.0
    assert answer.slacks_usd == pytest.approx({"net_usd": 12_000.0})
    assert "caps eased" in answer.solver_status
    assert "still over: net_usd" in answer.sentence


def test_a_breach_is_cured_beyond_the_turnover_cap_and_the_slack_is_reported():
    answer = proposed(two_tokens(), free(net_usd=30_000.0, turnover_daily_usd=5_000.0))
    assert answer.after.breaches == ()
    assert answer.slacks_usd == pytest.approx({"turnover_daily_usd": 15_000.0})
    assert "traded beyond turnover_daily_usd" in answer.sentence


def test_the_bots_own_token_is_its_own_matter():
    answer = proposed(two_tokens(), easy(RiskLimits(token_usd=20_000.0)))
    assert answer.legs[0].target_usd == -20_000.0
    assert [(b.cap, b.curable) for b in answer.after.breaches] == [("token_usd", False)]
    assert "only the bot can lower it: token_usd" in answer.sentence


@pytest.mark.parametrize("risk_aversion", [0.0, 4.0])
@pytest.mark.parametrize("left", [(-20_000.0, -3.0), (-700.4, 2_000.0)])
def test_hedges_of_a_flat_bot_are_closed_to_the_last_dollar(
    left: tuple[float, float], risk_aversion: float
):
    facts = two_tokens(
        0.0, *left, risk_equity_usd=0.0, turnover_used_usd=9e5, funding_daily=np.full(3, 0.01)
    )
    choices = easy(CAPS, risk_aversion=risk_aversion)
    answer = proposed(facts, choices)
    assert [leg.target_usd for leg in answer.legs] == [0.0, 0.0]
    assert [leg.trade_usd for leg in answer.legs] == [-left[0], -left[1]]
    assert answer.after.volatility_daily_usd == 0.0
    assert answer.cost.fee_usd == pytest.approx(5e-4 * sum(map(abs, left)))
    assert refused(replace(facts, hedge_usd=np.zeros(3)), choices).reason is NoHedgeReason.FLAT


def test_a_thin_market_slows_the_closing_down_but_never_stops_it():
    facts = two_tokens(0.0, -20_000.0, risk_equity_usd=0.0, adv_usd=np.array([1e8, 4e5]))
    answer = proposed(facts, easy(CAPS))
    assert answer.legs[0].trade_usd == 8_000.0
    dry = replace(facts, adv_usd=np.array([1e8, 10.0]))
    assert proposed(dry, easy(CAPS)).legs[0].trade_usd == 5.0


def test_small_books_are_hedged_too():
    scale = 300.0 / 100_000.0
    facts = random_facts(4, n=8, gross_usd=300.0)
    limits = RiskLimits(net_usd=45_000 * scale, token_usd=60_000 * scale)
    answer = proposed(facts, easy(limits))
    assert not [b for b in answer.after.breaches if b.curable]
    assert answer.after.volatility_daily_usd < answer.before.volatility_daily_usd


def test_a_rising_cap_on_turnover_is_not_needed_for_a_second_decision():
    facts = random_facts(2)
    first = proposed(facts, easy(CAPS))
    second = replace(facts, hedge_usd=hedges(facts, first))
    answer = STRATEGY.decide(second, easy(CAPS))
    assert isinstance(answer, NoHedge)


def test_the_strategy_none_only_watches():
    strategy: HedgeStrategy = NoHedging()
    answer = strategy.decide(two_tokens(), easy(CAPS))
    assert isinstance(answer, NoHedge)
    assert answer.state is not None
    assert {b.cap for b in answer.state.breaches} >= {"net_usd"}


@st.composite
def decisions(draw: st.DrawFn) -> tuple[HedgeFacts, HedgeChoices]:
    n = 6
    seed = draw(st.integers(0, 100_000))
    rng = np.random.default_rng(seed)
    scale = draw(st.sampled_from([0.01, 1.0, 100.0]))
    plain = random_facts(seed, n=n, held=2, gross_usd=100_000.0 * scale)
    lot = 10.0 ** rng.uniform(-2, 1, n)
    held = -np.round(rng.uniform(0, 3e4 * scale, n) / lot) * lot
    facts = replace(
        plain,
        lot_usd=lot,
        hedge_usd=np.where(rng.random(n) < 0.5, held, 0.0),
        may_hedge=plain.may_hedge & (rng.random(n) < 0.8),
        turnover_used_usd=float(rng.uniform(0, 2e4)) * scale,
    )
    caps = {
        "token_usd": 25_000,
        "hedge_gross_usd": 80_000,
        "net_usd": 45_000,
        "cluster_net_usd": 60_000,
        "beta_net_usd": 80_000,
        "cae_usd": 250_000,
        "turnover_daily_usd": 90_000,
    }
    chosen = {cap: usd * scale for cap, usd in caps.items() if draw(st.booleans())}
    limits = RiskLimits(**chosen, adv_share=0.02, margin_use=0.6)
    return facts, easy(
        limits,
        risk_aversion=draw(st.sampled_from([0.0, 4.0])),
        impact=draw(st.sampled_from([0.0, 1.0])),
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(decisions())
def test_every_proposal_can_be_traded_and_makes_no_cap_worse(
    decision: tuple[HedgeFacts, HedgeChoices],
):
    facts, choices = decision
    answer = STRATEGY.decide(facts, choices)
    if isinstance(answer, NoHedge):
        assert answer.reason is not NoHedgeReason.SOLVER_FAILED
        return
    target = hedges(facts, answer)
    trade = target - facts.hedge_usd
    lots = trade / facts.lot_usd
    assert np.all((np.abs(lots - np.rint(lots)) < 1e-4) | (target == 0))
    assert np.all((trade == 0) | (np.abs(trade) >= 5.0 - 1e-6) | (target == 0))
    assert np.all(target <= 0)
    off = ~facts.may_hedge
    assert np.all(np.abs(target[off]) <= np.abs(facts.hedge_usd[off]))
    before, after = answer.before.cap_use, answer.after.cap_use
    assert all(after[cap] <= max(1.0, before[cap]) + 1e-4 for cap in after)
    if "eased" not in answer.solver_status and "margin" not in answer.solver_status:
        assert not [b for b in answer.after.breaches if b.curable and b.cap != "token_usd"]
        report = check_trade_limits(
            choices.limits,
            symbols=facts.symbols,
            trade_usd=trade,
            adv_usd=facts.adv_usd,
            turnover_used_usd=facts.turnover_used_usd,
        )
        assert report.breaches == ()
        assert answer.objective_lots >= answer.objective_relaxed - 1e-6 * facts.risk_equity_usd
    assert set(answer.slacks_usd) <= set(answer.shadow_prices)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 100_000))
def test_what_is_best_already_is_left_alone(seed: int):
    facts = random_facts(seed)
    choices = easy(RiskLimits(token_usd=30_000.0, net_usd=60_000.0))
    first = STRATEGY.decide(facts, choices)
    if isinstance(first, HedgeProposal):
        second = replace(facts, hedge_usd=hedges(facts, first))
        assert isinstance(STRATEGY.decide(second, choices), NoHedge)


def test_the_same_question_has_the_same_answer_whatever_came_before():
    facts, choices = random_facts(3), easy(CAPS)
    fresh = MinimumRisk().decide(facts, choices)
    used = MinimumRisk()
    used.decide(random_facts(9), choices)
    used.decide(two_tokens(), free(net_usd=30_000.0))
    assert used.decide(facts, choices) == fresh


def test_times(capsys: pytest.CaptureFixture[str]):
    strategy, choices = MinimumRisk(), easy(CAPS)
    strategy.decide(random_facts(0, n=20, held=5), choices)
    taken = []
    for seed in range(1, 11):
        start = time.perf_counter()
        strategy.decide(random_facts(seed, n=20, held=5), choices)
        taken.append(1e3 * (time.perf_counter() - start))
    with capsys.disabled():
        sys.stdout.write(f"\n20 symbols: {np.median(taken):.0f} ms a decision\n")
