"""Volume-weighted correlation, betas to BTC and ETH, and the report that holds them all."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.correlation.benchmark_beta import BenchmarkBeta, benchmark_beta
from risk.correlation.report import CorrelationReport, correlation_report
from risk.correlation.volume_weighted import VolumeWeighted, volume_weighted_correlation
from risk.errors import DataError, EstimationError, MissingDataError
from risk.returns import HOUR_MS, BarPanel

SHARED = Path(__file__).resolve().parents[2] / "shared"
NAN = float("nan")
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


def names(n: int) -> tuple[str, ...]:
    return (BTC, ETH, *(f"T{i}/USDT:USDT" for i in range(n)))[:n]


def market(seed: int, bars: int, n: int, missing: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Returns and volumes; busy hours are volatile ones."""
    rng = np.random.default_rng(seed)
    busy = np.exp(rng.standard_normal((bars, 1)))
    shocks = 0.8 * rng.standard_normal((bars, 1)) + rng.standard_normal((bars, n))
    returns = shocks * 0.01 * np.sqrt(busy)
    volumes = 1e6 * busy * np.exp(0.5 * rng.standard_normal((bars, n)))
    returns[rng.random((bars, n)) < missing] = NAN
    volumes[rng.random((bars, n)) < missing] = NAN
    return returns, volumes


def panel_of(returns: FloatArray, volumes: FloatArray, symbols: tuple[str, ...] = ()) -> BarPanel:
    """Bars whose returns are these, with one bar before them; no gaps."""
    steps = np.vstack([np.zeros((1, returns.shape[1])), returns])
    close = 10 * np.exp(np.cumsum(steps, axis=0))
    first = np.vstack([volumes[:1], volumes])
    return BarPanel(
        symbols or names(returns.shape[1]), HOUR_MS * np.arange(len(close)), close, first
    )


def error_by_moments(pair: FloatArray, weight: FloatArray) -> float:
    """Standard error of a correlation by the delta method: how it bends with each of the five
    weighted means it is made of, times how those scatter."""
    x, y = pair / pair.std(axis=1, keepdims=True)
    w = weight / weight.sum()
    terms = np.array([x, y, x * x, y * y, x * y])
    means = terms @ w

    def correlation(m: FloatArray) -> float:
        return float((m[4] - m[0] * m[1]) / np.sqrt((m[2] - m[0] ** 2) * (m[3] - m[1] ** 2)))

    h = 1e-6
    slope = [(correlation(means + h * e) - correlation(means - h * e)) / (2 * h) for e in np.eye(5)]
    apart = (terms - means[:, None]) * w
    return float(np.sqrt(np.array(slope) @ (apart @ apart.T) @ np.array(slope)))


# Volume-weighted correlation


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_weighted_correlation_by_hand(missing: float) -> None:
    """One pair at a time, with numpy's weighted covariance."""
    returns, volumes = market(1, 400, 4, missing)
    ours = volume_weighted_correlation(returns, volumes, names(4))
    for i in range(4):
        for j in range(i):
            w = np.minimum(*(volumes[:, k] / np.nanmean(volumes[:, k]) for k in (i, j)))
            use = ~np.isnan(w + returns[:, i] + returns[:, j])
            pair = returns[use][:, [i, j]].T
            covariance = np.asarray(np.cov(pair, aweights=w[use]))
            rho = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
            n = w[use].sum() ** 2 / (w[use] ** 2).sum()
            plain = np.asarray(np.corrcoef(pair))[0, 1]
            assert ours.correlation[i, j] == pytest.approx(rho, abs=1e-12)
            assert ours.plain[j, i] == pytest.approx(plain, abs=1e-12)
            assert ours.effective_bars[i, j] == pytest.approx(n, rel=1e-12)
            error = error_by_moments(pair, w[use]) * np.sqrt(n / (n - 3))
            assert ours.standard_error[i, j] == pytest.approx(error, rel=1e-6)
            apart = abs(np.arctanh(rho) - np.arctanh(plain)) > error / (1 - rho**2)
            assert ours.disagrees[i, j] == ours.disagrees[j, i] == apart
    assert (np.diag(ours.correlation) == 1).all()
    assert not np.diag(ours.disagrees).any()


