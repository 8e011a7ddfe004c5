"""Covariance as a few factors and what each token keeps for itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.mean_ewma import CovarianceEstimator, MeanEwmaCovariance
from risk.covariance.usable import MIN_BARS
from risk.errors import EstimationError

BENCHMARK_BASES = ("BTC", "ETH")
SECTOR = "sector"
COMPONENTS = 2

SPECIFIC_FLOOR = 1e-6
"""Least share of a token's variance that stays its own, so that Σ keeps a Cholesky factor."""


@dataclass(frozen=True, slots=True)
class FactorModel:
    """Σ ≈ B Ω Bᵀ + diag(d²) for N symbols and K factors.

    Attributes:
        symbols: N symbols.
        factors: K names: the benchmarks' symbols, ``sector``, ``residual 1`` and so on.
        loadings: B, (N, K), expected log return of a symbol for one of the factor's, the other
            factors unchanged. A benchmark loads 1 on itself and 0 elsewhere.
        factor_covariance_daily: Ω, (K, K), positive definite. The residual components are
            uncorrelated with each other and with the rest.
        specific_volatility_daily: d, (N,), at least 0; 0 for benchmarks.
    """

    symbols: tuple[str, ...]
    factors: tuple[str, ...]
    loadings: FloatArray
    factor_covariance_daily: FloatArray
    specific_volatility_daily: FloatArray

    def covariance_daily(self) -> FloatArray:
        """B Ω Bᵀ + diag(d²), (N, N), symmetric."""
        common = self.loadings @ self.factor_covariance_daily @ self.loadings.T
        return (common + common.T) / 2 + np.diag(self.specific_volatility_daily**2)


def factor_model(
    estimate: CovarianceEstimate,
    benchmarks: Sequence[str] | None = None,
    components: int = COMPONENTS,
) -> FactorModel:
    """The factor form of any covariance estimate.

    The observed factors are portfolios of the symbols, f = W r: each benchmark, and the sector as
    the equally weighted mean of all other tokens. Then least squares on second moments,

        Ω_f = W Σ Wᵀ        B_f = Σ Wᵀ Ω_f⁻¹        E = Σ - B_f Ω_f B_fᵀ

    which on returns without gaps is the regression without intercept on the factors' returns. The
    strongest principal components of the correlation of the residuals E follow as further
    factors; what is left of the diagonal is d². The diagonal of Σ is kept, but for a floor on d².

    Σ already knows how to deal with gaps and late listings, so they need no care here. The
    residuals of an equally weighted sector sum to zero; the model takes them as independent, so
    it overstates the variance of the sector itself by mean(d²)/N.

    Args:
        estimate: covariance of N symbols.
        benchmarks: symbols that are factors, those not in the estimate are left out; by default
            the symbols whose base is BTC or ETH.
        components: how many principal components, at least 0; at most one less than the tokens.

    Raises:
        EstimationError: ``components`` is below 0.
    """
    if components < 0:
        raise EstimationError(f"{components} principal components, must be at least 0")
    symbols, covariance = estimate.symbols, estimate.covariance_daily
    leaders = [symbols.index(symbol) for symbol in _benchmarks(symbols, benchmarks)]
    tokens = [i for i in range(len(symbols)) if i not in leaders]
    weights = _weights(len(symbols), leaders, tokens)
    loadings, omega = _observed(covariance, weights)
    loadings[leaders] = np.eye(len(leaders), len(weights))

    names = [symbols[i] for i in leaders] + ([SECTOR] if tokens else [])
    residual = covariance - loadings @ omega @ loadings.T
    own = np.maximum(np.diag(residual), SPECIFIC_FLOOR * np.diag(covariance))
    vectors, values = _components(residual, own, tokens, min(components, len(tokens) - 1))
    left = 1.0 - (vectors**2) @ values
    specific = np.maximum(own * left, SPECIFIC_FLOOR * np.diag(covariance))
    specific[leaders] = 0.0

    k = len(weights)
    ordered = np.zeros((k + len(values), k + len(values)))
    ordered[:k, :k] = omega
    ordered[k:, k:] = np.diag(values)
    return FactorModel(
        symbols=symbols,
        factors=(*names, *(f"residual {i + 1}" for i in range(len(values)))),
        loadings=np.hstack([loadings, np.sqrt(own)[:, None] * vectors]),
        factor_covariance_daily=ordered,
        specific_volatility_daily=np.sqrt(specific),
    )


