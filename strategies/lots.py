"""From the solver's fractions to whole lots, without leaving the caps.

The caps are tightened by the most that rounding can change them, the problem is solved again and
every trade is rounded to its nearest lot: inside the caps by construction. A search of single and
paired steps then improves on it. Standing still is always a candidate. Where the tightened caps
leave nothing (books of a few hundred dollars), the untightened solution is rounded and searched.

A trade is a whole number of lots, at least the venue's minimum, or closes a hedge to exactly
zero, which may be smaller; no trade turns a hedge round.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from strategies.caps import excess
from strategies.model import WHOLE, HedgeModel

_ROUNDS = 60
_STRIDES = np.outer((1.0, 4.0, 16.0, 64.0), (-1.0, 1.0)).ravel()  # lots, down and up
_ONE_LOT = np.array([-1.0, 1.0])
_PAIR_ROUNDS = 4
_MOST_PAIRS = 8_000
_HAIR = 1e-4  # of the unit of money, a millionth of the book: so little over a cap is nothing
_TIER_WEIGHT = 1e3  # a dollar over a stricter cap counts so much more in the search


@dataclass(frozen=True, slots=True)
class Lots:
    """Hedges in whole lots.

    Attributes:
        hedge_usd: (N,) after the trades; exactly the current hedges where nothing is better.
        objective_usd: J there.
        over_usd: over the limits they were looked for in, the stricter caps weighing more; NaN
            where there were none.
    """

    hedge_usd: FloatArray
    objective_usd: float
    over_usd: float = math.nan


def tightened(model: HedgeModel, limits: FloatArray, share: float = 1.0) -> FloatArray | None:
    """Limits (C,) within which any solution can be rounded to lots inside ``limits``.

    Every hedge that may move is off by at most half of its smallest trade. A cap on trades that
    is tighter than that becomes 0, for no trade needs no rounding; None when another cap is.
    ``share`` of the margin is left; below 1 rounding is likely to stay inside, not certain.
    """
    step = np.where(model.upper > model.lower, 0.5 * share * model.smallest_trade_usd, 0.0)
    tight = limits - model.caps.change(step)
    blocks = model.caps.blocks
    for name in ("turnover", "trade"):
        tight[blocks[name]] = np.maximum(tight[blocks[name]], 0.0)
    return None if np.any(tight < 0) else tight


def nearest_lots(model: HedgeModel, hedge_usd: FloatArray) -> FloatArray:
    """Hedges (..., N) USD that whole-lot trades reach, each nearest to ``hedge_usd`` (..., N)."""
    trade = hedge_usd - model.current
    lots, least = np.abs(trade) / model.lot_usd, model.smallest_trade_usd / model.lot_usd
    whole = np.where(lots < least, np.where(lots < 0.5 * least, 0.0, least), np.rint(lots))
    rounded = model.current + np.sign(trade) * whole * model.lot_usd
    shrinking = trade * model.current < 0
    nearer_closed = np.abs(hedge_usd) <= np.abs(hedge_usd - rounded)
    rounded = _zero_is_zero(model, np.where(shrinking & nearer_closed, 0.0, rounded))
    return np.where(_allowed(model, rounded), rounded, model.current)


def best_lots(
    model: HedgeModel,
    limits: FloatArray,
    starts: Sequence[FloatArray] | FloatArray,
    enough_usd: float = -math.inf,
) -> Lots:
    """The best hedge in lots that a bounded search from the best of ``starts`` (each (N,)) finds.

    Best is: no cap made worse, then least over ``limits`` (C,), then least J with every trade
    charged what it must be worth. Standing still is always a candidate, and wins unless a cap is
    brought closer or J lowered by more than the trades must be worth. A start inside the limits
    that costs at most ``enough_usd``, trades charged, is only rid of trades that are not worth it.
    """
    judge = _Judge(model, limits)
    still, found = judge.still(), judge.best(np.asarray(starts))
    if found.worse or found.over or found.charged_usd > enough_usd:
        found = judge.searched(found)
    else:
        found = judge.without_idle(found)
    cures = found.over < still.over - _HAIR * model.unit_usd
    pays = found.over <= still.over and found.charged_usd < still.charged_usd
    # Hedges that must be closed leave no choice, as when there may be only so many of them.
    must = cures or pays or not _allowed(model, model.current).all()
    best = found if must and found.worse == 0 else still
    return Lots(best.hedge_usd, best.objective_usd, best.over)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Hedges (N,), and what counts against them, first things first; lower is better.

    Attributes:
        worse: USD by which caps are made worse.
        over: USD over the limits, weighted.
        charged_usd: J with the worth of every trade.
        objective_usd: J.
    """

    hedge_usd: FloatArray
    worse: float
    over: float
    charged_usd: float
    objective_usd: float

    def beats(self, other: "_Judged") -> bool:
        mine = (self.worse, self.over, self.charged_usd)
        return mine < (other.worse, other.over, other.charged_usd)