def test_even_volumes_weigh_nothing() -> None:
    returns, _ = market(2, 300, 3)
    ours = volume_weighted_correlation(returns, np.full(returns.shape, 5e5), names(3))
    np.testing.assert_allclose(ours.correlation, ours.plain, atol=1e-14)
    off = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(ours.effective_bars[off], 300)
    assert not ours.disagrees.any()


def test_a_thin_book_that_follows_only_in_quiet_hours_is_flagged() -> None:
    rng = np.random.default_rng(3)
    leader = rng.standard_normal(720) * 0.01
    busy = rng.random(720) < 0.4
    follower = np.where(busy, rng.standard_normal(720) * 0.01, leader)
    third = leader + rng.standard_normal(720) * 0.01
    volumes = np.where(busy, 5e6, 1e5)[:, None] * np.ones((1, 3))
    ours = volume_weighted_correlation(
        np.column_stack([leader, follower, third]), volumes, names(3)
    )
    assert ours.plain[0, 1] > 0.5
    assert ours.correlation[0, 1] < 0.2
    assert ours.disagrees[0, 1]
    assert not ours.disagrees[0, 2]


def test_without_trade_or_movement_or_enough_bars_it_is_unknown() -> None:
    returns, volumes = market(4, 100, 5)
    volumes[:, 1] = 0.0
    returns[:, 2] = 0.0
    returns[20:, 3] = NAN
    ours = volume_weighted_correlation(returns, volumes, names(5))
    for k in (1, 2, 3):
        others = [i for i in range(5) if i != k]
        assert np.isnan(ours.correlation[k, others]).all()
        assert np.isnan(ours.standard_error[k, others]).all()
        assert not ours.disagrees[k].any()
    assert not np.isnan(ours.correlation[0, 4])


def test_one_bar_with_all_the_volume_has_no_error_to_speak_of() -> None:
    returns, volumes = market(5, 60, 2)
    volumes[:] = 1.0
    volumes[30] = 1e12
    ours = volume_weighted_correlation(returns, volumes, names(2))
    assert ours.effective_bars[0, 1] == pytest.approx(1)
    assert np.isnan(ours.standard_error[0, 1])
    assert not ours.disagrees.any()


def test_the_weighted_error_is_as_wide_as_the_estimates_scatter() -> None:
    """Over many markets whose busy hours are volatile: normal theory would be far too narrow."""
    found = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        busy = np.exp(0.5 * rng.standard_normal((400, 1)))
        returns = (rng.standard_normal((400, 1)) + rng.standard_normal((400, 2))) * np.sqrt(busy)
        volumes = busy * np.exp(0.3 * rng.standard_normal((400, 2)))
        one = volume_weighted_correlation(returns, volumes, names(2))
        found.append([one.correlation[0, 1], one.standard_error[0, 1], one.effective_bars[0, 1]])
    rho, error, bars = np.array(found).T
    scatter = float(rho.std())
    assert rho.mean() == pytest.approx(0.5, abs=0.02)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(scatter, rel=0.12)
    assert np.mean((1 - rho**2) / np.sqrt(bars - 3)) < 0.8 * scatter
    covered = np.mean(np.abs(rho - 0.5) < 1.96 * error)
    assert covered == pytest.approx(0.95, abs=0.04)  # three times the error of 300 draws


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 5), factor=st.floats(0.01, 100))
def test_scale_of_returns_and_of_each_volume_do_not_matter(
    seed: int, n: int, factor: float
) -> None:
    returns, volumes = market(seed, 120, n, 0.05)
    plain = volume_weighted_correlation(returns, volumes, names(n))
    units = factor ** np.arange(n)
    scaled = volume_weighted_correlation(units * returns, volumes / units, names(n))
    np.testing.assert_allclose(scaled.correlation, plain.correlation, atol=1e-9)
    assert np.nanmax(np.abs(plain.correlation)) <= 1


def test_more_pairs_than_one_chunk_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    returns, volumes = market(6, 90, 6, 0.05)
    whole = volume_weighted_correlation(returns, volumes, names(6))
    monkeypatch.setattr("risk.correlation.volume_weighted.CHUNK_VALUES", 200)
    parts = volume_weighted_correlation(returns, volumes, names(6))
    np.testing.assert_allclose(parts.correlation, whole.correlation, atol=1e-14)


