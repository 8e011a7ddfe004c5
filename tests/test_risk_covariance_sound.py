"""The covariance is positive definite whatever comes, and what cannot be estimated is refused."""

import numpy as np
import pytest

from risk.covariance.estimate import (
    CovarianceEstimate,
    estimate_from,
    nearest_by_clipping,
    shrink_to_constant_correlation,
    shrunk_and_sound,
)
from risk.covariance.mean_ewma import MeanEwmaCovariance, mean_ewma_covariance
from risk.errors import DataError, EstimationError, MissingDataError
from tests.covariance_scene import NAN, assert_sound, sample, stream


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
