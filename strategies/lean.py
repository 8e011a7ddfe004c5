"""The hedge problem without what one decision does not need, solved on dense numbers.

A hedge trades up or down from where it is, and keeps its sign: so |z| and |h| are straight lines in
the trades of either side, and the caps are too. Caps on one token or one trade are bounds, caps
that no hedge within the bounds can reach are left out, and so is the correlation-adjusted exposure
unless the solution turns out to be over its cap. A side with no room to trade is left out, and
priced afterwards. What is left is a program in the trades alone:

    minimise  w·(xᵀΣx + ρ(σᵀ|x|)²) + costs   over  h = h₀ + Σ_k s_k d_k,   0 ≤ d ≤ top

Where it does not apply (no price of risk, several windows, a tail, a book that may change its side,
a cap that cannot be met), nothing is returned, and the general problem is to be solved. What is
returned has been proven anew, from its duals and the model's own accounts: see ``proven``.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from strategies.certificate import proven
from strategies.interior import Optimum, Program, optimum
from strategies.model import HedgeModel
from strategies.pivoting import pivoted
from strategies.shape import Shape
from strategies.solution import Relaxed, Solves, Unsolved

_INSIDE = 1e-3  # of the unit of money: a cap with so much room has no price
_FORGIVEN = 1e-9  # relative
_SHUT = 1e-9  # of the unit of money: so little room is no room to trade


class LeanFirst:
    """Problems of one shape: the lean program where it applies, else the general problem.

    The general problem is compiled once, when it is needed first: 0.05 s for 18 symbols, which is
    no reason to do so ahead. Not to be shared by threads.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._general: Solves | None = None

    def solve(self, model: HedgeModel, limits: FloatArray) -> Relaxed | Unsolved:
        """The least-cost hedge with every cap at or below ``limits`` (C,) USD."""
        found = lean_solution(model, limits)
        if found is not None:
            return found
        if self._general is None:
            from strategies.problem import HedgeProblem  # takes a second: only where needed

            self._general = HedgeProblem(self._shape)
        return self._general.solve(model, limits)


def lean_solution(model: HedgeModel, limits: FloatArray) -> Relaxed | None:
    """The least-cost hedge with every cap at or below ``limits`` (C,) USD; None if not found so.

    It is as exact as a general solver's; the same model and limits give the same answer.
    """
    if model.risk_per_usd == 0 or model.tail is not None or len(model.other_roots):
        return None
    with np.errstate(all="ignore"):  # what is not a number is noticed, and not worth a warning
        return _solution(model, limits)


def _solution(model: HedgeModel, limits: FloatArray) -> Relaxed | None:
    trades = _trades(model)
    if trades is None:
        return None
    caps = _linear_caps(model, trades, limits)
    if caps is None:
        return None
    found = _optimum(_program(model, trades, caps))
    if found is None:
        return None
    moved = trades.side * found.point * model.unit_usd
    hedge = trades.base + np.bincount(trades.symbol, moved, minlength=len(trades.base))
    return _checked(
        model, limits, np.clip(hedge, model.lower, model.upper), _duals(model, caps, found)
    )


def _checked(
    model: HedgeModel, limits: FloatArray, hedge_usd: FloatArray, duals: FloatArray
) -> Relaxed | None:
    """The answer, if every cap holds and no hedge can be better."""
    objective = float(model.objective_usd(hedge_usd))
    if not _keeps_exposure(model, hedge_usd, limits):
        return None
    if not proven(model, limits, duals, hedge_usd, objective):
        return None
    return Relaxed(hedge_usd, objective, duals, "optimal")


def _keeps_exposure(model: HedgeModel, hedge_usd: FloatArray, limits: FloatArray) -> bool:
    """The cap that is no row of the program holds all the same."""
    if not model.caps.has_cae:
        return True
    limit = float(limits[model.caps.blocks["cae"]][0])
    adjusted = model.root @ (model.bot + hedge_usd)
    exposure = math.sqrt(float(adjusted @ adjusted))
    return exposure <= limit * (1.0 + _FORGIVEN)


