"""Small convex programs with few constraints, solved by an interior-point method on dense numbers.

    minimise  ½dᵀQd + qᵀd + bᵀd^{3/2}   subject to  0 ≤ d ≤ top,  Gd ≤ room

Primal and dual together, with Mehrotra's predictor and corrector (Mehrotra 1992; Nocedal, Wright
2006, §16.6). It always starts from the same place, so that the same question has the same answer.
What it returns meets the optimality conditions to the last digits that matter; where it cannot, it
returns nothing, which says nothing of the program: a general solver is to be asked.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from risk.book import FloatArray

_ROUNDS = 40
_EXACT = 1e-10  # mean product of slacks and prices at the end, where the largest slope is 1
_BALANCED = 3e-9  # of the largest slope: what is left of the slopes
_BACK = 0.995  # of the way to the nearest constraint
_ASTRAY = 1e12  # sum of products: nothing is to be found there
_FIRST_PRODUCT = 0.02  # of every slack and its price, where the largest slope is 1


@dataclass(frozen=True, slots=True)
class Program:
    """The numbers: K variables, R rows.

    Attributes:
        curve: Q, (K, K), positive semidefinite: barriers add to its diagonal what it lacks.
        slope: q, (K,).
        impact: b, (K,) at least 0; None for none.
        top: (K,) above 0.
        rows, room: G and its right-hand side, (R, K) and (R,).
    """

    curve: FloatArray
    slope: FloatArray
    impact: FloatArray | None
    top: FloatArray
    rows: FloatArray
    room: FloatArray


@dataclass(frozen=True, slots=True)
class Optimum:
    """The solution d (K,), and the prices of ``top`` (K,) and of the rows (R,), at least 0."""

    point: FloatArray
    top_price: FloatArray
    row_price: FloatArray


def optimum(program: Program) -> Optimum | None:
    """The optimum, None where it was not found."""
    scale = float(np.abs(program.slope).max(initial=0.0))
    if scale == 0.0 or not np.isfinite(scale):
        return None
    # Where no point is allowed the numbers run away, which is noticed and not worth a warning.
    with np.errstate(all="ignore"):
        search = _Search(program, scale)
        for _ in range(_ROUNDS):
            if search.done() or not search.step():
                break
        return search.found(scale) if search.done() else None


class _Search:
    """Pairs of slacks s and prices z, of d ≥ 0, of d ≤ top and of the rows, (2K + R,) each."""

    def __init__(self, program: Program, scale: float) -> None:
        self._k = len(program.slope)
        self._curve, self._slope = program.curve / scale, program.slope / scale
        self._impact = None if program.impact is None else program.impact / scale
        self._rows, self._room = program.rows, program.room
        self._width = 1.0 + float(np.abs(program.room).max(initial=0.0))
        start = _start(program)
        left = self._room - self._rows @ start
        left = np.maximum(left, 0.1 * (1.0 + np.abs(left)))
        self._s = np.concatenate([start, program.top - start, left])
        self._z = _FIRST_PRODUCT / self._s
        self._measure()

    def _measure(self) -> None:
        """What is left of the conditions."""
        k, d, z = self._k, self._s[: self._k], self._z
        slope = self._curve @ d + self._slope - z[:k] + z[k : 2 * k] + z[2 * k :] @ self._rows
        if self._impact is not None:
            slope += 1.5 * self._impact * np.sqrt(d)
        self._unbalanced = slope
        self._over = self._rows @ d + self._s[2 * k :] - self._room
        self._products = self._s * z
        self._gap = float(self._products.sum())

    def done(self) -> bool:
        return bool(
            self._gap <= _EXACT * len(self._s)
            and np.abs(self._unbalanced).max() <= _BALANCED
            and np.abs(self._over).max(initial=0.0) <= _EXACT * self._width
        )

    def step(self) -> bool:
        """One round; False where the numbers give no direction."""
        k, s, z = self._k, self._s, self._z
        ratio = z / s
        weight = ratio[2 * k :]
        matrix = self._curve + (self._rows.T * weight) @ self._rows
        diagonal = ratio[:k] + ratio[k : 2 * k]
        if self._impact is not None:
            diagonal += 0.75 * self._impact / np.sqrt(s[:k])
        matrix.flat[:: k + 1] += diagonal
        factor, failed = lapack.dpotrf(matrix, lower=1, overwrite_a=1)
        if failed:
            return False
        first = self._direction(factor, ratio, -self._products)
        if first is None:
            return False
        first_s, first_z = first
        reach = min(_reach(s, first_s), _reach(z, first_z), 1.0)
        after = float((s + reach * first_s) @ (z + reach * first_z))
        center = (after / self._gap) ** 3 * self._gap / len(s)
        # Impact bends most at 0: slopes balance later than products vanish.
        center = max(center, 0.1 * _EXACT)
        wanted = center - self._products - first_s * first_z
        move = self._direction(factor, ratio, wanted)
        if move is None:
            return False
        move_s, move_z = move
        reach = min(_BACK * min(_reach(s, move_s), _reach(z, move_z)), 1.0)
        self._s = s + reach * move_s
        self._z = z + reach * move_z
        self._measure()
        return bool(self._gap < _ASTRAY)

    def _direction(
        self, factor: FloatArray, ratio: FloatArray, wanted: FloatArray
    ) -> tuple[FloatArray, FloatArray] | None:
        """Of s and z, such that the products change by ``wanted`` to first order; None for none."""
        k, rows = self._k, self._rows
        pull = wanted / self._s
        weight = ratio[2 * k :]
        right = pull[:k] - pull[k : 2 * k] - self._unbalanced
        right -= (pull[2 * k :] + weight * self._over) @ rows
        move, failed = lapack.dpotrs(factor, right, lower=1)
        if failed:
            return None
        move_s = np.concatenate([move, -move, -self._over - rows @ move])
        return move_s, pull - ratio * move_s

    def found(self, scale: float) -> Optimum:
        k, price = self._k, self._z * scale
        return Optimum(self._s[:k].copy(), price[k : 2 * k], price[2 * k :])


def _start(program: Program) -> FloatArray:
    """All variables alike, of the size at which the steepest slope is used up, or half of ``top``.

    Twice as far or half as far costs a round or two.
    """
    bend = float(np.abs(program.curve).sum()) / len(program.slope)
    size = float(np.abs(program.slope).max()) / bend
    return np.minimum(0.5 * program.top, size)


def _reach(at: FloatArray, move: FloatArray) -> float:
    """How many times ``move`` fits before something of ``at`` is 0."""
    fastest = float((-move / at).max())
    return 1.0 / fastest if fastest > 0 else np.inf
