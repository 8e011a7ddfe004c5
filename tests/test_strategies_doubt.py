"""The cap on beta where betas themselves are doubtful."""

from dataclasses import replace

import numpy as np

from risk.limits.caps import RiskLimits
from strategies.minimum_risk import MinimumRisk
from strategies.model import hedge_model
from strategies.proposal import HedgeProposal
from tests.strategies_cases import easy, two_tokens


def test_hedges_of_no_beta_count_under_the_cap_by_what_their_beta_may_be() -> None:
    # |1.5 · 50,000| + 0.1 · 50,000 = 80,000 without a hedge, and half a dollar for each of hedges.
    facts = replace(
        two_tokens(50_000.0, 0.0, 0.0),
        beta_btc=np.array([1.5, 0.0, 0.0]),
        beta_btc_se=np.array([0.1, 0.5, 0.5]),
    )
    choices = easy(RiskLimits(beta_net_usd=85_000.0), beta_uncertainty=1.0)
    model = hedge_model(facts, choices)
    assert model.caps.limits.tolist() == [85_000.0]
    proposal = MinimumRisk().decide(facts, choices)
    assert isinstance(proposal, HedgeProposal)
    assert not proposal.after.breaches
    assert 9_900.0 < proposal.after.hedge_gross_usd <= 10_000.0
    certain = MinimumRisk().decide(facts, replace(choices, beta_uncertainty=0.0))
    assert isinstance(certain, HedgeProposal)
    assert certain.after.hedge_gross_usd > 40_000.0
