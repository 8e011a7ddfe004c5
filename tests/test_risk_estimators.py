"""The estimators: the rolling sample by hand, and what holds for all of them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate, eligible_history
from risk.covariance.estimators import DEFAULT_ESTIMATOR, ESTIMATORS
from risk.covariance.factors import FactorCovariance, factor_estimate
from risk.covariance.mean_ewma import MeanEwmaCovariance, mean_ewma_covariance
from risk.covariance.sample import RollingCovariance, rolling_covariance
from risk.covariance.scatter_ewma import scatter_ewma_covariance
from risk.covariance.shrinkage import Shrink, ShrunkCovariance, ledoit_wolf, oas, shrunk_covariance
from risk.covariance.window import WindowMoments, pair_moments
from risk.errors import DataError, EstimationError
from risk.returns import BarPanel, log_returns
from tests.estimators_scene import NAN, honey, names, sample, stream

SHARED = Path(__file__).resolve().parents[2] / "shared"


def test_the_window_is_the_last_bars_and_no_others() -> None:
    returns = sample(1, 400, 4)
    last = returns[-168:]
    expected = 24 * sum(np.outer(r, r) for r in last) / 168
    ours = stream(RollingCovariance(names(4), window_days=7), returns)
    np.testing.assert_allclose(ours.covariance_daily, expected, rtol=1e-12)
    assert ours.observed_bars.tolist() == [400] * 4
    assert ours.effective_bars.tolist() == [168] * 4


def test_mean_removed_equals_pandas_pair_by_pair_over_gaps() -> None:
    returns = sample(2, 500, 4, missing=0.1) + 0.002
    ours = stream(RollingCovariance(names(4), window_days=10, mean_removed=True), returns)
    theirs = 24 * pd.DataFrame(returns[-240:]).cov().to_numpy()
    np.testing.assert_allclose(ours.covariance_daily, theirs, rtol=1e-11)


def test_over_gaps_around_zero_equals_the_mean_of_products() -> None:
    returns = sample(3, 300, 3, missing=0.2)
    ours = stream(RollingCovariance(names(3), window_days=7), returns).covariance_daily
    for i in range(3):
        for j in range(3):
            product = pd.Series(returns[-168:, i] * returns[-168:, j])
            assert ours[i, j] == pytest.approx(24 * product.mean(), rel=1e-11)


def test_a_crash_that_has_left_the_window_leaves_no_trace() -> None:
    """Sums that add and subtract without care are off by 1e-7 here."""
    rng = np.random.default_rng(4)
    returns = rng.standard_normal((5000, 3)) * 1e-6
    returns[1000] = [2.2, -2.2, 1.9]
    estimator = RollingCovariance(names(3), window_days=7)
    ours = stream(estimator, returns)
    exact = 24 * returns[-168:].T @ returns[-168:] / 168
    np.testing.assert_allclose(ours.covariance_daily, exact, rtol=1e-12)


def test_a_price_that_stops_after_a_crash_is_constant_and_not_nearly_so() -> None:
    returns = sample(5, 600, 2)
    returns[100, 1] = -2.0
    returns[200:, 1] = 0.0
    ours = stream(RollingCovariance(names(2), window_days=7), returns)
    assert ours.symbols == names(1)
    reason = "price did not move over 168 hourly returns in the last 7 days"
    assert ours.excluded[0].reason == reason


def test_sums_do_not_drift_over_many_windows() -> None:
    rng = np.random.default_rng(6)
    returns = rng.standard_t(3, (20_000, 3)) * 0.01
    returns[rng.random(returns.shape) < 0.05] = NAN
    moments = WindowMoments(3, 50)
    for row in returns:
        moments.push(row)
    ours, exact = moments.moments(), pair_moments(returns[-50:])
    np.testing.assert_allclose(ours.product, exact.product, rtol=1e-12, atol=1e-17)
    np.testing.assert_allclose(ours.first, exact.first, rtol=1e-12, atol=1e-16)
    assert (ours.count == exact.count).all()


def test_a_halted_token_leaves_the_estimate_and_its_age_is_remembered() -> None:
    returns = sample(7, 24 * 23, 3)
    returns[24 * 15 :, 1] = NAN
    week = stream(RollingCovariance(names(3), window_days=7), returns)
    assert week.symbols == (names(3)[0], names(3)[2])
    returns[-30:, 1] = 0.01
    back = stream(RollingCovariance(names(3), window_days=7), returns)
    assert back.symbols == names(3)
    assert back.observed_bars[1] == 24 * 15 + 30
    assert back.effective_bars[1] == 30
    assert eligible_history(back).kept == names(3)


def test_the_registry_names_what_it_says() -> None:
    assert set(ESTIMATORS) == {
        "rolling_30d",
        "rolling_7d",
        "ewma",
        "mean_ewma",
        "ledoit_wolf",
        "oas",
        "factor",
        "scatter_ewma",
    }
    assert DEFAULT_ESTIMATOR == "mean_ewma"
    x, symbols = sample(20, 900, 5, missing=0.05), names(5)
    batch: Mapping[str, Callable[[], CovarianceEstimate]] = {
        "rolling_30d": lambda: rolling_covariance(x, symbols, 30),
        "rolling_7d": lambda: rolling_covariance(x, symbols, 7),
        "ewma": lambda: mean_ewma_covariance(x, symbols, [15.0], shrinkage=0),
        "mean_ewma": lambda: mean_ewma_covariance(x, symbols),
        "ledoit_wolf": lambda: shrunk_covariance(x, symbols, ledoit_wolf, 30),
        "oas": lambda: shrunk_covariance(x, symbols, oas, 30),
        "factor": lambda: factor_estimate(mean_ewma_covariance(x, symbols, shrinkage=0)),
        "scatter_ewma": lambda: scatter_ewma_covariance(x, symbols),
    }
    for name, make in ESTIMATORS.items():
        ours, theirs = stream(make(symbols), x), batch[name]()
        np.testing.assert_allclose(
            ours.covariance_daily, theirs.covariance_daily, rtol=1e-10, atol=1e-16, err_msg=name
        )
        assert ours.observed_bars.tolist() == theirs.observed_bars.tolist()


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_bad_rows_are_refused_and_change_nothing(name: str) -> None:
    estimator = ESTIMATORS[name](names(3))
    for row in sample(21, 60, 3):
        estimator.update(row)
    before = estimator.estimate().covariance_daily
    with pytest.raises(DataError, match="ETH/USDT:USDT: a return is infinite"):
        estimator.update(np.array([0.01, -np.inf, 0.0]))
    with pytest.raises(DataError, match="shape"):
        estimator.update(np.array([0.01]))
    assert (estimator.estimate().covariance_daily == before).all()
    assert estimator.symbols == names(3)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_nothing_observed_is_an_error_with_reasons(name: str) -> None:
    with pytest.raises(EstimationError, match="BTC/USDT:USDT: only 0 hourly returns"):
        ESTIMATORS[name](names(2)).estimate()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RollingCovariance(["A", "A"]), "distinct"),
        (lambda: RollingCovariance(["A"], window_days=0.05), "at least two hours"),
        (lambda: RollingCovariance(["A"], window_days=NAN), "at least two hours"),
        (lambda: RollingCovariance(["A"], min_bars=1), "min_bars is 1"),
        (lambda: RollingCovariance(["A"], window_days=1, min_bars=25), "min_bars is 25"),
        (lambda: ShrunkCovariance(["A"], window_days=0), "at least two hours"),
        (lambda: FactorCovariance(["A"], components=-1), "-1 principal components"),
        (lambda: FactorCovariance(["A"], MeanEwmaCovariance(["B"])), "other symbols"),
        (lambda: WindowMoments(2, 1), "at least 2"),
    ],
)
def test_settings_out_of_range(make: Callable[[], object], said: str) -> None:
    with pytest.raises(EstimationError, match=said):
        make()


def test_misshapen_batches_are_refused() -> None:
    flat: Sequence[Callable[[FloatArray], object]] = [
        lambda x: rolling_covariance(x, names(2)),
        lambda x: shrunk_covariance(x, names(2)),
    ]
    for batch in flat:
        for x in (np.zeros(2), np.zeros((5, 3))):
            with pytest.raises(DataError, match="shape"):
                batch(x)


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_real_prices_with_late_listings() -> None:
    columns = ["timestamp", "symbol", "close"]
    bars = pd.read_parquet(SHARED / "market" / "hourly.parquet", columns=columns)
    close = bars.pivot_table(index="timestamp", columns="symbol", values="close").asfreq("1h")
    open_ms = close.index.astype("datetime64[ms, UTC]").astype("int64").to_numpy()
    symbols = tuple(close.columns)
    panel = BarPanel(symbols, open_ms, close.to_numpy(), np.ones(close.shape))
    # AIXBT lists on 20 December 2024: at the end it has eleven days of history.
    returns = log_returns(panel)[: 24 * 69]
    last = pd.DataFrame(returns[-720:], columns=pd.Index(symbols))
    first = (close.index[0], symbols[0])
    assert first[0].month == 10
    reference: Mapping[str, Shrink] = {"ledoit_wolf": ledoit_wolf, "oas": oas}
    estimates = {name: stream(make(symbols), returns) for name, make in ESTIMATORS.items()}
    for name, estimate in estimates.items():
        assert "AIXBT/USDT:USDT" in estimate.symbols
        assert [item.symbol for item in estimate.excluded] == ["KAITO/USDT:USDT"]
        off = ~np.eye(len(estimate.symbols), dtype=bool)
        assert 0.4 < estimate.correlation[off].mean() < 0.85, name
        np.linalg.cholesky(estimate.covariance_daily)
        if name in reference:
            batch = shrunk_covariance(returns, symbols, reference[name])
            difference = estimate.covariance_daily - batch.covariance_daily
            assert np.abs(difference).max() <= 1e-10
    rolling = estimates["rolling_30d"]
    theirs = np.sqrt(24 * (last**2).mean())[list(rolling.symbols)].to_numpy()
    np.testing.assert_allclose(rolling.volatility_daily, theirs, rtol=1e-10)
    complete = last.dropna(axis=1)
    _, intensity = honey(complete.to_numpy()[:, :8])
    assert ledoit_wolf(complete.to_numpy()[:, :8]).intensity == pytest.approx(intensity, rel=1e-8)
