"""Minimum variance without regard to cost: what a covariance alone makes of a hedge."""

from dataclasses import replace

import numpy as np

from strategies.caps import excess
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.lots import Lots, nearest_lots
from strategies.minimum_risk import MinimumRisk
from strategies.model import HedgeModel
from strategies.plan import Plan, Planner
from strategies.shape import shape_of
from strategies.solution import Relaxed, Unsolved


class Nearest(Planner):
    """Rounds the solution to its nearest lots, where that keeps the caps."""

    def plan(self, model: HedgeModel) -> Plan | Unsolved:
        """One solve and no search: nothing here is worth more than a lot; else as Planner.

        Planner is asked where the nearest lots end too close to a cap or over it, where the caps
        cannot be met, and where there may be only so many legs.
        """
        if model.most_legs is None:
            relaxed = self._hard_problem(shape_of(model)).solve(model, model.aim)
            if isinstance(relaxed, Relaxed):
                lots = nearest_lots(model, relaxed.hedge_usd)
                if not np.any(excess(model.caps.values(lots), model.aim)):
                    found = Lots(lots, float(model.objective_usd(lots)))
                    return Plan(found, relaxed, relaxed.status)
        return super().plan(model)


class PlainQp(MinimumRisk):
    """Minimises xᵀΣx within bounds and caps; trades, funding, crowding and the tail count nothing.

    What its trades do cost is told in the proposal all the same.
    """

    def __init__(self, name: str, estimator: str) -> None:
        self._planner = Nearest()
        self._name = name
        self.estimator = estimator

    @property
    def name(self) -> str:
        """As it is called in the config."""
        return self._name

    def _model(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeModel:
        free = np.zeros(len(facts.symbols))
        model = super()._model(
            facts,
            replace(
                choices,
                risk_aversion=choices.risk_aversion or 1.0,
                estimation_uncertainty=0.0,
                tail_aversion=0.0,
                worst_window=False,
            ),
        )
        # Over an endless holding time a trade's cost weighs nothing, and is still known.
        costs = replace(
            model.costs,
            holding_days=np.inf,
            counted_daily=free,
            funding_risk_daily=free,
            squeeze=free,
        )
        return replace(model, costs=costs, trade_worth_usd=0.0)


def sample() -> PlainQp:
    """Minimum variance by the sample covariance of 30 days."""
    return PlainQp("sample", "rolling_30d")


def ledoit_wolf() -> PlainQp:
    """Minimum variance by the same covariance, shrunk as Ledoit and Wolf have it."""
    return PlainQp("ledoit_wolf", "ledoit_wolf")
