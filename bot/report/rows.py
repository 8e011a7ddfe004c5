"""The tables of a report, row by row, every cell ready as text; escaping is the template's part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.report import words
from bot.report.history import STOPPED, Document, cap_names, latest, standing
from bot.report.reasons import reason_facts


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
class OrderRow:
    """One order and what was filled of it."""

    time: str
    cycle_id: str
    symbol: str
    full: str
    side: str
    quantity: str
    filled: str
    limit: str
    average: str
    slip: str
    fee: str
    state: str
    detail: str


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


def order_rows(documents: Sequence[Document], at_most: int) -> list[OrderRow]:
    """The newest orders first, not more than ``at_most``."""
    rows: list[OrderRow] = []
    for document in reversed(documents):
        for order in reversed(document.get("orders") or ()):
            if len(rows) >= at_most:
                return rows
            rows.append(_order_row(document, order))
    return rows


def _order_row(document: Document, order: Document) -> OrderRow:
    symbol, client_id = str(order.get("symbol", "")), order.get("client_id")
    fills = [f for f in document.get("fills") or () if f.get("client_id") == client_id]
    average = _average_price(fills)
    fees = [words.exact(fill.get("fee_usd")) for fill in fills]
    known = [fee for fee in fees if fee is not None]
    fee_text = f"{sum(known):,.4f}" if known and len(known) == len(fees) else None
    return OrderRow(
        time=words.clock_text(document, "%m-%d %H:%M"),
        cycle_id=words.plain(document.get("cycle_id", "")),
        symbol=words.base(symbol),
        full=words.plain(symbol),
        side=_side(order),
        quantity=words.plain(order.get("quantity", "")),
        filled=words.plain(order.get("filled_quantity", "")),
        limit=words.plain(order.get("limit_price", "")),
        average=words.price(None if average is None else float(average)),
        slip=_slip(document, order, average),
        fee=fee_text or words.ABSENT,
        state=words.plain(order.get("state", "")),
        detail=words.plain(order.get("detail") or ""),
    )


def _side(order: Document) -> str:
    side = words.plain(order.get("side", ""))
    return f"{side}, reduce only" if order.get("reduce_only") else side


def _average_price(fills: Sequence[Document]) -> Decimal | None:
    pairs = [(words.exact(f.get("quantity")), words.exact(f.get("price"))) for f in fills]
    known = [(quantity, price) for quantity, price in pairs if quantity and price is not None]
    if not known or len(known) < len(pairs):
        return None
    return sum((q * p for q, p in known), Decimal(0)) / sum((q for q, _ in known), Decimal(0))


def _slip(document: Document, order: Document, average: Decimal | None) -> str:
    """Basis points paid beyond the mark of the cycle; negative: better than the mark."""
    marks = {leg.get("symbol"): leg.get("mark_price") for leg in document.get("legs") or ()}
    mark = words.number(marks.get(order.get("symbol")))
    if average is None or not mark:
        return words.ABSENT
    sign = 1 if order.get("side") == "buy" else -1
    return f"{sign * (float(average) / mark - 1) * 1e4:.1f}".replace("-", words.MINUS)


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


def proposal_facts(documents: Sequence[Document]) -> list[tuple[str, str]]:
    """The last proposal as name and figure; empty when there was none."""
    document = latest(documents, "proposal")
    if document is None:
        return []
    proposal = document["proposal"]

    def figure(key: str) -> float | None:
        return words.number(proposal.get(key))

    carry = figure("carry_usd_per_day")
    facts = [
        ("Strategy", words.plain(proposal.get("strategy", ""))),
        ("Decided", f"{words.clock_text(document)} UTC"),
        ("Expected volatility, daily", words.usd(figure("expected_volatility_daily_usd"))),
        ("Expected correlation-adjusted exposure", words.usd(figure("expected_cae_usd"))),
        ("Fee, spread, impact", _trade_cost(figure)),
        ("Funding", carry_words(carry)),
        ("Solver", words.plain(proposal.get("solver_status", ""))),
    ]
    prices = proposal.get("shadow_prices") or {}
    for cap, price in sorted(prices.items()):
        worth = words.number(price)
        if worth:
            facts.append(
                (f"Worth of one more USD of {words.cap_label(cap)}", words.amount(worth) + " USD")
            )
    for cap, slack in sorted((proposal.get("slacks_usd") or {}).items()):
        facts.append((f"Relaxed: {words.cap_label(cap)}", words.usd(words.number(slack))))
    return [*facts, *reason_facts(proposal)]


def _trade_cost(figure: Any) -> str:
    parts = [figure(key) for key in ("fee_usd", "spread_usd", "impact_usd")]
    if any(part is None for part in parts):
        return " + ".join(words.money(part) for part in parts)
    told = " + ".join(words.money(part).removesuffix(" USD") for part in parts)
    return f"{told} = {words.money(sum(parts))}"


def carry_words(carry_usd_per_day: float | None) -> str:
    """Who pays the funding, in words."""
    if carry_usd_per_day is None:
        return words.ABSENT
    verb = "paid" if carry_usd_per_day > 0 else "received"
    return f"{words.money(abs(carry_usd_per_day))} {verb} a day"
