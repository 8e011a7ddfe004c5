"""The covariance: streaming equals batch equals pandas, and is positive definite whatever comes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.covariance.estimate import (
    CovarianceEstimate,
    eligible_history,
    estimate_from,
    nearest_by_clipping,
    shrink_to_constant_correlation,
    shrunk_and_sound,
)
from risk.covariance.mean_ewma import (
    CovarianceEstimator,
    MeanEwmaCovariance,
    effective_bars,
    mean_ewma_covariance,
)
from risk.covariance.usable import MIN_BARS
from risk.errors import DataError, EstimationError, MissingDataError
from risk.returns import BarPanel, log_returns

SHARED = Path(__file__).resolve().parents[2] / "shared"
NAN = float("nan")


def names(n: int) -> tuple[str, ...]:
    return tuple(f"T{i}" for i in range(n))


def sample(seed: int, bars: int, n: int, missing: float = 0.0) -> FloatArray:
    """Returns of a one-factor market with volatilities that differ, some of them missing."""
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-3, -1.5, n)
    returns = (0.7 * rng.standard_t(4, (bars, 1)) + rng.standard_t(4, (bars, n))) * scale
    returns[rng.random((bars, n)) < missing] = NAN
    return returns


def stream(
    returns: FloatArray, shrinkage: float = 0.2, min_bars: int = MIN_BARS
) -> CovarianceEstimate:
    estimator: CovarianceEstimator = MeanEwmaCovariance(
        names(returns.shape[1]), shrinkage=shrinkage, min_bars=min_bars
    )
    for row in returns:
        estimator.update(row)
    return estimator.estimate()


def assert_sound(estimate: CovarianceEstimate) -> None:
    root = np.linalg.cholesky(estimate.covariance_daily)
    np.testing.assert_allclose(root @ root.T, estimate.covariance_daily, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(
        np.sqrt(np.diag(estimate.covariance_daily)), estimate.volatility_daily, rtol=1e-12
    )
    assert (np.diag(estimate.correlation) == 1).all()
    assert np.abs(estimate.correlation).max() <= 1


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


def test_perfectly_correlated_tokens_still_have_a_cholesky_factor() -> None:
    one = sample(4, 100, 1)
    twins = np.hstack([one, 2 * one, -one])
    for shrinkage in (0.0, 0.2):
        assert_sound(stream(twins, shrinkage))
        assert_sound(stream(np.hstack([one, one]), shrinkage))


def test_more_tokens_than_bars() -> None:
    assert_sound(stream(sample(5, 30, 40), shrinkage=0.0))


def test_pairs_that_contradict_each_other_are_made_consistent() -> None:
    """A and B move together, B and C too, A and C against each other, each in its own hours."""
    rng = np.random.default_rng(6)
    r = rng.standard_normal(90) * 0.01
    gap = np.full(30, NAN)
    a = np.concatenate([r[:30], gap, r[60:]])
    b = np.concatenate([r[:30], r[30:60], gap])
    c = np.concatenate([gap, r[30:60], -r[60:]])
    estimate = stream(np.column_stack([a, b, c]), shrinkage=0.0)
    assert_sound(estimate)
    assert estimate.correlation[0, 1] > 0.3
    assert estimate.correlation[0, 2] < -0.3


def test_tokens_that_never_met_get_the_mean_correlation_of_the_others() -> None:
    rng = np.random.default_rng(7)
    market = rng.standard_normal((200, 1))
    returns = (market + rng.standard_normal((200, 4))) * 0.01
    returns[:100, 0] = NAN
    returns[100:, 1] = NAN
    estimate = stream(returns, shrinkage=0.0)
    known = estimate.correlation[np.triu_indices(4, 1)][1:]
    assert estimate.correlation[0, 1] == pytest.approx(known.mean(), abs=0.02)
    assert_sound(estimate)


def test_constant_prices_and_short_histories_are_excluded_with_a_reason() -> None:
    returns = sample(8, 100, 3)
    returns[:, 1] = 0.0
    returns[: 100 - 10, 2] = NAN
    estimate = stream(returns)
    assert estimate.symbols == ("T0",)
    assert [item.symbol for item in estimate.excluded] == ["T1", "T2"]
    assert "did not move" in estimate.excluded[0].reason
    assert estimate.excluded[1].reason == "only 10 hourly returns, needs 24"
    with pytest.raises(MissingDataError, match="T1 has no covariance estimate: price did not move"):
        estimate.column("T1")
    with pytest.raises(MissingDataError, match="T9 has no covariance estimate: it was not asked"):
        estimate.subset(["T9"])


def test_nothing_observed_is_an_error_with_reasons() -> None:
    with pytest.raises(EstimationError, match="T0: only 0 hourly returns"):
        MeanEwmaCovariance(["T0"]).estimate()


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


def test_clipping_leaves_a_sound_matrix_alone_and_keeps_the_diagonal() -> None:
    sound = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert nearest_by_clipping(sound) is sound
    torn = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    mended = nearest_by_clipping(torn)
    assert (np.diag(mended) == 1).all()
    assert np.linalg.eigvalsh(mended)[0] > 0


@pytest.mark.parametrize("smallest", [1e-3, 2e-8, 5e-9, 0.0, -1e-6])
def test_only_what_is_below_the_floor_is_raised(smallest: float) -> None:
    # Of two symbols the eigenvalues are 1 ± ρ.
    matrix = np.array([[1.0, 1.0 - smallest], [1.0 - smallest, 1.0]])
    mended = nearest_by_clipping(matrix)
    assert (mended is matrix) == (smallest > 1e-8)
    assert np.linalg.eigvalsh(mended)[0] == pytest.approx(max(smallest, 1e-8), rel=1e-6)


def test_subset_is_the_same_numbers_in_the_order_asked_for() -> None:
    estimate = stream(sample(10, 100, 4))
    part = estimate.subset(["T3", "T1"])
    assert part.symbols == ("T3", "T1")
    assert part.covariance_daily[0, 1] == estimate.covariance_daily[3, 1]
    assert part.volatility_daily.tolist() == estimate.volatility_daily[[3, 1]].tolist()


def test_an_estimate_cannot_be_changed() -> None:
    volatility = np.array([0.05, 0.02])
    estimate = estimate_from(
        ("A", "B"), volatility, np.array([[1.0, 0.5], [0.5, 1.0]]), observed_bars=np.full(2, 99.0)
    )
    with pytest.raises(ValueError, match="read-only"):
        estimate.covariance_daily[0, 0] = 1.0
    volatility[0] = 9.0  # the caller's own array stays the caller's
    assert estimate.volatility_daily[0] == 0.05


@pytest.mark.parametrize(
    ("volatility", "correlation", "said"),
    [
        ([0.1, 0.0], [[1, 0], [0, 1]], "B: variance 0"),
        ([0.1, NAN], [[1, 0], [0, 1]], "not finite"),
        ([0.1, 0.1], [[1, 2], [2, 1]], "not positive definite"),
        ([0.1, 0.1], [[1, 0.5], [0.1, 1]], "not symmetric"),
        ([0.1], [[1.0]], "shape"),
    ],
)
def test_unsound_estimates_are_refused(
    volatility: list[float], correlation: list[list[float]], said: str
) -> None:
    with pytest.raises(EstimationError, match=said):
        estimate_from(
            ("A", "B"), np.array(volatility), np.array(correlation), observed_bars=np.ones(2)
        )


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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"half_lives_days": []}, "half-lives"),
        ({"half_lives_days": [0.0]}, "half-lives"),
        ({"shrinkage": 1.2}, "shrinkage is 1.2"),
        ({"min_bars": 0}, "min_bars is 0"),
        ({"symbols": ["A", "A"]}, "distinct"),
    ],
)
def test_settings_out_of_range(change: dict[str, object], said: str) -> None:
    with pytest.raises(EstimationError, match=said):
        MeanEwmaCovariance(**({"symbols": ["A"]} | change))  # type: ignore[arg-type]  # wrong on purpose


def test_infinite_and_misshapen_returns_are_refused_and_change_nothing() -> None:
    estimator = MeanEwmaCovariance(("A", "B"), min_bars=1)
    estimator.update(np.array([0.01, 0.02]))
    before = estimator.estimate().covariance_daily
    with pytest.raises(DataError, match="B: a return is infinite"):
        estimator.update(np.array([0.01, np.inf]))
    with pytest.raises(DataError, match="shape"):
        estimator.update(np.array([0.01]))
    with pytest.raises(DataError, match="shape"):
        mean_ewma_covariance(np.zeros(3), ("A", "B"))
    assert (estimator.estimate().covariance_daily == before).all()


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


@pytest.mark.parametrize("shrinkage", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.8])
def test_sparing_the_second_projection_changes_nothing(shrinkage: float, noise: float) -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 12))
        moves = rng.normal(size=(40, n)) + rng.choice([0.0, 3.0]) * rng.normal(size=(40, 1))
        bent = np.corrcoef(moves.T).reshape(n, n) + noise * rng.uniform(-1, 1, (n, n))
        matrix = np.clip((bent + bent.T) / 2, -1, 1)
        np.fill_diagonal(matrix, 1.0)
        plain = nearest_by_clipping(
            shrink_to_constant_correlation(nearest_by_clipping(matrix), shrinkage)
        )
        assert np.array_equal(shrunk_and_sound(matrix, shrinkage)[0], plain)


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e60])
def test_an_estimate_without_a_check_would_pass_it(scale: float) -> None:
    rng = np.random.default_rng(11)
    loud = scale ** rng.uniform(0, 1, 8)  # volatilities of very different size
    returns = 0.01 * loud * (rng.normal(size=(300, 8)) + rng.normal(size=(300, 1)))
    streaming = MeanEwmaCovariance([f"T{i}" for i in range(8)])
    for row in returns:
        streaming.update(row)
    found = streaming.estimate()
    checked = CovarianceEstimate(
        found.symbols,
        found.covariance_daily,
        found.volatility_daily,
        found.correlation,
        found.observed_bars,
        found.effective_bars,
    )
    assert checked.covariance_daily.diagonal() == pytest.approx(found.volatility_daily**2)
    kept = found.covariance_daily.copy(), found.observed_bars.copy()
    streaming.update(returns[0])
    assert np.array_equal(found.covariance_daily, kept[0])
    assert np.array_equal(found.observed_bars, kept[1])
    with pytest.raises(ValueError, match="read-only"):
        found.correlation[0, 1] = 0.0


def test_an_overflowing_volatility_is_an_error_and_no_estimate() -> None:
    returns = 1e160 * np.random.default_rng(1).normal(size=(100, 3))
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(EstimationError):
        mean_ewma_covariance(returns, ("A", "B", "C"))
