"""What a stress may take of the account, and doubt about beta: by hand and by brute force."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.errors import OptimizationError
from risk.limits.caps import LimitBreach, RiskLimits
from risk.limits.cures import explain
from risk.limits.measures import Standing
from risk.limits.stresses import (
    AccountStress,
    account_stress,
    funding_squeeze,
    gap_returns,
    worst_windows,
)
from strategies.checks import check_choices, check_facts
from strategies.easing import eased_limits
from strategies.elastic import ElasticProblem
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.model import hedge_model
from strategies.problem import HedgeProblem
from strategies.proposal import HedgeProposal
from strategies.shape import shape_of
from strategies.solution import Relaxed
from strategies.state import risk_state
from tests.strategies_cases import easy, free, random_facts, two_tokens

UP = AccountStress(("up",), np.array([[0.3, 0.3]]), np.full(2, 0.05))


def least_cost(facts: HedgeFacts, choices: HedgeChoices) -> np.ndarray:
    model = hedge_model(facts, choices)
    answer = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
    assert isinstance(answer, Relaxed), answer
    return answer.hedge_usd


def test_what_a_jump_takes_of_a_hedge_account_by_hand():
    facts = two_tokens(50_000.0, -20_000.0, stress=UP, equity_usd=10_000.0)
    # 30 % of 20,000 lost and 5 % of it kept as margin: 7,000 of 10,000
    state = risk_state(facts, free(stress_use=0.5), facts.hedge_usd)
    assert state.cap_use["stress_use"] == pytest.approx(0.7 / 0.5)
    (breach,) = state.breaches
    assert (breach.cap, breach.scope, breach.curable) == ("stress_use", "up", True)
    assert not breach.bot_alone
    # In a shared account the bot's 50,000 gain 15,000, and both need margin.
    shared = replace(facts, stress=replace(UP, shared=True))
    taken = UP.margin_rate[0] * 70_000.0 + 6_000.0 - 15_000.0
    use = risk_state(shared, free(stress_use=0.5), facts.hedge_usd).cap_use["stress_use"]
    assert use == pytest.approx(max(taken, 0.0) / 10_000.0 / 0.5)


def test_hedges_are_as_large_as_the_account_survives():
    facts = two_tokens(50_000.0, stress=UP, equity_usd=10_000.0)
    hedge = least_cost(facts, easy(RiskLimits(stress_use=0.6)))
    assert hedge[1] == pytest.approx(-0.6 * 10_000.0 / 0.35, abs=0.1)


def test_a_shared_account_needs_hedges_to_survive_a_fall():
    down = AccountStress(("down",), np.array([[-0.3, -0.3]]), np.full(2, 0.05), shared=True)
    facts = two_tokens(50_000.0, stress=down, equity_usd=30_000.0)
    hedge = least_cost(facts, free(stress_use=0.5))
    # 0.3·(50,000 − s) + 0.05·(50,000 + s) = 15,000
    assert hedge[1] == pytest.approx(-(17_500.0 - 15_000.0) / 0.25, abs=0.1)


@pytest.mark.parametrize("shared", [False, True])
def test_the_stress_cap_against_a_grid(shared: bool):
    facts = two_tokens(50_000.0, 0.0, 0.0, equity_usd=12_000.0)
    returns = np.array([[0.2, 0.35, 0.1], [-0.3, -0.25, -0.4], [0.1, -0.2, 0.5]])
    stress = AccountStress(("a", "b", "c"), returns, np.array([0.05, 0.1, 0.02]), shared)
    facts = replace(facts, stress=stress, taker_fee=np.array([0.0, 4e-4, 6e-4]))
    choices = easy(RiskLimits(stress_use=0.7 if not shared else 0.9), risk_aversion=2.0)
    model = hedge_model(facts, choices)
    answer = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
    assert isinstance(answer, Relaxed)
    side = -np.linspace(0.0, 50_000.0, 1001)
    grid = np.stack(np.meshgrid([0.0], side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    y = grid + facts.bot_usd if shared else grid
    worst = np.max(-(y @ returns.T) + (np.abs(y) @ stress.margin_rate)[:, None], axis=1)
    assert choices.limits.stress_use is not None
    fits = worst <= choices.limits.stress_use * 12_000.0
    best = float(np.min(model.objective_usd(grid[fits])))
    assert answer.objective_usd <= best + 1e-6
    assert answer.objective_usd == pytest.approx(best, rel=2e-3)


def test_doubt_of_beta_takes_room_from_its_cap():
    facts = two_tokens(50_000.0, beta_btc_se=np.array([0.2, 0.1]))
    choices = replace(free(beta_net_usd=45_000.0), beta_uncertainty=2.0)
    # |1.5·(50,000 − s)| + 2·(0.2·50,000 + 0.1·s) = 45,000
    hedge = least_cost(facts, choices)
    short = (75_000.0 + 20_000.0 - 45_000.0) / 1.3
    assert hedge[1] == pytest.approx(-short, abs=0.1)
    state = risk_state(facts, choices, hedge)
    assert state.cap_use["beta_net_usd"] == pytest.approx(1.0, abs=1e-5)
    certain = replace(choices, beta_uncertainty=0.0)
    assert risk_state(facts, certain, hedge).cap_use["beta_net_usd"] < 0.7


def test_the_buffer_before_liquidation_yields_last():
    stress = replace(UP, shared=False)
    facts = two_tokens(50_000.0, stress=stress, equity_usd=10_000.0)
    choices = easy(RiskLimits(net_usd=20_000.0, stress_use=0.35, token_usd=50_000.0))
    model = hedge_model(facts, choices)
    eased = eased_limits(ElasticProblem(shape_of(model)), model)
    assert isinstance(eased, np.ndarray)
    finite = np.isfinite(model.caps.limits)
    eased, limits = (np.where(finite, each, 0.0) for each in (eased, model.caps.limits))
    over = model.caps.by_cap(eased - limits, np.max)
    assert over["stress_use"] == 0.0
    assert over["net_usd"] == pytest.approx(20_000.0, abs=0.5)  # only 10,000 can be hedged
    answer = MinimumRisk().decide(facts, choices)
    assert isinstance(answer, HedgeProposal)
    assert answer.after.cap_use["stress_use"] <= 1.0 + 1e-9


def test_a_buffer_that_is_gone_comes_back_before_anything_else():
    facts = two_tokens(50_000.0, -30_000.0, stress=UP, equity_usd=10_000.0)
    limits = RiskLimits(net_usd=20_000.0, stress_use=0.7)
    answer = MinimumRisk().decide(facts, easy(limits, risk_aversion=0.0))
    assert isinstance(answer, HedgeProposal)
    assert answer.after.cap_use["stress_use"] <= 1.0 + 1e-9
    assert answer.legs[0].trade_usd == pytest.approx(10_000.0, abs=2.0)


def test_stresses_are_what_their_names_say():
    in_sector = np.array([True, True, False])
    gaps = gap_returns(in_sector, gap=0.3, benchmark_gap=0.1)
    assert gaps["sector up"].tolist() == [0.3, 0.3, 0.1]
    assert gaps["sector down"].tolist() == [-0.3, -0.3, -0.1]
    squeeze = funding_squeeze(
        in_sector, np.array([0.05, 0.1, 0.03]), days=4.0, deviations=2.0, funding_daily=0.01
    )
    assert squeeze == pytest.approx([np.exp(0.2) - 0.96, np.exp(0.4) - 0.96, 0.0])
    table = account_stress(gaps, np.full(3, 0.05), shared=False)
    assert table.names == ("sector up", "sector down")
    assert table.returns.shape == (2, 3)


def test_worst_windows_are_the_worst_and_do_not_overlap():
    rng = np.random.default_rng(5)
    log_price = np.cumsum(rng.normal(0.0, 0.02, (400, 3)), axis=0)
    log_price[:50, 2] = np.nan
    weights = np.array([1.0, -2.0, 0.0])
    found = worst_windows(log_price, weights, window_bars=24, count=3)
    profits = {}
    for t in range(400 - 24):
        move = np.exp(log_price[t + 24] - log_price[t]) - 1.0
        profits[t] = float(np.nansum(move * weights))
    chosen: list[int] = []
    for t in sorted(profits, key=lambda t: profits[t]):
        if all(abs(t - other) >= 24 for other in chosen):
            chosen.append(t)
    expected = [np.nan_to_num(np.exp(log_price[t + 24] - log_price[t]) - 1.0) for t in chosen[:3]]
    assert found == pytest.approx(np.array(expected))
    assert worst_windows(log_price[:10], weights, window_bars=24, count=3).shape == (0, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stress": AccountStress(("up",), np.ones((2, 2)), np.zeros(2))}, "stress returns: shape"),
        ({"stress": AccountStress(("up",), np.ones((1, 2)), -np.ones(2))}, "stress margin: A has"),
        ({"beta_btc_se": np.array([0.1, np.nan])}, "beta_btc_se: B has nan"),
        ({"tail_returns": np.array([[0.1, np.inf]])}, "tail_returns: holds a number"),
        ({"covariance_windows_daily": np.ones((1, 3, 3))}, "covariance_windows_daily: shape"),
    ],
)
def test_malformed_facts_are_named(changes: dict[str, Any], message: str):
    with pytest.raises(OptimizationError, match=message):
        check_facts(replace(two_tokens(), **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cushion": 1.0}, "cushion: 1.0, must be below 1"),
        ({"tail_confidence": 1.0}, "tail_confidence"),
        ({"most_legs": -1}, "most_legs: -1"),
        ({"beta_uncertainty": -0.1}, "beta_uncertainty"),
    ],
)
def test_malformed_choices_are_named(changes: dict[str, Any], message: str):
    with pytest.raises(OptimizationError, match=message):
        check_choices(replace(easy(RiskLimits()), **changes))


def test_a_price_of_the_tail_without_scenarios_is_an_error():
    with pytest.raises(OptimizationError, match="tail_returns: there are none"):
        hedge_model(random_facts(1), easy(RiskLimits(), tail_aversion=1.0))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-5e4, 5e4), min_size=6, max_size=6),
    st.lists(st.floats(-3e4, 3e4), min_size=6, max_size=6),
    st.booleans(),
)
def test_what_breaks_these_caps_adds_up_and_a_cure_is_one(
    bot: list[float], hedge: list[float], shared: bool
):
    facts = random_facts(3, n=6, held=2)
    named = gap_returns(facts.in_sector, gap=0.3, benchmark_gap=0.1)
    stress = account_stress(named, np.full(6, 0.05), shared=shared)
    facts = replace(facts, bot_usd=np.array(bot), stress=stress, beta_btc_se=np.full(6, 0.1))
    choices = replace(free(stress_use=0.02, beta_net_usd=2_000.0), beta_uncertainty=1.0)

    def state(held: np.ndarray, bots: np.ndarray) -> tuple[LimitBreach, ...]:
        return risk_state(replace(facts, bot_usd=bots), choices, held).breaches

    held = np.array(hedge)
    standing = Standing(
        facts.symbols, facts.bot_usd, held, facts.covariance_daily, facts.volatility_btc_daily,
        facts.beta_btc, facts.in_sector, facts.cluster, facts.initial_margin_rate,
        facts.equity_usd, (), choices.beta_doubt(facts), stress,
    )  # fmt: skip
    for breach in state(held, facts.bot_usd):
        told = explain(breach, standing)
        assert sum(part for _, part in told.parts) == pytest.approx(breach.value, rel=1e-9)
        if told.cure is None:
            continue
        i = facts.symbols.index(told.cure.symbol)
        on_hedges = breach.cap == "stress_use" and not shared
        position = held[i] if on_hedges else facts.bot_usd[i] + held[i]
        moved = held.copy()
        moved[i] -= np.sign(position) * told.cure.reduce_usd
        left = [one for one in state(moved, facts.bot_usd) if one.cap == breach.cap]
        assert all(
            one.scope != breach.scope or one.value == pytest.approx(breach.limit, rel=1e-6)
            for one in left
        )