def test_bad_volumes_and_returns_are_refused_by_name() -> None:
    returns, volumes = market(7, 50, 2)

    def run(r: FloatArray, v: FloatArray, least: int = 24) -> VolumeWeighted:
        return volume_weighted_correlation(r, v, names(2), least)

    with pytest.raises(DataError, match="ETH/USDT:USDT: a volume is negative"):
        run(returns, volumes * np.array([1, -1]))
    with pytest.raises(DataError, match="BTC/USDT:USDT: a return is infinite"):
        run(returns * np.array([np.inf, 1]), volumes)
    with pytest.raises(DataError, match="must be"):
        run(returns, volumes[1:])
    with pytest.raises(EstimationError, match="min_observations is 1"):
        run(returns, volumes, 1)


# Betas


def test_beta_by_least_squares_written_out() -> None:
    returns, _ = market(8, 500, 4, 0.05)
    ours = benchmark_beta(returns, names(4), BTC)
    for i in range(1, 4):
        use = ~np.isnan(returns[:, 0] + returns[:, i])
        x, y = returns[use, 0], returns[use, i]
        design = np.column_stack([np.ones(len(x)), x])
        (_, slope), (rss,), *_ = np.linalg.lstsq(design, y, rcond=None)
        inverse = np.linalg.inv(design.T @ design)
        residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        n = len(x)
        white = inverse @ (design.T * residual**2) @ design @ inverse * n / (n - 2)
        rho = np.corrcoef(x, y)[0, 1]
        assert ours.beta[i] == pytest.approx(slope, rel=1e-10)
        error = np.sqrt(rss / (n - 2) * inverse[1, 1])
        assert ours.beta_standard_error[i] == pytest.approx(error, rel=1e-10)
        assert ours.beta_robust_error[i] == pytest.approx(np.sqrt(white[1, 1]), rel=1e-10)
        assert ours.correlation[i] == pytest.approx(rho, rel=1e-10)
        fisher = (1 - rho**2) / np.sqrt(n - 3)
        assert ours.correlation_standard_error[i] == pytest.approx(fisher, rel=1e-10)
        error = error_by_moments(np.stack([x, y]), np.ones(n)) * np.sqrt(n / (n - 3))
        assert ours.correlation_robust_error[i] == pytest.approx(error, rel=1e-6)
        assert ours.observations[i] == n


def test_the_benchmark_against_itself_is_one_without_error() -> None:
    returns, _ = market(9, 100, 3)
    ours = benchmark_beta(returns, names(3), ETH)
    assert (ours.beta[1], ours.correlation[1]) == (1, 1)
    assert (ours.beta_standard_error[1], ours.beta_robust_error[1]) == (0, 0)
    assert (ours.correlation_standard_error[1], ours.correlation_robust_error[1]) == (0, 0)


def test_errors_are_as_wide_as_the_estimates_scatter() -> None:
    """Over many markets with volatile hours: the robust error is right, the other too low."""
    found: list[BenchmarkBeta] = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        calm = np.exp(0.8 * rng.standard_normal(400))
        x = calm * rng.standard_normal(400) * 0.01
        y = 1.5 * x + calm * rng.standard_normal(400) * 0.01
        found.append(benchmark_beta(np.column_stack([x, y]), names(2), BTC))
    scatter = np.std([item.beta[1] for item in found])
    robust = np.sqrt(np.mean([item.beta_robust_error[1] ** 2 for item in found]))
    naive = np.sqrt(np.mean([item.beta_standard_error[1] ** 2 for item in found]))
    assert robust == pytest.approx(scatter, rel=0.15)
    assert naive < 0.75 * scatter
    assert np.mean([item.beta[1] for item in found]) == pytest.approx(1.5, abs=0.02)
    covered = [abs(item.beta[1] - 1.5) < 1.96 * item.beta_robust_error[1] for item in found]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.04)  # three times the error of 300 draws


def test_the_robust_error_of_a_correlation_covers_it() -> None:
    """A month of hours with the tails of crypto (kurtosis 8), where Fisher's is too narrow."""
    found = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        calm = np.exp(0.5 * rng.standard_normal((720, 1)))
        returns = (rng.standard_normal((720, 1)) + rng.standard_normal((720, 2))) * calm
        one = benchmark_beta(returns, names(2), BTC)
        errors = (one.correlation_robust_error[1], one.correlation_standard_error[1])
        found.append([one.correlation[1], *errors])
    rho, robust, fisher = np.array(found).T
    assert np.sqrt(np.mean(robust**2)) == pytest.approx(float(rho.std()), rel=0.1)
    assert np.mean(fisher) < 0.7 * rho.std()
    covered = np.mean(np.abs(rho - 0.5) < 1.96 * robust)
    assert covered == pytest.approx(0.95, abs=0.033)  # three times the error of 400 draws


