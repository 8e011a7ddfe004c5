"""Hedges by a rule: a target that follows from the book at once, without a solver.

The rule says what it would hold. Where there may be only so many legs, its largest take the place
of the others. Signs, hands-off symbols and the caps of single symbols cut that target symbol by
symbol; of what is left as large a part of every trade is made as keeps the caps of the whole book;
trades are whole lots.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import OptimizationError
from strategies.caps import excess
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.lots import Lots, nearest_lots
from strategies.minimum_risk import MinimumRisk
from strategies.model import HedgeModel
from strategies.plan import Plan
from strategies.proposal import HedgeProposal, NoHedge, NoHedgeReason
from strategies.solution import Relaxed, Unsolved
from strategies.state import risk_state

Rule = Callable[[HedgeFacts], FloatArray]
"""The hedges (N,) USD that a rule would hold, 0 where ``may_hedge`` is False."""

_PARTS = np.linspace(1.0, 0.0, 65)
"""How much of a trade is made, tried in this order; the last part is none."""

LEFT_ALONE = 0.001
"""A leg within this part of its target stays; what is nearer is noise of the estimate."""


class RuleStrategy:
    """A strategy that follows a rule."""

    def __init__(self, name: str, estimator: str, rule: Rule) -> None:
        self._name, self._estimator, self._rule = name, estimator, rule

    @property
    def name(self) -> str:
        """As it is called in the config."""
        return self._name

    @property
    def estimator(self) -> str:
        """Of the covariance that it is to be told."""
        return self._estimator

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        """The trades towards what the rule would hold, or the reason for none.

        Hedges are closed where the bot is flat or hands are off, as in minimum_risk.

        Raises:
            OptimizationError: a fact or a choice is malformed, which names the field; or the
                rule's target is.
        """
        return _Ruled(self._name, self._rule).decide(facts, choices)


class _Ruled(MinimumRisk):
    """The way of minimum_risk from facts to an answer, with a rule in place of the solver."""

    def __init__(self, name: str, rule: Rule) -> None:
        self._name, self._rule = name, rule

    @property
    def name(self) -> str:
        """As it is called in the config."""
        return self._name

    def _model(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeModel:
        model = super()._model(facts, choices)
        flat = not np.any(facts.bot_usd)
        target = np.zeros_like(facts.bot_usd) if flat else self._target(facts)
        self._planner = Towards(_largest(model, np.where(facts.may_hedge, target, 0.0)))
        return model

    def _target(self, facts: HedgeFacts) -> FloatArray:
        """What the rule would hold; a rule may be the owner's own, and return anything."""
        target = np.asarray(self._rule(facts))
        if target.shape != facts.bot_usd.shape or target.dtype.kind not in "fiu":
            raise OptimizationError(
                f"{self.name}: its rule told {target.dtype} of shape {target.shape}, must be "
                f"numbers of shape {facts.bot_usd.shape}"
            )
        wrong = np.flatnonzero(~np.isfinite(target))
        if len(wrong):
            symbol, value = facts.symbols[wrong[0]], target[wrong[0]]
            raise OptimizationError(
                f"{self.name}: its rule told {value} USD of {symbol}, must be finite"
            )
        return target.astype(np.float64)

    def _standing_still(
        self,
        facts: HedgeFacts,
        choices: HedgeChoices,
        model: HedgeModel,  # noqa: ARG002 - as the strategy that it stands in for
        plan: Plan,  # noqa: ARG002 - likewise
    ) -> NoHedge:
        """A rule weighs neither costs nor caps, so that neither can be the reason."""
        before = risk_state(facts, choices, facts.hedge_usd)
        detail = f"the rule {self.name} asks for no trade that the caps allow"
        over = ", ".join(dict.fromkeys(breach.cap for breach in before.breaches))
        if over:
            detail += f"; it does not trade for the sake of caps, and these are exceeded: {over}"
        return self._none(facts, NoHedgeReason.NOT_WORTH_IT, detail, before)


@dataclass(frozen=True, slots=True)
class Towards:
    """Plans as much of the way to a target (N,) USD as the caps allow."""

    target_usd: FloatArray

    def plan(self, model: HedgeModel) -> Plan | Unsolved:
        """Hedges in lots; standing still where no part of the way is allowed."""
        wanted = _worth_moving(model.current, _within_symbols(model, self.target_usd))
        hedge = nearest_lots(model, wanted)
        whole = _allowed(model, hedge[None])[0]
        if not whole:
            ways = model.current + _PARTS[:, None] * (wanted - model.current)
            hedges = np.array([nearest_lots(model, way) for way in ways])
            hedge = hedges[int(np.argmax(_allowed(model, hedges)))]
        relaxed = Relaxed(
            wanted,
            float(model.objective_usd(wanted)),
            np.zeros(len(model.caps.names)),
            "by rule" if whole else "by rule, cut by caps",
        )
        return Plan(Lots(hedge, float(model.objective_usd(hedge))), relaxed, relaxed.status)


def _allowed(model: HedgeModel, hedges: FloatArray) -> NDArray[np.bool_]:
    """(M,) of each of (M, N): the trades end as far inside the caps as they should, or no cap is
    further exceeded than now."""
    no_worse = np.maximum(model.aim, model.caps.values(model.current))
    over = excess(model.caps.values(hedges), no_worse)
    return np.asarray(np.max(over, axis=1, initial=0.0) == 0)


def _within_symbols(model: HedgeModel, target: FloatArray) -> FloatArray:
    """The target within bounds, and within the caps on a token and on a single trade."""
    caps = model.caps
    low, high = model.lower, model.upper
    if caps.has_token:
        limit = model.aim[caps.blocks["token"]]
        low, high = np.maximum(low, -limit - model.bot), np.minimum(high, limit - model.bot)
    if caps.has_trade:
        limit = caps.limits[caps.blocks["trade"]]
        low, high = np.maximum(low, model.current - limit), np.minimum(high, model.current + limit)
    return np.where(low <= high, np.clip(target, low, high), model.current)


def _largest(model: HedgeModel, target: FloatArray) -> FloatArray:
    """The target in as few symbols as may be open: its largest, scaled to the same total of |h|.

    Among equals those that are open stay, so that no day's prices choose anew.
    """
    most = model.most_legs
    if most is None:
        return target
    stays = (model.lower == model.upper) & (model.current != 0)  # what could not be closed
    most = max(most - int(np.count_nonzero(stays)), 0)
    if np.count_nonzero(target) <= most:
        return target
    order = np.lexsort((-np.abs(model.current), -np.abs(target)))
    few = np.zeros_like(target)
    few[order[:most]] = target[order[:most]]
    total = float(np.sum(np.abs(few)))
    return few * (float(np.sum(np.abs(target))) / total) if total > 0 else few


def _worth_moving(current: FloatArray, target: FloatArray) -> FloatArray:
    """The target, but the hedge now where it is near enough."""
    near = np.abs(target - current) <= LEFT_ALONE * np.abs(target)
    return np.where(near, current, target)
