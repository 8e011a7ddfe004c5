"""Mean of EWMA covariances in which a bar counts less the more its tokens scatter."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate, estimate_from
from risk.covariance.mean_ewma import ABSURD_VOLATILITY, HALF_LIVES_DAYS, require_settings
from risk.covariance.one_factor import shrink_to_one_factor
from risk.covariance.scatter import ScatterWeights
from risk.covariance.shared import SharedVariances, with_own_variances
from risk.covariance.usable import (
    MIN_BARS,
    columns_of,
    filled_with_mean,
    require_returns,
    usable_symbols,
)
from risk.covariance.weights import effective_bars, ewma_decay, pair_weights
from risk.returns import BARS_PER_DAY

SHRINKAGE = 0.4


class ScatterEwmaCovariance:
    """Mean of weighted EWMA covariances with several half-lives, O(N²) a bar, not mean-removed.

    For each half-life k with b_k = 2^(-1/(24·H_k)), at every bar where both i and j have a
    return, with the bar's weight w of ``ScatterWeights``:

        S_k,ij ← b_k S_k,ij + (1 - b_k) w r_i r_j        W_k,ij ← b_k W_k,ij + (1 - b_k) w
        A_ij = 24 · mean_k s_k S_k,ij / W_k,ij

    s_k makes up for what the weights take from the variance that all share. A jump of one token
    thus hardly moves its covariances. What its plain EWMA variance v_i has above A_ii stays its
    own, Σ_ii = max(A_ii, v_i): that is risk, though shared with nobody; no variance is clipped.
    Then correlations are projected to positive definite and shrunk towards one common factor.
    Gaps are dealt with as in MeanEwmaCovariance: a pair's bars only tell its correlation, with the
    same weights w in the variances over shared bars.

    A bar is judged by all symbols, so an estimate of some of them is not quite what it would be
    without the others.

    (Weights as in M-estimators of scatter, Maronna 1976, by dispersion across tokens instead of
    distance; half-lives Johansson, Ogut, Pelger, Schmelzer, Boyd 2023; target Ledoit, Wolf 2003.)
    """

    def __init__(
        self,
        symbols: Sequence[str],
        half_lives_days: Sequence[float] = HALF_LIVES_DAYS,
        shrinkage: float = SHRINKAGE,
        min_bars: int = MIN_BARS,
    ) -> None:
        """Start empty.

        Args:
            symbols: N distinct symbols.
            half_lives_days: in days of observed hourly bars, each above 0.
            shrinkage: weight of the common factor's correlations, 0 to 1.
            min_bars: a symbol with fewer returns is excluded from the estimate.

        Raises:
            EstimationError: an argument outside its range.
        """
        decay = ewma_decay(half_lives_days)
        require_settings(symbols, shrinkage, min_bars)
        n = len(symbols)
        self._symbols = tuple(symbols)
        self._shrinkage = shrinkage
        self._min_bars = min_bars
        self._decay = decay[:, None, None]
        self._sum = np.zeros((len(decay), n, n))
        self._weight = np.zeros((len(decay), n, n))
        self._observed = np.zeros(n)
        self._scatter = ScatterWeights(n, decay)
        self._shared = SharedVariances()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The N symbols, in the order of the returns."""
        return self._symbols

    def update(self, log_return: FloatArray) -> None:
        """Take in one bar: (N,) log returns, NaN where a symbol has none.

        Raises:
            DataError: the shape does not fit or a return is infinite; nothing is taken in then.
        """
        returns = require_returns(log_return, self._symbols, bars=None)
        there = ~np.isnan(returns)
        filled = np.where(there, returns, 0.0)
        share = self._scatter.update(returns) * (1 - self._decay)
        decay = self._decay
        both: NDArray[np.bool_] | float = 1.0
        if not there.all():
            both = np.outer(there, there)
            decay = np.where(both, self._decay, 1.0)
            self._shared.begin(self._sum, self._observed)
        self._shared.update(filled, both, decay, share)
        self._weight *= decay
        self._weight += share * both
        self._sum *= decay
        self._sum += share * (filled[:, None] * filled)
        self._observed += there

    def estimate(self, symbols: Sequence[str] | None = None) -> CovarianceEstimate:
        """The estimate from all bars so far; symbols that have none are excluded, with reasons.

        Args:
            symbols: only these, in their order; all by default. The common factor is then of
                these alone.

        Raises:
            MissingDataError: a symbol that was never asked for.
            EstimationError: no symbol has a usable variance.
        """
        weighted = self._mean_of(self._sum)
        if self._shared.sums is not None:
            variance = self._mean_of(self._shared.sums)
            met = self._shared.bars >= self._min_bars
            weighted = with_own_variances(weighted, variance, met)
        covariance = _with_own(weighted, self._scatter.variance())
        chosen, observed = self._symbols, self._observed.copy()
        if symbols is not None and tuple(symbols) != chosen:
            chosen = tuple(symbols)
            keep = columns_of(chosen, self._symbols)
            covariance, observed = covariance[np.ix_(keep, keep)], observed[keep]
        return _finish(
            chosen,
            covariance,
            observed,
            decay=self._decay.ravel(),
            shrinkage=self._shrinkage,
            min_bars=self._min_bars,
        )

    def _mean_of(self, total: FloatArray) -> FloatArray:
        """Of an hour, (N, N), over the K half-lives; NaN where a pair never met."""
        known = self._weight[0] > 0
        scale = self._scatter.scale()[:, None, None] / len(total)
        if known.all():
            mean: FloatArray = (scale * total / self._weight).sum(axis=0)
            return mean
        parts = np.divide(total, self._weight, out=np.zeros_like(total), where=known)
        return np.where(known, (scale * parts).sum(axis=0), np.nan)


