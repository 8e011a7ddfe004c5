"""Each token against BTC or ETH alone: beta and correlation with their standard errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.correlation.rolling import CONSTANT
from risk.errors import DataError, EstimationError, MissingDataError


@dataclass(frozen=True, slots=True)
class BenchmarkBeta:
    """Regression of N tokens on one benchmark, all arrays (N,), NaN where unknown.

    Attributes:
        benchmark: its symbol.
        symbols: N symbols.
        beta: expected log return of the token for one of the benchmark's; 1 for the benchmark.
        beta_standard_error: of least squares, taking all bars as equally volatile.
        beta_robust_error: without that (White's, HC1): the one to trust, since crypto's hours
            are anything but equally volatile. Both are 0 for the benchmark.
        correlation: Pearson's.
        correlation_standard_error: by Fisher's z, which takes returns as normal.
        correlation_robust_error: without that, the one to trust. Both are 0 for the benchmark.
        observations: bars in which both have a return.
    """

    benchmark: str
    symbols: tuple[str, ...]
    beta: FloatArray
    beta_standard_error: FloatArray
    beta_robust_error: FloatArray
    correlation: FloatArray
    correlation_standard_error: FloatArray
    correlation_robust_error: FloatArray
    observations: FloatArray


def benchmark_beta(
    log_returns: FloatArray,
    symbols: Sequence[str],
    benchmark: str,
    min_observations: int = 24,
) -> BenchmarkBeta:
    """Least squares with intercept, r_i = a + β r_b + e, token by token over the bars both have.

    With x the benchmark's returns around their mean, e the residuals and n bars,

        β = Σ x y / Σ x²        ρ = Σ x y / √(Σ x² Σ y²)
        se(β) = √(Σ e² / (n - 2) / Σ x²)        robust: √(n / (n - 2) · Σ x² e²) / Σ x²
        se(ρ) = (1 - ρ²) / √(n - 3)    robust: √(Σ ψ² / (n (n - 3))),  ψ = u v - ρ (u² + v²) / 2

    with u and v the two returns around their means in units of their standard deviations. (White
    1980; MacKinnon, White 1985 for HC1; Fisher 1921; ψ is the influence function of ρ, Devlin,
    Gnanadesikan, Kettenring 1975.) Unlike
    ``risk.correlation.clusters.beta``, which serves the hedge and comes from the shrunk and
    weighted covariance, this is the plain regression over one window, as a
    trader would run it.

    Args:
        log_returns: (T, N) of the window, NaN where missing.
        symbols: N symbols, the benchmark among them.
        benchmark: its symbol.
        min_observations: fewer shared bars give NaN; at least 4.

    Raises:
        MissingDataError: the benchmark is not among the symbols.
        DataError: the shape does not fit or a return is infinite.
        EstimationError: ``min_observations`` is below 4.
    """
    returns = np.asarray(log_returns, dtype=np.float64)
    if returns.ndim != 2 or returns.shape[1] != len(symbols):
        raise DataError(f"returns have shape {returns.shape}, must be (bars, {len(symbols)})")
    infinite = np.isinf(returns).any(axis=0)
    if infinite.any():
        raise DataError(f"{symbols[int(infinite.argmax())]}: a return is infinite")
    if benchmark not in symbols:
        raise MissingDataError(f"benchmark {benchmark} has no returns")
    if min_observations < 4:
        raise EstimationError(f"min_observations is {min_observations}, must be at least 4")
    b = list(symbols).index(benchmark)
    there = ~np.isnan(returns) & ~np.isnan(returns[:, [b]])
    count = there.sum(axis=0).astype(np.float64)
    n = np.where(count >= min_observations, count, np.nan)
    x, y = _deviations(returns[:, [b]], there, n), _deviations(returns, there, n)
    xx, yy, xy = (np.where(there, term, 0.0).sum(axis=0) for term in (x * x, y * y, x * y))
    xx, yy = _moved(xx, returns[:, [b]], there), _moved(yy, returns, there)
    beta = xy / xx
    residual = np.where(there, y - beta * x, 0.0)
    correlation = np.clip(xy / np.sqrt(xx) / np.sqrt(yy), -1.0, 1.0)
    error = np.sqrt((residual**2).sum(axis=0) / (n - 2) / xx)
    robust = np.sqrt(n / (n - 2) * (np.where(there, x, 0.0) ** 2 * residual**2).sum(axis=0)) / xx
    correlation_error = (1 - correlation**2) / np.sqrt(n - 3)
    u, v = np.where(there, x, 0.0) / np.sqrt(xx / n), np.where(there, y, 0.0) / np.sqrt(yy / n)
    influence = u * v - correlation / 2 * (u * u + v * v)
    correlation_robust = np.sqrt((influence**2).sum(axis=0) / n / (n - 3))
    if not np.isnan(beta[b]):
        beta[b] = correlation[b] = 1.0
        for exact in (error, robust, correlation_error, correlation_robust):
            exact[b] = 0.0
    return BenchmarkBeta(
        benchmark,
        tuple(symbols),
        beta,
        beta_standard_error=error,
        beta_robust_error=robust,
        correlation=correlation,
        correlation_standard_error=correlation_error,
        correlation_robust_error=correlation_robust,
        observations=count,
    )


def _deviations(values: FloatArray, there: NDArray[np.bool_], n: FloatArray) -> FloatArray:
    """(T, N) from the mean over the bars of each pair."""
    deviations: FloatArray = values - np.where(there, values, 0.0).sum(axis=0) / n
    return deviations


def _moved(squares: FloatArray, values: FloatArray, there: NDArray[np.bool_]) -> FloatArray:
    """Sums of squared deviations, NaN for a series that is constant up to rounding."""
    size = (np.where(there, values, 0.0) ** 2).sum(axis=0)
    return np.where(squares > CONSTANT * size, squares, np.nan)
