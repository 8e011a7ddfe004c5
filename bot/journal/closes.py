"""Rows of closes by others: what a hedge lost, and the execution behind it where one is known."""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.errors import JournalError
from bot.journal.rows import text_or_none
from bot.trading.attribution import HedgeClosedExternally
from bot.trading.venue_closes import VenueTrade, kind_of


def insert_close(
    db: sqlite3.Connection,
    account: str,
    change: HedgeClosedExternally,
    quantity_change: Decimal,
    timestamp_ms: int,
) -> int:
    """One part of a change; the number of its row.

    Raises:
        JournalError: the row has no number.
    """
    row = db.execute(
        "INSERT INTO external_closes (account, symbol, position_side, quantity_change, "
        "own_quantity, venue_quantity, timestamp_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            account,
            change.symbol,
            change.position_side,
            str(quantity_change),
            str(change.own_quantity),
            str(change.venue_quantity),
            timestamp_ms,
        ),
    ).lastrowid
    if row is None:
        raise JournalError(f"{change.symbol}: a close by others was not stored")
    return row


def newest_fill_ms(db: sqlite3.Connection, account: str, change: HedgeClosedExternally) -> int:
    """When our position last changed by an order of ours; 0 if it never did."""
    row = db.execute(
        "SELECT coalesce(max(timestamp_ms), 0) AS ms FROM fills "
        "WHERE account = ? AND symbol = ? AND position_side = ?",
        (account, change.symbol, change.position_side),
    ).fetchone()
    return int(row["ms"])


def insert_venue_close(
    db: sqlite3.Connection, close_id: int, account: str, trade: VenueTrade
) -> None:
    """The execution behind a close."""
    fill = trade.fill
    db.execute(
        "INSERT INTO venue_closes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            close_id,
            account,
            fill.symbol,
            fill.trade_id,
            trade.kind.value,
            fill.venue_order_id,
            fill.client_id,
            str(fill.price),
            text_or_none(fill.fee_usd),
            text_or_none(fill.realised_pnl_usd),
        ),
    )


def close_document(change: HedgeClosedExternally, trades: Sequence[VenueTrade]) -> dict[str, Any]:
    """What the event tells."""
    return {
        "symbol": change.symbol,
        "position_side": change.position_side,
        "own_quantity": str(change.own_quantity),
        "venue_quantity": str(change.venue_quantity),
        "kind": kind_of(trades).value,
        "trades": [
            {
                "trade_id": trade.fill.trade_id,
                "kind": trade.kind.value,
                "quantity": str(trade.fill.quantity),
                "price": str(trade.fill.price),
                "fee_usd": text_or_none(trade.fill.fee_usd),
                "realised_pnl_usd": text_or_none(trade.fill.realised_pnl_usd),
            }
            for trade in trades
        ],
    }
