"""Reads what the modelling layer made of a parametrised problem: maps of numbers, and their places.

The layer keeps a linear map from all parameters to the numbers of a cone program (Agrawal et al.
2019). Which entries of the solver's answer belong to which variable and which dual is read off by
translating back an answer made of nothing but its own positions.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from risk.book import FloatArray
from risk.errors import OptimizationError
from strategies.presolve import Pattern


class NotDirectError(OptimizationError):
    """The solver's numbers cannot be had as a linear map of the parameters; says why."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable or dual variable and its places in the solver's answer, with their signs."""

    holder: Any
    places: NDArray[np.int64]
    signs: FloatArray

    def fill(self, answer: FloatArray) -> None:
        """Give it its value."""
        self.holder.save_value(self.signs * answer[self.places])


def parameter_columns(program: Any, problem: cp.Problem) -> list[tuple[Any, slice]]:
    """Each parameter and the columns that it has in the map.

    Raises:
        NotDirectError: the map is not one of the problem's own parameters.
    """
    own = {parameter.id for parameter in problem.parameters()}
    if any(parameter.id not in own for parameter in program.parameters):
        raise NotDirectError("its parameters are rewritten before they are used")
    if program.lower_bounds is not None or program.upper_bounds is not None:
        raise NotDirectError("its variables have bounds of their own")
    return [
        (parameter, slice(start, start + parameter.size))
        for parameter in program.parameters
        for start in [program.param_id_to_col[parameter.id]]
    ]


def split(reduced: Any, n: int) -> tuple[tuple[Any, Any, Any], tuple[Any, Any]]:
    """Rows, columns and maps of the entries of [A b], as A and b."""
    reduced.cache(False)
    rows, starts, _ = reduced.problem_data_index
    columns = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    full = sparse.csr_array(reduced.reduced_mat)
    of_a = np.flatnonzero(columns < n)
    of_b = np.flatnonzero(columns == n)
    rows = np.asarray(rows, dtype=np.int64)
    return (rows[of_a], columns[of_a], full[of_a]), (rows[of_b], full[of_b])


def upper(program: Any) -> tuple[Any, Any, Any]:
    """Rows, columns and maps of the entries of P on and above the diagonal."""
    if program.P is None:
        none = np.zeros(0, dtype=np.int64)
        return none, none, sparse.csr_array((0, program.total_param_size + 1))
    program.reduced_P.cache(False)
    rows, starts, _ = program.reduced_P.problem_data_index
    columns = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    rows = np.asarray(rows, dtype=np.int64)
    above = np.flatnonzero(rows <= columns)
    return rows[above], columns[above], sparse.csr_array(program.reduced_P.reduced_mat)[above]


def slots(
    problem: cp.Problem, chain: Any, inverse: Any, pattern: Pattern
) -> tuple[list[Slot], list[Slot]]:
    """Where each variable, and each dual variable, stands in the solver's answer."""

    def back(x: FloatArray, z: FloatArray) -> Any:
        answer = SimpleNamespace(
            status="Solved", x=x, z=z, obj_val=0.0, solve_time=0.0, iterations=0
        )
        return chain.invert(answer, inverse)

    x, z = np.arange(1.0, pattern.variables + 1), np.arange(1.0, pattern.rows + 1)
    holders = [*problem.variables(), *(d for c in problem.constraints for d in c.dual_variables)]
    found, halved = (_values(problem, back(f * x, f * z), holders) for f in (1.0, 0.5))
    count = len(problem.variables())
    sizes = [pattern.variables] * count + [pattern.rows] * (len(holders) - count)
    all_of_them = [_slot(*parts) for parts in zip(holders, found, halved, sizes, strict=True)]
    return all_of_them[:count], all_of_them[count:]


def _values(problem: cp.Problem, answer: Any, holders: list[Any]) -> list[FloatArray]:
    """What variables and duals hold once they are given an answer."""
    for variable in problem.variables():
        variable.save_value(answer.primal_vars[variable.id])
    for constraint in problem.constraints:
        if constraint.id not in answer.dual_vars:
            raise NotDirectError("a dual is not part of the answer")
        constraint.save_dual_value(answer.dual_vars[constraint.id])
    return [np.array(holder.value, dtype=np.float64) for holder in holders]


def _slot(holder: Any, value: FloatArray, half: FloatArray, size: int) -> Slot:
    places = np.rint(np.abs(value)).astype(np.int64) - 1
    plain = np.array_equal(np.abs(value), places + 1.0) and np.array_equal(half, 0.5 * value)
    if not (plain and np.all((places >= 0) & (places < size))):
        raise NotDirectError("a variable is more than entries of the answer")
    return Slot(holder, places, np.sign(value))
