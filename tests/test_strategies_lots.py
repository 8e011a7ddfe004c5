"""Whole lots: what a trade may be, and that rounding stays inside the caps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.limits.caps import RiskLimits
from strategies.caps import excess
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.lots import best_lots, nearest_lots, tightened
from strategies.model import HedgeModel, hedge_model, smallest_trade_usd
from strategies.problem import HedgeProblem
from strategies.shape import Shape, shape_of
from strategies.solution import Relaxed
from tests.strategies_cases import easy, random_facts, two_tokens

COMPILED: dict[Shape, HedgeProblem] = {}


def model_of(current: float, lot: float, least: float, **limits: float) -> HedgeModel:
    facts = two_tokens(
        50_000.0, current, lot_usd=np.array([1.0, lot]), min_trade_usd=np.array([1.0, least])
    )
    return hedge_model(facts, easy(RiskLimits(**limits)))


def solve(model: HedgeModel, limits: np.ndarray) -> Relaxed | None:
    problem = COMPILED.setdefault(shape_of(model), HedgeProblem(shape_of(model)))
    answer = problem.solve(model, limits)
    return answer if isinstance(answer, Relaxed) else None


def assert_tradable(model: HedgeModel, hedge: np.ndarray) -> None:
    """Whole lots of at least the minimum, or closed; on the same side; nothing grown hands-off."""
    trade = hedge - model.current
    lots = trade / model.lot_usd
    assert np.all((np.abs(lots - np.rint(lots)) < 1e-5) | (hedge == 0))
    least = model.min_trade_usd * (1 - 1e-6)
    assert np.all((trade == 0) | (np.abs(trade) >= least) | (hedge == 0))
    assert np.all(hedge * model.current >= 0)
    assert np.all(hedge >= model.lower - 1e-5 * model.lot_usd)
    assert np.all(hedge <= model.upper + 1e-5 * model.lot_usd)


@pytest.mark.parametrize(
    ("current", "lot", "least", "wanted", "reached"),
    [
        (0.0, 2.0, 5.0, -7.1, -8.0),  # to the nearest whole lot
        (0.0, 2.0, 5.0, -2.9, 0.0),  # below half of the smallest trade, which is 6
        (0.0, 2.0, 5.0, -3.1, -6.0),
        (0.0, 100.0, 5.0, -49.0, 0.0),  # a lot may be more than the minimum
        (0.0, 100.0, 5.0, -51.0, -100.0),
        (-100.0, 1.0, 5.0, -97.6, -100.0),
        (-100.0, 1.0, 5.0, -97.4, -95.0),
        (-100.0, 1.0, 5.0, -0.4, 0.0),
        (-3.0, 1.0, 5.0, -0.1, 0.0),  # dust below the minimum may be closed
        (-3.0, 1.0, 5.0, -2.9, -3.0),
        (-10.4, 1.0, 1.0, -0.1, 0.0),  # no whole number of lots: closed in one piece
        (-10.4, 1.0, 1.0, -4.6, -4.4),
        (-100.0, 1.0, 5.0, -103.0, -105.0),
    ],
)
def test_the_nearest_trade(current: float, lot: float, least: float, wanted: float, reached: float):
    model = model_of(current, lot, least)
    assert nearest_lots(model, np.array([0.0, wanted]))[1] == pytest.approx(reached)


def test_closing_in_whole_lots_leaves_exactly_nothing():
    model = model_of(-0.3 * 7, 0.3, 0.0)
    assert nearest_lots(model, np.zeros(2))[1] == 0.0


def test_the_smallest_trade_is_whole_lots_that_reach_the_minimum():
    assert smallest_trade_usd(model_of(0.0, 2.0, 5.0))[1] == 6.0
    assert smallest_trade_usd(model_of(0.0, 0.1, 0.3))[1] == pytest.approx(0.3)
    assert smallest_trade_usd(model_of(0.0, 7.0, 0.0))[1] == 7.0


def test_caps_are_tightened_by_what_rounding_can_change():
    model = model_of(
        0.0, 2.0, 5.0, net_usd=100.0, cae_usd=100.0, hedge_gross_usd=100.0, turnover_daily_usd=2.0
    )
    tight = tightened(model, model.caps.limits)
    assert tight is not None
    # Half of 6 USD; the cone by the token's volatility over BTC's, 0.05 / 0.025; turnover to 0.
    by_name = dict(zip(model.caps.names, tight, strict=True))
    assert by_name == pytest.approx(
        {"net_usd": 97.0, "hedge_gross_usd": 97.0, "cae_usd": 94.0, "turnover_daily_usd": 0.0}
    )
    assert tightened(model_of(0.0, 2.0, 5.0, net_usd=2.0), np.array([2.0])) is None


def test_the_search_finds_what_rounding_missed():
    model = model_of(0.0, 1.0, 5.0)
    relaxed = solve(model, model.caps.limits)
    assert relaxed is not None
    off = nearest_lots(model, relaxed.hedge_usd + np.array([0.0, 40.0]))
    found = best_lots(model, model.caps.limits, [off])
    assert found.hedge_usd == pytest.approx(nearest_lots(model, relaxed.hedge_usd))


def test_no_trade_wins_where_every_lot_is_too_coarse():
    model = model_of(-38_000.0, 30_000.0, 5.0)
    found = best_lots(model, model.caps.limits, [np.array([0.0, -68_000.0]), np.zeros(2)])
    assert np.array_equal(found.hedge_usd, model.current)


@st.composite
def decisions(draw: st.DrawFn) -> tuple[HedgeFacts, HedgeChoices]:
    facts = random_facts(draw(st.integers(0, 10_000)), n=6, held=2)
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    lot = 10.0 ** rng.uniform(-2, 2, 6)
    hedge = np.where(rng.random(6) < 0.4, -np.round(rng.uniform(0, 2e4, 6) / lot) * lot, 0.0)
    changed = random_facts(
        0,
        n=6,
        held=2,
        bot_usd=facts.bot_usd,
        covariance_daily=facts.covariance_daily,
        hedge_usd=hedge,
        lot_usd=lot,
        may_hedge=facts.may_hedge & (rng.random(6) < 0.8),
    )
    limits = RiskLimits(
        token_usd=draw(st.sampled_from([15_000.0, 30_000.0])),
        hedge_gross_usd=80_000.0,
        net_usd=draw(st.sampled_from([40_000.0, 80_000.0])),
        cae_usd=250_000.0,
        turnover_daily_usd=draw(st.sampled_from([20_000.0, 90_000.0])),
        adv_share=0.01,
    )
    return changed, easy(limits, risk_aversion=draw(st.sampled_from([0.0, 4.0])))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(decisions())
def test_tightened_then_rounded_is_inside_every_cap(decision: tuple[HedgeFacts, HedgeChoices]):
    model = hedge_model(*decision)
    tight = tightened(model, model.caps.limits)
    relaxed = None if tight is None else solve(model, tight)
    if relaxed is None:
        return
    rounded = nearest_lots(model, relaxed.hedge_usd)
    assert_tradable(model, rounded)
    # The solver is right to about a millionth of the book.
    assert np.all(excess(model.caps.values(rounded), model.caps.limits + 0.1) == 0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(decisions())
def test_the_search_stays_tradable_and_never_ends_worse(
    decision: tuple[HedgeFacts, HedgeChoices],
):
    model = hedge_model(*decision)
    limits = model.caps.limits
    relaxed = solve(model, limits)
    start = nearest_lots(model, model.current if relaxed is None else relaxed.hedge_usd)
    found = best_lots(model, limits, [start])
    assert_tradable(model, found.hedge_usd)
    now = model.caps.values(model.current)
    after = model.caps.values(found.hedge_usd)
    assert np.all(excess(after, np.maximum(limits, now)) == 0)
    if not np.any(excess(now, limits)):
        assert found.objective_usd <= float(model.objective_usd(model.current))
    if relaxed is not None and not np.any(excess(after, limits)):
        assert found.objective_usd >= relaxed.objective_usd - 0.01
