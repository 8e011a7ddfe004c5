"""The caps, and what is over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError
from risk.limits.measures import MEASURES, Standing
from risk.limits.stresses import AccountStress
from risk.quick_init import quick_init

CAP_TOLERANCE = 1e-9
"""Relative: a value within this of its cap is inside, so that exactly at the cap is no breach."""


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Every cap in USD unless its name says otherwise; None means no such cap.

    x is bot and hedges together, h hedges only, z a trade, all USD and signed.

    Attributes:
        token_usd: largest |x_i| of any one token, over all its symbols.
        hedge_gross_usd: largest Σ|h|.
        net_usd: largest |Σ x|.
        sector_net_usd: largest |Σ x| over the tokens of the sector (benchmarks left out).
        cluster_net_usd: largest |Σ x| within any one cluster.
        cluster_gross_usd: largest Σ|h| within any one cluster.
        beta_net_usd: largest |Σ β x|, USD of BTC.
        cae_usd: largest correlation-adjusted exposure, USD of BTC.
        turnover_daily_usd: largest Σ|z| over any 24 hours.
        adv_share: largest |z_i| of one decision as a fraction of average daily volume.
        margin_use: largest initial margin of the hedges as a fraction of the account's equity.
        bot_margin_share: largest initial margin of the hedges as a fraction of the bot's free
            margin, what the hedges take of it counted in; only where they share its account.
        stress_use: largest share of the account's equity that the loss of any stress and the
            margin needed after it may take; what is left is the buffer before liquidation.
    """

    token_usd: float | None = None
    hedge_gross_usd: float | None = None
    net_usd: float | None = None
    sector_net_usd: float | None = None
    cluster_net_usd: float | None = None
    cluster_gross_usd: float | None = None
    beta_net_usd: float | None = None
    cae_usd: float | None = None
    turnover_daily_usd: float | None = None
    adv_share: float | None = None
    margin_use: float | None = None
    bot_margin_share: float | None = None
    stress_use: float | None = None


@quick_init
@dataclass(frozen=True, slots=True)
class LimitBreach:
    """One cap that is exceeded.

    Attributes:
        cap: name of the field of RiskLimits.
        scope: symbol or cluster name; empty for caps on the whole book.
        value: what was measured, absolute, in the cap's unit.
        limit: the cap.
        bot_alone: the bot's positions without any hedge already exceed it.
        curable: some allowed hedge can lower it (a token cap on a hands-off symbol is not).
    """

    cap: str
    scope: str
    value: float
    limit: float
    bot_alone: bool
    curable: bool


@dataclass(frozen=True, slots=True)
class LimitReport:
    """Every cap that is set, measured.

    Attributes:
        breaches: caps exceeded by bot and hedges together (for trades: by the trades).
        cap_use: value divided by limit by cap name, largest over its scopes; 1 is exactly at the
            cap; infinite where the cap is 0 and the value is not.
        cap_use_bot_alone: the same for the bot's positions without any hedge; empty for trades.
    """

    breaches: tuple[LimitBreach, ...]
    cap_use: Mapping[str, float]
    cap_use_bot_alone: Mapping[str, float]


