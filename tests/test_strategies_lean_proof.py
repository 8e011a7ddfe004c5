"""What the dense program finds is proven anew, and what is not a number never drops a cap."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

import strategies.lean
from risk.limits.caps import RiskLimits
from strategies.certificate import lower_bound_usd, proven
from strategies.inputs import HedgeChoices
from strategies.interior import Optimum, Program, optimum
from strategies.lean import LeanFirst, lean_solution
from strategies.model import HedgeModel, hedge_model
from strategies.problem import HedgeProblem
from strategies.shape import shape_of
from strategies.solution import Relaxed
from tests.strategies_cases import easy, random_facts, two_tokens
from tests.strategies_choices import CHOICES, facts_of

TIGHT = easy(RiskLimits(net_usd=40_000.0, hedge_gross_usd=75_000.0), risk_aversion=0.3)


FEW = RiskLimits(adv_share=0.01, token_usd=18_000.0, hedge_gross_usd=60_000.0)


def model_of(seed: int, choices: HedgeChoices = TIGHT) -> HedgeModel:
    return hedge_model(facts_of(seed), choices)


def spoiled(monkeypatch: pytest.MonkeyPatch, how: Callable[[Program, Optimum], Any]) -> None:
    """The method ends as if all were well, with another answer than it found."""
    honest = strategies.lean.optimum

    def wrong(program: Program) -> Optimum | None:
        found = honest(program)
        return None if found is None else how(program, found)

    monkeypatch.setattr(strategies.lean, "pivoted", lambda _: None)
    monkeypatch.setattr(strategies.lean, "optimum", wrong)


WRONG = {
    "no trade": lambda program, found: replace(found, point=np.zeros_like(found.point)),
    "over a cap": lambda program, found: replace(found, point=0.9 * found.point),
    "too much": lambda program, found: replace(found, point=program.top),
    "not a number": lambda program, found: replace(found, point=np.nan * found.point),
    "prices not numbers": lambda program, found: replace(found, row_price=np.nan * found.row_price),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_an_answer_that_is_not_best_or_breaks_a_cap_is_not_given(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    model = model_of(1)
    limits = model.caps.limits
    right = lean_solution(model, limits)
    assert right is not None
    assert np.any(right.duals > 0)
    spoiled(monkeypatch, WRONG[name])
    assert lean_solution(model, limits) is None
    general = LeanFirst(shape_of(model)).solve(model, limits)
    assert isinstance(general, Relaxed)
    assert general.objective_usd == pytest.approx(right.objective_usd, abs=1e-6 * model.unit_usd)


@pytest.mark.parametrize("name", ["no caps", "caps", "signed", "impact", "uncertainty", "doubt"])
def test_answers_are_proven_against_the_general_solver(name: str):
    """The certificate's bound, laid at the dense answer, is the solver's own optimum to 1e-6."""
    for seed in range(4):
        model = model_of(seed, CHOICES[name])
        limits = model.caps.limits
        lean = lean_solution(model, limits)
        if lean is None:
            continue
        general = HedgeProblem(shape_of(model)).solve(model, limits)
        assert isinstance(general, Relaxed)
        bound = lower_bound_usd(model, limits, lean.duals, lean.hedge_usd)
        book = float(np.sum(np.abs(model.bot)))
        assert bound <= general.objective_usd + 1e-6 * model.unit_usd
        assert bound == pytest.approx(general.objective_usd, abs=1e-6 * book)
        assert lean.objective_usd == pytest.approx(general.objective_usd, rel=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, -np.inf])
def test_a_limit_that_is_not_a_number_is_no_missing_cap(wrong: float):
    """Below nothing, or not a number: then no hedge is proven to keep it, of whichever cap."""
    model = model_of(1, CHOICES["caps"])
    still = np.zeros(len(model.aim))
    assert lean_solution(model, model.caps.limits) is not None
    for row, name in enumerate(model.caps.names):
        limits = model.caps.limits.copy()
        limits[row] = wrong
        assert lean_solution(model, limits) is None, name
        assert not proven(model, limits, still, model.current, model.objective_now_usd), name


@pytest.mark.parametrize(
    "part", ["book_rows", "book_doubt", "hedge_rows", "stress_rows", "stress_margin", "root"]
)
def test_a_row_that_is_not_a_number_is_no_missing_cap(part: str):
    model = model_of(1, CHOICES["doubt"])
    numbers = getattr(model.caps, part).copy()
    numbers[..., -1] = np.nan
    caps = replace(model.caps, **{part: numbers})
    assert lean_solution(replace(model, caps=caps, root=caps.root), caps.limits) is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("field", ["bot", "current", "covariance", "volatility"])
def test_a_fact_that_is_not_a_number_gets_no_answer(field: str, wrong: float):
    model = model_of(1, CHOICES["uncertainty"])
    numbers = getattr(model, field).copy()
    numbers[..., 0] = wrong
    assert lean_solution(replace(model, **{field: numbers}), model.caps.limits) is None


@pytest.mark.parametrize("field", ["lower", "upper"])
def test_a_bound_that_is_not_a_number_lets_nothing_move_there(field: str):
    model = model_of(1, CHOICES["caps"])
    numbers = getattr(model, field).copy()
    numbers[model.movable[0]] = np.nan
    assert lean_solution(replace(model, **{field: numbers}), model.caps.limits) is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("field", [field.name for field in fields(Program)])
def test_the_method_gives_no_answer_where_numbers_are_not(field: str, wrong: float):
    k = 3
    plain = Program(
        curve=np.eye(k),
        slope=-np.ones(k),
        impact=np.full(k, 0.1),
        top=np.full(k, 0.5),
        rows=np.ones((1, k)),
        room=np.ones(1),
    )
    assert optimum(plain) is not None
    numbers = getattr(plain, field).copy()
    numbers[..., 0] = wrong
    found = optimum(replace(plain, **{field: numbers}))
    if field in {"top", "room"} and wrong > 0:  # no bound is a bound too
        assert found is None or np.all(np.isfinite(found.point))
    else:
        assert found is None


def test_an_answer_reached_in_the_last_round_counts(monkeypatch: pytest.MonkeyPatch):
    program = Program(np.eye(2), -np.ones(2), None, np.full(2, 0.5), np.empty((0, 2)), np.empty(0))
    rounds = next(
        count for count in range(1, 40) if _with_rounds(monkeypatch, count, program) is not None
    )
    # One step fewer than it takes: the last is not lost for want of another look.
    steps = 0
    honest = strategies.interior._Search.step

    def counted(search: Any) -> bool:
        nonlocal steps
        steps += 1
        return bool(honest(search))

    monkeypatch.setattr(strategies.interior._Search, "step", counted)
    assert _with_rounds(monkeypatch, rounds, program) is not None
    assert steps == rounds


def _with_rounds(monkeypatch: pytest.MonkeyPatch, count: int, program: Program) -> Optimum | None:
    monkeypatch.setattr(strategies.interior, "_ROUNDS", count)
    return optimum(program)


def test_one_token_exactly_at_its_cap_shuts_its_side_alone():
    """Under a cushion this is how things stand after every trade that a token's cap stopped."""
    facts = two_tokens(50_000.0, -20_000.0, -20_000.0)
    choices = easy(RiskLimits(token_usd=50_000.0), largest_hedge_usd=60_000.0)
    model = hedge_model(facts, choices)
    limits = model.caps.limits.copy()
    limits[1] = 20_000.0
    lean = lean_solution(model, limits)
    general = HedgeProblem(shape_of(model)).solve(model, limits)
    assert lean is not None
    assert isinstance(general, Relaxed)
    assert lean.hedge_usd[1] == pytest.approx(-20_000.0, abs=1e-6)
    assert lean.hedge_usd[2] < -21_000.0
    assert lean.objective_usd == pytest.approx(general.objective_usd, abs=1e-6 * model.unit_usd)
    limits[1] += 10.0
    more = HedgeProblem(shape_of(model)).solve(model, limits)
    assert isinstance(more, Relaxed)
    assert 10.0 * lean.duals[1] == pytest.approx(
        general.objective_usd - more.objective_usd, rel=0.01
    )


@pytest.mark.parametrize("impact", [0.0, 1.0])
def test_caps_on_trades_that_leave_no_room_in_some_symbols(impact: float):
    for seed in range(6):
        model = hedge_model(random_facts(seed), easy(FEW, impact=impact))
        limits = model.caps.limits.copy()
        rows = np.arange(len(limits))[model.caps.blocks["trade"]]
        limits[rows[::3]] = 0.0
        lean = lean_solution(model, limits)
        general = HedgeProblem(shape_of(model)).solve(model, limits)
        assert isinstance(general, Relaxed)
        assert lean is not None
        assert np.array_equal(lean.hedge_usd[::3], model.current[::3])
        assert lean.objective_usd == pytest.approx(general.objective_usd, abs=1e-6 * model.unit_usd)
