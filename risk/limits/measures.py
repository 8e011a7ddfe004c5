"""What each cap measures on one standing book; the caps themselves are in caps.py."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.limits.stresses import AccountStress
from risk.limits.tokens import token_groups


@dataclass(frozen=True, slots=True)
class Scope:
    """One cap in one scope; ``slope()`` is the sign of the value's change as each h_i rises."""

    name: str
    value: float
    bot_value: float
    slope: Callable[[], FloatArray]


@dataclass(frozen=True, slots=True)
class Standing:
    """The book and the market as check_limits was given them; arguments are described there."""

    symbols: Sequence[str]
    bot: FloatArray
    hedge: FloatArray
    covariance: FloatArray
    sigma_btc: float
    beta: FloatArray
    in_sector: NDArray[np.bool_]
    cluster: NDArray[np.int64]
    margin_rate: FloatArray
    equity: float
    cluster_names: Sequence[str]
    beta_doubt: FloatArray | None = None
    stress: AccountStress | None = None
    bot_free_margin: float | None = None
    token: NDArray[np.int64] | None = None

    def cluster_name(self, index: int) -> str:
        if index < len(self.cluster_names):
            return self.cluster_names[index]
        return f"cluster {index}"


def _token(a: Standing) -> Iterator[Scope]:
    if a.token is None:
        for i, symbol in enumerate(a.symbols):
            yield _one_symbol(symbol, i, a)
        return
    for name, members in token_groups(a.symbols, a.token):
        yield _one_token(name, members, a)


def _net(a: Standing) -> Iterator[Scope]:
    yield _linear("", np.ones(len(a.symbols)), a)


def _sector_net(a: Standing) -> Iterator[Scope]:
    yield _linear("", a.in_sector.astype(float), a)


def _cluster_net(a: Standing) -> Iterator[Scope]:
    for index in _clusters(a):
        yield _linear(a.cluster_name(index), (a.cluster == index).astype(float), a)


def _beta_net(a: Standing) -> Iterator[Scope]:
    yield _linear("", a.beta, a, a.beta_doubt)


def _cae(a: Standing) -> Iterator[Scope]:
    x = a.bot + a.hedge
    marginal = a.covariance @ x
    value, bot_value = (
        math.sqrt(max(float(y @ a.covariance @ y), 0.0)) / a.sigma_btc for y in (x, a.bot)
    )
    yield Scope("", value, bot_value, lambda: marginal)


def _hedge_gross(a: Standing) -> Iterator[Scope]:
    yield _weighted_gross("", np.ones(len(a.symbols)), a, 1.0)


def _cluster_gross(a: Standing) -> Iterator[Scope]:
    for index in _clusters(a):
        yield _weighted_gross(a.cluster_name(index), (a.cluster == index).astype(float), a, 1.0)


def _margin_use(a: Standing) -> Iterator[Scope]:
    yield _weighted_gross("", a.margin_rate, a, a.equity)


def _bot_margin_share(a: Standing) -> Iterator[Scope]:
    if a.bot_free_margin is not None:
        yield _weighted_gross("", a.margin_rate, a, a.bot_free_margin)


def _stress_use(a: Standing) -> Iterator[Scope]:
    if a.stress is None:
        return
    taken = a.stress.taken_usd(a.bot, a.hedge)
    by_bot = a.stress.taken_usd(a.bot, np.zeros_like(a.hedge))
    for j, name in enumerate(a.stress.names):
        yield _one_stress(name, j, (float(taken[j]), float(by_bot[j])), a, a.stress)


MEASURES: Mapping[str, Callable[[Standing], Iterator[Scope]]] = {
    "token_usd": _token,
    "hedge_gross_usd": _hedge_gross,
    "net_usd": _net,
    "sector_net_usd": _sector_net,
    "cluster_net_usd": _cluster_net,
    "cluster_gross_usd": _cluster_gross,
    "beta_net_usd": _beta_net,
    "cae_usd": _cae,
    "margin_use": _margin_use,
    "bot_margin_share": _bot_margin_share,
    "stress_use": _stress_use,
}


def _clusters(a: Standing) -> list[int]:
    return [int(k) for k in np.unique(a.cluster[a.cluster >= 0])]


def _one_symbol(name: str, i: int, a: Standing) -> Scope:
    """|x_i|."""
    signed = float(a.bot[i] + a.hedge[i])

    def slope() -> FloatArray:
        row = np.zeros(len(a.symbols))
        row[i] = np.sign(signed)
        return row

    return Scope(name, abs(signed), abs(float(a.bot[i])), slope)


def _one_token(name: str, members: NDArray[np.intp], a: Standing) -> Scope:
    """|Σ x| over the symbols of one token."""
    by_bot = float(a.bot[members].sum())
    signed = float((a.bot[members] + a.hedge[members]).sum())

    def slope() -> FloatArray:
        row = np.zeros(len(a.symbols))
        row[members] = np.sign(signed)
        return row

    return Scope(name, abs(signed), abs(by_bot), slope)


def _linear(name: str, weights: FloatArray, a: Standing, doubt: FloatArray | None = None) -> Scope:
    """|wᵀx| + dᵀ|x|."""
    x, d = a.bot + a.hedge, np.zeros_like(weights) if doubt is None else doubt
    signed, by_bot = float(weights @ x), float(weights @ a.bot)
    return Scope(
        name,
        abs(signed) + float(d @ np.abs(x)),
        abs(by_bot) + float(d @ np.abs(a.bot)),
        lambda: np.sign(signed) * weights + d * np.sign(x),
    )


def _weighted_gross(name: str, weights: FloatArray, a: Standing, divisor: float) -> Scope:
    """wᵀ|h| / divisor, infinite where something is divided by what is not above 0."""
    total = float(weights @ np.abs(a.hedge))
    value = total / divisor if divisor > 0 else (np.inf if total > 0 else 0.0)
    return Scope(name, value, 0.0, lambda: weights * np.sign(a.hedge))


def _one_stress(
    name: str, j: int, taken: tuple[float, float], a: Standing, stress: AccountStress
) -> Scope:
    """(−r_jᵀy + mᵀ|y|) / E, infinite where something is taken of what is not above 0."""
    held = stress.held(a.bot, a.hedge)
    with_hedges, bot_alone = (
        usd / a.equity if a.equity > 0 else (np.inf if usd > 0 else 0.0) for usd in taken
    )
    return Scope(
        name,
        max(with_hedges, 0.0),
        max(bot_alone, 0.0),
        lambda: stress.margin_rate * np.sign(held) - stress.returns[j],
    )