def scatter_ewma_covariance(
    log_returns: FloatArray,
    symbols: Sequence[str],
    half_lives_days: Sequence[float] = HALF_LIVES_DAYS,
    shrinkage: float = SHRINKAGE,
    min_bars: int = MIN_BARS,
) -> CovarianceEstimate:
    """The estimate of ScatterEwmaCovariance over (T, N) returns at once, by explicit weights.

    Args:
        log_returns: (T, N) hourly log returns, oldest first, NaN where missing.
        symbols, half_lives_days, shrinkage, min_bars: as ScatterEwmaCovariance.

    Raises:
        DataError: the shape does not fit or a return is infinite.
        EstimationError: an argument outside its range, or no symbol has a usable variance.
    """
    decay = ewma_decay(half_lives_days)
    require_settings(symbols, shrinkage, min_bars)
    returns = require_returns(log_returns, symbols, bars=-1)
    scatter = ScatterWeights(len(symbols), decay)
    bar_weight = np.array([scatter.update(row) for row in returns])
    there, filled = ~np.isnan(returns), np.nan_to_num(returns)
    covariance = np.full((len(symbols), len(symbols)), np.nan)
    shared = covariance.copy()
    for one, other, age_weight in pair_weights(there, decay):
        by_half_life = age_weight * bar_weight
        by_half_life *= scatter.scale()[:, None] / by_half_life.sum(axis=1, keepdims=True)
        weights = by_half_life.mean(axis=0)
        block = (filled[:, one].T * weights) @ filled[:, other]
        covariance[np.ix_(one, other)] = block
        covariance[np.ix_(other, one)] = block.T
        shared[np.ix_(one, other)] = (weights @ filled[:, one] ** 2)[:, None]
        shared[np.ix_(other, one)] = (weights @ filled[:, other] ** 2)[:, None]
    if not there.all():
        met = there.astype(np.float64).T @ there >= min_bars
        covariance = with_own_variances(covariance, shared, met)
    return _finish(
        tuple(symbols),
        _with_own(covariance, scatter.variance()),
        there.sum(axis=0).astype(np.float64),
        decay=decay,
        shrinkage=shrinkage,
        min_bars=min_bars,
    )


def _with_own(hourly: FloatArray, variance: FloatArray) -> FloatArray:
    """Daily covariance, with the variance given back that the weights left out."""
    covariance: FloatArray = BARS_PER_DAY * hourly
    own = BARS_PER_DAY * np.maximum(hourly.diagonal(), variance)
    covariance.flat[:: len(covariance) + 1] = own
    return covariance


def _finish(
    symbols: tuple[str, ...],
    covariance: FloatArray,
    observed: FloatArray,
    *,
    decay: FloatArray,
    shrinkage: float,
    min_bars: int,
) -> CovarianceEstimate:
    """From a pairwise covariance, NaN where a pair never met, to an estimate that can be used."""
    variance = covariance.diagonal()
    volatility = np.sqrt(np.where(np.isnan(variance), 0.0, variance))
    chosen = usable_symbols(symbols, volatility, observed, min_bars)
    if chosen.kept != symbols:
        keep = columns_of(chosen.kept, symbols)
        covariance, observed = covariance[np.ix_(keep, keep)], observed[keep]
        volatility = volatility[keep]
    correlation = filled_with_mean(covariance / (volatility[:, None] * volatility))
    shrunk, proven = shrink_to_one_factor(correlation, shrinkage)
    make: Callable[..., CovarianceEstimate] = estimate_from
    if proven and float(volatility.max()) < ABSURD_VOLATILITY:
        make = CovarianceEstimate.proven
    return make(
        chosen.kept,
        volatility,
        shrunk,
        observed_bars=observed,
        effective_bars=effective_bars(observed, decay),
        excluded=chosen.excluded,
    )
