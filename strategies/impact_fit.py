"""The impact coefficient, estimated from what own orders really paid beyond the best price.

Model: the square-root law y = Y·x + e, where y is the impact of a trade as a fraction of its
notional and x = σ·√(|z|/ADV) (Almgren, Thum, Hauptmann, Li 2005), a line through the origin.
Estimated by Huber's M-estimator (Huber 1964), since single fills are noisy and some of them wild,
with the sandwich standard error; then drawn towards the prior by the number of fills, and bounded.
"""

from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.errors import DataError

_BEND = 1.345
"""Huber's k: 95 % efficient where errors are normal."""
_MAD_TO_SIGMA = 1.4826
_ROUNDS = 100
_TOLERANCE = 1e-10
_LEAST = 3
"""With fewer fills nothing is estimated."""


@dataclass(frozen=True, slots=True)
class ImpactPrior:
    """What is believed before any own fill.

    Attributes:
        coefficient: Y, above 0.
        worth_fills: how many fills it weighs as much as.
        widest: the estimate stays within the prior divided and multiplied by this.
    """

    coefficient: float = 1.0
    worth_fills: float = 100.0
    widest: float = 5.0

    def __post_init__(self) -> None:
        if not (0 < self.coefficient < np.inf and self.worth_fills > 0 and self.widest >= 1):
            raise DataError(
                f"impact prior: coefficient {self.coefficient}, worth {self.worth_fills} fills, "
                f"widest {self.widest}; the first two must be above 0, the last at least 1"
            )


@dataclass(frozen=True, slots=True)
class ImpactFit:
    """What fills say of the impact coefficient.

    Attributes:
        coefficient: Y to reckon with: drawn to the prior, and bounded.
        raw: Huber's estimate alone; None with too few fills.
        standard_error: of ``coefficient`` by the fills' scatter; None with too few fills.
        fills: that were used.
        weight: of ``raw`` in ``coefficient``, 0 to 1.
        bounded: the bound of the prior was met.
    """

    coefficient: float
    raw: float | None
    standard_error: float | None
    fills: int
    weight: float
    bounded: bool


def fit_impact(participation_root: FloatArray, impact: FloatArray, prior: ImpactPrior) -> ImpactFit:
    """Y = w·Ŷ + (1 − w)·Y₀ with w = n/(n + n₀), within [Y₀/widest, Y₀·widest].

    Ŷ solves Σ ψ((y − Ŷx)/s)·x = 0 with Huber's ψ and s the scaled median absolute deviation. Its
    standard error is s·√(Σ ψ²x²)/Σ ψ′x², times √(n/(n − 1)).

    Args:
        participation_root: x = σ·√(|z|/ADV) of each fill, above 0, shape (n,).
        impact: y, what was paid beyond the best price as a fraction of notional, shape (n,);
            positive is a cost.
        prior: what is believed before.

    Returns:
        The fit. Fills in which something is NaN, infinite, or x not above 0 are left out.

    Raises:
        DataError: the shapes differ.
    """
    x, y = np.asarray(participation_root, dtype=float), np.asarray(impact, dtype=float)
    if x.shape != y.shape or x.ndim != 1:
        raise DataError(f"impact fit: {x.shape} participations and {y.shape} impacts")
    usable = np.isfinite(x) & np.isfinite(y) & (x > 0)
    x, y = x[usable], y[usable]
    count = int(x.size)
    if count < _LEAST:
        return ImpactFit(prior.coefficient, None, None, count, 0.0, bounded=False)
    raw, error = _huber(x, y)
    weight = count / (count + prior.worth_fills)
    drawn = weight * raw + (1 - weight) * prior.coefficient
    low, high = prior.coefficient / prior.widest, prior.coefficient * prior.widest
    coefficient = min(max(drawn, low), high)
    return ImpactFit(coefficient, raw, weight * error, count, weight, bounded=coefficient != drawn)


def _huber(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Slope through the origin and its standard error."""
    slope = float(np.median(y / x))  # robust, so that the first scale is not spoilt by outliers
    for _ in range(_ROUNDS):
        scale = _scale(y - slope * x)
        if scale == 0.0:
            return slope, 0.0
        weight = _weight((y - slope * x) / scale)
        after = float((weight * x) @ y / ((weight * x) @ x))
        done = abs(after - slope) <= _TOLERANCE * max(1.0, abs(slope))
        slope = after
        if done:
            break
    residual = (y - slope * x) / scale
    bent = np.clip(residual, -_BEND, _BEND)
    flat = float((np.abs(residual) <= _BEND) @ (x * x))
    if flat == 0.0:
        return slope, float("inf")
    small = np.sqrt(x.size / (x.size - 1))
    return slope, float(small * scale * np.sqrt((bent * bent) @ (x * x)) / flat)


def _scale(residual: FloatArray) -> float:
    return float(_MAD_TO_SIGMA * np.median(np.abs(residual)))


def _weight(residual: FloatArray) -> FloatArray:
    """ψ(r)/r."""
    size = np.maximum(np.abs(residual), _BEND)
    weight: FloatArray = _BEND / size
    return weight
