"""Executions, funding and closes by others into the journal, each once."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bot.journal.closes import close_document, insert_close, insert_venue_close, newest_fill_ms
from bot.journal.order_writes import OrderWrites
from bot.journal.reader import FUNDING_WATERMARK, POSITIONS
from bot.journal.rows import SETTLED, OrderRow, fill_row, order_row, require_same, text_or_none
from bot.journal.writer import json_text
from bot.ports import Clock
from bot.trading.attribution import HedgeClosedExternally
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import Fill
from bot.trading.venue_closes import VenueTrade
from risk.errors import DataError

CLOCK_LEAD_MS = 1_000
"""So far ahead of the exchange's clock ours may run while orders leave, by the control of it."""

NOTE_EVERY_FILLS = 1_000
"""So many fills a start reads at most, apart from those since others closed a hedge."""


class FillWrites(OrderWrites):
    """Fills book on orders; what they add up to is noted now and then."""

    def __init__(self, path: Path, connection: sqlite3.Connection, clock: Clock) -> None:
        """Use ``open``."""
        super().__init__(path, connection, clock)
        self._noted_at: dict[str, tuple[int, int]] = {}  # newest fill and close that are in it
        self._told: dict[tuple[str, str], dict[str, Fill]] = {}
        """What was told last of a symbol and is booked as it was told, by the exchange's number."""

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
        told, booked = dict[str, Fill](), []
        try:
            with self._transaction(f"book fills of {symbol}") as db:
                # Not sooner: it is forgotten where the transaction finds that others wrote.
                before = self._told.get((account, symbol), {})
                for fill in fills:
                    if before.get(fill.trade_id) != fill:  # most was told before
                        ours, fresh = self._book(db, account, symbol, fill)
                        booked += [] if fresh is None else [fresh]
                        if not ours:
                            continue
                    told[fill.trade_id] = fill
                self._set_watermark(db, account, symbol, read_ms)
        except DataError as error:
            document = {"symbol": symbol, "reason": str(error)}
            self.record_event("fill_contradiction", document)
            raise
        self._told[account, symbol] = told
        self.note_positions(account)
        return tuple(booked)

    def _undone(self, error: BaseException) -> None:
        super()._undone(error)
        self._told.clear()
        self._positions.clear()

    def _others_wrote(self) -> None:
        super()._others_wrote()
        self._told.clear()

    def note_positions(self, account: str) -> None:
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

    def _book(
        self, db: sqlite3.Connection, account: str, symbol: str, fill: Fill
    ) -> tuple[bool, Fill | None]:
        """Whether it is ours, and booked by now; with its order's client id where it is new."""
        earlier = db.execute(
            "SELECT * FROM fills WHERE account = ? AND symbol = ? AND trade_id = ?",
            (account, symbol, fill.trade_id),
        ).fetchone()
        if earlier is not None and fill_row(earlier).fill == fill:
            return True, None
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
            return False, None
        order = order_row(found)
        if fill.symbol != symbol or fill.side is not order.request.side or fill.quantity <= 0:
            raise DataError(
                f"{symbol}: trade {fill.trade_id} ({fill.side} {fill.quantity} {fill.symbol}) "
                f"contradicts its order ({order.request.side} {order.request.quantity})"
            )
        if earlier is not None:
            require_same(fill_row(earlier).fill, replace(fill, client_id=order.client_id))
            return True, None
        self._insert_fill(db, order, fill)
        return True, replace(fill, client_id=order.client_id)

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
        # Of an order that an operator settled, no more than what was said can be.
        most = order.filled_quantity if order.code == SETTLED else order.request.quantity
        if booked > most:
            document = {
                "symbol": fill.symbol,
                "quantity": str(most),
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
            # What was closed is what we hold now, neither what we held before nor what comes later:
            # not where others moved the account before we traded, nor where a clock is wrong.
            held_since_ms = newest_fill_ms(db, account, change)
            if not trades:
                seen_ms = max(timestamp_ms - CLOCK_LEAD_MS, held_since_ms)
                insert_close(db, account, change, change.quantity_change, seen_ms)
            for trade in trades:
                signed = trade.fill.side.sign * trade.fill.quantity
                at_ms = max(trade.fill.timestamp_ms, held_since_ms)
                close_id = insert_close(db, account, change, signed, at_ms)
                insert_venue_close(db, close_id, account, trade)
            document = close_document(change, trades)
            self._insert_event(db, "hedge_closed_externally", document, None, None)
