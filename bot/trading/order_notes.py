"""What is written down and told of single orders: denials, and how orders went."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.controls.facts import Denied
from bot.controls.guard import Guard
from bot.controls.table import FRESHNESS, number_of
from bot.journal.journal import Journal
from bot.journal.rows import OrderRow
from bot.trading.orders import OrderRequest

OrderObserver = Callable[[str, Mapping[str, Any]], None]


class OrderNotes:
    """Journals denials, and tells an observer of every order."""

    def __init__(self, journal: Journal, guard: Guard, observe: OrderObserver | None) -> None:
        self._journal = journal
        self._guard = guard
        self._observe = observe

    def denied(self, request: OrderRequest, denied: Denied, cycle_id: str) -> None:
        """A control said no, and its effect takes place."""
        document = {
            "symbol": request.symbol,
            "side": request.side.value,
            "quantity": str(request.quantity),
            "limit_price": str(request.limit_price),
            "control": denied.control,
            "number": number_of(denied.control),
            "reason": denied.reason,
        }
        self._journal.record_event(
            "order_denied", document, cycle_id=cycle_id, client_id=request.client_id
        )
        if self._observe is not None:
            self._observe("order_denied", {"client_id": request.client_id, **document})
        if number_of(denied.control) == FRESHNESS:
            self._guard.held(denied.reason)
        self._guard.acted(denied, request.symbol)

    def went(self, row: OrderRow, detail: str) -> None:
        """How an order stands now."""
        if self._observe is None:
            return
        facts = {
            "client_id": row.client_id,
            "symbol": row.symbol,
            "side": row.request.side.value,
            "quantity": str(row.request.quantity),
            "limit_price": str(row.request.limit_price),
            "reduce_only": row.request.reduce_only,
            "filled_quantity": str(row.filled_quantity),
            "average_price": None if row.average_price is None else str(row.average_price),
            "detail": detail,
        }
        self._observe(f"order_{row.state.value}", facts)
