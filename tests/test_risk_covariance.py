"""The covariance: streaming equals batch equals pandas, shrinkage, subsets, real prices."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.covariance.estimate import eligible_history, shrink_to_constant_correlation
from risk.covariance.mean_ewma import MeanEwmaCovariance, mean_ewma_covariance
from risk.covariance.weights import effective_bars
from risk.errors import EstimationError, MissingDataError
from risk.returns import BarPanel, log_returns
from tests.covariance_scene import NAN, assert_sound, names, sample, stream

SHARED = Path(__file__).resolve().parents[2] / "shared"


def test_the_recursion_as_the_formula_has_it() -> None:
    """S <- b S + (1 - b) r r', normalised by 1 - b^t, mean over half-lives, times 24."""
    returns = sample(1, 300, 4)
    expected = np.zeros((4, 4))
    for days in (4.0, 15.0, 60.0):
        b = 2 ** (-1 / (24 * days))
        s = np.zeros((4, 4))
        for r in returns:
            s = b * s + (1 - b) * np.outer(r, r)
        expected += 24 * s / (1 - b ** len(returns)) / 3
    np.testing.assert_allclose(
        stream(returns, shrinkage=0.0).covariance_daily, expected, rtol=1e-10
    )


def test_one_half_life_equals_pandas() -> None:
    returns = sample(2, 400, 3)
    estimator = MeanEwmaCovariance(names(3), half_lives_days=[5.0], shrinkage=0.0)
    for row in returns:
        estimator.update(row)
    ours = estimator.estimate().covariance_daily
    for i in range(3):
        for j in range(3):
            products = pd.Series(returns[:, i] * returns[:, j])
            theirs = 24 * products.ewm(halflife=120, adjust=True).mean().iloc[-1]
            assert ours[i, j] == pytest.approx(theirs, rel=1e-10)


def test_gaps_equal_pandas_that_ignores_missing() -> None:
    """A pair is updated only where both are there; what they share tells its correlation alone."""
    returns = sample(3, 300, 2, missing=0.3)
    estimator = MeanEwmaCovariance(names(2), half_lives_days=[5.0], shrinkage=0.0)
    for row in returns:
        estimator.update(row)
    ours = estimator.estimate().covariance_daily

    def mean(values: FloatArray) -> float:
        return float(24 * pd.Series(values).ewm(halflife=120, ignore_na=True).mean().iloc[-1])

    x, y = returns.T
    own, shared = [mean(x * x), mean(y * y)], ~np.isnan(x * y)
    rho = mean(x * y) / np.sqrt(
        mean(np.where(shared, x * x, np.nan)) * mean(np.where(shared, y * y, np.nan))
    )
    assert np.diag(ours) == pytest.approx(own, rel=1e-10)
    assert ours[0, 1] == pytest.approx(rho * np.sqrt(own[0] * own[1]), rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    bars=st.integers(1, 250),
    n=st.integers(1, 8),
    missing=st.sampled_from([0.0, 0.02, 0.3, 0.8]),
    shrinkage=st.sampled_from([0.0, 0.2, 1.0]),
)
def test_streaming_equals_batch(
    seed: int, bars: int, n: int, missing: float, shrinkage: float
) -> None:
    returns = sample(seed, bars, n, missing)
    try:
        streamed = stream(returns, shrinkage, min_bars=2)
    except EstimationError:
        with pytest.raises(EstimationError, match="no symbol"):
            mean_ewma_covariance(returns, names(n), shrinkage=shrinkage, min_bars=2)
        return
    batch = mean_ewma_covariance(returns, names(n), shrinkage=shrinkage, min_bars=2)
    assert streamed.symbols == batch.symbols
    assert streamed.excluded == batch.excluded
    scale = np.outer(batch.volatility_daily, batch.volatility_daily)
    difference = (streamed.covariance_daily - batch.covariance_daily) / scale
    assert np.abs(difference).max() <= 1e-10
    assert (streamed.observed_bars == batch.observed_bars).all()
    assert_sound(streamed)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 7), factor=st.floats(0.1, 10.0))
def test_order_of_symbols_and_scale_do_not_matter(seed: int, n: int, factor: float) -> None:
    returns = sample(seed, 120, n, missing=0.1)
    plain = mean_ewma_covariance(returns, names(n))
    order = np.random.default_rng(seed).permutation(n)
    shuffled = mean_ewma_covariance(returns[:, order], [names(n)[i] for i in order])
    np.testing.assert_allclose(
        shuffled.subset(plain.symbols).covariance_daily,
        plain.covariance_daily,
        rtol=1e-7,
        atol=1e-12,
    )
    scaled = mean_ewma_covariance(factor * returns, names(n))
    np.testing.assert_allclose(scaled.volatility_daily, factor * plain.volatility_daily, rtol=1e-9)
    np.testing.assert_allclose(scaled.correlation, plain.correlation, atol=1e-7)


