"""Covariances of tokens listed late: correlations of shared bars, volatilities of all bars."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.mean_ewma import MeanEwmaCovariance, mean_ewma_covariance
from risk.covariance.scatter import ScatterWeights
from risk.covariance.scatter_ewma import ScatterEwmaCovariance, scatter_ewma_covariance
from risk.covariance.weights import ewma_decay
from risk.exclusion import Excluded

BARS = 30 * 24
SYMBOLS = ("NEW", "A", "B", "C", "D")
DAYS = (4.0, 15.0, 60.0)
Streaming = type[MeanEwmaCovariance] | type[ScatterEwmaCovariance]
BOTH = pytest.mark.parametrize("make", [MeanEwmaCovariance, ScatterEwmaCovariance])


def market(seed: int, young_bars: int = BARS, *, wild: float = 1.0) -> FloatArray:
    """Five tokens with a correlation of 0.8; the last ``young_bars`` are ``wild`` times wider."""
    rng = np.random.default_rng(seed)
    returns = 0.01 * (2 * rng.normal(size=(BARS, 1)) + rng.normal(size=(BARS, 5))) / np.sqrt(5)
    returns[-young_bars:] *= wild
    returns[: BARS - young_bars, 0] = np.nan
    return np.asarray(returns)


def streamed(make: Streaming, rows: FloatArray, shrinkage: float = 0.0) -> CovarianceEstimate:
    estimator = make(SYMBOLS[: rows.shape[1]], shrinkage=shrinkage)
    for row in rows:
        estimator.update(row)
    return estimator.estimate()


def recursion(rows: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """S and W of every half-life by the plain recursion over bars that all have."""
    decay = ewma_decay(DAYS)[:, None, None]
    total, norm = np.zeros((3, 5, 5)), np.zeros((3, 5, 5))
    for row, w in zip(rows, weights, strict=True):
        share = w * (1 - decay)
        norm, total = norm * decay, total * decay
        norm += share
        total += share * (row[:, None] * row)
    return total, norm


def test_full_history_is_left_alone_to_the_last_bit() -> None:
    rows = market(1)
    total, norm = recursion(rows, np.ones(BARS))
    plain = (total / norm).sum(axis=0) * (24 / 3)
    sigma = np.sqrt(plain.diagonal())
    found = streamed(MeanEwmaCovariance, rows)
    assert np.array_equal(found.volatility_daily, sigma)
    off = ~np.eye(5, dtype=bool)
    assert np.array_equal(found.correlation[off], (plain / (sigma[:, None] * sigma))[off])

    scatter = ScatterWeights(5, ewma_decay(DAYS))
    total, norm = recursion(rows, np.array([scatter.update(row) for row in rows]))
    scale = scatter.scale()[:, None, None] / 3
    weighted = 24 * (scale * total / norm).sum(axis=0)
    own = np.sqrt(np.maximum(weighted.diagonal(), 24 * scatter.variance()))
    told = streamed(ScatterEwmaCovariance, rows)
    np.testing.assert_allclose(told.volatility_daily, own, rtol=1e-15)
    rho = (weighted / np.outer(own, own))[off]
    np.testing.assert_allclose(told.correlation[off], rho, rtol=1e-14)


def test_a_newcomer_changes_nothing_between_the_others() -> None:
    rows = market(2, young_bars=60)
    beside = streamed(MeanEwmaCovariance, rows)
    alone = MeanEwmaCovariance(SYMBOLS[1:], shrinkage=0.0)
    for row in rows:
        alone.update(row[1:])
    assert np.array_equal(beside.covariance_daily[1:, 1:], alone.estimate().covariance_daily)
    batch = mean_ewma_covariance(rows, SYMBOLS, shrinkage=0.0).covariance_daily[1:, 1:]
    np.testing.assert_allclose(batch, alone.estimate().covariance_daily, rtol=1e-12)


def test_gaps_that_all_share_are_none_of_the_pairs() -> None:
    rows = market(3)
    holes = np.insert(rows, [100, 500, 501], np.nan, axis=0)
    for make in (MeanEwmaCovariance, ScatterEwmaCovariance):
        whole, holed = streamed(make, rows), streamed(make, holes)
        np.testing.assert_allclose(holed.covariance_daily, whole.covariance_daily, rtol=1e-13)


@BOTH
@pytest.mark.parametrize("wild", [0.3, 3.0])
def test_the_volatility_of_peers_before_the_listing_does_not_matter(
    make: Streaming, wild: float
) -> None:
    """Of two days in a market that changed: its correlation in truth is 0.8."""
    found = [streamed(make, market(k, 48, wild=wild)) for k in range(10)]
    rho = np.array([one.correlation[0, 1:] for one in found])
    # What a jump leaves to a token alone is taken out of its correlations by the weights.
    assert rho.mean() == pytest.approx(0.8, abs=0.04)
    assert np.sqrt(((rho - 0.8) ** 2).mean()) < 0.08  # (1 - ρ²)/√48 = 0.05
    naive = [mean_covariance_of_pairs(market(k, 48, wild=wild)) for k in range(10)]
    off = np.array([c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]) for c in naive])
    assert np.sqrt(((off - 0.8) ** 2).mean()) > 0.2
    for one in found:
        assert one.volatility_daily[0] == pytest.approx(0.01 * wild * np.sqrt(24), rel=0.35)


def mean_covariance_of_pairs(rows: FloatArray) -> FloatArray:
    """Each pair over the bars it has, for division by volatilities of other bars."""
    decay = ewma_decay(DAYS)
    sums = np.zeros((5, 5))
    for i, j in np.ndindex(5, 5):
        both = ~np.isnan(rows[:, i] * rows[:, j])
        ages = np.arange(both.sum())[::-1]
        weights = decay[:, None] ** ages
        weights /= weights.sum(axis=1, keepdims=True)
        sums[i, j] = 24 * (weights.mean(axis=0) @ (rows[both, i] * rows[both, j]))
    return sums


@BOTH
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), young=st.integers(30, 300), missing=st.floats(0, 0.4))
def test_streaming_is_batch_and_sound_with_any_gaps(
    make: Streaming, seed: int, young: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    rows = market(seed, young, wild=float(rng.uniform(0.1, 8)))[-400:]
    rows[rng.random(rows.shape) < missing] = np.nan
    rows[150:160, 3] = 0.0
    batches: dict[Streaming, Callable[..., CovarianceEstimate]] = {
        MeanEwmaCovariance: mean_ewma_covariance,
        ScatterEwmaCovariance: scatter_ewma_covariance,
    }
    one = streamed(make, rows, 0.2)
    other = batches[make](rows, SYMBOLS, shrinkage=0.2)
    assert (one.symbols, one.excluded) == (other.symbols, other.excluded)
    np.testing.assert_allclose(one.covariance_daily, other.covariance_daily, rtol=1e-10, atol=1e-18)
    assert np.linalg.eigvalsh(one.correlation)[0] > 0
    assert np.abs(one.correlation).max() <= 1 + 1e-12


@BOTH
def test_a_pair_that_hardly_met_is_not_known(make: Streaming) -> None:
    rows = market(5)
    rows[:-100, 0] = np.nan
    rows[-100:-3, 1] = np.nan  # three bars with NEW: any correlation could come of them
    batches = {
        MeanEwmaCovariance: mean_ewma_covariance,
        ScatterEwmaCovariance: scatter_ewma_covariance,
    }
    for found in (streamed(make, rows), batches[make](rows, SYMBOLS, shrinkage=0.0)):
        rest = found.correlation[np.triu_indices(5, 1)][1:]
        assert found.correlation[0, 1] == pytest.approx(rest.mean(), abs=1e-9)


@BOTH
def test_peers_that_stand_still_tell_nothing(make: Streaming) -> None:
    rows = market(6, 48)
    rows[-48:, 1] = 0.0
    found = streamed(make, rows)
    rest = found.correlation[np.triu_indices(5, 1)][1:]
    assert found.correlation[0, 1] == pytest.approx(rest.mean(), abs=1e-9)
    assert found.excluded == ()
    rows[:, 1] = 0.0
    reason = f"price did not move over {BARS} hourly returns"
    assert streamed(make, rows).excluded == (Excluded("A", reason),)
