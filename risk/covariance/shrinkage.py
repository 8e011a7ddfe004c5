"""Covariances shrunk towards a simple target by an intensity that the data itself gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.sample import over_last, require_window, window_bars
from risk.covariance.usable import (
    MIN_BARS,
    columns_of,
    filled_with_mean,
    require_returns,
    sound_estimate,
    usable_symbols,
)
from risk.covariance.window import ReturnWindow, pair_moments
from risk.returns import BARS_PER_DAY


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A covariance (1 - δ) S + δ F.

    Attributes:
        covariance: (N, N), in the squared units of the returns given.
        intensity: δ, between 0 (the sample) and 1 (the target).
    """

    covariance: FloatArray
    intensity: float


Shrink = Callable[[FloatArray], Shrunk]
"""From (T, N) returns around zero, NaN where missing, every column with some variance."""


def ledoit_wolf(returns: FloatArray) -> Shrunk:
    """Shrinkage to constant correlation with the intensity of Ledoit and Wolf.

    With S the sample covariance around zero, r_ij its correlations and r̄ their mean, the target
    has f_ii = s_ii and f_ij = r̄ √(s_ii s_jj). In the paper's letters

        π_ij = mean_t (x_i x_j - s_ij)²        θ_ii,ij = mean_t (x_i² - s_ii)(x_i x_j - s_ij)
        ρ_ii = π_ii      ρ_ij = r̄/2 (√(s_jj/s_ii) θ_ii,ij + √(s_ii/s_jj) θ_jj,ij) for i ≠ j
        δ = max(0, min(1, Σ_ij (π_ij - ρ_ij)/T / Σ_ij (f_ij - s_ij)²))

    With gaps every mean is over the bars that the pair shares and T is the number that belongs to
    each term, T_ij for π_ij and T_ii for θ_ii,ij, which leaves the paper's formula unchanged on
    complete data. A pair that never met has the target's covariance. Where sample and target are
    the same, as for two tokens, δ is 0. (Ledoit, Wolf 2004, Honey, I Shrunk the Sample Covariance
    Matrix, appendix B, there around the mean.)

    Args:
        returns: (T, N), NaN where missing, every column with some variance.
    """
    moments = pair_moments(returns)
    sample, count = moments.covariance(), moments.count
    scale = np.sqrt(np.diag(sample))
    outer = np.outer(scale, scale)
    mean_correlation = _mean_off_diagonal(filled_with_mean(sample / outer))
    target = mean_correlation * outer
    np.fill_diagonal(target, np.diag(sample))
    known = count > 0
    sample = np.where(known, sample, target)

    there, filled = ~np.isnan(returns), np.nan_to_num(returns)
    n = np.maximum(count, 1.0)
    squares = filled**2
    pi = np.where(known, (squares.T @ squares / n - sample**2) / n, 0.0)
    third = (filled**3).T @ filled / n
    theta = np.where(known, third - sample * (squares.T @ there / n), 0.0)
    theta /= np.diag(n)[:, None]
    cross = theta * (scale[None, :] / scale[:, None])
    rho = mean_correlation / 2 * (cross + cross.T)
    np.fill_diagonal(rho, np.diag(pi))
    return _shrunk(sample, target, float((pi - rho).sum()))


def ledoit_wolf_identity(returns: FloatArray) -> Shrunk:
    """Shrinkage to a multiple of the identity with the intensity of Ledoit and Wolf.

    With S the sample covariance around zero, μ = tr(S)/N and the target μ I,

        δ = max(0, min(1, Σ_ij π_ij/T / ‖S - μ I‖²))        π_ij = mean_t (x_i x_j - s_ij)²

    with the pairs' own T where there are gaps. Volatilities move towards each other, so it suits
    tokens of like volatility. (Ledoit, Wolf 2004, A well-conditioned estimator for
    large-dimensional covariance matrices, section 3.)

    Args:
        returns: (T, N), NaN where missing.
    """
    moments = pair_moments(returns)
    known, n = moments.count > 0, np.maximum(moments.count, 1.0)
    sample = _without_unknown(moments.covariance())
    squares = np.nan_to_num(returns) ** 2
    pi = np.where(known, (squares.T @ squares / n - sample**2) / n, 0.0)
    target = np.trace(sample) / len(sample) * np.eye(len(sample))
    return _shrunk(sample, target, float(pi.sum()))


def oas(returns: FloatArray) -> Shrunk:
    """Oracle approximating shrinkage to a multiple of the identity.

    With S the sample covariance around zero of n bars and p tokens, and the target tr(S)/p I,

        δ = min(1, ((1 - 2/p) tr(S²) + tr(S)²) / ((n + 1 - 2/p) (tr(S²) - tr(S)²/p)))

    which is best for Gaussian returns. With gaps n is the harmonic mean of the pairs' own numbers
    of bars, since the error of a covariance goes with 1/n. One token is its own target: δ = 1.
    (Chen, Wiesel, Eldar, Hero 2010, Shrinkage algorithms for MMSE covariance estimation,
    equation 23.)

    Args:
        returns: (T, N), NaN where missing.
    """
    moments = pair_moments(returns)
    sample = _without_unknown(moments.covariance())
    p = len(sample)
    n = 1.0 / np.mean(1.0 / moments.count[moments.count > 0])
    trace, trace_of_square = np.trace(sample), float((sample**2).sum())
    above = (1 - 2 / p) * trace_of_square + trace**2
    below = (n + 1 - 2 / p) * (trace_of_square - trace**2 / p)
    intensity = 1.0 if below <= 0 else float(min(1.0, above / below))
    target = trace / p * np.eye(p)
    return Shrunk((1 - intensity) * sample + intensity * target, intensity)


