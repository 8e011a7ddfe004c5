"""Funding: intervals, pinned rates, what longs pay a day, and never a zero for the unknown."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.crowding.funding import (
    CarryMemory,
    FundingSeries,
    excess_annual,
    funding_annual,
    funding_daily,
    is_pinned,
    time_weights,
)
from risk.crowding.report import crowding
from risk.errors import DataError
from risk.returns import HOUR_MS
from tests.funding_scene import BASE_8H, NOW_MS, estimate, series


def test_a_rate_is_annualised_over_its_own_interval() -> None:
    for hours in (1.0, 2.0, 4.0, 8.0):
        neutral = series([BASE_8H * hours / 8], hours)
        assert funding_annual(neutral)[0] == pytest.approx(0.1095)
        assert is_pinned(neutral).all()
        assert excess_annual(neutral)[0] == 0
    assert excess_annual(series([-0.0003]))[0] == pytest.approx(-0.0003 * 1095 - 0.1095)


def test_rates_told_to_eight_decimals_are_pinned() -> None:
    assert is_pinned(series([0.0000125, 0.00001251, 0.00001249], 1.0)).tolist() == [
        True,
        False,
        False,
    ]
    assert is_pinned(series([0.00001], 1.0)).tolist() == [False]


def test_weights_count_time_and_not_payments() -> None:
    """Eight hourly payments weigh as the one that settles the same eight hours."""
    hourly = time_weights(series([0.0] * 16, 1.0), 24.0)
    mixed = time_weights(series([0.0] * 9, [8.0] + [1.0] * 8), 24.0)
    assert hourly[:8].sum() == pytest.approx(mixed[0])
    assert hourly[8:] == pytest.approx(mixed[1:])
    assert hourly.sum() == pytest.approx(1.0)


def test_weights_halve_with_the_half_life() -> None:
    weights = time_weights(series([0.0] * 10, 8.0), 24.0)
    assert weights[-4] / weights[-1] == pytest.approx(0.5)


def test_equal_intervals_equal_pandas() -> None:
    rng = np.random.default_rng(0)
    rates = rng.normal(0, 1e-4, 200)
    found = funding_daily(series(rates, 8.0), NOW_MS, half_life_hours=24.0)
    assert found is not None
    theirs = pd.Series(rates * 3).ewm(halflife=3)
    assert found.rate_daily == pytest.approx(theirs.mean().iloc[-1])
    assert found.standard_error == pytest.approx(theirs.std(bias=True).iloc[-1])


def test_what_longs_pay_a_day() -> None:
    steady = funding_daily(series([0.0002] * 30), NOW_MS)
    assert steady is not None
    assert steady.rate_daily == pytest.approx(0.0006)
    assert steady.standard_error == pytest.approx(0.0, abs=1e-12)
    hourly = funding_daily(series([0.0002 / 8] * 240, 1.0, substitute=True), NOW_MS)
    assert hourly is not None
    assert hourly.rate_daily == pytest.approx(0.0006)
    assert hourly.substitute


@settings(max_examples=30, deadline=None)
@given(
    rates=st.lists(st.floats(-0.003, 0.003), min_size=3, max_size=60),
    cuts=st.lists(st.sampled_from([1.0, 2.0, 4.0, 8.0]), min_size=60, max_size=60),
)
def test_the_daily_rate_lies_between_its_payments(rates: list[float], cuts: list[float]) -> None:
    paid = series(rates, cuts[: len(rates)])
    found = funding_daily(paid, NOW_MS)
    assert found is not None
    daily = paid.rate * 24 / paid.interval_hours
    assert daily.min() - 1e-12 <= found.rate_daily <= daily.max() + 1e-12
    assert 0 <= found.standard_error <= np.ptp(daily) + 1e-12


def test_unknown_carry_is_none_and_not_zero() -> None:
    paid = series([0.0001] * 30)
    assert funding_daily(None, NOW_MS) is None
    assert funding_daily(paid, NOW_MS + 25 * HOUR_MS) is None
    assert funding_daily(paid, NOW_MS + 24 * HOUR_MS) is not None
    assert funding_daily(series([0.0001] * 2), NOW_MS) is None
    assert funding_daily(paid, int(paid.time_ms[0]) - 1) is None


def test_payments_of_the_future_are_not_seen() -> None:
    past = series([0.0001] * 30)
    later = series([0.0001] * 30 + [0.05] * 3, end_ms=NOW_MS + 24 * HOUR_MS)
    assert funding_daily(later, NOW_MS) == funding_daily(past, NOW_MS)
    symbols = ["A", "B"]
    flags = np.array([True, True])
    reports = [
        crowding({"A": s, "B": s}, estimate(symbols), in_sector=flags, now_ms=NOW_MS)
        for s in (past, later)
    ]
    assert reports[0] == reports[1]


@pytest.mark.parametrize(
    ("times", "rates", "hours", "said"),
    [
        ([1, 2], [0.1], [8.0, 8.0], "differ in length"),
        ([2, 2], [0.1, 0.1], [8.0, 8.0], "must increase, at 1970-01-01T00:00Z"),
        ([1, 2], [0.1, np.nan], [8.0, 8.0], "funding rate nan for 8.0 hours"),
        ([1, 2], [0.1, 0.1], [0.0, 8.0], "funding rate 0.1 for 0.0 hours"),
        ([1, 2], [0.1, 0.1], [8.0, np.nan], "for nan hours"),
    ],
)
def test_unusable_payments_are_refused(
    times: list[int], rates: list[float], hours: list[float], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        FundingSeries("A", np.array(times), np.array(rates), np.array(hours))


def test_a_remembered_carry_is_the_one_worked_out_anew() -> None:
    memory, paid = CarryMemory(), series([0.0001, -0.0002, 0.0003, 0.0004])
    longer = series([0.0001, -0.0002, 0.0003, 0.0004, 0.0009], symbol="B")
    beside = series([0.0003, 0.0001, 0.0002, -0.0004, 0.0], symbol="C")  # at the times of B
    hourly = series([0.0003, 0.0001, 0.0002, -0.0004, 0.0], hours=1.0, symbol="C")
    for hours in (-9, -1, 0, 1, 7, 23, 24, 25, 40, 3):
        now_ms = NOW_MS + hours * HOUR_MS
        for one in (paid, longer, beside, hourly, series([0.0001]), paid):
            assert memory.daily(one, now_ms) == funding_daily(one, now_ms)


@pytest.mark.parametrize("cut", [1, 3, 5])
@pytest.mark.parametrize("told", [(False, False), (True, False), (False, True), (True, True)])
def test_a_series_goes_on_as_if_it_had_been_one(cut: int, told: tuple[bool, bool]) -> None:
    whole = series([0.0001, -0.0002, 0.0003, 0.0004, 0.0, 0.0002])
    premium = np.linspace(-1e-4, 1e-4, len(whole.rate))
    parts = (slice(None, cut), slice(cut, None))
    old, new = (
        FundingSeries(
            "A",
            whole.time_ms[part],
            whole.rate[part],
            whole.interval_hours[part],
            substitute=known,
            premium=premium[part] if known else None,
        )
        for part, known in zip(parts, told, strict=True)
    )
    joined = old.then(new)
    for name in ("time_ms", "rate", "interval_hours"):
        assert np.array_equal(getattr(joined, name), getattr(whole, name))
    assert joined.substitute is any(told)
    for part, known in zip(parts, told, strict=True):
        if any(told):
            assert joined.premium is not None
            expected = premium[part] if known else np.full(len(premium[part]), np.nan)
            np.testing.assert_array_equal(joined.premium[part], expected)
    assert any(told) or joined.premium is None
    with pytest.raises(DataError, match="A: funding times must increase, at "):
        new.then(old)
