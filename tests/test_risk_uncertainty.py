"""Standard errors of a book's figures: against simulated markets, by hand, by their identities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.correlation.clusters import beta
from risk.covariance.estimate import CovarianceEstimate, estimate_from
from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.errors import DataError, EstimationError, MissingDataError
from risk.exposure.uncertainty import (
    beta_net_error,
    pooled_kurtosis,
    uncertainty,
    volatility_error_daily,
)

SYMBOLS = ("A", "B", "C", "BTC")
SIGMA = np.array([0.06, 0.05, 0.07, 0.02])
CORRELATION = np.array(
    [[1.0, 0.6, 0.6, 0.7], [0.6, 1.0, 0.6, 0.7], [0.6, 0.6, 1.0, 0.7], [0.7, 0.7, 0.7, 1.0]]
)
LONG_SHORT = np.array([1000.0, -800.0, 500.0, -300.0])


def estimate(bars: tuple[float, ...]) -> CovarianceEstimate:
    return estimate_from(SYMBOLS, SIGMA, CORRELATION, observed_bars=np.array(bars))


def evenly_weighted(returns: FloatArray) -> CovarianceEstimate:
    """Correlations of shared bars and volatilities of all bars, every bar counting alike."""
    return mean_ewma_covariance(returns, SYMBOLS, [1e5], shrinkage=0.0)


def drawn(seed: int, young_bars: int, freedom: int | None, bars: int = 480) -> FloatArray:
    """Hourly returns of that covariance, of A only the last ones; Student's t or normal."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal((bars, 4))
    if freedom is not None:
        shocks *= np.sqrt((freedom - 2) / rng.chisquare(freedom, (bars, 1)))
    returns: FloatArray = shocks @ np.linalg.cholesky(CORRELATION).T * SIGMA / np.sqrt(24)
    returns[: bars - young_bars, 0] = np.nan
    return returns


@pytest.mark.parametrize(("young_bars", "freedom"), [(480, None), (48, None), (120, 9)])
def test_errors_are_as_wide_as_the_figures_scatter(young_bars: int, freedom: int | None) -> None:
    """The figures of 500 simulated markets, one token younger than the rest."""
    kurtosis = 3.0 if freedom is None else 3 * (freedom - 2) / (freedom - 4)
    x, draws = LONG_SHORT, 500
    figures, errors = np.empty((draws, 7)), np.empty((draws, 7))
    for k in range(draws):
        found = evenly_weighted(drawn(k, young_bars, freedom))
        covariance = found.covariance_daily
        sigma = np.sqrt(x @ covariance @ x)
        betas, told = beta(found, "BTC"), uncertainty(x, found, "BTC", kurtosis)
        parts = x * (covariance @ x) / sigma
        figures[k] = [
            sigma,
            sigma / found.volatility_daily[3],
            *parts[:3],
            found.volatility_daily[0],
            betas.value[0],
        ]
        errors[k] = [
            told.volatility_daily_usd,
            told.cae_usd,
            *told.component_daily_usd[:3],
            volatility_error_daily(found, kurtosis)[0],
            # Least squares takes returns as normal: it knows nothing of their tails.
            betas.standard_error[0] * np.sqrt(kurtosis / 3),
        ]
    scatter = figures.std(axis=0)
    # A standard deviation of 500 draws is itself known to 3 to 4 %.
    np.testing.assert_allclose(np.sqrt((errors**2).mean(axis=0)) / scatter, 1, atol=0.13)
    covered = (np.abs(figures - figures.mean(axis=0)) < 1.96 * errors).mean(axis=0)
    assert np.all(covered > 0.89)
    assert np.all(covered < 0.985)


def test_the_error_of_the_books_beta_scatters_like_it() -> None:
    x = np.array([1000.0, 800.0, 0.0, 0.0])
    for young in (480, 48):
        found = [evenly_weighted(drawn(k, young, None)) for k in range(500)]
        nets = [float(beta(one, "BTC").value @ x) for one in found]
        told = np.array([beta_net_error(x, one, 3) for one in found])
        assert np.sqrt((told**2).mean()) == pytest.approx(np.std(nets), rel=0.1)


def test_equal_histories_by_hand() -> None:
    same = estimate((400.0,) * 4)
    told = uncertainty(LONG_SHORT, same, "BTC")
    sigma = np.sqrt(LONG_SHORT @ same.covariance_daily @ LONG_SHORT)
    assert told.volatility_daily_usd == pytest.approx(sigma / np.sqrt(800))
    fat = uncertainty(LONG_SHORT, same, "BTC", 9.0)
    assert fat.volatility_daily_usd == pytest.approx(sigma * np.sqrt(8 / 1600))
    assert volatility_error_daily(same, 9.0) == pytest.approx(SIGMA * np.sqrt(8 / 1600))
    one = uncertainty(np.array([1000.0, 0, 0, 0]), same, "BTC")
    assert one.component_daily_usd == pytest.approx([60 / np.sqrt(800), 0, 0, 0])
    # ln CAE = ln σ_A - ln σ_BTC: two errors whose correlation is ρ².
    assert one.cae_usd == pytest.approx(3000 / np.sqrt(800) * np.sqrt(2 - 2 * 0.7**2))
    net = beta_net_error(np.array([1000.0, 0, 0, 0]), same, 3)
    assert net == pytest.approx(1000 * beta(same, "BTC").standard_error[0])
    assert net == pytest.approx(1000 * 3 * np.sqrt((1 - 0.49) / 399))


