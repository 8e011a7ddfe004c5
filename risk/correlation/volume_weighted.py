"""Correlation that listens to busy hours, and where it disagrees with the plain one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.correlation.rolling import CONSTANT, pair_indices, unpacked
from risk.errors import DataError, EstimationError

CHUNK_VALUES = 1 << 20


@dataclass(frozen=True, slots=True)
class VolumeWeighted:
    """Volume-weighted correlation of N symbols beside the plain one, all arrays (N, N).

    Attributes:
        symbols: N symbols.
        correlation: weighted; NaN where unknown, diagonal 1.
        plain: over the same bars, equally weighted.
        standard_error: of the weighted one; 0 on the diagonal, NaN where unknown.
        effective_bars: (Σw)²/Σw², how many equal weights tell as much; NaN on the diagonal.
        disagrees: True where the two differ by more than the standard error.
    """

    symbols: tuple[str, ...]
    correlation: FloatArray
    plain: FloatArray
    standard_error: FloatArray
    effective_bars: FloatArray
    disagrees: NDArray[np.bool_]


def volume_weighted_correlation(
    log_returns: FloatArray,
    quote_volume_usd: FloatArray,
    symbols: tuple[str, ...],
    min_observations: int = 24,
) -> VolumeWeighted:
    """Pearson's correlation with bars weighted by the thinner of the two tokens' volumes.

    With v̄_i the average volume of token i over the bars it has, and sums over the bars in which
    both returns and both volumes are there,

        w_t = min(v_it / v̄_i, v_jt / v̄_j)        m_i = Σ w r_i / Σ w
        ρ_w = Σ w (r_i - m_i)(r_j - m_j) / √(Σ w (r_i - m_i)² Σ w (r_j - m_j)²)

    Thin books inflate correlation (one quote follows another) or break it (stale prices); hours
    in which both trade are what can be traded on. With u and v the deviations in units of their
    weighted standard deviations, w summing to 1 and n = 1/Σw² effective bars (Kish 1965),

        s² = n / (n - 3) · Σ w² ψ²        ψ = u v - ρ_w (u² + v²) / 2

    is the squared standard error of ρ_w: ψ is how far one bar moves the correlation (its influence
    function, Devlin, Gnanadesikan, Kettenring 1975), so that fat tails, and busy hours that are
    volatile ones, count. Normal theory, (1 - ρ²)/√(n - 3), is half as large in crypto's hours
    (measured). On Fisher's scale, where an error hardly depends on ρ, the two disagree where
    |atanh ρ_w - atanh ρ| > s / (1 - ρ_w²). The flag asks for a look and proves nothing.

    Args:
        log_returns: (T, N) of the window, NaN where missing.
        quote_volume_usd: (T, N) of the same bars, at least 0, NaN where missing.
        symbols: N symbols.
        min_observations: fewer bars in which both are there and trade give NaN; at least 2.

    Raises:
        DataError: shapes do not fit, an infinite return, or a volume that is negative or infinite.
        EstimationError: ``min_observations`` is below 2.
    """
    returns, volumes = _checked(log_returns, quote_volume_usd, symbols)
    if min_observations < 2:
        raise EstimationError(f"min_observations is {min_observations}, must be at least 2")
    n = len(symbols)
    known = ~np.isnan(volumes)
    mean_volume = np.where(known, volumes, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    share = volumes / np.where(mean_volume > 0, mean_volume, np.nan)
    one, other = pair_indices(n)
    packed = np.full((4, len(one)), np.nan)
    step = max(1, CHUNK_VALUES // max(len(returns), 1))
    for at in range(0, len(one), step):
        i, j = one[at : at + step], other[at : at + step]
        packed[:, at : at + step] = _pairs(
            returns[:, i], returns[:, j], np.minimum(share[:, i], share[:, j]), min_observations
        )
    weighted, plain, error, _ = packed
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(np.arctanh(weighted) - np.arctanh(plain)) > error / (1 - weighted**2)
    matrices = unpacked(packed, n)
    diagonal = np.arange(n)
    matrices[2, diagonal, diagonal] = 0.0
    matrices[3, diagonal, diagonal] = np.nan
    flagged = unpacked(apart.astype(np.float64), n) > 0
    flagged[diagonal, diagonal] = False
    return VolumeWeighted(
        symbols=symbols,
        correlation=matrices[0],
        plain=matrices[1],
        standard_error=matrices[2],
        effective_bars=matrices[3],
        disagrees=flagged,
    )


def _pairs(x: FloatArray, y: FloatArray, weight: FloatArray, least: int) -> FloatArray:
    """Weighted and plain correlation, standard error and effective bars of (T, P) pairs, (4, P)."""
    there = ~(np.isnan(x) | np.isnan(y) | np.isnan(weight))
    x, y, weight = (np.where(there, array, 0.0) for array in (x, y, weight))
    enough = ((weight > 0).sum(axis=0) >= least) & (there.sum(axis=0) >= least)
    total, square = weight.sum(axis=0), (weight**2).sum(axis=0)
    total, square = np.where(enough, total, np.nan), np.where(enough, square, np.nan)
    effective = total**2 / square
    plain, _ = _pearson(x, y, there / np.where(enough, there.sum(axis=0), np.nan))
    weighted, influence = _pearson(x, y, weight / total)
    degrees = np.where(effective > 3, effective - 3, np.nan)
    error = np.sqrt(effective / degrees * ((weight / total * influence) ** 2).sum(axis=0))
    return np.stack([weighted, plain, error, effective])


def _pearson(x: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(P,) correlations of (T, P) columns with weights that sum to 1, and the bars' influence ψ.

    NaN for a constant.
    """
    deviation_x = x - (weight * x).sum(axis=0)
    deviation_y = y - (weight * y).sum(axis=0)
    deviation_x /= np.sqrt(_variance(x, deviation_x, weight))
    deviation_y /= np.sqrt(_variance(y, deviation_y, weight))
    product = deviation_x * deviation_y
    correlation: FloatArray = np.clip((weight * product).sum(axis=0), -1.0, 1.0)
    influence: FloatArray = product - correlation / 2 * (deviation_x**2 + deviation_y**2)
    return correlation, influence


def _variance(values: FloatArray, deviation: FloatArray, weight: FloatArray) -> FloatArray:
    variance = (weight * deviation**2).sum(axis=0)
    moved = variance > CONSTANT * (weight * values**2).sum(axis=0)
    return np.where(moved, variance, np.nan)


def _checked(
    log_returns: FloatArray, quote_volume_usd: FloatArray, symbols: tuple[str, ...]
) -> tuple[FloatArray, FloatArray]:
    returns = np.asarray(log_returns, dtype=np.float64)
    volumes = np.asarray(quote_volume_usd, dtype=np.float64)
    if returns.ndim != 2 or returns.shape[1] != len(symbols) or volumes.shape != returns.shape:
        raise DataError(
            f"returns {returns.shape} and volumes {volumes.shape} must be (bars, {len(symbols)})"
        )
    for what, bad in (
        ("a return is infinite", np.isinf(returns)),
        ("a volume is negative or infinite", (volumes < 0) | np.isinf(volumes)),
    ):
        if bad.any():
            column = int(np.argwhere(bad)[0][1])
            raise DataError(f"{symbols[column]}: {what}; NaN means missing")
    return returns, volumes
