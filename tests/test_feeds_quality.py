"""Checks on bars: what is dropped, what stays, and which hours are missing."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.feeds.quality import (
    BarRows,
    bar_faults,
    first_fault,
    good_rows,
    is_linear_symbol,
    iso,
    missing_hours,
    runs_of_hours,
)
from risk.returns import HOUR_MS

T0 = 1_735_689_600_000


def rows(close: list[float], hours: list[int] | None = None) -> BarRows:
    price = np.array(close, dtype=float)
    when = np.array(range(len(close)) if hours is None else hours, dtype=np.int64)
    return BarRows(T0 + when * HOUR_MS, price, price * 1.01, price * 0.99, price, price * 0 + 5.0)


def test_good_bars_have_no_fault() -> None:
    assert bar_faults(rows([1.0, 1.1, 1.0])) == []
    assert first_fault("X", rows([1.0])) is None
    assert good_rows(rows([]))[0].time_ms.tolist() == []


def test_a_single_wild_price_costs_two_bars_and_a_new_unit_one() -> None:
    spike, faults = good_rows(rows([1.0, 1.0, 100.0, 1.0, 1.0]))
    assert spike.close.tolist() == [1.0, 1.0, 1.0]
    assert [fault.time_ms for fault in faults] == [T0 + 2 * HOUR_MS, T0 + 3 * HOUR_MS]
    unit, faults = good_rows(rows([1.0, 1.0, 1000.0, 1010.0]))
    assert unit.close.tolist() == [1.0, 1.0, 1010.0]
    assert len(faults) == 1


def test_ten_times_is_still_a_move() -> None:
    assert bar_faults(rows([1.0, 10.0, 1.0])) == []
    assert len(bar_faults(rows([1.0, 10.1, 1.0]))) == 2


def test_the_last_of_two_bars_of_an_hour_counts() -> None:
    kept, faults = good_rows(rows([1.0, 2.0, 1.5, 2.5], hours=[0, 1, 0, 2]))
    assert faults == []
    assert kept.close.tolist() == [1.5, 2.0, 2.5]


def test_the_earliest_fault_is_told_in_one_line() -> None:
    bad = rows([1.0, float("nan"), -1.0])
    assert (
        first_fault("X", bad) == "open of X at 2025-01-01T01:00Z is nan, must be a number above 0"
    )
    assert good_rows(bad)[0].close.tolist() == [1.0]


@given(
    st.lists(
        st.tuples(*[st.sampled_from([1.0, 1.01, 11.5, 0.0, -1.0, np.nan, np.inf])] * 5), max_size=4
    ),
    st.sampled_from([0, 1, HOUR_MS * 10**6]),
)
def test_rows_are_kept_whole_exactly_when_no_fault_is_found(
    bars: list[tuple[float, ...]], shift_ms: int
) -> None:
    columns = np.array(bars, dtype=float).reshape(len(bars), 5).T
    times = T0 + shift_ms + HOUR_MS * np.arange(len(bars), dtype=np.int64)
    some = BarRows(times, *columns)
    kept, faults = good_rows(some)
    assert (len(kept) == len(some)) == (not faults) == (not bar_faults(some))


@given(st.sets(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_missing_hours_and_what_is_there_make_the_whole(
    there: set[int], first: int, last: int
) -> None:
    times = T0 + HOUR_MS * np.array(sorted(there), dtype=np.int64)
    missing = missing_hours(times, T0 + first * HOUR_MS, T0 + last * HOUR_MS)
    expected = sorted(set(range(first, last)) - there)
    assert ((missing - T0) // HOUR_MS).tolist() == expected
    runs = runs_of_hours(missing)
    covered = [hour for begin, end in runs for hour in range(begin, end, HOUR_MS)]
    assert covered == missing.tolist()
    assert all(left[1] < right[0] for left, right in pairwise(runs))


def test_times_and_symbols_for_people() -> None:
    assert iso(T0 + HOUR_MS // 2) == "2025-01-01T00:30Z"
    assert iso(17) == "17 ms"
    assert is_linear_symbol("1000PEPE/USDC:USDC")
    for symbol in ("BTC/USD:BTC", "BTC/USDT", "BTC/USDT:USDT-250328", "", "BTCUSDT"):
        assert not is_linear_symbol(symbol)
