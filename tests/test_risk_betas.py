"""Betas to BTC and ETH: least squares, their errors, and when there is none."""

import numpy as np
import pytest

from risk.correlation.benchmark_beta import BenchmarkBeta, benchmark_beta
from risk.errors import DataError, EstimationError, MissingDataError
from tests.rolling_scene import BTC, ETH, NAN, error_by_moments, market, names


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
