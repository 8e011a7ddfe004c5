"""Capped rates, premiums behind pinned ones, reversion, differentials, breadth."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.crowding.funding import FundingSeries, excess_annual, funding_daily, is_pinned
from risk.crowding.funding_extras import (
    DAMPER_ANNUAL,
    MIN_CAP_RATE,
    funding_breadth,
    funding_differentials,
    is_capped,
    premium_excess_annual,
    reversion,
)
from risk.errors import DataError, EstimationError
from risk.returns import HOUR_MS

SHARED = Path(__file__).resolve().parents[2] / "shared"
NOW_MS = 1_750_000_000_000 // (24 * HOUR_MS) * (24 * HOUR_MS)
INTEREST = 0.0001


def series(rates: list[float] | FloatArray, hours: float = 8.0, symbol: str = "A") -> FundingSeries:
    rate = np.asarray(rates, dtype=np.float64)
    ages = np.arange(len(rate))[::-1] * round(hours * HOUR_MS)
    return FundingSeries(symbol, NOW_MS - ages.astype(np.int64), rate, np.full(len(rate), hours))


def venue_rate(premium: FloatArray, hours: float = 8.0) -> FloatArray:
    """What a venue settles: P + clip(I - P, ±0.05 %), for 8 hours, cut to the interval."""
    rate = premium + np.clip(INTEREST - premium, -0.0005, 0.0005)
    return np.round(rate * hours / 8, 12)


# --- caps


def test_known_limits() -> None:
    paid = series([0.0001, 0.02, 0.0199, -0.02, 0.021, -0.03])
    assert is_capped(paid, 0.02, -0.03).tolist() == [False, True, False, False, True, True]
    assert is_capped(paid, cap_rate=0.05).tolist() == [False] * 6
    with pytest.raises(DataError, match="A: funding cap is 0"):
        is_capped(paid, 0.0)
    with pytest.raises(DataError, match="A: funding floor is nan"):
        is_capped(paid, 0.1, math.nan)


def test_a_limit_is_inferred_from_its_repetition() -> None:
    assert is_capped(series([0.003, 0.003, 0.0001, 0.003])).tolist() == [True, True, False, True]
    assert not is_capped(series([0.003, 0.003, 0.0001])).any()
    assert not is_capped(series([0.0001] * 9)).any()
    assert not is_capped(series([MIN_CAP_RATE * 0.9] * 9)).any()
    assert is_capped(series([-0.02] * 3 + [0.001])).tolist() == [True] * 3 + [False]
    assert is_capped(series([])).shape == (0,)


def test_a_limit_belongs_to_its_interval() -> None:
    paid = FundingSeries(
        "A",
        NOW_MS + HOUR_MS * np.array([0, 8, 16, 20, 24, 28], dtype=np.int64),
        np.array([0.02, 0.01, 0.01, 0.004, 0.004, 0.004]),
        np.array([8.0, 8.0, 8.0, 4.0, 4.0, 4.0]),
    )
    assert is_capped(paid).tolist() == [False] * 3 + [True] * 3


# --- premium


@settings(max_examples=60, deadline=None)
@given(
    premium=st.lists(st.floats(-0.01, 0.01), min_size=1, max_size=20),
    hours=st.sampled_from([1.0, 2.0, 4.0, 8.0]),
)
def test_the_premium_is_recovered_from_rate_and_premium(premium: list[float], hours: float) -> None:
    """On the venue's own formula the answer is P - I a year, pinned or not, whatever the hours."""
    p = np.array(premium)
    paid = series(venue_rate(p, hours), hours)
    found = premium_excess_annual(paid, p)
    assert found == pytest.approx((p - INTEREST) * 1095, abs=2e-5 * 8 / hours)


def test_the_scale_rises_with_the_premium_through_the_edges() -> None:
    p = np.linspace(-0.002, 0.002, 401)
    found = premium_excess_annual(series(venue_rate(p)), p)
    assert np.all(np.diff(found) > 0)
    unknown = premium_excess_annual(series(venue_rate(p)), np.full(401, np.nan))
    assert np.all(np.diff(unknown) >= 0)


