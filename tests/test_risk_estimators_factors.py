"""The factor estimator: loadings by least squares, components of what is left over."""

import numpy as np
import pytest

from risk.covariance.factors import SECTOR, FactorCovariance, factor_estimate, factor_model
from risk.covariance.sample import RollingCovariance, rolling_covariance
from tests.estimators_scene import names, sample, stream


def test_factors_equal_least_squares_on_the_returns_themselves() -> None:
    x, symbols = sample(14, 2000, 6), names(6)
    estimate = rolling_covariance(x, symbols, window_days=30)
    model = factor_model(estimate, components=0)
    assert model.factors == (*symbols[:2], SECTOR)
    last = x[-720:]
    factors = np.column_stack([last[:, 0], last[:, 1], last[:, 2:].mean(axis=1)])
    loadings, *_ = np.linalg.lstsq(factors, last[:, 2:], rcond=None)
    np.testing.assert_allclose(model.loadings[2:], loadings.T, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(model.loadings[:2], np.eye(2, 3), atol=0)
    omega = 24 * factors.T @ factors / 720
    np.testing.assert_allclose(model.factor_covariance_daily, omega, rtol=1e-9)
    left = last[:, 2:] - factors @ loadings
    own = np.sqrt(24 * np.mean(left**2, axis=0))
    np.testing.assert_allclose(model.specific_volatility_daily, [0, 0, *own], rtol=1e-8)


def test_components_are_those_of_the_residual_correlation() -> None:
    x, symbols = sample(15, 720, 9), names(9)
    estimate = rolling_covariance(x, symbols)
    plain, model = factor_model(estimate, components=0), factor_model(estimate, components=2)
    assert model.factors[-2:] == ("residual 1", "residual 2")
    residual = estimate.covariance_daily - (
        plain.loadings @ plain.factor_covariance_daily @ plain.loadings.T
    )
    own = np.sqrt(np.diag(residual)[2:])
    values, vectors = np.linalg.eigh(residual[2:, 2:] / np.outer(own, own))
    common = (vectors[:, -2:] * values[-2:]) @ vectors[:, -2:].T * np.outer(own, own)
    block = model.loadings[2:, 3:]
    theirs = block @ model.factor_covariance_daily[3:, 3:] @ block.T
    np.testing.assert_allclose(theirs, common, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.loadings[:2, 3:], 0)
    np.testing.assert_allclose(model.factor_covariance_daily[:3, 3:], 0)


@pytest.mark.parametrize("components", [0, 1, 2, 50])
def test_the_factor_form_keeps_variances_and_what_benchmarks_share(components: int) -> None:
    estimate = rolling_covariance(sample(16, 900, 8), names(8))
    ours = factor_estimate(estimate, components=components)
    # With as many components as there are, only the floor under d is left.
    tolerance = 1e-9 if components < 6 else 1e-6
    np.testing.assert_allclose(ours.volatility_daily, estimate.volatility_daily, rtol=tolerance)
    np.testing.assert_allclose(
        ours.covariance_daily[:2], estimate.covariance_daily[:2], rtol=1e-8, atol=1e-14
    )
    model = factor_model(estimate, components=components)
    b, omega, d = model.loadings, model.factor_covariance_daily, model.specific_volatility_daily
    np.testing.assert_allclose(ours.covariance_daily, b @ omega @ b.T + np.diag(d**2), atol=1e-16)
    assert np.linalg.eigvalsh(omega)[0] > 0


def test_a_true_factor_market_is_found_again() -> None:
    """More data than any window: what was put in comes out."""
    rng = np.random.default_rng(17)
    bars, n = 200_000, 12
    btc = rng.standard_normal(bars) * 0.01
    eth = 0.8 * btc + rng.standard_normal(bars) * 0.008
    sector = 0.5 * btc + 0.5 * eth + rng.standard_normal(bars) * 0.01
    own = 0.01 * rng.uniform(0.5, 1.5, n)
    tokens = sector[:, None] + rng.standard_normal((bars, n)) * own
    x = np.column_stack([btc, eth, tokens])
    estimate = rolling_covariance(x, names(n + 2), window_days=bars / 24)
    model = factor_model(estimate, components=0)
    # Each token is a twelfth of the sector, so noisy ones load a little more.
    np.testing.assert_allclose(model.loadings[2:, 2], 1.0, atol=0.1)
    expected = np.sqrt(24) * own
    np.testing.assert_allclose(model.specific_volatility_daily[2:], expected, rtol=0.1)


@pytest.mark.parametrize(
    ("symbols", "factors"),
    [
        (("FET/USDT:USDT",), (SECTOR,)),
        (("BTC/USDT:USDT",), ("BTC/USDT:USDT",)),
        (("BTC/USDT:USDT", "ETH/USDT:USDT"), ("BTC/USDT:USDT", "ETH/USDT:USDT")),
        (("FET/USDT:USDT", "BTC/USDT:USDT"), ("BTC/USDT:USDT", SECTOR)),
        (("A", "B", "C"), (SECTOR, "residual 1", "residual 2")),
    ],
)
def test_small_universes_and_missing_benchmarks(
    symbols: tuple[str, ...], factors: tuple[str, ...]
) -> None:
    estimate = rolling_covariance(sample(18, 100, len(symbols)), symbols, window_days=30)
    model = factor_model(estimate)
    assert set(model.factors) <= set(factors)
    assert model.factors[0] == factors[0]
    np.testing.assert_allclose(
        np.diag(model.covariance_daily()), np.diag(estimate.covariance_daily), rtol=1e-5
    )
    np.linalg.cholesky(factor_estimate(estimate).covariance_daily)


def test_twins_still_have_a_cholesky_factor() -> None:
    one = sample(19, 200, 3)
    x = np.hstack([one, one[:, 2:], 2 * one[:, 2:]])
    for beneath in (None, RollingCovariance(names(5))):
        estimate = stream(FactorCovariance(names(5), beneath), x)
        np.linalg.cholesky(estimate.covariance_daily)
