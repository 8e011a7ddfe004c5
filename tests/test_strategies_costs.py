import numpy as np
import pytest

from risk.limits.caps import RiskLimits
from strategies.costs import cost_model
from tests.strategies_cases import easy, two_tokens

NONE = RiskLimits()


def test_the_account_of_a_trade_by_hand():
    facts = two_tokens(funding_daily=np.array([0.0, 3e-4]), adv_usd=np.array([1e8, 4e6]))
    cost = cost_model(facts, easy(NONE, impact=1.0)).estimate(
        np.array([0.0, -10_000.0]), np.array([0.0, -10_000.0])
    )
    assert cost.fee_usd == pytest.approx(5.0)
    assert cost.spread_usd == pytest.approx(2.0)
    # 5 % a day, a share of 1/400 of the day's volume: 0.05 · √(1/400) = 0.25 %
    assert cost.impact_usd == pytest.approx(25.0)
    assert cost.trade_usd == pytest.approx(32.0)
    assert cost.carry_usd_per_day == pytest.approx(-3.0)  # shorts receive what longs pay


def test_the_objective_spreads_a_trade_over_the_holding_time():
    facts = two_tokens(funding_daily=np.array([0.0, 3e-4]))
    costs = cost_model(facts, easy(NONE, horizon_days=1.0, holding_days=5.0))
    hedge = np.array([0.0, -10_000.0])
    assert float(costs.objective_usd(hedge, hedge)) == pytest.approx(7.0 / 5.0 - 3.0)
    assert float(costs.objective_usd(hedge, 0 * hedge)) == pytest.approx(-3.0)


def test_over_a_longer_horizon_funding_counts_longer_and_trading_more():
    facts = two_tokens(funding_daily=np.array([0.0, 3e-4]), funding_daily_se=np.array([0.0, 1e-4]))
    choices = easy(NONE, horizon_days=2.0, holding_days=8.0, carry_risk=1.0)
    costs = cost_model(facts, choices)
    hedge = np.array([0.0, -10_000.0])
    # a quarter of 7 USD of trading; two days of 3 USD received and of 1 USD of doubt
    assert float(costs.objective_usd(hedge, hedge)) == pytest.approx(7.0 / 4.0 - 6.0 + 2.0)


def test_funding_that_is_not_known_costs_on_either_side():
    facts = two_tokens(funding_daily_se=np.array([0.0, 1e-4]))
    costs = cost_model(facts, easy(NONE, carry_risk=2.0))
    for side in (-1.0, 1.0):
        hedge = np.array([0.0, side * 10_000.0])
        assert float(costs.objective_usd(hedge, 0 * hedge)) == pytest.approx(2.0)


def test_the_squeeze_charge_meets_shorts_where_the_crowd_is_short():
    facts = two_tokens(50_000.0, 0.0, 0.0, crowding=np.array([0.0, -2.0, 2.0]))
    choices = easy(NONE, crowding_charge=0.1, horizon_days=4.0)
    costs = cost_model(facts, choices)

    def charge(hedge: list[float]) -> float:
        held = np.array(hedge)
        return float(costs.objective_usd(held, 0 * held))

    # κ σ √τ · 2 = 0.1 · 0.05 · 2 · 2
    assert charge([0.0, -1_000.0, 0.0]) == pytest.approx(20.0)
    assert charge([0.0, 1_000.0, 0.0]) == pytest.approx(0.0, abs=1e-9)
    assert charge([0.0, 0.0, -1_000.0]) == 0.0


def test_many_hedges_are_priced_at_once():
    facts = two_tokens()
    costs = cost_model(facts, easy(NONE, impact=1.0))
    rows = np.array([[0.0, -100.0], [0.0, -2_000.0], [0.0, 0.0]])
    together = costs.objective_usd(rows, rows)
    assert together == pytest.approx([float(costs.objective_usd(r, r)) for r in rows])


def test_what_funding_pays_may_count_more_than_what_it_receives():
    rates = np.array([0.0, 3e-4, -3e-4])
    facts = two_tokens(50_000.0, 0.0, 0.0, funding_daily=rates)
    costs = cost_model(facts, easy(NONE, carry_received=0.25, horizon_days=2.0))
    still = np.zeros(3)

    def carry(hedge: list[float]) -> float:
        return float(costs.objective_usd(np.array(hedge), still))

    assert carry([0.0, -10_000.0, 0.0]) == pytest.approx(-0.25 * 6.0)
    assert carry([0.0, 0.0, -10_000.0]) == pytest.approx(6.0)
    assert carry([0.0, 10_000.0, 0.0]) == pytest.approx(6.0)
    assert carry([0.0, 0.0, 10_000.0]) == pytest.approx(-0.25 * 6.0)
    account = costs.estimate(np.array([0.0, -10_000.0, 0.0]), still)
    assert account.carry_usd_per_day == pytest.approx(-3.0)  # what is expected is told in full


def test_funding_counts_by_what_it_exceeds_its_doubt():
    facts = two_tokens(
        50_000.0,
        0.0,
        0.0,
        funding_daily=np.array([0.0, -3e-4, -3e-4]),
        funding_daily_se=np.array([0.0, 1e-4, 4e-4]),
    )
    costs = cost_model(facts, easy(NONE, carry_doubt=1.0))
    still = np.zeros(3)
    assert float(costs.objective_usd(np.array([0.0, -10_000.0, 0.0]), still)) == pytest.approx(2.0)
    assert float(costs.objective_usd(np.array([0.0, 0.0, -10_000.0]), still)) == 0.0
