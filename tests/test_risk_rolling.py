"""Rolling correlation against pandas where pandas is right, and against each window alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.correlation.pair_history import (
    DAY_MS,
    Bar,
    correlation_history,
    daily_returns,
    hourly_returns,
    pair_history,
)
from risk.correlation.rolling import pair_indices, rolling_correlation, unpacked, window_correlation
from risk.errors import DataError, EstimationError, MissingDataError
from risk.returns import HOUR_MS, BarPanel

SHARED = Path(__file__).resolve().parents[2] / "shared"
NAN = float("nan")


def market(seed: int, bars: int, n: int, missing: float = 0.0) -> FloatArray:
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-3, -1.5, n)
    returns = (rng.standard_t(4, (bars, 1)) + rng.standard_t(4, (bars, n))) * scale
    returns[rng.random((bars, n)) < missing] = NAN
    return returns


def by_pandas(returns: FloatArray, window: int, least: int) -> FloatArray:
    frame = pd.DataFrame(returns).rolling(window, min_periods=least).corr()
    n = returns.shape[1]
    return frame.to_numpy().reshape(len(returns), n, n)[:, *pair_indices(n)]


def one_by_one(returns: FloatArray, window: int, least: int) -> FloatArray:
    """Each window of each pair alone, in two passes; slow and exact."""
    one, other = pair_indices(returns.shape[1])
    out = np.full((len(returns), len(one)), NAN)
    for t in range(len(returns)):
        rows = returns[max(0, t - window + 1) : t + 1]
        for p, (i, j) in enumerate(zip(one, other, strict=True)):
            both = ~np.isnan(rows[:, i] * rows[:, j])
            x, y = rows[both, i], rows[both, j]
            if len(x) < least or np.ptp(x) == 0 or np.ptp(y) == 0:
                continue
            x, y = x - x.mean(), y - y.mean()
            out[t, p] = (x @ y) / np.sqrt((x @ x) * (y @ y))
    return out


def panel_of(close: FloatArray, start_ms: int = 0, symbols: tuple[str, ...] = ()) -> BarPanel:
    names = symbols or tuple(f"T{i}" for i in range(close.shape[1]))
    open_ms = start_ms + HOUR_MS * np.arange(len(close))
    return BarPanel(names, open_ms, close, np.full(close.shape, 1e6))


@pytest.mark.parametrize("missing", [0.0, 0.03, 0.5])
@pytest.mark.parametrize(("bars", "window"), [(500, 48), (100, 99), (90, 200), (96, 48), (3, 2)])
def test_equals_pandas(bars: int, window: int, missing: float) -> None:
    returns = market(1, bars, 5, missing)
    least = max(2, window // 4)
    ours, theirs = rolling_correlation(returns, window, least), by_pandas(returns, window, least)
    # Two observations are correlated by 1 or -1, and pandas' last digits may leave the interval.
    np.testing.assert_allclose(ours, np.clip(theirs, -1, 1), atol=1e-9)


def test_the_minimum_is_half_the_window_by_default() -> None:
    ours = rolling_correlation(market(2, 60, 3), 20)
    assert np.isnan(ours[:9]).all()
    assert not np.isnan(ours[9:]).any()


def test_a_jump_a_halt_and_a_stop_against_each_window_alone() -> None:
    """What a jump leaves behind in sums that subtract is larger than the quiet hours after it."""
    returns = market(3, 400, 4)
    returns[100, 1] = -2.2
    returns[101:, 1] = 1e-7 * np.random.default_rng(3).standard_normal(299)
    returns[150, 2] = 2.0
    returns[151:260, 2] = 0.0
    returns[200:230, 3] = NAN
    ours, exact = rolling_correlation(returns, 40, 10), one_by_one(returns, 40, 10)
    np.testing.assert_allclose(ours, exact, atol=1e-12)
    assert np.isnan(ours[200, 1])  # T2 stands still


def test_a_steady_drift_is_constant_and_its_noise_is_not() -> None:
    returns = market(4, 300, 3)
    returns[50:200, 0] = 0.01
    returns[220:, 1] = 0.01 + 1e-7 * np.random.default_rng(4).standard_normal(80)
    ours, exact = rolling_correlation(returns, 30, 10), one_by_one(returns, 30, 10)
    np.testing.assert_allclose(ours, exact, atol=1e-8)
    assert np.isnan(ours[150, 0])
    assert np.isnan(ours[150, 1])
    assert not np.isnan(ours[290, 0])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    bars=st.integers(1, 120),
    n=st.integers(2, 6),
    window=st.integers(2, 50),
    missing=st.sampled_from([0.0, 0.05, 0.6, 1.0]),
)
def test_any_data_against_each_window_alone(
    seed: int, bars: int, n: int, window: int, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    returns = market(seed, bars, n, missing)
    returns[: rng.integers(0, bars + 1), rng.integers(n)] = NAN
    returns[rng.integers(bars) :, rng.integers(n)] = 0.0
    returns[rng.integers(bars), rng.integers(n)] = 2.0
    least = int(rng.integers(2, window + 1))
    ours = rolling_correlation(returns, window, least)
    np.testing.assert_allclose(ours, one_by_one(returns, window, least), atol=1e-9)
    order = rng.permutation(n)
    matrices = unpacked(ours, n)
    shuffled = unpacked(rolling_correlation(3.0 * returns[:, order], window, least), n)
    np.testing.assert_allclose(shuffled, matrices[:, order][:, :, order], atol=1e-9)


def test_nothing_after_a_row_matters_to_it() -> None:
    returns = market(5, 200, 3, missing=0.1)
    whole, part = rolling_correlation(returns, 30), rolling_correlation(returns[:120], 30)
    np.testing.assert_allclose(whole[:120], part, atol=1e-13)


def test_more_pairs_than_one_chunk_holds() -> None:
    returns = market(6, 1500, 14)
    ours = rolling_correlation(returns, 1000, 2)
    last = np.asarray(np.corrcoef(returns[-1000:].T))[pair_indices(14)]
    np.testing.assert_allclose(ours[-1], last, atol=1e-12)


def test_one_window_equals_pandas_and_counts_what_it_rests_on() -> None:
    returns = market(7, 300, 5, missing=0.2)
    returns[:, 3] = 0.0
    returns[:295, 4] = NAN
    matrix, count = window_correlation(returns, 24)
    theirs = pd.DataFrame(returns).corr(min_periods=24).to_numpy()
    np.testing.assert_allclose(matrix[:3, :3], theirs[:3, :3], atol=1e-12)
    assert np.isnan(matrix[3:]).all()
    assert np.isnan(matrix[:, 3:]).all()
    there = ~np.isnan(returns)
    assert count[0, 1] == (there[:, 0] & there[:, 1]).sum()
    assert count[4, 4] == there[:, 4].sum()


@given(seed=st.integers(0, 10**6), bars=st.integers(2, 60), n=st.integers(1, 6))
def test_a_window_without_gaps_is_like_one_with_a_row_of_nothing(
    seed: int, bars: int, n: int
) -> None:
    returns = market(seed, bars, n)
    returns[:, 0] = returns[0, 0] * (seed % 2)  # a price that moves evenly, or stands still
    with_gap = np.vstack([returns, np.full((1, n), NAN)])
    found, expected = window_correlation(returns), window_correlation(with_gap)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-9)
    np.testing.assert_array_equal(found[1], expected[1])
    assert np.isnan(window_correlation(returns, bars + 1)[0]).all()


def test_one_window_of_nothing() -> None:
    matrix, count = window_correlation(np.zeros((0, 2)))
    assert np.isnan(matrix).all()
    assert (count == 0).all()
    assert window_correlation(np.zeros((5, 0)))[0].shape == (0, 0)
    assert rolling_correlation(np.zeros((0, 3)), 5).shape == (0, 3)
    assert rolling_correlation(np.ones((4, 1)), 5).shape == (4, 0)


def test_packed_pairs_become_matrices() -> None:
    matrices = unpacked(np.array([[0.1, 0.2, 0.3]]), 3)
    assert matrices.tolist() == [[[1, 0.1, 0.2], [0.1, 1, 0.3], [0.2, 0.3, 1]]]
    with pytest.raises(EstimationError, match="4 tokens have 6"):
        unpacked(np.zeros(3), 4)


def test_bad_arguments() -> None:
    good = market(8, 20, 2)
    with pytest.raises(EstimationError, match="window is 1"):
        rolling_correlation(good, 1)
    with pytest.raises(EstimationError, match="min_observations is 9"):
        rolling_correlation(good, 8, 9)
    with pytest.raises(EstimationError, match="min_observations is 1"):
        window_correlation(good, 1)
    with pytest.raises(DataError, match="shape"):
        rolling_correlation(good[0], 8)
    good[3, 1] = np.inf
    with pytest.raises(DataError, match="token 1 in row 3 is infinite"):
        rolling_correlation(good, 8)


# Bars and histories


def test_daily_returns_equal_pandas_that_resamples() -> None:
    rng = np.random.default_rng(9)
    start_ms = 1_700_006_400_000 - 5 * HOUR_MS  # five hours before a UTC midnight
    assert (start_ms + 5 * HOUR_MS) % DAY_MS == 0
    close = 100 * np.exp(np.cumsum(rng.standard_normal((24 * 6 + 12, 2)) * 0.01, axis=0))
    panel = panel_of(close, start_ms)
    daily = daily_returns(panel)
    frame = pd.DataFrame(close, index=pd.to_datetime(panel.open_ms, unit="ms"))
    # The last day is not over: its 23:00 bar is not there yet.
    theirs = frame.resample("1D").last().transform(np.log).diff().iloc[1:-1]
    np.testing.assert_allclose(daily.log_return, theirs.to_numpy(), atol=1e-14)
    opens = theirs.index.astype("datetime64[ms]").astype("int64")
    assert daily.open_ms.tolist() == opens.tolist()
    assert daily.window_bars(30) == 30
    assert hourly_returns(panel).window_bars(30) == 720


def test_a_day_without_its_last_bar_has_no_close() -> None:
    close = np.exp(0.001 * np.arange(24 * 5.0))[:, None] @ np.ones((1, 2))
    close[24 * 2 + 23, 1] = NAN
    daily = daily_returns(panel_of(close))
    np.testing.assert_allclose(daily.log_return[:, 0], 0.024)
    assert np.isnan(daily.log_return[:, 1]).tolist() == [False, True, True, False]


def test_daily_returns_of_less_than_two_days_are_none() -> None:
    assert daily_returns(panel_of(np.ones((30, 2)))).log_return.shape == (0, 2)
    history = correlation_history(panel_of(np.ones((1, 2))), 30, bar=Bar.DAILY)
    assert history.packed.shape == (0, 1)


@pytest.mark.parametrize("bar", list(Bar))
def test_the_history_of_a_pair_is_its_column_of_all_pairs(bar: Bar) -> None:
    close = 10 * np.exp(np.cumsum(market(10, 24 * 60, 4), axis=0) / 10)
    panel = panel_of(close)
    every = correlation_history(panel, 10, bar=bar)
    alone = pair_history(panel, "T3", "T1", 10, bar=bar)
    assert alone.symbols == ("T3", "T1")
    np.testing.assert_allclose(alone.pair("T1", "T3"), every.pair("T3", "T1"), atol=1e-12)
    assert alone.open_ms.tolist() == every.open_ms.tolist()
    assert every.matrix(-1)[1, 3] == every.pair("T1", "T3")[-1]
    assert (np.diag(every.matrix(-1)) == 1).all()


def test_histories_need_two_symbols_that_are_there() -> None:
    panel = panel_of(np.ones((50, 2)))
    with pytest.raises(EstimationError, match="got T0 twice"):
        pair_history(panel, "T0", "T0")
    with pytest.raises(MissingDataError, match="T9"):
        pair_history(panel, "T0", "T9")
    history = correlation_history(panel, 1)
    assert np.isnan(history.packed).all()  # nothing moved
    with pytest.raises(EstimationError, match="got T1 twice"):
        history.pair("T1", "T1")
    with pytest.raises(MissingDataError, match="T9"):
        history.pair("T9", "T1")


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_real_prices_equal_pandas() -> None:
    columns = ["timestamp", "symbol", "close"]
    bars = pd.read_parquet(SHARED / "market" / "hourly.parquet", columns=columns)
    close = bars.pivot_table(index="timestamp", columns="symbol", values="close").asfreq("1h")
    close = close[["BTC/USDT:USDT", "FET/USDT:USDT", "TAO/USDT:USDT", "KAITO/USDT:USDT"]]
    open_ms = close.index.astype("datetime64[ms, UTC]").astype("int64").to_numpy()
    panel = BarPanel(tuple(close.columns), open_ms, close.to_numpy(), np.ones(close.shape))
    for bar, rule, window in ((Bar.HOURLY, "1h", 720), (Bar.DAILY, "1D", 30)):
        history = correlation_history(panel, 30, bar=bar)
        returns = close.resample(rule).last().transform(np.log).diff().iloc[1:]
        theirs = by_pandas(returns.to_numpy(), window, window // 2)
        np.testing.assert_allclose(history.packed, theirs, atol=1e-9)
    assert 0.5 < history.pair("FET/USDT:USDT", "TAO/USDT:USDT")[-1] < 0.99
