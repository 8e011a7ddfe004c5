"""Whatever is not a number, anywhere in facts and choices, is named, and never decided upon."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from config.strategy import new_strategy
from risk.errors import OptimizationError
from risk.limits.caps import RiskLimits
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.registry import BUILT_IN
from tests.strategies_choices import CHOICES, facts_of

STRATEGIES = {name: new_strategy(name) for name in BUILT_IN}
EVERYTHING = CHOICES["everything"]
WRONG = (np.nan, np.inf, -np.inf)


def with_one_wrong(numbers: np.ndarray, wrong: float) -> np.ndarray:
    changed = numbers.copy()
    changed.flat[changed.size // 2] = wrong
    return changed


def spoiled_facts(wrong: float) -> dict[str, HedgeFacts]:
    facts = facts_of(1)
    spoiled: dict[str, HedgeFacts] = {}
    for field in fields(HedgeFacts):
        value: Any = getattr(facts, field.name)
        if isinstance(value, np.ndarray) and value.dtype == np.float64:
            changed: Any = with_one_wrong(value, wrong)
        elif type(value) is float:
            changed = wrong
        else:
            continue
        spoiled[field.name] = replace(facts, **{field.name: changed})
    assert facts.stress is not None
    for part in ("returns", "margin_rate"):
        changed = with_one_wrong(getattr(facts.stress, part), wrong)
        spoiled[f"stress {part}"] = replace(facts, stress=replace(facts.stress, **{part: changed}))
    return spoiled


def spoiled_choices(wrong: float) -> dict[str, HedgeChoices]:
    spoiled = {
        field.name: replace(EVERYTHING, **{field.name: wrong})
        for field in fields(HedgeChoices)
        if type(getattr(EVERYTHING, field.name)) is float
    }
    spoiled["largest_hedge_usd"] = replace(EVERYTHING, largest_hedge_usd=wrong)
    for field in fields(RiskLimits):
        limits = replace(EVERYTHING.limits, **{field.name: wrong})
        spoiled[f"limits.{field.name}"] = replace(EVERYTHING, limits=limits)
    return spoiled


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", list(BUILT_IN))
def test_no_strategy_decides_from_a_fact_that_is_not_a_number(name: str, wrong: float):
    spoiled = spoiled_facts(wrong)
    assert len(spoiled) >= 20
    for field, facts in spoiled.items():
        with pytest.raises(OptimizationError) as told:
            STRATEGIES[name].decide(facts, EVERYTHING)
        assert field.split()[0] in str(told.value)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", list(BUILT_IN))
def test_no_strategy_decides_by_a_choice_that_is_not_a_number(name: str, wrong: float):
    spoiled, facts = spoiled_choices(wrong), facts_of(1)
    assert len(spoiled) >= 20
    for field, choices in spoiled.items():
        with pytest.raises(OptimizationError) as told:
            STRATEGIES[name].decide(facts, choices)
        assert field in str(told.value)
