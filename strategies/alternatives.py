"""What else could be done, and why it is not: weighed all at once, without a solver."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from strategies.caps import excess
from strategies.inputs import HedgeFacts
from strategies.lots import nearest_lots
from strategies.model import HedgeModel
from strategies.proposal import Alternative

_TOLD = 3
_HAIR = 1e-6  # of the unit of money: so little makes no difference
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
    hedges = nearest_lots(model, np.stack([hedge for _, _, hedge in found]))
    hedges = np.vstack([hedges, target_usd])
    values = model.caps.values(hedges)
    broken = excess(values, np.maximum(model.caps.limits, values[-1]))
    broken = np.where(broken > _HAIR * model.unit_usd, broken, 0.0)
    objective = model.objective_usd(hedges)
    order = np.lexsort((objective, np.sum(broken, axis=1)))
    told, seen, kinds = list[Alternative](), [target_usd], set[str]()
    for i in order.tolist():
        if i == len(found) or found[i][0] in kinds:
            continue
        if any(np.allclose(hedges[i], one, rtol=0.0, atol=1e-6) for one in seen):
            continue
        seen.append(hedges[i])
        kinds.add(found[i][0])
        told.append(_alternative(model, found[i][1], hedges[[i, -1]], broken[i]))
        if len(told) == _TOLD:
            break
    return tuple(told)


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

        s = −(dᵀΣp + c/2w) / dᵀΣd,   w = λτ/2E

    c is what a dollar of it costs over the horizon beside risk; where w is 0 it is left out, and
    where costs are above what is gained s is 0.
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


def _alternative(
    model: HedgeModel, name: str, hedges: FloatArray, broken: FloatArray
) -> Alternative:
    """One alternative and the proposal, (2, N), in figures and words."""
    held = model.bot + hedges[0]
    objective = model.objective_usd(hedges)
    trade = np.abs(hedges - model.current)
    costs = model.costs
    once = trade @ (costs.fee + costs.half_spread) + trade**1.5 @ costs.impact_per_root_usd
    return Alternative(
        name=name,
        objective_usd=float(objective[0]),
        volatility_daily_usd=float(np.sqrt(max(float(held @ model.covariance @ held), 0.0))),
        trade_cost_usd=float(once[0]),
        reason=_reason(model, hedges, objective, broken),
    )


def _reason(
    model: HedgeModel, hedges: FloatArray, objective: FloatArray, broken: FloatArray
) -> str:
    if np.any(broken):
        worst = int(np.lexsort((broken, model.caps.tiers * (broken > 0)))[-1])
        scope = model.caps.scopes[worst]
        where = f" of {scope}" if scope else ""
        return f"breaks {model.caps.names[worst]}{where} by {broken[worst]:,.2f} USD"
    cost = model.costs.objective_usd(hedges, hedges - model.current)
    dearer = float(cost[0] - cost[1])
    riskier = float((objective - cost)[0] - (objective - cost)[1])
    worse = dearer + riskier
    if worse <= 0:
        more = int(np.subtract(*np.count_nonzero(hedges != model.current, axis=1)))
        if more > 0:
            return f"better by {-worse:,.2f} USD, too little for {more} more trades"
        return f"better by {-worse:,.2f} USD, but not found by the search of lots"
    if dearer > 0 and riskier < 0:
        return f"costs {dearer:,.2f} USD more and takes away only {-riskier:,.2f} USD more of risk"
    if dearer < 0:
        return f"saves {-dearer:,.2f} USD of cost and leaves {riskier:,.2f} USD more of risk"
    return f"costs {dearer:,.2f} USD more and leaves {riskier:,.2f} USD more of risk"
