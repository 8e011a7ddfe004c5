"""Counts over the cycles of a replay, by hand."""

from typing import Any

from bot.replay.tally import Tally


def cycle(alone: str = "", found: str = "", left: str = "", *, known: bool = True) -> Any:
    """A document of one cycle; caps by one letter each, twice where two tokens exceed one."""
    told = {"breaches_unhedged": alone, "breaches_before": found, "breaches_after": left}
    return {
        "status": "hedged",
        "volatility_after_daily_usd": 1.0 if known else None,
        **{name: [{"cap": cap} for cap in caps] for name, caps in told.items()},
    }


def test_an_hour_counts_once_however_many_caps_it_exceeds() -> None:
    """Longest single cap: 2; sum over caps: 5; hours in which any is left: 4."""
    tally = Tally([cycle(left=caps) for caps in ("ab", "a", "c", "d", "")])
    assert [(cap, one["left"]) for cap, one in sorted(tally.breaches.items())] == [
        ("a", 2), ("b", 1), ("c", 1), ("d", 1),
    ]  # fmt: skip
    assert tally.breach_hours == {"alone": 0, "found": 0, "left": 4, "avoided": 0}


def test_tokens_over_the_same_cap_are_one_hour() -> None:
    tally = Tally([cycle(alone="aa", found="aa", left="aa")])
    assert tally.breaches == {"a": {"alone": 1, "found": 1, "left": 1, "avoided": 0}}
    assert tally.breach_hours == {"alone": 1, "found": 1, "left": 1, "avoided": 0}


def test_what_hedges_avoid_needs_a_known_end() -> None:
    documents = [
        cycle(alone="ab", found="a", left="b"),  # a avoided, b not
        cycle(alone="a", left="b"),  # hedges exceed another one
        cycle(alone="a", known=False),
    ]
    assert Tally(documents).breach_hours == {"alone": 3, "found": 1, "left": 2, "avoided": 2}


def test_no_cycle_exceeds_nothing() -> None:
    assert Tally([]).breach_hours == {"alone": 0, "found": 0, "left": 0, "avoided": 0}
