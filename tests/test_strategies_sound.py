"""Limits that belong to no single strategy, and answers of the owner's own that cannot be used."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from risk.errors import OptimizationError
from risk.limits.caps import RiskLimits
from strategies.basket import basket
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.own import OwnStrategy
from strategies.pair import pair
from strategies.plain_qp import ledoit_wolf, sample
from strategies.proposal import CostEstimate, HedgeLeg, HedgeProposal, NoHedge, NoHedgeReason
from strategies.rule import RuleStrategy
from strategies.state import risk_state
from tests.strategies_cases import easy, random_facts

FREE = easy(limits=RiskLimits())
MAKERS = {"pair": pair, "basket": basket, "sample": sample, "ledoit_wolf": ledoit_wolf}


def held_after(answer: HedgeProposal | NoHedge) -> dict[str, float]:
    assert isinstance(answer, HedgeProposal), answer
    return {leg.symbol: leg.target_usd for leg in answer.legs if leg.target_usd}


@pytest.mark.parametrize("most", [0, 1, 2])
@pytest.mark.parametrize("name", MAKERS)
def test_no_strategy_opens_more_legs_than_may_be(name: str, most: int) -> None:
    facts = random_facts(12)
    limited, strategy = replace(FREE, most_legs=most), MAKERS[name]()
    answer = strategy.decide(facts, limited)
    if most == 0:
        assert isinstance(answer, NoHedge)
        return
    legs = held_after(answer)
    assert 0 < len(legs) <= most
    if name in {"pair", "basket"}:  # 1:1 in fewer symbols
        assert sum(legs.values()) == pytest.approx(-facts.bot_usd.sum(), rel=1e-3)


def test_a_basket_of_few_legs_stays_where_it_is() -> None:
    facts = random_facts(13)
    choices = replace(FREE, most_legs=2)
    chosen = [3, 4]
    held = np.zeros(8)
    held[chosen] = np.rint(-facts.bot_usd.sum() / 2 / facts.lot_usd[chosen]) * facts.lot_usd[chosen]
    answer = basket().decide(replace(facts, hedge_usd=held), choices)
    assert isinstance(answer, NoHedge)
    too_many = np.where(facts.may_hedge & facts.in_sector, -100 * facts.lot_usd, 0.0)
    legs = held_after(basket().decide(replace(facts, hedge_usd=too_many), choices))
    assert len(legs) == 2


@pytest.mark.parametrize("name", MAKERS)
def test_what_trades_ends_inside_the_cap(name: str) -> None:
    facts, cushion = random_facts(14), 0.05
    gross = sum(abs(usd) for usd in held_after(MAKERS[name]().decide(facts, FREE)).values())
    limits = RiskLimits(hedge_gross_usd=0.6 * gross)
    for c in (0.0, cushion):
        choices = easy(limits, cushion=c)
        after = held_after(MAKERS[name]().decide(facts, choices))
        most = (1 - c) * 0.6 * gross
        used = sum(abs(usd) for usd in after.values())
        assert most * 0.95 < used <= most * (1 + 1e-9)


def test_least_variance_minds_neither_the_tail_nor_other_windows() -> None:
    facts = random_facts(15)
    told = replace(
        facts,
        tail_returns=np.random.default_rng(1).normal(0, 0.05, (60, 8)),
        covariance_windows_daily=np.array([np.diag(np.full(8, 0.01))]),
    )
    choosy = replace(FREE, tail_aversion=5.0, worst_window=True)
    plain = held_after(sample().decide(facts, FREE))
    assert held_after(sample().decide(told, choosy)) == plain


def test_alternatives_of_least_variance_tell_what_they_cost() -> None:
    facts = replace(random_facts(16), taker_fee=np.full(8, 0.01), half_spread=np.zeros(8))
    answer = sample().decide(facts, FREE)
    assert isinstance(answer, HedgeProposal)
    told = {one.name: one for one in answer.alternatives}
    assert told
    assert all(one.trade_cost_usd > 0 for name, one in told.items() if name != "no trade")


def test_a_rule_does_not_call_a_cap_hopeless_that_it_never_trades_for() -> None:
    facts = random_facts(17)
    held = np.zeros(8)
    target = held_after(basket().decide(facts, FREE))
    for symbol, usd in target.items():
        held[facts.symbols.index(symbol)] = usd
    answer = basket().decide(
        replace(facts, hedge_usd=held), easy(RiskLimits(beta_net_usd=1.0, cae_usd=1.0))
    )
    assert isinstance(answer, NoHedge)
    assert answer.reason is NoHedgeReason.NOT_WORTH_IT
    assert answer.detail == (
        "the rule basket asks for no trade that the caps allow; it does not trade for the sake of "
        "caps, and these are exceeded: beta_net_usd, cae_usd"
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (lambda facts: facts.bot_usd * np.nan, "odd: its rule told nan USD of T0/USDT:USDT"),
        (lambda _facts: np.zeros(3), r"odd: its rule told float64 of shape \(3,\), must be"),
        (lambda _facts: None, r"odd: its rule told object of shape \(\)"),
    ],
)
def test_a_rule_that_tells_no_hedge_is_refused(
    rule: Callable[[HedgeFacts], np.ndarray], said: str
) -> None:
    with pytest.raises(OptimizationError, match=said):
        RuleStrategy("odd", "mean_ewma", rule).decide(random_facts(1), FREE)


class Fixed:
    """Answers with what it was made with, changed for the case."""

    name = "fixed"

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[return-value] # what an owner's code may well do


def proposed(facts: HedgeFacts, *legs: tuple[str, float, float, float]) -> HedgeProposal:
    """A proposal of these legs: symbol, now, then, trade; its figures do not matter here."""
    state = risk_state(facts, FREE, facts.hedge_usd)
    return HedgeProposal(
        strategy="fixed",
        timestamp_ms=facts.timestamp_ms,
        legs=tuple(HedgeLeg(*leg, price_usd=1.0) for leg in legs),
        before=state,
        after=state,
        cost=CostEstimate(0.0, 0.0, 0.0, 0.0),
        shadow_prices={},
        slacks_usd={},
        objective_relaxed=0.0,
        objective_lots=0.0,
        solver_status="",
        sentence="",
    )


T0, BOTS = "T0/USDT:USDT", "T7/USDT:USDT"


@pytest.mark.parametrize(
    ("legs", "said"),
    [
        ([("DOGE", 0.0, -10.0, -10.0)], "DOGE is not among the symbols of the facts"),
        ([(T0, 0.0, -10.0, -10.0)] * 2, "T0/USDT:USDT is twice"),
        ([(T0, 0.0, float("nan"), -10.0)], "not finite"),
        ([(T0, 0.0, -10.0, -20.0)], "goes from 0.00 by -20.00 to -10.00 USD, and is at 0.00"),
        ([(T0, -5.0, -10.0, -5.0)], "goes from -5.00 by -5.00 to -10.00 USD, and is at 0.00"),
        ([(BOTS, 0.0, -10.0, -10.0)], "T7/USDT:USDT is hands-off, where a hedge may only shrink"),
        ([(T0, 0.0, 10.0, 10.0)], "T0/USDT:USDT would be long, and only shorts are allowed"),
    ],
)
def test_a_proposal_of_ones_own_that_cannot_be_meant_is_refused(
    legs: list[tuple[str, float, float, float]], said: str
) -> None:
    facts = random_facts(18)
    with pytest.raises(OptimizationError, match="strategy fixed: ") as told:
        OwnStrategy(Fixed(proposed(facts, *legs))).decide(facts, FREE)
    assert said in str(told.value)


def test_what_can_be_meant_comes_through() -> None:
    held = np.zeros(8)
    held[7] = -50.0
    facts = replace(random_facts(18), hedge_usd=held)
    answer = proposed(facts, (T0, 0.0, -10.0, -10.0), (BOTS, -50.0, -20.0, 30.0))
    assert OwnStrategy(Fixed(answer)).decide(facts, FREE) is answer
    longs = proposed(facts, (T0, 0.0, 10.0, 10.0))
    assert OwnStrategy(Fixed(longs)).decide(facts, replace(FREE, shorts_only=False)) is longs


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "strategy fixed: answered NoneType, must be HedgeProposal or NoHedge"),
        (ValueError("no\nsuch token"), "strategy fixed: ValueError: no such token"),
        (OptimizationError("bot_usd: wrong"), "bot_usd: wrong"),
    ],
)
def test_what_is_no_answer_is_told_in_one_line(answer: object, said: str) -> None:
    with pytest.raises(OptimizationError) as told:
        OwnStrategy(Fixed(answer)).decide(random_facts(18), FREE)
    assert str(told.value) == said


class Spoiling:
    name = "spoiling"

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        facts.bot_usd[:] = 0.0
        facts.may_hedge[:] = True
        return proposed(facts, (BOTS, 0.0, -10.0, -10.0))


def test_facts_are_not_spoilt_for_those_who_use_them_next() -> None:
    facts = random_facts(19)
    with pytest.raises(OptimizationError, match="hands-off"):
        OwnStrategy(Spoiling()).decide(facts, FREE)
    np.testing.assert_array_equal(facts.bot_usd, random_facts(19).bot_usd)
