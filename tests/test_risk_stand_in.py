"""Scenarios made up for young tokens: by hand, and against what their full history would say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.errors import DataError, EstimationError
from risk.tail.scenarios import filtered_scenarios
from risk.tail.stand_in import with_stand_ins
from risk.tail.var_es import TailRisk, day_returns, tail_risk

SYMBOLS = ("NEW", "A", "B", "C", "D", "BTC")
SECTOR = np.array([True] * 5 + [False])
BARS = 150 * 24
BOOK = np.array([4_000.0, 3_000.0, -2_000.0, 1_000.0, 0.0, -1_000.0])


def market(seed: int, young_bars: int) -> FloatArray:
    """Fat-tailed hours: a common move, and as much again for each token alone."""
    rng = np.random.default_rng(seed)
    common = rng.standard_t(4, (BARS, 1)) * 0.005
    alone = rng.standard_t(4, (BARS, 6)) * np.array([0.006, 0.005, 0.005, 0.006, 0.004, 0.001])
    returns = common * np.array([1.2, 1.0, 1.0, 1.1, 0.9, 0.5]) + alone
    returns[: BARS - young_bars, 0] = np.nan
    return np.asarray(returns)


def estimate_of(rows: FloatArray) -> CovarianceEstimate:
    return mean_ewma_covariance(rows[-60 * 24 :], SYMBOLS)


def tail_of(rows: FloatArray, x: FloatArray = BOOK) -> TailRisk:
    scenarios = with_stand_ins(filtered_scenarios(rows, SYMBOLS), estimate_of(rows), SECTOR)
    return tail_risk(x, scenarios)


@pytest.mark.parametrize("bars", [24, 72, 300])
def test_what_stands_in_by_hand(bars: int) -> None:
    rows = market(1, bars)
    plain, estimate = filtered_scenarios(rows, SYMBOLS), estimate_of(rows)
    made = with_stand_ins(plain, estimate, SECTOR)
    assert made.stand_in == ("NEW",)
    np.testing.assert_array_equal(made.standardised[1:], plain.standardised[1:])
    c = estimate.covariance_daily
    peers = [1, 2, 3, 4]
    variance = np.mean([[c[i, j] for j in peers] for i in peers])
    slope = np.mean([c[0, j] for j in peers]) / variance
    own = np.sqrt(c[0, 0] - slope**2 * variance)
    usual = []
    for j in peers:
        rest = [k for k in peers if k != j]
        left = np.mean([[c[a, b] for b in rest] for a in rest])
        usual.append(np.sqrt(c[j, j] - np.mean([c[j, k] for k in rest]) ** 2 / left))
    moves = plain.standardised[1:5] * plain.volatility_daily[1:5, None]
    # Where a peer has no scenario for want of a past, nobody has: all began together.
    assert not np.isnan(moves).any()
    apart = moves - moves.mean(axis=0)
    count = moves.shape[1]
    for s in (0, 1, 7, count - 1):
        peer = apart[s % 4]
        u = peer[(s + count // 2) % count] / np.sqrt((peer**2).mean())
        expected = slope * moves[:, s].mean() + max(own, np.median(usual)) * u
        if np.isnan(plain.standardised[0, s]):
            found = made.standardised[0, s] * made.volatility_daily[0]
            assert found == pytest.approx(expected, rel=1e-9)
        else:  # its own days are kept
            assert made.standardised[0, s] == plain.standardised[0, s]


def test_the_figure_is_near_what_the_whole_history_says_and_rather_above() -> None:
    ratios = []
    for seed in range(12):
        full, young = tail_of(market(seed, BARS)), tail_of(market(seed, 5 * 24))
        assert (full.stand_in, full.stand_in_share) == ((), 0.0)
        assert young.stand_in == ("NEW",)
        assert young.stand_in_share == pytest.approx(4 / 11)
        ratios.append([young.var95_usd / full.var95_usd, young.es95_usd / full.es95_usd])
    assert np.all(np.abs(np.mean(ratios, axis=0) - 1.03) < 0.06)
    assert np.min(ratios) > 0.75


def test_a_calm_first_week_does_not_flatter() -> None:
    rows = market(3, 96)
    calm = rows.copy()
    calm[-96:, 0] *= 0.05
    only = np.array([1_000.0, 0, 0, 0, 0, 0])
    peers = np.median([tail_of(rows, 1_000.0 * np.eye(6)[j]).es95_usd for j in range(1, 5)])
    assert tail_of(calm, only).es95_usd > 0.5 * peers
    wild = rows.copy()
    wild[-96:, 0] *= 4
    assert tail_of(wild, only).es95_usd > 2 * tail_of(rows, only).es95_usd


def test_a_hedge_in_peers_does_not_take_away_what_is_its_own() -> None:
    rows = market(4, 100)
    hedged = np.array([4_000.0, -1_000, -1_000, -1_000, -1_000, 0])
    alone = np.array([4_000.0, 0, 0, 0, 0, 0])
    left = tail_of(rows, hedged).es95_usd / tail_of(rows, alone).es95_usd
    whole = tail_of(market(4, BARS), hedged).es95_usd / tail_of(market(4, BARS), alone).es95_usd
    assert left > 0.8 * whole


@settings(max_examples=10, deadline=None)
@given(bars=st.integers(24, 400), seed=st.integers(0, 1000))
def test_nothing_is_random_and_order_does_not_rule(bars: int, seed: int) -> None:
    rows = market(seed, bars)
    assert tail_of(rows) == tail_of(rows.copy())
    double = tail_of(rows, 2 * BOOK)
    assert double.es99_usd == pytest.approx(2 * tail_of(rows).es99_usd)
    mirrored = tail_of(-rows, -BOOK)
    assert mirrored.scenarios == tail_of(rows).scenarios


def test_the_days_of_a_decision_have_the_young_token_too() -> None:
    rows = market(5, 72)
    plain = filtered_scenarios(rows, SYMBOLS)
    with pytest.raises(EstimationError, match="NEW"):
        day_returns(plain, SYMBOLS)
    days = day_returns(with_stand_ins(plain, estimate_of(rows), SECTOR), SYMBOLS)
    assert days.shape == (plain.standardised.shape[1], 6)
    assert np.isfinite(days).all()


def test_where_nothing_can_be_said() -> None:
    rows = market(6, 23)  # too few for a covariance
    plain, estimate = filtered_scenarios(rows, SYMBOLS), estimate_of(rows)
    assert with_stand_ins(plain, estimate, SECTOR) is plain
    with pytest.raises(EstimationError, match="NEW: no volatility"):
        tail_risk(BOOK, plain)
    full = market(6, BARS)
    old = filtered_scenarios(full, SYMBOLS)
    assert with_stand_ins(old, estimate_of(full), SECTOR) is old
    young = full[-100:]  # everybody
    few = filtered_scenarios(young, SYMBOLS)
    assert with_stand_ins(few, mean_ewma_covariance(young, SYMBOLS), SECTOR) is few
    with pytest.raises(DataError, match="in_sector"):
        with_stand_ins(old, estimate_of(full), SECTOR[1:])


def test_without_a_sector_the_benchmarks_stand_in() -> None:
    rows = market(7, 60)
    pair = (rows[:, [0, 5]], ("NEW", "BTC"))
    estimate = mean_ewma_covariance(pair[0][-1440:], pair[1])
    made = with_stand_ins(filtered_scenarios(*pair), estimate, np.array([True, False]))
    assert made.stand_in == ("NEW",)
    move = made.standardised[0] * made.volatility_daily[0]
    assert move.std() == pytest.approx(estimate.volatility_daily[0], rel=0.25)
