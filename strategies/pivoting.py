"""Small convex quadratic programs with bounds and few rows, solved by guessing which ones bind.

    minimise  ½dᵀQd + qᵀd   subject to  0 ≤ d ≤ top,  Gd ≤ room

Where it is known which variables stand at a bound and which rows bind, what is left are linear
equations. A guess whose solution leaves a bound, or wants to leave the bound it stands at, is
changed in all of those places at once (block principal pivoting: Júdice, Pires 1994), and a guess
that fits meets the optimality conditions exactly. Half a dozen guesses do for a decision; where a
dozen do not, nothing is returned, which says nothing of the program: ``interior`` solves it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from risk.book import FloatArray
from strategies.interior import Optimum, Program

_GUESSES = 12
_HAIR = 1e-12  # of the largest slope, or of the largest trade: rounding
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
        if not _corrected(program, found, place, binding, _HAIR * scale):
            return _checked(program, found, place, binding, _BALANCED * scale)
    return None


@dataclass(frozen=True, slots=True)
class _Found:
    """The solution d (K,) of one guess, slopes of the Lagrangian there, prices of binding rows."""

    point: FloatArray
    slope: FloatArray
    price: FloatArray


def _solved(program: Program, place: NDArray[np.intp], binding: list[int]) -> _Found | None:
    """With every variable at 0, free or at its top (``place`` −1, 0, 1), and rows that bind."""
    free = np.flatnonzero(place == 0)
    point = np.where(place > 0, program.top, 0.0)
    right = -(program.slope + program.curve @ point)[free]
    rows = program.rows[binding]
    price = np.empty(0)
    if len(free):
        inner = program.curve[free[:, None], free]
        sides = np.column_stack([right, rows[:, free].T]) if binding else right
        _, moved, failed = lapack.dposv(inner, sides)
        if failed:
            return None
        if binding:
            room = program.room[binding] - rows @ point
            across = rows[:, free] @ moved
            _, _, price, failed = lapack.dgesv(across[:, 1:], across[:, 0] - room)
            if failed:
                return None
            moved = moved[:, 0] - moved[:, 1:] @ price
        point[free] = moved
    elif binding:
        return None
    slope = program.slope + program.curve @ point
    return _Found(point, slope + price @ rows if binding else slope, price)


def _corrected(
    program: Program, found: _Found, place: NDArray[np.intp], binding: list[int], hair: float
) -> bool:
    """Whether something of the guess was wrong; ``place`` and ``binding`` are changed then."""
    point, slope = found.point, found.slope
    wanted = np.where(point <= 0.0, -1, np.where(point >= program.top, 1, 0))
    leaves = place * slope > hair
    wrong = np.where(place == 0, wanted != 0, leaves)
    changed = bool(wrong.any())
    if changed:
        place[wrong] = np.where(place == 0, wanted, 0)[wrong]
    dear = [row for row, price in zip(binding, found.price.tolist(), strict=True) if price < 0]
    if dear:
        binding[:] = [row for row in binding if row not in dear]
        changed = True
    if len(program.room):
        left = program.room - program.rows @ point
        left[binding] = 0.0
        worst = int(left.argmin())
        if float(left[worst]) < -_HAIR * (1.0 + abs(float(program.room[worst]))):
            binding.append(worst)
            changed = True
    return changed


def _checked(
    program: Program, found: _Found, place: NDArray[np.intp], binding: list[int], left: float
) -> Optimum | None:
    """The optimum of a guess that was right; None where the equations were solved badly."""
    if float(np.abs(found.slope[place == 0]).max(initial=0.0)) > left:
        return None
    row_price = np.zeros(len(program.room))
    row_price[binding] = found.price
    return Optimum(found.point, np.where(place > 0, -found.slope, 0.0), row_price)
