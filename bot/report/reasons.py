"""Why a proposal is as it is, in words: from the proposal's part of a cycle's document. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.report import words


@dataclass(frozen=True, slots=True)
class AlternativeRow:
    """One thing that was weighed and left, told."""

    name: str
    volatility: str
    cost: str
    reason: str


def alternative_rows(proposal: Mapping[str, Any]) -> list[AlternativeRow]:
    """What else was weighed, the best first."""
    return [
        AlternativeRow(
            _without_quotes(words.plain(one.get("name") or "")),
            words.usd(words.number(one.get("volatility_daily_usd"))),
            words.money(words.number(one.get("trade_cost_usd"))),
            words.plain(one.get("reason") or ""),
        )
        for one in proposal.get("alternatives") or ()
    ]


def reason_facts(proposal: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Tail, split of the variance, stresses and conflict as name and figure, where known."""
    return [
        *_tail(proposal),
        *_variance(proposal.get("variance")),
        *_stress(proposal),
        *_deleveraging(proposal.get("deleveraging")),
        *_conflict(proposal.get("conflict")),
    ]


def _tail(proposal: Mapping[str, Any]) -> list[tuple[str, str]]:
    before, after = (
        words.number(proposal.get(key)) for key in ("es95_before_usd", "expected_es95_usd")
    )
    if after is None:
        return []
    return [("Mean loss of the worst 5 % of days", f"{words.usd(before)} to {words.usd(after)}")]


def _variance(split: object) -> list[tuple[str, str]]:
    if not isinstance(split, Mapping):
        return []
    removed = words.number(split.get("systematic_removed"))
    kept, added = (
        words.number(split.get(key)) for key in ("specific_bot_usd2", "specific_added_usd2")
    )
    if removed is None or kept is None or added is None:
        return []
    told = f"{words.percent(removed)} of the market's variance removed; the bot's own bet kept"
    if kept > 0 and added > 0:
        told += f", and the hedges add {words.percent(added / kept)} as much of their own"
    return [("Variance", told)]


def _stress(proposal: Mapping[str, Any]) -> list[tuple[str, str]]:
    after = proposal.get("stress_after_usd") or {}
    taken = {name: usd for name, value in after.items() if (usd := words.number(value)) is not None}
    if not taken:
        return []
    worst = max(taken, key=lambda name: taken[name])
    before = words.number((proposal.get("stress_before_usd") or {}).get(worst))
    told = f"{words.plain(worst)}: {words.usd(before)} to {words.usd(taken[worst])}"
    return [("Worst stress takes of the account", told)]


def _deleveraging(told: object) -> list[tuple[str, str]]:
    if not isinstance(told, Mapping):
        return []
    volatility = words.usd(words.number(told.get("volatility_daily_usd")))
    text = f"volatility {volatility} a day"
    loss, stress = words.number(told.get("loss_usd")), words.plain(told.get("stress") or "")
    if loss is not None and stress:
        text += f", {words.usd(loss)} lost in {stress}"
    share = words.percent(words.number(told.get("share")))
    return [(f"With {share} of hedges deleveraged", text)]


def _conflict(told: object) -> list[tuple[str, str]]:
    if not isinstance(told, Mapping):
        return []
    caps: Sequence[Mapping[str, Any]] = told.get("caps") or ()
    names = [_scoped(one) for one in caps]
    title = "Exclude each other" if len(names) > 1 else "No allowed hedge meets"
    facts = [(title, ", ".join(names))] if names else []
    alone = [words.cap_label(str(cap)) for cap in told.get("bot_alone") or ()]
    return [*facts, *([("Over by the bot alone", ", ".join(alone))] if alone else [])]


def _scoped(one: Mapping[str, Any]) -> str:
    label, scope = words.cap_label(str(one.get("cap"))), words.plain(one.get("scope") or "")
    return f"{label} ({words.base(scope)})" if scope else label


def _without_quotes(name: str) -> str:
    """Symbols as people write them: ``without FET/USDT:USDT`` is ``without FET``."""
    return " ".join(words.base(part) if "/" in part else part for part in name.split(" "))
