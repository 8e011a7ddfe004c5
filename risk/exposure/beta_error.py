"""How far betas to the benchmark may be off in markets whose hours are not equally volatile."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.mean_ewma import HALF_LIVES_DAYS
from risk.covariance.weights import ewma_decay
from risk.errors import DataError


@dataclass(frozen=True, slots=True)
class BetaErrors:
    """What is uncertain about the betas of N tokens to the benchmark.

    Attributes:
        influence: (T, N), by how much a bar moves each β; the sum of its squares is the variance.
        apart: (N,), how far each β lies from what its own bars alone say of it.
    """

    influence: FloatArray
    apart: FloatArray

    def of_tokens(self) -> FloatArray:
        """Standard error of each β, (N,); 0 for the benchmark."""
        error: FloatArray = np.sqrt((self.influence**2).sum(axis=0) + self.apart**2)
        return error

    def of_net(self, x_usd: FloatArray) -> float:
        """Standard error of Σ β_i x_i, USD of the benchmark; x (N,) signed notionals."""
        spread = float(((self.influence @ x_usd) ** 2).sum())
        return float(np.sqrt(spread + float(self.apart @ x_usd) ** 2))


def beta_errors(
    log_returns: FloatArray, estimate: CovarianceEstimate, benchmark: str
) -> BetaErrors:
    """Robust errors of β_i = Σ_ib / Σ_bb = ρ_ib σ_i / σ_b, from the bars themselves.

    ρ_ib and σ_i rest on the bars that i shares with the benchmark b, with weights w, and σ_b on all
    bars of b. With V_i the weighted mean of r_b² over the shared bars, V over all, and

        β'_i = β_i √(V / V_i)    ψ_it = w_it r_b (r_i - β'_i r_b) / V_i, from its weighted mean

        se² = n_i / (n_i - 1) Σ_t ψ_it² + (β'_i - β_i)²

    β' is what the shared bars alone say. Its errors are White's (1980) with weights: wild hours,
    which come together for token and benchmark and rule both sums, widen them, while least squares
    takes all hours alike. For a token with the history of b, β' is β. A young one's β leans on how
    volatile b was before, and (β' - β)² is the price of that, seen and not guessed: volatility
    comes in spells, so its error cannot be had from hours taken as independent.

    Weights are those of age in a mean of EWMA (``HALF_LIVES_DAYS``), whatever the estimator. It is
    the error of sampling alone, without that of shrinkage.

    Args:
        log_returns: (T, N), the bars behind the estimate, in its order, NaN where missing.
        benchmark: its symbol.

    Errors are NaN for a token that shares no bar in which the benchmark moved.

    Raises:
        MissingDataError: the benchmark is not in the estimate.
        DataError: the shape does not fit.
    """
    b = estimate.column(benchmark)
    if log_returns.ndim != 2 or log_returns.shape[1] != len(estimate.symbols):
        wanted = f"(bars, {len(estimate.symbols)})"
        raise DataError(f"returns have shape {log_returns.shape}, must be {wanted}")
    base = log_returns[:, [b]]
    shared = ~np.isnan(log_returns) & ~np.isnan(base)
    weights = _mean_weights(shared)
    filled, base = np.where(shared, log_returns, 0.0), np.nan_to_num(base)
    variance = float(estimate.covariance_daily[b, b])
    beta = estimate.covariance_daily[b] / variance
    hourly = (weights * base**2).sum(axis=0)
    hourly = np.where(hourly > 0, hourly, np.nan)
    near = beta * np.sqrt(hourly[b] / hourly)
    pull = np.where(shared, base * (filled - near * base), 0.0)
    bars = 1 / np.maximum((weights**2).sum(axis=0), 1 / len(weights))
    scale = np.sqrt(bars / np.maximum(bars - 1, 1.0)) / hourly
    influence, apart = _apart(pull, weights) * scale, near - beta
    influence[:, b] = apart[b] = 0.0
    return BetaErrors(influence, apart)


def _apart(values: FloatArray, weights: FloatArray) -> FloatArray:
    """w (v - Σ w v), (T, N)."""
    apart: FloatArray = weights * (values - (weights * values).sum(axis=0))
    return apart


def _mean_weights(shared: NDArray[np.bool_]) -> FloatArray:
    """Mean of the normalised EWMA weights of each column's bars, (T, N); 0 where it has none."""
    decay = ewma_decay(HALF_LIVES_DAYS)
    patterns, which = np.unique(shared, axis=1, return_inverse=True)
    later = patterns.sum(axis=0) - np.cumsum(patterns, axis=0)
    ages = np.where(patterns, decay[:, None, None] ** later, 0.0)
    total = ages.sum(axis=1, keepdims=True)
    mean: FloatArray = np.divide(ages, total, out=np.zeros_like(ages), where=total > 0).mean(axis=0)
    return mean[:, which.ravel()]
