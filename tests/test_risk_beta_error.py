"""Robust errors of betas: White's by hand, and simulated markets of turbulent hours."""

import numpy as np
import pytest

from risk.book import FloatArray
from risk.correlation.clusters import beta
from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.errors import DataError, MissingDataError
from risk.exposure.beta_error import beta_errors
from risk.exposure.uncertainty import beta_net_error

SYMBOLS = ("NEW", "A", "BTC")
TRUE = np.array([1.5, 1.2, 1.0])
X = np.array([1000.0, 600.0, -500.0])
BARS = 60 * 24


def market(seed: int, young_bars: int = BARS, *, even: bool = False) -> FloatArray:
    """Hours that are wild or calm for all tokens at once, and by turns of about a day."""
    rng = np.random.default_rng(seed)
    spread = np.ones(BARS)
    if not even:
        state = 0.0
        for t, shock in enumerate(rng.normal(0, 0.25, BARS)):
            state = 0.9 * state + shock
            spread[t] = np.exp(state)
    base = spread * rng.normal(0, 0.005, BARS)
    alone = spread[:, None] * rng.normal(0, 0.006, (BARS, 2))
    returns = np.column_stack([TRUE[:2] * base[:, None] + alone, base])
    returns[: BARS - young_bars, 0] = np.nan
    return np.asarray(returns)


def told(rows: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Betas and the book's; robust errors of them; errors that take all hours as alike."""
    found = mean_ewma_covariance(rows, SYMBOLS, shrinkage=0.0)
    value, plain = beta(found, "BTC"), beta_net_error(X, found, 2)
    robust = beta_errors(rows, found, "BTC")
    return (
        np.array([*value.value[:2], value.value @ X]),
        np.array([*robust.of_tokens()[:2], robust.of_net(X)]),
        np.array([*value.standard_error[:2], plain]),
    )


@pytest.mark.parametrize("young_bars", [BARS, 240, 72])
def test_robust_errors_cover_where_hours_are_turbulent(young_bars: int) -> None:
    figures, robust, plain = map(
        np.array, zip(*(told(market(k, young_bars)) for k in range(100)), strict=True)
    )
    truth = np.array([1.5, 1.2, TRUE @ X])
    covered = (np.abs(figures - truth) < 1.96 * robust).mean(axis=0)
    too_few = (np.abs(figures - truth) < 1.96 * plain).mean(axis=0)
    assert np.all(covered > 0.87)
    assert np.all(covered < 0.99)
    assert np.all(covered >= too_few)
    ratio = np.sqrt((robust**2).mean(axis=0)) / figures.std(axis=0)
    np.testing.assert_allclose(ratio, 1, atol=0.2)
    assert np.all(np.sqrt((plain**2).mean(axis=0)) < 0.87 * figures.std(axis=0))


@pytest.mark.parametrize("young_bars", [BARS, 100])
def test_in_even_hours_both_say_the_same(young_bars: int) -> None:
    figures, robust, plain = map(
        np.array, zip(*(told(market(k, young_bars, even=True)) for k in range(60)), strict=True)
    )
    np.testing.assert_allclose(robust.mean(axis=0) / plain.mean(axis=0), 1, atol=0.12)
    np.testing.assert_allclose(plain.mean(axis=0) / figures.std(axis=0), 1, atol=0.25)


def test_equal_histories_by_hand() -> None:
    rows = market(1)
    found = mean_ewma_covariance(rows, SYMBOLS)
    ages = np.arange(BARS)[::-1]
    parts = [0.5 ** (ages / (24 * days)) for days in (4, 15, 60)]
    weights = np.mean([part / part.sum() for part in parts], axis=0)
    base = rows[:, 2]
    bars = 1 / (weights**2).sum()
    slopes = found.covariance_daily[2] / found.covariance_daily[2, 2]
    pull = base[:, None] * (rows - slopes * base[:, None])
    pull = weights[:, None] * (pull - weights @ pull) / (weights @ base**2)
    pull *= np.sqrt(bars / (bars - 1))
    robust = beta_errors(rows, found, "BTC")
    np.testing.assert_allclose(robust.of_tokens(), np.sqrt((pull**2).sum(axis=0)), rtol=1e-9)
    assert robust.of_net(X) == pytest.approx(np.sqrt(((pull @ X) ** 2).sum()))
    assert robust.of_tokens()[2] == 0
    assert robust.of_net(np.array([0, 0, 900.0])) == 0


def test_what_does_not_fit_is_refused() -> None:
    rows = market(2)
    found = mean_ewma_covariance(rows, SYMBOLS)
    with pytest.raises(DataError, match="shape"):
        beta_errors(rows[:, :2], found, "BTC")
    with pytest.raises(MissingDataError, match="ETH"):
        beta_errors(rows, found, "ETH")
