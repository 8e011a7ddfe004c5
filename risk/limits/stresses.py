"""Stresses that the account which holds the hedges must survive."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray


@dataclass(frozen=True, slots=True)
class AccountStress:
    """Returns of J stresses for N symbols, and the margin that the venue asks for after each.

    What a stress j takes of the account is its loss and the margin that must still be there,

        use_j = (−r_jᵀy + mᵀ|y|) / E

    with y what the account holds: the hedges alone, or bot and hedges where they share it. At 1
    the venue liquidates.

    Attributes:
        names: (J), short and stable, ``sector up``.
        returns: (J, N) simple returns, finite.
        margin_rate: (N,) maintenance margin as a fraction of notional, at least 0.
        shared: the account holds the bot's positions too.
    """

    names: tuple[str, ...]
    returns: FloatArray
    margin_rate: FloatArray
    shared: bool = False

    def held(self, bot_usd: FloatArray, hedge_usd: FloatArray) -> FloatArray:
        """y: (..., N) USD of what the account holds."""
        return bot_usd + hedge_usd if self.shared else hedge_usd

    def taken_usd(self, bot_usd: FloatArray, hedge_usd: FloatArray) -> FloatArray:
        """−r_jᵀy + mᵀ|y| for hedges (..., N): (..., J) USD; below 0 where a stress pays."""
        held = self.held(bot_usd, hedge_usd)
        taken: FloatArray = (np.abs(held) @ self.margin_rate)[..., None] - held @ self.returns.T
        return taken


def gap_returns(
    in_sector: NDArray[np.bool_], *, gap: float, benchmark_gap: float
) -> dict[str, FloatArray]:
    """The sector and the rest jump together before anything can be traded: up, and down.

    Args:
        in_sector: (N,) True for tokens of the sector.
        gap, benchmark_gap: sizes of the jumps, simple returns, at least 0 and at most 1.

    Returns:
        (N,) simple returns by name.
    """
    jump = np.where(in_sector, gap, benchmark_gap)
    return {"sector up": jump, "sector down": -jump}


def funding_squeeze(
    in_sector: NDArray[np.bool_],
    volatility_daily: FloatArray,
    *,
    days: float,
    deviations: float,
    funding_daily: float,
) -> FloatArray:
    """Shorts are squeezed: tokens rise and shorts pay for holding on, (N,) simple returns.

        r_i = exp(z σ_i √D) − 1 + f D

    for tokens of the sector, 0 for the rest: a crowd that has to buy back lifts the tokens it is
    short in, not BTC. What shorts pay longs receive, so f D is a return like any other.

    Args:
        volatility_daily: (N,) σ, of log returns.
        days: D, at least 0.
        deviations: z, at least 0.
        funding_daily: f, what shorts pay a day, a fraction of notional.
    """
    rise = np.expm1(deviations * volatility_daily * np.sqrt(days)) + funding_daily * days
    return np.where(in_sector, rise, 0.0)


def worst_windows(
    log_price: FloatArray, weights: FloatArray, *, window_bars: int, count: int
) -> FloatArray:
    """Simple returns (K, N) of the windows of the past that cost ``weights`` most, K ≤ count.

    Windows do not overlap: each is the worst of those that share no hour with a worse one, so
    that they are as many different events.

    Args:
        log_price: (T, N); a window in which a symbol with a weight has no price is left out, and
            one without a weight that has none is taken not to move.
        weights: (N,) USD or shares, signed.
        window_bars: at least 1.
        count: at least 0.
    """
    if len(log_price) <= window_bars:
        return np.empty((0, log_price.shape[1]))
    moves = np.expm1(log_price[window_bars:] - log_price[:-window_bars])
    held = np.flatnonzero(weights)
    profit = moves[:, held] @ weights[held]
    profit = np.where(np.isnan(profit), np.inf, profit)
    chosen: list[int] = []
    while len(chosen) < count and np.any(profit < 0):
        at = int(np.argmin(profit))
        chosen.append(at)
        profit[max(0, at - window_bars + 1) : at + window_bars] = np.inf
    return np.nan_to_num(moves[chosen])


def account_stress(
    named: Mapping[str, FloatArray], margin_rate: FloatArray, *, shared: bool
) -> AccountStress:
    """Stresses by name, each (N,) simple returns, as one table."""
    returns = np.array(list(named.values())).reshape(len(named), len(margin_rate))
    return AccountStress(tuple(named), returns, margin_rate, shared)
