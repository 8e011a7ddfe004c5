"""Where rounding leads nowhere, trades near none are looked for before anything is held."""

from dataclasses import replace

import numpy as np
import pytest

from risk.limits.caps import RiskLimits, check_limits
from strategies.inputs import HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.proposal import HedgeProposal
from tests.strategies_cases import easy, random_facts

CAPS = RiskLimits(
    cluster_net_usd=3_000.0,
    cae_usd=7_000.0,
    cluster_gross_usd=2_500.0,
    adv_share=0.004,
    net_usd=5_000.0,
)
CHOICES = easy(CAPS, cushion=0.02)


def _coarse(seed: int) -> HedgeFacts:
    """A small book over its caps, with lots of up to 80 USD and little volume."""
    rng = np.random.default_rng(seed)
    facts = random_facts(seed, n=7, held=2, gross_usd=10_000.0)
    hedges = np.where(rng.random(7) < 0.6, -rng.uniform(0.0, 2_500.0, 7), 0.0) * facts.may_hedge
    lots, volumes = rng.uniform(5.0, 80.0, 7), 10 ** rng.uniform(4.2, 6.0, 7)
    return replace(facts, hedge_usd=hedges, lot_usd=lots, adv_usd=volumes)


def _over(facts: HedgeFacts, hedge_usd: np.ndarray) -> dict[tuple[str, str], float]:
    """What is over its cap, by cap and scope, USD."""
    report = check_limits(
        CAPS,
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
    )
    return {(breach.cap, breach.scope): breach.value - breach.limit for breach in report.breaches}


@pytest.mark.parametrize("seed", [19, 59, 87, 170, 242])
def test_caps_that_lots_near_the_solution_spoil_are_brought_closer_from_where_hedges_stand(
    seed: int,
) -> None:
    facts = _coarse(seed)
    proposal = MinimumRisk().decide(facts, CHOICES)
    assert isinstance(proposal, HedgeProposal)
    target = facts.hedge_usd.copy()
    for leg in proposal.trades:
        target[facts.symbols.index(leg.symbol)] = leg.target_usd
    before, after = _over(facts, facts.hedge_usd), _over(facts, target)
    assert all(usd <= before.get(cap, 0.0) + 1e-6 for cap, usd in after.items())
    assert sum(after.values()) < sum(before.values()) - 10.0
