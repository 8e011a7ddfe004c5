"""What a trader would find silly: dust, churn, funding farms, bets against the bot."""

from dataclasses import replace

import numpy as np
import pytest

from risk.limits.caps import RiskLimits
from strategies.caps import excess
from strategies.certificate import lower_bound_usd
from strategies.constraints import out_of_reach
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.model import hedge_model
from strategies.problem import HedgeProblem
from strategies.proposal import HedgeProposal, NoHedge, NoHedgeReason
from strategies.shape import shape_of
from strategies.solution import Relaxed
from strategies.state import risk_state
from strategies.trifles import without_trifles
from tests.strategies_cases import easy, free, random_facts, two_tokens

STRATEGY = MinimumRisk()


def decided(facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal:
    answer = STRATEGY.decide(facts, choices)
    assert isinstance(answer, HedgeProposal), answer
    return answer


def after(facts: HedgeFacts, proposal: HedgeProposal) -> np.ndarray:
    by_symbol = {leg.symbol: leg.target_usd for leg in proposal.legs}
    return np.array([by_symbol.get(symbol, 0.0) for symbol in facts.symbols])


# Funding with λ = 0


def test_without_risk_aversion_funding_received_opens_no_hedge():
    facts = two_tokens(50_000.0, 0.0, 0.0, funding_daily=np.array([0.0, 0.01, 0.02]))
    answer = STRATEGY.decide(facts, free(net_usd=60_000.0))
    assert isinstance(answer, NoHedge)
    assert answer.reason is NoHedgeReason.NOT_WORTH_IT


@pytest.mark.parametrize("paid", [1e-4, 3e-4, 0.01])
def test_a_breach_is_cured_where_funding_pays_most_and_no_further(paid: float):
    facts = two_tokens(50_000.0, 0.0, 0.0, funding_daily=np.array([0.0, 0.9 * paid, paid]))
    answer = decided(facts, free(net_usd=30_000.0))
    assert list(after(facts, answer)) == [0.0, 0.0, -20_000.0]
    assert answer.cost.carry_usd_per_day == pytest.approx(-20_000.0 * paid)


def test_funding_paid_away_closes_a_hedge_that_no_cap_needs():
    facts = two_tokens(20_000.0, -5_000.0, -5_000.0, funding_daily=np.array([0.0, -0.01, 1e-4]))
    answer = decided(facts, free(net_usd=30_000.0))
    assert list(after(facts, answer)) == [0.0, 0.0, -5_000.0]


def test_a_hedge_that_is_paid_for_is_kept_though_no_cap_needs_it():
    facts = two_tokens(20_000.0, -5_000.0, 0.0, funding_daily=np.array([0.0, 1e-4, 0.01]))
    assert isinstance(STRATEGY.decide(facts, free(net_usd=30_000.0)), NoHedge)


def test_long_hedges_are_no_farm_either():
    facts = two_tokens(50_000.0, 0.0, 0.0, funding_daily=np.array([0.0, -0.01, -0.02]))
    choices = replace(free(net_usd=60_000.0), shorts_only=False)
    assert isinstance(STRATEGY.decide(facts, choices), NoHedge)


def test_with_risk_aversion_funding_counts_in_full():
    facts = two_tokens(50_000.0, 0.0, 0.0, funding_daily=np.array([0.0, 0.0, 2e-3]))
    plain = decided(replace(facts, funding_daily=np.zeros(3)), easy(RiskLimits()))
    paid = decided(facts, easy(RiskLimits()))
    assert after(facts, plain)[1] == pytest.approx(after(facts, plain)[2], abs=2.0)
    assert after(facts, paid)[2] < after(facts, paid)[1] - 1_000.0


@pytest.mark.parametrize("seed", range(4))
def test_the_charge_on_opening_is_the_same_for_solver_bound_and_rounding(seed: int):
    facts = random_facts(seed, hedge_usd=np.array([-9e3, -4e3, 0.0, 0.0, -2e3, 0.0, 0.0, 0.0]))
    limits = RiskLimits(net_usd=40_000.0, cae_usd=200_000.0, hedge_gross_usd=90_000.0)
    model = hedge_model(facts, easy(limits, risk_aversion=0.0))
    assert np.any(model.costs.opening > 0)
    answer = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
    assert isinstance(answer, Relaxed)
    reach = np.minimum(model.caps.limits, out_of_reach(model))
    bound = lower_bound_usd(model, reach, answer.duals, answer.hedge_usd)
    assert bound <= answer.objective_usd + 1e-4
    assert answer.objective_usd - bound < 0.1
    added = np.maximum(np.abs(answer.hedge_usd) - np.abs(facts.hedge_usd), 0.0)
    plain = replace(model.costs, opening=np.zeros(8))
    trade = answer.hedge_usd - facts.hedge_usd
    charge = model.costs.objective_usd(answer.hedge_usd, trade) - plain.objective_usd(
        answer.hedge_usd, trade
    )
    assert float(charge) == pytest.approx(float(model.costs.opening @ added), abs=1e-6)


# Dust


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("gross_usd", [1e4, 1e5, 5e6])
def test_every_trade_is_worth_its_order(seed: int, gross_usd: float):
    facts = random_facts(seed, n=16, gross_usd=gross_usd, held=4)
    choices = easy(RiskLimits())
    answer, model = decided(facts, choices), hedge_model(facts, choices)
    target = after(facts, answer)
    for i in np.flatnonzero(target).tolist():
        without = target.copy()
        without[i] = 0.0
        assert model.objective_usd(without) > answer.objective_lots + model.trade_worth_usd
    assert answer.objective_lots - answer.objective_relaxed < 16 * model.trade_worth_usd


def test_leaving_out_trifles_costs_no_more_than_they_are_worth():
    facts = random_facts(5, n=16, held=4)
    model = hedge_model(facts, easy(RiskLimits(net_usd=60_000.0)))
    problem = HedgeProblem(shape_of(model))
    full = problem.solve(model, model.caps.limits)
    assert isinstance(full, Relaxed)
    dear = replace(model, trade_worth_usd=2.0)
    fewer, found = without_trifles(problem, dear, model.caps.limits, full)
    left_out = int(np.sum(fewer.lower == fewer.upper) - np.sum(model.lower == model.upper))
    assert left_out >= 3
    assert full.objective_usd <= found.objective_usd <= full.objective_usd + 2.0 * left_out
    assert not np.any(excess(model.caps.values(found.hedge_usd), model.caps.limits + 1.0))
    cheap = replace(model, trade_worth_usd=0.0)
    same, again = without_trifles(problem, cheap, model.caps.limits, full)
    assert again.objective_usd == pytest.approx(full.objective_usd, abs=1e-3)
    assert same.current is model.current


def test_a_drift_of_prices_asks_for_no_trade():
    rng = np.random.default_rng(4)
    facts = random_facts(4, n=16, held=4)
    choices = easy(RiskLimits(net_usd=80_000.0))
    held = after(facts, decided(facts, choices))
    orders = 0
    for _ in range(12):
        move = np.exp(0.004 * rng.standard_normal(16))
        held = held * move
        facts = replace(facts, bot_usd=facts.bot_usd * move, hedge_usd=held)
        answer = STRATEGY.decide(facts, choices)
        if isinstance(answer, HedgeProposal):
            orders += len(answer.trades)
            held = after(facts, answer)
    assert orders <= 3  # 18 where a trade need not be worth anything


# A cap that cannot be met


def out_of_hand() -> tuple[HedgeFacts, HedgeChoices]:
    """A bot whose correlation-adjusted exposure no hedge brings under the cap."""
    facts = random_facts(2, n=14, held=2)
    least = decided(facts, easy(RiskLimits(), risk_aversion=1e3)).after.cae_usd
    return facts, easy(RiskLimits(cae_usd=0.8 * least))


def test_a_cap_that_cannot_be_met_is_approached_to_a_hundredth():
    facts, choices = out_of_hand()
    first = decided(facts, choices)
    least = decided(facts, easy(RiskLimits(), risk_aversion=1e3)).after.cae_usd
    assert first.after.cae_usd <= 1.012 * least
    assert first.slacks_usd["cae_usd"] == pytest.approx(first.after.cae_usd - 0.8 * least, rel=1e-6)


def test_a_cap_that_cannot_be_met_does_not_ask_for_trades_for_ever():
    facts, choices = out_of_hand()
    held = after(facts, decided(facts, choices))
    rng = np.random.default_rng(3)
    orders = 0
    for _ in range(10):
        move = np.exp(0.002 * rng.standard_normal(14))
        held = held * move
        facts = replace(facts, bot_usd=facts.bot_usd * move, hedge_usd=held)
        answer = STRATEGY.decide(facts, choices)
        if isinstance(answer, HedgeProposal):
            assert answer.after.cae_usd <= answer.before.cae_usd * (1 + 1e-6)
            orders += len(answer.trades)
            held = after(facts, answer)
    assert orders <= 3  # 38 where the least has to be met to the cent


# Symbols of the bot's


def test_a_hedge_in_a_symbol_of_the_bots_is_closed_and_others_take_its_place():
    bots = np.array([False, False, True])
    facts = two_tokens(50_000.0, -10_000.0, 0.0, may_hedge=bots, hands_off=frozenset("AB"))
    facts = replace(facts, bot_usd=np.array([40_000.0, 10_000.0, 0.0]))
    answer = decided(facts, free(net_usd=30_000.0))
    assert list(after(facts, answer)) == [0.0, 0.0, -20_000.0]
    assert [leg.trade_usd for leg in answer.legs] == [10_000.0, -20_000.0]
    assert answer.after.breaches == ()


def test_where_nothing_else_may_be_hedged_it_is_closed_all_the_same():
    off = np.array([False, False])
    facts = two_tokens(50_000.0, -10_000.0, may_hedge=off, hands_off=frozenset("AB"))
    answer = decided(facts, free(net_usd=45_000.0))
    assert list(after(facts, answer)) == [0.0, 0.0]
    assert [b.cap for b in answer.after.breaches] == ["net_usd"]


def test_volume_slows_it_down_and_the_turnover_cap_does_not():
    off = np.array([False, False, True])
    facts = two_tokens(
        50_000.0,
        -10_000.0,
        0.0,
        may_hedge=off,
        hands_off=frozenset("B"),
        adv_usd=np.array([1e8, 4e5, 1e8]),
    )
    limits = RiskLimits(adv_share=0.01, turnover_daily_usd=1_000.0)
    answer = decided(facts, easy(limits, risk_aversion=0.0))
    assert list(after(facts, answer)) == [0.0, -6_000.0, 0.0]
    assert answer.slacks_usd == pytest.approx({"turnover_daily_usd": 3_000.0})


def test_what_it_takes_of_the_turnover_cap_the_others_do_not_have():
    off = np.array([False, False, True])
    facts = two_tokens(50_000.0, -10_000.0, 0.0, may_hedge=off, hands_off=frozenset("B"))
    answer = decided(facts, easy(RiskLimits(turnover_daily_usd=12_000.0)))
    assert list(after(facts, answer)) == pytest.approx([0.0, 0.0, -2_000.0])
    assert answer.slacks_usd == {}


def test_a_symbol_that_is_merely_not_eligible_may_keep_its_hedge():
    facts = two_tokens(50_000.0, -10_000.0, may_hedge=np.array([False, False]))
    assert isinstance(STRATEGY.decide(facts, easy(RiskLimits())), NoHedge)


# Other books


def test_no_symbol_carries_more_than_the_largest_hedge():
    facts = two_tokens(50_000.0, 0.0, -9_000.0)
    choices = easy(RiskLimits(), largest_hedge_usd=7_000.5)
    assert list(after(facts, decided(facts, choices))) == [0.0, -7_000.0, -9_000.0]


@pytest.mark.parametrize("risk_aversion", [0.0, 4.0])
def test_shorts_do_not_worsen_a_book_that_is_short(risk_aversion: float):
    facts = two_tokens(-50_000.0, 0.0, 0.0, funding_daily=np.full(3, 3e-4))
    limits = RiskLimits(net_usd=30_000.0, cae_usd=60_000.0)
    answer = STRATEGY.decide(facts, easy(limits, risk_aversion=risk_aversion))
    assert isinstance(answer, NoHedge)
    assert answer.reason is NoHedgeReason.INFEASIBLE
    longs = easy(limits, risk_aversion=risk_aversion, shorts_only=False)
    cured = decided(facts, longs)
    assert np.all(after(facts, cured) >= 0)
    assert abs(np.sum(facts.bot_usd + after(facts, cured))) <= 30_000.0


def test_longs_are_bought_and_shorts_bought_back():
    choices = easy(RiskLimits(), shorts_only=False)
    assert "Buy " in decided(two_tokens(-50_000.0), choices).sentence
    assert "Buy back " in decided(two_tokens(10_000.0, -30_000.0), choices).sentence


CAPS = RiskLimits(
    token_usd=1.0,
    hedge_gross_usd=2.0,
    net_usd=3.0,
    sector_net_usd=4.0,
    cluster_net_usd=5.0,
    cluster_gross_usd=6.0,
    beta_net_usd=7.0,
    cae_usd=8.0,
    margin_use=0.001,
)


@pytest.mark.parametrize("seed", range(5))
def test_the_solver_and_the_report_measure_every_cap_alike(seed: int):
    rng = np.random.default_rng(seed)
    facts = random_facts(
        seed,
        may_hedge=np.full(8, True),
        initial_margin_rate=rng.uniform(0.02, 0.5, 8),
        hedge_usd=-rng.uniform(0, 2e4, 8),
        cluster=np.array([0, 0, 1, 1, 2, 2, -1, 2]),
    )
    choices = easy(CAPS)
    model = hedge_model(facts, choices)
    hedge = -rng.uniform(0, 2e4, 8)
    limits = model.caps.by_cap(model.caps.limits, np.min)
    limits["margin_use"] /= facts.equity_usd
    limits["token_usd"] = CAPS.token_usd  # widened to what shorts can reach
    assert limits == pytest.approx({cap: getattr(CAPS, cap) for cap in limits})
    measured = model.caps.by_cap(model.caps.values(hedge), np.max)
    measured["margin_use"] /= facts.equity_usd
    report = risk_state(facts, choices, hedge).cap_use
    assert measured == pytest.approx({cap: use * getattr(CAPS, cap) for cap, use in report.items()})


def test_breaches_call_clusters_by_their_names():
    names = ("cluster of A",)
    facts = two_tokens(cluster_names=names, may_hedge=np.array([False, False]))
    answer = STRATEGY.decide(facts, free(cluster_net_usd=30_000.0))
    assert isinstance(answer, NoHedge)
    assert answer.state is not None
    assert [b.scope for b in answer.state.breaches] == ["cluster of A"]