class ShrunkCovariance:
    """A shrunk covariance of the last W hourly bars.

    The bars are kept, O(N) each; the matrix is computed when it is asked for, O(W N²). Symbols
    with too few returns in the window or without variance are taken out before shrinking, so that
    they do not pull the others. Window and counts as RollingCovariance.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        shrink: Shrink = ledoit_wolf,
        window_days: float = 30.0,
        min_bars: int = MIN_BARS,
    ) -> None:
        """Start empty.

        Args:
            symbols: N distinct symbols.
            shrink: ``ledoit_wolf``, ``ledoit_wolf_identity`` or ``oas``.
            window_days: length of the window, at least two hours.
            min_bars: a symbol with fewer returns in the window is excluded, at least 2.

        Raises:
            EstimationError: an argument outside its range.
        """
        require_window(symbols, window_days, min_bars)
        self._symbols = tuple(symbols)
        self._shrink = shrink
        self._window_days = window_days
        self._min_bars = min_bars
        self._window = ReturnWindow(len(symbols), window_bars(window_days))

    @property
    def symbols(self) -> tuple[str, ...]:
        """The N symbols, in the order of the returns."""
        return self._symbols

    def update(self, log_return: FloatArray) -> None:
        """Take in one bar: (N,) log returns, NaN where a symbol has none.

        Raises:
            DataError: the shape does not fit or a return is infinite; nothing is taken in then.
        """
        self._window.push(require_returns(log_return, self._symbols, bars=None))

    def estimate(self, symbols: Sequence[str] | None = None) -> CovarianceEstimate:
        """The estimate over the window, of the symbols that have one; the rest is excluded.

        Args:
            symbols: only these, in their order; all by default. The others have no part in the
                target then.

        Raises:
            MissingDataError: a symbol that was never asked for.
            EstimationError: no symbol has a usable variance.
        """
        chosen = self._symbols if symbols is None else tuple(symbols)
        keep = columns_of(chosen, self._symbols)
        return _finish(
            chosen,
            self._window.rows()[:, keep],
            self._window.observed_bars[keep],
            self._shrink,
            window_days=self._window_days,
            min_bars=self._min_bars,
        )


def shrunk_covariance(
    log_returns: FloatArray,
    symbols: Sequence[str],
    shrink: Shrink = ledoit_wolf,
    window_days: float = 30.0,
    min_bars: int = MIN_BARS,
) -> CovarianceEstimate:
    """The estimate of ShrunkCovariance after (T, N) returns.

    Args:
        log_returns: (T, N) hourly log returns, oldest first, NaN where missing.
        symbols, shrink, window_days, min_bars: as ShrunkCovariance.

    Raises:
        DataError: the shape does not fit or a return is infinite.
        EstimationError: an argument outside its range, or no symbol has a usable variance.
    """
    require_window(symbols, window_days, min_bars)
    returns = require_returns(log_returns, symbols, bars=-1)
    observed = (~np.isnan(returns)).sum(axis=0).astype(np.float64)
    rows = returns[-window_bars(window_days) :]
    return _finish(
        tuple(symbols), rows, observed, shrink, window_days=window_days, min_bars=min_bars
    )


def _finish(
    symbols: tuple[str, ...],
    rows: FloatArray,
    observed: FloatArray,
    shrink: Shrink,
    *,
    window_days: float,
    min_bars: int,
) -> CovarianceEstimate:
    in_window = (~np.isnan(rows)).sum(axis=0).astype(np.float64)
    variance = (np.nan_to_num(rows) ** 2).sum(axis=0) / np.maximum(in_window, 1.0)
    volatility = np.sqrt(BARS_PER_DAY * variance)
    chosen = usable_symbols(symbols, volatility, in_window, min_bars, over_last(window_days))
    keep = [symbols.index(symbol) for symbol in chosen.kept]
    return sound_estimate(
        chosen,
        BARS_PER_DAY * shrink(rows[:, keep]).covariance,
        observed_bars=observed[keep],
        effective_bars=in_window[keep],
    )


def _shrunk(sample: FloatArray, target: FloatArray, error: float) -> Shrunk:
    """δ = error / ‖F - S‖², where ``error`` is what the target spares; within 0 and 1."""
    distance = float(((target - sample) ** 2).sum())
    # Equal up to rounding: nothing to shrink, and no division of noise by noise.
    if distance <= 1e-24 * float((sample**2).sum()):
        return Shrunk(sample, 0.0)
    intensity = min(1.0, max(0.0, error / distance))
    return Shrunk((1 - intensity) * sample + intensity * target, intensity)


def _mean_off_diagonal(matrix: FloatArray) -> float:
    n = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (n * (n - 1))) if n > 1 else 0.0


def _without_unknown(covariance: FloatArray) -> FloatArray:
    """Pairs that never met get the covariance of the mean correlation."""
    scale = np.sqrt(np.diag(covariance))
    outer = np.outer(scale, scale)
    filled: FloatArray = np.where(
        np.isnan(covariance), filled_with_mean(covariance / outer) * outer, covariance
    )
    return filled
