"""Tokens that stop trading, or stand still, during an evaluation; and what it cannot weigh."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bot.evaluate.decisions import Decisions, decisions_of
from bot.evaluate.estimates import coming_estimates, estimates
from bot.evaluate.market import EvaluationMarket
from risk.covariance.sample import rolling_covariance
from tests.e2e_scene import called, one_line
from tests.evaluate_scene import decisions, symbol, write_folder


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Decisions:
    return decisions(write_folder(tmp_path_factory.mktemp("market"), days=75))


def silent(market: EvaluationMarket, name: str, rows: slice) -> EvaluationMarket:
    """The same market without the bars of one token in ``rows``."""
    column = market.symbols.index(name)
    returns, there = market.log_return.copy(), market.there.copy()
    volume = market.volume_usd.copy()
    returns[rows, column], there[rows, column], volume[rows, column] = np.nan, False, np.nan
    return replace(market, log_return=returns, there=there, volume_usd=volume)


def names(of: Decisions, k: int) -> tuple[str, ...]:
    return tuple(s for s, can in zip(of.market.symbols, of.eligible[k], strict=True) if can)


@pytest.mark.parametrize("hours_left", [1, 10, 20, 60])
def test_hindsight_has_a_covariance_of_a_token_about_to_end(
    ours: Decisions, hours_left: int
) -> None:
    fet, row = symbol("FET"), int(ours.rows[10])
    end = row + hours_left + 1
    gone = decisions_of(silent(ours.market, fet, slice(end, None)), ours.hours)
    found = coming_estimates(gone)
    assert [one.symbols for one in found] == [names(gone, k) for k in range(len(found))]
    assert fet in found[10].symbols
    assert fet not in found[10 + (hours_left + 24) // 4 + 1].symbols
    # Nothing changes for decisions that see enough of it anyway.
    kept = 10 - (24 - min(hours_left, 24) + 3) // 4
    after = gone.market.log_return[int(gone.rows[kept]) + 1 :][: 30 * 24]
    plain = rolling_covariance(after, gone.market.symbols, 30)
    np.testing.assert_array_equal(found[kept].covariance_daily, plain.covariance_daily)


@pytest.mark.parametrize("name", ["rolling_30d", "ledoit_wolf", "scatter_ewma"])
def test_a_token_back_from_a_long_halt_waits_until_it_can_be_measured(
    ours: Decisions, name: str
) -> None:
    grt, back = symbol("GRT"), int(ours.rows[-1]) - 40
    halted = decisions_of(silent(ours.market, grt, slice(back - 30 * 24, back)), ours.hours)
    column = halted.market.symbols.index(grt)
    found = estimates(halted, name, None)
    assert [one.symbols for one in found] == [names(halted, k) for k in range(len(found))]
    since = halted.rows - back
    eligible = halted.eligible[:, column]
    assert not np.any(eligible[(since >= 0) & (since < 20)])
    assert np.all(eligible[since >= 28])


def test_a_price_that_stands_still_is_not_hedged_in(ours: Decisions) -> None:
    column = ours.market.symbols.index(symbol("GRT"))
    returns = ours.market.log_return.copy()
    returns[:, column] = 0.0
    stuck = decisions_of(replace(ours.market, log_return=returns), ours.hours)
    assert not np.any(stuck.eligible[:, column])
    np.testing.assert_array_equal(
        np.delete(stuck.eligible, column, axis=1), np.delete(ours.eligible, column, axis=1)
    )


@pytest.mark.parametrize(
    "setting", ["tail_aversion: 1", "worst_windows_days: [5]", "crowding_charge: 1"]
)
def test_what_is_not_told_is_not_taken_for_nothing(tmp_path: Path, setting: str) -> None:
    config = tmp_path / "own.yaml"
    config.write_text(
        "mode: paper\nstate_dir: state\nvenue: {exchange: binanceusdm, account: hedge}\n"
        f"sources: [{{kind: file, name: bot, path: positions.json}}]\nhedge: {{{setting}}}\n"
    )
    done = called("evaluate", "--data", str(tmp_path), "-c", str(config))
    assert f"hedge.{setting.partition(':')[0]}: not part of an evaluation" in one_line(done, 2)
