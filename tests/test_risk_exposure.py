"""Exposure: by hand, against plain numpy, and by its identities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.correlation.clusters import beta, cluster
from risk.covariance.estimate import CovarianceEstimate, estimate_from
from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.errors import DataError, MissingDataError
from risk.exposure.report import ExposureReport, exposure

SYMBOLS = ("A", "B", "BTC")


def market(ab: float = 0.8, btc: float = 0.5) -> CovarianceEstimate:
    correlation = np.array([[1.0, ab, btc], [ab, 1.0, btc], [btc, btc, 1.0]])
    return estimate_from(
        SYMBOLS, np.array([0.10, 0.05, 0.02]), correlation, observed_bars=np.full(3, 1441.0)
    )


def measure(x: FloatArray, estimate: CovarianceEstimate, threshold: float = 0.6) -> ExposureReport:
    clusters = cluster(estimate.correlation, estimate.symbols, threshold)
    in_sector = np.array([symbol != "BTC" for symbol in estimate.symbols])
    return exposure(x, estimate, beta(estimate, "BTC"), clusters, in_sector)


def test_one_token_by_hand() -> None:
    report = measure(np.array([1000.0, 0.0, 0.0]), market())
    assert report.gross_usd == report.net_usd == report.sector_net_usd == 1000.0
    assert report.volatility_daily_usd == pytest.approx(100.0)
    assert report.cae_usd == pytest.approx(5000.0)
    assert report.beta_net_usd == pytest.approx(0.5 * 0.10 / 0.02 * 1000)
    assert report.diversification_ratio == pytest.approx(1.0)
    assert report.component_daily_usd == pytest.approx([100.0, 0.0, 0.0])
    assert report.systematic_daily_usd == pytest.approx(50.0)
    assert report.specific_daily_usd == pytest.approx(100 * np.sqrt(0.75))
    # The error of the book's beta is the token's own.
    own = beta(market(), "BTC").standard_error[0] * 1000
    assert report.beta_net_se_usd == pytest.approx(own)


def test_correlated_longs_add_up_to_more_than_uncorrelated_ones() -> None:
    x = np.array([1000.0, 2000.0, 0.0])
    close, apart = measure(x, market(ab=0.8)), measure(x, market(ab=0.3))
    assert close.gross_usd == apart.gross_usd
    assert close.cae_usd == pytest.approx(np.sqrt(100**2 + 100**2 + 2 * 0.8 * 100 * 100) / 0.02)
    assert close.cae_usd > apart.cae_usd


def test_a_short_in_a_correlated_token_lowers_it() -> None:
    alone = measure(np.array([1000.0, 0.0, 0.0]), market())
    hedged = measure(np.array([1000.0, -1600.0, 0.0]), market())
    assert hedged.gross_usd > alone.gross_usd
    assert hedged.volatility_daily_usd == pytest.approx(100 * np.sqrt(1 - 0.8**2))
    assert hedged.component_daily_usd[1] == pytest.approx(0.0, abs=1e-9)  # at the best ratio


def test_clusters_by_hand() -> None:
    report = measure(np.array([1000.0, -500.0, 300.0]), market())
    first, second = report.clusters
    assert first.symbols == ("A", "B")
    assert (first.gross_usd, first.net_usd) == (1500.0, 500.0)
    assert first.cae_usd == pytest.approx(np.sqrt(100**2 + 25**2 - 2 * 0.8 * 100 * 25) / 0.02)
    assert (second.name, second.symbols, second.net_usd) == ("BTC", ("BTC",), 300.0)
    assert second.cae_usd == pytest.approx(300.0)
    assert first.variance_share + second.variance_share == pytest.approx(1.0)


def test_a_flat_book_is_all_zero() -> None:
    report = measure(np.zeros(3), market())
    assert report.volatility_daily_usd == report.cae_usd == report.beta_net_se_usd == 0.0
    assert report.diversification_ratio is None
    assert not report.component_daily_usd.any()
    assert not report.marginal_daily_usd.any()
    assert [c.variance_share for c in report.clusters] == [0.0, 0.0]


def test_unknown_notionals_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="B: notional is not finite"):
        measure(np.array([1.0, np.nan, 0.0]), market())
    with pytest.raises(DataError, match="shapes"):
        measure(np.array([1.0, 2.0]), market())


def test_the_benchmark_must_be_measured() -> None:
    estimate = market()
    part = estimate.subset(["A", "B"])
    clusters = cluster(part.correlation, part.symbols)
    b = beta(estimate, "BTC")
    short = type(b)("BTC", b.value[:2], b.standard_error[:2], b.correlation[:2])
    with pytest.raises(MissingDataError, match="BTC"):
        exposure(np.ones(2), part, short, clusters, np.ones(2, dtype=bool))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 10), scale=st.floats(0.001, 1000.0))
def test_identities(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal((80, n)) * 0.01 + rng.standard_normal((80, 1)) * 0.01
    names = [*(f"T{i}" for i in range(n - 1)), "BTC"]
    estimate = mean_ewma_covariance(returns, names)
    x = rng.normal(size=n) * 1e4
    report = measure(x, estimate)
    sigma = report.volatility_daily_usd
    v = x * estimate.volatility_daily
    assert sigma == pytest.approx(np.sqrt(v @ estimate.correlation @ v))
    assert report.component_daily_usd.sum() == pytest.approx(sigma, rel=1e-12)
    assert report.marginal_daily_usd @ x == pytest.approx(sigma, rel=1e-12)
    assert sum(c.variance_share for c in report.clusters) == pytest.approx(1.0)
    assert sum(c.net_usd for c in report.clusters) == pytest.approx(report.net_usd)
    assert sum(c.gross_usd for c in report.clusters) == pytest.approx(report.gross_usd)
    assert report.systematic_daily_usd**2 + report.specific_daily_usd**2 == pytest.approx(sigma**2)
    assert report.diversification_ratio is not None
    assert report.diversification_ratio >= 1 - 1e-12
    # Marginal contributions are the gradient of σ_x.
    step = np.zeros(n)
    step[0] = 1e-3 * np.abs(x).max()
    difference = (
        measure(x + step, estimate).volatility_daily_usd
        - measure(x - step, estimate).volatility_daily_usd
    ) / (2 * step[0])
    assert report.marginal_daily_usd[0] == pytest.approx(difference, abs=1e-5)
    scaled = measure(scale * x, estimate)
    assert scaled.cae_usd == pytest.approx(scale * report.cae_usd)
    assert scaled.beta_net_se_usd == pytest.approx(scale * report.beta_net_se_usd)
    assert scaled.diversification_ratio == pytest.approx(report.diversification_ratio)
    order = rng.permutation(n)
    shuffled = measure(x[order], estimate.subset([names[i] for i in order]))
    assert shuffled.cae_usd == pytest.approx(report.cae_usd)
    np.testing.assert_allclose(
        shuffled.component_daily_usd, report.component_daily_usd[order], rtol=1e-9, atol=1e-9
    )
