"""How many independent bets a book makes: minimum-torsion factors and their share of the risk."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from risk.book import FloatArray
from risk.covariance.estimate import EIGENVALUE_FLOOR
from risk.errors import DataError, EstimationError

TOLERANCE = 1e-8
"""Relative change of the distance to the tokens at which the paper's iteration stops."""

MAX_ITERATIONS = 1000
_NO_RISK = 1e-12
"""Below this part of Σv² the variance that is left is rounding: nothing is there to be divided."""


@dataclass(frozen=True, slots=True)
class Torsion:
    """Uncorrelated factors made of N tokens.

    Attributes:
        matrix: (N, N) t; the factors are z = t r with r the tokens' returns, and t Σ tᵀ is
            diagonal. A position x holds (tᵀ)⁻¹ x of the factors.
        risk_rotation: (N, N) Q; (Q v)_i² with v_i = x_i σ_i is the variance that comes from
            factor i. It needs no inverse, so it is exact for a nearly singular covariance too.
        volatility: (N,) standard deviations of the tokens, the root of the diagonal of Σ.
        iterations: steps until the tolerance was met; 0 for principal components.
        converged: the tolerance was met. Otherwise the factors are uncorrelated all the same,
            only not quite the closest ones to the tokens.
    """

    matrix: FloatArray
    risk_rotation: FloatArray
    volatility: FloatArray
    iterations: int
    converged: bool


@dataclass(frozen=True, slots=True)
class EffectiveBets:
    """How the risk of one book spreads over uncorrelated factors.

    Attributes:
        shares: (N,) diversification distribution q: part of the variance that comes from each
            factor, at least 0, sums to 1; with minimum torsion, factor i is the one closest to
            token i.
        number: exp(-Σ q ln q), from 1 (one bet) to N (equal bets).
    """

    shares: FloatArray
    number: float


def torsion(covariance: FloatArray, model: Literal["minimum", "principal"] = "minimum") -> Torsion:
    """Uncorrelated factors: those closest to the tokens, or the principal components.

    Minimum torsion (Meucci, Santangelo, Deguest 2015) minimises the mean squared distance, in
    units of volatility, between each token and its factor. With C the correlation, c = C^½ and
    d = 1 to begin with, repeat

        q ← (diag(d) C diag(d))^-½ diag(d) c        the rotation nearest to diag(d) c
        d ← diag(q c),   π ← diag(d) q

    until ‖c - π‖ changes by no more than 1e-8 of itself; then t = diag(σ) π c⁻¹ diag(1/σ). The
    rotation is taken from a singular value decomposition, which is the same but needs no inverse.
    Principal components (``principal``) are the eigenvectors of Σ: the limit in which the factors
    owe nothing to the tokens; where two eigenvalues are equal they, and the bets, are arbitrary.

    Args:
        covariance: (N, N), symmetric, variances above 0. Correlations whose smallest eigenvalues
            are below 1e-8, by rounding or as a true singularity, are raised to it for ``matrix``.

    Raises:
        EstimationError: not square or finite, a variance not above 0, or clearly not positive
            semidefinite.
    """
    sigma, correlation = _standardised(covariance)
    if model == "principal":
        return _principal(covariance, sigma)
    values, vectors = np.linalg.eigh(correlation)
    if values.size and values[0] < -1e-6 * len(values):
        raise EstimationError(
            f"covariance has a negative eigenvalue ({values[0]:g} of correlation)"
        )
    values = np.maximum(values, EIGENVALUE_FLOOR)
    root = (vectors * np.sqrt(values)) @ vectors.T
    rotation, stretch, iterations, converged = _nearest_factors(root)
    inverse_root = (vectors / np.sqrt(values)) @ vectors.T
    closest = (stretch[:, None] * rotation) @ inverse_root
    return Torsion(
        matrix=closest * np.outer(sigma, 1 / sigma),
        risk_rotation=rotation @ root,
        volatility=sigma,
        iterations=iterations,
        converged=converged,
    )