def test_shrinkage_moves_correlations_and_not_volatilities() -> None:
    returns = sample(9, 200, 5)
    plain, shrunk = stream(returns, 0.0), stream(returns, 0.2)
    off = ~np.eye(5, dtype=bool)
    mean = plain.correlation[off].mean()
    expected = 0.8 * plain.correlation[off] + 0.2 * mean
    np.testing.assert_allclose(shrunk.correlation[off], expected, rtol=1e-9)
    np.testing.assert_allclose(shrunk.volatility_daily, plain.volatility_daily)
    flat = shrink_to_constant_correlation(plain.correlation, 1.0)
    np.testing.assert_allclose(flat[off], mean)


def test_subset_is_the_same_numbers_in_the_order_asked_for() -> None:
    estimate = stream(sample(10, 100, 4))
    part = estimate.subset(["T3", "T1"])
    assert part.symbols == ("T3", "T1")
    assert part.covariance_daily[0, 1] == estimate.covariance_daily[3, 1]
    assert part.volatility_daily.tolist() == estimate.volatility_daily[[3, 1]].tolist()


def test_only_two_weeks_of_history_may_hedge() -> None:
    returns = sample(11, 24 * 14 + 5, 3)
    returns[:6, 0] = NAN
    returns[:5, 1] = NAN
    returns[:, 2] = 0.0
    chosen = eligible_history(stream(returns))
    assert chosen.kept == ("T1",)
    assert [item.symbol for item in chosen.excluded] == ["T0", "T2"]
    assert chosen.excluded[0].reason == "only 14.0 days of history, needs 14"


def test_effective_bars_from_explicit_weights() -> None:
    decay = 2 ** (-1 / (24 * np.array([4.0, 15.0, 60.0])))
    for n in (1, 10, 1440):
        ages = np.arange(n)
        weights = ((1 - decay[:, None]) * decay[:, None] ** ages / (1 - decay[:, None] ** n)).mean(
            0
        )
        assert weights.sum() == pytest.approx(1)
        assert effective_bars(np.array([float(n)]), decay)[0] == pytest.approx(
            1 / (weights**2).sum(), rel=1e-9
        )
    assert effective_bars(np.zeros(1), decay)[0] == 0


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_real_prices_with_late_listings() -> None:
    bars = pd.read_parquet(
        SHARED / "market" / "hourly.parquet", columns=["timestamp", "symbol", "close"]
    )
    close = bars.pivot_table(index="timestamp", columns="symbol", values="close").asfreq("1h")
    open_ms = close.index.astype("datetime64[ms, UTC]").astype("int64").to_numpy()
    symbols = tuple(close.columns)
    panel = BarPanel(symbols, open_ms, close.to_numpy(), np.ones(close.shape))
    returns = log_returns(panel)
    streamed, batch = MeanEwmaCovariance(symbols), mean_ewma_covariance(returns, symbols)
    for row in returns:
        streamed.update(row)
    estimate = streamed.estimate()
    np.testing.assert_allclose(
        estimate.covariance_daily, batch.covariance_daily, rtol=0, atol=1e-10
    )
    assert_sound(estimate)
    assert estimate.symbols == symbols
    bitcoin = estimate.volatility_daily[estimate.column("BTC/USDT:USDT")]
    assert 0.01 < bitcoin < 0.05
    assert bitcoin == estimate.volatility_daily.min()
    off = ~np.eye(len(symbols), dtype=bool)
    assert 0.4 < estimate.correlation[off].mean() < 0.8


def test_chosen_symbols_are_estimated_as_if_there_were_no_others() -> None:
    returns = sample(8, 500, 5, missing=0.05)
    estimator = MeanEwmaCovariance(names(5))
    for row in returns:
        estimator.update(row)
    chosen = estimator.estimate(("T4", "T1", "T2"))
    alone = mean_ewma_covariance(returns[:, [4, 1, 2]], ("T4", "T1", "T2"))
    assert chosen.symbols == ("T4", "T1", "T2")
    np.testing.assert_allclose(chosen.covariance_daily, alone.covariance_daily, rtol=1e-10)
    np.testing.assert_array_equal(chosen.observed_bars, alone.observed_bars)
    with pytest.raises(MissingDataError, match=r"^no returns of X, Y were ever taken in$"):
        estimator.estimate(("T1", "X", "Y"))
