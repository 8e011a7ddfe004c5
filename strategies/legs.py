"""At most so many hedges: which symbols to hedge in when only few may be used.

The number of legs is not convex, so the problem with it is a search over subsets. Branch and bound
(Land, Doig 1960; for portfolios Bienstock 1996): a node leaves some symbols out and has promised
others a place; the problem without those left out bounds from below whatever comes of the node, and
its solution is an answer once it has few enough legs. The node with the lowest bound goes next, so
the first answer taken from the list is the best there is. A backward elimination, one leg at a
time, gives the answer to beat. The search ends after so many solves; how far the answer may then be
from the best is known from the lowest bound that is left, and told.
"""

import heapq
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from strategies.model import HedgeModel
from strategies.solution import Relaxed, Solves

_MOST_SOLVES = 400
_OPEN = 1e-5  # of the unit of money: less than this is what a solver leaves of no hedge
_SAME = 1e-5  # of the unit of money: so close to the best is the best


@dataclass(frozen=True, slots=True)
class FewLegs:
    """The problem with all but a few hedges closed, and its solution.

    Attributes:
        model: bounds of the symbols left out are 0.
        relaxed: its solution.
        gap_usd: no other choice of so few legs is better by more than this, USD of J.
    """

    model: HedgeModel
    relaxed: Relaxed
    gap_usd: float


@dataclass(frozen=True, slots=True)
class NotFound:
    """No hedge of so few legs was found; ``proven`` where there is none.

    There is none where closing the others takes more trading than the caps on trades allow, or so
    few cannot meet the caps. Nothing is proven where the search or the solver gave up.
    """

    proven: bool


def limited_legs(
    problem: Solves, model: HedgeModel, limits: FloatArray, relaxed: Relaxed, most: int
) -> FewLegs | NotFound:
    """The best hedge with at most ``most`` legs within ``limits`` (C,) USD.

    Args:
        relaxed: the solution with any number of legs.
    """
    if len(_legs(model, relaxed)) <= most:
        return FewLegs(_only(model, _legs(model, relaxed)), relaxed, 0.0)
    return _Search(problem, model, limits, most).best(relaxed)


@dataclass(frozen=True, slots=True)
class _Node:
    model: HedgeModel
    relaxed: Relaxed
    promised: frozenset[int]


class _Search:
    def __init__(self, problem: Solves, model: HedgeModel, limits: FloatArray, most: int) -> None:
        self._problem, self._limits, self._most = problem, limits, most
        self._root = model
        self._same = _SAME * model.unit_usd
        self._solves = 0
        self._failed_at = np.inf
        self._queue: list[tuple[float, int, _Node]] = []
        self._pushed = 0

    def best(self, relaxed: Relaxed) -> FewLegs | NotFound:
        best = self._eliminated(relaxed)
        self._push(_Node(self._root, relaxed, frozenset()))
        while self._queue:
            bound, _, node = self._queue[0]
            if best is not None and bound >= best.relaxed.objective_usd - self._same:
                return self._proven(best)
            if self._solves >= _MOST_SOLVES:
                return NotFound(proven=False) if best is None else self._proven(best, bound)
            heapq.heappop(self._queue)
            legs = _legs(node.model, node.relaxed)
            if len(legs) <= self._most:
                return self._proven(FewLegs(_only(node.model, legs), node.relaxed, 0.0))
            self._branch(node, legs)
        if best is None:
            return NotFound(proven=not np.isfinite(self._failed_at))
        return self._proven(best)

    def _proven(self, best: FewLegs, bound_usd: float = np.inf) -> FewLegs:
        """With how far it can be from the best: from what is left above ``bound_usd``, and from
        what came of nodes at which the solver failed, which proves nothing of them."""
        gap = best.relaxed.objective_usd - min(bound_usd, self._failed_at)
        return replace(best, gap_usd=float(gap) if gap > self._same else 0.0)

    def _branch(self, node: _Node, legs: NDArray[np.intp]) -> None:
        """Promise the largest leg that is not promised yet a place, or leave it out."""
        size = np.abs(node.relaxed.hedge_usd) * node.model.volatility
        open_legs = [i for i in legs.tolist() if i not in node.promised]
        if not open_legs:
            return  # more legs than may be are promised, or cannot be closed
        largest = max(open_legs, key=lambda i: float(size[i]))
        if _may_close(node.model, largest):
            out = _closed(node.model, [largest])
            solved = self._solve(out, node.relaxed.objective_usd)
            if solved is not None:
                self._push(_Node(out, solved, node.promised))
        promised = node.promised | {largest}
        if len(promised) < self._most:
            self._push(_Node(node.model, node.relaxed, promised))
        elif len(promised) == self._most:
            only = _only(node.model, np.array(sorted(promised)))
            solved = self._solve(only, node.relaxed.objective_usd)
            if solved is not None:
                self._push(_Node(only, solved, promised))

    def _eliminated(self, relaxed: Relaxed) -> FewLegs | None:
        """Close the leg that carries least risk, solve again, until few enough are left."""
        model, here = self._root, relaxed
        while True:
            legs = _legs(model, here)
            if len(legs) <= self._most:
                return FewLegs(_only(model, legs), here, float("inf"))
            size = np.abs(here.hedge_usd) * model.volatility
            closable = [i for i in legs.tolist() if _may_close(model, i)]
            if not closable:
                return None
            model = _closed(_only(model, legs), [min(closable, key=lambda i: float(size[i]))])
            solved = self._solve(model)
            if solved is None:
                return None
            here = solved

    def _solve(self, model: HedgeModel, bound_usd: float = np.inf) -> Relaxed | None:
        """None where nothing is allowed, or where the solver fails: then ``bound_usd`` is all
        that is known of what it might have found."""
        self._solves += 1
        solved = self._problem.solve(model, self._limits)
        if isinstance(solved, Relaxed):
            return solved
        if not solved.infeasible:
            self._failed_at = min(self._failed_at, bound_usd)
        return None

    def _push(self, node: _Node) -> None:
        self._pushed += 1
        heapq.heappush(self._queue, (node.relaxed.objective_usd, self._pushed, node))


def _legs(model: HedgeModel, relaxed: Relaxed) -> NDArray[np.intp]:
    return np.flatnonzero(np.abs(relaxed.hedge_usd) > _OPEN * model.unit_usd)


def _may_close(model: HedgeModel, i: int) -> bool:
    return bool(model.lower[i] <= 0.0 <= model.upper[i] and model.lower[i] < model.upper[i])


def _closed(model: HedgeModel, symbols: list[int]) -> HedgeModel:
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[symbols] = upper[symbols] = 0.0
    return replace(model, lower=lower, upper=upper)


def _only(model: HedgeModel, legs: NDArray[np.intp]) -> HedgeModel:
    others = np.setdiff1d(np.arange(len(model.bot)), legs)
    return _closed(model, [i for i in others.tolist() if _may_close(model, i)])