def effective_bets(x_usd: FloatArray, torsion: Torsion) -> EffectiveBets | None:
    """Diversification distribution and effective number of bets of the book x.

        q_i = ((tᵀ)⁻¹ x)_i (t Σ x)_i / xᵀΣx        N_eff = exp(-Σ q_i ln q_i),   0 ln 0 = 0

    (Meucci 2009; Meucci, Santangelo, Deguest 2015), computed as q_i = (Q v)_i² / Σ (Q v)², equal
    because the factors are uncorrelated, and never negative.

    Args:
        x_usd: (N,) signed notionals in the order of the covariance.

    Returns None for a flat book, and for one whose positions cancel to no variance at all: there
    is no risk to be divided, which is not the same as one bet.

    Raises:
        DataError: the shape does not fit or a notional is not finite.
    """
    n = len(torsion.volatility)
    x = np.asarray(x_usd, dtype=np.float64)
    if x.shape != (n,):
        raise DataError(f"positions have shape {x.shape}, must be ({n},)")
    if not np.all(np.isfinite(x)):
        raise DataError(f"position {int(np.argmax(~np.isfinite(x)))} is not finite")
    v = x * torsion.volatility
    largest = float(np.abs(v).max(initial=0.0))
    if largest == 0.0:
        return None
    v = v / largest  # so that neither a huge nor a tiny book leaves the range of floats
    variance = (torsion.risk_rotation @ v) ** 2
    total = float(variance.sum())
    if total <= _NO_RISK * float(v @ v):
        return None
    shares = variance / total
    held = shares[shares > 0]
    number = float(np.exp(-(held @ np.log(held))))
    return EffectiveBets(shares, min(max(number, 1.0), float(n)))


def _standardised(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Volatilities (N,) and correlation (N, N) of a covariance that can be used."""
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise EstimationError(f"covariance has shape {covariance.shape}, must be square")
    if not np.all(np.isfinite(covariance)):
        raise EstimationError("covariance holds a number that is not finite")
    variance = np.diag(covariance)
    if np.any(variance <= 0):
        raise EstimationError(f"variance {variance.min():g}, must be above 0")
    sigma = np.sqrt(variance)
    correlation = covariance / np.outer(sigma, sigma)
    return sigma, (correlation + correlation.T) / 2


def _nearest_factors(root: FloatArray) -> tuple[FloatArray, FloatArray, int, bool]:
    """Rotation q, stretch d, steps taken, and whether they were enough, for the root c of C."""
    stretch = np.ones(len(root))
    rotation = np.eye(len(root))
    before = np.inf
    for step in range(1, MAX_ITERATIONS + 1):
        left, _, right = np.linalg.svd(stretch[:, None] * root)
        rotation = left @ right
        stretch = np.einsum("ij,ji->i", rotation, root)
        distance = float(np.linalg.norm(root - stretch[:, None] * rotation))
        # Uncorrelated tokens are their own factors: the distance is rounding and has no ratio.
        if abs(before - distance) <= TOLERANCE * max(distance, TOLERANCE):
            return rotation, stretch, step, True
        before = distance
    return rotation, stretch, MAX_ITERATIONS, False


def _principal(covariance: FloatArray, sigma: FloatArray) -> Torsion:
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    values, vectors = values[::-1], vectors[:, ::-1]
    if values.size and values[-1] < -1e-6 * values.sum():
        raise EstimationError(f"covariance has a negative eigenvalue ({values[-1]:g})")
    # Signs of eigenvectors are free; the largest entry of each is made positive.
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(len(values))]
    matrix = (vectors * np.where(largest < 0, -1.0, 1.0)).T
    rotation = np.sqrt(np.maximum(values, 0.0))[:, None] * matrix / sigma
    return Torsion(matrix, rotation, sigma, 0, True)
