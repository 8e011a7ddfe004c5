"""Correlation weighted by volume: by hand, its error, and thin books."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.correlation.volume_weighted import VolumeWeighted, volume_weighted_correlation
from risk.errors import DataError, EstimationError
from tests.rolling_scene import NAN, error_by_moments, market, names


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
