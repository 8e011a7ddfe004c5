"""A cone program made smaller, by rules that hold for all its numbers, without another solution.

    minimise  ½xᵀPx + qᵀx   subject to  Ax + s = b,  s in a product of cones

Two rules, both chosen once from the coefficients that never change, so that every program of a
family becomes a program of one smaller family. An equation between two variables replaces one of
them by the other. Inequalities in a single variable are its bounds, and only the tightest of each
side is kept. (Andersen, Andersen 1995, on presolving linear programs.) Solutions of the smaller
program come back as solutions of the whole, with a dual for every row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from risk.book import FloatArray

_Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Where the numbers of a cone program stand; rows come as equations, inequalities, others.

    Attributes:
        variables, rows: n and m.
        quadratic_rows, quadratic_columns: of each entry of the upper triangle of P.
        matrix_rows, matrix_columns: of each entry of A.
        equations, inequalities: how many rows of each.
    """

    variables: int
    rows: int
    quadratic_rows: _Index
    quadratic_columns: _Index
    matrix_rows: _Index
    matrix_columns: _Index
    equations: int
    inequalities: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """P (upper triangle) and A as their entries in the order of a pattern, with q and b."""

    quadratic: FloatArray
    linear: FloatArray
    matrix: FloatArray
    right: FloatArray


