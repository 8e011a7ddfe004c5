"""The dense program against the problem written out in cvxpy: odd cases, scales, repetition."""

from dataclasses import replace

import numpy as np
import pytest

from risk.limits.caps import RiskLimits
from risk.limits.stresses import AccountStress
from strategies.certificate import lower_bound_usd
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.lean import lean_solution
from strategies.minimum_risk import MinimumRisk
from strategies.model import HedgeModel, hedge_model
from strategies.problem import HedgeProblem
from strategies.proposal import HedgeProposal
from strategies.shape import shape_of
from strategies.solution import Relaxed
from tests.strategies_cases import easy, random_facts, two_tokens
from tests.strategies_choices import CAPS, CHOICES, facts_of
from tests.strategies_reference import reference_usd

CUSHIONED = replace(easy(CAPS), cushion=0.02)


def agrees(model: HedgeModel, limits: np.ndarray) -> Relaxed:
    """The dense answer, once its value and its certificate are the reference's to 1e-6."""
    lean = lean_solution(model, limits)
    assert lean is not None
    expected = reference_usd(model, limits)
    size = 1e-6 * max(abs(expected), abs(model.objective_now_usd))
    assert lean.objective_usd == pytest.approx(expected, abs=size)
    bound = lower_bound_usd(model, limits, lean.duals, lean.hedge_usd)
    assert bound == pytest.approx(expected, abs=2 * size)
    return lean


def scaled(gross_usd: float) -> HedgeChoices:
    part = gross_usd / 100_000.0
    limits = RiskLimits(
        net_usd=45_000 * part,
        hedge_gross_usd=60_000 * part,
        token_usd=22_000 * part,
        beta_net_usd=60_000 * part,
        cae_usd=300_000 * part,
        margin_use=0.5,
    )
    return easy(limits, cushion=0.02, impact=1.0)


@pytest.mark.parametrize("gross_usd", [100.0, 1e4, 1e6, 1e9])
@pytest.mark.parametrize("impact", [0.0, 1.0])
def test_books_from_a_hundred_dollars_to_a_billion(gross_usd: float, impact: float):
    for seed in (3, 4):
        facts = random_facts(seed, n=12, gross_usd=gross_usd)
        model = hedge_model(facts, replace(scaled(gross_usd), impact=impact))
        agrees(model, model.aim)


@pytest.mark.parametrize("impact", [0.0, 1.0])
def test_many_tokens(impact: float):
    facts = random_facts(5, n=64, held=10)
    assert np.count_nonzero(facts.may_hedge) >= 50
    model = hedge_model(facts, replace(CUSHIONED, impact=impact))
    agrees(model, model.aim)


def test_one_symbol_alone():
    """The bot's own token is the hedge account's too: the book is only made smaller."""
    facts = random_facts(1, n=1, held=1, may_hedge=np.array([True]))
    model = hedge_model(facts, easy(RiskLimits(net_usd=60_000.0), risk_aversion=0.1))
    model = replace(model, lower=np.array([-90_000.0]))  # as far as the book keeps its side
    lean = agrees(model, model.caps.limits)
    assert lean.hedge_usd[0] <= -40_000.0 * (1 - 1e-9)


def test_a_token_over_its_cap_comes_back_under_it():
    for held in (-30_000.0, -25_000.0):
        facts = two_tokens(50_000.0, held, -2_000.0)
        model = hedge_model(
            facts, easy(RiskLimits(token_usd=20_000.0), risk_aversion=0.2, cushion=0.05)
        )
        lean = agrees(model, model.aim)
        assert abs(lean.hedge_usd[1]) <= 19_000.0 * (1 + 1e-9)


def test_a_hedge_pinned_away_from_where_it_is():
    """As when a leg is to be closed: its bounds are both elsewhere, and its trade is paid for."""
    model = hedge_model(facts_of(1), easy(replace(CAPS, net_usd=80_000.0)))
    open_legs = np.flatnonzero(model.current)
    assert len(open_legs)
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[open_legs[0]] = upper[open_legs[0]] = 0.0
    pinned = replace(model, lower=lower, upper=upper)
    lean = agrees(pinned, pinned.caps.limits)
    assert lean.hedge_usd[open_legs[0]] == 0.0
    limits = pinned.caps.limits.copy()
    limits[pinned.caps.blocks["trade"].start + open_legs[0]] = 1.0
    assert lean_solution(pinned, limits) is None  # it cannot be closed so fast


@pytest.mark.parametrize(("shared", "use"), [(True, 0.42), (False, 0.34)])
def test_what_stresses_take_of_the_account(shared: bool, use: float):
    binding = 0
    for seed in range(4):
        facts = random_facts(seed, n=10)
        stress = AccountStress(
            names=("up", "down", "mixed"),
            returns=np.array([np.full(10, 0.25), np.full(10, -0.25), np.linspace(0.3, -0.3, 10)]),
            margin_rate=np.full(10, 0.03),
            shared=shared,
        )
        choices = easy(RiskLimits(stress_use=use), risk_aversion=2.0)
        model = hedge_model(replace(facts, stress=stress), choices)
        binding += bool(np.any(agrees(model, model.aim).duals > 0))
    assert binding >= 2


