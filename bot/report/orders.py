"""Orders of a report, row by row, with what was paid beyond the mark."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.report import words
from bot.report.history import Document


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
