"""What every hedge strategy looks like."""

from typing import Protocol

from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import HedgeProposal, NoHedge


class HedgeStrategy(Protocol):
    """Turns facts and choices into a proposal or the reason for none."""

    @property
    def name(self) -> str:
        """As it is called in the config."""
        ...

    @property
    def estimator(self) -> str:
        """The covariance that it is to be told: a name in risk.covariance.estimators."""
        ...

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        """The least-cost hedge as this strategy sees it."""
        ...