def test_free_trades_of_either_sign():
    for seed in range(4):
        n = 9
        facts = random_facts(
            seed,
            n=n,
            taker_fee=np.zeros(n),
            half_spread=np.zeros(n),
            funding_daily=np.zeros(n),
        )
        choices = easy(RiskLimits(net_usd=30_000.0), shorts_only=False)
        model = hedge_model(facts, choices)
        agrees(model, model.aim)


def test_limits_to_aim_at_are_kept_to_the_last_digits():
    inside = 0
    for seed in range(6):
        model = hedge_model(facts_of(seed), replace(CUSHIONED, risk_aversion=8.0))
        lean = lean_solution(model, model.aim)
        if lean is None:
            continue
        agrees(model, model.aim)
        values = model.caps.values(lean.hedge_usd)
        assert np.all(values <= model.aim + 1e-6 * model.unit_usd)
        held_back = (lean.duals > 0) & (model.aim < model.caps.limits)
        inside += int(np.count_nonzero(held_back))
    assert inside >= 3


def drawn(seed: int) -> tuple[HedgeFacts, HedgeChoices]:
    """A book, hedges as some decision left them and the market moved them, and an owner's caps."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 30))
    gross = 10 ** rng.uniform(3, 7)
    facts = random_facts(seed, n=n, held=int(rng.integers(1, max(2, n // 3))), gross_usd=gross)
    usual = {
        "net_usd": 0.5,
        "sector_net_usd": 0.5,
        "beta_net_usd": 0.6,
        "cae_usd": 2.5,
        "token_usd": 0.25,
        "hedge_gross_usd": 1.0,
        "cluster_gross_usd": 0.6,
        "turnover_daily_usd": 3.0,
    }
    limits = RiskLimits(
        adv_share=0.01,
        margin_use=0.5,
        **{
            cap: s * gross * rng.uniform(0.8, 2.0) for cap, s in usual.items() if rng.random() < 0.7
        },
    )
    choices = easy(
        limits,
        holding_days=7.0,
        cushion=0.02,
        carry_doubt=1.0,
        carry_received=0.0,
        impact=float(rng.choice([0.0, 1.0])),
        shorts_only=bool(rng.random() < 0.8),
    )
    if rng.random() < 0.7:
        model = hedge_model(facts, choices)
        before = lean_solution(model, model.aim)
        if before is not None:
            moved = before.hedge_usd * (1.0 + 0.05 * rng.normal(size=n))
            at_edge = rng.random(n) < 0.5
            facts = replace(facts, hedge_usd=np.where(at_edge, before.hedge_usd, moved))
    return facts, choices


def test_nearly_every_decision_is_answered_by_the_dense_program():
    """Or it would have fallen out of use unnoticed, and decisions take ten times as long."""
    lean = left = 0
    for seed in range(250):
        model = hedge_model(*drawn(seed))
        if lean_solution(model, model.aim) is not None:
            lean += 1
        elif isinstance(HedgeProblem(shape_of(model)).solve(model, model.aim), Relaxed):
            left += 1
    assert lean >= 200
    assert lean >= 0.97 * (lean + left)


@pytest.mark.parametrize("name", ["caps", "signed", "impact", "uncertainty"])
def test_the_same_facts_give_the_same_bits_whatever_came_between(name: str):
    first = [lean_solution(m, m.aim) for m in models(name)]
    backwards = [lean_solution(m, m.aim) for m in reversed(models(name))]
    assert any(one is not None for one in first)
    for one, other in zip(first, reversed(backwards), strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.hedge_usd.tobytes() == other.hedge_usd.tobytes()
            assert one.duals.tobytes() == other.duals.tobytes()
            assert one.objective_usd == other.objective_usd


def models(name: str) -> list[HedgeModel]:
    return [hedge_model(facts_of(seed), CHOICES[name]) for seed in range(6)]


def test_whole_decisions_are_the_same_whatever_came_between():
    """Dense answers, general ones and none, in lots, by one strategy forth and back."""
    cases = [drawn(seed) for seed in range(8)]
    cases += [(facts_of(seed), CHOICES[name]) for seed in (1, 2) for name in ("everything", "tail")]
    used = MinimumRisk()
    forth = [used.decide(*case) for case in cases]
    back = [used.decide(*case) for case in reversed(cases)]
    for case, one, other in zip(cases, forth, reversed(back), strict=True):
        assert type(one) is type(other)
        assert one == other
        assert MinimumRisk().decide(*case) == one
        if isinstance(one, HedgeProposal) and isinstance(other, HedgeProposal):
            targets = [np.array([leg.target_usd for leg in told.legs]) for told in (one, other)]
            assert targets[0].tobytes() == targets[1].tobytes()
    assert sum(isinstance(one, HedgeProposal) for one in forth) >= 6