def _optimum(program: Program) -> Optimum | None:
    """The optimum; sides without room stay at 0, and their tops cost what a trade there gains."""
    shut = program.top <= _SHUT
    if not shut.any():
        return pivoted(program) or optimum(program)
    moves, impact = ~shut, program.impact
    part = _optimum(
        Program(
            curve=program.curve[moves][:, moves],
            slope=program.slope[moves],
            impact=None if impact is None else impact[moves],
            top=program.top[moves],
            rows=program.rows[:, moves],
            room=program.room,
        )
    )
    if part is None:
        return None
    point, top_price = np.zeros(len(shut)), np.zeros(len(shut))
    point[moves], top_price[moves] = part.point, part.top_price
    slope = program.curve @ point + program.slope + part.row_price @ program.rows
    top_price[shut] = np.maximum(-slope[shut], 0.0)
    return Optimum(point, top_price, part.row_price)


@dataclass(frozen=True, slots=True)
class _Trades:
    """K sides that hedges can trade to.

    Attributes:
        base: (N,) USD, hedges without any of them.
        symbol: (K,) which.
        side: (K,) −1 or 1, s.
        top: (K,) USD.
        size, width: (K,) what a dollar adds to |h| and to |x|, −1 or 1.
    """

    base: FloatArray
    symbol: NDArray[np.intp]
    side: FloatArray
    top: FloatArray
    size: FloatArray
    width: FloatArray


@dataclass(frozen=True, slots=True)
class _Caps:
    """Rows that may bind, in USD, and which caps they and the tops (-1 for none) stand for."""

    top: FloatArray
    top_of: NDArray[np.intp]
    rows: FloatArray
    room: FloatArray
    row_of: NDArray[np.intp]


def _trades(model: HedgeModel) -> _Trades | None:
    """None where nothing moves, or something may change its side on the way."""
    lower, upper, current, bot = model.lower, model.upper, model.current, model.bot
    moves = upper > lower
    up, down = np.where(moves, upper - current, 0.0), np.where(moves, current - lower, 0.0)
    if not ((up >= 0).all() and (down >= 0).all() and moves.any()):
        return None
    turns = (current != 0) & (lower < 0) & (upper > 0)
    turns |= (bot != 0) & ~((bot + lower) * (bot + upper) >= 0)
    if (moves & turns).any():
        return None
    first, second = np.flatnonzero(up), np.flatnonzero(down)
    symbol = np.concatenate([first, second])
    side = np.ones(len(symbol))
    side[len(first) :] = -1.0
    holds, held = np.sign(current)[symbol], bot[symbol]
    size = np.where(holds == 0, 1.0, holds * side)
    middle = np.sign(bot + 0.5 * (lower + upper))[symbol]
    return _Trades(
        base=np.where(moves, current, lower),
        symbol=symbol,
        side=side,
        top=np.concatenate([up[first], down[second]]),
        size=size,
        width=np.where(held == 0, size, middle * side),
    )


def _program(model: HedgeModel, trades: _Trades, caps: _Caps) -> Program:
    """In the model's unit of money; prices are USD per USD all the same."""
    at, side, unit = trades.symbol, trades.side, model.unit_usd
    held = model.bot + trades.base
    signed = model.risk_per_usd * 2.0
    curve = model.covariance[at[:, None], at] * (side[:, None] * (side * (signed * unit)))
    hedge, absolute, traded, turned, impact = model.costs.weights
    slope = side * (signed * (model.covariance @ held) + hedge + turned)[at]
    slope += trades.size * absolute[at] + traded[at]
    if model.uncertainty > 0:
        wide = model.volatility[at] * trades.width
        doubt = signed * model.uncertainty
        curve += (doubt * unit) * np.outer(wide, wide)
        slope += doubt * float(model.volatility @ np.abs(held)) * wide
    return Program(
        curve=curve,
        slope=slope,
        impact=None if impact is None else impact[at] * np.sqrt(unit),
        top=caps.top / unit,
        rows=caps.rows,
        room=caps.room / unit,
    )