def test_what_did_not_move_or_is_too_short_has_no_beta() -> None:
    returns, _ = market(10, 100, 4)
    returns[:, 1] = 0.0
    returns[:90, 2] = NAN
    ours = benchmark_beta(returns, names(4), BTC)
    # A price that stands still has a beta of 0 with certainty and no correlation.
    assert ours.beta[1] == 0
    assert np.isnan(ours.correlation[1])
    assert np.isnan(ours.beta[2])
    assert ours.observations[2] == 10
    still = benchmark_beta(returns, names(4), ETH)
    assert np.isnan(still.beta).all()


def test_betas_need_a_benchmark_and_sound_returns() -> None:
    returns, _ = market(11, 50, 2)
    with pytest.raises(MissingDataError, match="benchmark SOL"):
        benchmark_beta(returns, names(2), "SOL/USDT:USDT")
    with pytest.raises(DataError, match="shape"):
        benchmark_beta(returns, names(3), BTC)
    with pytest.raises(EstimationError, match="min_observations is 3"):
        benchmark_beta(returns, names(2), BTC, 3)
    with pytest.raises(DataError, match="ETH/USDT:USDT: a return is infinite"):
        benchmark_beta(returns * np.array([1, np.inf]), names(2), BTC)


# The report


def report(seed: int = 12, bars: int = 24 * 40, n: int = 6) -> CorrelationReport:
    return correlation_report(panel_of(*market(seed, bars, n)))


def test_the_report_equals_pandas() -> None:
    returns, volumes = market(12, 24 * 40, 6)
    found = correlation_report(panel_of(returns, volumes))
    frame = pd.DataFrame(returns)
    np.testing.assert_allclose(found.hourly_30d.matrix, frame.tail(720).corr(), atol=1e-9)
    np.testing.assert_allclose(found.hourly_7d.matrix, frame.tail(168).corr(), atol=1e-9)
    assert (found.hourly_7d.observations == 168).all()
    closes = pd.DataFrame(np.log(panel_of(returns, volumes).close))
    days = closes.iloc[23::24].diff().iloc[1:].tail(30)
    np.testing.assert_allclose(found.daily_30d.matrix, days.corr(), atol=1e-9)
    assert (found.daily_30d.observations == 30).all()
    assert found.symbols == found.volume_weighted.symbols == names(6)
    assert found.time_ms == (24 * 40 + 1) * HOUR_MS
    assert found.excluded == ()
    beta = found.betas[BTC, 30]
    slope = frame.tail(720).cov().to_numpy()[0] / frame.tail(720)[0].var()
    np.testing.assert_allclose(beta.beta, slope, rtol=1e-9)
    assert set(found.betas) == {(b, d) for b in (BTC, ETH) for d in (30, 7)}
    members = found.cluster_members()
    assert sorted(s for group in members for s in group) == sorted(names(6))


def test_everybody_left_out_has_a_reason() -> None:
    returns, volumes = market(13, 24 * 40, 8)
    panel = panel_of(returns, volumes)
    close, volume = panel.close.copy(), panel.quote_volume_usd.copy()
    volume[:, 1] /= 1e3  # a thin benchmark stays
    volume[:, 2] /= 1e3
    close[-100:, 3] *= 1000
    close[:-50, 4] = NAN
    close[100:, 5] = close[100, 5]
    volume[-7, 6] = -1.0
    found = correlation_report(BarPanel(panel.symbols, panel.open_ms, close, volume))
    reasons = {item.symbol: item.reason for item in found.excluded}
    assert found.symbols == (BTC, ETH, names(8)[7])
    assert list(reasons) == list(names(8)[2:7])
    thin, renamed, young, still, broken = reasons.values()
    assert "below the floor of 1,000,000" in thin
    assert "another denomination?" in renamed
    assert young == "only 49 hourly returns in the last 30 days, needs 336"
    assert still == "price did not move in the last 30 days"
    assert "volume is -1 USD at 1970-02-" in broken


