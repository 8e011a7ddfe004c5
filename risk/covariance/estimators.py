"""Every covariance estimator by name, so that they can be compared and chosen."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from risk.covariance.factors import FactorCovariance
from risk.covariance.mean_ewma import CovarianceEstimator, MeanEwmaCovariance
from risk.covariance.sample import RollingCovariance
from risk.covariance.scatter_ewma import ScatterEwmaCovariance
from risk.covariance.shrinkage import ShrunkCovariance, ledoit_wolf, oas
from risk.errors import EstimationError

DEFAULT_ESTIMATOR = "mean_ewma"
HEDGE_ESTIMATOR = "scatter_ewma"
"""What ``minimum_risk`` hedges by, the best of these out of sample: docs/evaluation-research.md."""
EWMA_HALF_LIFE_DAYS = 15.0

ESTIMATORS: Mapping[str, Callable[[Sequence[str]], CovarianceEstimator]] = MappingProxyType(
    {
        "rolling_30d": lambda symbols: RollingCovariance(symbols, window_days=30.0),
        "rolling_7d": lambda symbols: RollingCovariance(symbols, window_days=7.0),
        "ewma": lambda symbols: MeanEwmaCovariance(
            symbols, half_lives_days=[EWMA_HALF_LIFE_DAYS], shrinkage=0.0
        ),
        "mean_ewma": MeanEwmaCovariance,
        "ledoit_wolf": lambda symbols: ShrunkCovariance(symbols, ledoit_wolf),
        "oas": lambda symbols: ShrunkCovariance(symbols, oas),
        "factor": FactorCovariance,
        "scatter_ewma": ScatterEwmaCovariance,
    }
)
"""A new estimator of the symbols, each by its name.

``rolling_30d`` and ``rolling_7d`` are sample covariances of that many days of hourly bars,
``ledoit_wolf`` and ``oas`` shrink the 30-day one, ``ewma`` has one half-life of 15 days,
``mean_ewma`` (the default) averages 4, 15 and 60 days and shrinks by a fifth, ``factor`` is the
factor form of the same without shrinkage, ``scatter_ewma`` counts bars less in which tokens
scatter, and shrinks by two fifths towards one common factor. A 7-day sample is something to look
at and far too noisy to hedge by.
"""


def new_estimator(
    name: str, symbols: Sequence[str], *, shrinkage: float | None = None
) -> CovarianceEstimator:
    """A new estimator of N symbols by its name in ``ESTIMATORS``.

    Args:
        name: which one.
        symbols: N distinct symbols.
        shrinkage: weight of the simpler correlations in ``mean_ewma`` and ``scatter_ewma``, 0 to
            1, None for what they have by themselves; the others have their own or none.

    Raises:
        EstimationError: there is no estimator of this name.
    """
    if shrinkage is not None and name == "mean_ewma":
        return MeanEwmaCovariance(symbols, shrinkage=shrinkage)
    if shrinkage is not None and name == "scatter_ewma":
        return ScatterEwmaCovariance(symbols, shrinkage=shrinkage)
    if name not in ESTIMATORS:
        raise EstimationError(f"estimator {name!r}: must be one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name](symbols)
