"""The table of stresses, as text. Pure."""

from collections.abc import Mapping
from typing import Any

from bot.report import words
from risk.errors import DataError


def stress_rows(document: object) -> list[dict[str, str]]:
    """A row for each episode of ``stress.json``.

    Raises:
        DataError: it is another document.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("episodes"), list):
        raise DataError("stress: no list of episodes")
    try:
        return [_row(one) for one in document["episodes"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"stress: an episode lacks {error}") from error


def _row(one: Mapping[str, Any]) -> dict[str, str]:
    return {
        "episode": words.plain(one["episode"]),
        "sentence": words.plain(one["sentence"]),
        "alone": words.signed(words.number(one["unhedged_pnl_usd"])),
        "hedged": words.signed(words.number(one["hedged_pnl_usd"])),
        "untroubled": _untroubled(one),
        "drawdown_alone": words.amount(words.number(one["unhedged_drawdown_usd"])),
        "drawdown_hedged": words.amount(words.number(one["hedged_drawdown_usd"])),
        "avoided": words.percent(words.number(one["drawdown_avoided"])),
        "over": f"{one['breach_hours_left']:,} / {one['breach_hours_alone']:,}",
        "fees": words.money(words.number(one["fees_usd"])),
    }


def _untroubled(one: Mapping[str, Any]) -> str:
    """With hedges, without what is made up; nothing where nothing is."""
    usd = one["untroubled_pnl_usd"]
    return "" if usd is None else words.signed(words.number(usd))
