"""Weights by scatter and the common factor, by hand and against other ways to find them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from risk.book import FloatArray
from risk.covariance.mean_ewma import MeanEwmaCovariance
from risk.covariance.one_factor import one_factor_correlation, shrink_to_one_factor
from risk.covariance.scatter import ORDINARY_SCATTER, ScatterWeights
from risk.covariance.scatter_ewma import ScatterEwmaCovariance
from risk.covariance.weights import ewma_decay

SYMBOLS = tuple(f"{base}/USDT:USDT" for base in ("BTC", "ETH", "A", "B", "C"))


def market(bars: int, seed: int = 1) -> FloatArray:
    """One common factor of 1 % an hour, and half of that for each of five tokens alone."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.01, (bars, 1))
    return np.asarray(common + rng.normal(0, 0.005, (bars, 5)), dtype=np.float64)


def estimator_after(rows: FloatArray, shrinkage: float = 0.0) -> ScatterEwmaCovariance:
    estimator = ScatterEwmaCovariance(SYMBOLS, shrinkage=shrinkage)
    for row in rows:
        estimator.update(row)
    return estimator


def test_weights_by_pandas() -> None:
    x = market(200)
    x[50:60, 2] = np.nan
    decay = ewma_decay([4.0, 15.0])
    weights = ScatterWeights(5, decay)
    ours = [weights.update(row) for row in x]
    squares = pd.DataFrame(x**2)
    before = sum(
        squares.ewm(halflife=24 * days, adjust=True, ignore_na=True).mean() for days in (4, 15)
    )
    standardised = x / np.sqrt(before.shift(1).to_numpy() / 2)
    scatter = np.nanvar(standardised[24:], axis=1)
    theirs = 1 / np.sqrt(1 + scatter / ORDINARY_SCATTER**2)
    np.testing.assert_allclose(ours[24:], theirs, rtol=1e-10)
    assert ours[:24] == [1 / np.sqrt(2)] * 24  # nothing to judge by yet


def test_a_move_of_all_keeps_its_weight_and_a_jump_of_one_loses_it() -> None:
    alike = ScatterWeights(3, ewma_decay([15.0]))
    for step in range(48):
        alike.update(np.full(3, 0.01 if step % 2 else -0.01))
    crash = alike.update(np.full(3, -0.2))
    assert crash == pytest.approx(1.0)
    jump = alike.update(np.array([0.0, 0.0, 0.5]))
    sigma = np.sqrt(alike_variance_before_jump())
    u = 0.5 / sigma
    assert jump == pytest.approx(1 / np.sqrt(1 + (u**2 / 3 - (u / 3) ** 2) / ORDINARY_SCATTER**2))


def alike_variance_before_jump() -> float:
    b = float(ewma_decay([15.0])[0])
    ages = np.arange(49)[::-1]
    squares = np.array([0.01**2] * 48 + [0.2**2])
    return float((b**ages * squares).sum() / (b**ages).sum())


def test_a_jump_of_one_token_stays_its_own() -> None:
    x = market(24 * 40)
    x[-1] = [-0.02, -0.02, 1.0, -0.02, -0.02]
    calm, jumped = estimator_after(x[:-1]).estimate(), estimator_after(x).estimate()
    plain = MeanEwmaCovariance(SYMBOLS, shrinkage=0.0)
    for row in x:
        plain.update(row)
    theirs = plain.estimate()
    # The covariance with the others changes little; without weights most of it is gone.
    before, after = calm.covariance_daily[2, 3], jumped.covariance_daily[2, 3]
    assert abs(after / before - 1) < 0.25
    assert theirs.covariance_daily[2, 3] < before / 3
    # Its variance is not clipped.
    assert jumped.volatility_daily[2] == pytest.approx(theirs.volatility_daily[2], rel=1e-12)
    assert np.all(jumped.volatility_daily >= theirs.volatility_daily * (1 - 1e-12))


