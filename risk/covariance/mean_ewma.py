"""Covariance of returns as the mean of exponentially weighted covariances, streaming and batch."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.covariance.estimate import (
    CovarianceEstimate,
    estimate_from,
    shrunk_and_sound,
)
from risk.covariance.shared import SharedVariances, with_own_variances
from risk.covariance.usable import (
    MIN_BARS,
    columns_of,
    filled_with_mean,
    require_returns,
    usable_symbols,
)
from risk.covariance.weights import effective_bars, ewma_decay, pair_weights
from risk.errors import EstimationError
from risk.returns import BARS_PER_DAY

__all__ = [
    "HALF_LIVES_DAYS",
    "SHRINKAGE",
    "CovarianceEstimate",
    "CovarianceEstimator",
    "MeanEwmaCovariance",
    "mean_ewma_covariance",
]

HALF_LIVES_DAYS = (4.0, 15.0, 60.0)
SHRINKAGE = 0.2
ABSURD_VOLATILITY = 1e100  # its square would no longer be a number


class CovarianceEstimator(Protocol):
    """Anything that turns hourly log returns, bar by bar, into a CovarianceEstimate."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The N symbols, in the order of the returns."""
        ...

    def update(self, log_return: FloatArray) -> None:
        """Take in one bar: (N,) log returns, NaN where a symbol has none."""
        ...

    def estimate(self, symbols: Sequence[str] | None = None) -> CovarianceEstimate:
        """The estimate from all bars so far, of ``symbols`` as if there were no others, or of all.

        Raises:
            MissingDataError: a symbol that was never asked for.
            EstimationError: no symbol has a usable variance.
        """
        ...


