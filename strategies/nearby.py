"""Solutions of problems a little different from a solved one, by one step instead of a solver.

At the solution the trades that are made, and the caps that bind, tell what the next problem looks
like as long as both stay the same: a quadratic with equations, whose optimum is one linear system
away (a Newton step on the active set; Nocedal, Wright 2006, §16.1). It is used to leave a trade out
and to keep some distance from the caps. Nothing relies on the step being right: what comes of it
is rounded to lots and judged in exact numbers, and the solver is asked where that is not enough.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from risk.book import FloatArray
from strategies.caps import excess
from strategies.certificate import cap_slopes
from strategies.model import HedgeModel
from strategies.solution import Relaxed

_NOTHING = 1e-6  # of the unit of money: what a solver leaves of no trade
_TURNS = 8
_SOFT = 1e-9  # keeps caps that say the same from making the system singular


@dataclass(frozen=True, slots=True)
class Nearby:
    """One solved problem, to step from; made by ``nearby``.

    Attributes:
        model, limits, relaxed: the problem, its limits (C,) USD and its solution.
        trade: (N,) USD, 0 where the solver left next to nothing.
        free: (N,) trades that are neither 0 nor held by a bound.
        hessian: (N, N) of J.
        rows: caps with a price.
        slopes: (R, N) of those caps.
    """

    model: HedgeModel
    limits: FloatArray
    relaxed: Relaxed
    trade: FloatArray
    free: NDArray[np.bool_]
    hessian: FloatArray
    rows: NDArray[np.int64]
    slopes: FloatArray

    def stepped(self, left_out: NDArray[np.int64], inside: FloatArray) -> FloatArray | None:
        """Hedges (N,) without the trades ``left_out`` and ``inside`` (R,) USD below the caps.

        None where the caps cannot be kept by the trades that remain, or the equations not solved.
        """
        free, slopes = self.free.copy(), self.slopes
        free[left_out] = False
        gone = np.zeros(len(free))
        gone[left_out] = -self.trade[left_out]
        count, rows = int(np.count_nonzero(free)), len(self.rows)
        if count < max(rows, 1):
            return None
        system = np.zeros((count + rows, count + rows))
        system[:count, :count] = self.hessian[np.ix_(free, free)]
        # Slopes in units of the curvature, so that the softening is small beside either.
        scale = np.sqrt(float(np.trace(system)) / count)
        system[count:, :count] = scale * slopes[:, free]
        system[:count, count:] = system[count:, :count].T
        system[count:, count:] = -_SOFT * np.eye(rows)
        wanted = np.concatenate([-(self.hessian @ gone)[free], scale * (-inside - slopes @ gone)])
        step = gone
        try:
            step[free] = np.linalg.solve(system, wanted)[:count]
        except np.linalg.LinAlgError:
            return None
        trade = self.trade + step
        if not np.all(np.isfinite(trade)):
            return None
        trade[trade * self.trade <= 0] = 0.0
        model = self.model
        moved: FloatArray = np.clip(model.current + trade, model.lower, model.upper)
        return moved

    def without(self, trades: NDArray[np.int64]) -> tuple[FloatArray, NDArray[np.int64]] | None:
        """Hedges (N,) without ``trades``, and without those that would turn round for it."""
        gone, flush = trades, np.zeros(len(self.rows))
        for _ in range(_TURNS):
            hedge = self.stepped(gone, flush)
            if hedge is None:
                return None
            turned = np.flatnonzero((self.trade != 0) & (hedge == self.model.current))
            more = np.union1d(gone, turned)
            if len(more) == len(gone):
                return hedge, gone
            gone = more
        return None

    def cost_usd(self, hedge_usd: FloatArray) -> float:
        """J at hedges (N,) and what its excess over the caps is worth at their prices."""
        over = excess(self.model.caps.values(hedge_usd), self.limits)
        return float(self.model.objective_usd(hedge_usd) + self.relaxed.duals @ over)


def nearby(model: HedgeModel, limits: FloatArray, relaxed: Relaxed) -> Nearby | None:
    """The place to step from; None where J is not smooth and curved in the trades that are made."""
    if model.risk_per_usd == 0 or model.tail is not None or len(model.other_roots):
        return None
    nothing = _NOTHING * model.unit_usd
    hedge, trade = relaxed.hedge_usd, relaxed.hedge_usd - model.current
    trade = np.where(np.abs(trade) > nothing, trade, 0.0)
    free = (trade != 0) & (hedge > model.lower + nothing) & (hedge < model.upper - nothing)
    rows = np.flatnonzero(relaxed.duals > 0)
    return Nearby(
        model=model,
        limits=limits,
        relaxed=relaxed,
        trade=trade,
        free=free,
        hessian=_hessian(model, hedge, trade),
        rows=rows,
        slopes=_slopes(model, hedge, trade, rows),
    )


def _hessian(model: HedgeModel, hedge: FloatArray, trade: FloatArray) -> FloatArray:
    curved = model.covariance
    if model.uncertainty > 0:
        signed = model.volatility * np.sign(model.bot + hedge)
        curved = curved + model.uncertainty * np.outer(signed, signed)
    hessian: FloatArray = 2.0 * model.risk_per_usd * curved
    impact = model.costs.weights[-1]
    if impact is not None:
        size = np.maximum(np.abs(trade), model.smallest_trade_usd)
        hessian = hessian + np.diag(0.75 * impact / np.sqrt(size))
    return hessian


def _slopes(
    model: HedgeModel, hedge: FloatArray, trade: FloatArray, rows: NDArray[np.int64]
) -> FloatArray:
    """(R, N) slopes of caps with |h| and |z| on the sides where they are."""
    slopes = np.zeros((len(rows), len(hedge)))
    for i, row in enumerate(rows.tolist()):
        one = np.zeros(len(model.caps.names))
        one[row] = 1.0
        at = cap_slopes(model, hedge, one)
        slopes[i] = at.smooth + at.size * np.sign(hedge) + at.turn * np.sign(trade)
    return slopes


def near_starts(near: Nearby) -> list[FloatArray]:
    """Hedges (N,) to round to lots: the solution, it without trifles, and that inside the caps
    where some bind.

    Left out are as many of the smallest trades as raise the cost by no more than those trades must
    be worth.
    """
    model, relaxed = near.model, near.relaxed
    size = np.abs(near.trade)
    small_first = np.argsort(size, kind="stable")
    may_stay = (model.lower <= model.current) & (model.current <= model.upper)
    small_first = small_first[((size > 0) & may_stay)[small_first]]
    without, left_out = relaxed.hedge_usd, small_first[:0]
    count = _trifles(near, small_first[:-1])
    while count:
        found = near.without(small_first[:count])
        if found is not None:
            trial, gone = found
            allowed = relaxed.objective_usd + len(gone) * model.trade_worth_usd
            if near.cost_usd(trial) <= allowed:
                without, left_out = trial, gone
                break
        count = count * 3 // 4
    if not len(near.rows):
        return [relaxed.hedge_usd, without]
    inside = near.stepped(left_out, _rounding(near, left_out))
    return [relaxed.hedge_usd, without, without if inside is None else inside]


def _trifles(near: Nearby, small_first: NDArray[np.int64]) -> int:
    """How many of ``small_first`` can go before they cost more than they must be worth.

    Without the first k of trades t, with the others doing their work, J rises by ½·‖(L⁻¹t)_{≤k}‖²,
    where LLᵀ is the inverse Hessian, along the caps that bind, in this order: for every k at once.
    """
    held = np.flatnonzero(~near.free[small_first])
    order = small_first[: held[0]] if len(held) else small_first
    if not len(order):
        return 0
    try:
        pull = _pull(near, order) if len(near.rows) else _pull_beside_no_cap(near, order)
    except np.linalg.LinAlgError:
        return 0
    rise = 0.5 * np.cumsum(pull * pull)
    worth = near.model.trade_worth_usd * np.arange(1, len(order) + 1)
    pays = np.flatnonzero(rise <= worth)
    return int(pays[-1]) + 1 if len(pays) else 0


def _pull(near: Nearby, order: NDArray[np.int64]) -> FloatArray:
    """L⁻¹t."""
    lower = np.linalg.cholesky(_responses(near, order))
    return np.asarray(np.linalg.solve(lower, near.trade[order]), dtype=np.float64)


def _pull_beside_no_cap(near: Nearby, order: NDArray[np.int64]) -> FloatArray:
    """The same from the Hessian alone: H = UUᵀ with U upper has H⁻¹ = U⁻ᵀU⁻¹, so L⁻¹ is Uᵀ.

    Counted from the last to the first U is the usual lower factor; what is left in comes before.
    """
    kept = near.free.copy()
    kept[order] = False
    backward = np.concatenate([np.flatnonzero(kept), order[::-1]])
    lower, failed = lapack.dpotrf(near.hessian[backward[:, None], backward], lower=1)
    if failed:
        raise np.linalg.LinAlgError("the Hessian is not positive definite")
    pull: FloatArray = near.trade[order[::-1]] @ lower[-len(order) :, -len(order) :]
    return pull[::-1]


def _responses(near: Nearby, order: NDArray[np.int64]) -> FloatArray:
    """The inverse Hessian along the caps that bind, of free trades in ``order``; made regular."""
    free = np.flatnonzero(near.free)
    inverse = np.asarray(np.linalg.inv(near.hessian[free[:, None], free]), dtype=np.float64)
    if len(near.rows):
        slopes = near.slopes[:, free]
        across = inverse @ slopes.T
        inner = slopes @ across
        inner.flat[:: len(inner) + 1] += _SOFT * float(np.trace(inner)) / len(inner)
        inverse -= across @ np.linalg.solve(inner, across.T)
    at = np.searchsorted(free, order)
    own: FloatArray = inverse[at[:, None], at]
    own.flat[:: len(own) + 1] += _SOFT * float(np.trace(inverse)) / len(free)
    return own


def _rounding(near: Nearby, left_out: NDArray[np.int64]) -> FloatArray:
    """(R,) the most that rounding the trades that are made can add to the caps with a price."""
    moves = near.trade != 0
    moves[left_out] = False
    step = np.where(moves, 0.5 * near.model.smallest_trade_usd, 0.0)
    change: FloatArray = near.model.caps.change(step)[near.rows]
    return change
