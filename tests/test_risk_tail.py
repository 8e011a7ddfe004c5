"""Scenarios, VaR and expected shortfall: by hand, against plain loops and pandas, properties."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.errors import DataError, EstimationError
from risk.returns import MAX_ABS_LOG_RETURN
from risk.tail.ranks import expected_shortfall, value_at_risk
from risk.tail.scenarios import FilteredScenarios, Scenarios, filtered_scenarios
from risk.tail.var_es import tail_risk

SHARED = Path(__file__).resolve().parents[2] / "shared"


def returns(bars: int, n: int, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    common = rng.standard_t(4, (bars, 1)) * 0.006
    calm = 1 + 0.8 * np.sin(np.arange(bars) / 200)[:, None]
    return np.asarray(calm * (common + rng.standard_t(4, (bars, n)) * 0.004))


def names(n: int) -> tuple[str, ...]:
    return tuple(f"T{i}" for i in range(n))


def direct(z: FloatArray, sigma: FloatArray | None = None) -> Scenarios:
    """Scenarios given as they are: days that do not overlap, oldest first, shape (S, N)."""
    values = np.asarray(z, dtype=np.float64).T
    n = len(values)
    return Scenarios(names(n), values, np.ones(n) if sigma is None else sigma, 1, 1)


def plain_scenarios(
    r: FloatArray, horizon: int, step: int, lives: list[float], warm_up: int
) -> tuple[FloatArray, FloatArray]:
    """The same by loops: hourly returns over the volatility before them, summed over windows."""
    bars, n = r.shape
    z = np.full((bars, n), np.nan)
    sigma = np.full(n, np.nan)
    for i in range(n):
        past: list[float] = []
        for t in range(bars + 1):
            if len(past) >= warm_up:
                ages = np.arange(len(past))[::-1]
                means = []
                for life in lives:
                    weights = 0.5 ** (ages / (24 * life))
                    means.append(np.average(np.square(past), weights=weights))
                sigma[i] = math.sqrt(24 * float(np.mean(means)))
            if t < bars and not np.isnan(r[t, i]):
                z[t, i] = r[t, i] / sigma[i]
                past.append(float(r[t, i]))
    ends = list(range(bars - 1, horizon - 2, -step))[::-1]
    days = np.array([z[t - horizon + 1 : t + 1].sum(axis=0) for t in ends])
    return days[~np.isnan(days).all(axis=1)].T, sigma


def test_scenarios_equal_plain_loops() -> None:
    r = returns(150, 3)
    r[:40, 1] = np.nan
    r[90, 2] = np.nan
    days, sigma = plain_scenarios(r, 6, 4, [1.0, 3.0], 10)
    found = filtered_scenarios(
        r, names(3), horizon_bars=6, step_bars=4, half_lives_days=[1.0, 3.0], warm_up_bars=10
    )
    assert found.standardised == pytest.approx(days, nan_ok=True)
    assert found.volatility_daily == pytest.approx(sigma)


@settings(max_examples=25, deadline=None)
@given(
    bars=st.integers(0, 160),
    n=st.integers(1, 3),
    step=st.integers(1, 5),
    holes=st.integers(0, 30),
    seed=st.integers(0, 1000),
)
def test_streaming_equals_batch(bars: int, n: int, step: int, holes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    r = returns(bars, n, seed)
    if bars:
        r[rng.integers(0, bars, holes), rng.integers(0, n, holes)] = np.nan
    stream = FilteredScenarios(
        names(n), horizon_bars=5, step_bars=step, warm_up_bars=8, history_bars=100
    )
    for row in r:
        stream.update(row)
    batch = filtered_scenarios(
        r, names(n), horizon_bars=5, step_bars=step, warm_up_bars=8, history_bars=100
    )
    one = stream.scenarios()
    assert one.standardised.shape == batch.standardised.shape
    assert one.standardised == pytest.approx(batch.standardised, rel=1e-10, abs=1e-10, nan_ok=True)
    assert one.volatility_daily == pytest.approx(batch.volatility_daily, rel=1e-12, nan_ok=True)


def test_scenarios_handed_out_stay_as_they_were() -> None:
    r = returns(400, 2)
    stream = FilteredScenarios(names(2), step_bars=1, warm_up_bars=24, history_bars=100)
    for row in r[:300]:
        stream.update(row)
    before = stream.scenarios()
    copy = before.standardised.copy()
    for row in r[300:]:
        stream.update(row)
    assert before.standardised.shape == (2, 100)
    assert np.array_equal(before.standardised, copy)
    with pytest.raises(ValueError, match="read-only"):
        before.standardised[0, 0] = 1.0


def test_volatility_today_is_the_covariance_estimates_own() -> None:
    r = returns(1500, 4)
    r[:700, 3] = np.nan
    estimate = mean_ewma_covariance(r, names(4))
    found = filtered_scenarios(r, names(4))
    assert found.volatility_daily == pytest.approx(estimate.volatility_daily, rel=1e-10)


def test_old_calm_is_brought_to_todays_storm() -> None:
    """Volatility five times higher at the end: past days are told at today's size."""
    rng = np.random.default_rng(3)
    r = rng.normal(0, 0.002, (24 * 120, 1))
    r[-24 * 20 :] *= 5
    found = filtered_scenarios(r, names(1), half_lives_days=[4.0])
    filtered = tail_risk(np.array([1000.0]), found).var95_usd
    days = np.lib.stride_tricks.sliding_window_view(r[:, 0], 24).sum(axis=1)
    plain = value_at_risk(-1000 * np.expm1(days), 0.95)
    expected = 1.645 * 1000 * 0.01 * math.sqrt(24)
    assert filtered == pytest.approx(expected, rel=0.15)
    assert plain < 0.6 * filtered


