"""Caps that exclude each other: who yields, by how much, and that nothing gets worse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.limits.caps import RiskLimits
from strategies.caps import Tier, excess
from strategies.easing import ROOM_FOR_THE_SOLVER, eased_limits, loosened
from strategies.elastic import ElasticProblem
from strategies.inputs import HedgeFacts
from strategies.model import HedgeModel, hedge_model
from strategies.problem import HedgeProblem
from strategies.shape import Shape, shape_of
from strategies.solution import Relaxed, Unsolved
from tests.strategies_cases import easy, free, random_facts, two_tokens

COMPILED: dict[Shape, ElasticProblem] = {}


def eased(model: HedgeModel) -> dict[str, float]:
    """By cap, the largest slack."""
    problem = COMPILED.setdefault(shape_of(model), ElasticProblem(shape_of(model)))
    limits = eased_limits(problem, model)
    assert not isinstance(limits, Unsolved), limits
    finite = np.isfinite(model.caps.limits)
    slack = np.where(finite, limits, 0.0) - np.where(finite, model.caps.limits, 0.0)
    return model.caps.by_cap(slack, np.max)


def slacks(facts: HedgeFacts, **limits: float) -> dict[str, float]:
    return eased(hedge_model(facts, free(**limits)))


def test_nothing_yields_where_all_can_be_met():
    assert slacks(two_tokens(), net_usd=30_000.0) == {"net_usd": 0.0}


def test_turnover_yields_before_net():
    needed = slacks(two_tokens(), net_usd=30_000.0, turnover_daily_usd=5_000.0)
    assert needed == pytest.approx({"net_usd": 0.0, "turnover_daily_usd": 15_000.0}, abs=0.5)


def test_the_share_of_volume_yields_before_net():
    facts = two_tokens(adv_usd=np.array([1e8, 5e5]))
    needed = slacks(facts, net_usd=30_000.0, adv_share=0.01)
    assert needed == pytest.approx({"net_usd": 0.0, "adv_share": 15_000.0}, abs=0.5)


def test_net_yields_before_gross_and_token():
    needed = slacks(two_tokens(), net_usd=30_000.0, hedge_gross_usd=8_000.0)
    assert needed == pytest.approx({"net_usd": 12_000.0, "hedge_gross_usd": 0.0}, abs=0.5)
    needed = slacks(two_tokens(), net_usd=30_000.0, token_usd=7_000.0)
    assert needed == pytest.approx({"token_usd": 0.0, "net_usd": 13_000.0}, abs=0.5)


def test_margin_never_yields():
    needed = slacks(two_tokens(equity_usd=1_000.0), net_usd=30_000.0, margin_use=0.5)
    assert needed == pytest.approx({"net_usd": 15_000.0, "margin_use": 0.0}, abs=0.5)


def test_signs_and_hands_off_never_yield():
    facts = two_tokens(-50_000.0, -1_000.0)
    needed = slacks(facts, net_usd=30_000.0)
    assert needed == pytest.approx({"net_usd": 20_000.0}, abs=0.5)


def test_margin_that_is_over_comes_down_even_where_net_suffers():
    facts = two_tokens(50_000.0, -30_000.0, equity_usd=2_000.0)
    needed = slacks(facts, net_usd=30_000.0, margin_use=0.5)
    assert needed == pytest.approx({"net_usd": 10_000.0, "margin_use": 0.0}, abs=0.5)


def test_a_cap_that_no_hedge_can_move_is_left_out():
    facts = two_tokens(
        cluster=np.array([0, 1]),
        in_sector=np.array([True, False]),
    )
    needed = slacks(facts, token_usd=20_000.0, cluster_net_usd=20_000.0, sector_net_usd=10_000.0)
    assert needed == {"token_usd": 0.0, "cluster_net_usd": 0.0, "sector_net_usd": 0.0}


LIMIT = st.sampled_from([0.05, 0.2, 0.6, 2.0])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    shares=st.tuples(LIMIT, LIMIT, LIMIT, LIMIT, LIMIT),
    held=st.floats(0.0, 0.4),
)
def test_eased_caps_can_be_met_and_no_cap_on_the_book_ends_further_over(
    seed: int, shares: tuple[float, ...], held: float
):
    facts = random_facts(seed, n=6, held=2)
    hedge = np.where(facts.may_hedge, -np.round(held * 1e5 * np.linspace(0, 1, 6)), 0.0)
    token, gross, net, cae, turnover = (100_000.0 * share for share in shares)
    limits = RiskLimits(
        token_usd=token,
        hedge_gross_usd=gross,
        net_usd=net,
        cae_usd=3 * cae,
        turnover_daily_usd=turnover,
    )
    changed = random_facts(seed, n=6, held=2, hedge_usd=hedge)
    model = hedge_model(changed, easy(limits))
    problem = COMPILED.setdefault(shape_of(model), ElasticProblem(shape_of(model)))
    found = eased_limits(problem, model)
    assert not isinstance(found, Unsolved), found
    now, strict = model.caps.values(model.current), model.caps.tiers >= Tier.BOOK
    ceiling = np.maximum(model.caps.limits, now) + 1e-3 * model.unit_usd
    assert np.all(found[strict] <= ceiling[strict])
    hard = HedgeProblem(shape_of(model))
    answers = [hard.solve(model, loosened(found, model, room)) for room in ROOM_FOR_THE_SOLVER]
    solved = [answer for answer in answers if isinstance(answer, Relaxed)]
    assert solved, answers
    after = model.caps.values(solved[0].hedge_usd)
    assert not np.any(excess(after, found + 2e-2 * model.unit_usd))