class FactorCovariance:
    """The factor form of another estimator's covariance, by default of the mean of EWMA.

    The factors regularise, so the covariance beneath is not shrunk by default.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        beneath: CovarianceEstimator | None = None,
        benchmarks: Sequence[str] | None = None,
        components: int = COMPONENTS,
        min_bars: int = MIN_BARS,
    ) -> None:
        """Start empty.

        Args:
            symbols: N distinct symbols.
            beneath: an estimator of the same symbols, in the same order; it is updated by this
                one. None: MeanEwmaCovariance without shrinkage.
            benchmarks, components: as ``factor_model``.
            min_bars: for the default estimator beneath.

        Raises:
            EstimationError: an argument outside its range, or the symbols differ.
        """
        if components < 0:
            raise EstimationError(f"{components} principal components, must be at least 0")
        if beneath is None:
            beneath = MeanEwmaCovariance(symbols, shrinkage=0.0, min_bars=min_bars)
        if beneath.symbols != tuple(symbols):
            raise EstimationError("the estimator beneath has other symbols or another order")
        self._beneath = beneath
        self._benchmarks = benchmarks
        self._components = components

    @property
    def symbols(self) -> tuple[str, ...]:
        """The N symbols, in the order of the returns."""
        return self._beneath.symbols

    def update(self, log_return: FloatArray) -> None:
        """Take in one bar: (N,) log returns, NaN where a symbol has none.

        Raises:
            DataError: the shape does not fit or a return is infinite; nothing is taken in then.
        """
        self._beneath.update(log_return)

    def model(self) -> FactorModel:
        """B, Ω and d of the symbols that have an estimate.

        Raises:
            EstimationError: no symbol has a usable variance.
        """
        return factor_model(self._beneath.estimate(), self._benchmarks, self._components)

    def estimate(self, symbols: Sequence[str] | None = None) -> CovarianceEstimate:
        """B Ω Bᵀ + diag(d²) of the symbols that have an estimate; the rest is excluded.

        Args:
            symbols: only these, in their order; all by default. The others have no part in the
                factors then.

        Raises:
            MissingDataError: a symbol that was never asked for.
            EstimationError: no symbol has a usable variance.
        """
        beneath = self._beneath.estimate(symbols)
        return factor_estimate(beneath, self._benchmarks, self._components)


def factor_estimate(
    estimate: CovarianceEstimate,
    benchmarks: Sequence[str] | None = None,
    components: int = COMPONENTS,
) -> CovarianceEstimate:
    """An estimate with its covariance replaced by the factor form; arguments as factor_model.

    Raises:
        EstimationError: as ``factor_model``.
    """
    covariance = factor_model(estimate, benchmarks, components).covariance_daily()
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    return CovarianceEstimate(
        symbols=estimate.symbols,
        covariance_daily=covariance,
        volatility_daily=scale,
        correlation=correlation,
        observed_bars=estimate.observed_bars,
        effective_bars=estimate.effective_bars,
        excluded=estimate.excluded,
    )


def _benchmarks(symbols: Sequence[str], asked: Sequence[str] | None) -> list[str]:
    if asked is not None:
        return [symbol for symbol in dict.fromkeys(asked) if symbol in symbols]
    bases = {symbol: symbol.split("/")[0] for symbol in symbols}
    return [symbol for base in BENCHMARK_BASES for symbol in symbols if bases[symbol] == base]


def _weights(n: int, leaders: list[int], tokens: list[int]) -> FloatArray:
    """W, (K, N): one row for each benchmark, then one of equal weights for the tokens."""
    weights = np.zeros((len(leaders) + bool(tokens), n))
    weights[range(len(leaders)), leaders] = 1.0
    if tokens:
        weights[-1, tokens] = 1.0 / len(tokens)
    return weights


def _observed(covariance: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """B_f (N, K) and Ω_f (K, K) of factors that are portfolios."""
    omega = weights @ covariance @ weights.T
    omega = (omega + omega.T) / 2
    loadings: FloatArray = np.asarray(np.linalg.solve(omega, weights @ covariance).T, np.float64)
    return loadings, omega


def _components(
    residual: FloatArray, own: FloatArray, tokens: list[int], count: int
) -> tuple[FloatArray, FloatArray]:
    """The strongest components of the residuals' correlation: (N, C) vectors, (C,) variances.

    Vectors have length 1 and are 0 for benchmarks; their largest entry is positive, so that the
    same data gives the same signs.
    """
    n = len(residual)
    if count < 1:
        return np.zeros((n, 0)), np.zeros(0)
    scale = np.sqrt(own[tokens])
    correlation = residual[np.ix_(tokens, tokens)] / np.outer(scale, scale)
    values, vectors = np.linalg.eigh((correlation + correlation.T) / 2)
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, range(count)])
    placed = np.zeros((n, count))
    placed[tokens] = vectors
    positive = values > SPECIFIC_FLOOR
    return placed[:, positive], values[positive]
