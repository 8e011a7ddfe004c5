"""Who belongs to the sector, and who may carry a hedge."""

from typing import Any

from bot.measuring.universe import (
    Universe,
    base_of,
    bases_of,
    build_universe,
    excluded_from_hedging,
    of_a_bot,
)
from tests.panel_market import instrument

LISTED = {
    s: instrument(s)
    for s in (
        "BTC/USDT:USDT",
        "ETH/USDT:USDT",
        "FET/USDT:USDT",
        "FET/USDC:USDC",
        "TAO/USDC:USDC",
        "WLD/USDT:USDT",
        "DOGE/USDT:USDT",
    )
}
BENCHMARKS = ("BTC/USDT:USDT", "ETH/USDT:USDT")


def universe(*exclude: str) -> Universe:
    return build_universe(["WLD", "FET", "TAO", "NEAR"], BENCHMARKS, LISTED, exclude=exclude)


def test_tokens_as_the_venue_lists_them():
    found = universe()
    assert found.sector == ("FET/USDT:USDT", "TAO/USDC:USDC", "WLD/USDT:USDT")
    assert found.benchmarks == BENCHMARKS
    assert found.unlisted == ("NEAR",)
    assert found.symbols == tuple(sorted({*found.sector, *BENCHMARKS}))


def test_benchmarks_that_are_not_listed_are_left_out_in_their_order():
    found = build_universe(["FET"], ("SOL/USDT:USDT", *BENCHMARKS[::-1]), LISTED)
    assert found.benchmarks == BENCHMARKS[::-1]


def test_what_the_owner_excludes_by_token_or_by_symbol():
    assert universe("FET").sector == ("TAO/USDC:USDC", "WLD/USDT:USDT")
    assert universe("WLD/USDT:USDT").sector == ("FET/USDT:USDT", "TAO/USDC:USDC")
    assert universe("ETH").benchmarks == ("BTC/USDT:USDT",)
    assert universe("ETH/USDT:USDT").benchmarks == ("BTC/USDT:USDT",)
    assert "FET" not in universe("FET").unlisted


def test_the_sector_is_its_tokens_in_any_currency_and_nothing_else():
    found = universe()
    assert found.in_sector("FET/USDT:USDT")
    assert found.in_sector("FET/USDC:USDC")
    assert not found.in_sector("BTC/USDT:USDT")
    assert not found.in_sector("DOGE/USDT:USDT"), "held by a bot, but of no sector"
    assert not found.in_sector("NEAR/USDT:USDT"), "not listed"


def test_a_token_that_is_named_as_a_benchmark_is_no_sector():
    found = build_universe(["FET", "WLD"], (*BENCHMARKS, "FET/USDT:USDT"), LISTED)
    assert not found.in_sector("FET/USDT:USDT")
    assert found.in_sector("WLD/USDT:USDT")
    assert len(found.symbols) == 4


def test_the_base_of_a_symbol():
    assert base_of("FET/USDT:USDT") == "FET"


def reasons(**changes: Any) -> dict[str, str]:
    facts: dict[str, Any] = {
        "held_by_bot": (),
        "listed_by_bot": (),
        "history_days": {"A/USDT:USDT": 30.0, "B/USDT:USDT": 30.0},
        "min_history_days": 14,
        "adv_usd": {"A/USDT:USDT": 2e6, "B/USDT:USDT": 2e6},
        "min_daily_volume_usd": 1e6,
        "priced": {"A/USDT:USDT", "B/USDT:USDT"},
        "unusable": {},
    }
    return excluded_from_hedging(["A/USDT:USDT", "B/USDT:USDT"], **{**facts, **changes})


def test_nothing_speaks_against_a_liquid_token_that_nobody_holds():
    assert reasons() == {}
    at_the_floor = {"A/USDT:USDT": 1e6, "B/USDT:USDT": 1e6}
    assert reasons(adv_usd=at_the_floor, min_history_days=30) == {}


def test_each_reason_in_words():
    a = "A/USDT:USDT"
    assert reasons(held_by_bot=[a]) == {a: "hands off: held by a bot"}
    assert reasons(held_by_bot=["A/USDC:USDC"]) == {a: "hands off: held by a bot"}
    assert reasons(listed_by_bot=[a]) == {a: "hands off: a bot lists it or has an order in it"}
    assert reasons(unusable={a: "price did not move"}) == {a: "price did not move"}
    assert reasons(priced={"B/USDT:USDT"}) == {a: "no price now"}
    assert reasons(history_days={a: 13.96, "B/USDT:USDT": 14.0}) == {
        a: "14.0 days of bars, at least 14 needed"
    }
    assert reasons(adv_usd={a: 999_999.0, "B/USDT:USDT": 1e6}) == {
        a: "average daily volume $999,999 below the floor of $1,000,000"
    }


def test_unknown_is_never_enough():
    assert set(reasons(history_days={})) == {"A/USDT:USDT", "B/USDT:USDT"}
    assert set(reasons(adv_usd={}).values()) == {"average daily volume unknown"}
    assert len(reasons(priced=())) == 2


def test_hands_off_is_told_before_anything_else():
    a = "A/USDT:USDT"
    assert reasons(held_by_bot=[a], adv_usd={}, priced=())[a] == "hands off: held by a bot"


def test_whose_symbol_it_is():
    assert of_a_bot("A/USDT:USDT", [], []) is None
    assert of_a_bot("A/USDT:USDT", ["AB"], ["A/USDC:USDC"]) is None
    assert of_a_bot("A/USDC:USDC", ["A"], []) == "hands off: held by a bot"
    assert bases_of(["A/USDT:USDT", "A/USDC:USDC", "B/USDT:USDT"]) == {"A", "B"}