def test_value_at_risk_and_shortfall_by_hand() -> None:
    losses = np.arange(1.0, 21.0)
    np.random.default_rng(0).shuffle(losses)
    assert value_at_risk(losses, 0.95) == 19.0
    assert expected_shortfall(losses, 0.95) == pytest.approx(20.0)
    assert value_at_risk(losses, 0.90) == 18.0
    assert expected_shortfall(losses, 0.90) == pytest.approx(19.5)
    # The worst 1.5 of 30: the worst whole, half of the next.
    thirty = np.arange(1.0, 31.0)
    assert value_at_risk(thirty, 0.95) == 29.0
    assert expected_shortfall(thirty, 0.95) == pytest.approx((30 + 0.5 * 29) / 1.5)
    assert value_at_risk(np.array([7.0]), 0.95) == expected_shortfall(np.array([7.0]), 0.95) == 7.0


@settings(max_examples=60, deadline=None)
@given(
    losses=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80),
    level=st.floats(0.01, 0.99),
)
def test_shortfall_minimises_the_formula_of_rockafellar_and_uryasev(
    losses: list[float], level: float
) -> None:
    """ES = min_c c + E max(L - c, 0) / (1 - level), attained at an observed loss."""
    loss = np.array(losses)
    smallest = min(c + float(np.maximum(loss - c, 0).mean()) / (1 - level) for c in losses)
    found = expected_shortfall(loss, level)
    assert found == pytest.approx(smallest, rel=1e-7, abs=1e-3)
    assert found >= value_at_risk(loss, level)
    quantile = pd.Series(losses).quantile(level, interpolation="higher")
    at_or_below = float((loss <= value_at_risk(loss, level)).mean())
    assert at_or_below >= level - 1e-9
    assert value_at_risk(loss, level) <= quantile + 1e-9


def test_pnl_is_exact_for_log_returns() -> None:
    z = np.linspace(-1.5, 1.5, 40)[:, None]
    found = tail_risk(np.array([1000.0]), direct(z, np.array([1.0])))
    assert found.worst_usd == pytest.approx(1000 * (1 - math.exp(-1.5)))
    short = tail_risk(np.array([-1000.0]), direct(z, np.array([1.0])))
    assert short.worst_usd == pytest.approx(1000 * (math.exp(1.5) - 1))
    assert found.worst_usd < 1000


def test_tail_of_a_book_equals_plain_numpy() -> None:
    r = returns(24 * 60, 4)
    found = filtered_scenarios(r, names(4), step_bars=1)
    x = np.array([4000.0, -1500.0, 0.0, 800.0])
    scaled = found.standardised.T * found.volatility_daily
    loss = np.sort(-((np.exp(scaled) - 1) @ x))
    count = len(loss)
    risk = tail_risk(x, found)
    for level, var, es in (
        (0.95, risk.var95_usd, risk.es95_usd),
        (0.99, risk.var99_usd, risk.es99_usd),
    ):
        k = math.ceil(level * count)
        assert var == pytest.approx(loss[k - 1])
        tail = (loss[k:].sum() + (k - level * count) * loss[k - 1]) / ((1 - level) * count)
        assert es == pytest.approx(tail)
    assert risk.worst_usd == pytest.approx(loss[-1])
    assert risk.scenarios == count
    assert risk.independent == pytest.approx(count / 24)
    assert (risk.dropped, risk.filled, dict(risk.filled_by_symbol)) == (0, 0, {})


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100.0))
def test_order_of_the_figures_and_homogeneity(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    days = direct(rng.standard_t(3, (200, 3)), np.array([0.05, 0.08, 0.03]))
    x = rng.normal(0, 1000, 3)
    one, larger = tail_risk(x, days), tail_risk(scale * x, days)
    assert one.var95_usd <= one.var99_usd <= one.es99_usd <= one.worst_usd
    assert one.var95_usd <= one.es95_usd <= one.es99_usd
    for figure in ("var95_usd", "es95_usd", "var99_usd", "es99_usd", "worst_usd"):
        expected = scale * getattr(one, figure)
        assert getattr(larger, figure) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    order = rng.permutation(3)
    mixed = Scenarios(
        tuple(days.symbols[i] for i in order),
        days.standardised[order],
        days.volatility_daily[order],
        1,
        1,
    )
    assert tail_risk(x[order], mixed).es95_usd == pytest.approx(one.es95_usd)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000))
