"""Small convex quadratic programs with bounds and few rows, solved by guessing which ones bind.

    minimise  ½dᵀQd + qᵀd   subject to  0 ≤ d ≤ top,  Gd ≤ room

Where it is known which variables stand at a bound and which rows bind, what is left are linear
equations. A guess whose solution leaves a bound, or wants to leave the bound it stands at, is
changed in all of those places at once (block principal pivoting: Júdice, Pires 1994; as a Newton
method: Hintermüller, Ito, Kunisch 2003), and a guess that fits meets the optimality conditions to
rounding. Half a dozen guesses do for a decision; where a dozen do not, nothing is returned, which
says nothing of the program: ``interior`` solves it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from risk.book import FloatArray
from strategies.interior import Optimum, Program

_GUESSES = 12
_HAIR = 1e-12  # relative: rounding
_BALANCED = 1e-10  # of the largest slope: what may be left of the slopes of what is free


def pivoted(program: Program) -> Optimum | None:
    """The optimum; None where impact bends it, or where no guess was right."""
    scale = float(np.abs(program.slope).max(initial=0.0))
    if program.impact is not None or not 0.0 < scale < np.inf:
        return None
    place = np.where(program.slope < 0, 0, -1)
    binding: list[int] = []
    for _ in range(_GUESSES):
        found = _solved(program, place, binding)
        if found is None:
            return None
        wanted = _places(program, found, place, scale)
        rows = _rows(program, found, binding)
        if rows == binding and (wanted == place).all():
            return _checked(program, found, place, binding, _BALANCED * scale)
        place, binding = wanted, rows
    return None


@dataclass(frozen=True, slots=True)
class _Found:
    """The solution d (K,) of one guess, slopes of the Lagrangian there, prices of binding rows."""

    point: FloatArray
    slope: FloatArray
    price: list[float]


def _solved(program: Program, place: NDArray[np.intp], binding: list[int]) -> _Found | None:
    """With every variable at 0, free or at its top (``place`` −1, 0, 1), and rows that bind."""
    free = np.flatnonzero(place == 0)
    point = np.where(place > 0, program.top, 0.0)
    right = -(program.slope + program.curve @ point)[free]
    if not len(free):
        return None if binding else _Found(point, program.slope + program.curve @ point, [])
    inner = program.curve[free[:, None], free]
    if not binding:
        _, point[free], failed = lapack.dposv(inner, right)
        return None if failed else _Found(point, program.slope + program.curve @ point, [])
    rows = program.rows[binding]
    crossing = rows[:, free]
    _, moved, failed = lapack.dposv(inner, np.column_stack([right, crossing.T]))
    if failed:
        return None
    across = crossing @ moved
    room = program.room[binding] - rows @ point
    _, _, price, failed = lapack.dgesv(across[:, 1:], across[:, 0] - room)
    if failed:
        return None
    point[free] = moved[:, 0] - moved[:, 1:] @ price
    return _Found(point, program.slope + program.curve @ point + price @ rows, price.tolist())


def _places(
    program: Program, found: _Found, place: NDArray[np.intp], scale: float
) -> NDArray[np.intp]:
    """Where every variable wants to be: what is free stays within its bounds, what stands at one
    becomes free where the slope leads away from it."""
    drawn = found.point - found.slope / scale
    hair = _HAIR * (1.0 + program.top)
    wanted = (drawn > hair).astype(np.intp) + (drawn >= program.top - hair) - 1
    return np.minimum(np.maximum(wanted, place - 1), place + 1)


def _rows(program: Program, found: _Found, binding: list[int]) -> list[int]:
    """Rows that bind for a price, and the one that is broken most."""
    kept = [row for row, price in zip(binding, found.price, strict=True) if price >= 0]
    if len(program.room):
        left = program.room - program.rows @ found.point
        left[binding] = 0.0
        worst = int(left.argmin())
        if float(left[worst]) < -_HAIR * (1.0 + abs(float(program.room[worst]))):
            kept.append(worst)
    return kept


def _checked(
    program: Program, found: _Found, place: NDArray[np.intp], binding: list[int], left: float
) -> Optimum | None:
    """The optimum of a guess that was right; None where the equations were solved badly."""
    if not float(np.abs(found.slope[place == 0]).max(initial=0.0)) <= left:
        return None
    point = np.minimum(np.maximum(found.point, 0.0), program.top)
    row_price = np.zeros(len(program.room))
    row_price[binding] = found.price
    return Optimum(point, np.where(place > 0, np.maximum(-found.slope, 0.0), 0.0), row_price)
