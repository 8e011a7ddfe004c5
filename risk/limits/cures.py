"""What makes a cap break, position by position, and the smallest single reduction that mends it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.errors import DataError
from risk.limits.caps import LimitBreach
from risk.limits.measures import Standing
from risk.limits.tokens import token_groups

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Cure:
    """Bring the position in ``symbol`` nearer to zero by ``reduce_usd``, above 0."""

    symbol: str
    reduce_usd: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where one breach comes from.

    Attributes:
        breach: as the limits told it.
        parts: (symbol, contribution) of every position that has one, the largest first, in the
            unit of the cap; they sum to the breach's value, and what offsets it is negative.
        cure: the smallest reduction of one position that brings the value to the cap; None where
            no single one does.
    """

    breach: LimitBreach
    parts: tuple[tuple[str, float], ...]
    cure: Cure | None


def explain(breach: LimitBreach, standing: Standing) -> Explanation:
    """Contributions to one breach of ``check_limits`` and its cure, of the same standing book.

    With x the positions of bot and hedges together (the hedges h alone where the cap is on
    them), w the cap's weights and L the cap:

        |wᵀx|      contribution sign(wᵀx) w_i x_i        reduction (|wᵀx| - L) / |w_i|
        |wᵀx| + dᵀ|x|  with d_i|x_i| more, and d_i more of what a reduction does
        mᵀ|y| - rᵀy    contribution m_i|y_i| - r_i y_i, of what the account holds
        wᵀ|h|      contribution w_i |h_i|                reduction (wᵀ|h| - L) / w_i
        σ_x/σ_BTC  contribution x_i (Σx)_i / (σ_x σ_BTC)
                   reduction t, the smaller root of Σ_ii t² - 2 |(Σx)_i| t + σ_x² - L²σ_BTC² = 0

    A position can be reduced to zero and no further, and only one whose contribution is above 0
    is a cause. Contributions to the correlation-adjusted exposure are Euler's.

    Raises:
        DataError: the breach's scope is not in the book, or its cap is not one on a standing book.
    """
    if breach.cap == "cae_usd":
        parts, needed = _cone(breach, standing)
        held = standing.bot + standing.hedge
    elif breach.cap == "stress_use":
        parts, held = _stressed(breach, standing)
        needed = _reduction(parts, held, breach.value - breach.limit, np.inf)
    else:
        weights, held, divisor = _weights(breach, standing)
        parts = weights * held
        total = float(parts.sum())
        parts = parts * (math.copysign(1.0, total) / divisor)
        # Beyond where the sum is zero it grows again on the other side.
        most = np.divide(
            abs(total), np.abs(weights), out=np.full(len(held), np.inf), where=weights != 0
        )
        if breach.cap == "beta_net_usd" and standing.beta_doubt is not None:
            parts = parts + standing.beta_doubt * np.abs(held)
        needed = _reduction(parts, held, float(parts.sum()) - breach.limit, most)
    order = np.argsort(-parts, kind="stable")
    return Explanation(
        breach,
        tuple((standing.symbols[i], float(parts[i])) for i in order.tolist() if parts[i] != 0),
        _smallest(standing.symbols, parts, needed, held),
    )


def _smallest(
    symbols: Sequence[str], parts: FloatArray, needed: FloatArray, held: FloatArray
) -> Cure | None:
    size = np.abs(held)
    possible = (parts > 0) & np.isfinite(needed) & (needed <= size * (1 + _ROUNDING))
    if not possible.any():
        return None
    i = int(np.argmin(np.where(possible, needed, np.inf)))
    return Cure(symbols[i], float(min(needed[i], size[i])))


def _reduction(
    parts: FloatArray, held: FloatArray, excess: float, most: FloatArray | float
) -> FloatArray:
    """(N,) USD that each position alone would have to shrink; infinite beyond ``most``."""
    size = np.abs(held)
    slope = np.divide(parts, size, out=np.zeros(len(held)), where=size > 0)
    needed = np.divide(excess, slope, out=np.full(len(held), np.inf), where=slope > 0)
    return np.where(needed <= most * (1 + _ROUNDING), needed, np.inf)


def _stressed(breach: LimitBreach, a: Standing) -> tuple[FloatArray, FloatArray]:
    """What each position takes of the equity in the stress, and the positions."""
    if a.stress is None or breach.scope not in a.stress.names:
        raise DataError(f"{breach.scope}: over its cap, but no such stress")
    held = a.stress.held(a.bot, a.hedge)
    move = a.stress.returns[a.stress.names.index(breach.scope)]
    equity = a.equity if a.equity > 0 else math.nan
    return (a.stress.margin_rate * np.abs(held) - move * held) / equity, held


def _cone(breach: LimitBreach, a: Standing) -> tuple[FloatArray, FloatArray]:
    """Contributions to CAE, and the reduction that each position alone would need."""
    x = a.bot + a.hedge
    slope = a.covariance @ x
    variance = float(x @ slope)
    parts = x * slope / (math.sqrt(variance) * a.sigma_btc)
    over = variance - (breach.limit * a.sigma_btc) ** 2
    towards_zero = np.sign(x) * slope
    own = np.diag(a.covariance)
    root = towards_zero**2 - own * over
    # The smaller root, written so that nothing cancels.
    divisor = towards_zero + np.sqrt(np.maximum(root, 0.0))
    reachable = (root >= 0) & (divisor > 0)
    return parts, np.divide(over, divisor, out=np.full(len(x), np.inf), where=reachable)


def _weights(breach: LimitBreach, a: Standing) -> tuple[FloatArray, FloatArray, float]:
    """Signed weights, the positions they are on, and what the sum is divided by."""
    x, h, ones = a.bot + a.hedge, a.hedge, np.ones(len(a.symbols))
    if breach.cap in ("margin_use", "bot_margin_share"):
        of = a.equity if breach.cap == "margin_use" else a.bot_free_margin
        return a.margin_rate * np.sign(h), h, of if of is not None and of > 0 else math.nan
    if breach.cap == "hedge_gross_usd":
        return np.sign(h), h, 1.0
    if breach.cap == "cluster_gross_usd":
        return _cluster(breach, a) * np.sign(h), h, 1.0
    if breach.cap == "cluster_net_usd":
        return _cluster(breach, a), x, 1.0
    if breach.cap == "token_usd":
        if breach.scope not in a.symbols:
            raise DataError(f"{breach.scope}: over its cap, but not in the book")
        return _token(breach, a), x, 1.0
    plain = {"net_usd": ones, "sector_net_usd": a.in_sector.astype(float), "beta_net_usd": a.beta}
    if breach.cap not in plain:
        raise DataError(f"{breach.cap} is not a cap on a standing book")
    return plain[breach.cap], x, 1.0


def _token(breach: LimitBreach, a: Standing) -> FloatArray:
    if a.token is None:
        return np.array([float(symbol == breach.scope) for symbol in a.symbols])
    weights = np.zeros(len(a.symbols))
    for name, members in token_groups(a.symbols, a.token):
        if name == breach.scope:
            weights[members] = 1.0
    return weights


def _cluster(breach: LimitBreach, a: Standing) -> FloatArray:
    for k in np.unique(a.cluster[a.cluster >= 0]).tolist():
        if a.cluster_name(k) == breach.scope:
            return np.asarray(a.cluster == k, dtype=np.float64)
    raise DataError(f"{breach.scope}: over its cap, but no such cluster")