def test_weights_leave_the_mean_variance_of_quiet_markets_alone() -> None:
    x = market(24 * 120)
    ours, plain = estimator_after(x), MeanEwmaCovariance(SYMBOLS, shrinkage=0.0)
    for row in x:
        plain.update(row)
    np.testing.assert_allclose(
        ours.estimate().volatility_daily, plain.estimate().volatility_daily, rtol=0.05
    )
    np.testing.assert_allclose(ours.estimate().correlation, plain.estimate().correlation, atol=0.05)


def test_one_factor_by_hand() -> None:
    correlation = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]])
    total = 3 + 2 * (0.5 + 0.2 + 0.4)
    load = np.array([1.7, 1.9, 1.6]) / np.sqrt(total)
    scale = 1.1 / (load[0] * load[1] + load[0] * load[2] + load[1] * load[2])
    factor = one_factor_correlation(correlation)
    assert factor[0, 1] == pytest.approx(scale * load[0] * load[1])
    assert factor[0, 2] == pytest.approx(scale * load[0] * load[2])
    assert factor.sum() == pytest.approx(correlation.sum())
    assert np.array_equal(np.diag(factor), np.ones(3))
    half, proven = shrink_to_one_factor(correlation, 0.5)
    assert proven
    assert half[1, 2] == pytest.approx(0.5 * 0.4 + 0.5 * scale * load[1] * load[2])


def test_twins_are_mended_before_they_are_shrunk() -> None:
    twins, proven = shrink_to_one_factor(np.ones((3, 3)), 0.4)
    assert not proven
    np.linalg.cholesky(twins)
    np.testing.assert_allclose(twins, np.ones((3, 3)), atol=1e-6)


def test_where_correlations_are_negative_on_average_nothing_is_shared() -> None:
    correlation = np.array([[1.0, -0.5, 0.1], [-0.5, 1.0, -0.2], [0.1, -0.2, 1.0]])
    assert np.array_equal(one_factor_correlation(correlation), np.eye(3))
    assert np.array_equal(one_factor_correlation(np.eye(1)), np.eye(1))


def test_the_factor_loads_are_correlations_with_the_index() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 4)) @ rng.normal(size=(4, 4))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    index = z.sum(axis=1)
    load = np.array([np.corrcoef(z[:, i], index)[0, 1] for i in range(4)])
    factor = one_factor_correlation(np.corrcoef(x.T))
    off = ~np.eye(4, dtype=bool)
    scale = (np.corrcoef(x.T)[off]).sum() / np.outer(load, load)[off].sum()
    expected = max(scale, 0.0) * np.outer(load, load)
    np.testing.assert_allclose(factor[off], expected[off], rtol=1e-10)


@given(
    rows=arrays(np.float64, (12, 4), elements=st.floats(-1, 1, allow_subnormal=False)),
    shrinkage=st.floats(0, 1),
)
def test_shrunk_correlations_are_sound(rows: FloatArray, shrinkage: float) -> None:
    covariance = rows.T @ rows + 1e-3 * np.eye(4)
    scale = np.sqrt(np.diag(covariance))
    shrunk, _ = shrink_to_one_factor(covariance / np.outer(scale, scale), shrinkage)
    assert np.array_equal(shrunk, shrunk.T)
    np.testing.assert_allclose(np.diag(shrunk), 1.0, atol=1e-12)
    np.linalg.cholesky(shrunk)


def test_tokens_that_differ_only_in_their_closeness_to_the_market_are_told_apart() -> None:
    rng = np.random.default_rng(8)
    load = np.linspace(0.9, 0.4, 18)
    truth = np.outer(load, load) + np.diag(1 - load**2)
    errors = []
    for _ in range(30):
        x = rng.multivariate_normal(np.zeros(18), truth * 1e-4, 120)
        sample = np.corrcoef(x.T)
        errors.append(
            [np.abs(shrink_to_one_factor(sample, s)[0] - truth).mean() for s in (0.0, 0.5)]
        )
    raw, drawn = np.mean(errors, axis=0)
    assert drawn < 0.9 * raw
