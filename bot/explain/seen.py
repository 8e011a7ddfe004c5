"""What a cycle saw, and how near the caps it was, as sentences. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.report import words

Document = Mapping[str, Any]
_NAMED = 6
_WORTH_TELLING = ("warning", "alarm")


def seen_lines(cycle: Document, events: Sequence[Document]) -> list[str]:
    """Sources, positions, swings, and what went on in the market."""
    return [
        *_sources(cycle),
        *_book(cycle),
        *_swings(cycle),
        *_signals(cycle),
        *_left_out(cycle),
        *_news(events),
    ]


def cap_lines(cycle: Document) -> list[str]:
    """Caps exceeded before and after, and those that the hedge ran into; else the nearest."""
    if words.number(cycle.get("bot_gross_usd")) is None:
        return ["No cap could be checked: the book was not measured."]
    before = [f"Over: {words.breach_sentence(one)}." for one in cycle.get("breaches_before") or ()]
    after = [
        f"Still over at the end: {words.breach_sentence(one)}."
        for one in cycle.get("breaches_after") or ()
    ]
    if before and not after:
        after = ["At the end every cap held."]
    if before and cycle.get("breaches_before") == cycle.get("breaches_after"):
        after = ["At the end all of that was still so."]
    return [*(before or _nearest(cycle)), *_tightened(cycle), *_bound(cycle), *after]


def _sources(cycle: Document) -> list[str]:
    lines = []
    for one in cycle.get("sources") or ():
        name, age = words.plain(one.get("name")), words.number(one.get("age_seconds"))
        if one.get("failing"):
            error = words.plain(one.get("last_error") or "no reason told")
            lines.append(f"Source {name} failed: {error}.")
        elif age is not None:
            lines.append(f"Source {name}: positions {age:,.0f} seconds old.")
    return lines


def _book(cycle: Document) -> list[str]:
    if words.number(cycle.get("bot_gross_usd")) is None:
        return ["The book could not be measured in this cycle."]
    legs = cycle.get("legs") or ()
    bot = {one["symbol"]: float(one["bot_usd"]) for one in legs if one["bot_usd"]}
    hedge = {one["symbol"]: float(one["hedge_before_usd"]) for one in legs}
    hedge = {symbol: usd for symbol, usd in hedge.items() if usd}
    return [_held("The bot held", bot), _held("Hedges were", hedge)]


def _held(title: str, held: Mapping[str, float]) -> str:
    if not held:
        return f"{title} nothing."
    largest = sorted(held, key=lambda symbol: -abs(held[symbol]))
    named = ", ".join(f"{words.base(s)} {words.signed(held[s])}" for s in largest[:_NAMED])
    more = f" and {len(held) - _NAMED} more" if len(held) > _NAMED else ""
    gross, net = sum(map(abs, held.values())), sum(held.values())
    return f"{title} {words.usd(gross)} gross, {words.signed(net)} net: {named}{more}."


def _swings(cycle: Document) -> list[str]:
    alone, now, cae = (
        words.number(cycle.get(key))
        for key in (
            "volatility_unhedged_daily_usd",
            "volatility_before_daily_usd",
            "cae_before_usd",
        )
    )
    if alone is None or now is None:
        return []
    line = (
        f"The bot alone swings by {words.usd(alone)} on a usual day, with the hedges that stood "
        f"by {words.usd(now)}"
    )
    return [f"{line}, as {words.usd(cae)} of BTC would." if cae is not None else f"{line}."]


def _signals(cycle: Document) -> list[str]:
    return [
        words.plain(one.get("sentence") or "")
        for one in cycle.get("signals") or ()
        if one.get("severity") in _WORTH_TELLING
    ]


def _left_out(cycle: Document) -> list[str]:
    return [
        f"Not in any figure: {words.plain(one.get('symbol'))} of {words.plain(one.get('source'))}, "
        f"{words.plain(one.get('reason'))}."
        for one in cycle.get("unmapped") or ()
    ]


def _news(events: Sequence[Document]) -> list[str]:
    """Closes by others."""
    return [
        f"Others closed a hedge in {words.base(str(one.get('symbol')))} "
        f"({words.plain(one.get('kind'))})."
        for one in events
        if one.get("event") == "hedge_closed_externally"
    ]


def _nearest(cycle: Document) -> list[str]:
    used = {
        str(cap): share
        for cap, value in (cycle.get("cap_use_before") or {}).items()
        if (share := words.number(value)) is not None
    }
    if not used:
        return ["No cap is set."]
    cap = max(used, key=lambda one: used[one])
    return [
        f"Every cap held; the nearest was {words.cap_label(cap)} at {words.percent(used[cap])}."
    ]


def _tightened(cycle: Document) -> list[str]:
    factor = words.number(cycle.get("caps_factor"))
    if factor is None or factor >= 1:
        return []
    reasons = "; ".join(words.plain(one) for one in cycle.get("caps_reasons") or ())
    return [f"Caps stood at {words.percent(factor)} of the config's: {reasons}."]


def _bound(cycle: Document) -> list[str]:
    """Caps with a price: the hedge would be another one if they were wider."""
    proposal = cycle.get("proposal") or {}
    lines = []
    for cap, value in (proposal.get("shadow_prices") or {}).items():
        price = words.number(value)
        if price is not None and price > 0:
            lines.append(
                f"The hedge ran into {words.cap_label(str(cap))}: one USD more of it would be "
                f"worth {words.amount(price)} USD a day."
            )
    for cap, value in (proposal.get("slacks_usd") or {}).items():
        slack = words.number(value)
        if slack:
            lines.append(
                f"No allowed hedge keeps {words.cap_label(str(cap))}: {words.usd(slack)} are left."
            )
    return lines
