"""The hedges that people use: what they want to hold, and what they do within caps and lots."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from config.strategy import new_strategy
from risk.limits.caps import RiskLimits
from strategies.base import HedgeStrategy
from strategies.basket import equal_weights
from strategies.beta import beta_in_btc
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.pair import best_pairs
from strategies.plain_qp import sample
from strategies.proposal import HedgeProposal, NoHedge, NoHedgeReason
from strategies.registry import BUILT_IN
from tests.strategies_cases import easy, random_facts

FREE = easy(limits=RiskLimits())
RULES = ("pair", "beta", "basket")
HEDGING = (*RULES, "sample", "ledoit_wolf")
KEPT = {name: new_strategy(name) for name in HEDGING}  # problems are compiled once


def hedges(answer: HedgeProposal | NoHedge, facts: HedgeFacts) -> np.ndarray:
    if isinstance(answer, NoHedge):
        return facts.hedge_usd
    target = {leg.symbol: leg.target_usd for leg in answer.legs}
    return np.array([target.get(symbol, 0.0) for symbol in facts.symbols])


def test_every_strategy_is_called_what_the_config_calls_it() -> None:
    for name in BUILT_IN:
        assert new_strategy(name).name == name


def test_pair_shorts_what_moves_most_alike() -> None:
    facts = random_facts(3)
    volatility = np.sqrt(np.diag(facts.covariance_daily))
    expected = np.zeros(8)
    for i in (5, 6, 7):
        likeness = [facts.covariance_daily[i, k] / volatility[k] for k in range(5)]
        expected[int(np.argmax(likeness))] -= facts.bot_usd[i]
    np.testing.assert_allclose(best_pairs(facts), expected)
    assert best_pairs(facts).sum() == pytest.approx(-facts.bot_usd.sum())
    assert not np.any(best_pairs(replace(facts, may_hedge=np.zeros(8, dtype=bool))))


def test_beta_leaves_no_beta() -> None:
    facts = random_facts(4)
    target = beta_in_btc(facts)
    assert np.flatnonzero(target).tolist() == [0]
    assert facts.beta_btc @ (facts.bot_usd + target) == pytest.approx(0.0, abs=1e-9)
    without_btc = replace(facts, in_sector=np.ones(8, dtype=bool))
    assert not np.any(beta_in_btc(without_btc))


def test_basket_is_even_and_as_large_as_the_book() -> None:
    facts = random_facts(5)
    target = equal_weights(facts)
    np.testing.assert_allclose(target[1:5], -facts.bot_usd.sum() / 4)
    assert not np.any(target[[0, 5, 6, 7]])
    nowhere = replace(facts, may_hedge=np.arange(8) == 0)
    assert not np.any(equal_weights(nowhere))


@pytest.mark.parametrize("name", ["sample", "ledoit_wolf"])
def test_plain_problems_are_non_negative_least_squares(name: str) -> None:
    facts = random_facts(6, gross_usd=1e6)
    root = np.linalg.cholesky(facts.covariance_daily).T
    short, _ = nnls(root[:, :5], root @ facts.bot_usd)
    found = hedges(KEPT[name].decide(facts, FREE), facts)
    np.testing.assert_allclose(found[:5], -short, atol=10.0)  # lots of up to 20 USD
    assert not np.any(found[5:])


def test_plain_problems_do_not_mind_costs_but_tell_them() -> None:
    cheap = random_facts(7)
    dear = replace(cheap, taker_fee=np.full(8, 0.01), funding_daily=np.full(8, -0.01))
    one, other = KEPT["sample"].decide(cheap, FREE), KEPT["sample"].decide(dear, FREE)
    assert isinstance(one, HedgeProposal)
    assert isinstance(other, HedgeProposal)
    assert one.legs == other.legs
    traded = sum(abs(leg.trade_usd) for leg in other.trades)
    assert other.cost.fee_usd == pytest.approx(0.01 * traded)
    assert other.cost.carry_usd_per_day == pytest.approx(
        0.01 * sum(-leg.target_usd for leg in other.legs)
    )


@pytest.mark.parametrize("name", HEDGING)
def test_a_proposal_says_what_it_does(name: str) -> None:
    facts = random_facts(8)
    answer = KEPT[name].decide(facts, FREE)
    assert isinstance(answer, HedgeProposal)
    assert answer.strategy == name
    held = facts.bot_usd + hedges(answer, facts)
    risk = np.sqrt(held @ facts.covariance_daily @ held)
    assert answer.after.volatility_daily_usd == pytest.approx(risk)
    assert answer.after.volatility_daily_usd < answer.before.volatility_daily_usd
    assert answer.sentence.startswith("Sell ")
    assert answer.cost.trade_usd > 0


@pytest.mark.parametrize("name", HEDGING)
def test_what_is_hedged_already_is_left_alone(name: str) -> None:
    facts = random_facts(9)
    there = hedges(KEPT[name].decide(facts, FREE), facts)
    again = KEPT[name].decide(replace(facts, hedge_usd=there), FREE)
    assert isinstance(again, NoHedge)
    assert again.reason is NoHedgeReason.NOT_WORTH_IT


@pytest.mark.parametrize("name", RULES)
def test_a_rule_waits_until_prices_have_moved_a_leg_far_enough(name: str) -> None:
    facts = random_facts(10)
    there = hedges(KEPT[name].decide(facts, FREE), facts)
    near = replace(facts, hedge_usd=np.round(there * 0.9995 / facts.lot_usd) * facts.lot_usd)
    assert isinstance(KEPT[name].decide(near, FREE), NoHedge)
    far = replace(facts, hedge_usd=np.round(there * 0.97 / facts.lot_usd) * facts.lot_usd)
    moved = hedges(KEPT[name].decide(far, FREE), far)
    np.testing.assert_allclose(moved, there, atol=2 * facts.lot_usd.max())


@pytest.mark.parametrize("name", HEDGING)
def test_hedges_of_a_flat_bot_and_in_a_bots_symbol_are_closed(name: str) -> None:
    facts = random_facts(11)
    old = np.zeros(8)
    old[[1, 6]] = -50 * facts.lot_usd[[1, 6]]
    flat = replace(facts, bot_usd=np.zeros(8), hedge_usd=old, risk_equity_usd=0.0)
    assert not np.any(hedges(KEPT[name].decide(flat, FREE), flat))
    taken = replace(facts, hedge_usd=old, hands_off=frozenset(facts.symbols[5:]))
    assert not np.any(hedges(KEPT[name].decide(taken, FREE), taken)[5:])


CAPS = {
    "token_usd": st.floats(2_000, 80_000),
    "hedge_gross_usd": st.floats(5_000, 200_000),
    "net_usd": st.floats(1_000, 100_000),
    "beta_net_usd": st.floats(1_000, 150_000),
    "cae_usd": st.floats(20_000, 200_000),
    "turnover_daily_usd": st.floats(1_000, 150_000),
    "adv_share": st.floats(1e-4, 1e-2),
    "margin_use": st.floats(0.01, 1.0),
}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    name=st.sampled_from(RULES),
    caps=st.fixed_dictionaries({}, optional=CAPS),
    held=st.floats(0.0, 1.5),
)
def test_rules_keep_caps_signs_and_lots(
    seed: int, name: str, caps: dict[str, float], held: float
) -> None:
    facts = random_facts(seed)
    old = np.where(facts.may_hedge, -held * facts.bot_usd.sum() / 5, 0.0)
    facts = replace(facts, hedge_usd=np.round(old / facts.lot_usd) * facts.lot_usd)
    _require_sound(KEPT[name], facts, easy(limits=RiskLimits(**caps)))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    caps=st.fixed_dictionaries({"turnover_daily_usd": CAPS["turnover_daily_usd"]}),
)
def test_plain_problems_keep_caps_signs_and_lots(seed: int, caps: dict[str, float]) -> None:
    _require_sound(KEPT["sample"], random_facts(seed), easy(limits=RiskLimits(**caps)))


def _require_sound(strategy: HedgeStrategy, facts: HedgeFacts, choices: HedgeChoices) -> None:
    after = hedges(strategy.decide(facts, choices), facts)
    limits, trade = choices.limits, after - facts.hedge_usd
    lots = trade / facts.lot_usd
    assert np.all((np.abs(lots - np.rint(lots)) < 1e-6) | (after == 0))
    assert np.all(after <= 1e-9)
    assert np.all(np.abs(after[~facts.may_hedge]) <= np.abs(facts.hedge_usd[~facts.may_hedge]))

    def measured(hedge: np.ndarray) -> dict[str, float]:
        book = facts.bot_usd + hedge
        return {
            "hedge_gross_usd": float(np.abs(hedge).sum()),
            "net_usd": float(abs(book.sum())),
            "beta_net_usd": float(abs(facts.beta_btc @ book)),
            "cae_usd": float(
                np.sqrt(book @ facts.covariance_daily @ book) / facts.volatility_btc_daily
            ),
            "token_usd": float(np.abs(book[facts.may_hedge]).max()),
            "margin_use": float(facts.initial_margin_rate @ np.abs(hedge) / facts.equity_usd),
        }

    now, then = measured(facts.hedge_usd), measured(after)
    for cap, value in then.items():
        limit = getattr(limits, cap)
        if limit is not None:
            assert value <= max(limit, now[cap]) * (1 + 1e-6) + 1e-6, cap
    if limits.turnover_daily_usd is not None:
        assert np.abs(trade).sum() <= limits.turnover_daily_usd * (1 + 1e-9)
    if limits.adv_share is not None:
        assert np.all(np.abs(trade) <= limits.adv_share * facts.adv_usd * (1 + 1e-9))


def test_a_new_strategy_of_the_same_name_is_another_object() -> None:
    assert sample() is not sample()


def test_minimum_variance_ignores_impact_and_tells_it_of_alternatives_too() -> None:
    facts = random_facts(2)
    free, dear = (
        KEPT["sample"].decide(facts, replace(FREE, impact=impact)) for impact in (0.0, 5.0)
    )
    assert isinstance(free, HedgeProposal)
    assert isinstance(dear, HedgeProposal)
    assert free.legs == dear.legs
    assert dear.cost.impact_usd > 0.1 * dear.cost.fee_usd
    told = {one.name: one.trade_cost_usd for one in dear.alternatives}
    plain = {one.name: one.trade_cost_usd for one in free.alternatives}
    traded = [name for name, usd in plain.items() if usd > 0]
    assert traded
    for name in traded:
        assert told[name] > 1.05 * plain[name]
    (without,) = [name for name in traded if name.startswith("without ")]
    left_out = without.removeprefix("without ")
    size = np.array([abs(leg.trade_usd) if leg.symbol != left_out else 0.0 for leg in dear.legs])
    at = [facts.symbols.index(leg.symbol) for leg in dear.legs]
    volatility, adv = np.sqrt(np.diag(facts.covariance_daily))[at], facts.adv_usd[at]
    by_hand = size @ (facts.taker_fee + facts.half_spread)[at]
    by_hand += 5.0 * (volatility / np.sqrt(adv)) @ size**1.5
    assert told[without] == pytest.approx(by_hand)