class _Judge:
    """Compares hedges of one decision, many at a time."""

    def __init__(self, model: HedgeModel, limits: FloatArray) -> None:
        self._model, self._limits = model, limits
        # None where no cap is exceeded, so that the limits say it all.
        now = model.caps.now
        self._no_worse = None if (now <= limits).all() else np.maximum(limits, now)
        self._weights = _TIER_WEIGHT ** (model.caps.tiers - 1.0)

    def still(self) -> _Judged:
        """No trade, by which no cap is made worse."""
        model, objective = self._model, self._model.objective_now_usd
        over = float(excess(model.caps.now, self._limits) @ self._weights)
        return _Judged(model.current, 0.0, over, objective, objective)

    def best(self, hedges: FloatArray) -> _Judged:
        """The best of (M, N); the first among equals."""
        values = self._model.caps.values(hedges)
        beyond = excess(values, self._limits)
        over = beyond @ self._weights
        worse = (beyond if self._no_worse is None else excess(values, self._no_worse)).sum(axis=-1)
        objective = self._model.objective_usd(hedges)
        charged = objective + self._worth(hedges)
        best = int(np.lexsort((charged, over, worse))[0])
        marks = (float(mark[best]) for mark in (worse, over, charged, objective))
        return _Judged(hedges[best], *marks)

    def _worth(self, hedges: FloatArray) -> FloatArray:
        """(M,) what the trades of each of (M, N) must be worth, USD."""
        trades: FloatArray = (hedges != self._model.current).sum(axis=-1)
        return self._model.trade_worth_usd * trades

    def searched(self, start: _Judged) -> _Judged:
        """Walk from ``start`` as long as a step in one symbol improves it, else in two.

        Symbols are dropped or closed outright only after that: the same leap earlier would cure
        a dollar over one cap by giving up a whole leg.
        """
        here, pairs_left, leaping = start, _PAIR_ROUNDS, False
        for _ in range(_ROUNDS):
            there = self._step(here, self._singles(here.hedge_usd, leaping=leaping))
            if there is None and pairs_left:
                pairs_left -= 1
                there = self._step(here, self._pairs(here.hedge_usd))
            if there is None:
                if leaping:
                    break
                leaping = True
                continue
            here = there
        return here

    def without_idle(self, here: _Judged) -> _Judged:
        """Leave out trades one by one as long as each is worth less than it must be."""
        current = self._model.current
        for _ in range(_ROUNDS):
            trades = np.flatnonzero(here.hedge_usd != current)
            fewer = np.repeat(here.hedge_usd[None], len(trades), axis=0)
            fewer[np.arange(len(trades)), trades] = current[trades]
            there = self._step(here, fewer)
            if there is None:
                break
            here = there
        return here

    def _step(self, here: _Judged, candidates: FloatArray) -> _Judged | None:
        """The best of ``candidates`` (M, N) where it beats ``here``."""
        if here.worse == 0 and here.over == 0:  # then only a lower J beats it, quickly told
            charged = self._model.objective_usd(candidates) + self._worth(candidates)
            candidates = candidates[charged < here.charged_usd]
        if not len(candidates):
            return None
        there = self.best(candidates)
        return there if there.beats(here) else None

    def _singles(self, here: FloatArray, *, leaping: bool) -> FloatArray:
        """Every hedge that differs in one symbol: some lots up or down, or no trade, or closed."""
        ends = _stepped(self._model, here, _STRIDES)
        if leaping:
            ends = np.vstack([ends, self._model.current, np.zeros_like(here)])
        movable = self._model.movable
        end, at = np.nonzero(ends[:, movable] != here[movable])
        symbols = movable[at]
        candidates = np.repeat(here[None], len(symbols), axis=0)
        candidates[np.arange(len(symbols)), symbols] = ends[end, symbols]
        return candidates

    def _pairs(self, here: FloatArray) -> FloatArray:
        """Every hedge that differs by a step in each of two symbols, if they are not too many."""
        movable = self._model.movable
        count = len(movable)
        if count < 2 or 2 * count * (count - 1) > _MOST_PAIRS:
            return np.empty((0, len(here)))
        first, second = (movable[i] for i in np.triu_indices(count, k=1))
        rows = np.arange(len(first))
        steps = _stepped(self._model, here, _ONE_LOT)
        candidates = []
        for end in steps:
            once = np.repeat(here[None], len(rows), axis=0)
            once[rows, first] = end[first]
            for other in steps:
                twice = once.copy()
                twice[rows, second] = other[second]
                candidates.append(twice)
        return np.vstack(candidates)


def _stepped(model: HedgeModel, here: FloatArray, steps: FloatArray) -> FloatArray:
    """(S, N) hedges with every trade some lots further, as each of ``steps`` (S,) says.

    Where that is not allowed, as ``here``. Trades below the minimum are stepped over, and a step
    that would cross zero closes.
    """
    sign, lots = np.sign(steps)[:, None], np.abs(steps)[:, None]
    trade = (here - model.current) / model.lot_usd
    least = model.smallest_trade_usd / model.lot_usd
    up = np.floor(sign * trade + WHOLE) + lots  # in lots, counted along sign
    too_small = np.abs(up) < least - WHOLE
    up = np.where(too_small, np.where(up <= 0.0, 0.0, least), up)
    there = model.current + sign * up * model.lot_usd
    there = np.where(up == 0.0, model.current, there)
    crosses = (model.current != 0) & (there * model.current <= 0)
    there = _zero_is_zero(model, np.where(crosses, 0.0, there))
    return np.where(_allowed(model, there), there, here)


def _zero_is_zero(model: HedgeModel, hedge_usd: FloatArray) -> FloatArray:
    """Exactly 0 what floating point leaves of a hedge that was closed in whole lots."""
    return np.where(np.abs(hedge_usd) < WHOLE * model.lot_usd, 0.0, hedge_usd)


def _allowed(model: HedgeModel, hedge_usd: FloatArray) -> NDArray[np.bool_]:
    """(N,) within the bounds, to a hair of a lot."""
    slack = WHOLE * model.lot_usd
    return (hedge_usd >= model.lower - slack) & (hedge_usd <= model.upper + slack)
