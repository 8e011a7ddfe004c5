"""Orders into the journal: what is meant, what is about to be sent, what became of it."""

import sqlite3
from collections.abc import Iterable
from decimal import Decimal

from bot.errors import JournalError, SafetyError
from bot.journal.rows import (
    LEGAL_TRANSITIONS,
    SETTLED,
    IntentRecord,
    OrderRow,
    order_row,
    payload_hash,
    text_or_none,
)
from bot.journal.writer import JournalWriter, json_text
from bot.trading.orders import (
    Acknowledged,
    OrderOutcome,
    OrderRequest,
    OrderState,
    UnknownOutcome,
)

_ZERO = Decimal(0)
_INSERT_INTENT = "INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class OrderWrites(JournalWriter):
    """An order is in here as SENDING before a byte of it leaves, and only takes legal steps."""

    def record_intents(self, intents: Iterable[IntentRecord]) -> None:
        """Stores what is about to be carried out, with its inputs; all of it or nothing."""
        rows = self._intent_rows(intents)
        if not rows:
            return
        with self._transaction(f"record intents of cycle {rows[0][1]}") as db:
            db.executemany(_INSERT_INTENT, rows)

    def plan_intents(self, intents: Iterable[IntentRecord]) -> None:
        """The same with the next commit, which is at the latest that of the first order.

        So what is meant is on the disk before anything is sent, and the disk is waited for once.
        """
        if self._together:  # that is the next commit
            self.record_intents(intents)
        elif rows := self._intent_rows(intents):
            self._with_next.append((_INSERT_INTENT, rows))

    def _intent_rows(self, intents: Iterable[IntentRecord]) -> list[tuple[object, ...]]:
        now_ms = self._clock.now_ms()
        return [
            (
                intent.intent_id,
                intent.cycle_id,
                intent.account,
                intent.symbol,
                str(intent.trade_quantity),
                intent.limits_hash,
                json_text(intent.document, f"intent {intent.intent_id}"),
                now_ms,
            )
            for intent in intents
        ]

    def mark_sending(
        self,
        order: OrderRequest,
        *,
        account: str,
        leg: str,
        attempt: int,
        external_before: Decimal | None = None,
    ) -> None:
        """Makes an order durable before its only send. Once this returns, it may have been sent.

        Raises:
            SafetyError: the symbol has an order whose outcome is not known.
            JournalError: the client id was used before, or there is no such intent.
        """
        if any(o.symbol == order.symbol for o in self.unresolved_orders(account)):
            raise SafetyError(f"{order.symbol}: an earlier order is not resolved; nothing is sent")
        now_ms = self._clock.now_ms()
        values = (
            order.client_id,
            order.intent_id,
            account,
            order.symbol,
            order.side.value,
            order.position_side,
            str(order.quantity),
            str(order.limit_price),
            order.time_in_force,
            int(order.reduce_only),
            leg,
            attempt,
            self.epoch,
            payload_hash(order),
            text_or_none(external_before),
            OrderState.SENDING.value,
            now_ms,
            now_ms,
        )
        with self._transaction(f"record order {order.client_id} before sending") as db:
            db.execute(
                "INSERT INTO orders (client_id, intent_id, account, symbol, side, position_side, "
                "quantity, limit_price, time_in_force, reduce_only, leg, attempt, epoch, "
                "payload_hash, external_before, state, sent_ms, updated_ms, filled_quantity, "
                "booked_quantity, code, reason, negative_rounds) "
                "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,'0','0','','',0)",
                values,
            )
            self._order_event(db, order, OrderState.SENDING)

    def record_outcome(self, outcome: OrderOutcome) -> OrderRow:
        """Stores what is known of an order now: after its send, or after asking for it.

        Raises:
            JournalError: no such order, or its state may not follow the one it is in.
        """
        with self._transaction(f"record the outcome of {outcome.client_id}") as db:
            row = self._known(db, outcome.client_id)
            if isinstance(outcome, Acknowledged):
                return self._acknowledge(db, row, outcome)
            if isinstance(outcome, UnknownOutcome):
                self._move(db, row, OrderState.UNKNOWN, "", outcome.reason)
            else:
                self._move(db, row, OrderState.REJECTED, outcome.code, outcome.reason)
            return self._known(db, outcome.client_id)

    def record_answer(self, told: Acknowledged) -> OrderRow:
        """Stores what the venue says of an order that may have ended while it was being asked.

        Such an end stands; but what filled beyond what was known of it counts from now on, and is
        looked for until it is booked.

        Raises:
            JournalError: no such order, or its state may not follow the one it is in.
        """
        with self._transaction(f"record an answer about {told.client_id}") as db:
            row = self._known(db, told.client_id)
            if not row.state.final:
                return self._acknowledge(db, row, told)
            # Where an operator settled it, booking more than was said tells of it.
            if told.filled_quantity <= row.filled_quantity or row.code == SETTLED:
                return row
            return self._fill_late(db, row, told)

    def _fill_late(self, db: sqlite3.Connection, row: OrderRow, told: Acknowledged) -> OrderRow:
        db.execute(
            "UPDATE orders SET filled_quantity = ?, average_price = ?, updated_ms = ?, "
            "venue_order_id = coalesce(venue_order_id, ?) WHERE client_id = ?",
            (
                str(told.filled_quantity),
                text_or_none(told.average_price or row.average_price),
                self._clock.now_ms(),
                told.venue_order_id or None,
                row.client_id,
            ),
        )
        request = row.request
        document = {
            "symbol": row.symbol,
            "side": request.side.value,
            "quantity": str(request.quantity),
            "limit_price": str(request.limit_price),
            "state": row.state.value,
            "was": str(row.filled_quantity),
            "filled_quantity": str(told.filled_quantity),
        }
        self._insert_event(db, "order_filled_late", document, None, row.client_id)
        return self._known(db, row.client_id)

    def _acknowledge(
        self, db: sqlite3.Connection, row: OrderRow, outcome: Acknowledged
    ) -> OrderRow:
        filled = max(row.filled_quantity, outcome.filled_quantity)
        state = outcome.state
        if state is OrderState.LIVE and filled > 0:
            state = OrderState.PARTIAL  # an older answer than the one we had
        changed = (
            row.state is not state
            or filled != row.filled_quantity
            or row.venue_order_id != outcome.venue_order_id
        )
        if row.state.final and changed:
            raise JournalError(
                f"order {row.client_id}: is {row.state}, which is final; the venue now says "
                f"{state} with {outcome.filled_quantity} filled"
            )
        if not changed:
            return row
        _require_legal(row, state)
        average = outcome.average_price or row.average_price
        db.execute(
            "UPDATE orders SET venue_order_id = ?, filled_quantity = ?, average_price = ?, "
            "state = ?, code = '', reason = '', updated_ms = ? WHERE client_id = ?",
            (
                outcome.venue_order_id,
                str(filled),
                text_or_none(average),
                state.value,
                self._clock.now_ms(),
                row.client_id,
            ),
        )
        self._order_event(db, row.request, state, filled)
        return self._known(db, row.client_id)

    def settle(self, client_id: str, state: OrderState, reason: str) -> None:
        """Ends an order whose fate was worked out: absent, quarantined, or gone with its fills.

        Raises:
            JournalError: no such order, or the state may not follow.
        """
        with self._transaction(f"settle {client_id}") as db:
            self._move(db, self._known(db, client_id), state, "", reason)

    def sending_to_unknown(self) -> tuple[OrderRow, ...]:
        """After a crash nobody knows what became of an order in SENDING; the orders changed."""
        with self._transaction("recover") as db:
            rows = db.execute(
                "SELECT * FROM orders WHERE state = ? ORDER BY rowid", (OrderState.SENDING.value,)
            ).fetchall()
            for row in rows:
                reason = "the engine stopped between sending it and hearing of it"
                self._move(db, order_row(row), OrderState.UNKNOWN, "", reason)
            return tuple(self._known(db, row["client_id"]) for row in rows)

    def record_negative_round(self, client_id: str, rounds: int) -> None:
        """Stores how often in a row a complete look has not found an order (0: start again)."""
        now_ms = self._clock.now_ms()
        with self._transaction(f"record a look for {client_id}") as db:
            db.execute(
                "UPDATE orders SET negative_rounds = ?, last_round_ms = ?, "
                "first_round_ms = coalesce(first_round_ms, ?) WHERE client_id = ?",
                (rounds, now_ms, now_ms, client_id),
            )

    def _known(self, db: sqlite3.Connection, client_id: str) -> OrderRow:
        row = db.execute("SELECT * FROM orders WHERE client_id = ?", (client_id,)).fetchone()
        if row is None:
            raise JournalError(f"order {client_id}: not in the journal")
        return order_row(row)

    def _move(
        self, db: sqlite3.Connection, row: OrderRow, state: OrderState, code: str, reason: str
    ) -> None:
        """One legal step; standing still is no step and leaves no event."""
        if state is row.state:
            return
        _require_legal(row, state)
        db.execute(
            "UPDATE orders SET state = ?, code = ?, reason = ?, updated_ms = ? WHERE client_id = ?",
            (state.value, code, reason, self._clock.now_ms(), row.client_id),
        )
        self._order_event(db, row.request, state, row.filled_quantity, code=code, reason=reason)

    def _order_event(
        self,
        db: sqlite3.Connection,
        request: OrderRequest,
        state: OrderState,
        filled: Decimal = _ZERO,
        *,
        code: str = "",
        reason: str = "",
    ) -> None:
        """How the order stands since the write before."""
        cycle = db.execute(
            "SELECT cycle_id FROM intents WHERE intent_id = ?", (request.intent_id,)
        ).fetchone()
        document = {
            "symbol": request.symbol,
            "side": request.side.value,
            "position_side": request.position_side,
            "quantity": str(request.quantity),
            "limit_price": str(request.limit_price),
            "reduce_only": request.reduce_only,
            "filled_quantity": str(filled),
            "code": code,
            "reason": reason,
        }
        cycle_id = None if cycle is None else cycle["cycle_id"]
        self._insert_event(db, f"order_{state.value}", document, cycle_id, request.client_id)


def _require_legal(row: OrderRow, state: OrderState) -> None:
    if state is not row.state and state not in LEGAL_TRANSITIONS.get(row.state, frozenset()):
        raise JournalError(f"order {row.client_id}: {row.state} cannot become {state}")
