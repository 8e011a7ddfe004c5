"""What a proposal tells beside its trades: accounts that add up, and alternatives that lost."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.limits.caps import RiskLimits
from risk.limits.stresses import account_stress, gap_returns
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.model import hedge_model
from strategies.proposal import HedgeProposal
from strategies.strain import deleveraging, stress_lines
from strategies.variance import variance_split
from tests.strategies_cases import easy, free, random_facts, two_tokens

STRATEGY = MinimumRisk()


def full(seed: int, n: int = 8) -> HedgeFacts:
    facts = random_facts(seed, n=n)
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(facts.covariance_daily)
    named = gap_returns(facts.in_sector, gap=0.3, benchmark_gap=0.1)
    return replace(
        facts,
        tail_returns=np.expm1(rng.standard_normal((250, n)) @ root.T),
        stress=account_stress(named, np.full(n, 0.05), shared=False),
    )


def proposed(facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal:
    answer = STRATEGY.decide(facts, choices)
    assert isinstance(answer, HedgeProposal), answer
    return answer


def target_of(facts: HedgeFacts, answer: HedgeProposal) -> np.ndarray:
    target = np.zeros(len(facts.symbols))
    for leg in answer.legs:
        target[facts.symbols.index(leg.symbol)] = leg.target_usd
    return target


def test_the_variance_is_that_of_a_regression_on_the_factors():
    facts = random_facts(4, n=7)
    hedge = np.where(facts.may_hedge, -5_000.0, 0.0)
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((4_000, 7))
    draws -= draws.mean(axis=0)
    draws = draws @ np.linalg.inv(np.linalg.cholesky(draws.T @ draws / 4_000)).T
    returns = draws @ np.linalg.cholesky(facts.covariance_daily).T  # exactly this covariance
    factors = np.column_stack([returns[:, 0], returns[:, 1:].mean(axis=1)])
    split = variance_split(facts, hedge)
    for book, systematic, specific in (
        (facts.bot_usd, split.systematic_bot_usd2, split.specific_bot_usd2),
        (
            facts.bot_usd + hedge,
            split.systematic_after_usd2,
            split.specific_bot_usd2 + split.specific_added_usd2,
        ),
    ):
        profit = returns @ book
        slopes, *_ = np.linalg.lstsq(factors, profit, rcond=None)
        explained = factors @ slopes
        assert systematic == pytest.approx(np.mean(explained**2), rel=1e-9)
        assert specific == pytest.approx(np.mean((profit - explained) ** 2), rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1_000), st.lists(st.floats(-2e4, 0.0), min_size=8, max_size=8))
def test_the_parts_of_the_variance_add_up(seed: int, hedges: list[float]):
    facts, hedge = random_facts(seed), np.array(hedges)
    split = variance_split(facts, hedge)
    both = facts.bot_usd + hedge
    total = float(both @ facts.covariance_daily @ both)
    parts = split.systematic_after_usd2 + split.specific_bot_usd2 + split.specific_added_usd2
    assert parts == pytest.approx(total, rel=1e-9)
    assert min(split.systematic_bot_usd2, split.systematic_after_usd2) >= 0.0
    assert split.specific_bot_usd2 + split.specific_added_usd2 >= -1e-9 * total
    assert split.systematic_removed is not None
    assert split.systematic_removed <= 1.0


def test_without_benchmarks_or_without_a_sector_there_are_factors_still():
    for in_sector in (np.ones(2, dtype=bool), np.zeros(2, dtype=bool)):
        facts = two_tokens(in_sector=in_sector)
        split = variance_split(facts, np.array([0.0, -50_000.0]))
        whole = float(facts.bot_usd @ facts.covariance_daily @ facts.bot_usd)
        assert split.systematic_bot_usd2 + split.specific_bot_usd2 == pytest.approx(whole)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 0.02]))
def test_cost_and_risk_accounts_add_up(seed: int, impact: float, cushion: float):
    facts = full(seed)
    limits = RiskLimits(net_usd=60_000.0, cae_usd=250_000.0, hedge_gross_usd=90_000.0)
    choices = easy(limits, impact=impact, cushion=cushion)
    answer = STRATEGY.decide(facts, choices)
    if not isinstance(answer, HedgeProposal):
        return
    model, target = hedge_model(facts, choices), target_of(facts, answer)
    size = np.abs(target - facts.hedge_usd)
    cost = answer.cost
    assert cost.fee_usd == pytest.approx(facts.taker_fee @ size)
    assert cost.spread_usd == pytest.approx(facts.half_spread @ size)
    sigma = np.sqrt(np.diag(facts.covariance_daily))
    assert cost.impact_usd == pytest.approx(impact * (sigma / np.sqrt(facts.adv_usd)) @ size**1.5)
    assert cost.carry_usd_per_day == pytest.approx(facts.funding_daily @ target)
    assert answer.variance is not None
    parts = answer.variance
    after = parts.systematic_after_usd2 + parts.specific_bot_usd2 + parts.specific_added_usd2
    assert after == pytest.approx(answer.after.volatility_daily_usd**2, rel=1e-9)
    assert float(model.objective_usd(target)) == pytest.approx(answer.objective_lots, rel=1e-9)
    caps = model.caps.values(target)
    assert np.all(caps <= np.maximum(model.caps.limits, model.caps.values(facts.hedge_usd)) + 1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_no_alternative_is_better_and_each_says_why(seed: int):
    facts = full(seed)
    choices = easy(RiskLimits(net_usd=55_000.0, cae_usd=250_000.0, turnover_daily_usd=8e4))
    answer = proposed(facts, choices)
    assert 1 <= len(answer.alternatives) <= 3
    names = [one.name for one in answer.alternatives]
    assert len(set(names)) == len(names)
    for one in answer.alternatives:
        assert "USD" in one.reason
        if one.reason.startswith("breaks"):
            continue
        assert one.objective_usd >= answer.objective_lots - 20 * 0.1  # what trades must be worth
        assert one.reason.startswith(("costs", "saves", "better by"))
    order = [one.reason.startswith("breaks") for one in answer.alternatives]
    assert order == sorted(order)


def test_staying_put_breaks_the_cap_that_forced_the_trade():
    answer = proposed(two_tokens(), free(net_usd=30_000.0))
    (stay,) = [one for one in answer.alternatives if one.name == "no trade"]
    assert stay.reason == "breaks net_usd by 20,000.00 USD"
    assert stay.trade_cost_usd == 0.0
    assert stay.volatility_daily_usd == pytest.approx(2_500.0)


@pytest.mark.parametrize("seed", [7, 11, 15, 22])
def test_one_benchmark_alone_at_its_best_size(seed: int):
    facts = random_facts(seed)
    answer = proposed(facts, easy(RiskLimits(), risk_aversion=4.0))
    told = {one.name: one for one in answer.alternatives}
    name = f"{facts.symbols[0]} alone"
    model, best = hedge_model(facts, easy(RiskLimits())), np.inf
    for short in np.arange(0.0, 2e5, 50.0):
        hedge = np.zeros(len(facts.symbols))
        hedge[0] = -short
        best = min(best, float(model.objective_usd(hedge)))
    assert told[name].objective_usd == pytest.approx(best, rel=1e-3)


def test_stresses_and_deleveraging_by_hand():
    stress = account_stress(
        {"up": np.array([0.3, 0.2]), "down": np.array([-0.3, -0.2])},
        np.full(2, 0.05),
        shared=False,
    )
    facts = two_tokens(50_000.0, -10_000.0, stress=stress)
    up, down = stress_lines(facts, np.array([0.0, -40_000.0]))
    assert (up.name, up.taken_before_usd, up.taken_after_usd) == ("up", 2_500.0, 10_000.0)
    assert (down.taken_before_usd, down.taken_after_usd) == (-1_500.0, -6_000.0)
    told = deleveraging(facts, np.array([0.0, -40_000.0]))
    assert told is not None
    # half of 40,000 is left: 0.3·50,000 − 0.2·20,000
    assert (told.stress, told.loss_usd) == ("down", pytest.approx(11_000.0))
    left = np.array([50_000.0, -20_000.0])
    assert told.volatility_daily_usd == pytest.approx(np.sqrt(left @ facts.covariance_daily @ left))
    assert deleveraging(facts, np.zeros(2)) is None
    plain = deleveraging(replace(facts, stress=None), np.array([0.0, -40_000.0]))
    assert plain is not None
    assert (plain.stress, plain.loss_usd) == ("", None)


def test_closing_what_hedges_nothing_has_no_better_alternative_either():
    answer = proposed(two_tokens(0.0, -5_000.0, risk_equity_usd=0.0), easy(RiskLimits()))
    assert answer.legs[0].target_usd == 0.0
    assert answer.variance is not None
    assert answer.variance.systematic_removed is None


ARRAYS = [f.name for f in fields(HedgeFacts) if isinstance(getattr(full(1), f.name), np.ndarray)]


def spoil(facts: HedgeFacts) -> None:
    """Write over everything that can be written to, as who uses buffers again would."""
    for name in ARRAYS:
        getattr(facts, name)[...] = 1
    assert facts.stress is not None
    facts.stress.returns[...] = 9.0
    facts.stress.margin_rate[...] = 9.0


@pytest.mark.parametrize("net_usd", [40_000.0, 105_000.0])
def test_what_becomes_of_the_facts_later_changes_nothing_that_is_told(net_usd: float):
    choices = easy(RiskLimits(net_usd=net_usd, cae_usd=9e5), risk_aversion=0.0)
    at_once = STRATEGY.decide(full(3), choices)
    told = {f.name: getattr(at_once, f.name) for f in fields(at_once)}
    facts = full(3)
    late = STRATEGY.decide(facts, choices)
    assert isinstance(late, HedgeProposal) == (net_usd < 50_000.0)
    spoil(facts)
    assert {f.name: getattr(late, f.name) for f in fields(late)} == told


def test_facts_that_are_kept_are_kept_once():
    facts = full(3)
    kept = facts.kept()
    again = kept.kept()
    for name in ARRAYS:
        assert np.array_equal(getattr(kept, name), getattr(facts, name))
        assert getattr(again, name) is getattr(kept, name)
        assert not getattr(kept, name).flags.writeable
