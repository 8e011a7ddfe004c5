"""Shrinkage against the formulas of the papers, written out term by term."""

import numpy as np
import pytest

from risk.covariance.shrinkage import ledoit_wolf, ledoit_wolf_identity, oas, shrunk_covariance
from tests.estimators_scene import NAN, honey, names, sample


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
