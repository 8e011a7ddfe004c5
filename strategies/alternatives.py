"""What else could be done, and why it is not: weighed all at once, without a solver."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from strategies.caps import excess
from strategies.inputs import HedgeFacts
from strategies.lots import nearest_lots
from strategies.model import HedgeModel
from strategies.proposal import Alternative

_TOLD = 3
_HAIR = 1e-6  # of the unit of money: so little over a cap is nothing
_SAME_TRADES = 1e-6  # USD
_CENT = 0.01  # USD
_Candidate = tuple[str, str, FloatArray]  # kind, name, hedges


def alternatives(
    facts: HedgeFacts, model: HedgeModel, target_usd: FloatArray, relaxed_usd: FloatArray
) -> tuple[Alternative, ...]:
    """The three best, the best first, at most one of each kind.

    Those that break no cap further than the proposal does come first, by J; then those that do,
    by how much. The proposal itself and what comes down to the same trades are left out.

    Args:
        target_usd: (N,) hedges of the proposal.
        relaxed_usd: (N,) hedges of the solution before rounding.
    """
    found = list(_candidates(facts, model, target_usd, relaxed_usd))
    hedges = np.vstack([[hedge for _, _, hedge in found], target_usd])
    hedges[:-1] = nearest_lots(model, hedges[:-1])
    weighed = _weigh(model, hedges)
    told, kinds, seen = list[Alternative](), set[str](), {len(found)}
    for i in np.lexsort((weighed.objective, weighed.over)).tolist():
        if i == len(found) or found[i][0] in kinds or weighed.same(i, seen):
            continue
        seen.add(i)
        kinds.add(found[i][0])
        told.append(weighed.told(i, found[i][1]))
        if len(told) == _TOLD:
            break
    return tuple(told)


@dataclass(frozen=True, slots=True)
class _Weighed:
    """Candidates and, last, the proposal: M of them, arrays (M,) in USD unless said.

    Attributes:
        hedges: (M, N).
        broken: (M, C) how far each goes over a cap beyond what the proposal does; ``over`` summed.
        objective, cost: J, and its terms beside risk.
        once: what trading costs once.
        volatility: daily.
    """

    model: HedgeModel
    hedges: FloatArray
    broken: FloatArray
    over: FloatArray
    objective: FloatArray
    cost: FloatArray
    once: FloatArray
    volatility: FloatArray

    def same(self, i: int, others: set[int]) -> bool:
        """It comes down to one of the others: the same trades, or as good to a cent."""
        rows = sorted(others)
        if np.any(np.max(np.abs(self.hedges[rows] - self.hedges[i]), axis=1) <= _SAME_TRADES):
            return True
        return self.over[i] == 0 and abs(float(self.objective[i] - self.objective[-1])) < _CENT

    def told(self, i: int, name: str) -> Alternative:
        return Alternative(
            name=name,
            objective_usd=float(self.objective[i]),
            volatility_daily_usd=float(self.volatility[i]),
            trade_cost_usd=float(self.once[i]),
            reason=self._broken(i) if self.over[i] > 0 else self._dearer(i),
        )

    def _broken(self, i: int) -> str:
        caps, broken = self.model.caps, self.broken[i]
        worst = int(np.lexsort((broken, caps.tiers * (broken > 0)))[-1])
        where = f" of {caps.scopes[worst]}" if caps.scopes[worst] else ""
        return f"breaks {caps.names[worst]}{where} by {broken[worst]:,.2f} USD"

    def _dearer(self, i: int) -> str:
        dearer = float(self.cost[i] - self.cost[-1])
        riskier = float(self.objective[i] - self.objective[-1]) - dearer
        if dearer + riskier <= 0:
            better = f"better by {-dearer - riskier:,.2f} USD"
            trades = np.count_nonzero(self.hedges[[i, -1]] != self.model.current, axis=1)
            more = int(trades[0] - trades[1])
            if more > 0:
                return f"{better}, too little for {more} more trades"
            return f"{better}, but no step of the search of lots leads there"
        if dearer > 0 and riskier < 0:
            return f"costs {dearer:,.2f} USD more, takes away only {-riskier:,.2f} USD more of risk"
        if dearer < 0:
            return f"saves {-dearer:,.2f} USD of cost, leaves {riskier:,.2f} USD more of risk"
        return f"costs {dearer:,.2f} USD more, leaves {riskier:,.2f} USD more of risk"


def _weigh(model: HedgeModel, hedges: FloatArray) -> _Weighed:
    costs, held, trades = model.costs, model.bot + hedges, hedges - model.current
    values, size = model.caps.values(hedges), np.abs(trades)
    broken = excess(values, np.maximum(model.caps.limits, values[-1]))
    broken[broken <= _HAIR * model.unit_usd] = 0.0
    return _Weighed(
        model,
        hedges,
        broken,
        np.sum(broken, axis=1),
        model.objective_usd(hedges),
        costs.objective_usd(hedges, trades),
        size @ (costs.fee + costs.half_spread) + size**1.5 @ costs.impact_per_root_usd,
        np.sqrt(np.maximum(np.sum((held @ model.covariance) * held, axis=1), 0.0)),
    )


def _candidates(
    facts: HedgeFacts, model: HedgeModel, target_usd: FloatArray, relaxed_usd: FloatArray
) -> Iterator[_Candidate]:
    current, trade = model.current, target_usd - model.current
    yield "stay", "no trade", current
    yield "close", "close all hedges", np.clip(0.0, model.lower, model.upper)
    yield "half", "half of the trades", current + 0.5 * trade
    yield "rounding", "the unrounded solution, rounded", relaxed_usd
    for i in np.flatnonzero(trade).tolist():
        without = target_usd.copy()
        without[i] = current[i]
        yield "drop", f"without {facts.symbols[i]}", without
    movable = (model.upper > model.lower) & facts.may_hedge
    for i in np.flatnonzero(movable & ~facts.in_sector).tolist():
        yield "benchmark", f"{facts.symbols[i]} alone", _scaled(model, _unit(i, len(current)))
    tokens = np.flatnonzero(movable & facts.in_sector)
    if len(tokens):
        best = _best_single(model, tokens)
        yield "single", f"{facts.symbols[best]} alone", _scaled(model, _unit(best, len(current)))
        basket = np.zeros(len(current))
        basket[tokens] = 1.0 / len(tokens)
        yield "basket", "the sector's other tokens in equal parts", _scaled(model, basket)


def _unit(i: int, n: int) -> FloatArray:
    row = np.zeros(n)
    row[i] = 1.0
    return row


def _best_single(model: HedgeModel, tokens: NDArray[np.intp]) -> int:
    """The token that alone takes away most variance at its best size: (Σp)_i² / Σ_ii."""
    pull = model.covariance[tokens] @ model.bot
    return int(tokens[np.argmax(pull**2 / np.diag(model.covariance)[tokens])])


def _scaled(model: HedgeModel, direction: FloatArray) -> FloatArray:
    """All hedges closed but one along ``direction`` d, of the size that is worth it:

        s = −sign(dᵀΣp) · max(|dᵀΣp| − c/2w, 0) / dᵀΣd,   w = λτ/2E

    c is what a dollar of it costs over the horizon beside risk; where w is 0 it is left out.
    """
    pull = float(direction @ model.covariance @ model.bot)
    side = -np.sign(pull)  # of s
    costs, size = model.costs, np.abs(direction)
    price = float(side * (costs.linear_hedge() @ direction))
    price += float((costs.absolute_hedge() + costs.linear_trade()) @ size)
    hurdle = 0.5 * price / model.risk_per_usd if model.risk_per_usd > 0 else 0.0
    amount = max(abs(pull) - hurdle, 0.0) / float(direction @ model.covariance @ direction)
    closed = np.clip(0.0, model.lower, model.upper)
    hedge: FloatArray = np.clip(closed + side * amount * direction, model.lower, model.upper)
    return hedge
