"""A parametrised convex problem, compiled once, whose numbers then go straight to the solver.

The modelling layer translates the problem once. It leaves a linear map from all parameters to the
numbers of a cone program (Agrawal et al. 2019); from then on that map, the rules that make the
program smaller and the solver are all that a new set of parameters passes.

The solver starts from nothing every time: its scaling would otherwise remember the first numbers,
and the same question would be answered a little differently each time it is asked.
"""

import warnings
from typing import Any

import clarabel
import cvxpy as cp
import numpy as np
from cvxpy.reductions.solvers.conic_solvers.clarabel_conif import CLARABEL, dims_to_solver_cones
from numpy.typing import NDArray
from scipy import sparse

from risk.book import FloatArray
from risk.errors import OptimizationError
from strategies.canonical import NotDirectError, parameter_columns, slots, split, upper
from strategies.presolve import Numbers, Pattern, Presolve

_DECIDED = {cp.OPTIMAL, cp.INFEASIBLE, cp.UNBOUNDED}
_PANIC = "PanicException"

_CAREFUL: tuple[dict[str, Any], ...] = (
    {"max_step_fraction": 0.95},
    {"max_step_fraction": 0.9},
    {"min_switch_step_length": 1e-3},
)
"""Settings to try in turn, with refinement, on what the quick ones cannot decide.

Beside 3/2 powers a step nearly to the edge of the cones can leave the method where no direction
allows another one. Shorter steps stay away from there, and so does a scaling kept for longer.
"""


class CompiledProblem:
    """A problem to be solved again and again with new parameters. Not to be shared by threads.

    Args:
        problem: in disciplined parametrised form; its shape must not change.

    Raises:
        OptimizationError: the problem is not in that form.
    """

    def __init__(self, problem: cp.Problem) -> None:
        require_dpp(problem)
        self.problem = problem
        self.note = ""
        self._direct: _Direct | None = None

    def solve(self) -> str:
        """Solve with the parameters as they are, leave the answer in variables and duals.

        What the solver cannot decide straight away it tries again with care, and what is then left
        is for cvxpy's own way, with its settings.

        Returns:
            The status, ``solver_error`` when the solver gave up or broke.
        """
        if self._direct is None and not self.note:
            try:
                self._direct = _Direct(self.problem)
            except NotDirectError as error:
                self.note = f", through cvxpy: {error}"
        status = "" if self._direct is None else self._direct.solve()
        return status if status in _DECIDED else _through_cvxpy(self.problem)


def require_dpp(problem: cp.Problem) -> None:
    """Raise OptimizationError unless new numbers need no new compilation."""
    if not problem.is_dpp():
        raise OptimizationError("hedge problem: not in disciplined parametrised form")


class _Direct:
    """The way from parameters to the solver and back."""

    def __init__(self, problem: cp.Problem) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data, chain, inverse = problem.get_problem_data(
                cp.CLARABEL, enforce_dpp=True, solver_opts={}
            )
        program = data[cp.settings.PARAM_PROB]
        self._columns = parameter_columns(program, problem)
        self._nonneg = np.zeros(program.total_param_size + 1, dtype=np.bool_)
        for parameter, where in self._columns:
            self._nonneg[where] = parameter.is_nonneg()
        pattern, fixed = self._linear_map(program, data)
        self._presolve = Presolve(pattern, fixed)
        self._cones = _cones(data["dims"], self._presolve.small)
        self._slots = slots(problem, chain, inverse, pattern)
        self._matrices = _Matrices(self._presolve.small)

    def _linear_map(self, program: Any, data: dict[str, Any]) -> tuple[Pattern, FloatArray]:
        """Find the map to P, q, A and b as one matrix, and which entries of A never change."""
        matrix, right = split(program.reduced_A, program.x.size)
        m, n = len(data["b"]), program.x.size
        rows_a, columns_a, map_a = matrix
        right_rows, map_b = right
        spread = sparse.csr_array(
            (np.ones(len(right_rows)), (right_rows, np.arange(len(right_rows)))),
            shape=(m, len(right_rows)),
        )
        rows_p, columns_p, map_p = upper(program)
        map_q = sparse.csr_array(program.q)[:n]
        parts = [map_p, map_q, -map_a, spread @ map_b]
        self._map = sparse.csr_array(sparse.vstack(parts))
        self._ends = np.cumsum([part.shape[0] for part in parts])[:-1]
        changes = np.asarray(abs(map_a[:, :-1]).sum(axis=1)).ravel() > 0
        constant = -np.asarray(map_a[:, [-1]].todense()).ravel()
        cones = data["dims"]
        pattern = Pattern(
            n, m, rows_p, columns_p, rows_a, columns_a, int(cones.zero), int(cones.nonneg)
        )
        return pattern, np.where(changes, np.nan, constant)

    def solve(self) -> str:
        theta = np.ones(self._map.shape[1])
        for parameter, where in self._columns:
            value = np.asarray(parameter.value, dtype=np.float64)
            theta[where] = value.ravel(order="F")
        if not np.all(np.isfinite(theta)) or np.any(theta[self._nonneg] < 0):
            raise OptimizationError("hedge problem: a parameter is not finite, or negative")
        numbers = Numbers(*np.split(self._map @ theta, self._ends))
        small, way = self._presolve.reduced(numbers)
        answer, status = self._matrices.decided(small, self._cones)
        if status == cp.OPTIMAL:
            x, z = way.back(np.array(answer.x), np.array(answer.z))
            for slot in self._slots[0]:
                slot.fill(x)
            for slot in self._slots[1]:
                slot.fill(z)
        return status


