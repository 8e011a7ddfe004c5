"""The risk of one allocation, as proposals report it."""

import numpy as np

from risk.book import FloatArray
from risk.limits.caps import LimitReport, check_limits
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import RiskState
from strategies.tail import REPORTED, shortfall_usd


def risk_state(facts: HedgeFacts, choices: HedgeChoices, hedge_usd: FloatArray) -> RiskState:
    """Risk of the bot's positions with hedges of ``hedge_usd`` (N,), USD signed.

    σ = √(xᵀΣx) with x = p + h; correlation-adjusted exposure σ/σ_BTC. Caps on trades are not
    measured here: they belong to no standing book.
    """
    held = facts.bot_usd + hedge_usd
    volatility = float(np.sqrt(max(float(held @ facts.covariance_daily @ held), 0.0)))
    report = limit_report(facts, choices, hedge_usd)
    return RiskState(
        volatility_daily_usd=volatility,
        cae_usd=volatility / facts.volatility_btc_daily,
        hedge_gross_usd=float(np.sum(np.abs(hedge_usd))),
        cap_use=report.cap_use,
        breaches=report.breaches,
        es95_usd=_shortfall(facts, held),
    )


def limit_report(facts: HedgeFacts, choices: HedgeChoices, hedge_usd: FloatArray) -> LimitReport:
    """The caps alone, with hedges of ``hedge_usd`` (N,), USD signed; without the tail's scenarios.

    Raises:
        DataError: as ``check_limits``.
    """
    return check_limits(
        choices.limits,
        symbols=facts.symbols,
        bot_usd=facts.bot_usd,
        hedge_usd=hedge_usd,
        covariance_daily=facts.covariance_daily,
        volatility_btc_daily=facts.volatility_btc_daily,
        beta_btc=facts.beta_btc,
        in_sector=facts.in_sector,
        cluster=facts.cluster,
        initial_margin_rate=facts.initial_margin_rate,
        equity_usd=facts.equity_usd,
        may_hedge=facts.may_hedge,
        shorts_only=choices.shorts_only,
        cluster_names=facts.cluster_names,
        beta_doubt=choices.beta_doubt(facts),
        stress=facts.stress,
        bot_free_margin_usd=facts.bot_free_margin_usd,
        token=facts.token,
    )


def _shortfall(facts: HedgeFacts, held_usd: FloatArray) -> float | None:
    if facts.tail_returns is None or not len(facts.tail_returns):
        return None
    return float(shortfall_usd(held_usd, facts.tail_returns, REPORTED))
