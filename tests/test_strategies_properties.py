"""What holds for every decision, with all parts of the problem switched on and off at random."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.limits.caps import RiskLimits
from risk.limits.stresses import account_stress, gap_returns
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.model import hedge_model
from strategies.problem import HedgeProblem
from strategies.proposal import HedgeProposal
from strategies.shape import shape_of
from strategies.solution import Relaxed
from tests.strategies_cases import easy, random_facts

STRATEGY = MinimumRisk()
N = 6
PROBLEMS: dict[object, HedgeProblem] = {}
BUDGETS = (
    "token_usd",
    "hedge_gross_usd",
    "net_usd",
    "beta_net_usd",
    "cae_usd",
    "turnover_daily_usd",
    "stress_use",
)


@st.composite
def decisions(draw: st.DrawFn) -> tuple[HedgeFacts, HedgeChoices]:
    seed = draw(st.integers(0, 10_000))
    facts = random_facts(seed, n=N, held=2)
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(facts.covariance_daily)
    held = np.where(facts.may_hedge, -rng.uniform(0.0, 2e4, N), 0.0) * draw(st.booleans())
    named = gap_returns(facts.in_sector, gap=0.3, benchmark_gap=0.1)
    facts = replace(
        facts,
        hedge_usd=np.rint(held / facts.lot_usd) * facts.lot_usd,
        beta_btc_se=rng.uniform(0.0, 0.2, N),
        tail_returns=np.expm1(rng.standard_normal((60, N)) @ root.T),
        stress=account_stress(named, np.full(N, 0.05), shared=draw(st.booleans())),
        covariance_windows_daily=facts.covariance_daily[None] * rng.uniform(0.5, 1.5),
    )
    limits = RiskLimits(
        token_usd=70_000.0,
        hedge_gross_usd=draw(st.sampled_from([40_000.0, 90_000.0])),
        net_usd=draw(st.sampled_from([30_000.0, 60_000.0, 90_000.0])),
        beta_net_usd=draw(st.sampled_from([60_000.0, 120_000.0])),
        cae_usd=draw(st.sampled_from([100_000.0, 300_000.0])),
        turnover_daily_usd=draw(st.sampled_from([30_000.0, 150_000.0])),
        adv_share=0.01,
        margin_use=0.6,
        stress_use=draw(st.sampled_from([0.5, 0.9])),
    )
    return facts, easy(
        limits,
        risk_aversion=draw(st.sampled_from([0.0, 4.0])),
        impact=draw(st.sampled_from([0.0, 1.0])),
        beta_uncertainty=draw(st.sampled_from([0.0, 1.0])),
        tail_aversion=draw(st.sampled_from([0.0, 0.05])),
        worst_window=draw(st.booleans()),
        cushion=draw(st.sampled_from([0.0, 0.02])),
        most_legs=draw(st.sampled_from([None, None, 3])),
    )


def relaxed(facts: HedgeFacts, choices: HedgeChoices) -> Relaxed | None:
    model = hedge_model(facts, choices)
    shape = shape_of(model)
    if shape not in PROBLEMS:
        PROBLEMS[shape] = HedgeProblem(shape)
    answer = PROBLEMS[shape].solve(model, model.caps.limits)
    return answer if isinstance(answer, Relaxed) else None


def after(facts: HedgeFacts, answer: HedgeProposal) -> np.ndarray:
    target = facts.hedge_usd.copy()
    for leg in answer.legs:
        target[facts.symbols.index(leg.symbol)] = leg.target_usd
    return target


@settings(max_examples=40, deadline=None)
@given(decisions())
def test_lots_exceed_no_cap_that_can_be_met_and_make_none_worse(
    case: tuple[HedgeFacts, HedgeChoices],
):
    facts, choices = case
    answer = STRATEGY.decide(facts, choices)
    if not isinstance(answer, HedgeProposal):
        return
    model, target = hedge_model(facts, choices), after(facts, answer)
    values, now = model.caps.values(target), model.caps.values(facts.hedge_usd)
    over = values - model.caps.limits > 1e-3
    if "eased" not in answer.solver_status:
        assert not np.any(over & (now <= model.caps.limits))
        assert np.all(values[over] <= now[over] + 1e-3)
    else:
        assert answer.conflict is not None
    if choices.most_legs is not None and "more than" not in answer.solver_status:
        assert np.count_nonzero(target) <= choices.most_legs
    # Whole lots, on the allowed side, and hands off stays hands off.
    lots = (target - facts.hedge_usd) / facts.lot_usd
    whole = np.abs(lots - np.rint(lots)) < 1e-6
    assert np.all(whole | (target == 0))
    assert np.all(target <= 1e-9)
    assert np.all(np.abs(target[~facts.may_hedge]) <= np.abs(facts.hedge_usd[~facts.may_hedge]))


@settings(max_examples=60, deadline=None)
@given(decisions())
def test_what_is_optimal_already_is_not_traded(case: tuple[HedgeFacts, HedgeChoices]):
    facts, choices = case
    # With impact two small trades are cheaper than one large one, so more may follow; so it may
    # when a cap on trades left something undone.
    limits = replace(choices.limits, turnover_daily_usd=None, adv_share=None)
    choices = replace(choices, limits=limits, impact=0.0, risk_aversion=4.0)
    first = relaxed(facts, choices)
    if first is None:
        return
    settled = replace(facts, hedge_usd=first.hedge_usd)
    again = relaxed(settled, choices)
    assert again is not None
    stay = float(hedge_model(settled, choices).objective_usd(settled.hedge_usd))
    assert stay - again.objective_usd <= 1e-7 * facts.risk_equity_usd


@settings(max_examples=60, deadline=None)
@given(decisions(), st.sampled_from(BUDGETS), st.floats(1.0, 2.0))
def test_more_budget_never_makes_the_objective_worse(
    case: tuple[HedgeFacts, HedgeChoices], cap: str, factor: float
):
    facts, choices = case
    tight = relaxed(facts, choices)
    if tight is None:
        return
    wider = replace(choices.limits, **{cap: getattr(choices.limits, cap) * factor})
    loose = relaxed(facts, replace(choices, limits=wider))
    assert loose is not None, "what could be met can be met with more room"
    assert loose.objective_usd <= tight.objective_usd + 1e-7 * facts.risk_equity_usd


@settings(max_examples=40, deadline=None)
@given(decisions(), st.permutations(range(N)))
def test_the_order_of_symbols_changes_nothing(
    case: tuple[HedgeFacts, HedgeChoices], order: list[int]
):
    facts, choices = case
    arrays = {
        f.name: getattr(facts, f.name)[order]
        for f in fields(HedgeFacts)
        if isinstance(getattr(facts, f.name), np.ndarray) and getattr(facts, f.name).shape == (N,)
    }
    assert facts.stress is not None
    assert facts.tail_returns is not None
    assert facts.covariance_windows_daily is not None
    square = np.ix_(order, order)
    turned = replace(
        facts,
        symbols=tuple(facts.symbols[i] for i in order),
        covariance_daily=facts.covariance_daily[square],
        tail_returns=facts.tail_returns[:, order],
        covariance_windows_daily=np.array([s[square] for s in facts.covariance_windows_daily]),
        stress=replace(
            facts.stress,
            returns=facts.stress.returns[:, order],
            margin_rate=facts.stress.margin_rate[order],
        ),
        **arrays,
    )
    plain, permuted = relaxed(facts, choices), relaxed(turned, choices)
    if plain is None or permuted is None:
        assert plain is None
        assert permuted is None
        return
    assert abs(permuted.objective_usd - plain.objective_usd) <= 1e-7 * facts.risk_equity_usd
