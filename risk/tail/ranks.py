"""Value at risk and expected shortfall of losses that are equally likely, by their ranks."""

import math

import numpy as np

from risk.book import FloatArray
from risk.errors import DataError, EstimationError


def value_at_risk(loss_usd: FloatArray, level: float) -> float:
    """Smallest loss with at least ``level`` of the S equally likely losses at or below it.

    The ⌈S·level⌉-th smallest, an observed loss; nothing is interpolated. (The lower quantile, as
    in Rockafellar, Uryasev 2002.)

    Args:
        loss_usd: (S,), S at least 1, finite; a loss is positive.
        level: above 0 and below 1.

    Raises:
        DataError: no loss, or one that is not finite.
        EstimationError: the level is out of range.
    """
    loss = _require_losses(loss_usd, level)
    return edge_of(np.sort(loss), len(loss), level)


def expected_shortfall(loss_usd: FloatArray, level: float) -> float:
    """Mean of the worst (1 - level) of S equally likely losses.

        ES = VaR + Σ_s max(L_s - VaR, 0) / (S (1 - level))

    Where (1 - level) S is not whole, the loss at the edge counts with the fraction that is left,
    so the figure is coherent on a discrete sample (Acerbi, Tasche 2002; Rockafellar, Uryasev 2002)
    and never below the VaR.

    Args and Raises: as ``value_at_risk``.
    """
    loss = _require_losses(loss_usd, level)
    return mean_beyond(np.sort(loss), len(loss), level)


def from_rank(loss: FloatArray, rank: int) -> FloatArray:
    """What np.sort(loss)[rank:] is, without putting the rest in order."""
    return np.sort(np.partition(loss, rank)[rank:])


def edge_of(worst: FloatArray, count: int, level: float) -> float:
    """VaR from the greatest of ``count`` losses in order, as many as the level needs or more."""
    return float(worst[rank_of(count, level) - count])


def mean_beyond(worst: FloatArray, count: int, level: float) -> float:
    """The same for ES."""
    rank = rank_of(count, level) - count  # from the end
    edge = float(worst[rank])
    beyond = float((worst[rank:] - edge).sum())
    return edge + beyond / (count * (1 - level))


def rank_of(count: int, level: float) -> int:
    """Place of the VaR among ``count`` losses in order, the smallest first, from 0."""
    # The margin keeps 0.95 · 20, which is 19 and not a little more, at 19.
    return max(math.ceil(count * level - 1e-9), 1) - 1


def _require_losses(loss_usd: FloatArray, level: float) -> FloatArray:
    loss = np.asarray(loss_usd, dtype=np.float64)
    if loss.ndim != 1 or not loss.size or not np.all(np.isfinite(loss)):
        raise DataError("losses must be one or more finite numbers")
    if not 0 < level < 1:
        raise EstimationError(f"level is {level}, must be above 0 and below 1")
    return loss
