"""The estimators against the formulas of their papers, written out term by term."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate, eligible_history
from risk.covariance.estimators import DEFAULT_ESTIMATOR, ESTIMATORS
from risk.covariance.factors import SECTOR, FactorCovariance, factor_estimate, factor_model
from risk.covariance.mean_ewma import CovarianceEstimator, MeanEwmaCovariance, mean_ewma_covariance
from risk.covariance.sample import RollingCovariance, rolling_covariance
from risk.covariance.scatter_ewma import scatter_ewma_covariance
from risk.covariance.shrinkage import (
    Shrink,
    ShrunkCovariance,
    ledoit_wolf,
    ledoit_wolf_identity,
    oas,
    shrunk_covariance,
)
from risk.covariance.window import WindowMoments, pair_moments
from risk.errors import DataError, EstimationError
from risk.returns import BarPanel, log_returns

SHARED = Path(__file__).resolve().parents[2] / "shared"
NAN = float("nan")


def names(n: int) -> tuple[str, ...]:
    bases = ["BTC", "ETH", *(f"T{i}" for i in range(n))]
    return tuple(f"{base}/USDT:USDT" for base in bases[:n])


def sample(seed: int, bars: int, n: int, missing: float = 0.0) -> FloatArray:
    """Returns of a one-factor market, loadings and volatilities differ, some returns missing."""
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-3, -1.5, n)
    loading = rng.uniform(0.0, 2.0, n)
    returns = (loading * rng.standard_t(4, (bars, 1)) + rng.standard_t(4, (bars, n))) * scale
    returns[rng.random((bars, n)) < missing] = NAN
    return returns


def stream(estimator: CovarianceEstimator, returns: FloatArray) -> CovarianceEstimate:
    for row in returns:
        estimator.update(row)
    return estimator.estimate()


# Rolling sample


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


# Ledoit and Wolf


def honey(x: FloatArray) -> tuple[FloatArray, float]:
    """Ledoit, Wolf 2004 (constant correlation), every sum written out."""
    t, n = x.shape
    s = np.array([[np.mean(x[:, i] * x[:, j]) for j in range(n)] for i in range(n)])
    r = [[s[i, j] / np.sqrt(s[i, i] * s[j, j]) for j in range(n)] for i in range(n)]
    r_bar = 2 / ((n - 1) * n) * sum(r[i][j] for i in range(n - 1) for j in range(i + 1, n))
    f = np.array(
        [
            [s[i, i] if i == j else r_bar * np.sqrt(s[i, i] * s[j, j]) for j in range(n)]
            for i in range(n)
        ]
    )

    def theta(k: int, i: int, j: int) -> float:
        return float(np.mean((x[:, k] ** 2 - s[k, k]) * (x[:, i] * x[:, j] - s[i, j])))

    pi = rho = gamma = 0.0
    for i in range(n):
        for j in range(n):
            pi_ij = float(np.mean((x[:, i] * x[:, j] - s[i, j]) ** 2))
            pi += pi_ij
            gamma += (f[i, j] - s[i, j]) ** 2
            if i == j:
                rho += pi_ij
            else:
                one = np.sqrt(s[j, j] / s[i, i]) * theta(i, i, j)
                other = np.sqrt(s[i, i] / s[j, j]) * theta(j, i, j)
                rho += r_bar / 2 * (one + other)
    delta = max(0.0, min((pi - rho) / gamma / t, 1.0))
    return delta * f + (1 - delta) * s, delta


@pytest.mark.parametrize(("seed", "bars", "n"), [(1, 30, 3), (2, 60, 5), (3, 200, 4), (4, 12, 6)])
def test_ledoit_wolf_as_the_paper_has_it(seed: int, bars: int, n: int) -> None:
    x = sample(seed, bars, n)
    covariance, intensity = honey(x)
    ours = ledoit_wolf(x)
    assert ours.intensity == pytest.approx(intensity, rel=1e-9)
    np.testing.assert_allclose(ours.covariance, covariance, rtol=1e-9, atol=1e-18)
    np.testing.assert_allclose(np.diag(ours.covariance), np.mean(x**2, axis=0), rtol=1e-12)
    assert (ours.intensity == 1) == (seed == 1)  # both the clipped case and the others


@pytest.mark.parametrize(("seed", "bars", "n"), [(1, 30, 3), (2, 60, 5), (3, 200, 4)])
def test_ledoit_wolf_to_the_identity_as_the_paper_has_it(seed: int, bars: int, n: int) -> None:
    """m, d², b̄² and b² of section 3.3, with ‖A‖² = tr(AAᵀ)/N."""
    x = sample(seed, bars, n)
    s = np.sum([np.outer(row, row) for row in x], axis=0) / bars
    m = np.trace(s) / n
    d2 = np.sum((s - m * np.eye(n)) ** 2) / n
    b2_bar = sum(np.sum((np.outer(row, row) - s) ** 2) / n for row in x) / bars**2
    b2 = min(b2_bar, d2)
    ours = ledoit_wolf_identity(x)
    assert ours.intensity == pytest.approx(b2 / d2, rel=1e-9)
    expected = b2 / d2 * m * np.eye(n) + (d2 - b2) / d2 * s
    np.testing.assert_allclose(ours.covariance, expected, rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize(("seed", "bars", "n"), [(1, 30, 3), (2, 60, 5), (3, 8, 12)])
def test_oas_as_the_paper_has_it(seed: int, bars: int, n: int) -> None:
    x = sample(seed, bars, n)
    s = np.sum([np.outer(row, row) for row in x], axis=0) / bars
    above = (1 - 2 / n) * np.trace(s @ s) + np.trace(s) ** 2
    below = (bars + 1 - 2 / n) * (np.trace(s @ s) - np.trace(s) ** 2 / n)
    rho = min(above / below, 1.0)
    ours = oas(x)
    assert ours.intensity == pytest.approx(rho, rel=1e-12)
    expected = (1 - rho) * s + rho * np.trace(s) / n * np.eye(n)
    np.testing.assert_allclose(ours.covariance, expected, rtol=1e-12, atol=1e-18)


def test_oas_is_the_fixed_point_of_its_own_iteration() -> None:
    """The paper's equations 21 and 22: the closed form is where the oracle's iteration ends."""
    x = sample(9, 40, 6)
    n, p = x.shape
    s = x.T @ x / n
    f = np.trace(s) / p * np.eye(p)
    rho = 1.0
    for _ in range(500):
        guess = (1 - rho) * s + rho * f
        above = (1 - 2 / p) * np.trace(guess @ s) + np.trace(guess) ** 2
        rho = above / ((n + 1 - 2 / p) * np.trace(guess @ s) + (1 - n / p) * np.trace(guess) ** 2)
    assert oas(x).intensity == pytest.approx(rho, rel=1e-6)


def test_intensity_falls_with_data_and_is_small_for_a_long_window() -> None:
    x = sample(10, 4000, 6)
    for shrink in (ledoit_wolf, ledoit_wolf_identity, oas):
        long, short = shrink(x).intensity, shrink(x[:40]).intensity
        assert 0 <= long < short <= 1
        assert long < 0.1


def test_two_tokens_and_one_have_nothing_to_shrink_to_constant_correlation() -> None:
    for n in (1, 2):
        x = sample(11, 50, n)
        assert ledoit_wolf(x).intensity == 0
        np.testing.assert_allclose(ledoit_wolf(x).covariance, x.T @ x / 50, rtol=1e-12)
    one = sample(11, 50, 1)
    assert oas(one).covariance[0, 0] == pytest.approx(np.mean(one**2))


def test_with_gaps_each_term_has_its_own_number_of_bars() -> None:
    """By loops over pairs; the same as the paper when nothing is missing."""
    x = sample(12, 80, 4, missing=0.2)
    n = 4
    both = [[~np.isnan(x[:, i] * x[:, j]) for j in range(n)] for i in range(n)]
    s = np.array([[np.mean((x[:, i] * x[:, j])[both[i][j]]) for j in range(n)] for i in range(n)])
    scale = np.sqrt(np.diag(s))
    r = s / np.outer(scale, scale)
    r_bar = r[np.triu_indices(n, 1)].mean()
    spared = gamma = 0.0
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            a, b = x[both[i][j], i], x[both[i][j], j]
            spared += np.mean((a * b - s[i, j]) ** 2) / len(a)
            one = np.mean((a**2 - s[i, i]) * (a * b - s[i, j])) / both[i][i].sum()
            other = np.mean((b**2 - s[j, j]) * (a * b - s[i, j])) / both[j][j].sum()
            spared -= r_bar / 2 * (one * scale[j] / scale[i] + other * scale[i] / scale[j])
            gamma += (r_bar * scale[i] * scale[j] - s[i, j]) ** 2
    assert ledoit_wolf(x).intensity == pytest.approx(min(1, max(0, spared / gamma)), rel=1e-9)


def test_constant_and_short_tokens_are_taken_out_before_shrinking() -> None:
    x = sample(13, 300, 5)
    x[:, 1] = 0.0
    x[:290, 3] = NAN
    for shrink in (ledoit_wolf, oas, ledoit_wolf_identity):
        ours = shrunk_covariance(x, names(5), shrink, window_days=7)
        assert [item.symbol for item in ours.excluded] == [names(5)[1], names(5)[3]]
        alone = shrink(x[-168:, [0, 2, 4]]).covariance
        np.testing.assert_allclose(ours.covariance_daily, 24 * alone, rtol=1e-9)


# Factor model


def test_factors_equal_least_squares_on_the_returns_themselves() -> None:
    x, symbols = sample(14, 2000, 6), names(6)
    estimate = rolling_covariance(x, symbols, window_days=30)
    model = factor_model(estimate, components=0)
    assert model.factors == (*symbols[:2], SECTOR)
    last = x[-720:]
    factors = np.column_stack([last[:, 0], last[:, 1], last[:, 2:].mean(axis=1)])
    loadings, *_ = np.linalg.lstsq(factors, last[:, 2:], rcond=None)
    np.testing.assert_allclose(model.loadings[2:], loadings.T, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(model.loadings[:2], np.eye(2, 3), atol=0)
    omega = 24 * factors.T @ factors / 720
    np.testing.assert_allclose(model.factor_covariance_daily, omega, rtol=1e-9)
    left = last[:, 2:] - factors @ loadings
    own = np.sqrt(24 * np.mean(left**2, axis=0))
    np.testing.assert_allclose(model.specific_volatility_daily, [0, 0, *own], rtol=1e-8)


def test_components_are_those_of_the_residual_correlation() -> None:
    x, symbols = sample(15, 720, 9), names(9)
    estimate = rolling_covariance(x, symbols)
    plain, model = factor_model(estimate, components=0), factor_model(estimate, components=2)
    assert model.factors[-2:] == ("residual 1", "residual 2")
    residual = estimate.covariance_daily - (
        plain.loadings @ plain.factor_covariance_daily @ plain.loadings.T
    )
    own = np.sqrt(np.diag(residual)[2:])
    values, vectors = np.linalg.eigh(residual[2:, 2:] / np.outer(own, own))
    common = (vectors[:, -2:] * values[-2:]) @ vectors[:, -2:].T * np.outer(own, own)
    block = model.loadings[2:, 3:]
    theirs = block @ model.factor_covariance_daily[3:, 3:] @ block.T
    np.testing.assert_allclose(theirs, common, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.loadings[:2, 3:], 0)
    np.testing.assert_allclose(model.factor_covariance_daily[:3, 3:], 0)


@pytest.mark.parametrize("components", [0, 1, 2, 50])
def test_the_factor_form_keeps_variances_and_what_benchmarks_share(components: int) -> None:
    estimate = rolling_covariance(sample(16, 900, 8), names(8))
    ours = factor_estimate(estimate, components=components)
    # With as many components as there are, only the floor under d is left.
    tolerance = 1e-9 if components < 6 else 1e-6
    np.testing.assert_allclose(ours.volatility_daily, estimate.volatility_daily, rtol=tolerance)
    np.testing.assert_allclose(
        ours.covariance_daily[:2], estimate.covariance_daily[:2], rtol=1e-8, atol=1e-14
    )
    model = factor_model(estimate, components=components)
    b, omega, d = model.loadings, model.factor_covariance_daily, model.specific_volatility_daily
    np.testing.assert_allclose(ours.covariance_daily, b @ omega @ b.T + np.diag(d**2), atol=1e-16)
    assert np.linalg.eigvalsh(omega)[0] > 0


def test_a_true_factor_market_is_found_again() -> None:
    """More data than any window: what was put in comes out."""
    rng = np.random.default_rng(17)
    bars, n = 200_000, 12
    btc = rng.standard_normal(bars) * 0.01
    eth = 0.8 * btc + rng.standard_normal(bars) * 0.008
    sector = 0.5 * btc + 0.5 * eth + rng.standard_normal(bars) * 0.01
    own = 0.01 * rng.uniform(0.5, 1.5, n)
    tokens = sector[:, None] + rng.standard_normal((bars, n)) * own
    x = np.column_stack([btc, eth, tokens])
    estimate = rolling_covariance(x, names(n + 2), window_days=bars / 24)
    model = factor_model(estimate, components=0)
    # Each token is a twelfth of the sector, so noisy ones load a little more.
    np.testing.assert_allclose(model.loadings[2:, 2], 1.0, atol=0.1)
    expected = np.sqrt(24) * own
    np.testing.assert_allclose(model.specific_volatility_daily[2:], expected, rtol=0.1)


@pytest.mark.parametrize(
    ("symbols", "factors"),
    [
        (("FET/USDT:USDT",), (SECTOR,)),
        (("BTC/USDT:USDT",), ("BTC/USDT:USDT",)),
        (("BTC/USDT:USDT", "ETH/USDT:USDT"), ("BTC/USDT:USDT", "ETH/USDT:USDT")),
        (("FET/USDT:USDT", "BTC/USDT:USDT"), ("BTC/USDT:USDT", SECTOR)),
        (("A", "B", "C"), (SECTOR, "residual 1", "residual 2")),
    ],
)
def test_small_universes_and_missing_benchmarks(
    symbols: tuple[str, ...], factors: tuple[str, ...]
) -> None:
    estimate = rolling_covariance(sample(18, 100, len(symbols)), symbols, window_days=30)
    model = factor_model(estimate)
    assert set(model.factors) <= set(factors)
    assert model.factors[0] == factors[0]
    np.testing.assert_allclose(
        np.diag(model.covariance_daily()), np.diag(estimate.covariance_daily), rtol=1e-5
    )
    np.linalg.cholesky(factor_estimate(estimate).covariance_daily)


def test_twins_still_have_a_cholesky_factor() -> None:
    one = sample(19, 200, 3)
    x = np.hstack([one, one[:, 2:], 2 * one[:, 2:]])
    for beneath in (None, RollingCovariance(names(5))):
        estimate = stream(FactorCovariance(names(5), beneath), x)
        np.linalg.cholesky(estimate.covariance_daily)


# All of them


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
