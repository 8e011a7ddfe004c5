"""Effectiveness, tail, bias, the comparison of two hedges, and the split of variance."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from risk.covariance.factors import factor_model
from risk.covariance.sample import rolling_covariance
from risk.errors import DataError
from risk.evaluation.comparison import diebold_mariano
from risk.evaluation.effectiveness import (
    bias,
    effectiveness,
    expected_shortfall,
    shortfall_cut,
)
from risk.evaluation.split import removed_and_added, split


def test_effectiveness_is_the_share_of_variance_taken_away() -> None:
    bare = np.array([4.0, -4.0, 4.0, -4.0])
    assert effectiveness(bare / 2, bare) == pytest.approx(0.75)
    assert effectiveness(bare / 2 + 100.0, bare) == pytest.approx(0.75)  # a mean is no risk
    assert effectiveness(2 * bare, bare) == pytest.approx(-3.0)
    assert np.isnan(effectiveness(bare, np.ones(4)))
    # Ederington: of the best hedge in one instrument it is the squared correlation.
    random = np.random.default_rng(1)
    hedge = random.normal(size=4000)
    book = 0.8 * hedge + random.normal(size=4000)
    ratio = np.cov(book, hedge)[0, 1] / np.var(hedge, ddof=1)
    left = effectiveness(book - ratio * hedge, book)
    assert left == pytest.approx(np.corrcoef(book, hedge)[0, 1] ** 2, rel=1e-9)


def test_expected_shortfall_is_the_mean_of_the_worst() -> None:
    pnl = np.arange(-50.0, 50.0)
    assert expected_shortfall(pnl) == pytest.approx(48.0)  # -50, -49, -48, -47, -46
    assert expected_shortfall(pnl[:10]) == 50.0  # at least one
    assert expected_shortfall(np.arange(303.0) * -1) == pytest.approx(302 - 7.5)  # 16 of 303
    assert shortfall_cut(pnl / 4, pnl) == pytest.approx(0.75)
    assert np.isnan(shortfall_cut(pnl, np.abs(pnl) + 1))
    normal = np.random.default_rng(3).normal(size=400_000)
    known = stats.norm.pdf(stats.norm.ppf(0.05)) / 0.05
    assert expected_shortfall(normal) == pytest.approx(known, rel=0.01)


def test_bias_is_one_where_risk_was_foretold_rightly() -> None:
    random = np.random.default_rng(4)
    foretold = random.uniform(1, 5, 50_000)
    pnl = random.normal(size=50_000) * foretold
    assert bias(pnl, foretold) == pytest.approx(1.0, abs=0.01)
    assert bias(1.5 * pnl, foretold) == pytest.approx(1.5, abs=0.02)
    foretold[:10], pnl[:10] = 0.0, 0.0  # nothing at risk, nothing to judge
    assert bias(pnl, foretold) == pytest.approx(np.std(pnl[10:] / foretold[10:]), rel=1e-12)
    assert np.isnan(bias(np.ones(3), np.zeros(3)))


def newey_west(d: np.ndarray, lags: int) -> float:
    """Variance of the mean, by the double sum over all pairs of days."""
    n, around = len(d), d - d.mean()
    gap = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    weight = np.maximum(1 - gap / (lags + 1), 0)
    return float(around @ weight @ around) / n**2


@pytest.mark.parametrize("lags", [0, 3, 20])
def test_diebold_mariano_equals_the_double_sum(lags: int) -> None:
    random = np.random.default_rng(5)
    one, other = random.chisquare(2, 200), random.chisquare(2, 200)
    found = diebold_mariano(one, other, lags)
    expected = (one - other).mean() / np.sqrt(newey_west(one - other, lags))
    assert found.statistic == pytest.approx(expected, rel=1e-10)
    assert found.p_value == pytest.approx(2 * stats.t.cdf(-abs(expected), 199), rel=1e-9)
    if lags == 0:
        plain = stats.ttest_1samp(one - other, 0.0)
        assert found.statistic == pytest.approx(plain.statistic * np.sqrt(200 / 199), rel=1e-9)
    back = diebold_mariano(other, one, lags)
    assert back.statistic == pytest.approx(-found.statistic)


def test_lags_are_what_keeps_persistent_losses_from_looking_significant() -> None:
    """Two equally good hedges whose losses differ for days on end."""
    random = np.random.default_rng(6)
    wrong = {0: 0, 12: 0}
    for _ in range(400):
        shocks = random.normal(size=300)
        difference = np.convolve(shocks, np.ones(8), "same")
        for lags in wrong:
            wrong[lags] += diebold_mariano(difference, np.zeros(300), lags).p_value < 0.05
    assert wrong[0] / 400 > 0.3
    assert wrong[12] / 400 < 0.15


def test_the_same_hedge_is_no_better_than_itself() -> None:
    same = diebold_mariano(np.arange(20.0), np.arange(20.0))
    assert same.mean_difference == 0
    assert np.isnan(same.statistic)
    assert same.lags == 2


def test_the_split_adds_up_to_the_variance_and_its_cut() -> None:
    random = np.random.default_rng(7)
    symbols = tuple(f"{b}/USDT:USDT" for b in ("BTC", "ETH", "A", "B", "C", "D", "E"))
    returns = 0.01 * random.normal(size=(720, 1)) + 0.005 * random.normal(size=(720, 7))
    model = factor_model(rolling_covariance(returns, symbols))
    bot = np.array([0, 0, 500.0, 300.0, 0, 0, 0])
    hedge = np.array([-100.0, 0, 0, 0, -200.0, -300.0, 0])
    part, sigma = split(bot, hedge, model), model.covariance_daily()
    before, after = bot @ sigma @ bot, (bot + hedge) @ sigma @ (bot + hedge)
    assert part.systematic_before + part.specific_bot == pytest.approx(before)
    assert part.systematic_after + part.specific_bot + part.specific_hedges == pytest.approx(after)
    removed, added = removed_and_added([part, part])
    assert removed * part.systematic_before / before - added == pytest.approx(1 - after / before)
    assert removed_and_added([split(bot, np.zeros(7), model)]) == (0.0, 0.0)
    own = split(bot, np.array([0, 0, -500.0, 0, 0, 0, 0]), model)
    assert own.specific_hedges < 0  # a hedge in the bot's own token takes its bet away


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: effectiveness(np.ones(2), np.ones(3)), "must be two alike"),
        (lambda: effectiveness(np.array([1.0, np.nan]), np.ones(2)), "not finite"),
        (lambda: expected_shortfall(np.ones(0)), "empty"),
        (lambda: expected_shortfall(np.ones(3), 1.0), "level is 1.0"),
        (lambda: bias(np.ones(2), -np.ones(2)), "below 0"),
        (lambda: diebold_mariano(np.ones(9), np.ones(9)), "9 losses to compare, needs 10"),
        (lambda: diebold_mariano(np.ones(10), np.ones(10), 10), "10 lags, must be 0 to 9"),
        (lambda: diebold_mariano(np.full(10, np.inf), np.ones(10)), "not finite"),
        (lambda: diebold_mariano(np.ones(10), np.ones(11)), "must be two alike"),
    ],
)
def test_bad_series_are_refused(call: Callable[[], object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        call()
