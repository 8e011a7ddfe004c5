"""An estimate of some symbols alone, from an estimator that knows more."""

import numpy as np
import pytest

from risk.covariance.estimators import ESTIMATORS, new_estimator
from risk.covariance.one_factor import one_factor_correlation
from risk.covariance.scatter_ewma import ScatterEwmaCovariance
from risk.errors import EstimationError, MissingDataError

SYMBOLS = tuple(f"{base}/USDT:USDT" for base in ("BTC", "ETH", "A", "B", "C", "D"))


def returns(bars: int = 900) -> np.ndarray:
    rng = np.random.default_rng(3)
    market = rng.normal(0, 0.01, (bars, 1))
    rows = market * rng.uniform(0.5, 1.5, 6) + rng.normal(0, 0.01, (bars, 6))
    rows[:300, 4] = np.nan
    rows[500:520, 5] = np.nan
    return rows


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {"scatter_ewma"}))
def test_some_symbols_are_estimated_as_if_there_were_no_others(name: str) -> None:
    chosen, rows = (SYMBOLS[5], SYMBOLS[0], SYMBOLS[2], SYMBOLS[4]), returns()
    knowing_all, knowing_some = new_estimator(name, SYMBOLS), new_estimator(name, chosen)
    for row in rows:
        knowing_all.update(row)
        knowing_some.update(row[[5, 0, 2, 4]])
    part, alone = knowing_all.estimate(chosen), knowing_some.estimate()
    assert part.symbols == alone.symbols == chosen
    np.testing.assert_allclose(part.covariance_daily, alone.covariance_daily, rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(part.observed_bars, alone.observed_bars)
    assert knowing_all.estimate().symbols == SYMBOLS
    with pytest.raises(MissingDataError, match="no returns of X"):
        knowing_all.estimate(["X/USDT:USDT"])


def test_a_bar_is_judged_by_all_symbols_and_the_common_factor_is_of_those_chosen() -> None:
    chosen, rows = (SYMBOLS[5], SYMBOLS[0], SYMBOLS[2], SYMBOLS[4]), returns()
    estimator = ScatterEwmaCovariance(SYMBOLS, shrinkage=1.0)
    for row in rows:
        estimator.update(row)
    part, whole = estimator.estimate(chosen), estimator.estimate()
    assert part.symbols == chosen
    np.testing.assert_allclose(
        part.volatility_daily, whole.subset(chosen).volatility_daily, rtol=1e-12
    )
    raw = ScatterEwmaCovariance(SYMBOLS, shrinkage=0.0)
    for row in rows:
        raw.update(row)
    expected = one_factor_correlation(raw.estimate(chosen).correlation)
    np.testing.assert_allclose(part.correlation, expected, rtol=1e-12)
    assert np.abs(part.correlation - whole.subset(chosen).correlation).max() > 0.001
    with pytest.raises(MissingDataError, match="no returns of X"):
        estimator.estimate(["X/USDT:USDT"])


def test_without_a_choice_estimators_shrink_as_suits_them() -> None:
    for name, own in (("mean_ewma", 0.2), ("scatter_ewma", 0.4)):
        by_itself, told = new_estimator(name, SYMBOLS), new_estimator(name, SYMBOLS, shrinkage=own)
        for row in returns(100):
            by_itself.update(row)
            told.update(row)
        assert np.array_equal(
            by_itself.estimate(SYMBOLS[:3]).correlation, told.estimate(SYMBOLS[:3]).correlation
        )


def test_the_shrinkage_of_the_config_is_that_of_the_mean_of_ewma() -> None:
    plain, shrunk = (new_estimator("mean_ewma", SYMBOLS, shrinkage=s) for s in (0.0, 0.5))
    for row in returns():
        plain.update(row)
        shrunk.update(row)
    off = ~np.eye(6, dtype=bool)
    raw, drawn = plain.estimate().correlation[off], shrunk.estimate().correlation[off]
    np.testing.assert_allclose(drawn, 0.5 * raw + 0.5 * raw.mean(), rtol=1e-12)


def test_an_unknown_estimator_is_named_with_those_there_are() -> None:
    with pytest.raises(EstimationError, match="estimator 'magic': must be one of rolling_30d"):
        new_estimator("magic", SYMBOLS)
