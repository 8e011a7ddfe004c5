"""Choices that between them ask for every part of the problem, and facts that have all of them."""

from dataclasses import replace

import numpy as np

from risk.limits.caps import RiskLimits
from risk.limits.stresses import AccountStress
from strategies.inputs import HedgeFacts
from tests.strategies_cases import easy, random_facts

CAPS = RiskLimits(
    token_usd=18_000,
    hedge_gross_usd=60_000,
    net_usd=45_000,
    sector_net_usd=55_000,
    cluster_net_usd=60_000,
    cluster_gross_usd=45_000,
    beta_net_usd=60_000,
    cae_usd=180_000,
    turnover_daily_usd=70_000,
    adv_share=0.01,
    margin_use=0.5,
    stress_use=0.6,
)
WIDER_CAPS = RiskLimits(
    token_usd=30_000,
    hedge_gross_usd=90_000,
    net_usd=45_000,
    cluster_net_usd=80_000,
    cluster_gross_usd=60_000,
    beta_net_usd=90_000,
    cae_usd=300_000,
    turnover_daily_usd=120_000,
    adv_share=0.02,
    margin_use=0.5,
)
CHOICES = {
    "no caps": easy(RiskLimits()),
    "caps": easy(CAPS),
    "cheapest": easy(CAPS, risk_aversion=0.0),
    "signed": easy(CAPS, shorts_only=False),
    "impact": easy(RiskLimits(net_usd=40_000.0), impact=1.0),
    "uncertainty": easy(CAPS, estimation_uncertainty=0.05, carry_risk=1.0),
    "doubt": easy(CAPS, beta_uncertainty=1.0),
    "windows": easy(CAPS, worst_window=True),
    "tail": easy(CAPS, tail_aversion=0.05),
    "everything": easy(
        CAPS,
        impact=1.0,
        estimation_uncertainty=0.05,
        carry_risk=1.0,
        crowding_charge=0.01,
        beta_uncertainty=1.0,
        tail_aversion=0.05,
        worst_window=True,
    ),
}


def facts_of(seed: int) -> HedgeFacts:
    rng = np.random.default_rng(seed)
    plain = random_facts(seed, n=10, held=3)
    roots = np.linalg.cholesky(plain.covariance_daily)
    held = np.where(rng.random(10) < 0.4, -rng.uniform(0, 2e4, 10), 0.0) * plain.may_hedge
    return replace(
        plain,
        hedge_usd=held,
        beta_btc_se=rng.uniform(0.05, 0.2, 10),
        tail_returns=rng.standard_t(4, (40, 10)) @ roots.T,
        covariance_windows_daily=np.array(
            [plain.covariance_daily * f + 1e-4 * np.eye(10) for f in (0.7, 1.1)]
        ),
        stress=AccountStress(
            names=("up", "down"),
            returns=np.array([np.full(10, 0.2), np.full(10, -0.2)]),
            margin_rate=np.full(10, 0.02),
            shared=bool(seed % 2),
        ),
    )
