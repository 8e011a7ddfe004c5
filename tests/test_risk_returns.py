"""Log returns and liquidity: gaps stay gaps, and two denominations are never one history."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.errors import DataError, MissingDataError
from risk.exclusion import Excluded, selection
from risk.liquidity import average_daily_volume_usd, liquidity_filter
from risk.returns import (
    HOUR_MS,
    RETURN_BARS,
    BarPanel,
    ReturnsMemory,
    faulty_closes,
    log_returns,
    utc,
    without_faults,
)

START_MS = 1_735_689_600_000  # 2025-01-01T00:00Z
NAN = float("nan")


def panel(
    closes: dict[str, list[float]], volumes: dict[str, list[float]] | None = None
) -> BarPanel:
    close = np.array(list(closes.values())).T
    volume = np.ones_like(close) if volumes is None else np.array(list(volumes.values())).T
    open_ms = START_MS + HOUR_MS * np.arange(len(close))
    return BarPanel(tuple(closes), open_ms, close, volume)


def test_returns_by_hand() -> None:
    returns = log_returns(panel({"A": [1.0, 2.0, 1.0], "B": [4.0, 4.0, 8.0]}))
    assert returns == pytest.approx(np.log([[2.0, 1.0], [0.5, 2.0]]))


def test_a_gap_gives_no_return_on_either_side_of_it() -> None:
    returns = log_returns(panel({"A": [1.0, NAN, 1.1, 1.2]}))
    assert np.isnan(returns[:2, 0]).all()
    assert returns[2, 0] == pytest.approx(np.log(1.2 / 1.1))


def halted_market() -> BarPanel:
    """A trades throughout; B not from bar 100 to 159, and opens a fifth lower."""
    rng = np.random.default_rng(1)
    close = 10 * np.exp(np.cumsum(0.01 * rng.standard_normal((300, 2)), axis=0))
    volume = np.full_like(close, 1e6)
    close[160:, 1] *= 0.8 * close[99, 1] / close[160, 1]
    close[100:160, 1] = close[99, 1]
    volume[100:160, 1] = 0.0
    return BarPanel(("A", "B"), START_MS + HOUR_MS * np.arange(300), close, volume)


def test_a_halted_token_has_no_returns_until_it_opens_again() -> None:
    bars = halted_market()
    returns = log_returns(bars)
    # Bar k's return stands in row k - 1: the 24th quiet hour is bar 123.
    assert np.flatnonzero(np.isnan(returns[:, 1])).tolist() == list(range(122, 159))
    assert returns[159, 1] == pytest.approx(np.log(0.8))
    assert not np.isnan(returns[:, 0]).any()
    plain = np.diff(np.log(bars.close), axis=0)
    known = ~np.isnan(returns)
    np.testing.assert_array_equal(returns[known], plain[known])


def test_quiet_hours_that_are_not_in_a_row_are_no_halt() -> None:
    close = 10 * np.exp(0.01 * np.arange(200.0)[:, None] * np.ones((1, 2)))
    volume = np.ones_like(close)
    for bar in [*range(50, 73), *range(90, 113)]:  # 23 hours in a row, twice
        close[bar, 1], volume[bar, 1] = close[bar - 1, 1], 0.0
    bars = BarPanel(("A", "B"), START_MS + HOUR_MS * np.arange(200), close, volume)
    assert not np.isnan(log_returns(bars)).any()


def test_the_volatility_of_a_halted_token_does_not_fade() -> None:
    bars = halted_market()
    part = BarPanel(bars.symbols, bars.open_ms[:160], bars.close[:160], bars.quote_volume_usd[:160])
    before, later = (
        mean_ewma_covariance(log_returns(part)[:rows], part.symbols).volatility_daily[1]
        for rows in (122, 159)
    )
    assert later == pytest.approx(before, rel=1e-12)
    told = BarPanel(part.symbols, part.open_ms, part.close, np.full_like(part.close, NAN))
    fading = mean_ewma_covariance(log_returns(told), part.symbols).volatility_daily[1]
    assert fading < 0.9 * before  # where volumes are not known a price may stand still


@pytest.mark.parametrize("last", [110, 123, 124, 140, 161, 300])
def test_a_halt_is_told_from_the_past_alone(last: int) -> None:
    bars = halted_market()
    cut = BarPanel(
        bars.symbols, bars.open_ms[:last], bars.close[:last], bars.quote_volume_usd[:last]
    )
    np.testing.assert_array_equal(log_returns(cut), log_returns(bars)[: last - 1])
    tail = BarPanel(
        bars.symbols,
        bars.open_ms[last - 26 : last],
        bars.close[last - 26 : last],
        bars.quote_volume_usd[last - 26 : last],
    )
    np.testing.assert_array_equal(log_returns(tail)[-1], log_returns(bars)[last - 2])


@pytest.mark.parametrize("bars", [0, 1])
def test_too_few_bars_give_no_rows(bars: int) -> None:
    close = np.ones((bars, 2))
    short = BarPanel(("A", "B"), START_MS + HOUR_MS * np.arange(bars), close, close)
    assert log_returns(short).shape == (0, 2)


@pytest.mark.parametrize(
    ("closes", "said"),
    [
        ([1.0, 0.0, 1.0], "close is 0 at 2025-01-01T01:00Z"),
        ([1.0, -2.0, 1.0], "close is -2 at 2025-01-01T01:00Z"),
        ([1.0, 1.0, float("inf")], "close is inf at 2025-01-01T02:00Z"),
        ([1.0, 10.5, 10.5], "close goes from 1 to 10.5 in one bar at 2025-01-01T01:00Z"),
        ([1000.0, 990.0, 0.99], "close goes from 990 to 0.99 in one bar at 2025-01-01T02:00Z"),
        ([1.0, NAN, 1000.0], "close goes from 1 to 1000 across 2 bars"),
        ([1.0, 50.0, 0.0], "close goes from 1 to 50"),
        ([1.0, 0.0, 50.0], "close is 0"),
    ],
)
def test_an_unusable_close_names_symbol_and_time(closes: list[float], said: str) -> None:
    bars = panel({"GOOD": [1.0, 1.1, 1.2], "FET/USDT:USDT": closes})
    with pytest.raises(DataError, match=re.escape(f"FET/USDT:USDT: {said}")):
        log_returns(bars)
    kept, excluded = without_faults(bars)
    assert kept.symbols == ("GOOD",)
    assert [item.symbol for item in excluded] == ["FET/USDT:USDT"]
    assert excluded[0].reason.startswith(said)
    assert log_returns(kept).shape == (2, 1)


def test_large_but_possible_moves_and_missing_bars_are_no_fault() -> None:
    assert faulty_closes(panel({"A": [1.0, 9.9, 1.0], "B": [NAN, NAN, NAN]})) == ()


_CLOSES = st.sampled_from([0.9, 1.0, 1.1, 8.9, 9.0, 9.1, 10.0, 10.1, NAN, NAN, np.inf, 0.0, -1.0])


@given(closes=st.lists(_CLOSES, max_size=6))
def test_faults_are_those_of_a_look_at_every_move(closes: list[float]) -> None:
    there = [close for close in closes if not np.isnan(close)]
    unusable = any(not 0 < close < np.inf for close in there)
    moved = any(0 < 10.0001 * min(a, b) < max(a, b) for a, b in itertools.pairwise(there))
    bars = panel({"A": closes, "B": [1.0] * len(closes)})
    assert [one.symbol for one in faulty_closes(bars)] == ["A"] * (unusable or moved)


def test_the_newest_returns_need_no_more_bars_than_they_depend_on() -> None:
    bars = halted_market()
    whole = log_returns(bars)
    for until in range(RETURN_BARS + 2, len(bars.open_ms) + 1):
        seen = BarPanel(
            bars.symbols, bars.open_ms[:until], bars.close[:until], bars.quote_volume_usd[:until]
        )
        newest = log_returns(seen.last(1 + RETURN_BARS))[-1]
        np.testing.assert_array_equal(newest, whole[until - 2])
    assert bars.last(10_000).symbols == bars.symbols
    np.testing.assert_array_equal(bars.last(10_000).open_ms, bars.open_ms)


def test_remembered_returns_are_those_of_the_panel_asked_about() -> None:
    memory, market = ReturnsMemory(), halted_market()
    later = market.last(200)
    for asked in (market, later, market):
        for symbols in (("A", "B"), ("B", "A"), ("B",), ()):
            expected = log_returns(asked.subset(symbols))
            assert np.array_equal(memory.of(asked, symbols), expected, equal_nan=True)


def test_remembered_returns_name_a_fault_and_a_stranger_as_ever() -> None:
    memory = ReturnsMemory()
    spoilt = panel({"A": [1.0, 2.0, 1.0], "B": [4.0, 400.0, 8.0]})
    assert memory.of(spoilt, ["A"]) == pytest.approx(np.log([[2.0], [0.5]]))
    with pytest.raises(DataError, match=re.escape("B: close goes from 4 to 400")):
        memory.of(spoilt, ["A", "B"])
    with pytest.raises(MissingDataError, match="C"):
        memory.of(spoilt, ["C"])


def test_a_panel_without_faults_is_handed_through() -> None:
    bars = panel({"A": [1.0, 2.0]})
    assert without_faults(bars) == (bars, ())


def test_subset_keeps_the_order_asked_for_and_refuses_strangers() -> None:
    bars = panel({"A": [1.0, 2.0], "B": [3.0, 4.0]}, {"A": [5.0, 6.0], "B": [7.0, 8.0]})
    part = bars.subset(["B", "A"])
    assert part.symbols == ("B", "A")
    assert part.close[0].tolist() == [3.0, 1.0]
    assert part.quote_volume_usd[1].tolist() == [8.0, 6.0]
    with pytest.raises(MissingDataError, match="no bars of C"):
        bars.subset(["A", "C"])


def test_utc_is_written_to_the_minute() -> None:
    assert utc(START_MS + 61 * 60_000) == "2025-01-01T01:01Z"


def test_selection_keeps_order_and_the_first_reason() -> None:
    chosen = selection(["C", "A", "B"], [Excluded("A", "one"), Excluded("A", "two")])
    assert chosen.kept == ("C", "B")
    assert chosen.excluded == (Excluded("A", "one"),)


def test_average_daily_volume_counts_only_bars_that_are_there() -> None:
    bars = panel(
        {"A": [1.0, 1.0, 1.0], "B": [1.0, 1.0, 1.0], "C": [NAN, NAN, NAN]},
        {"A": [100.0, 200.0, 300.0], "B": [NAN, NAN, 50.0], "C": [NAN, NAN, NAN]},
    )
    volume = average_daily_volume_usd(bars)
    assert volume[:2].tolist() == [24 * 200.0, 24 * 50.0]
    assert np.isnan(volume[2])


def test_average_daily_volume_forgets_what_is_older() -> None:
    old, new = [1000.0] * 24, [10.0] * 24
    bars = panel({"A": [1.0] * 48}, {"A": old + new})
    assert average_daily_volume_usd(bars, days=1)[0] == 240.0
    assert average_daily_volume_usd(bars, days=2)[0] == 24 * 505.0


def test_the_liquidity_floor_says_why() -> None:
    bars = panel({"A": [1.0], "B": [1.0], "C": [1.0]}, {"A": [1e6 / 24], "B": [1000.0], "C": [NAN]})
    chosen = liquidity_filter(bars)
    assert chosen.kept == ("A",)
    assert chosen.excluded == (
        Excluded("B", "trades 24,000 USD a day, below the floor of 1,000,000"),
        Excluded("C", "no volume known in the last 30 days"),
    )


def test_unusable_volumes_and_days_are_refused() -> None:
    bars = panel({"A": [1.0, 1.0]}, {"A": [1.0, -1.0]})
    with pytest.raises(DataError, match=re.escape("A: volume is -1 USD at 2025-01-01T01:00Z")):
        average_daily_volume_usd(bars)
    with pytest.raises(DataError, match="at least 1"):
        average_daily_volume_usd(bars, days=0)


def grown_market(rng: np.random.Generator, bars: int) -> BarPanel:
    """Four tokens with gaps, hours without trade, and one that is halted for two days."""
    close = np.exp(np.cumsum(rng.normal(0, 0.01, (bars, 4)), axis=0))
    volume = rng.uniform(1.0, 2.0, close.shape)
    close[20:70, 1], volume[20:70, 1] = 1.0, 0.0
    still = rng.random(bars) < 0.3
    volume[still, 2] = 0.0
    close[rng.random(close.shape) < 0.02] = np.nan
    return BarPanel(("A", "B", "C", "D"), HOUR_MS * np.arange(bars, dtype=np.int64), close, volume)


def between(bars: BarPanel, start: int, end: int) -> BarPanel:
    rows = slice(start, end)
    return BarPanel(bars.symbols, bars.open_ms[rows], bars.close[rows], bars.quote_volume_usd[rows])


@pytest.mark.parametrize("seed", range(20))
def test_returns_that_grow_with_the_history_are_those_worked_out_anew(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, memory = grown_market(rng, 200), ReturnsMemory()
    start, end = 0, int(rng.integers(2, 120))
    memory.of(between(whole, start, end), whole.symbols)
    while end < 200:
        known = end
        start, end = start + int(rng.integers(0, 4)), min(end + int(rng.integers(0, 6)), 200)
        # Bars that were read already come again, and some are corrected.
        changed = max(known - 4, 0)
        whole.close[changed:known, 0] *= 1.001
        panel = between(whole, start, end)
        memory.grow(panel, panel, int(whole.open_ms[changed]))
        found = memory.of(panel, whole.symbols)
        assert np.array_equal(found, log_returns(panel), equal_nan=True)
        assert np.array_equal(memory.of(panel, ("D", "B")), found[:, [3, 1]], equal_nan=True)


def test_returns_of_other_symbols_or_an_earlier_history_are_worked_out_anew() -> None:
    whole = grown_market(np.random.default_rng(7), 200)
    for before, after in (
        (between(whole, 50, 150), between(whole, 0, 151)),
        (between(whole, 0, 30), between(whole, 90, 190)),
        (between(whole, 0, 150).subset(("B", "A")), between(whole, 1, 151)),
    ):
        memory = ReturnsMemory()
        memory.of(before, before.symbols)
        memory.grow(after, after, int(after.open_ms[-1]))
        found = memory.of(after, after.symbols)
        assert np.array_equal(found, log_returns(after), equal_nan=True)
        assert not found.flags.writeable