def check_limits(
    limits: RiskLimits,
    *,
    symbols: Sequence[str],
    bot_usd: FloatArray,
    hedge_usd: FloatArray,
    covariance_daily: FloatArray,
    volatility_btc_daily: float,
    beta_btc: FloatArray,
    in_sector: NDArray[np.bool_],
    cluster: NDArray[np.int64],
    initial_margin_rate: FloatArray,
    equity_usd: float,
    may_hedge: NDArray[np.bool_],
    shorts_only: bool = True,
    cluster_names: Sequence[str] = (),
    beta_doubt: FloatArray | None = None,
    stress: AccountStress | None = None,
    bot_free_margin_usd: float | None = None,
    token: NDArray[np.int64] | None = None,
) -> LimitReport:
    """Measure every cap on the standing book: all but turnover and ADV share, which limit trades.

    With x = bot + hedge: token |Σ_t x| over the symbols of token t; net |Σx|; sector_net |Σx| over
    ``in_sector``; cluster_net |Σ_k x|; beta_net |Σβx| + κ_β Σ s_β|x|; cae √(xᵀΣx)/σ_BTC. Of the
    hedges alone: hedge_gross Σ|h|; cluster_gross Σ_k|h|; margin_use Σm|h| / equity, infinite when
    equity is not above 0 while hedges need margin; bot_margin_share Σm|h| / F the same way.
    Of the account that holds the hedges: stress_use (−r_jᵀy + mᵀ|y|) / E
    in each stress, see ``AccountStress``; nothing where there are none. (Linear, absolute and cone
    caps of the hedge problem; the correlation-adjusted exposure is the book's volatility in units
    of BTC's.)

    A cap is exceeded above limit·(1 + 1e-9). A breach is curable when an allowed move of some
    hedge lowers the value: where ``may_hedge`` is True a larger short (and without
    ``shorts_only`` a long), and everywhere the shrinking of a hedge that is held.

    Args:
        symbols: N symbols; arrays are (N,) in their order, money in USD, long positive.
        covariance_daily: (N, N) covariance of daily log returns.
        volatility_btc_daily: standard deviation of BTC's daily return, above 0.
        cluster: index of each symbol's cluster, -1 for none.
        initial_margin_rate: a fraction of notional.
        equity_usd: of the account that holds the hedges.
        cluster_names: scopes of cluster breaches, by index; "cluster 3" where there is no name.
        beta_doubt: (N,) κ_β s_β, at least 0; None where beta is taken as exact.
        stress: what the account must survive; None for nothing.
        bot_free_margin_usd: F, the bot's free margin and what the hedges take of it; None where
            they have an account of their own, and then they take nothing.
        token: the number of each symbol's token; None: every symbol is a token of its own.

    Raises:
        DataError: a shape does not fit, a number is not finite (a NaN is never compared with a
            cap), or σ_BTC is not above 0.
    """
    vectors = {
        "bot_usd": bot_usd,
        "hedge_usd": hedge_usd,
        "beta_btc": beta_btc,
        "initial_margin_rate": initial_margin_rate,
        "in_sector": in_sector,
        "cluster": cluster,
        "may_hedge": may_hedge,
    }
    if token is not None:
        vectors["token"] = token
    for name, vector in vectors.items():
        _require_finite(name, vector, (len(symbols),))
    _require_finite("covariance_daily", covariance_daily, (len(symbols), len(symbols)))
    _require_finite("equity_usd", equity_usd, ())
    if bot_free_margin_usd is not None:
        _require_finite("bot_free_margin_usd", bot_free_margin_usd, ())
    if beta_doubt is not None:
        _require_finite("beta_doubt", beta_doubt, (len(symbols),))
    if stress is not None:
        _require_finite("stress", stress.returns, (len(stress.names), len(symbols)))
        _require_finite("stress margin", stress.margin_rate, (len(symbols),))
    if not (np.isfinite(volatility_btc_daily) and volatility_btc_daily > 0):
        raise DataError(f"volatility of BTC is {volatility_btc_daily}, must be above 0")
    standing = Standing(
        symbols, bot_usd, hedge_usd, covariance_daily, volatility_btc_daily, beta_btc,
        in_sector, cluster, initial_margin_rate, equity_usd, cluster_names, beta_doubt, stress,
        bot_free_margin_usd, token,
    )  # fmt: skip
    may_fall = may_hedge | (hedge_usd > 0)
    may_rise = (hedge_usd < 0) | (may_hedge & (not shorts_only))
    breaches: list[LimitBreach] = []
    use: dict[str, float] = {}
    use_bot: dict[str, float] = {}
    for cap, measure in MEASURES.items():
        limit = getattr(limits, cap)
        if limit is None:
            continue
        use[cap] = use_bot[cap] = 0.0
        for scope in measure(standing):
            use[cap] = max(use[cap], _use(scope.value, limit))
            use_bot[cap] = max(use_bot[cap], _use(scope.bot_value, limit))
            if _exceeds(scope.value, limit):
                slope = scope.slope()
                curable = bool(np.any(((slope > 0) & may_fall) | ((slope < 0) & may_rise)))
                alone = _exceeds(scope.bot_value, limit)
                breaches.append(LimitBreach(cap, scope.name, scope.value, limit, alone, curable))
    return LimitReport(tuple(breaches), use, use_bot)


def check_trade_limits(
    limits: RiskLimits,
    *,
    symbols: Sequence[str],
    trade_usd: FloatArray,
    adv_usd: FloatArray,
    turnover_used_usd: float,
) -> LimitReport:
    """Measure the caps on trades z: turnover_daily_usd on used + Σ|z|, adv_share on |z_i| / ADV_i.

    Args:
        symbols: N symbols; arrays are (N,) in their order, USD, buys positive.
        adv_usd: average daily volume, above 0; read only where there is a trade.
        turnover_used_usd: traded by us in the last 24 hours, at least 0.

    A breach is curable when a smaller trade lowers it below the cap.

    Raises:
        DataError: a shape does not fit, a number is not finite, or a symbol that trades has no
            volume above 0.
    """
    _require_finite("trade_usd", trade_usd, (len(symbols),))
    if not (np.isfinite(turnover_used_usd) and turnover_used_usd >= 0):
        raise DataError(f"turnover used is {turnover_used_usd} USD, must be at least 0")
    use: dict[str, float] = {}
    breaches: list[LimitBreach] = []
    if limits.turnover_daily_usd is not None:
        cap, limit = "turnover_daily_usd", limits.turnover_daily_usd
        value = turnover_used_usd + float(np.abs(trade_usd).sum())
        use[cap] = _use(value, limit)
        if _exceeds(value, limit):
            curable = not _exceeds(turnover_used_usd, limit)
            breaches.append(LimitBreach(cap, "", value, limit, False, curable))
    if limits.adv_share is not None:
        cap, limit = "adv_share", limits.adv_share
        use[cap] = 0.0
        for i in np.flatnonzero(trade_usd).tolist():
            if not (np.isfinite(adv_usd[i]) and adv_usd[i] > 0):
                raise DataError(f"{symbols[i]}: daily volume {adv_usd[i]} USD, must be above 0")
            share = float(abs(trade_usd[i]) / adv_usd[i])
            use[cap] = max(use[cap], _use(share, limit))
            if _exceeds(share, limit):
                breaches.append(LimitBreach(cap, symbols[i], share, limit, False, True))
    return LimitReport(tuple(breaches), use, {})


def _exceeds(value: float, limit: float) -> bool:
    return value > limit * (1 + CAP_TOLERANCE)


def _use(value: float, limit: float) -> float:
    if limit > 0:
        return value / limit
    return float(np.inf) if value > 0 else 0.0


def _require_finite(name: str, values: NDArray[Any] | float, shape: tuple[int, ...]) -> None:
    found = np.asarray(values)
    if found.shape != shape:
        raise DataError(f"{name} has shape {found.shape}, must be {shape}")
    if not np.isfinite(found).all():
        raise DataError(f"{name} holds a number that is not finite: {values}")