def test_two_histories_by_hand() -> None:
    """σ² of A and B: the pair and A from 30 bars, B from 400."""
    young = estimate((30.0, 400.0, 400.0, 400.0))
    x = np.array([1000.0, -500.0, 0.0, 0.0])
    s = young.covariance_daily
    whole, both = x @ s @ x, np.outer(x, x)
    # Of the pair only the correlation is of 30 bars; B's own variance is of 400 throughout.
    recent = both.copy()
    recent[1, 1] = -x[0] * x[1] * s[0, 1] / s[1, 1]
    variance = 2 * np.trace(both @ s @ both @ s) / 400
    variance += (1 / 30 - 1 / 400) * 2 * np.trace(recent @ s @ recent @ s)
    told = uncertainty(x, young, "BTC").volatility_daily_usd
    assert told == pytest.approx(np.sqrt(variance) / (2 * np.sqrt(whole)))
    assert told > 2.5 * uncertainty(x, estimate((400.0,) * 4), "BTC").volatility_daily_usd
    expected = np.sqrt((1 - 0.49 / 2) / 29 - 0.49 / 2 / 399) * 3
    assert beta(young, "BTC").standard_error[0] == pytest.approx(expected)
    net = beta_net_error(np.array([1000.0, 0, 0, 0]), young, 3)
    assert net == pytest.approx(1000 * expected)


def test_a_grain_of_a_new_token_does_not_make_the_book_unknown() -> None:
    known, young = estimate((1000.0,) * 4), estimate((24.0, 1000.0, 1000.0, 1000.0))
    x = np.array([1.0, 10_000.0, 5_000.0, 0.0])
    one, other = uncertainty(x, known, "BTC"), uncertainty(x, young, "BTC")
    assert other.volatility_daily_usd == pytest.approx(one.volatility_daily_usd, rel=1e-3)
    assert beta_net_error(x, young, 3) == pytest.approx(beta_net_error(x, known, 3), rel=2e-3)
    assert other.component_daily_usd[0] > 3 * one.component_daily_usd[0]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 100))
def test_scale_order_and_more_data(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    bars = rng.integers(24, 1500, 4).astype(float)
    x = rng.normal(0, 1000, 4)
    here = estimate(tuple(bars))
    told = uncertainty(x, here, "BTC", 8.0)
    larger = uncertainty(scale * x, here, "BTC", 8.0)
    assert larger.volatility_daily_usd == pytest.approx(scale * told.volatility_daily_usd)
    assert larger.cae_usd == pytest.approx(scale * told.cae_usd)
    order = rng.permutation(4)
    shuffled = here.subset([SYMBOLS[i] for i in order])
    turned = uncertainty(x[order], shuffled, "BTC", 8.0)
    np.testing.assert_allclose(
        turned.component_daily_usd, told.component_daily_usd[order], rtol=1e-6
    )
    at = shuffled.column("BTC")
    assert beta_net_error(x[order], shuffled, at) == pytest.approx(beta_net_error(x, here, 3))
    double = uncertainty(x, estimate(tuple(2 * bars)), "BTC", 8.0)
    assert double.cae_usd == pytest.approx(told.cae_usd / np.sqrt(2))


def test_kurtosis_is_the_median_of_the_tokens() -> None:
    rng = np.random.default_rng(0)
    returns = rng.standard_t(8, (4000, 5))
    returns[0, 0] = 500.0  # one wild hour of one token
    returns[:-100, 4] = np.nan
    by_hand = [float((r**4).mean() / (r**2).mean() ** 2) for r in returns[:, :4].T]
    assert pooled_kurtosis(returns) == pytest.approx(np.median(by_hand))
    assert 3.5 < pooled_kurtosis(returns) < 6.5  # 4.5 in truth
    assert pooled_kurtosis(returns[:100]) == 3.0
    assert pooled_kurtosis(np.zeros((500, 2))) == 3.0


def test_a_flat_book_and_what_cannot_be_told() -> None:
    here = estimate((400.0,) * 4)
    flat = uncertainty(np.zeros(4), here, "BTC")
    assert (flat.volatility_daily_usd, flat.cae_usd) == (0.0, 0.0)
    assert not flat.component_daily_usd.any()
    assert beta_net_error(np.zeros(4), here, 3) == 0.0
    # A position in the benchmark has a beta of 1 for certain, whatever the others' histories.
    only = np.array([0.0, 0.0, 0.0, 500.0])
    assert beta_net_error(only, here, 3) == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(DataError, match="B: notional"):
        uncertainty(np.array([1.0, np.nan, 0.0, 0.0]), here, "BTC")
    with pytest.raises(MissingDataError, match="ETH"):
        uncertainty(LONG_SHORT, here, "ETH")
    for wrong in (0.5, np.nan, np.inf):
        with pytest.raises(EstimationError, match="kurtosis is"):
            uncertainty(LONG_SHORT, here, "BTC", wrong)
