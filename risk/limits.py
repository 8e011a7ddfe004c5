"""The caps, and what is over them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Every cap in USD unless its name says otherwise; None means no such cap.

    x is bot and hedges together, h hedges only, z a trade, all USD and signed.

    Attributes:
        token_usd: largest |x_i| of any one token.
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
