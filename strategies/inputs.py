"""What a hedge strategy decides from: facts of the moment, and choices from the config."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.limits.caps import RiskLimits
from risk.limits.stresses import AccountStress
from risk.quick_init import quick_init


@quick_init
@dataclass(frozen=True, slots=True)
class HedgeFacts:
    """The market and the book at one decision; N symbols, arrays of shape (N,) unless said.

    Attributes:
        timestamp_ms: decision time, UTC milliseconds.
        symbols: every symbol held by the bot or by us, and every symbol that may be shorted.
        bot_usd: bot's signed notional, USD.
        hedge_usd: our signed notional now, USD.
        covariance_daily: (N, N) covariance of daily log returns, symmetric, positive definite.
        volatility_btc_daily: standard deviation of BTC's daily return.
        beta_btc: beta of each symbol to BTC.
        price_usd: mark price of one base unit, USD.
        lot_usd: notional of one lot, USD.
        min_trade_usd: smallest notional the venue takes for an order that is not reduce-only, USD.
        half_spread: half of the quoted spread, a fraction of the price.
        taker_fee: a fraction of notional.
        funding_daily: what longs pay a day, a fraction of notional (positive: shorts receive).
        funding_daily_se: its standard error; 0 where it is taken as known.
        adv_usd: average daily volume, USD, above 0.
        crowding: cluster crowding score of each symbol (negative: crowded shorts), 0 where unknown.
        may_hedge: False where hands-off or not eligible: there a hedge may only shrink.
        in_sector: True for tokens of the sector, False for benchmarks.
        cluster: index of each symbol's cluster, -1 for none.
        initial_margin_rate: initial margin as a fraction of notional in the hedge account.
        equity_usd: equity of the hedge account, USD.
        risk_equity_usd: the E of the risk term, USD (the bot's gross).
        turnover_used_usd: traded by us in the last 24 hours, USD.
        hands_off: symbols that belong to a bot: an old hedge in one is closed as fast as the
            volume allows, whatever it costs. ``may_hedge`` is False there.
        cluster_names: what breaches call each cluster, by index; by number where there is none.
        beta_btc_se: standard error of ``beta_btc``; None where it is taken as exact.
        stress: what the hedge account must survive; None for nothing.
        tail_returns: (S, N) simple returns of one day in S equally likely scenarios; None where
            there are none, and then nothing is said of the tail.
        covariance_windows_daily: (K, N, N) covariances of other windows, for the worst case.
        bot_free_margin_usd: what the bot's account has free for new margin, with what the hedges
            take of it added, USD; None where the hedges have an account of their own.
        token: number of each symbol's token, which a cap on one token counts together; None:
            every symbol is a token of its own.
    """

    timestamp_ms: int
    symbols: tuple[str, ...]
    bot_usd: FloatArray
    hedge_usd: FloatArray
    covariance_daily: FloatArray
    volatility_btc_daily: float
    beta_btc: FloatArray
    price_usd: FloatArray
    lot_usd: FloatArray
    min_trade_usd: FloatArray
    half_spread: FloatArray
    taker_fee: FloatArray
    funding_daily: FloatArray
    funding_daily_se: FloatArray
    adv_usd: FloatArray
    crowding: FloatArray
    may_hedge: NDArray[np.bool_]
    in_sector: NDArray[np.bool_]
    cluster: NDArray[np.int64]
    initial_margin_rate: FloatArray
    equity_usd: float
    risk_equity_usd: float
    turnover_used_usd: float
    hands_off: frozenset[str] = frozenset()
    cluster_names: tuple[str, ...] = ()
    beta_btc_se: FloatArray | None = None
    stress: AccountStress | None = None
    tail_returns: FloatArray | None = None
    covariance_windows_daily: FloatArray | None = None
    bot_free_margin_usd: float | None = None
    token: NDArray[np.int64] | None = None

    def kept(self) -> "HedgeFacts":
        """The same in arrays of its own that cannot be written to, whatever becomes of these.

        What is decided from them and what is told of it later then speak of the same numbers.
        """
        kept = object.__new__(type(self))  # checked before; this is made at every decision
        vectors = [getattr(self, name) for name in _VECTORS]
        for name, vector in zip(_VECTORS, _own_rows(vectors), strict=True):
            object.__setattr__(kept, name, vector)
        for name in _OTHERS:
            value = getattr(self, name)
            object.__setattr__(kept, name, _own(value) if isinstance(value, np.ndarray) else value)
        if self.stress is not None:
            returns, margin = _own(self.stress.returns), _own(self.stress.margin_rate)
            stress = replace(self.stress, returns=returns, margin_rate=margin)
            object.__setattr__(kept, "stress", stress)
        return kept


def _own_rows(vectors: list[FloatArray]) -> Iterable[FloatArray]:
    """All at once, as rows of one table; themselves where they are such rows."""
    table = vectors[0].base
    if isinstance(table, np.ndarray) and _is_own(table) and all(v.base is table for v in vectors):
        return vectors
    table = np.array(vectors, dtype=np.float64)
    table.flags.writeable = False
    return table


def _own(array: NDArray[Any]) -> NDArray[Any]:
    if _is_own(array):
        return array
    kept = array.copy()
    kept.flags.writeable = False
    return kept


def _is_own(array: NDArray[Any]) -> bool:
    """Nobody can write to it."""
    return array.flags.owndata and not array.flags.writeable


_VECTORS = (
    "bot_usd",
    "hedge_usd",
    "beta_btc",
    "price_usd",
    "lot_usd",
    "min_trade_usd",
    "half_spread",
    "taker_fee",
    "funding_daily",
    "funding_daily_se",
    "adv_usd",
    "crowding",
    "initial_margin_rate",
)
_OTHERS = tuple(field.name for field in fields(HedgeFacts) if field.name not in _VECTORS)


@quick_init
@dataclass(frozen=True, slots=True)
class HedgeChoices:
    """What the owner chose: caps and tuning, none of it measured; the config has these defaults.

    Attributes:
        limits: the caps, in USD.
        risk_aversion: lambda; 0 gives the cheapest way back under the caps, and funding that a
            hedge would receive is then no reason to open one.
        horizon_days: tau, over which risk and carry are counted.
        holding_days: T_hold, over which a trade's cost is spread.
        impact: Y of the square-root impact law; 0 leaves impact out.
        estimation_uncertainty: rho of the term (u'|x|)^2; 0 leaves it out.
        carry_risk: kappa_f on the standard error of funding.
        carry_doubt: funding counts in the objective by what it exceeds so many of its standard
            errors.
        carry_received: how much of that counts where a hedge receives it, 0 to 1; what it pays
            counts in full.
        crowding_charge: kappa of the squeeze charge; 0 leaves it out.
        shorts_only: hedges are never long.
        largest_hedge_usd: largest |h_i| of any one symbol, USD; None for no such bound. A hedge
            that is already larger may stay but not grow.
        beta_uncertainty: kappa_beta on the standard errors of beta in its cap.
        cushion: how far inside its cap a trade ends at least, as a share of the cap; 0 allows it
            to end exactly there. Without a breach it is no reason to trade.
        tail_aversion: USD over the horizon that a USD of one-day expected shortfall is worth.
        tail_confidence: level of that expected shortfall.
        worst_window: risk is the largest that any of the covariance windows sees.
        most_legs: most symbols with a hedge; None for any number.
    """

    limits: RiskLimits
    risk_aversion: float = 4.0
    horizon_days: float = 1.0
    holding_days: float = 7.0
    impact: float = 0.0
    estimation_uncertainty: float = 0.0
    carry_risk: float = 0.0
    carry_doubt: float = 1.0
    carry_received: float = 0.0
    crowding_charge: float = 0.0
    shorts_only: bool = True
    largest_hedge_usd: float | None = None
    beta_uncertainty: float = 0.0
    cushion: float = 0.02
    tail_aversion: float = 0.0
    tail_confidence: float = 0.95
    worst_window: bool = False
    most_legs: int | None = None

    def beta_doubt(self, facts: HedgeFacts) -> FloatArray | None:
        """κ_β s_β, (N,); None where nothing is left of it."""
        if facts.beta_btc_se is None or self.beta_uncertainty == 0:
            return None
        return self.beta_uncertainty * facts.beta_btc_se