class MeanEwmaCovariance:
    """Mean of EWMA covariances with several half-lives, O(N²) a bar, not mean-removed.

    For each half-life k with b_k = 2^(-1/(24·H_k)), at every bar where both i and j have a return:

        S_k,ij ← b_k S_k,ij + (1 - b_k) r_i r_j        W_k,ij ← b_k W_k,ij + (1 - b_k)
        A_ij = 24 · mean_k S_k,ij / W_k,ij

    Without gaps W_k = 1 - b_k^t, the usual start-up correction. A pair is left as it was where one
    of the two is missing, so a gap neither decays it nor counts as a zero return. A pair thus rests
    on the bars both have, which only tell how the two correlate: its covariance is that correlation
    with each token's own volatility, from all its bars (``SharedVariances``),

        Σ_ii = A_ii        Σ_ij = A_ij / √(V_ij V_ji) · √(A_ii A_jj)

    where V_ij is i's variance over the bars shared with j, and A_ii where those are all its bars.
    Otherwise a token listed in wild days would seem to correlate with its peers by as much more as
    they were calmer before. A pair that shares fewer than ``min_bars`` counts as never met.

    Then the correlation is projected to positive definite (pairs with different histories may
    contradict each other) and shrunk towards constant correlation; volatilities are untouched.

    (Mean of half-lives after Johansson, Ogut, Pelger, Schmelzer, Boyd 2023, with equal weights;
    target of the shrinkage Ledoit, Wolf 2004.)
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
            shrinkage: weight of constant correlation, 0 to 1.
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
        both: NDArray[np.bool_] | float = 1.0
        decay = self._decay
        if not there.all():
            both = np.outer(there, there)
            decay = np.where(both, self._decay, 1.0)
            self._shared.begin(self._sum, self._observed)
        self._shared.update(filled, both, decay, 1 - self._decay)
        self._sum *= decay
        self._sum += (1 - self._decay) * np.outer(filled, filled)
        self._weight *= decay
        self._weight += (1 - self._decay) * both
        self._observed += there

    def estimate(self, symbols: Sequence[str] | None = None) -> CovarianceEstimate:
        """The estimate from all bars so far; symbols that have none are excluded, with reasons.

        Args:
            symbols: only these, in their order; all by default. The mean correlation that the
                others are shrunk towards is then that of these alone.

        Raises:
            MissingDataError: a symbol that was never asked for.
            EstimationError: no symbol has a usable variance.
        """
        chosen = self._symbols if symbols is None else tuple(symbols)
        total, weight, observed = self._sum, self._weight, self._observed
        shared, bars = self._shared.sums, self._shared.bars
        if chosen != self._symbols:
            keep = columns_of(chosen, self._symbols)
            square = np.ix_(range(len(total)), keep, keep)
            total, weight, observed = total[square], weight[square], observed[keep]
            if shared is not None:
                shared, bars = shared[square], bars[np.ix_(keep, keep)]
        covariance = _mean_of(total, weight)
        if shared is not None:
            variance = _mean_of(shared, weight)
            covariance = with_own_variances(covariance, variance, bars >= self._min_bars)
        return _finish(
            chosen,
            covariance,
            observed.copy(),
            decay=self._decay.ravel(),
            shrinkage=self._shrinkage,
            min_bars=self._min_bars,
        )


def mean_ewma_covariance(
    log_returns: FloatArray,
    symbols: Sequence[str],
    half_lives_days: Sequence[float] = HALF_LIVES_DAYS,
    shrinkage: float = SHRINKAGE,
    min_bars: int = MIN_BARS,
) -> CovarianceEstimate:
    """The estimate of MeanEwmaCovariance over (T, N) returns at once, by explicit weights.

    The weight of bar t in the pair (i, j) is (1 - b)·b^a, where a is the number of later bars in
    which both have a return. Symbols with the same gaps share their weights, so complete data
    takes one matrix product for each half-life.

    Args:
        log_returns: (T, N) hourly log returns, oldest first, NaN where missing.
        symbols, half_lives_days, shrinkage, min_bars: as MeanEwmaCovariance.

    Raises:
        DataError: the shape does not fit or a return is infinite.
        EstimationError: an argument outside its range, or no symbol has a usable variance.
    """
    decay = ewma_decay(half_lives_days)
    require_settings(symbols, shrinkage, min_bars)
    returns = require_returns(log_returns, symbols, bars=-1)
    there = ~np.isnan(returns)
    filled = np.where(there, returns, 0.0)
    covariance = np.full((len(symbols), len(symbols)), np.nan)
    shared = covariance.copy()
    for one, other, age_weight in pair_weights(there, decay):
        weights = (age_weight / age_weight.sum(axis=1, keepdims=True)).mean(axis=0)
        block = (filled[:, one].T * weights) @ filled[:, other]
        covariance[np.ix_(one, other)] = BARS_PER_DAY * block
        covariance[np.ix_(other, one)] = BARS_PER_DAY * block.T
        for here, there_too in ((one, other), (other, one)):
            variance = BARS_PER_DAY * (weights @ filled[:, here] ** 2)
            shared[np.ix_(here, there_too)] = variance[:, None]
    if not there.all():
        met = there.astype(np.float64).T @ there >= min_bars
        covariance = with_own_variances(covariance, shared, met)
    observed = there.sum(axis=0).astype(np.float64)
    return _finish(
        tuple(symbols), covariance, observed, decay=decay, shrinkage=shrinkage, min_bars=min_bars
    )


def _mean_of(total: FloatArray, weight: FloatArray) -> FloatArray:
    """Of a day, (N, N), over the K half-lives; NaN where a pair never met."""
    known = weight[0] > 0
    if known.all():
        mean: FloatArray = (total / weight).sum(axis=0)
    else:
        parts = np.divide(total, weight, out=np.zeros_like(weight), where=known)
        mean = np.where(known, parts.sum(axis=0), np.nan)
    mean *= BARS_PER_DAY / len(weight)
    return mean


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
    scale, bars = volatility, observed
    if chosen.kept != symbols:
        column = {symbol: i for i, symbol in enumerate(symbols)}
        keep = [column[symbol] for symbol in chosen.kept]
        covariance, scale, bars = covariance[np.ix_(keep, keep)], volatility[keep], observed[keep]
    correlation = filled_with_mean(covariance / (scale[:, None] * scale))
    correlation, proven = shrunk_and_sound(correlation, shrinkage)
    effective = effective_bars(bars, decay)
    make: Callable[..., CovarianceEstimate] = estimate_from
    if proven and float(scale.max()) < ABSURD_VOLATILITY:
        make = CovarianceEstimate.proven
    return make(
        chosen.kept,
        scale,
        correlation,
        observed_bars=bars,
        effective_bars=effective,
        excluded=chosen.excluded,
    )


def require_settings(symbols: Sequence[str], shrinkage: float, min_bars: int) -> None:
    """Check the settings that all means of EWMA share.

    Raises:
        EstimationError: symbols that repeat, a shrinkage outside 0 to 1, ``min_bars`` below 1.
    """
    if len(set(symbols)) != len(symbols):
        raise EstimationError("symbols must be distinct")
    if not 0 <= shrinkage <= 1:
        raise EstimationError(f"shrinkage is {shrinkage}, must be between 0 and 1")
    if min_bars < 1:
        raise EstimationError(f"min_bars is {min_bars}, must be at least 1")