class _Matrices:
    """The solver's input, allocated once."""

    def __init__(self, pattern: Pattern) -> None:
        n, m = pattern.variables, pattern.rows
        self._p, self._p_order = _csc(pattern.quadratic_rows, pattern.quadratic_columns, (n, n))
        self._a, self._a_order = _csc(pattern.matrix_rows, pattern.matrix_columns, (m, n))
        # Refining every linear solve costs a third of the time and is seldom needed to reach the
        # same tolerances.
        self._quick = _settings(iterative_refinement_enable=False)
        self._careful = [_settings(**chosen) for chosen in _CAREFUL]

    def decided(self, numbers: Numbers, cones: list[Any]) -> tuple[Any, str]:
        """The first answer that is certain, else the last, and its status, in cvxpy's words."""
        self._p.data = numbers.quadratic[self._p_order]
        self._a.data = numbers.matrix[self._a_order]
        answer, status = self._solved(numbers, cones, self._quick)
        for settings in self._careful:
            if status in _DECIDED:
                break
            answer, status = self._solved(numbers, cones, settings)
        return answer, status

    def _solved(self, numbers: Numbers, cones: list[Any], settings: Any) -> tuple[Any, str]:
        try:
            answer = clarabel.DefaultSolver(
                self._p, numbers.linear, self._a, numbers.right, cones, settings
            ).solve()
        except BaseException as error:  # a panic of Clarabel's is no Exception
            if type(error).__name__ != _PANIC:
                raise
            return None, str(cp.SOLVER_ERROR)
        return answer, str(CLARABEL.STATUS_MAP.get(str(answer.status), cp.SOLVER_ERROR))


def _settings(**chosen: Any) -> Any:
    """The solver's own settings but for these."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.presolve_enable = False
    for name, value in chosen.items():
        setattr(settings, name, value)
    return settings


def _through_cvxpy(problem: cp.Problem) -> str:
    with warnings.catch_warnings():
        # An inaccurate solution is judged by its status; the warning would only repeat it.
        warnings.simplefilter("ignore")
        try:
            problem.solve(solver=cp.CLARABEL, warm_start=False, enforce_dpp=True)
        except cp.SolverError:
            return str(cp.SOLVER_ERROR)
        except BaseException as error:  # a panic of Clarabel's is no Exception
            if type(error).__name__ != _PANIC:
                raise
            return str(cp.SOLVER_ERROR)
    return str(problem.status)


def _cones(dims: Any, small: Pattern) -> list[Any]:
    """The solver's cones: fewer equations and inequalities, the others as they were."""
    cones = dims_to_solver_cones(dims)
    others: list[Any] = cones[int(dims.zero > 0) + int(dims.nonneg > 0) :]
    plain: list[Any] = []
    if small.equations:
        plain.append(clarabel.ZeroConeT(small.equations))
    if small.inequalities:
        plain.append(clarabel.NonnegativeConeT(small.inequalities))
    return plain + others


def _csc(rows: Any, columns: Any, shape: tuple[int, int]) -> tuple[Any, NDArray[np.int64]]:
    """A sparse matrix with these places, and which entry stands where in its data."""
    order = np.lexsort((rows, columns))
    starts = np.searchsorted(columns[order], np.arange(shape[1] + 1))
    data = np.zeros(len(rows))
    return sparse.csc_array((data, rows[order], starts), shape=shape), order
