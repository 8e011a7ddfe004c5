"""The bound that weighs windows and scenarios as the solution does, and the solver's optimum."""

from dataclasses import replace

import numpy as np
import pytest

from risk.limits.caps import RiskLimits
from strategies.certificate import lower_bound_usd, proven
from strategies.inputs import HedgeChoices
from strategies.mix import Mix, mix_of
from strategies.model import HedgeModel, hedge_model
from strategies.problem import HedgeProblem
from strategies.shape import shape_of
from strategies.solution import Relaxed
from tests.strategies_cases import easy
from tests.strategies_choices import CAPS, facts_of

LOOSE = replace(CAPS, net_usd=60_000.0)
CHOICES = {
    "tail": easy(LOOSE, tail_aversion=0.05),
    "tail alone": easy(RiskLimits(net_usd=60_000.0), risk_aversion=1e-9, tail_aversion=0.5),
    "windows": easy(RiskLimits(), worst_window=True),
    "both": easy(LOOSE, worst_window=True, tail_aversion=0.2, estimation_uncertainty=0.05),
}


def model_of(seed: int, choices: HedgeChoices) -> HedgeModel:
    """Windows in which different tokens are calm, so that hedging against one favours another."""
    facts, rng = facts_of(seed), np.random.default_rng(seed)
    calm = rng.uniform(0.5, 1.5, (2, 10))
    windows = np.array([facts.covariance_daily * np.outer(v, v) for v in calm])
    return hedge_model(replace(facts, covariance_windows_daily=windows), choices)


def solved(model: HedgeModel) -> Relaxed:
    answer = HedgeProblem(shape_of(model)).solve(model, model.caps.limits)
    assert isinstance(answer, Relaxed)
    return answer


@pytest.mark.parametrize("name", list(CHOICES))
def test_with_the_solvers_weights_the_bound_is_tight(name: str):
    several = 0
    for seed in range(4):
        model = model_of(seed, CHOICES[name])
        limits, answer = model.caps.limits, solved(model)
        assert answer.mix is not None
        bound = lower_bound_usd(model, limits, answer.duals, answer.hedge_usd, mix=answer.mix)
        alone = lower_bound_usd(model, limits, answer.duals, answer.hedge_usd)
        near = 1e-4 * model.unit_usd
        assert alone - 0.01 * near <= bound <= answer.objective_usd + 0.01 * near
        assert answer.objective_usd - bound <= near
        several += answer.objective_usd - alone > near
        assert proven(
            model, limits, answer.duals, answer.hedge_usd, answer.objective_usd, mix=answer.mix
        )
    assert several >= 2  # where one slope alone proves nothing


@pytest.mark.parametrize("seed", range(4))
def test_no_weights_make_it_more_than_any_hedge_costs(seed: int):
    """Whatever weights and duals are taken, a hedge that keeps the caps never costs less."""
    model = model_of(seed, CHOICES["both"])
    answer, rng = solved(model), np.random.default_rng(seed)
    limits = model.caps.limits
    for _ in range(20):
        mix = mix_of(model, rng.exponential(size=3), rng.exponential(size=40) ** 4)
        assert mix is not None
        duals = answer.duals * rng.uniform(0.0, 2.0, len(limits))
        at = model.lower + rng.random(10) * (model.upper - model.lower)
        bound = lower_bound_usd(model, limits, duals, at, mix=mix)
        assert bound <= answer.objective_usd + 1e-6 * model.unit_usd
        held = model.bot + at
        assert mix.less_usd(model, held) >= -1e-9 * model.unit_usd


def test_weights_are_allowed_ones_whatever_the_multipliers():
    model, rng = model_of(1, CHOICES["both"]), np.random.default_rng(1)
    assert model.tail is not None
    most = 1.0 / (40 * (1.0 - model.tail.confidence))
    for scenarios in (rng.normal(size=40), np.eye(40)[3], np.ones(40), 1e9 * rng.random(40)):
        mix = mix_of(model, rng.normal(size=3) + 1.0, scenarios)
        assert mix is not None
        for weights, top in ((mix.windows, 1.0), (mix.scenarios, most)):
            assert float(weights.sum()) == pytest.approx(1.0)
            assert np.all((weights >= 0) & (weights <= top * (1 + 1e-12)))
    for wrong in (np.zeros(40), np.full(40, np.nan), np.full(40, np.inf)):
        assert mix_of(model, np.ones(3), wrong) is None


def test_the_slope_is_that_of_what_the_weights_make_of_risk():
    model, rng = model_of(2, CHOICES["both"]), np.random.default_rng(2)
    mix = mix_of(model, rng.random(3), rng.random(40))
    assert isinstance(mix, Mix)
    plain = replace(model, uncertainty=0.0)
    held = model.bot + model.lower * rng.random(10)

    def weighed(book: np.ndarray) -> float:
        costs = model.costs.objective_usd(book - model.bot, book - model.bot - model.current)
        risk = float(plain.objective_usd(book - model.bot) - costs)
        return risk - mix.less_usd(model, book)

    for i in range(10):
        step = 10.0 * np.eye(10)[i]
        slope = (weighed(held + step) - weighed(held - step)) / 20.0
        assert mix.slope(model, held)[i] == pytest.approx(slope, rel=1e-6, abs=1e-9)
