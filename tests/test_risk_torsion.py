"""Effective bets: by hand, against the published algorithm with matrix roots, by its properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from risk.book import FloatArray
from risk.errors import DataError, EstimationError
from risk.exposure.torsion import EffectiveBets, effective_bets, torsion


def covariance(n: int, seed: int, common: float = 1.0) -> FloatArray:
    rng = np.random.default_rng(seed)
    loadings = np.column_stack([common * rng.uniform(0.5, 1.5, n), rng.normal(0, 0.4, n)])
    correlated = loadings @ loadings.T + np.diag(rng.uniform(0.2, 1.5, n))
    sigma = rng.uniform(0.02, 0.10, n)
    scale = sigma / np.sqrt(np.diag(correlated))
    return np.asarray(correlated * np.outer(scale, scale))


def bets(x: FloatArray, sigma: FloatArray) -> EffectiveBets:
    found = effective_bets(x, torsion(sigma))
    assert found is not None
    return found


def published(sigma: FloatArray) -> FloatArray:
    """The authors' iteration, with matrix square roots and inverses as the paper writes it."""
    scale = np.sqrt(np.diag(sigma))
    c = np.real(sqrtm(sigma / np.outer(scale, scale)))
    d = np.ones(len(sigma))
    before = np.inf
    for _ in range(10_000):
        u = np.real(sqrtm(np.diag(d) @ c @ c @ np.diag(d)))
        q = np.linalg.solve(u, np.diag(d) @ c)
        d = np.diag(q @ c).copy()
        pi = np.diag(d) @ q
        distance = float(np.linalg.norm(c - pi, "fro"))
        if abs(distance - before) / distance <= 1e-8:
            break
        before = distance
    return np.asarray(np.diag(scale) @ pi @ np.linalg.inv(c) @ np.diag(1 / scale))


@pytest.mark.parametrize(("n", "seed"), [(2, 0), (4, 1), (9, 2), (18, 3)])
def test_torsion_equals_the_published_algorithm(n: int, seed: int) -> None:
    sigma = covariance(n, seed)
    ours, theirs = torsion(sigma), published(sigma)
    assert ours.converged
    assert ours.matrix == pytest.approx(theirs, rel=1e-6, abs=1e-8)
    x = np.random.default_rng(seed).normal(0, 1000, n)
    q = np.linalg.solve(theirs.T, x) * (theirs @ sigma @ x) / (x @ sigma @ x)
    found = bets(x, sigma)
    assert found.shares == pytest.approx(q, abs=1e-9)
    assert found.number == pytest.approx(np.exp(-(q @ np.log(q))), rel=1e-7)


def test_the_factors_are_uncorrelated() -> None:
    sigma = covariance(12, 5)
    t = torsion(sigma).matrix
    factors = t @ sigma @ t.T
    off = factors - np.diag(np.diag(factors))
    assert np.abs(off).max() < 1e-12 * np.diag(factors).max()


def test_no_other_uncorrelated_factors_of_a_pair_are_closer() -> None:
    """Two tokens: every rotation of whitened returns, stretched best, on a fine grid."""
    rho = 0.8
    correlation = np.array([[1.0, rho], [rho, 1.0]])
    root = np.real(sqrtm(correlation))

    def distance(matrix: FloatArray) -> float:
        apart = matrix - np.eye(2)
        return float(np.trace(apart @ correlation @ apart.T))

    ours = distance(torsion(correlation).matrix)
    for angle in np.linspace(0, 2 * np.pi, 721):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        stretch = np.diag(turn @ root)
        assert ours <= distance(np.diag(stretch) @ turn @ np.linalg.inv(root)) + 1e-9


def test_uncorrelated_tokens_are_their_own_factors() -> None:
    found = bets(np.array([300.0, 100.0, 0.0]), np.diag([0.01, 0.01, 0.04]))
    assert found.shares == pytest.approx([0.9, 0.1, 0.0])
    assert found.number == pytest.approx(np.exp(-0.9 * np.log(0.9) - 0.1 * np.log(0.1)))
    equal = bets(np.array([200.0, 200.0, -100.0]), np.diag([0.01, 0.01, 0.04]))
    assert equal.number == pytest.approx(3.0)


def test_two_equal_correlated_tokens_by_hand() -> None:
    """c = [[a, b], [b, a]], a, b = (√(1+ρ) ± √(1-ρ))/2, and by symmetry q = I, d = a."""
    rho = 0.6
    sigma = np.array([[1.0, rho], [rho, 1.0]]) * 0.05**2
    a = (np.sqrt(1 + rho) + np.sqrt(1 - rho)) / 2
    b = (np.sqrt(1 + rho) - np.sqrt(1 - rho)) / 2
    one = bets(np.array([1000.0, 0.0]), sigma)
    assert one.shares == pytest.approx([a**2, b**2])
    both = bets(np.array([1000.0, 1000.0]), sigma)
    assert both.shares == pytest.approx([0.5, 0.5])


