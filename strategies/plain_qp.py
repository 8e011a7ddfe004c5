"""Minimum variance without regard to cost: what a covariance alone makes of a hedge."""

from dataclasses import replace

import numpy as np

from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.model import HedgeModel


class PlainQp(MinimumRisk):
    """Minimises xᵀΣx within bounds and caps; trades, funding and crowding cost nothing.

    What its trades do cost is told in the proposal all the same.
    """

    def __init__(self, name: str, estimator: str) -> None:
        super().__init__()
        self._name = name
        self.estimator = estimator

    @property
    def name(self) -> str:
        """As it is called in the config."""
        return self._name

    def _model(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeModel:
        free = np.zeros(len(facts.symbols))
        model = super()._model(
            replace(
                facts,
                taker_fee=free,
                half_spread=free,
                funding_daily=free,
                funding_daily_se=free,
                crowding=free,
            ),
            replace(
                choices,
                risk_aversion=choices.risk_aversion or 1.0,
                impact=0.0,
                estimation_uncertainty=0.0,
            ),
        )
        return replace(model, trade_worth_usd=0.0)


def sample() -> PlainQp:
    """Minimum variance by the sample covariance of 30 days."""
    return PlainQp("sample", "rolling_30d")


def ledoit_wolf() -> PlainQp:
    """Minimum variance by the same covariance, shrunk as Ledoit and Wolf have it."""
    return PlainQp("ledoit_wolf", "ledoit_wolf")
