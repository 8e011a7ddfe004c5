"""The quadratic program by guessing what binds, against conditions of optimality and the walk."""

from dataclasses import replace

import numpy as np
import pytest

from strategies.interior import Program, optimum
from strategies.pivoting import pivoted


def _program(seed: int) -> Program:
    """Some point within every row is allowed."""
    rng = np.random.default_rng(seed)
    k, r = int(rng.integers(1, 16)), int(rng.integers(0, 5))
    root = rng.normal(size=(k, k))
    top = rng.uniform(0.1, 5.0, k)
    rows = rng.normal(size=(r, k))
    inside = rows @ (top * rng.uniform(0.2, 0.8, k))
    return Program(
        curve=root @ root.T + 0.1 * np.eye(k),
        slope=rng.normal(size=k) - 0.5,
        impact=None,
        top=top,
        rows=rows,
        room=inside + rng.uniform(0.0, 0.5, r),
    )


def _value(program: Program, point: np.ndarray) -> float:
    return float(0.5 * point @ program.curve @ point + program.slope @ point)


def test_what_it_finds_meets_the_conditions_of_optimality():
    found_all, rows_bound, tops_bound = 0, 0, 0
    for seed in range(200):
        program = _program(seed)
        found = pivoted(program)
        if found is None:
            continue
        found_all += 1
        d, scale = found.point, float(np.abs(program.slope).max())
        left = program.room - program.rows @ d
        slope = program.curve @ d + program.slope + found.row_price @ program.rows
        slope = slope + found.top_price
        assert np.all((d >= 0) & (d <= program.top))
        assert np.all(left >= -1e-11)
        assert np.all(found.top_price >= 0)
        assert np.all(found.row_price >= 0)
        assert np.all(slope >= -1e-9 * scale)
        assert float(np.abs(slope * d).max()) < 1e-9
        assert np.all((found.top_price == 0) | (d == program.top))
        assert float(np.abs(found.row_price * left).max(initial=0.0)) < 1e-9
        rows_bound += bool(np.any(found.row_price > 0))
        tops_bound += bool(np.any(found.top_price > 0))
    assert found_all >= 160
    assert rows_bound >= 30
    assert tops_bound >= 30


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_it_is_at_least_as_good_as_the_interior_point_method(seed: int):
    program = _program(seed)
    found, walked = pivoted(program), optimum(program)
    assert walked is not None
    if found is not None:
        assert found.point == pytest.approx(walked.point, abs=1e-5)
        assert _value(program, found.point) <= _value(program, walked.point) + 1e-9


def test_it_says_nothing_where_no_point_is_allowed():
    one = np.ones((1, 1))
    assert pivoted(Program(one, -np.ones(1), None, np.ones(1), -one, np.array([-2.0]))) is None


def test_it_says_nothing_of_impact_and_of_numbers_that_are_none():
    program = _program(0)
    assert pivoted(replace(program, impact=np.ones(len(program.slope)))) is None
    assert pivoted(replace(program, slope=np.full(len(program.slope), np.nan))) is None
    assert pivoted(replace(program, slope=np.zeros(len(program.slope)))) is None


def test_sides_of_one_symbol_that_cost_nothing_do_not_disturb_it():
    """The curve is singular then: where it must be solved nothing is told, else the optimum."""
    curve = np.array([[1.0, -1.0], [-1.0, 1.0]])
    none = Program(
        curve, np.array([-1.0, 1.0]), None, np.full(2, 5.0), np.empty((0, 2)), np.empty(0)
    )
    found = pivoted(none)
    assert found is not None
    assert found.point == pytest.approx([1.0, 0.0])
