"""No decision of an evaluation knows what comes after it."""

from dataclasses import replace

import numpy as np
import pytest

from bot.evaluate.books import book_path
from bot.evaluate.decisions import Decisions, decisions_of
from bot.evaluate.estimates import coming_estimates, estimates
from bot.evaluate.paths import HedgePath, hedge_path, moments_of
from config.strategy import new_strategy
from risk.limits.caps import RiskLimits
from strategies.base import estimator_of
from strategies.inputs import HedgeChoices
from strategies.registry import BUILT_IN
from tests.evaluate_scene import decisions, with_another_future, write_folder

CHOICES = HedgeChoices(limits=RiskLimits())
SPLIT = 30  # the decision after which the future is another one


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Decisions:
    found = decisions(write_folder(tmp_path_factory.mktemp("market")))
    return shortened(found)


def shortened(found: Decisions) -> Decisions:
    """The first ten days, which are enough here."""
    return replace(found, rows=found.rows[:60], eligible=found.eligible[:60])


def path(of: Decisions, name: str, *, fixed: bool) -> HedgePath:
    strategy = new_strategy(name)
    moments = moments_of(of, estimates(of, estimator_of(strategy), 0.2), 7.0)
    book = book_path(of, 3, 1, 0, fixed=fixed)
    return hedge_path(strategy, CHOICES, moments, of, book, fixed=fixed)


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "none"])
def test_decisions_are_the_same_whatever_comes_after_them(
    past: Decisions, name: str, fixed: bool
) -> None:
    row = int(past.rows[SPLIT])
    other = shortened(decisions_of(with_another_future(past.market, row, seed=9), past.hours))
    known, changed = path(past, name, fixed=fixed), path(other, name, fixed=fixed)
    np.testing.assert_array_equal(changed.base[: SPLIT + 1], known.base[: SPLIT + 1])
    np.testing.assert_array_equal(changed.predicted_usd[:SPLIT], known.predicted_usd[:SPLIT])
    assert np.any(known.base[: SPLIT + 1]), "nothing was decided"
    # The future that was changed does matter to those who live in it.
    assert np.any(changed.base[SPLIT + 1 :] != known.base[SPLIT + 1 :])


def test_all_that_a_decision_is_told_is_from_before_it(past: Decisions) -> None:
    row = int(past.rows[SPLIT])
    other = decisions_of(with_another_future(past.market, row, seed=2), past.hours)
    ours = decisions_of(past.market, past.hours)
    until = slice(0, SPLIT + 1)
    for name in ("eligible", "adv_usd", "funding_daily", "funding_daily_se"):
        np.testing.assert_array_equal(getattr(other, name)[until], getattr(ours, name)[until])
        if name != "eligible":
            assert np.any(getattr(other, name)[SPLIT + 1 :] != getattr(ours, name)[SPLIT + 1 :])


def test_hindsight_does_know_the_future_and_nothing_of_the_past(past: Decisions) -> None:
    before, after = coming_estimates(past)[0], coming_estimates(past)[SPLIT]
    row = int(past.rows[0])
    rows = past.market.log_return[row + 1 :][: 30 * 24]
    assert len(rows) < 30 * 24, "the data end sooner, so the window is the last 30 days"
    rows = past.market.log_return[-30 * 24 :]
    np.testing.assert_allclose(before.covariance_daily, 24 * rows.T @ rows / len(rows), rtol=1e-9)
    np.testing.assert_array_equal(before.covariance_daily, after.covariance_daily)
