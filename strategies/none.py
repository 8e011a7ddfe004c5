"""The strategy that never hedges: what every other one is measured against."""

from risk.covariance.estimators import DEFAULT_ESTIMATOR
from strategies.checks import check_choices, check_facts
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import NoHedge, NoHedgeReason
from strategies.state import risk_state


class NoHedging:
    """Watches and reports, and leaves every hedge as it is."""

    estimator = DEFAULT_ESTIMATOR
    """Of the covariance that it is to be told."""

    @property
    def name(self) -> str:
        """As it is called in the config."""
        return "none"

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> NoHedge:
        """No trade, with the risk as it stands.

        Raises:
            OptimizationError: a fact or a choice is malformed.
        """
        check_facts(facts)
        check_choices(choices)
        return NoHedge(
            strategy=self.name,
            timestamp_ms=facts.timestamp_ms,
            reason=NoHedgeReason.NOT_WORTH_IT,
            detail="the strategy none never hedges",
            state=risk_state(facts, choices, facts.hedge_usd),
        )
