"""No trade though every cap holds: why, and the risk as it stands, told once asked for."""

from functools import cached_property

import numpy as np

from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.model import WHOLE, HedgeModel
from strategies.proposal import NoHedge, NoHedgeReason, RiskState
from strategies.state import risk_state


class StandingStill(NoHedge):
    """Nothing is worth its cost; equal to another where all that it tells is.

    Args:
        strategy: its name.
        facts, choices: as they are; every cap on the standing book holds.
        model: what was decided.
    """

    _facts: HedgeFacts
    _choices: HedgeChoices
    _model: HedgeModel

    def __init__(
        self, strategy: str, facts: HedgeFacts, choices: HedgeChoices, model: HedgeModel
    ) -> None:
        # Not set by the class it comes from: that one is frozen, and has these as fields.
        known = {
            "strategy": strategy,
            "timestamp_ms": facts.timestamp_ms,
            "reason": NoHedgeReason.NOT_WORTH_IT,
            "conflict": None,
            "_facts": facts,
            "_choices": choices,
            "_model": model,
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)

    @cached_property
    def detail(self) -> str:
        spent = _caps_that_leave_no_trade(self._model)
        if spent:
            return f"every cap holds and there is no room for a trade under {' and '.join(spent)}"
        return "every cap holds and no trade takes away more risk than it costs"

    @cached_property
    def state(self) -> RiskState:
        return risk_state(self._facts, self._choices, self._facts.hedge_usd)


def _caps_that_leave_no_trade(model: HedgeModel) -> list[str]:
    """Caps on trades that forbid even the smallest trade, or close, in every symbol that may move.

    They are empty where some trade is allowed, so that it was left for what it costs.
    """
    caps, moves = model.caps, model.upper > model.lower
    least = model.smallest_trade_usd
    least = np.where(model.current != 0, np.minimum(least, np.abs(model.current)), least)
    over = {
        name: least > caps.limits[caps.blocks[block]] + WHOLE * least
        for block, name, there in (
            ("turnover", "turnover_daily_usd", caps.has_turnover),
            ("trade", "adv_share", caps.has_trade),
        )
        if there
    }
    if not np.all(np.any([np.zeros_like(moves), *over.values()], axis=0)[moves]):
        return []
    return [name for name, forbidden in over.items() if np.any(forbidden[moves])]
