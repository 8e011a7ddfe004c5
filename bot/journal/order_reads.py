"""Orders out of the journal."""

import sqlite3
from decimal import Decimal

from bot.journal.migrations import UNRESOLVED
from bot.journal.opened import OpenedJournal
from bot.journal.rows import OrderRow, order_row


class OrderReads(OpenedJournal):
    """What was sent, and what of it may still change a position."""

    def order(self, client_id: str) -> OrderRow | None:
        """One order."""
        rows = self._rows("SELECT * FROM orders WHERE client_id = ?", client_id)
        return order_row(rows[0]) if rows else None

    def orders(self, cycle_id: str) -> tuple[OrderRow, ...]:
        """The orders of one cycle, as they were sent."""
        rows = self._rows(
            "SELECT orders.* FROM orders JOIN intents USING (intent_id) "
            "WHERE intents.cycle_id = ? ORDER BY orders.rowid",
            cycle_id,
        )
        return tuple(order_row(row) for row in rows)

    def cycles_with_intents(self, newest: int = 200) -> frozenset[str]:
        """Ids of the cycles that wrote down the newest intents, also of those never recorded."""
        sql = "SELECT cycle_id FROM intents ORDER BY rowid DESC LIMIT ?"
        return frozenset(str(row["cycle_id"]) for row in self._rows(sql, newest))

    def unresolved_orders(self, account: str | None = None) -> tuple[OrderRow, ...]:
        """Orders that may still change our position: unknown, open, or with fills to be booked.

        Quarantined ones are among them: they are final, yet nobody knows what they did.
        """
        found = self._recall("unresolved", ("orders",), self._unresolved)
        return tuple(o for o in found if account in (None, o.account))

    def _unresolved(self) -> tuple[OrderRow, ...]:
        # The plus keeps SQLite from reading all orders only because they lie in order of rowid.
        rows = self._rows(f"SELECT * FROM orders WHERE {UNRESOLVED} ORDER BY +rowid")  # noqa: S608 - a constant
        found = (order_row(row) for row in rows)
        return tuple(o for o in found if o.unresolved)

    def accounts(self) -> tuple[str, ...]:
        """Accounts in which an order was ever sent, sorted."""
        rows = self._rows("SELECT DISTINCT account FROM orders ORDER BY account")
        return tuple(str(row["account"]) for row in rows)

    def symbols_traded(self, account: str, since_ms: int = 0) -> tuple[str, ...]:
        """Symbols in which an order was sent since then, sorted."""
        rows = self._rows(
            "SELECT DISTINCT symbol FROM orders WHERE account = ? AND sent_ms >= ? ORDER BY symbol",
            account,
            since_ms,
        )
        return tuple(str(row["symbol"]) for row in rows)

    def _first_sent_ms(self, account: str) -> int | None:
        """When the first order of all was sent; None without any."""

        def read() -> int | None:
            sql = "SELECT min(sent_ms) AS first FROM orders WHERE account = ?"
            first = self._rows(sql, account)[0]["first"]
            return None if first is None else int(first)

        return self._recall(("first", account), ("orders",), read)

    def sent_since(self, account: str, symbol: str, since_ms: int) -> list[sqlite3.Row]:
        """Orders of a symbol since then, oldest first, with what their intents are about.

        Of each its client_id, intent_id, side, quantity, filled_quantity, state and sent_ms as they
        are stored, the trade_quantity of its intent, and its inputs as a JSON text.
        """
        # Asked at every order, and there may be hundreds: no more of each than is wanted.
        return self._rows(
            "SELECT client_id, orders.intent_id, side, quantity, filled_quantity, state, sent_ms, "
            "intents.trade_quantity, intents.document AS inputs FROM orders "
            "JOIN intents USING (intent_id) WHERE orders.account = ? AND orders.symbol = ? "
            "AND orders.sent_ms >= ? ORDER BY orders.sent_ms, orders.rowid",
            account,
            symbol,
            since_ms,
        )

    def filled_before(self, account: str, symbol: str, since_ms: int) -> dict[str, Decimal]:
        """What earlier orders filled of the intents that have orders since then, base units.

        As ``filled_of_intent`` has it; without those of which there are none.
        """
        rows = self._rows(
            "SELECT intent_id, filled_quantity, booked_quantity FROM (SELECT DISTINCT intent_id "
            "FROM orders WHERE account = ? AND symbol = ? AND sent_ms >= ?) CROSS JOIN orders "
            "USING (intent_id) WHERE sent_ms < ?",
            account,
            symbol,
            since_ms,
            since_ms,
        )
        found: dict[str, Decimal] = {}
        for row in rows:
            filled = max(Decimal(row["filled_quantity"]), Decimal(row["booked_quantity"]))
            found[row["intent_id"]] = found.get(row["intent_id"], Decimal(0)) + filled
        return found

    def filled_of_intent(self, intent_id: str, before_ms: int) -> Decimal:
        """What orders of an intent that were sent before then filled, base units.

        As the venue told of each order, or by its executions where those are more: an order that
        counted as absent may have filled all the same, and one that arrived twice filled twice.
        """
        rows = self._rows(
            "SELECT filled_quantity, booked_quantity FROM orders WHERE intent_id = ? "
            "AND sent_ms < ?",
            intent_id,
            before_ms,
        )
        told = ((Decimal(row["filled_quantity"]), Decimal(row["booked_quantity"])) for row in rows)
        return sum((max(pair) for pair in told), Decimal(0))

    def legs_of_intent(self, intent_id: str) -> list[str]:
        """Names of an intent's orders within it, in the order in which they were sent."""
        rows = self._rows("SELECT leg FROM orders WHERE intent_id = ? ORDER BY rowid", intent_id)
        return [str(row["leg"]) for row in rows]
