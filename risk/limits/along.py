"""How each cap's value changes as one position grows, and how far it may."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.limits.caps import CAP_TOLERANCE, RiskLimits
from risk.limits.measures import Standing
from risk.limits.tokens import token_groups

_HALVINGS = 60
_THIRDS = 90


@dataclass(frozen=True, slots=True)
class Along:
    """One cap in one scope as a function of what is added to one position of the bot.

    Attributes:
        cap, scope: as in ``LimitBreach``.
        limit: the cap, in its unit.
        value: of the signed USD that are added; convex, at least 0.
    """

    cap: str
    scope: str
    limit: float
    value: Callable[[float], float]

    def furthest(self, size_usd: float) -> float:
        """How much of ``size_usd``, signed, ends within the cap or still lowers the value.

        Where the value is over the cap already, it may fall as far as it does; beyond its least
        it may rise again to the cap and no further. A convex function that is within a bound at
        one place is within it on one interval, so what is found by halving is its end.
        """
        bound, inside, outside = self.limit * (1 + CAP_TOLERANCE), 0.0, 1.0
        if self.value(size_usd) <= bound:
            return size_usd
        if self.value(0.0) > bound:
            inside = self._least(size_usd)
            bound = max(bound, self.value(inside * size_usd) * (1 + CAP_TOLERANCE))
            if math.isinf(bound):
                return 0.0  # nothing on the way makes it bearable
            if self.value(size_usd) <= bound:
                return size_usd
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            if self.value(middle * size_usd) <= bound:
                inside = middle
            else:
                outside = middle
        return inside * size_usd

    def _least(self, size_usd: float) -> float:
        """The part of ``size_usd`` at which the value is least, the first of several."""
        low, high = 0.0, 1.0
        for _ in range(_THIRDS):
            third = (high - low) / 3
            if self.value((low + third) * size_usd) <= self.value((high - third) * size_usd):
                high -= third
            else:
                low += third
        return low


def along(limits: RiskLimits, standing: Standing, index: int) -> Iterator[Along]:
    """Every cap that is set and that a position of the bot in symbol ``index`` moves.

    With x = p + h, t added to p_i, values as ``check_limits`` measures them:

        token        |Σ_T x + t| over the symbols of i's token
        net          |Σx + t|, for the sector and the cluster where i belongs to them
        beta_net     |βᵀx + β_i t| + Σ_{j≠i} d_j|x_j| + d_i|x_i + t|
        cae          √(xᵀΣx + 2 t (Σx)_i + t² Σ_ii) / σ_BTC
        stress_use   what each stress takes of the account, where it holds the bot's positions too

    Caps on hedges alone are not moved by what a bot does.
    """
    for cap, curves in _CURVES.items():
        limit = getattr(limits, cap)
        if limit is None:
            continue
        for scope, value in curves(standing, index):
            yield Along(cap, scope, limit, value)


_Curve = tuple[str, Callable[[float], float]]


def _token(a: Standing, i: int) -> Iterator[_Curve]:
    if a.token is None:
        yield a.symbols[i], _moved(float(a.bot[i] + a.hedge[i]), 1.0)
        return
    for name, members in token_groups(a.symbols, a.token):
        if i in members:
            yield name, _moved(float((a.bot[members] + a.hedge[members]).sum()), 1.0)


def _net(a: Standing, _: int) -> Iterator[_Curve]:
    yield "", _moved(float((a.bot + a.hedge).sum()), 1.0)


def _sector_net(a: Standing, i: int) -> Iterator[_Curve]:
    if a.in_sector[i]:
        yield "", _moved(float((a.bot + a.hedge)[a.in_sector].sum()), 1.0)


def _cluster_net(a: Standing, i: int) -> Iterator[_Curve]:
    k = int(a.cluster[i])
    if k >= 0:
        total = float((a.bot + a.hedge)[a.cluster == k].sum())
        yield a.cluster_name(k), _moved(total, 1.0)


def _beta_net(a: Standing, i: int) -> Iterator[_Curve]:
    x = a.bot + a.hedge
    doubt = np.zeros(len(x)) if a.beta_doubt is None else a.beta_doubt
    own, others = float(doubt[i]), float(doubt @ np.abs(x) - doubt[i] * abs(x[i]))
    known = _moved(float(a.beta @ x), float(a.beta[i]))
    held = float(x[i])
    yield "", lambda t: known(t) + others + own * abs(held + t)


def _cae(a: Standing, i: int) -> Iterator[_Curve]:
    x = a.bot + a.hedge
    slope: FloatArray = a.covariance @ x
    variance, cross, own = float(x @ slope), float(slope[i]), float(a.covariance[i, i])
    sigma = a.sigma_btc
    yield "", lambda t: math.sqrt(max(variance + 2 * t * cross + t * t * own, 0.0)) / sigma


def _stress_use(a: Standing, i: int) -> Iterator[_Curve]:
    if a.stress is None or not a.stress.shared:
        return
    y = a.stress.held(a.bot, a.hedge)
    margin, held = float(a.stress.margin_rate[i]), float(y[i])
    taken = a.stress.taken_usd(a.bot, a.hedge) - margin * abs(held)
    for j, name in enumerate(a.stress.names):
        yield name, _stressed(float(taken[j]), float(a.stress.returns[j, i]), (margin, held), a)


def _stressed(
    rest: float, move: float, own: tuple[float, float], a: Standing
) -> Callable[[float], float]:
    margin, held = own

    def value(t: float) -> float:
        taken = rest - move * t + margin * abs(held + t)
        if a.equity <= 0:
            return math.inf if taken > 0 else 0.0
        return max(taken / a.equity, 0.0)

    return value


def _moved(total: float, weight: float) -> Callable[[float], float]:
    return lambda t: abs(total + weight * t)


_CURVES: dict[str, Callable[[Standing, int], Iterator[_Curve]]] = {
    "token_usd": _token,
    "net_usd": _net,
    "sector_net_usd": _sector_net,
    "cluster_net_usd": _cluster_net,
    "beta_net_usd": _beta_net,
    "cae_usd": _cae,
    "stress_use": _stress_use,
}
