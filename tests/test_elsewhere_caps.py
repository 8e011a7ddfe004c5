"""Caps on one token count its contracts on every exchange together."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.errors import OptimizationError
from risk.limits.along import along
from risk.limits.caps import LimitReport, RiskLimits, check_limits
from risk.limits.cures import explain
from risk.limits.measures import Standing
from risk.limits.tokens import shared_tokens, token_groups
from strategies.checks import check_facts
from strategies.inputs import HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.model import hedge_model, smallest_trade_usd
from strategies.problem import HedgeProblem
from strategies.proposal import HedgeProposal
from strategies.shape import shape_of
from strategies.solution import Relaxed
from strategies.state import risk_state
from tests.strategies_cases import easy, random_facts

FAR = "FET/USDT:USDT@bybit"
HOME = "FET/USDT:USDT"
OTHER = "TAO/USDT:USDT"
BASIS_DAILY = 0.001


def facts_of(far_usd: float, home_usd: float = 0.0, **changes: object) -> HedgeFacts:
    """A bot far away, the same token here, and another token; ``home_usd`` is our hedge."""
    loads = np.array([[0.05, 0.0, 0.0], [0.05, BASIS_DAILY, 0.0], [0.03, 0.0, 0.04]])
    facts = replace(
        random_facts(1, n=3, held=1),
        symbols=(HOME, FAR, OTHER),
        bot_usd=np.array([0.0, far_usd, 0.0]),
        hedge_usd=np.array([home_usd, 0.0, 0.0]),
        covariance_daily=loads @ loads.T + 1e-9 * np.eye(3),
        may_hedge=np.array([True, False, True]),
        token=np.array([0, 0, 1]),
        cluster=np.zeros(3, dtype=np.int64),
        in_sector=np.ones(3, dtype=np.bool_),
        tail_returns=None,
        hands_off=frozenset(),
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def checked(facts: HedgeFacts, cap_usd: float) -> LimitReport:
    return check_limits(
        RiskLimits(token_usd=cap_usd),
        symbols=facts.symbols,
        bot_usd=facts.bot_usd,
        hedge_usd=facts.hedge_usd,
        covariance_daily=facts.covariance_daily,
        volatility_btc_daily=0.025,
        beta_btc=facts.beta_btc,
        in_sector=facts.in_sector,
        cluster=facts.cluster,
        initial_margin_rate=facts.initial_margin_rate,
        equity_usd=50_000.0,
        may_hedge=facts.may_hedge,
        token=facts.token,
    )


def standing(facts: HedgeFacts) -> Standing:
    return Standing(
        facts.symbols, facts.bot_usd, facts.hedge_usd, facts.covariance_daily, 0.025,
        facts.beta_btc, facts.in_sector, facts.cluster, facts.initial_margin_rate, 50_000.0, (),
        token=facts.token,
    )  # fmt: skip


def test_two_longs_of_one_token_exceed_its_cap_together() -> None:
    facts = replace(facts_of(7_000.0), bot_usd=np.array([6_000.0, 7_000.0, 9_000.0]))
    (breach,) = checked(facts, 10_000.0).breaches
    assert (breach.cap, breach.scope, breach.value) == ("token_usd", HOME, 13_000.0)
    assert breach.bot_alone
    assert breach.curable
    assert checked(replace(facts, token=None), 10_000.0).breaches == ()

    found = explain(breach, standing(facts))
    assert found.parts == ((FAR, 7_000.0), (HOME, 6_000.0))
    assert found.cure is not None
    assert found.cure.reduce_usd == pytest.approx(3_000.0)


def test_a_long_there_and_a_short_here_are_their_difference() -> None:
    report = checked(facts_of(30_000.0, -24_000.0), 10_000.0)
    assert report.breaches == ()
    assert report.cap_use["token_usd"] == pytest.approx(0.6)
    assert report.cap_use_bot_alone["token_usd"] == pytest.approx(3.0)


def test_an_entry_in_either_contract_meets_the_same_cap() -> None:
    book = standing(facts_of(7_000.0))
    limits = RiskLimits(token_usd=10_000.0)
    for index, room in ((0, 3_000.0), (1, 3_000.0), (2, 5_000.0)):
        (curve,) = along(limits, book, index)
        assert curve.furthest(5_000.0) == pytest.approx(room, rel=1e-6)
        assert curve.scope == (HOME, HOME, OTHER)[index]


def test_groups() -> None:
    symbols, token = (OTHER, FAR, HOME), np.array([4, 2, 2])
    names = [(name, members.tolist()) for name, members in token_groups(symbols, token)]
    assert names == [(OTHER, [0]), (HOME, [1, 2])]
    assert [name for name, _ in shared_tokens(symbols, token)] == [HOME]
    assert shared_tokens(symbols, None) == []


def decided(facts: HedgeFacts, limits: RiskLimits, **choices: object) -> HedgeProposal:
    answer = MinimumRisk().decide(facts, easy(limits, **choices))
    assert isinstance(answer, HedgeProposal), answer
    return answer


def test_the_cheapest_way_back_under_a_tokens_cap_is_the_token_itself() -> None:
    facts = facts_of(20_000.0)
    proposal = decided(facts, RiskLimits(token_usd=12_000.0), risk_aversion=0.0)
    target = {leg.symbol: leg.target_usd for leg in proposal.legs}
    assert target.keys() == {HOME}
    assert target[HOME] == pytest.approx(-8_000.0, rel=0.05)  # and a little further inside
    assert proposal.after.breaches == ()
    assert proposal.shadow_prices["token_usd"] > 0


def test_where_nothing_of_the_token_may_be_traded_its_cap_is_the_bots_own_matter() -> None:
    facts = facts_of(20_000.0, may_hedge=np.array([False, False, True]))
    limits = RiskLimits(token_usd=12_000.0)
    proposal = decided(facts, limits, risk_aversion=4.0)
    assert {leg.symbol for leg in proposal.legs} == {OTHER}
    assert [b.curable for b in proposal.after.breaches] == [False]


def test_what_stays_is_the_basis() -> None:
    facts = facts_of(20_000.0)
    proposal = decided(facts, RiskLimits(), risk_aversion=40.0)
    x = facts.bot_usd.copy()
    for leg in proposal.legs:
        x[facts.symbols.index(leg.symbol)] += leg.target_usd
    assert x[0] == pytest.approx(-20_000.0, rel=0.05)
    assert proposal.after.volatility_daily_usd < 3 * BASIS_DAILY * 20_000.0
    assert proposal.before.volatility_daily_usd > 900.0


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-40_000.0, 40_000.0),
    st.floats(-30_000.0, 0.0),
    st.floats(3_000.0, 30_000.0),
    st.booleans(),
)
def test_no_decision_leaves_a_token_further_over_its_cap_than_it_was(
    far_usd: float, home_usd: float, cap_usd: float, signed: bool
) -> None:
    facts, limits = facts_of(far_usd, home_usd), RiskLimits(token_usd=cap_usd)
    choices = easy(limits, shorts_only=not signed, risk_aversion=1.0)
    answer = MinimumRisk().decide(facts, choices)
    hedge = facts.hedge_usd.copy()
    if isinstance(answer, HedgeProposal):
        for leg in answer.legs:
            hedge[facts.symbols.index(leg.symbol)] = leg.target_usd
    before, after = (risk_state(facts, choices, h) for h in (facts.hedge_usd, hedge))
    use = after.cap_use["token_usd"]
    assert use <= max(1.0, before.cap_use["token_usd"]) * (1 + 1e-6)
    # Where allowed hedges can reach it, they do, but for a trade too small to send.
    reachable = far_usd >= 0 or (signed and home_usd == 0)  # no hedge turns round at once
    if (reachable or -far_usd <= cap_usd) and isinstance(answer, HedgeProposal):
        smallest_usd = float(smallest_trade_usd(facts)[0] + facts.lot_usd[0])
        assert use <= 1.0 + smallest_usd / cap_usd


def test_the_price_of_the_cap_is_what_a_dollar_of_it_is_worth() -> None:
    facts = facts_of(20_000.0)
    model = hedge_model(facts, easy(RiskLimits(token_usd=12_000.0), risk_aversion=0.0))
    row = [i for i, name in enumerate(model.caps.names) if name == "token_usd"]
    limits = model.caps.limits
    (shared,) = [i for i in row if model.caps.scopes[i] == HOME and np.isfinite(limits[i])]
    problem = HedgeProblem(shape_of(model))

    def cost(limit_usd: float) -> Relaxed:
        changed = limits.copy()
        changed[shared] = limit_usd
        answer = problem.solve(model, changed)
        assert isinstance(answer, Relaxed), answer
        return answer

    here = cost(12_000.0)
    slope = (cost(12_050.0).objective_usd - cost(11_950.0).objective_usd) / 100.0
    assert here.duals[shared] == pytest.approx(-slope, rel=1e-3)
    assert here.duals[shared] > 0


def test_a_token_number_that_is_none_is_refused() -> None:
    facts = facts_of(1_000.0)
    check_facts(facts)
    with pytest.raises(OptimizationError, match=r"token: shape \(2,\)"):
        check_facts(replace(facts, token=np.array([0, 1])))
    with pytest.raises(OptimizationError, match="token: shape"):
        check_facts(replace(facts, token=np.zeros(3)))
