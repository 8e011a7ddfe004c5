"""Small markets and books for the tests of strategies."""

from dataclasses import replace
from typing import Any

import numpy as np

from risk.limits.caps import RiskLimits
from strategies.inputs import HedgeChoices, HedgeFacts


def two_tokens(bot_usd: float = 50_000.0, *others: float, **changes: Any) -> HedgeFacts:
    """The bot's own token, which is hands-off, and one or more tokens to hedge with.

    Every token moves 5 % a day and all are correlated 0.8; ``others`` are hedges held now.
    """
    hedges = others or (0.0,)
    n = 1 + len(hedges)
    covariance = 0.05**2 * (0.2 * np.eye(n) + 0.8)
    facts = HedgeFacts(
        timestamp_ms=1_700_000_000_000,
        symbols=tuple("ABCDEFGH"[:n]),
        bot_usd=np.array([bot_usd] + [0.0] * (n - 1)),
        hedge_usd=np.array([0.0, *hedges]),
        covariance_daily=covariance,
        volatility_btc_daily=0.025,
        beta_btc=np.full(n, 1.5),
        price_usd=np.ones(n),
        lot_usd=np.ones(n),
        min_trade_usd=np.full(n, 5.0),
        half_spread=np.full(n, 2e-4),
        taker_fee=np.full(n, 5e-4),
        funding_daily=np.zeros(n),
        funding_daily_se=np.zeros(n),
        adv_usd=np.full(n, 1e8),
        crowding=np.zeros(n),
        may_hedge=np.array([False] + [True] * (n - 1)),
        in_sector=np.ones(n, dtype=np.bool_),
        cluster=np.zeros(n, dtype=np.int64),
        initial_margin_rate=np.full(n, 0.1),
        equity_usd=50_000.0,
        risk_equity_usd=abs(bot_usd),
        turnover_used_usd=0.0,
    )
    return replace(facts, **changes)


def random_facts(
    seed: int, n: int = 8, gross_usd: float = 100_000.0, held: int = 3, **changes: Any
) -> HedgeFacts:
    """A sector of ``n`` tokens on two factors, the first one BTC; the bot is long the last few."""
    rng = np.random.default_rng(seed)
    market = rng.uniform(0.7, 1.6, n)
    sector = rng.uniform(0.5, 1.2, n)
    market[0], sector[0] = 1.0, 0.0
    own = rng.uniform(0.02, 0.06, n)
    own[0] = 0.003
    covariance = 0.03**2 * (np.outer(market, market) + np.outer(sector, sector)) + np.diag(own**2)
    bot = np.zeros(n)
    bot[n - held :] = gross_usd * rng.dirichlet(np.ones(held))
    facts = HedgeFacts(
        timestamp_ms=1_700_000_000_000,
        symbols=tuple(f"T{i}/USDT:USDT" for i in range(n)),
        bot_usd=bot,
        hedge_usd=np.zeros(n),
        covariance_daily=covariance,
        volatility_btc_daily=float(np.sqrt(covariance[0, 0])),
        beta_btc=covariance[0] / covariance[0, 0],
        price_usd=rng.uniform(0.1, 10.0, n),
        lot_usd=rng.uniform(0.05, 2.0, n),
        min_trade_usd=np.full(n, 5.0),
        half_spread=rng.uniform(1e-4, 6e-4, n),
        taker_fee=np.full(n, 5e-4),
        funding_daily=rng.normal(3e-4, 3e-4, n),
        funding_daily_se=np.full(n, 1e-4),
        adv_usd=rng.uniform(5e6, 5e8, n) * max(gross_usd / 1e5, 1.0),
        crowding=rng.normal(0.0, 1.0, n),
        may_hedge=bot == 0,
        in_sector=np.arange(n) > 0,
        cluster=np.arange(n, dtype=np.int64) % 3,
        initial_margin_rate=np.full(n, 0.1),
        equity_usd=0.5 * gross_usd,
        risk_equity_usd=gross_usd,
        turnover_used_usd=0.0,
    )
    return replace(facts, **changes)


EASY = {"holding_days": 5.0, "carry_doubt": 0.0, "carry_received": 1.0, "cushion": 0.0}


def easy(limits: RiskLimits, risk_aversion: float = 4.0, **chosen: Any) -> HedgeChoices:
    """Costs over five days, all of the funding as it is and no cushion: easily worked out."""
    return HedgeChoices(limits, risk_aversion, **(EASY | chosen))


def free(**limits: float) -> HedgeChoices:
    """λ = 0: only the caps ask for a hedge."""
    return easy(RiskLimits(**limits), risk_aversion=0.0)
