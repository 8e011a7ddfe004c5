"""How a model becomes hedges in lots: solved, rid of trifles, rounded; caps eased where they must.

Everything between the exact numbers of one decision and the hedges that answer it; what they mean
in words and money is told elsewhere.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from strategies.conflict import minimal_conflict
from strategies.easing import ROOM_FOR_THE_SOLVER, eased_limits, loosened
from strategies.lean import LeanFirst
from strategies.legs import NotFound, limited_legs
from strategies.lots import Lots, best_lots, nearest_lots, tightened
from strategies.model import HedgeModel
from strategies.nearby import near_starts, nearby
from strategies.shape import Shape, shape_of
from strategies.sides import best_single_trade
from strategies.solution import LeastSlack, Relaxed, Solves, Unsolved
from strategies.standing import standing_prices
from strategies.trifles import without_trifles

_MOST_COMPILED = 16
_GAP = 0.01
_MARGIN_SHARES = (1.0, 0.2, 0.02)
"""How much of the certain margin for rounding to leave, tried in this order."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was found: hedges in lots, the solution before rounding, and how it came about.

    ``conflict`` has the rows of caps that cannot all hold, where some had to give way; else None.
    """

    lots: Lots
    relaxed: Relaxed
    status: str
    conflict: NDArray[np.int64] | None = None


class Plans(Protocol):
    """Anything that finds a plan for a model."""

    def plan(self, model: HedgeModel) -> Plan | Unsolved:
        """Hedges in lots for a model in which some symbol may move, or why there are none."""
        ...


class Planner:
    """Finds plans; keeps compiled problems, so not to be shared by threads."""

    def __init__(self) -> None:
        self._hard: dict[Shape, LeanFirst] = {}
        self._elastic: dict[Shape, LeastSlack] = {}

    def plan(self, model: HedgeModel) -> Plan | Unsolved:
        """Hedges in lots for a model in which some symbol may move, or why there are none."""
        prices = None if _too_many_legs(model) else standing_prices(model, model.aim)
        if prices is not None:
            return _standing(model, prices)
        problem = self._hard_problem(shape_of(model))
        limits, relaxed = _within_caps(problem, model)
        conflict = None
        eased = isinstance(relaxed, Unsolved)
        if isinstance(relaxed, Unsolved):
            elastic = self._elastic_problem(shape_of(model))
            least = eased_limits(elastic, model)
            if isinstance(least, Unsolved):
                return least
            if np.array_equal(least, limits):  # the caps can be met: it was the solver that failed
                return Unsolved(infeasible=False, status=relaxed.status)
            for room in ROOM_FOR_THE_SOLVER:
                limits = loosened(least, model, room)
                relaxed = problem.solve(model, limits)
                if isinstance(relaxed, Relaxed):
                    break
            else:
                return Unsolved(infeasible=False, status=relaxed.status)
            conflict = minimal_conflict(elastic, model)
        if not eased and model.most_legs is None:
            lots = _from_nearby(model, limits, relaxed)
            if lots is not None:
                return Plan(lots, relaxed, relaxed.status)
        model, relaxed, few = _few_legs(problem, model, limits, relaxed)
        fewer, sparse = without_trifles(problem, model, limits, relaxed)
        starts = [nearest_lots(model, found.hedge_usd) for found in (relaxed, sparse)]
        note = ", caps eased" if eased else ""
        if not eased:
            guarded = _guarded(problem, fewer, limits)
            starts += [nearest_lots(model, hedge) for hedge in guarded.hedges]
            note = "" if guarded.certain else ", rounded without margin"
        lots = _from_anywhere(model, limits, starts)
        return Plan(lots, relaxed, relaxed.status + note + few, conflict)

    def _hard_problem(self, shape: Shape) -> Solves:
        if shape not in self._hard:
            _make_room(self._hard)
            self._hard[shape] = LeanFirst(shape)
        return self._hard[shape]

    def _elastic_problem(self, shape: Shape) -> LeastSlack:
        if shape not in self._elastic:
            from strategies.elastic import ElasticProblem  # takes a second: only where needed

            _make_room(self._elastic)
            self._elastic[shape] = ElasticProblem(shape)
        return self._elastic[shape]


def closed(model: HedgeModel, target: FloatArray) -> Plan:
    """The plan to close hedges down to ``target`` (N,), for which no solver is needed."""
    objective = float(model.objective_usd(target))
    prices = np.zeros(len(model.caps.names))
    relaxed = Relaxed(target, objective, prices, "closed without a solver")
    return Plan(Lots(target, objective), relaxed, relaxed.status)


def _standing(model: HedgeModel, prices: FloatArray) -> Plan:
    objective = model.objective_now_usd
    relaxed = Relaxed(model.current, objective, prices, "no trade, certified without a solver")
    return Plan(Lots(model.current, objective), relaxed, relaxed.status)


def _from_nearby(model: HedgeModel, limits: FloatArray, relaxed: Relaxed) -> Lots | None:
    """Lots found without solving again; None unless they are inside the caps and as good as best.

    As good as best: no hedge inside the caps, in lots or not, beats J by more than a hundredth of
    what is gained, and what the trades must be worth.
    """
    near = nearby(model, limits, relaxed)
    if near is None:
        return None
    hedges = near_starts(near)
    starts = nearest_lots(model, np.array(hedges))
    # Rounding that costs less than half of what a trade must be worth leaves nothing to search for.
    # Trades count as they are in lots: what rounds to nothing is no trade, and allows for none.
    trades = np.count_nonzero(starts != model.current, axis=1)
    enough = near.cost_usd(hedges[1]) + (float(trades[1]) + 0.5) * model.trade_worth_usd
    lots = best_lots(model, limits, starts, enough_usd=enough)
    if np.array_equal(lots.hedge_usd, model.current):
        # Many trades each worth a little leave nothing together; one of them alone may still pay.
        single = best_single_trade(model)
        if single is not None:
            lots = best_lots(model, limits, nearest_lots(model, single)[None])
    if lots.over_usd != 0:  # what is not a number is not inside
        return None
    gained = abs(model.objective_now_usd - relaxed.objective_usd)
    fewer = int(trades[0]) - int(np.count_nonzero(lots.hedge_usd != model.current))
    allowed = _GAP * gained + model.trade_worth_usd * max(fewer, 0)
    return lots if lots.objective_usd - relaxed.objective_usd <= allowed else None


def _from_anywhere(model: HedgeModel, limits: FloatArray, starts: list[FloatArray]) -> Lots:
    """The best lots near the solutions; where none is better than no trade, near no trade.

    Rounding may have led over a cap that steps of lots do not lead back from, and a dozen trades
    may gain less than they must be worth where one of them gains more.
    """
    lots = best_lots(model, limits, starts)
    if not np.array_equal(lots.hedge_usd, model.current):
        return lots
    return best_lots(model, limits, [model.current])


@dataclass(frozen=True, slots=True)
class _Guarded:
    """Hedges that leave room for rounding; ``certain`` when rounding cannot leave the caps."""

    hedges: list[FloatArray]
    certain: bool


def _within_caps(problem: Solves, model: HedgeModel) -> tuple[FloatArray, Relaxed | Unsolved]:
    """Limits (C,) USD and the solution within: a little inside the caps, else at the caps."""
    limits = model.aim
    solved = problem.solve(model, limits)
    if isinstance(solved, Unsolved) and not np.array_equal(limits, model.caps.limits):
        limits = model.caps.limits
        solved = problem.solve(model, limits)
    return limits, solved


def _too_many_legs(model: HedgeModel) -> bool:
    most = model.most_legs
    return most is not None and int(np.count_nonzero(model.current)) > most


def _few_legs(
    problem: Solves, model: HedgeModel, limits: FloatArray, relaxed: Relaxed
) -> tuple[HedgeModel, Relaxed, str]:
    """The same with no more legs than may be, and what is to be said of it."""
    if model.most_legs is None:
        return model, relaxed, ""
    few = limited_legs(problem, model, limits, relaxed, model.most_legs)
    if isinstance(few, NotFound):
        why = "needed" if few.proven else "used: none of so few was found before the search ended"
        return model, relaxed, f", more than {model.most_legs} legs {why}"
    sure = few.gap_usd <= 0.0
    return few.model, few.relaxed, "" if sure else f", legs within {few.gap_usd:,.4f} USD of best"


def _guarded(problem: Solves, model: HedgeModel, limits: FloatArray) -> _Guarded:
    """Solve within tightened caps, with less margin where the whole margin leaves nothing."""
    for share in _MARGIN_SHARES:
        tight = tightened(model, limits, share)
        solved = None if tight is None else problem.solve(model, tight)
        if isinstance(solved, Relaxed):
            return _Guarded([solved.hedge_usd], certain=share == 1.0)
    return _Guarded([], certain=False)


def _make_room(compiled: dict[Shape, LeanFirst] | dict[Shape, LeastSlack]) -> None:
    """Drop the oldest problem before one too many is kept."""
    if len(compiled) >= _MOST_COMPILED:
        del compiled[next(iter(compiled))]
