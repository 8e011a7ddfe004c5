"""What a row of cycles adds up to: where the book stands, what it cost, the verdict in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.report import words

Document = Mapping[str, Any]

STOPPED = frozenset({"held", "denied", "halted"})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where bot and hedges stood at the end of one cycle; None is unknown."""

    volatility_daily_usd: float | None
    cae_usd: float | None
    cap_use: Mapping[str, float | None]
    breaches: tuple[Document, ...]
    caps_known: bool

    @property
    def inside(self) -> bool | None:
        """Inside every cap; None where that is not known."""
        return not self.breaches if self.caps_known else None


def standing(document: Document) -> Standing:
    """After the cycle's trades, or as it stood before where the cycle did not get that far."""
    when = "after" if _reached_after(document) else "before"
    cap_use = document.get(f"cap_use_{when}") or {}
    breaches = tuple(document.get(f"breaches_{when}") or ())
    volatility = words.number(document.get(f"volatility_{when}_daily_usd"))
    return Standing(
        volatility_daily_usd=volatility,
        cae_usd=words.number(document.get(f"cae_{when}_usd")),
        cap_use={str(cap): words.number(use) for cap, use in cap_use.items()},
        breaches=breaches,
        caps_known=bool(cap_use or breaches),
    )


def _reached_after(document: Document) -> bool:
    return (
        words.number(document.get("volatility_after_daily_usd")) is not None
        or bool(document.get("cap_use_after"))
        or bool(document.get("breaches_after"))
    )


def latest(documents: Sequence[Document], *keys: str) -> Document | None:
    """The last cycle in which every key holds something; an empty list or mapping does not."""
    for document in reversed(documents):
        if all(document.get(key) not in (None, [], {}, ()) for key in keys):
            return document
    return None


def with_figures(documents: Sequence[Document]) -> Document | None:
    """The last cycle that knows its volatility."""
    for document in reversed(documents):
        if standing(document).volatility_daily_usd is not None:
            return document
    return None


def cap_names(documents: Sequence[Document]) -> list[str]:
    """Every cap that was set or measured in any cycle, in the order of the caps' own list."""
    seen: set[str] = set()
    for document in documents:
        seen.update(str(cap) for cap in document.get("cap_use_before") or {})
        seen.update(str(cap) for cap in document.get("cap_use_after") or {})
        limits = document.get("limits") or {}
        seen.update(str(cap) for cap, limit in limits.items() if words.number(limit) is not None)
    known = [cap for cap in words.CAPS if cap in seen]
    return known + sorted(seen.difference(known))


def relief(document: Document) -> float | None:
    """Share of the bot's volatility that the hedges take away; negative: they add to it."""
    alone = words.number(document.get("volatility_unhedged_daily_usd"))
    now = standing(document).volatility_daily_usd
    return 1 - now / alone if alone and now is not None else None


@dataclass(frozen=True, slots=True)
class Cost:
    """Money spent on hedging so far.

    ``fees_usd`` is exact over the fills that told their fee, ``fees_unknown`` counts the others.
    ``expected_usd`` is half-spread and impact as the carried-out proposals expected them; None
    where none was carried out. ``carry_usd_per_day`` is of the last proposal, negative: received.
    """

    fees_usd: Decimal
    fees_unknown: int
    fills: int
    expected_usd: float | None
    carry_usd_per_day: float | None


def cost_so_far(documents: Sequence[Document]) -> Cost:
    """Sum of what the cycles paid."""
    fees, unknown, fills = Decimal(0), 0, 0
    expected: list[float] = []
    for document in documents:
        for fill in document.get("fills") or ():
            fills += 1
            fee = words.exact(fill.get("fee_usd"))
            if fee is None:
                unknown += 1
            else:
                fees += fee
        proposal = document.get("proposal")
        if proposal and str(document.get("status")) == "hedged":
            parts = (words.number(proposal.get(key)) for key in ("spread_usd", "impact_usd"))
            expected.extend(part for part in parts if part is not None)
    last = latest(documents, "proposal")
    carry = None if last is None else words.number(last["proposal"].get("carry_usd_per_day"))
    return Cost(fees, unknown, fills, sum(expected) if expected else None, carry)


def status_counts(documents: Sequence[Document]) -> dict[str, int]:
    """How many cycles ended in each status, every known status named."""
    counted = Counter(str(document.get("status", "")) for document in documents)
    return {status: counted.pop(status, 0) for status in words.STATUS_WORDS} | dict(counted)


def verdict(documents: Sequence[Document]) -> list[str]:
    """Two to five sentences: what happened and where the book stands now."""
    if not documents:
        return ["No cycle has been recorded yet, so there is nothing to report."]
    counts = status_counts(documents)
    told = ", ".join(f"{n} {words.status_words(s)}" for s, n in counts.items() if n)
    many = "1 cycle" if len(documents) == 1 else f"{len(documents):,} cycles"
    sentences = [f"{many}: {told}."]
    known = with_figures(documents)
    if known is None:
        sentences.append("No cycle got far enough to measure the book's risk.")
    else:
        if known is not documents[-1]:
            when = words.clock_text(known)
            sentences.append(f"The last cycle measured no risk; the figures are of {when} UTC.")
        sentences.append(_volatility_sentence(known))
        sentences.append(_caps_sentence(known))
    if str(documents[-1].get("status")) in STOPPED:
        sentences.append(_stopped_sentence(documents[-1]))
    return sentences


def _volatility_sentence(document: Document) -> str:
    now = standing(document).volatility_daily_usd
    alone = words.number(document.get("volatility_unhedged_daily_usd"))
    share = relief(document)
    if share is None:
        return f"On a usual day (one standard deviation) the book swings by {words.usd(now)}."
    change = f"{words.percent(abs(share))} {'less' if share >= 0 else 'more'}"
    return (
        f"On a usual day (one standard deviation) the bot alone would swing by {words.usd(alone)}; "
        f"with the hedges it is {words.usd(now)}, {change}."
    )


def _caps_sentence(document: Document) -> str:
    state = standing(document)
    if state.breaches:
        told = "; ".join(words.breach_sentence(breach) for breach in state.breaches)
        return f"The book is over {_count(len(state.breaches), 'cap')}: {told}."
    known = {cap: use for cap, use in state.cap_use.items() if use is not None}
    if not known:
        return "No cap was measured."
    tightest = max(known, key=lambda cap: known[cap])
    return (
        f"{_count(len(known), 'cap')} measured, none exceeded; "
        f"the tightest is {words.cap_label(tightest)} at {words.percent(known[tightest])}."
    )


def _stopped_sentence(document: Document) -> str:
    status = words.status_words(document.get("status"))
    reason = words.plain(document.get("reason") or "no reason was given").rstrip(".")
    return f"The last cycle was {status}: {reason}."


def _count(how_many: int, noun: str) -> str:
    return f"1 {noun}" if how_many == 1 else f"{how_many} {noun}s"
