"""Keeps what orders cost: one event for a plan, and for orders whose end is learnt later."""

from collections.abc import Iterable
from decimal import Decimal

from bot.journal.journal import Journal
from bot.ports import Quote
from bot.trading.order_costs import OrderCost, Touch, arrival_of, order_cost, touch_of

_MOST_TOUCHES = 1000


class CostBook:
    """The costs of one account's orders."""

    def __init__(self, journal: Journal, account: str) -> None:
        self._journal = journal
        self._account = account
        self._touches: dict[str, Touch] = {}

    def note_touch(self, client_id: str, quote: Quote) -> None:
        """The best prices when an order left; they are not known after a restart."""
        self._touches[client_id] = touch_of(quote)
        while len(self._touches) > _MOST_TOUCHES:
            del self._touches[next(iter(self._touches))]

    def of(self, client_id: str) -> OrderCost | None:
        """The cost of an order that ended with all its fills booked; None of any other."""
        row = self._journal.order(client_id)
        if row is None or row.unresolved or not row.booked_quantity:
            return None
        mine, inputs = self._journal.fills_of_order(client_id)
        arrival = arrival_of(inputs.get("arrival"))
        if arrival is None or not mine:
            return None
        return order_cost(
            [own.fill for own in mine],
            arrival,
            self._touches.get(client_id),
            client_id=client_id,
            intent_id=row.request.intent_id,
            intent_quantity=Decimal(str(inputs.get("quantity", row.request.quantity))),
            style=str(inputs.get("style", "ioc")),
        )

    def record(
        self, client_ids: Iterable[str], cycle_id: str | None = None
    ) -> tuple[OrderCost, ...]:
        """Stores the costs of these orders, of those that have any.

        Raises:
            JournalError: it cannot be read or written.
        """
        found = tuple(cost for one in client_ids if (cost := self.of(one)) is not None)
        if found:
            document = {"costs": [cost.document() for cost in found]}
            self._journal.record_event("order_costs", document, cycle_id=cycle_id)
        return found

    def record_missing(self, since_ms: int) -> tuple[OrderCost, ...]:
        """Stores what a crash kept from being stored, of orders that filled since then."""
        known = {
            cost["client_id"]
            for event in self._journal.kept_events("order_costs", since_ms=since_ms)
            for cost in event.document["costs"]
        }
        filled = {
            own.fill.client_id
            for own in self._journal.own_fills(self._account, since_ms)
            if own.fill.client_id not in known
        }
        return self.record(sorted(filled))
