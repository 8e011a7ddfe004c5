"""What every hedge strategy looks like."""

from typing import Protocol

from risk.covariance.estimators import DEFAULT_ESTIMATOR
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import HedgeProposal, NoHedge


class HedgeStrategy(Protocol):
    """Turns facts and choices into a proposal or the reason for none.

    It may have an attribute ``estimator``, the name of the covariance that it is to be told (one
    of risk.covariance.estimators); without it that is the default one.
    """

    @property
    def name(self) -> str:
        """As it is called in the config."""
        ...

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        """The hedge as this strategy sees it, from nothing but the arguments.

        Trades are whole lots; where ``may_hedge`` is False a hedge may only shrink.
        """
        ...


def estimator_of(strategy: HedgeStrategy) -> str:
    """The name of the covariance estimator that a strategy is told of."""
    return str(getattr(strategy, "estimator", DEFAULT_ESTIMATOR))
