"""Covariance with contracts of one token on several exchanges: the token's own risk, and the basis.

Two exchanges' contracts of a token move together but for the basis b = r_far − r_home, whose
variance is a thousandth of the token's. An estimator that draws every correlation towards a mean
would put that correlation of .999 at .9, and so make the basis some fifty times as wide as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from risk.book import FloatArray
from risk.covariance.estimate import EIGENVALUE_FLOOR, CovarianceEstimate
from risk.covariance.mean_ewma import CovarianceEstimator, MeanEwmaCovariance
from risk.covariance.usable import MIN_BARS, require_returns
from risk.errors import EstimationError, MissingDataError
from risk.exclusion import Excluded

BASIS_SHRINKAGE = 0.2
"""How far correlations of bases are drawn towards none."""
LEAST_BASIS_DAILY = 1e-4
"""A basis that hardly moved is taken to move by 1 bp a day all the same, a tick or two."""
_SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
FEWEST_BARS = 7 * 24
"""So many returns of both in common, or the far contract stands for itself."""


class BasisCovariance:
    """Any estimator of the home contracts, and far ones as home contract plus basis.

    With h the home contract of j, returns r and bases b_j = r_j − r_h(j), the N returns are A u of
    the coordinates u = (r_home, b), where A is unit triangular. In these coordinates

        Ω = [ H        (1−s)·K ]      H by the inner estimator, of home contracts alone,
            [ (1−s)·Kᵀ   B     ]      K, B by means of EWMA, with correlations in B times (1−s),

    s = ``BASIS_SHRINKAGE``: a convex mix of what was seen and of bases that go with nothing. Where
    H and K contradict each other, K shrinks further, and Σ = A Ω Aᵀ. Home contracts thus keep
    exactly the numbers that they have without far ones, and Var(r_j − r_h(j)) is the variance of
    the basis as it was seen, at least ``LEAST_BASIS_DAILY``². (Change of coordinates before
    shrinkage, after Ledoit and Wolf 2004 that the target should be what is believed beforehand.)
    """

    def __init__(
        self,
        symbols: Sequence[str],
        home_of: Mapping[str, str],
        make: Callable[[Sequence[str]], CovarianceEstimator],
    ) -> None:
        """Start empty.

        Args:
            symbols: N distinct symbols.
            home_of: by far contract, the home contract of the same token; both in ``symbols``.
            make: a new estimator of these symbols.

        Raises:
            EstimationError: a pair is not of two symbols, or its home contract is itself far.
        """
        for far, home in home_of.items():
            if far not in symbols or home not in symbols or home in home_of:
                raise EstimationError(f"{far}: {home} is no home contract of it")
        self._symbols = tuple(symbols)
        self._home_of = dict(home_of)
        self._home = tuple(s for s in symbols if s not in home_of)
        self._far = tuple(s for s in symbols if s in home_of)
        index = {symbol: i for i, symbol in enumerate(symbols)}
        self._at_home = np.array([index[s] for s in self._home], dtype=np.int64)
        self._at_far = np.array([index[s] for s in self._far], dtype=np.int64)
        self._of_far = np.array([index[self._home_of[s]] for s in self._far], dtype=np.int64)
        self._common = np.zeros(len(self._far))
        self._inner = make(self._home)
        self._both = MeanEwmaCovariance((*self._home, *self._far), shrinkage=0.0)

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
        basis = returns[self._at_far] - returns[self._of_far]
        self._common += ~np.isnan(basis)
        self._inner.update(returns[self._at_home])
        self._both.update(np.concatenate([returns[self._at_home], basis]))

    def estimate(self, symbols: Sequence[str] | None = None) -> CovarianceEstimate:
        """The estimate from all bars so far, of ``symbols`` or of all.

        A far contract brings its home contract into the estimate that the others are drawn
        towards, as it would itself.

        Raises:
            MissingDataError: a symbol that was never asked for.
            EstimationError: no symbol has a usable variance.
        """
        chosen = self._symbols if symbols is None else tuple(symbols)
        unknown = [s for s in chosen if s not in self._symbols]
        if unknown:
            raise MissingDataError(f"{unknown[0]}: no covariance was asked for")
        far = [s for s in chosen if s in self._home_of]
        if not far:
            return self._inner.estimate(chosen)
        homes = dict.fromkeys(s for c in chosen for s in (self._home_of.get(c, c),))
        inner = self._inner.estimate(tuple(homes))
        common = dict(zip(self._far, self._common.tolist(), strict=True))
        lost = {s: self._why_not(s, inner, common[s]) for s in far}
        known = [s for s in far if lost[s] is None]
        whole = self._joined(inner, known) if known else inner
        kept = tuple(s for s in chosen if s in whole.symbols)
        excluded = tuple(Excluded(s, why) for s, why in lost.items() if why is not None)
        found = whole if kept == whole.symbols else whole.subset(kept)
        return replace(found, excluded=(*found.excluded, *excluded)) if excluded else found

    def _why_not(self, far: str, inner: CovarianceEstimate, bars: float) -> str | None:
        home = self._home_of[far]
        if home not in inner.symbols:
            return f"{home}, the same token, has no estimate"
        if bars < MIN_BARS:
            return f"only {bars:.0f} hourly returns in common with {home}, needs {MIN_BARS}"
        return None

    def _joined(self, inner: CovarianceEstimate, far: Sequence[str]) -> CovarianceEstimate:
        """Of the inner estimate's symbols and these, in this order."""
        n, m = len(inner.symbols), len(far)
        correlation, basis = self._coordinates(inner, far)
        scale = np.concatenate([inner.volatility_daily, basis])
        homes = np.array([inner.symbols.index(self._home_of[s]) for s in far], dtype=np.int64)
        spread = np.eye(n + m)
        spread[np.arange(n, n + m), homes] = 1.0
        covariance = spread @ (correlation * np.outer(scale, scale)) @ spread.T
        covariance = (covariance + covariance.T) / 2
        covariance[:n, :n] = inner.covariance_daily
        volatility = np.sqrt(np.diag(covariance))
        volatility[:n] = inner.volatility_daily
        whole = np.clip(covariance / np.outer(volatility, volatility), -1.0, 1.0)
        whole[:n, :n] = inner.correlation
        np.fill_diagonal(whole, 1.0)
        return CovarianceEstimate(
            symbols=(*inner.symbols, *far),
            covariance_daily=covariance,
            volatility_daily=volatility,
            correlation=whole,
            observed_bars=np.concatenate([inner.observed_bars, inner.observed_bars[homes]]),
            effective_bars=np.concatenate([inner.effective_bars, inner.effective_bars[homes]]),
            excluded=inner.excluded,
        )

    def _coordinates(
        self, inner: CovarianceEstimate, far: Sequence[str]
    ) -> tuple[FloatArray, FloatArray]:
        """Correlations (n + m, n + m) of home contracts and bases, and (m,) volatilities of these.

        A basis that never moved goes with nothing.
        """
        n = len(inner.symbols)
        names = (*inner.symbols, *far)
        seen = self._both.estimate(names)
        at = [seen.symbols.index(s) if s in seen.symbols else -1 for s in names]
        there = np.array(at) >= 0
        mixed = (1 - BASIS_SHRINKAGE) * seen.correlation[np.ix_(np.array(at), np.array(at))]
        mixed[~there] = mixed[:, ~there] = 0.0
        mixed[:n, :n] = inner.correlation
        np.fill_diagonal(mixed, 1.0)
        moved = np.where(there[n:], seen.volatility_daily[np.array(at)[n:]], 0.0)
        return _sound(mixed, n), np.maximum(moved, LEAST_BASIS_DAILY)


def _sound(mixed: FloatArray, n: int) -> FloatArray:
    """Positive definite by taking as much as needed from what the two blocks have in common.

    Each block is so by itself: that of the home contracts stays as it is.
    """
    for share in _SHARES:
        correlation = mixed.copy()
        correlation[:n, n:] *= share
        correlation[n:, :n] *= share
        lowered = correlation - EIGENVALUE_FLOOR / 2 * np.eye(len(mixed))
        try:
            np.linalg.cholesky(lowered)
        except np.linalg.LinAlgError:
            continue
        return correlation
    return correlation
