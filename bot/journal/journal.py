"""The journal: what the engine meant, sent, was told and booked, durable before it acts.

One SQLite file, write-ahead log, every commit on the disk before it returns. An order is in here
as SENDING before a byte of it leaves; whatever happens afterwards, nothing that was sent can be
forgotten, and nothing that was executed can be booked twice.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from bot.errors import JournalError, SafetyError
from bot.journal.closes import close_document, insert_close, insert_venue_close, newest_fill_ms
from bot.journal.reader import FUNDING_WATERMARK, POSITIONS
from bot.journal.rows import (
    LEGAL_TRANSITIONS,
    IntentRecord,
    OrderRow,
    fill_row,
    order_row,
    payload_hash,
    require_same,
    text_or_none,
)
from bot.journal.writer import JournalWriter, json_text
from bot.ports import Clock
from bot.trading.attribution import HedgeClosedExternally
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import (
    Acknowledged,
    Fill,
    OrderOutcome,
    OrderRequest,
    OrderState,
    UnknownOutcome,
)
from bot.trading.venue_closes import VenueTrade
from risk.errors import DataError

NOTE_EVERY_FILLS = 1_000
"""So many fills a start reads at most, apart from those since others closed a hedge."""

_INSERT_INTENT = "INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Journal(JournalWriter):
    """Orders, their outcomes and their executions, over the tables that JournalWriter opens."""

    def __init__(self, path: Path, connection: sqlite3.Connection, clock: Clock) -> None:
        """Use ``open``."""
        super().__init__(path, connection, clock)
        self._noted_at: dict[str, tuple[int, int]] = {}  # newest fill and close that are in it

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
        rows = self._intent_rows(intents)
        if rows:
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
            self._order_event(db, order.client_id)

    def record_outcome(self, outcome: OrderOutcome) -> OrderRow:
        """Stores what is known of an order now: after its send, or after asking for it.

        Raises:
            JournalError: no such order, or its state may not follow the one it is in.
        """
        with self._transaction(f"record the outcome of {outcome.client_id}") as db:
            row = self._known(db, outcome.client_id)
            if isinstance(outcome, Acknowledged):
                self._acknowledge(db, row, outcome)
            elif isinstance(outcome, UnknownOutcome):
                self._move(db, row, OrderState.UNKNOWN, "", outcome.reason)
            else:
                self._move(db, row, OrderState.REJECTED, outcome.code, outcome.reason)
            return self._known(db, outcome.client_id)

    def _acknowledge(self, db: sqlite3.Connection, row: OrderRow, outcome: Acknowledged) -> None:
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
            return
        average = outcome.average_price or row.average_price
        db.execute(
            "UPDATE orders SET venue_order_id = ?, filled_quantity = ?, average_price = ? "
            "WHERE client_id = ?",
            (outcome.venue_order_id, str(filled), text_or_none(average), row.client_id),
        )
        self._move(db, row, state, "", "", even_same=True)

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
        self,
        db: sqlite3.Connection,
        row: OrderRow,
        state: OrderState,
        code: str,
        reason: str,
        *,
        even_same: bool = False,
    ) -> None:
        """One legal step; standing still is no step and leaves no event unless asked for."""
        if state is row.state and not even_same:
            return
        if state is not row.state and state not in LEGAL_TRANSITIONS.get(row.state, frozenset()):
            raise JournalError(f"order {row.client_id}: {row.state} cannot become {state}")
        db.execute(
            "UPDATE orders SET state = ?, code = ?, reason = ?, updated_ms = ? WHERE client_id = ?",
            (state.value, code, reason, self._clock.now_ms(), row.client_id),
        )
        self._order_event(db, row.client_id)

    def _order_event(self, db: sqlite3.Connection, client_id: str) -> None:
        row = self._known(db, client_id)
        cycle = db.execute(
            "SELECT cycle_id FROM intents WHERE intent_id = ?", (row.request.intent_id,)
        ).fetchone()
        document = {
            "symbol": row.symbol,
            "side": row.request.side.value,
            "position_side": row.request.position_side,
            "quantity": str(row.request.quantity),
            "limit_price": str(row.request.limit_price),
            "reduce_only": row.request.reduce_only,
            "filled_quantity": str(row.filled_quantity),
            "code": row.code,
            "reason": row.reason,
        }
        cycle_id = None if cycle is None else cycle["cycle_id"]
        self._insert_event(db, f"order_{row.state.value}", document, cycle_id, client_id)

    def record_fills(
        self, account: str, symbol: str, fills: Iterable[Fill], *, read_ms: int
    ) -> tuple[Fill, ...]:
        """Books executions of our orders, each once; other people's are left alone.

        Args:
            fills: everything that the venue reported for the symbol.
            read_ms: when it was asked, which becomes the watermark.

        Returns:
            Those that were new, with the client id of their order.

        Raises:
            DataError: a fill contradicts its order, or one already booked under its id.
        """
        try:
            with self._transaction(f"book fills of {symbol}") as db:
                booked = [b for f in fills if (b := self._book(db, account, symbol, f)) is not None]
                self._set_watermark(db, account, symbol, read_ms)
        except DataError as error:
            document = {"symbol": symbol, "reason": str(error)}
            self.record_event("fill_contradiction", document)
            raise
        self._note_positions(account)
        return tuple(booked)

    def _note_positions(self, account: str) -> None:
        """Writes down what all fills add up to, now and then: a start begins there."""
        known = self._positions.get(account)
        if known is None:
            return
        if account not in self._noted_at:
            noted = self._noted(account)
            self._noted_at[account] = (0, 0) if noted is None else (noted.fill, noted.close)
        fill, close = self._noted_at[account]
        if known.fill - fill < NOTE_EVERY_FILLS and (known.close == close or known.fill == fill):
            return
        self.set_meta(POSITIONS + account, json_text(known.document(), "positions"))
        self._noted_at[account] = known.fill, known.close

    def _book(self, db: sqlite3.Connection, account: str, symbol: str, fill: Fill) -> Fill | None:
        earlier = db.execute(
            "SELECT * FROM fills WHERE account = ? AND symbol = ? AND trade_id = ?",
            (account, symbol, fill.trade_id),
        ).fetchone()
        if earlier is not None and fill_row(earlier).fill == fill:
            return None  # most of what is read was read before
        # By client id where the venue tells it: its own ids may start anew, ours never do.
        column, value = (
            ("client_id", fill.client_id)
            if fill.client_id
            else ("venue_order_id", fill.venue_order_id)
        )
        found = db.execute(
            f"SELECT * FROM orders WHERE account = ? AND symbol = ? AND {column} = ?",  # noqa: S608 - one of two names above
            (account, symbol, value),
        ).fetchone()
        if found is None:
            return None
        order = order_row(found)
        if fill.symbol != symbol or fill.side is not order.request.side or fill.quantity <= 0:
            raise DataError(
                f"{symbol}: trade {fill.trade_id} ({fill.side} {fill.quantity} {fill.symbol}) "
                f"contradicts its order ({order.request.side} {order.request.quantity})"
            )
        if earlier is not None:
            require_same(fill_row(earlier).fill, replace(fill, client_id=order.client_id))
            return None
        self._insert_fill(db, order, fill)
        return replace(fill, client_id=order.client_id)

    def _insert_fill(self, db: sqlite3.Connection, order: OrderRow, fill: Fill) -> None:
        db.execute(
            "INSERT INTO fills VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                order.account,
                fill.symbol,
                fill.trade_id,
                order.client_id,
                fill.venue_order_id,
                fill.side.value,
                order.request.position_side,
                str(fill.quantity),
                str(fill.price),
                text_or_none(fill.fee_usd),
                text_or_none(fill.realised_pnl_usd),
                int(fill.maker),
                fill.timestamp_ms,
                self._clock.now_ms(),
            ),
        )
        booked = order.booked_quantity + fill.quantity
        db.execute(
            "UPDATE orders SET booked_quantity = ?, venue_order_id = coalesce(venue_order_id, ?) "
            "WHERE client_id = ?",
            (str(booked), fill.venue_order_id, order.client_id),
        )
        if booked > order.request.quantity:
            document = {
                "symbol": fill.symbol,
                "quantity": str(order.request.quantity),
                "booked_quantity": str(booked),
            }
            self._insert_event(db, "order_overfilled", document, None, order.client_id)

    def record_funding(
        self, account: str, receipts: Iterable[FundingReceipt], *, read_ms: int
    ) -> int:
        """Books funding payments read at ``read_ms``, each once; how many were new."""
        with self._transaction("book funding") as db:
            new = 0
            for receipt in receipts:
                new += db.execute(
                    "INSERT OR IGNORE INTO funding VALUES (?, ?, ?, ?, ?)",
                    (
                        account,
                        receipt.receipt_id,
                        receipt.symbol,
                        str(receipt.amount_usd),
                        receipt.timestamp_ms,
                    ),
                ).rowcount
            self._set_watermark(db, account, FUNDING_WATERMARK, read_ms)
            return new

    def _set_watermark(
        self, db: sqlite3.Connection, account: str, symbol: str, read_ms: int
    ) -> None:
        db.execute(
            "INSERT INTO watermarks VALUES (?, ?, ?) ON CONFLICT (account, symbol) "
            "DO UPDATE SET timestamp_ms = max(timestamp_ms, excluded.timestamp_ms)",
            (account, symbol, read_ms),
        )

    def record_external_close(
        self,
        account: str,
        change: HedgeClosedExternally,
        *,
        timestamp_ms: int,
        trades: Sequence[VenueTrade] = (),
    ) -> None:
        """Books that others closed a part of a hedge of ours; no fill is invented for it.

        Args:
            timestamp_ms: when it was seen, for a close whose trades are not known.
            trades: executions by others that make up all of it, each of which is booked once.

        Raises:
            DataError: the symbol has an order that is not resolved and may be the cause.
        """
        if any(o.symbol == change.symbol for o in self.unresolved_orders(account)):
            raise DataError(
                f"{change.symbol}: the account holds {change.venue_quantity}, the journal "
                f"{change.own_quantity}, and an order of ours is not resolved; waiting for it"
            )
        with self._transaction(f"book a close by others in {change.symbol}") as db:
            if not trades:
                insert_close(db, account, change, change.quantity_change, timestamp_ms)
            # Whoever moved the account before we traded takes from what we have now, not then.
            held_since_ms = newest_fill_ms(db, account, change)
            for trade in trades:
                signed = trade.fill.side.sign * trade.fill.quantity
                at_ms = max(trade.fill.timestamp_ms, held_since_ms)
                close_id = insert_close(db, account, change, signed, at_ms)
                insert_venue_close(db, close_id, account, trade)
            document = close_document(change, trades)
            self._insert_event(db, "hedge_closed_externally", document, None, None)