def test_a_token_that_halted_this_week_is_unknown_over_the_week_only() -> None:
    returns, volumes = market(14, 24 * 40, 4)
    panel = panel_of(returns, volumes)
    close = panel.close.copy()
    close[-150:, 3] = NAN
    found = correlation_report(BarPanel(panel.symbols, panel.open_ms, close, volumes_of(panel)))
    assert found.excluded == ()
    assert np.isnan(found.hourly_7d.matrix[3]).all()
    assert not np.isnan(found.hourly_30d.matrix).any()
    assert found.hourly_7d.observations[3, 3] == 18
    assert np.isnan(found.betas[BTC, 7].beta[3])


def volumes_of(panel: BarPanel) -> FloatArray:
    return np.array(panel.quote_volume_usd)


def test_nothing_left_is_an_empty_report_with_reasons() -> None:
    symbols = ("A", "B")
    panel = BarPanel(symbols, HOUR_MS * np.arange(3), np.ones((3, 2)), np.full((3, 2), 1e6))
    found = correlation_report(panel)
    assert found.symbols == ()
    assert found.hourly_30d.matrix.shape == (0, 0)
    assert found.clusters.names == ()
    assert found.cluster_members() == ()
    assert [item.symbol for item in found.excluded] == ["A", "B", BTC, ETH]
    assert found.excluded[-1].reason == "benchmark without bars"
    for bars in (1, 2):
        short = BarPanel(symbols, HOUR_MS * np.arange(bars), np.ones((bars, 2)), np.ones((bars, 2)))
        assert correlation_report(short).symbols == ()
    nobody = BarPanel((), HOUR_MS * np.arange(3), np.ones((3, 0)), np.ones((3, 0)))
    assert correlation_report(nobody).symbols == ()
    with pytest.raises(DataError, match="no bars"):
        correlation_report(BarPanel(symbols, np.arange(0), np.ones((0, 2)), np.ones((0, 2))))


def test_disagreements_are_listed_with_the_most_different_first() -> None:
    rng = np.random.default_rng(15)
    bars = 24 * 40
    leader = rng.standard_normal(bars) * 0.01
    busy = rng.random(bars) < 0.4
    noise = rng.standard_normal((bars, 2)) * 0.01
    follower = np.where(busy, noise[:, 0], leader)
    half = np.where(busy, 0.5 * leader + noise[:, 1], leader)
    returns = np.column_stack([leader, follower, half])
    volumes = np.where(busy, 5e7, 1e6)[:, None] * np.ones((1, 3))
    found = correlation_report(panel_of(returns, volumes)).disagreements
    assert {found[0].one, found[0].other} & {names(3)[1]}
    gaps = [abs(item.weighted - item.plain) for item in found]
    assert gaps == sorted(gaps, reverse=True)
    assert all(item.standard_error > 0 for item in found)
    assert len(found) >= 2


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_a_real_day() -> None:
    columns = ["timestamp", "symbol", "close", "volume"]
    bars = pd.read_parquet(SHARED / "market" / "hourly.parquet", columns=columns)
    wide = bars.pivot_table(index="timestamp", columns="symbol", values=["close", "volume"])
    wide = wide.asfreq("1h")
    wide = wide[wide.index < pd.Timestamp("2025-03-01 12:00", tz="UTC")]
    close = wide["close"]
    assert isinstance(close, pd.DataFrame)
    open_ms = close.index.astype("datetime64[ms, UTC]").astype("int64").to_numpy()
    quote = (wide["volume"] * close).to_numpy()
    panel = BarPanel(tuple(close.columns), open_ms, close.to_numpy(), quote)
    found = correlation_report(panel)
    returns = close[list(found.symbols)].transform(np.log).diff()
    np.testing.assert_allclose(found.hourly_30d.matrix, returns.tail(720).corr(), atol=1e-9)
    np.testing.assert_allclose(found.hourly_7d.matrix, returns.tail(168).corr(), atol=1e-9)
    reasons = {item.symbol: item.reason for item in found.excluded}
    assert "needs 336" in reasons["KAITO/USDT:USDT"]  # listed nine days before
    fet = found.symbols.index("FET/USDT:USDT")
    beta = found.betas[BTC, 30]
    assert 1.0 < beta.beta[fet] < 2.5
    assert 0.5 < beta.correlation[fet] < 0.95
    assert beta.beta_robust_error[fet] > beta.beta_standard_error[fet] > 0
    assert len(found.cluster_members()) < len(found.symbols)
