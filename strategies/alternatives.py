"""What else could be done, and why it is not: weighed all at once, without a solver."""

from dataclasses import dataclass

import numpy as np

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
_Name = tuple[str, str]  # kind and name


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
    found, hedges = _candidates(facts, model, target_usd, relaxed_usd)
    weighed = _weigh(model, np.vstack([nearest_lots(model, hedges), target_usd]))
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
) -> tuple[list[_Name], FloatArray]:
    """Kinds and names, and the hedges of each, (M, N)."""
    current, closed = model.current, _within(model, np.zeros_like(target_usd))
    names = [
        ("stay", "no trade"),
        ("close", "close all hedges"),
        ("half", "half of the trades"),
        ("rounding", "the unrounded solution, rounded"),
    ]
    plain = [current, closed, current + 0.5 * (target_usd - current), relaxed_usd]
    traded = np.flatnonzero(target_usd != current)
    without = np.repeat(target_usd[None], len(traded), axis=0)
    without[np.arange(len(traded)), traded] = current[traded]
    names += [("drop", f"without {facts.symbols[i]}") for i in traded.tolist()]
    few, directions = _directions(facts, model)
    return names + few, np.vstack([plain, without, _scaled(model, closed, directions)])


def _directions(facts: HedgeFacts, model: HedgeModel) -> tuple[list[_Name], FloatArray]:
    """Each benchmark, the token that alone takes away most variance, all tokens in equal parts.

    A symbol at its best size takes away (Σp)_i² / Σ_ii.
    """
    movable = (model.upper > model.lower) & facts.may_hedge
    leaders, tokens = np.flatnonzero(movable & ~facts.in_sector), movable & facts.in_sector
    names = [("benchmark", f"{facts.symbols[i]} alone") for i in leaders.tolist()]
    rows = list(np.eye(len(movable))[leaders])
    if np.any(tokens):
        pull = model.covariance @ model.bot
        best = int(np.argmax(np.where(tokens, pull**2 / np.diag(model.covariance), -1.0)))
        names += [
            ("single", f"{facts.symbols[best]} alone"),
            ("basket", "the sector's other tokens in equal parts"),
        ]
        rows += [np.eye(len(movable))[best], tokens / np.count_nonzero(tokens)]
    return names, np.array(rows).reshape(len(rows), len(movable))


def _scaled(model: HedgeModel, closed: FloatArray, directions: FloatArray) -> FloatArray:
    """All hedges closed but those along each of ``directions`` d (K, N), as large as is worth it.

        s = −sign(dᵀΣp) · max(|dᵀΣp| − c/2w, 0) / dᵀΣd,   w = λτ/2E

    c is what a dollar of it costs over the horizon beside risk; where w is 0 it is left out.
    """
    covariance, costs = model.covariance, model.costs
    pull = directions @ (covariance @ model.bot)
    side = -np.sign(pull)  # of s
    price = side * (directions @ costs.linear_hedge())
    price += np.abs(directions) @ (costs.absolute_hedge() + costs.linear_trade())
    hurdle = 0.5 * price / model.risk_per_usd if model.risk_per_usd > 0 else 0.0
    curvature = np.sum((directions @ covariance) * directions, axis=1)
    size = side * np.maximum(np.abs(pull) - hurdle, 0.0) / curvature
    return _within(model, closed + size[:, None] * directions)


def _within(model: HedgeModel, hedges: FloatArray) -> FloatArray:
    bounded: FloatArray = np.minimum(np.maximum(hedges, model.lower), model.upper)
    return bounded
