"""The worst hours of a market: by hand, and whatever the market is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.errors import DataError
from risk.tail.shocks import (
    APART_HOURS,
    CALM_HOURS,
    CRASH_HOURS,
    SPIKE_HOURS,
    SPIKE_STEP,
    SQUEEZE_HOURS,
    Shock,
    ShockKind,
    correlation_spikes,
    funding_squeezes,
    gaps,
    sector_crashes,
    sector_returns,
)

HOURS, TOKENS = 1_200, 5
SEEDS = st.integers(0, 2**32 - 1)


def noise(seed: int = 1, deviation: float = 0.001) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, deviation, (HOURS, TOKENS))


def test_a_fall_is_found_where_it_was_made() -> None:
    returns = noise()
    returns[500:524] -= 0.01
    returns[900:924] -= 0.005
    first, second = sector_crashes(returns, 2)
    assert (first.first, first.last, first.column) == (500, 523, None)
    assert first.size == pytest.approx(returns[500:524].mean(axis=1).sum())
    assert abs(second.first - 900) <= 1
    assert first.kind is ShockKind.SECTOR_CRASH


def test_a_fall_over_an_unknown_hour_is_not_guessed() -> None:
    returns = np.zeros((HOURS, TOKENS))
    returns[500:524] = -0.01
    returns[510] = np.nan
    found = sector_crashes(returns, 9)
    assert all(not one.first <= 510 <= one.last for one in found)


def test_tokens_that_are_not_there_are_left_out_of_the_mean() -> None:
    returns = np.zeros((HOURS, TOKENS))
    returns[500:524, :3] = -0.01
    returns[:, 3:] = np.nan
    (found,) = sector_crashes(returns, 1)
    assert found.size == pytest.approx(-0.24)
    returns[:, 2:] = np.nan
    assert sector_crashes(returns, 1) == []


def test_the_sector_moves_by_the_mean_of_enough_tokens() -> None:
    returns = np.array([[0.01, 0.03, np.nan, 0.02], [0.01, np.nan, np.nan, 0.02], [0, 0, 0, -0.04]])
    assert sector_returns(returns) == pytest.approx([0.02, np.nan, -0.01], nan_ok=True)


def test_a_rise_of_correlation_is_found_where_it_was_made() -> None:
    returns = noise()
    begin = 1_000
    returns[begin : begin + SPIKE_HOURS] = noise(2)[:SPIKE_HOURS, :1]  # all move as one
    (found,) = correlation_spikes(returns, 1)
    assert abs(found.first - begin) <= SPIKE_STEP
    now = np.corrcoef(returns[found.first : found.last + 1].T)
    calm = np.corrcoef(returns[found.first - CALM_HOURS : found.first].T)
    pairs = np.triu_indices(TOKENS, 1)
    assert found.size == pytest.approx(now[pairs].mean() - calm[pairs].mean())


def test_a_squeeze_is_found_with_its_token_and_sign() -> None:
    paid = np.zeros((HOURS, TOKENS))
    paid[::8] = 1e-4
    paid[300:372:8, 2] = -0.003
    (found,) = funding_squeezes(paid, 1)
    assert found.column == 2
    assert found.last - found.first + 1 == SQUEEZE_HOURS
    assert found.size == pytest.approx(
        9 * -0.003 + paid[found.first : found.last + 1, 2].clip(0).sum()
    )


def test_a_gap_counts_beside_the_sector_and_where_it_is_traded() -> None:
    returns = noise()
    returns[400] += 0.3  # everything
    returns[700, 1] += 0.2
    returns[800, 4] -= 0.5
    liquid = np.ones(returns.shape, dtype=bool)
    liquid[800, 4] = False
    (found,) = gaps(returns, liquid, 1)
    assert (found.first, found.last, found.column) == (700, 700, 1)
    assert found.size == pytest.approx(returns[700, 1] - np.median(returns[700]))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 6))
def test_what_is_found_lies_apart_within_the_data_worst_first(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    returns = random.standard_t(3, (HOURS, TOKENS)) * 0.01
    returns[random.random(returns.shape) < 0.02] = np.nan
    liquid = random.random(returns.shape) < 0.9
    for found in (
        sector_crashes(returns, count),
        correlation_spikes(returns, count),
        funding_squeezes(np.nan_to_num(returns), count),
        gaps(returns, liquid, count),
    ):
        assert len(found) <= count
        assert_apart(found)
        sizes = [abs(one.size) for one in found]
        assert sizes == sorted(sizes, reverse=True)


def assert_apart(found: list[Shock]) -> None:
    for k, one in enumerate(found):
        assert 0 <= one.first <= one.last < HOURS
        assert all(abs(one.last - other.last) >= APART_HOURS for other in found[:k])


@pytest.mark.parametrize("hours", [0, 1, CRASH_HOURS - 1])
def test_too_little_data_hold_nothing(hours: int) -> None:
    returns = noise()[:hours]
    assert sector_crashes(returns, 3) == []
    assert correlation_spikes(returns, 3) == []
    assert funding_squeezes(returns, 3) == []


def test_a_list_is_no_matrix() -> None:
    with pytest.raises(DataError, match="hours by tokens"):
        sector_crashes(np.zeros(5), 1)
