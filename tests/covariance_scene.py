"""Returns made up from a seed, read bar by bar, and what every estimate must be."""

import numpy as np

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.mean_ewma import CovarianceEstimator, MeanEwmaCovariance
from risk.covariance.usable import MIN_BARS

NAN = float("nan")


def names(n: int) -> tuple[str, ...]:
    return tuple(f"T{i}" for i in range(n))


def sample(seed: int, bars: int, n: int, missing: float = 0.0) -> FloatArray:
    """Returns of a one-factor market with volatilities that differ, some of them missing."""
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-3, -1.5, n)
    returns = (0.7 * rng.standard_t(4, (bars, 1)) + rng.standard_t(4, (bars, n))) * scale
    returns[rng.random((bars, n)) < missing] = NAN
    return returns


def stream(
    returns: FloatArray, shrinkage: float = 0.2, min_bars: int = MIN_BARS
) -> CovarianceEstimate:
    estimator: CovarianceEstimator = MeanEwmaCovariance(
        names(returns.shape[1]), shrinkage=shrinkage, min_bars=min_bars
    )
    for row in returns:
        estimator.update(row)
    return estimator.estimate()


def assert_sound(estimate: CovarianceEstimate) -> None:
    root = np.linalg.cholesky(estimate.covariance_daily)
    np.testing.assert_allclose(root @ root.T, estimate.covariance_daily, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(
        np.sqrt(np.diag(estimate.covariance_daily)), estimate.volatility_daily, rtol=1e-12
    )
    assert (np.diag(estimate.correlation) == 1).all()
    assert np.abs(estimate.correlation).max() <= 1