def test_unknown_premiums_are_the_middle_and_others_need_none() -> None:
    paid = series([INTEREST, 0.0003, -0.0001])
    nothing = np.full(3, np.nan)
    found = premium_excess_annual(paid, nothing)
    excess = excess_annual(paid)
    assert found.tolist() == [0.0, excess[1] + DAMPER_ANNUAL, excess[2] - DAMPER_ANNUAL]
    # A premium that the rate contradicts is held within the band.
    absurd = premium_excess_annual(paid, np.array([0.9, np.nan, np.nan]))
    assert absurd[0] == pytest.approx(DAMPER_ANNUAL)
    with pytest.raises(DataError, match="shape"):
        premium_excess_annual(paid, np.zeros(2))
    with pytest.raises(DataError, match=r"A: premium at 2025-06-1.* is infinite"):
        premium_excess_annual(paid, np.array([0.0, np.inf, 0.0]))


# --- reversion


def ar1(phi: float, count: int, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    x = np.zeros(count)
    for t in range(1, count):
        x[t] = phi * x[t - 1] + rng.normal()
    return x


def test_reversion_equals_least_squares() -> None:
    x = ar1(0.9, 400) + 5
    paid = series(x)
    found = reversion(paid.time_ms, x, 8.0)
    assert found is not None
    design = np.column_stack([np.ones(399), x[:-1]])
    coefficients, rest, *_ = np.linalg.lstsq(design, x[1:], rcond=None)
    raw = coefficients[1]
    phi = raw + (1 + 3 * raw) / 399
    assert found.phi == pytest.approx(phi)
    covariance = np.linalg.inv(design.T @ design) * rest[0] / 397
    assert found.standard_error == pytest.approx(math.sqrt(covariance[1, 1]))
    assert found.half_life_hours == pytest.approx(8 * math.log(0.5) / math.log(phi))


def test_the_correction_takes_out_the_bias() -> None:
    found = [reversion(series(x).time_ms, x, 8.0) for x in (ar1(0.8, 60, s) for s in range(300))]
    phi = [item.phi for item in found if item is not None]
    assert np.mean(phi) == pytest.approx(0.8, abs=0.02)


def test_reversion_at_its_ends() -> None:
    alternating = np.tile([1.0, -1.0], 50)
    found = reversion(series(alternating).time_ms, alternating, 8.0)
    assert found is not None
    assert found.half_life_hours == 0.0
    rising = np.arange(100.0)
    found = reversion(series(rising).time_ms, rising, 8.0)
    assert found is not None
    assert found.half_life_hours is None
    assert reversion(series(np.full(100, 3.0)).time_ms, np.full(100, 3.0), 8.0) is None
    assert reversion(series(rising[:30]).time_ms, rising[:30], 8.0) is None
    assert reversion(series([]).time_ms, np.array([]), 8.0) is None


def test_mixed_intervals_are_read_on_one_grid() -> None:
    """Hourly payments after 8-hourly ones: every eighth is read, up to the last."""
    x = ar1(0.8, 120)
    times = NOW_MS + 8 * HOUR_MS * np.arange(120, dtype=np.int64)
    between = times[-1] - HOUR_MS * np.array([5, 3, 1], dtype=np.int64)
    order = np.argsort(np.concatenate([times, between]))
    mixed_times = np.concatenate([times, between])[order]
    mixed = np.concatenate([x, np.full(3, 99.0)])[order]
    assert reversion(mixed_times, mixed, 8.0) == reversion(times, x, 8.0)


def test_series_that_cannot_be_read() -> None:
    x = ar1(0.5, 50)
    times = series(x).time_ms
    with pytest.raises(EstimationError, match="step is 0"):
        reversion(times, x, 0.0)
    with pytest.raises(DataError, match="length"):
        reversion(times[1:], x, 8.0)
    with pytest.raises(DataError, match="increase"):
        reversion(times[::-1].copy(), x, 8.0)
    x[4] = np.nan
    with pytest.raises(DataError, match="finite"):
        reversion(times, x, 8.0)


# --- differentials and breadth


def test_differentials_by_hand() -> None:
    funding = {
        "A": series([0.0003] * 60),
        "B": series([0.0001] * 60, symbol="B"),
        "C": series([-0.0001 / 8] * 480, 1.0, symbol="C"),
        "D": series([0.0009] * 2, symbol="D"),
    }
    symbols = ("A", "B", "C", "D", "E")
    correlation = np.full((5, 5), 0.8) + 0.2 * np.eye(5)
    correlation[0, 1] = correlation[1, 0] = np.nan
    first, second = funding_differentials(funding, symbols, correlation, NOW_MS)
    assert (first.long_symbol, first.short_symbol) == ("C", "A")
    assert first.annual == pytest.approx(0.0004 * 3 * 365)
    assert first.standard_error == pytest.approx(0.0, abs=1e-9)
    assert (second.long_symbol, second.short_symbol) == ("C", "B")
    assert second.annual == pytest.approx(0.0002 * 3 * 365)
    assert funding_differentials(funding, symbols, correlation, NOW_MS, 0.9) == ()
    with pytest.raises(DataError, match="shape"):
        funding_differentials(funding, symbols, np.eye(2), NOW_MS)


def test_breadth_of_funding() -> None:
    found = funding_breadth(np.array([0.5, 0.02, 0.005, -0.3, np.nan]))
    assert found is not None
    assert (found.tokens, found.long_share, found.neutral_share, found.short_share) == (
        4,
        0.5,
        0.25,
        0.25,
    )
    assert funding_breadth(np.array([np.nan])) is None
    assert funding_breadth(np.array([])) is None
    with pytest.raises(DataError, match="infinite"):
        funding_breadth(np.array([np.inf]))
    with pytest.raises(EstimationError, match="band"):
        funding_breadth(np.array([1.0]), math.nan)


@settings(max_examples=60, deadline=None)
@given(excess=st.lists(st.floats(-5, 5), min_size=1, max_size=30), band=st.floats(0, 1))
def test_breadth_shares_sum_to_one(excess: list[float], band: float) -> None:
    found, turned = (
        funding_breadth(np.array(excess), band),
        funding_breadth(-np.array(excess), band),
    )
    assert found is not None
    assert turned is not None
    assert found.long_share + found.neutral_share + found.short_share == pytest.approx(1.0)
    assert (found.long_share, found.short_share) == (turned.short_share, turned.long_share)


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_real_funding() -> None:
    table = pd.read_parquet(SHARED / "market" / "funding.parquet")
    funding = {}
    for symbol, rows in table[table["venue"] == "hyperliquid"].groupby("symbol"):
        ordered = rows.sort_values("timestamp").drop_duplicates("timestamp")
        time_ms = pd.DatetimeIndex(ordered["timestamp"]).as_unit("ms").asi8
        funding[str(symbol)] = FundingSeries(
            str(symbol),
            time_ms,
            ordered["rate"].to_numpy(),
            ordered["interval_hours"].to_numpy(dtype=np.float64),
        )
    assert len(funding) >= 10
    now_ms = min(int(item.time_ms[-1]) for item in funding.values())
    for item in funding.values():
        found = reversion(item.time_ms, excess_annual(item), float(item.interval_hours.max()))
        assert found is not None
        assert found.half_life_hours is not None
        assert 0 < found.half_life_hours < 24 * 30
        assert is_capped(item).mean() < 0.05
        blind = premium_excess_annual(item, np.full(len(item.rate), np.nan))
        assert np.array_equal(blind == 0, is_pinned(item))
    symbols = tuple(funding)
    pairs = funding_differentials(funding, symbols, np.ones((len(symbols),) * 2), now_ms)
    best = pairs[0]
    dear = funding_daily(funding[best.short_symbol], now_ms)
    cheap = funding_daily(funding[best.long_symbol], now_ms)
    assert dear is not None
    assert cheap is not None
    assert best.annual == pytest.approx(365 * (dear.rate_daily - cheap.rate_daily))