def test_principal_components_by_hand() -> None:
    """The limit in which factors owe nothing to the tokens: equal longs of a pair are one bet."""
    sigma = np.array([[1.0, 0.6], [0.6, 1.0]]) * 0.05**2
    t = torsion(sigma, "principal")
    assert t.matrix == pytest.approx(np.array([[1, 1], [1, -1]]) / np.sqrt(2))
    one = effective_bets(np.array([1000.0, 1000.0]), t)
    assert one is not None
    assert one.number == pytest.approx(1.0)
    alone = effective_bets(np.array([1000.0, 0.0]), t)
    assert alone is not None
    assert alone.shares == pytest.approx([0.8, 0.2])


def test_principal_bets_equal_eigenvectors() -> None:
    sigma = covariance(7, 11)
    values, vectors = np.linalg.eigh(sigma)
    x = np.random.default_rng(0).normal(size=7)
    variance = values * (vectors.T @ x) ** 2
    q = (variance / variance.sum())[::-1]
    found = effective_bets(x, torsion(sigma, "principal"))
    assert found is not None
    assert found.shares == pytest.approx(q)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 9), seed=st.integers(0, 10_000), scale=st.floats(1e-6, 1e9))
def test_bets_lie_between_one_and_n_whatever_the_order_and_the_scale(
    n: int, seed: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    sigma, x = covariance(n, seed), rng.normal(0, 1000, n)
    found = bets(x, sigma)
    assert 1 <= found.number <= n
    assert np.all(found.shares >= 0)
    assert found.shares.sum() == pytest.approx(1.0)
    order = rng.permutation(n)
    mixed = bets(x[order], sigma[np.ix_(order, order)])
    assert mixed.number == pytest.approx(found.number, rel=1e-5)
    assert mixed.shares == pytest.approx(found.shares[order], abs=1e-5)
    assert bets(scale * x, sigma).number == pytest.approx(found.number)
    assert bets(-x, sigma).number == pytest.approx(found.number)
    # Tokens counted in other units: same bets.
    unit = rng.uniform(0.1, 10, n)
    other = bets(x / unit, sigma * np.outer(unit, unit))
    assert other.shares == pytest.approx(found.shares, abs=1e-6)


def test_a_nearly_singular_covariance_still_answers() -> None:
    rng = np.random.default_rng(0)
    loadings = rng.normal(size=(10, 2))
    for ridge in (1e-6, 1e-9, 0.0):
        sigma = loadings @ loadings.T + ridge * np.eye(10)
        found = bets(rng.normal(size=10), sigma)
        assert 1 <= found.number <= 10
        assert found.shares.sum() == pytest.approx(1.0)
    same = np.full((3, 3), 0.04)
    assert 1 <= bets(np.array([1.0, 2.0, 3.0]), same).number <= 3


def test_a_flat_book_has_no_bets() -> None:
    t = torsion(covariance(4, 0))
    assert effective_bets(np.zeros(4), t) is None
    assert effective_bets(np.zeros(0), torsion(np.zeros((0, 0)))) is None


def test_a_perfect_offset_has_no_bets() -> None:
    """Two tokens that are one, long and short: no risk is left to be divided."""
    t = torsion(np.array([[1.0, 1.0], [1.0, 1.0]]), "principal")
    assert effective_bets(np.array([100.0, -100.0]), t) is None


def test_what_cannot_be_used() -> None:
    with pytest.raises(EstimationError, match="square"):
        torsion(np.zeros((2, 3)))
    with pytest.raises(EstimationError, match="not finite"):
        torsion(np.array([[1.0, np.nan], [np.nan, 1.0]]))
    with pytest.raises(EstimationError, match="variance 0"):
        torsion(np.diag([1.0, 0.0]))
    with pytest.raises(EstimationError, match="negative eigenvalue"):
        torsion(np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(EstimationError, match="negative eigenvalue"):
        torsion(np.array([[1.0, 2.0], [2.0, 1.0]]), "principal")
    t = torsion(np.eye(2))
    with pytest.raises(DataError, match="shape"):
        effective_bets(np.ones(3), t)
    with pytest.raises(DataError, match="position 1 is not finite"):
        effective_bets(np.array([1.0, np.nan]), t)