def _linear_caps(model: HedgeModel, trades: _Trades, limits: FloatArray) -> _Caps | None:
    """None where some cap cannot be met, so that the problem has no solution."""
    table, at, side, base = model.caps, trades.symbol, trades.side, trades.base
    held, blocks, limits = model.bot + base, table.blocks, np.maximum(limits, 0.0)
    top, top_of = trades.top, np.full(len(at), -1)
    rows, room, row_of, every = [], [], [], np.arange(len(limits))

    def add(coefficients: FloatArray, at_base: FloatArray, of: NDArray[np.intp]) -> None:
        rows.append(coefficients)
        room.append(limits[of] - at_base)
        row_of.append(of)

    def of(block: str) -> NDArray[np.intp]:
        return every[blocks[block]]

    if table.has_trade:
        once = np.abs(base - model.current)
        if not ((once == 0) | (once <= limits[blocks["trade"]])).all():
            return None
        top, top_of = _tighter(top, top_of, limits[of("trade")][at], of("trade")[at])
    if table.has_token:
        # A token over its cap has to come back, which is no bound but a row.
        over = ~(np.abs(held) <= limits[of("token")])
        most = np.where(over[at], np.inf, limits[of("token")][at] - side * held[at])
        top, top_of = _tighter(top, top_of, most, of("token")[at])
        which = np.flatnonzero(over)
        back = (at == which[:, None]) * (side * np.sign(held)[at])
        add(back, np.abs(held)[which], of("token")[which])
    if len(table.book_rows):
        plain = table.book_rows[:, at] * side
        value = table.book_rows @ held
        if table.has_doubt:
            doubt, wide = table.book_doubt[:, at] * trades.width, table.book_doubt @ np.abs(held)
            add(doubt + plain, wide + value, of("book"))
            add(doubt - plain, wide - value, of("book"))
        else:
            add(plain, value, of("book"))
            add(-plain, -value, of("book"))
    if len(table.hedge_rows):
        add(table.hedge_rows[:, at] * trades.size, table.hedge_rows @ np.abs(base), of("hedge"))
    if len(table.stress_rows):
        y, grows = (held, trades.width) if table.stress_shared else (base, trades.size)
        margin = table.stress_margin
        slope = table.stress_rows[:, at] * side + margin[at] * grows
        add(slope, table.stress_rows @ y + margin @ np.abs(y), of("stress"))
    if table.has_turnover:
        traded = np.abs(base - model.current).sum()
        add(np.ones((1, len(at))), np.atleast_1d(traded), of("turnover"))
    return _may_bind(top, top_of, rows, room, row_of)


def _tighter(
    top: FloatArray, top_of: NDArray[np.intp], most: FloatArray, of: NDArray[np.intp]
) -> tuple[FloatArray, NDArray[np.intp]]:
    return np.minimum(top, most), np.where(most < top, of, top_of)


def _may_bind(
    top: FloatArray,
    top_of: NDArray[np.intp],
    rows: list[FloatArray],
    room: list[FloatArray],
    row_of: list[NDArray[np.intp]],
) -> _Caps | None:
    """Only rows that some trades within ``top`` reach; None where no trades keep one of them.

    Written so that what is not a number keeps its row, and then has no solution.
    """
    if not rows:
        return _Caps(top, top_of, np.empty((0, len(top))), np.empty(0), np.empty(0, dtype=np.intp))
    every, left, of = np.concatenate(rows), np.concatenate(room), np.concatenate(row_of)
    if not (np.minimum(every, 0.0) @ top <= left).all():
        return None
    binds = ~(np.maximum(every, 0.0) @ top <= left)
    return _Caps(top, top_of, every[binds], left[binds], of[binds])


def _duals(model: HedgeModel, caps: _Caps, found: Optimum) -> FloatArray:
    """(C,) USD per USD; 0 where a cap is clearly inside its limit."""
    duals, unit = np.zeros(len(model.caps.names)), model.unit_usd
    if found.row_price.any():
        left = caps.room / unit - caps.rows @ found.point
        np.add.at(duals, caps.row_of, np.where(left < _INSIDE, found.row_price, 0.0))
    if not found.top_price.any():
        return duals
    binds = (caps.top_of >= 0) & (caps.top / unit - found.point < _INSIDE)
    np.add.at(duals, caps.top_of[binds], found.top_price[binds])
    return duals
