"""Contracts of one token on two exchanges: what the covariance says of the basis between them."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.covariance.basis import BASIS_SHRINKAGE, LEAST_BASIS_DAILY, BasisCovariance
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.estimators import ESTIMATORS, new_estimator
from risk.covariance.mean_ewma import CovarianceEstimator, MeanEwmaCovariance
from risk.errors import EstimationError, MissingDataError
from tests.covariance_scene import NAN, assert_sound, sample

HOME = ("BTC", "FET", "TAO")
FAR = "FET@bybit"
PAIRS = {FAR: "FET"}
BASIS = 0.0004  # an hour, up and down in turn


def plain(symbols: Sequence[str]) -> CovarianceEstimator:
    return MeanEwmaCovariance(symbols)


def streamed(
    returns: FloatArray, symbols: Sequence[str] = (*HOME, FAR), name: str = "mean_ewma"
) -> BasisCovariance:
    estimator = BasisCovariance(symbols, PAIRS, lambda home: new_estimator(name, home))
    for row in returns:
        estimator.update(row)
    return estimator


def market(seed: int, bars: int = 900, basis: FloatArray | None = None) -> FloatArray:
    """Three tokens, and the second once more with its basis."""
    home = sample(seed, bars, 3)
    if basis is None:
        basis = BASIS * (-1.0) ** np.arange(bars)
    return np.column_stack([home, home[:, 1] + basis])


def hedged_variance(estimate: CovarianceEstimate, far: str = FAR, home: str = "FET") -> float:
    """Of a dollar long in the one and a dollar short in the other."""
    x = np.zeros(len(estimate.symbols))
    x[[estimate.column(far), estimate.column(home)]] = 1.0, -1.0
    return float(x @ estimate.covariance_daily @ x)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_a_hedge_in_the_same_token_keeps_the_basis_and_nothing_else(name: str) -> None:
    estimate = streamed(market(1), name=name).estimate()
    # Every bar's basis return squared is the same, so every mean of them is.
    assert hedged_variance(estimate) == pytest.approx(24 * BASIS**2, rel=1e-6)
    assert estimate.correlation[3, 1] > 0.995
    assert_sound(estimate)


def test_drawn_to_the_mean_the_basis_would_be_many_times_as_wide() -> None:
    returns = market(1)
    usual = plain((*HOME, FAR))
    for row in returns:
        usual.update(row)
    assert hedged_variance(usual.estimate()) > 20 * hedged_variance(streamed(returns).estimate())


def test_it_is_what_the_equation_says() -> None:
    rng = np.random.default_rng(5)
    returns = market(2, basis=0.001 * rng.standard_normal(900))
    estimate = streamed(returns).estimate()

    coordinates = np.column_stack([returns[:, :3], returns[:, 3] - returns[:, 1]])
    age = np.arange(900)[::-1]
    seen = np.zeros((4, 4))
    for days in (4.0, 15.0, 60.0):
        weight = 2.0 ** (-age / (24 * days))
        seen += 24 / 3 * (coordinates.T * weight / weight.sum()) @ coordinates
    home = plain(HOME)
    for row in returns[:, :3]:
        home.update(row)
    omega = (1 - BASIS_SHRINKAGE) * seen
    omega[:3, :3], omega[3, 3] = home.estimate().covariance_daily, seen[3, 3]
    to_returns = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1.0]])
    np.testing.assert_allclose(
        estimate.covariance_daily, to_returns @ omega @ to_returns.T, rtol=1e-9
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.floats(1e-6, 0.05),
    st.floats(-1.0, 1.0),
    st.floats(0.0, 0.3),
)
def test_it_is_sound_and_leaves_the_home_contracts_alone(
    seed: int, width: float, with_market: float, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    home = sample(seed, 400, 3)
    basis = width * rng.standard_normal(400) + with_market * home[:, 0]
    returns = np.column_stack([home, home[:, 1] + basis])
    returns[rng.random(returns.shape) < missing] = NAN
    estimator = streamed(returns)
    estimate = estimator.estimate((FAR, "TAO", "BTC", "FET"))
    assert estimate.symbols == (FAR, "TAO", "BTC", "FET")
    assert_sound(estimate)
    alone = plain(HOME)
    for row in returns[:, :3]:
        alone.update(row)
    reference = alone.estimate(("FET", "TAO", "BTC")).subset(("TAO", "BTC", "FET"))
    np.testing.assert_array_equal(estimate.covariance_daily[1:, 1:], reference.covariance_daily)
    np.testing.assert_array_equal(estimate.correlation[1:, 1:], reference.correlation)

    own = MeanEwmaCovariance((FAR,), shrinkage=0.0)
    for row in returns:
        own.update(np.array([row[3] - row[1]]))
    expected = max(float(own.estimate().volatility_daily[0]), LEAST_BASIS_DAILY)
    assert hedged_variance(estimate) == pytest.approx(expected**2, rel=1e-6)


def test_prices_that_are_the_same_differ_by_a_basis_point_a_day() -> None:
    estimate = streamed(market(3, basis=np.zeros(900))).estimate()
    assert hedged_variance(estimate) == pytest.approx(LEAST_BASIS_DAILY**2, rel=1e-6)
    assert_sound(estimate)


def test_a_far_contract_is_estimated_without_its_home_contract_being_asked_for() -> None:
    estimator = streamed(market(4))
    both = estimator.estimate(("BTC", FAR, "FET"))
    alone = estimator.estimate(("BTC", FAR))
    assert alone.symbols == ("BTC", FAR)
    np.testing.assert_array_equal(alone.covariance_daily, both.covariance_daily[:2, :2])
    np.testing.assert_array_equal(
        estimator.estimate(("TAO", "BTC")).covariance_daily, _home_only(4, ("TAO", "BTC"))
    )


def _home_only(seed: int, symbols: tuple[str, ...]) -> FloatArray:
    alone = plain(HOME)
    for row in market(seed)[:, :3]:
        alone.update(row)
    return alone.estimate(symbols).covariance_daily


def test_too_few_bars_in_common_are_told_and_never_a_narrow_basis() -> None:
    returns = market(6)
    returns[:890, 3] = NAN
    estimate = streamed(returns).estimate()
    assert estimate.symbols == HOME
    (lost,) = estimate.excluded
    assert lost.symbol == FAR
    assert lost.reason == "only 10 hourly returns in common with FET, needs 24"

    returns = market(6)
    returns[:, 1] = NAN
    estimate = streamed(returns).estimate()
    assert {item.symbol for item in estimate.excluded} == {"FET", FAR}


def test_it_refuses_what_is_no_pair_and_what_it_never_saw() -> None:
    with pytest.raises(EstimationError, match="TAO is no home contract of it"):
        BasisCovariance(("BTC", FAR), {FAR: "TAO"}, plain)
    with pytest.raises(EstimationError, match="is no home contract of it"):
        BasisCovariance(("A", "B", "C"), {"A": "B", "B": "C"}, plain)
    with pytest.raises(MissingDataError, match="WLD"):
        streamed(market(7, bars=50)).estimate(("BTC", "WLD"))
