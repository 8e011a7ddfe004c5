"""What holds for every estimator, whatever the data: sound, streaming = batch, order and scale."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.estimators import ESTIMATORS
from risk.covariance.factors import FactorCovariance, factor_estimate
from risk.covariance.mean_ewma import CovarianceEstimator, MeanEwmaCovariance, mean_ewma_covariance
from risk.covariance.sample import RollingCovariance, rolling_covariance
from risk.covariance.scatter_ewma import ScatterEwmaCovariance, scatter_ewma_covariance
from risk.covariance.shrinkage import (
    ShrunkCovariance,
    ledoit_wolf,
    ledoit_wolf_identity,
    oas,
    shrunk_covariance,
)
from risk.errors import EstimationError
from tests.estimators_scene import names

DAYS = 3.0  # a window short enough to run over in a few hundred bars
LEAST = 4

Make = Callable[[tuple[str, ...]], CovarianceEstimator]
Batch = Callable[[FloatArray, tuple[str, ...]], CovarianceEstimate]

PAIRS: dict[str, tuple[Make, Batch]] = {
    "rolling": (
        lambda s: RollingCovariance(s, DAYS, LEAST),
        lambda x, s: rolling_covariance(x, s, DAYS, LEAST),
    ),
    "rolling around the mean": (
        lambda s: RollingCovariance(s, DAYS, LEAST, mean_removed=True),
        lambda x, s: rolling_covariance(x, s, DAYS, LEAST, mean_removed=True),
    ),
    "ewma": (
        lambda s: MeanEwmaCovariance(s, [2.0], 0.0, LEAST),
        lambda x, s: mean_ewma_covariance(x, s, [2.0], 0.0, LEAST),
    ),
    "ledoit_wolf": (
        lambda s: ShrunkCovariance(s, ledoit_wolf, DAYS, LEAST),
        lambda x, s: shrunk_covariance(x, s, ledoit_wolf, DAYS, LEAST),
    ),
    "ledoit_wolf_identity": (
        lambda s: ShrunkCovariance(s, ledoit_wolf_identity, DAYS, LEAST),
        lambda x, s: shrunk_covariance(x, s, ledoit_wolf_identity, DAYS, LEAST),
    ),
    "oas": (
        lambda s: ShrunkCovariance(s, oas, DAYS, LEAST),
        lambda x, s: shrunk_covariance(x, s, oas, DAYS, LEAST),
    ),
    "scatter_ewma": (
        lambda s: ScatterEwmaCovariance(s, [2.0, 9.0], 0.3, LEAST),
        lambda x, s: scatter_ewma_covariance(x, s, [2.0, 9.0], 0.3, LEAST),
    ),
    "factor": (
        lambda s: FactorCovariance(s, RollingCovariance(s, DAYS, LEAST)),
        lambda x, s: factor_estimate(rolling_covariance(x, s, DAYS, LEAST)),
    ),
}


def market(seed: int, bars: int, n: int, missing: float) -> FloatArray:
    """One factor, fat tails, late listings, halts, a crash, a price that stops; some missing."""
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-3, -1.5, n)
    loading = rng.uniform(0.0, 2.0, n)
    returns = (loading * rng.standard_t(3, (bars, 1)) + rng.standard_t(3, (bars, n))) * scale
    returns[rng.random((bars, n)) < missing] = np.nan
    for column in range(n):
        at = int(rng.integers(0, bars))
        match rng.integers(0, 6):
            case 0:
                returns[:at, column] = np.nan
            case 1:
                returns[at:, column] = np.nan
            case 2:
                returns[at:, column] = 0.0
            case 3:
                returns[at, column] = -2.0
            case _:
                pass
    return returns


def streamed(make: Make, returns: FloatArray) -> CovarianceEstimate:
    estimator = make(names(returns.shape[1]))
    for row in returns:
        estimator.update(row)
    return estimator.estimate()


@pytest.mark.parametrize("name", sorted(PAIRS))
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    bars=st.integers(1, 200),
    n=st.integers(1, 8),
    missing=st.sampled_from([0.0, 0.02, 0.3, 0.8]),
)
def test_streaming_equals_batch_and_both_are_sound(
    name: str, seed: int, bars: int, n: int, missing: float
) -> None:
    make, batch = PAIRS[name]
    returns = market(seed, bars, n, missing)
    try:
        ours = streamed(make, returns)
    except EstimationError:
        with pytest.raises(EstimationError, match="no symbol"):
            batch(returns, names(n))
        return
    theirs = batch(returns, names(n))
    assert ours.symbols == theirs.symbols
    assert ours.excluded == theirs.excluded
    assert {*ours.symbols, *(item.symbol for item in ours.excluded)} == set(names(n))
    scale = np.outer(theirs.volatility_daily, theirs.volatility_daily)
    assert np.abs((ours.covariance_daily - theirs.covariance_daily) / scale).max() <= 1e-10
    assert ours.observed_bars.tolist() == theirs.observed_bars.tolist()
    assert ours.effective_bars == pytest.approx(theirs.effective_bars, rel=1e-12)
    np.linalg.cholesky(ours.covariance_daily)
    assert np.abs(ours.correlation).max() <= 1


@pytest.mark.parametrize("name", sorted(PAIRS))
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 7), factor=st.floats(0.1, 10.0))
def test_order_of_symbols_and_scale_do_not_matter(
    name: str, seed: int, n: int, factor: float
) -> None:
    """A soundly conditioned market; where pairs contradict each other rounding is magnified."""
    rng = np.random.default_rng(seed)
    returns = (rng.standard_normal((150, 1)) + rng.standard_normal((150, n))) * 0.01
    returns *= rng.uniform(0.5, 2.0, n)
    returns[rng.random(returns.shape) < 0.05] = np.nan
    _, batch = PAIRS[name]
    plain = batch(returns, names(n))
    order = rng.permutation(n)
    shuffled = batch(returns[:, order], tuple(names(n)[i] for i in order))
    np.testing.assert_allclose(
        shuffled.subset(plain.symbols).covariance_daily, plain.covariance_daily, rtol=1e-8
    )
    scaled = batch(factor * returns, names(n))
    np.testing.assert_allclose(
        scaled.covariance_daily, factor**2 * plain.covariance_daily, rtol=1e-8
    )


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_more_tokens_than_bars(name: str) -> None:
    returns = market(1, 30, 40, 0.0)
    estimate = streamed(ESTIMATORS[name], returns)
    assert len(estimate.symbols) > 20
    np.linalg.cholesky(estimate.covariance_daily)
