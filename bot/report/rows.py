"""The tables of a report, row by row, every cell ready as text; escaping is the template's part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.report import words
from bot.report.history import STOPPED, Document, cap_names, standing


@dataclass(frozen=True, slots=True)
class CapRow:
    """One cap at the end of a cycle; ``width``: percent of a bar that is full at 120 % use."""

    label: str
    value: str
    limit: str
    use: str
    use_before: str
    share: float | None
    width: float
    over: bool
    known: bool


@dataclass(frozen=True, slots=True)
class BookRow:
    """One symbol of bot and hedges."""

    symbol: str
    full: str
    bot: str
    hedge_before: str
    trade: str
    hedge: str
    net: str
    mark: str
    contribution: str
    crowding: str
    is_bot: bool
    is_hedge: bool


@dataclass(frozen=True, slots=True)
class CycleRow:
    """One cycle."""

    time: str
    cycle_id: str
    status: str
    status_words: str
    bot: str
    hedge: str
    unhedged: str
    before: str
    after: str
    cae_before: str
    cae_after: str
    breaches: str
    orders: int
    fills: int
    reason: str


@dataclass(frozen=True, slots=True)
class TroubleRow:
    """A cycle that found a cap exceeded, or that was stopped; None where caps were not measured."""

    time: str
    cycle_id: str
    status: str
    status_words: str
    reason: str
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None


def cap_rows(document: Document) -> list[CapRow]:
    """Every cap that is set or measured, as it stands at the end of the cycle."""
    state = standing(document)
    limits = document.get("limits") or {}
    before = document.get("cap_use_before") or {}
    over = {str(breach.get("cap")) for breach in state.breaches}
    rows = []
    for cap in cap_names([document]):
        use, limit = state.cap_use.get(cap), words.number(limits.get(cap))
        value = use * limit if use is not None and limit is not None else None
        rows.append(
            CapRow(
                label=words.cap_label(cap),
                value=words.cap_value(cap, value),
                limit=words.cap_value(cap, limit),
                use=words.percent(use),
                use_before=words.percent(words.number(before.get(cap))),
                share=use,
                width=min(100.0, max(0.0, (use or 0.0) / 1.2 * 100)),
                over=cap in over,
                known=use is not None,
            )
        )
    return rows


def book_rows(document: Document) -> list[BookRow]:
    """Every position and hedge of the cycle, the bot's first, the largest first."""
    exposure = document.get("exposure") or {}
    contributions = exposure.get("contributions_usd") or {}
    crowding = document.get("crowding") or {}
    legs = [leg for leg in document.get("legs") or () if _matters(leg)]
    legs.sort(key=lambda leg: (not leg.get("bot_usd"), -_size(leg), str(leg.get("symbol"))))
    return [_book_row(leg, contributions, crowding) for leg in legs]


def _matters(leg: Document) -> bool:
    keys = ("bot_usd", "hedge_before_usd", "trade_usd", "hedge_after_usd")
    return any(leg.get(key) not in (None, 0, 0.0) for key in keys)


def _size(leg: Document) -> float:
    bot = words.number(leg.get("bot_usd")) or 0.0
    return abs(bot) if bot else abs(words.number(leg.get("hedge_after_usd")) or 0.0)


def _book_row(
    leg: Document, contributions: Mapping[str, Any], crowding: Mapping[str, Any]
) -> BookRow:
    symbol = str(leg.get("symbol", ""))
    bot, hedge = words.number(leg.get("bot_usd")), words.number(leg.get("hedge_after_usd"))
    before = words.number(leg.get("hedge_before_usd"))
    score = words.number(crowding.get(symbol))
    net = None if bot is None or hedge is None else bot + hedge
    return BookRow(
        symbol=words.base(symbol),
        full=words.plain(symbol),
        bot=words.signed(bot) if bot else words.ABSENT,
        hedge_before=words.signed(before) if before else words.ABSENT,
        trade=words.signed(words.number(leg.get("trade_usd")) or None),
        hedge=words.signed(hedge) if hedge else words.ABSENT,
        net=words.signed(net),
        mark=words.price(words.number(leg.get("mark_price"))),
        contribution=words.signed(words.number(contributions.get(symbol))),
        crowding=words.ABSENT if score is None else f"{score:+.1f}".replace("-", words.MINUS),
        is_bot=bool(bot),
        is_hedge=bool(hedge or before or leg.get("trade_usd")),
    )


def cycle_rows(documents: Sequence[Document]) -> list[CycleRow]:
    """Every cycle, the newest first."""
    return [_cycle_row(document) for document in reversed(documents)]


def _cycle_row(document: Document) -> CycleRow:
    def figure(key: str) -> str:
        return words.amount(words.number(document.get(key)))

    status = str(document.get("status", ""))
    before, after = (len(document.get(f"breaches_{when}") or ()) for when in ("before", "after"))
    measured = standing(document).volatility_daily_usd is not None
    return CycleRow(
        time=words.clock_text(document),
        cycle_id=words.plain(document.get("cycle_id", "")),
        status=status if status in words.STATUS_WORDS else "other",
        status_words=words.status_words(status),
        bot=figure("bot_gross_usd"),
        hedge=figure("hedge_gross_usd"),
        unhedged=figure("volatility_unhedged_daily_usd"),
        before=figure("volatility_before_daily_usd"),
        after=figure("volatility_after_daily_usd"),
        cae_before=figure("cae_before_usd"),
        cae_after=figure("cae_after_usd"),
        breaches=f"{before} → {after}" if measured or before or after else words.ABSENT,
        orders=len(document.get("orders") or ()),
        fills=len(document.get("fills") or ()),
        reason=words.plain(document.get("reason") or ""),
    )


def trouble_rows(documents: Sequence[Document]) -> list[TroubleRow]:
    """Cycles with a breach, and those held, denied or halted, the newest first."""
    rows = []
    for document in reversed(documents):
        before, after = (_breaches_told(document, when) for when in ("before", "after"))
        status = str(document.get("status", ""))
        if before or after or status in STOPPED:
            rows.append(
                TroubleRow(
                    time=words.clock_text(document),
                    cycle_id=words.plain(document.get("cycle_id", "")),
                    status=status if status in words.STATUS_WORDS else "other",
                    status_words=words.status_words(status),
                    reason=words.plain(document.get("reason") or ""),
                    before=before,
                    after=after,
                )
            )
    return rows


def _breaches_told(document: Document, when: str) -> tuple[str, ...] | None:
    breaches = document.get(f"breaches_{when}") or ()
    if not breaches and not document.get(f"cap_use_{when}"):
        return None
    return tuple(words.breach_sentence(breach) for breach in breaches)
