"""Caps that exclude each other: the minimal set, against every subset."""

from itertools import combinations

import numpy as np
import pytest

from risk.limits.caps import RiskLimits
from strategies.conflict import minimal_conflict
from strategies.elastic import ElasticProblem
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.model import HedgeModel, hedge_model
from strategies.problem import HedgeProblem
from strategies.proposal import CapInConflict, HedgeProposal, NoHedge
from strategies.shape import shape_of
from strategies.solution import Relaxed
from tests.strategies_cases import easy, random_facts, two_tokens


def conflict_of(model: HedgeModel) -> set[int]:
    return set(minimal_conflict(ElasticProblem(shape_of(model)), model).tolist())


def can_hold(problem: HedgeProblem, model: HedgeModel, rows: set[int]) -> bool:
    keep = np.isin(np.arange(len(model.caps.limits)), list(rows))
    answer = problem.solve(model, np.where(keep, model.caps.limits, np.inf))
    return isinstance(answer, Relaxed)


@pytest.mark.parametrize("seed", range(8))
def test_the_set_is_in_conflict_and_no_part_of_it_is(seed: int):
    rng = np.random.default_rng(seed)
    facts = random_facts(seed, n=5, held=2)
    gross = float(np.sum(facts.bot_usd))
    limits = RiskLimits(
        net_usd=rng.uniform(0.1, 0.6) * gross,
        hedge_gross_usd=rng.uniform(0.2, 0.6) * gross,
        beta_net_usd=rng.uniform(0.1, 0.8) * gross,
        cae_usd=rng.uniform(0.2, 0.9) * gross,
        turnover_daily_usd=rng.uniform(0.2, 0.6) * gross,
        margin_use=0.5,
    )
    model = hedge_model(facts, easy(limits))
    problem, found = HedgeProblem(shape_of(model)), conflict_of(model)
    every = set(np.flatnonzero(np.isfinite(model.caps.limits)).tolist())
    if can_hold(problem, model, every):
        assert found == set()
        return
    minimal = [
        set(rows)
        for size in range(1, len(every) + 1)
        for rows in combinations(sorted(every), size)
        if not can_hold(problem, model, set(rows))
        and all(can_hold(problem, model, set(rows) - {row}) for row in rows)
    ]
    assert found in minimal


def infeasible_pair(**changes: object) -> tuple[HedgeFacts, HedgeChoices]:
    facts = two_tokens(50_000.0, 0.0, 0.0, **changes)
    limits = RiskLimits(
        net_usd=10_000.0, hedge_gross_usd=20_000.0, token_usd=60_000.0, turnover_daily_usd=90_000.0
    )
    return facts, easy(limits)


def test_a_proposal_names_the_caps_and_what_the_bot_alone_exceeds():
    facts, choices = infeasible_pair()
    answer = MinimumRisk().decide(facts, choices)
    assert isinstance(answer, HedgeProposal)
    assert answer.conflict is not None
    assert set(answer.conflict.caps) == {
        CapInConflict("net_usd", ""),
        CapInConflict("hedge_gross_usd", ""),
    }
    assert answer.conflict.bot_alone == ("net_usd",)
    assert "exclude each other" in answer.sentence
    assert answer.slacks_usd["net_usd"] == pytest.approx(20_000.0, abs=3.0)


def test_holding_names_them_too():
    facts, choices = infeasible_pair()
    first = MinimumRisk().decide(facts, choices)
    assert isinstance(first, HedgeProposal)
    held = np.zeros(3)
    for leg in first.legs:
        held[facts.symbols.index(leg.symbol)] = leg.target_usd
    facts, choices = infeasible_pair(hedge_usd=held)
    answer = MinimumRisk().decide(facts, choices)
    assert isinstance(answer, NoHedge)
    assert answer.conflict is not None
    assert {one.cap for one in answer.conflict.caps} == {"net_usd", "hedge_gross_usd"}


def test_caps_that_can_be_met_are_in_no_conflict():
    answer = MinimumRisk().decide(
        two_tokens(), easy(RiskLimits(net_usd=10_000.0, hedge_gross_usd=60_000.0))
    )
    assert isinstance(answer, HedgeProposal)
    assert answer.conflict is None
