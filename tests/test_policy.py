"""Settings as the cycle, the planner and the pre-trade checks take them."""

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from bot.policy import plan_settings, policy_of, pretrade_limits
from config.errors import ConfigError
from config.load import load_settings, profile_path
from config.settings import Settings
from risk.covariance.mean_ewma import SHRINKAGE
from tests.panel_market import SYMBOLS, instrument

PAPER = profile_path("paper")
LISTED = {s: instrument(s) for s in (*SYMBOLS, "DOGE/USDT:USDT", "GRT/USDT:USDT")}


def settings(folder: Path, **sections: object) -> Settings:
    """The paper profile with some keys changed."""
    document = yaml.safe_load(PAPER.read_text())
    for section, changed in sections.items():
        if isinstance(changed, dict):
            document[section] = {**document.get(section, {}), **changed}
        else:
            document[section] = changed
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(document))
    return load_settings(file)


def test_the_universe_is_the_sector_as_the_venue_lists_it(tmp_path: Path):
    found = policy_of(settings(tmp_path)).universe(LISTED)
    assert found.sector == (
        "FET/USDT:USDT",
        "GRT/USDT:USDT",
        "NEAR/USDT:USDT",
        "TAO/USDT:USDT",
        "WLD/USDT:USDT",
    )
    assert found.benchmarks == ("BTC/USDT:USDT", "ETH/USDT:USDT")
    assert "RENDER" in found.unlisted


def test_excluded_tokens_are_not_there_and_the_allow_list_only_stops_orders(tmp_path: Path):
    changed = {"exclude": ["GRT"], "allow": ["FET", "BTC/USDT:USDT"]}
    policy = policy_of(settings(tmp_path, universe=changed))
    found = policy.universe(LISTED)
    assert "GRT/USDT:USDT" not in found.symbols
    assert "NEAR/USDT:USDT" in found.symbols
    assert policy.screen(found).may_order == {"FET/USDT:USDT", "BTC/USDT:USDT"}


def test_the_screen_is_what_the_owner_wrote(tmp_path: Path):
    changed = {"min_history_days": 21, "min_daily_volume_usd": 5e6}
    policy = policy_of(settings(tmp_path, universe=changed))
    screen = policy.screen(policy.universe(LISTED))
    assert (screen.min_history_days, screen.min_daily_volume_usd) == (21, 5e6)
    assert screen.may_order == set(policy.universe(LISTED).symbols)


def test_a_sector_that_is_not_in_the_file_is_one_line(tmp_path: Path):
    known = settings(tmp_path)
    unknown = known.model_copy(
        update={"universe": known.universe.model_copy(update={"sector": "memes"})}
    )
    with pytest.raises(ConfigError, match=r"^universe\.sector: 'memes' .* one of .*: ai"):
        policy_of(unknown)


def test_only_auto_executes(tmp_path: Path):
    assert not policy_of(settings(tmp_path)).executes
    assert policy_of(settings(tmp_path, autonomy="auto")).executes


def test_choices_are_in_dollars_of_this_equity(tmp_path: Path):
    caps = {"hedge_gross_equity_fraction": 0.8, "turnover_daily_equity_fraction": 1.5}
    policy = policy_of(settings(tmp_path, caps=caps, hedge={"decide_every": "2h", "impact": 0.5}))
    choices = policy.choices(10_000.0)
    assert choices.limits.hedge_gross_usd == pytest.approx(8_000)
    assert choices.limits.turnover_daily_usd == pytest.approx(15_000)
    assert choices.limits.net_usd == 20_000, "dollars stay dollars"
    assert choices.impact == 0.5
    assert policy.decide_every_ms == 7_200_000
    largest = choices.largest_hedge_usd
    control = pretrade_limits(settings(tmp_path)).symbol_equity_fraction * 10_000
    assert largest is not None
    assert largest < control, "or the order of the strategy would be denied"


def test_orders_are_cut_below_what_the_checks_let_through(tmp_path: Path):
    controls = {"max_order_usd": 2_000.0, "max_order_equity_fraction": 0.05, "collar": 0.008}
    chosen = settings(tmp_path, controls=controls)
    for equity_usd, cap in ((100_000.0, 2_000), (10_000.0, 500)):
        plan = plan_settings(chosen, equity_usd)
        assert plan.max_order_usd == cap
        assert plan.max_order_usd <= pretrade_limits(chosen).order_cap_usd(equity_usd)
        assert plan.collar == Decimal("0.008")


def test_ages_are_in_milliseconds(tmp_path: Path):
    controls = {
        "mark_max_age_seconds": 1.5,
        "positions_max_age_seconds": 4,
        "balance_max_age_seconds": 20,
        "max_depth_fraction": 0.1,
        "min_free_margin": 0.4,
        "hedge_gross_equity_fraction": 1.2,
    }
    limits = pretrade_limits(settings(tmp_path, controls=controls))
    assert (limits.mark_max_age_ms, limits.positions_max_age_ms) == (1_500, 4_000)
    assert limits.balance_max_age_ms == 20_000
    assert (limits.depth_fraction, limits.min_free_margin) == (0.1, 0.4)
    assert limits.hedge_gross_equity_fraction == 1.2


@pytest.mark.parametrize("shrinkage", [None, 0.0, 0.6])
def test_shrinkage_of_the_hedges_estimator_is_not_that_of_other_windows(
    tmp_path: Path, shrinkage: float | None
):
    changed = {"shrinkage": shrinkage, "worst_windows_days": [5.0]}
    past = policy_of(settings(tmp_path, hedge=changed)).past
    assert (past.windows_days, past.shrinkage) == ((5.0,), SHRINKAGE)
