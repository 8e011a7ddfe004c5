"""No trade though every cap holds: what is told late is what would have been told at once."""

from dataclasses import replace

import numpy as np
import pytest

from risk.limits.caps import RiskLimits
from strategies.minimum_risk import MinimumRisk
from strategies.model import hedge_model
from strategies.proposal import NoHedge, NoHedgeReason
from strategies.state import risk_state
from strategies.still import StandingStill
from tests.strategies_cases import easy, two_tokens
from tests.strategies_choices import CAPS, CHOICES, facts_of


@pytest.mark.parametrize("name", ["caps", "doubt", "signed"])
def test_caps_that_are_clearly_kept_are_not_exceeded(name: str):
    """By the check of caps, which knows nothing of rows; and the other way round but at the cap."""
    answers = set()
    for seed in range(60):
        facts = facts_of(seed)
        scale = (0.2, 0.6, 1.0)[seed % 3]
        facts = replace(facts, bot_usd=scale * facts.bot_usd, hedge_usd=0.5 * facts.hedge_usd)
        if seed % 4 == 0:
            facts = replace(facts, may_hedge=np.zeros(10, dtype=np.bool_), equity_usd=0.0)
        state = risk_state(facts, CHOICES[name], facts.hedge_usd)
        kept = hedge_model(facts, CHOICES[name]).caps.clearly_kept
        most = max(state.cap_use.values())
        assert kept or most > 1 - 2e-6
        assert not (kept and state.breaches)
        answers.add(kept)
    assert answers == {True, False}


def test_a_cap_that_only_the_bot_can_lower_is_never_passed_over():
    facts = replace(two_tokens(30_000.0, 0.0), may_hedge=np.array([False, True]))
    answer = MinimumRisk().decide(facts, easy(RiskLimits(token_usd=20_000.0), holding_days=0.01))
    assert isinstance(answer, NoHedge)
    assert answer.reason is NoHedgeReason.INFEASIBLE
    assert "token_usd" in answer.detail


def test_it_tells_late_what_was_so_when_it_was_decided():
    facts, choices = two_tokens(15_000.0, -5_000.0), easy(CAPS, holding_days=0.01)
    answer, again = (MinimumRisk().decide(facts, choices) for _ in range(2))
    assert isinstance(answer, StandingStill)
    assert answer == again
    assert answer.strategy == "minimum_risk"
    assert answer.timestamp_ms == facts.timestamp_ms
    assert answer.reason is NoHedgeReason.NOT_WORTH_IT
    assert answer.detail == "every cap holds and no trade takes away more risk than it costs"
    assert answer.state == risk_state(facts, choices, facts.hedge_usd)
    assert answer.conflict is None