class Presolve:
    """The two rules as they apply to one pattern.

    Args:
        whole: the pattern before.
        fixed: of each entry of A its value where that never changes, NaN where it does.
    """

    def __init__(self, whole: Pattern, fixed: FloatArray) -> None:
        self._whole = whole
        self._replace(fixed)
        self._gather(fixed)
        self.small = self._renumbered()

    def _replace(self, fixed: FloatArray) -> None:
        """Choose the equations a·x_gone + c·x_stay = b that give way."""
        whole = self._whole
        pairs = _pairs(whole, fixed)
        uses = np.zeros(whole.variables, dtype=np.int64)
        for first, second in pairs.values():
            uses[whole.matrix_columns[[first, second]]] += 1
        curved = np.zeros(whole.variables, dtype=np.bool_)
        curved[whole.quadratic_rows] = curved[whole.quadratic_columns] = True
        gone: dict[int, tuple[int, int, int]] = {}  # variable: row, its entry, the other's entry
        stays: set[int] = set()
        for row, entries in pairs.items():
            of, other = sorted(entries, key=lambda k: uses[whole.matrix_columns[k]])
            leaves, stay = (int(whole.matrix_columns[k]) for k in (of, other))
            if not (curved[leaves] or leaves in stays or leaves in gone or stay in gone):
                gone[leaves] = (row, of, other)
                stays.add(stay)
        self._gone = np.array(list(gone), dtype=np.int64)
        table = np.array(list(gone.values()), dtype=np.int64).reshape(-1, 3)
        self._gone_row = table[:, 0]
        self._gone_by = fixed[table[:, 1]]
        self._stay = whole.matrix_columns[table[:, 2]]
        self._ratio = -fixed[table[:, 2]] / self._gone_by

    def _gather(self, fixed: FloatArray) -> None:
        """Add up what falls on one place once variables are replaced, and find the bounds."""
        whole = self._whole
        becomes, times = np.arange(whole.variables), np.ones(whole.variables)
        becomes[self._gone], times[self._gone] = self._stay, self._ratio
        self._drops = np.isin(whole.matrix_columns, self._gone)
        kept = ~np.isin(whole.matrix_rows, self._gone_row)
        source = np.flatnonzero(kept)
        place = becomes[whole.matrix_columns] * whole.rows + whole.matrix_rows
        places, at = np.unique(place[source], return_inverse=True)
        weight = times[whole.matrix_columns[source]]
        shape = (len(places), len(whole.matrix_rows))
        self._sum = sparse.csr_array((weight, (at, source)), shape=shape)
        self._columns, self._rows = places // whole.rows, places % whole.rows
        constant = self._sum @ fixed  # NaN where any part changes
        self._bounds(constant)
        self._linear = sparse.csr_array(
            (times, (becomes, np.arange(whole.variables))), shape=(whole.variables,) * 2
        )

    def _bounds(self, constant: FloatArray) -> None:
        whole = self._whole
        entries = np.bincount(self._rows, minlength=whole.rows)
        unequal = (self._rows >= whole.equations) & (
            self._rows < whole.equations + whole.inequalities
        )
        alone = unequal & (entries[self._rows] == 1) & np.isfinite(constant) & (constant != 0)
        side = self._columns * 2 + (constant > 0)
        order = np.flatnonzero(alone)[np.argsort(side[alone], kind="stable")]
        self._bound_rows = self._rows[order]
        self._bound_scale = np.abs(constant[order])
        sides, starts = np.unique(side[order], return_index=True)
        self._starts = starts
        self._group = np.repeat(np.arange(len(sides)), np.diff([*starts, len(order)]))
        self._bound_column, self._bound_sign = sides // 2, np.where(sides % 2, 1.0, -1.0)
        self._general = np.flatnonzero(~alone)

    def _renumbered(self) -> Pattern:
        """The smaller pattern: equations, then bounds, then the other rows in their order."""
        whole, bounds = self._whole, len(self._bound_column)
        left = np.ones(whole.rows, dtype=np.bool_)
        left[self._gone_row] = left[self._bound_rows] = False
        self._left = np.flatnonzero(left)
        equations = int(np.count_nonzero(self._left < whole.equations))
        position = np.full(whole.rows, -1)
        position[self._left] = np.arange(len(self._left))
        position[self._left[equations:]] += bounds
        self._equations = equations
        variables = np.ones(whole.variables, dtype=np.bool_)
        variables[self._gone] = False
        self._variables = np.flatnonzero(variables)
        number = np.cumsum(variables) - 1
        rows = np.concatenate([position[self._rows[self._general]], equations + np.arange(bounds)])
        columns = number[np.concatenate([self._columns[self._general], self._bound_column])]
        self._order = np.lexsort((rows, columns))
        return Pattern(
            variables=len(self._variables),
            rows=len(self._left) + bounds,
            quadratic_rows=number[whole.quadratic_rows],
            quadratic_columns=number[whole.quadratic_columns],
            matrix_rows=rows[self._order],
            matrix_columns=columns[self._order],
            equations=equations,
            inequalities=whole.inequalities - len(self._bound_rows) + bounds,
        )

    def reduced(self, numbers: Numbers) -> tuple[Numbers, "Way"]:
        """The numbers of the smaller program, and the way back."""
        whole = self._whole
        offset = np.zeros(whole.variables)
        offset[self._gone] = numbers.right[self._gone_row] / self._gone_by
        moved = np.where(self._drops, numbers.matrix * offset[whole.matrix_columns], 0.0)
        right = numbers.right - np.bincount(whole.matrix_rows, moved, minlength=whole.rows)
        bound = right[self._bound_rows] / self._bound_scale
        tightest = np.minimum.reduceat(bound, self._starts) if len(bound) else bound
        matrix = np.concatenate([(self._sum @ numbers.matrix)[self._general], self._bound_sign])
        left = right[self._left]
        small = Numbers(
            quadratic=numbers.quadratic,
            linear=(self._linear @ numbers.linear)[self._variables],
            matrix=matrix[self._order],
            right=np.concatenate([left[: self._equations], tightest, left[self._equations :]]),
        )
        return small, Way(self, numbers, offset, bound, tightest)

    def whole(self, way: "Way", x: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Solution and duals of the whole program from those of the smaller one."""
        whole, numbers = self._whole, way.numbers
        full = np.zeros(whole.variables)
        full[self._variables] = x
        full[self._gone] = self._ratio * full[self._stay] + way.offset[self._gone]
        duals, bounds = np.zeros(whole.rows), len(self._bound_column)
        duals[self._left] = np.concatenate([z[: self._equations], z[self._equations + bounds :]])
        binding = np.flatnonzero(way.bound == way.tightest[self._group])
        _, first = np.unique(self._group[binding], return_index=True)
        which = binding[first]
        price = z[self._equations : self._equations + bounds]
        duals[self._bound_rows[which]] = price[self._group[which]] / self._bound_scale[which]
        pull = numbers.linear + np.bincount(
            whole.matrix_columns,
            numbers.matrix * duals[whole.matrix_rows],
            minlength=whole.variables,
        )
        duals[self._gone_row] = -pull[self._gone] / self._gone_by
        return full, duals


@dataclass(frozen=True, slots=True)
class Way:
    """What is needed to come back from the smaller program."""

    presolve: Presolve
    numbers: Numbers
    offset: FloatArray
    bound: FloatArray
    tightest: FloatArray

    def back(self, x: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Solution and duals of the whole program."""
        return self.presolve.whole(self, x, z)


def _pairs(whole: Pattern, fixed: FloatArray) -> dict[int, tuple[int, int]]:
    """By row, the two entries of every equation that has two, both never changing and not 0."""
    entries: dict[int, list[int]] = {}
    for k, row in enumerate(whole.matrix_rows.tolist()):
        if row < whole.equations:
            entries.setdefault(row, []).append(k)
    return {
        row: (two[0], two[1])
        for row, two in entries.items()
        if len(two) == 2 and bool(np.all(np.isfinite(fixed[two]) & (fixed[two] != 0)))
    }
