"""Scenarios of a history that grows: the same after a restart, scaled to the bar's volatility."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.errors import DataError
from risk.returns import HOUR_MS
from risk.tail.scenario_memory import ScenarioMemory, volatility_after
from risk.tail.scenarios import Scenarios, filtered_scenarios

NAMES = ("A", "B", "C")
FIRST_MS = 1_750_000_000_000 // HOUR_MS * HOUR_MS


def history(bars: int, seed: int = 3, gaps: float = 0.0) -> FloatArray:
    rng = np.random.default_rng(seed)
    rows = rng.standard_t(4, (bars, len(NAMES))) * (0.01, 0.02, 0.004)
    rows[rng.random(rows.shape) < gaps] = np.nan
    return rows


def asked(memory: ScenarioMemory, rows: FloatArray, start: int, end: int) -> Scenarios:
    last_ms = FIRST_MS + (end - 1) * HOUR_MS
    return memory.of(rows[start:end], NAMES, last_ms, 1)


@pytest.mark.parametrize("window", [500, 501, 502, 503])
def test_it_tells_at_every_bar_what_a_start_at_that_bar_tells(window: int) -> None:
    rows, memory = history(560, gaps=0.01), ScenarioMemory()
    for end in range(window, len(rows)):
        kept = asked(memory, rows, end - window, end)
        fresh = asked(ScenarioMemory(), rows, end - window, end)
        assert np.array_equal(kept.standardised, fresh.standardised, equal_nan=True)
        assert np.array_equal(kept.volatility_daily, fresh.volatility_daily, equal_nan=True)


def test_days_end_at_hours_that_four_divides_and_are_those_of_the_history() -> None:
    rows = history(600)
    for end in range(590, 600):
        newest = (FIRST_MS // HOUR_MS + end) % 4
        last = end - newest
        days = filtered_scenarios(rows[last - 584 : last], NAMES).standardised
        assert np.array_equal(asked(ScenarioMemory(), rows, end - 588, end).standardised, days)


def test_another_history_is_not_taken_for_the_one_before() -> None:
    rows, memory = history(500), ScenarioMemory()
    first = asked(memory, rows, 0, 500)
    last_ms = FIRST_MS + 499 * HOUR_MS
    assert memory.of(2 * rows, NAMES, last_ms, 1).standardised is first.standardised
    other = memory.of(history(500, seed=4), NAMES, last_ms, 2)
    assert not np.array_equal(other.standardised, first.standardised)


def test_of_a_handful_of_bars_there_are_no_days() -> None:
    for bars in range(30):
        assert asked(ScenarioMemory(), history(30), 0, bars).standardised.shape[1] == 0


@given(seed=st.integers(0, 10**6), bars=st.integers(1, 500), gaps=st.sampled_from([0.0, 0.02, 0.6]))
def test_volatility_is_that_of_the_scenarios(seed: int, bars: int, gaps: float) -> None:
    rows = history(bars, seed, gaps)
    rows[:, 2] *= seed % 2  # a price that stands still
    expected = filtered_scenarios(rows, NAMES).volatility_daily
    assert volatility_after(rows, NAMES) == pytest.approx(expected, rel=1e-9, nan_ok=True)


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(DataError, match="B: a return is infinite"):
        volatility_after(np.array([[0.0, np.inf, 0.0]]), NAMES)
    with pytest.raises(DataError, match="returns have shape"):
        ScenarioMemory().of(np.zeros((20, 2)), NAMES, FIRST_MS, 1)
