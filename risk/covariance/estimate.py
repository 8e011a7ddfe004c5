"""What every covariance estimator answers, and how a raw matrix becomes one that can be used."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.errors import EstimationError, MissingDataError
from risk.exclusion import Excluded, Selection, selection
from risk.returns import BARS_PER_DAY

EIGENVALUE_FLOOR = 1e-8
"""Smallest eigenvalue left in a correlation matrix; far above rounding, far below any risk."""

SYMMETRY_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class CovarianceEstimate:
    """Covariance of the daily log returns of N symbols, strictly positive definite, no NaN.

    Attributes:
        symbols: N unified symbols.
        covariance_daily: (N, N), symmetric, has a Cholesky factor.
        volatility_daily: (N,) standard deviations, above 0; the root of the diagonal.
        correlation: (N, N), unit diagonal.
        observed_bars: (N,) hourly returns that each symbol contributed.
        effective_bars: (N,) how many equally weighted bars carry the same information as the
            weighted ones, (Σw)²/Σw²; for standard errors.
        excluded: symbols that were asked for but have no usable variance, with reasons.

    The arrays are made read-only, so that one estimate can be shared by report, caps and hedge.

    Raises:
        EstimationError: shapes do not fit, a number is not finite, or the matrix is not symmetric
            positive definite.
    """

    symbols: tuple[str, ...]
    covariance_daily: FloatArray
    volatility_daily: FloatArray
    correlation: FloatArray
    observed_bars: FloatArray
    effective_bars: FloatArray
    excluded: tuple[Excluded, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.symbols)
        shapes = {
            "covariance_daily": (n, n),
            "correlation": (n, n),
            "volatility_daily": (n,),
            "observed_bars": (n,),
            "effective_bars": (n,),
        }
        for name, shape in shapes.items():
            # Copies, so that freezing them does not freeze the caller's own arrays.
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != shape:
                raise EstimationError(f"{name} has shape {array.shape}, must be {shape}")
            if not np.all(np.isfinite(array)):
                raise EstimationError(f"{name} holds a number that is not finite")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        _require_positive_definite(self.symbols, self.covariance_daily)

    @classmethod
    def proven(
        cls,
        symbols: tuple[str, ...],
        volatility_daily: FloatArray,
        correlation: FloatArray,
        *,
        observed_bars: FloatArray,
        effective_bars: FloatArray,
        excluded: tuple[Excluded, ...],
    ) -> "CovarianceEstimate":
        """An estimate without a check, from arrays that are nobody else's.

        Only for a correlation that is symmetric and above ``EIGENVALUE_FLOOR``, and volatilities
        above 0 and finite: whether a matrix has a Cholesky factor does not depend on how its rows
        and columns are scaled (Demmel 1989), so the covariance has one too.
        """
        estimate = object.__new__(cls)
        arrays = {
            "covariance_daily": correlation * (volatility_daily[:, None] * volatility_daily),
            "volatility_daily": volatility_daily,
            "correlation": correlation,
            "observed_bars": observed_bars,
            "effective_bars": effective_bars,
        }
        object.__setattr__(estimate, "symbols", symbols)
        object.__setattr__(estimate, "excluded", excluded)
        for name, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(estimate, name, array)
        return estimate

    def column(self, symbol: str) -> int:
        """Where a symbol stands in the arrays.

        Raises:
            MissingDataError: it is not in the estimate; the message gives the reason if known.
        """
        return self.columns((symbol,))[0]

    def columns(self, symbols: Sequence[str]) -> list[int]:
        """Where each of these stands in the arrays.

        Raises:
            MissingDataError: one is not in the estimate; the message gives the reason if known.
        """
        at = {symbol: i for i, symbol in enumerate(self.symbols)}
        for symbol in symbols:
            if symbol not in at:
                reasons = {item.symbol: item.reason for item in self.excluded}
                told = reasons.get(symbol, "it was not asked for")
                raise MissingDataError(f"{symbol} has no covariance estimate: {told}")
        return [at[symbol] for symbol in symbols]

    def subset(self, symbols: Sequence[str]) -> "CovarianceEstimate":
        """The estimate of ``symbols`` only, in their order; still positive definite.

        Raises:
            MissingDataError: a symbol that is not in the estimate.
        """
        if tuple(symbols) == self.symbols:
            return self
        keep = self.columns(symbols)
        square = np.ix_(keep, keep)
        return CovarianceEstimate(
            symbols=tuple(symbols),
            covariance_daily=self.covariance_daily[square],
            volatility_daily=self.volatility_daily[keep],
            correlation=self.correlation[square],
            observed_bars=self.observed_bars[keep],
            effective_bars=self.effective_bars[keep],
            excluded=tuple(item for item in self.excluded if item.symbol not in symbols),
        )


def estimate_from(
    symbols: Sequence[str],
    volatility_daily: FloatArray,
    correlation: FloatArray,
    *,
    observed_bars: FloatArray,
    effective_bars: FloatArray | None = None,
    excluded: tuple[Excluded, ...] = (),
) -> CovarianceEstimate:
    """An estimate from volatilities (N,) and correlations (N, N): Σ_ij = σ_i ρ_ij σ_j.

    Raises:
        EstimationError: as CovarianceEstimate.
    """
    return CovarianceEstimate(
        symbols=tuple(symbols),
        covariance_daily=correlation * np.outer(volatility_daily, volatility_daily),
        volatility_daily=volatility_daily,
        correlation=correlation,
        observed_bars=observed_bars,
        effective_bars=observed_bars if effective_bars is None else effective_bars,
        excluded=excluded,
    )


def eligible_history(estimate: CovarianceEstimate, min_days: float = 14.0) -> Selection:
    """Keep the symbols with at least ``min_days`` of hourly returns; only these may hedge.

    The exclusions of the estimate itself are handed on after those for short history.
    """
    short = [
        Excluded(symbol, f"only {bars / BARS_PER_DAY:.1f} days of history, needs {min_days:g}")
        for symbol, bars in zip(estimate.symbols, estimate.observed_bars.tolist(), strict=True)
        if bars < min_days * BARS_PER_DAY
    ]
    chosen = selection(estimate.symbols, short)
    return Selection(chosen.kept, chosen.excluded + estimate.excluded)


def shrink_to_constant_correlation(correlation: FloatArray, shrinkage: float) -> FloatArray:
    """(1 - s) R + s C, where C has the mean off-diagonal correlation everywhere, shape (N, N).

    The target is Ledoit and Wolf's constant correlation (2004); the intensity s in [0, 1] is
    given, not estimated. The diagonal stays 1.
    """
    n = len(correlation)
    if n < 2:
        return correlation.copy()
    shrunk = (1 - shrinkage) * correlation
    shrunk += shrinkage * _mean_of_pairs(correlation)
    np.fill_diagonal(shrunk, 1.0)
    return shrunk


def shrunk_and_sound(correlation: FloatArray, shrinkage: float) -> tuple[FloatArray, bool]:
    """``shrink_to_constant_correlation`` between two projections by ``nearest_by_clipping``.

    Where the correlation and the target are both above the floor, so is all that lies between
    them, and neither projection has anything to show; then the second value is True.
    """
    sound = nearest_by_clipping(correlation)
    shrunk = shrink_to_constant_correlation(sound, shrinkage)
    n = len(sound)
    if n < 2:
        return nearest_by_clipping(shrunk), False
    mean = _mean_of_pairs(sound)
    # The eigenvalues of constant correlation ρ are 1 - ρ and 1 + (n - 1) ρ.
    if sound is correlation and min(1 - mean, 1 + (n - 1) * mean) > 2 * EIGENVALUE_FLOOR:
        return shrunk, True
    return nearest_by_clipping(shrunk), False


def _mean_of_pairs(correlation: FloatArray) -> float:
    n = len(correlation)
    return float(correlation.sum() - np.trace(correlation)) / (n * (n - 1))


def nearest_by_clipping(correlation: FloatArray, floor: float = EIGENVALUE_FLOOR) -> FloatArray:
    """A correlation matrix whose eigenvalues are at least about ``floor``, shape (N, N).

    Eigenvalues below the floor are raised to it and the diagonal is scaled back to 1, so that
    volatilities stay as they were. A matrix that is already above the floor comes back unchanged.
    (Spectral projection, Rebonato and Jäckel 1999.)
    """
    if _above(correlation, floor):
        return correlation
    values, vectors = np.linalg.eigh(correlation)
    if values[0] >= floor:
        return correlation
    # Scaling the diagonal back divides the floor by at most the largest raised diagonal entry,
    # so the matrix stays positive definite.
    raised = (vectors * np.maximum(values, floor)) @ vectors.T
    scale = 1.0 / np.sqrt(np.diag(raised))
    projected: FloatArray = raised * np.outer(scale, scale)
    projected = (projected + projected.T) / 2
    np.fill_diagonal(projected, 1.0)
    return projected


def _above(matrix: FloatArray, floor: float) -> bool:
    """Every eigenvalue is above ``floor``, shown by a Cholesky factor of what is left of it.

    A tenth of the work of the eigenvalues, and nearly every estimate passes.
    """
    try:
        lowered = matrix.copy()
        lowered.flat[:: len(matrix) + 1] -= floor
        np.linalg.cholesky(lowered)
    except np.linalg.LinAlgError:
        return False
    return True


def _require_positive_definite(symbols: tuple[str, ...], matrix: FloatArray) -> None:
    if not len(symbols):
        return
    diagonal = np.diag(matrix)
    if not np.all(diagonal > 0):
        flat = symbols[int(np.argmin(diagonal))]
        raise EstimationError(f"{flat}: variance {diagonal.min():g}, must be above 0")
    if np.abs(matrix - matrix.T).max() > SYMMETRY_TOLERANCE * diagonal.max():
        raise EstimationError("covariance is not symmetric")
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise EstimationError("covariance is not positive definite") from None