def test_shortfall_of_two_books_is_no_more_than_both(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = direct(rng.standard_t(3, (150, 3)), np.array([0.05, 0.08, 0.03]))
    one, other = rng.normal(0, 1000, (2, 3))
    together = tail_risk(one + other, days).es99_usd
    apart = tail_risk(one, days).es99_usd + tail_risk(other, days).es99_usd
    assert together <= apart + 1e-6


def test_a_flat_book_loses_nothing() -> None:
    found = tail_risk(np.zeros(2), filtered_scenarios(returns(10, 2), names(2)))
    assert found.var95_usd == found.es99_usd == found.worst_usd == 0.0


def test_missing_days_are_dropped_or_filled_and_counted() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(400, 1))
    z = 0.7 * common + math.sqrt(0.51) * rng.normal(size=(400, 4))
    z[:250, 0] = np.nan
    z[300, 1] = np.nan
    days = direct(z, np.full(4, 0.05))
    x = np.array([1000.0, 0.0, -1000.0, 0.0])
    dropped = tail_risk(x, days, missing="drop")
    assert (dropped.scenarios, dropped.dropped, dropped.filled) == (150, 250, 0)
    filled = tail_risk(x, days)
    assert (filled.scenarios, filled.dropped, filled.filled) == (400, 0, 250)
    assert dict(filled.filled_by_symbol) == {"T0": 250}
    complete = tail_risk(np.array([0.0, 0.0, 1000.0, 0.0]), days)
    assert (complete.scenarios, complete.filled) == (400, 0)
    # The stand-in keeps a risk of its own: a peer does not hedge it away.
    assert filled.es95_usd == pytest.approx(dropped.es95_usd, rel=0.25)


def test_the_stand_in_by_hand() -> None:
    """Slope 1 on the others' mean, remainders taken in turn from the newest back."""
    mean = np.array([0.5, -0.5, 1.0, -1.0] * 10)
    own = mean + np.array([0.1, -0.1] * 20)
    own[:4] = np.nan
    z = np.column_stack([own, mean, mean])
    found = tail_risk(np.array([1000.0, 0.0, 0.0]), direct(z, np.full(3, 0.1)))
    known = ~np.isnan(own)
    slope, at_zero = np.polyfit(mean[known], own[known], 1)
    rest = (own[known] - slope * mean[known])[::-1]
    assert at_zero == pytest.approx(0.0, abs=1e-12)
    full = own.copy()
    full[3::-1] = slope * mean[3::-1] + rest[:4]
    assert found.worst_usd == pytest.approx(-1000 * np.expm1(0.1 * full).min())
    assert found.filled == 4


def test_a_day_on_which_nothing_else_is_known_is_dropped() -> None:
    z = np.random.default_rng(0).normal(size=(100, 2))
    z[:10] = np.nan
    found = tail_risk(np.array([100.0, 100.0]), direct(z))
    assert (found.scenarios, found.dropped, found.filled) == (90, 10, 0)


def test_a_token_that_stood_still_wakes_up() -> None:
    """A tiny volatility of the time does not blow a scenario up beyond tenfold."""
    z = np.random.default_rng(0).normal(size=(100, 1))
    z[50] = -1e5
    found = tail_risk(np.array([-100.0]), direct(-z))
    assert found.worst_usd == pytest.approx(900.0)
    assert math.isfinite(found.es99_usd)


def test_what_cannot_be_measured_says_so() -> None:
    r = returns(24 * 60, 3)
    r[:, 2] = 0.0
    found = filtered_scenarios(r, names(3))
    assert np.isnan(found.volatility_daily).tolist() == [False, False, True]
    with pytest.raises(EstimationError, match="T2: no volatility"):
        tail_risk(np.array([0.0, 0.0, 1.0]), found)
    assert tail_risk(np.array([1.0, 0.0, 0.0]), found).var95_usd > 0
    late = returns(24 * 60, 3)
    late[: -24 * 10, 1] = np.nan
    with pytest.raises(EstimationError, match=r"T1: only \d+ scenarios of its own, needs 42"):
        tail_risk(np.array([0.0, 1.0, 0.0]), filtered_scenarios(late, names(3)))
    with pytest.raises(EstimationError, match=r"only .* independent scenarios .* T0"):
        tail_risk(np.array([1.0, 0.0, 0.0]), filtered_scenarios(r[: 24 * 20], names(3)))
    with pytest.raises(DataError, match="T1: notional"):
        tail_risk(np.array([1.0, np.nan, 0.0]), found)
    with pytest.raises(DataError, match="shape"):
        tail_risk(np.ones(2), found)


def test_bad_returns_are_refused_and_not_taken_in() -> None:
    stream = FilteredScenarios(names(2), horizon_bars=1, step_bars=1, warm_up_bars=1)
    stream.update(np.array([0.01, 0.02]))
    with pytest.raises(DataError, match="T1: a return is infinite"):
        stream.update(np.array([0.01, np.inf]))
    with pytest.raises(DataError, match="shape"):
        stream.update(np.array([0.01]))
    stream.update(np.array([0.03, 0.04]))
    assert stream.scenarios().standardised.shape == (2, 1)
    with pytest.raises(DataError, match="shape"):
        filtered_scenarios(np.zeros(3), names(2))
    with pytest.raises(EstimationError, match="step 0"):
        filtered_scenarios(np.zeros((3, 2)), names(2), step_bars=0)
    with pytest.raises(EstimationError, match="half-lives"):
        filtered_scenarios(np.zeros((3, 2)), names(2), half_lives_days=[])
    with pytest.raises(EstimationError, match="history 1 bars"):
        FilteredScenarios(names(2), history_bars=1)
    with pytest.raises(EstimationError, match="distinct"):
        filtered_scenarios(np.zeros((3, 2)), ("A", "A"))
    for losses in (np.array([]), np.array([1.0, np.nan])):
        with pytest.raises(DataError, match="losses"):
            value_at_risk(losses, 0.95)
    with pytest.raises(EstimationError, match="level"):
        expected_shortfall(np.array([1.0]), 1.0)


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_coverage_on_real_prices() -> None:
    """Out of sample, days are worse than VaR 95 about one time in twenty, and ES is their mean."""
    bars = pd.read_parquet(
        SHARED / "market" / "hourly.parquet", columns=["timestamp", "symbol", "close"]
    )
    close = bars.pivot(index="timestamp", columns="symbol", values="close").dropna(axis=1)
    r = np.diff(np.log(close.to_numpy()), axis=0)
    x = np.full(r.shape[1], 1000.0)
    losses, limits, shortfalls = [], [], []
    for t in range(24 * 120, len(r) - 24, 48):
        found = tail_risk(x, filtered_scenarios(r[:t], tuple(close.columns)))
        losses.append(-float(np.expm1(r[t : t + 24].sum(axis=0)) @ x))
        limits.append(found.var95_usd)
        shortfalls.append(found.es95_usd)
    loss, var, es = np.array(losses), np.array(limits), np.array(shortfalls)
    beyond = loss > var
    assert 0.02 < beyond.mean() < 0.08
    assert loss[beyond].sum() == pytest.approx(es[beyond].sum(), rel=0.25)


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0, 12.0])
def test_scenarios_spared_the_exponential_change_no_figure(scale: float) -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n, count = int(rng.integers(1, 12)), int(rng.integers(31, 900))
        z = rng.standard_t(4, (count, n)) * scale + rng.normal(size=(count, 1))
        sigma = rng.uniform(0.001, 0.12, n)
        x = rng.normal(0.0, 10_000.0, n)
        if seed % 3 == 0:
            x -= x.mean()  # hedged: losses are small against the book
        move = np.clip(z * sigma, -MAX_ABS_LOG_RETURN, MAX_ABS_LOG_RETURN)
        loss = -(np.expm1(move) @ x)
        found = tail_risk(x, direct(z, sigma))
        gross = float(np.abs(x).sum())
        for ours, plain in (
            (found.var95_usd, value_at_risk(loss, 0.95)),
            (found.es95_usd, expected_shortfall(loss, 0.95)),
            (found.var99_usd, value_at_risk(loss, 0.99)),
            (found.es99_usd, expected_shortfall(loss, 0.99)),
            (found.worst_usd, float(loss.max())),
        ):
            assert ours == pytest.approx(plain, abs=1e-13 * gross)
