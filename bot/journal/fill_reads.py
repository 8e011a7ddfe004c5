"""Executions, funding and closes by others out of the journal, and how far they were read."""

import sqlite3
from bisect import bisect_left, insort
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bot.journal.order_reads import OrderReads
from bot.journal.rows import OrderRow, close_row, fill_row, funding_row, row_document
from bot.trading.ledger import ExternalClose, FundingReceipt, OwnFill
from bot.trading.orders import Fill

FUNDING_WATERMARK = "funding"  # beside the symbols, for the payments of all of them
_KEPT_MS = 3 * 86_400_000


class _Receipts:
    """Funding payments that were read, oldest first; payments are only ever added to a journal.

    Attributes:
        since_ms: from when on all are here; None before the first.
        newest: number of the last row that was read.
    """

    def __init__(self) -> None:
        self.since_ms: int | None = None
        self.newest = 0
        self._found: list[tuple[int, int, FundingReceipt]] = []  # time, number of the row

    def begin(self, since_ms: int) -> None:
        """Nothing is read yet from then on."""
        self.since_ms, self.newest = since_ms, 0
        self._found = []

    def add(self, rows: Sequence[sqlite3.Row]) -> None:
        """These were written after what is here."""
        for row in rows:
            self.newest = int(row["number"])
            receipt = funding_row(row)
            insort(self._found, (receipt.timestamp_ms, self.newest, receipt), key=_place)

    def of(self, since_ms: int) -> list[FundingReceipt]:
        """Those since then; what nobody has asked for in a while is forgotten."""
        assert self.since_ms is not None
        if since_ms - self.since_ms > _KEPT_MS:
            self.since_ms = since_ms - _KEPT_MS // 2
            self._found = self._found[self._first(self.since_ms) :]
        return [receipt for _, _, receipt in self._found[self._first(since_ms) :]]

    def _first(self, since_ms: int) -> int:
        return bisect_left(self._found, (since_ms, 0), key=_place)


def _place(found: tuple[int, int, FundingReceipt]) -> tuple[int, int]:
    return found[0], found[1]


class FillReads(OrderReads):
    """What was booked, and from when on the venue must be asked for more."""

    def own_fills(self, account: str, since_ms: int = 0) -> list[OwnFill]:
        """Executions of our orders since then, oldest first."""
        rows = self._rows(
            "SELECT * FROM fills WHERE account = ? AND timestamp_ms >= ? "
            "ORDER BY timestamp_ms, rowid",
            account,
            since_ms,
        )
        return [fill_row(row) for row in rows]

    def trades_since(self, account: str, since_ms: int) -> list[tuple[str, str]]:
        """Symbol and trade id of the executions of our orders since then."""
        rows = self._rows(
            "SELECT symbol, trade_id FROM fills WHERE timestamp_ms >= ? AND +account = ?",
            since_ms,
            account,
        )
        return [(str(row["symbol"]), str(row["trade_id"])) for row in rows]

    def fill_times(self, account: str, symbol: str, since_ms: int) -> list[tuple[int, int]]:
        """When our orders of a symbol filled since then, by the venue, and were booked, by us."""
        rows = self._rows(
            "SELECT timestamp_ms, booked_ms FROM fills "
            "WHERE timestamp_ms >= ? AND +account = ? AND +symbol = ?",
            since_ms,
            account,
            symbol,
        )
        return [(int(row["timestamp_ms"]), int(row["booked_ms"])) for row in rows]

    def cycle_fills(self, cycle_id: str) -> list[OwnFill]:
        """Executions of the orders of one cycle, oldest first."""
        rows = self._rows(
            "SELECT fills.* FROM fills JOIN orders USING (client_id) JOIN intents USING (intent_id)"
            " WHERE intents.cycle_id = ? ORDER BY fills.timestamp_ms, fills.rowid",
            cycle_id,
        )
        return [fill_row(row) for row in rows]

    def funding_receipts(self, account: str, since_ms: int = 0) -> list[FundingReceipt]:
        """Funding payments since then, oldest first."""
        # Asked around every order for those of the last day, to which little was added since.
        kept = self._recall(("funding", account), (), _Receipts)
        if kept.since_ms is None or since_ms < kept.since_ms:
            kept.begin(since_ms)
        assert kept.since_ms is not None
        # At first by the index over times, then by the number alone: few are new.
        number, other = ("rowid", "+") if kept.newest else ("+rowid", "")
        kept.add(
            self._rows(
                f"SELECT rowid AS number, * FROM funding WHERE {number} > ? "  # noqa: S608 - fixed names
                f"AND {other}account = ? AND {other}timestamp_ms >= ? ORDER BY {number}",
                kept.newest,
                account,
                kept.since_ms,
            )
        )
        return kept.of(since_ms)

    def external_closes(self, account: str, *, after: int = 0) -> list[ExternalClose]:
        """Parts of our hedges that others closed, in rows after this one, oldest first."""
        rows = self._rows(
            "SELECT external_closes.*, kind, price, fee_usd, realised_pnl_usd FROM external_closes "
            "LEFT JOIN venue_closes ON close_id = id WHERE external_closes.account = ? AND id > ? "
            "ORDER BY id",
            account,
            after,
        )
        return [close_row(row) for row in rows]

    def closed_by(self, account: str, symbol: str, trade_id: str) -> bool:
        """Whether the trade is booked as a close by others."""
        sql = "SELECT 1 FROM venue_closes WHERE account = ? AND symbol = ? AND trade_id = ?"
        return bool(self._rows(sql, account, symbol, trade_id))

    def is_own(self, account: str, fill: Fill) -> bool:
        """Whether an order of ours made the execution, by its client id or the venue's."""
        column, value = (
            ("client_id", fill.client_id)
            if fill.client_id
            else ("venue_order_id", fill.venue_order_id)
        )
        sql = f"SELECT 1 FROM orders WHERE account = ? AND symbol = ? AND {column} = ?"  # noqa: S608 - one of two names above
        return bool(self._rows(sql, account, fill.symbol, value))

    def turnover_usd(self, since_ms: int, account: str | None = None) -> Decimal:
        """Notional that our orders traded since then, USD."""
        rows = self._rows(
            "SELECT account, quantity, price FROM fills WHERE timestamp_ms >= ?", since_ms
        )
        return sum(
            (
                Decimal(row["quantity"]) * Decimal(row["price"])
                for row in rows
                if account in (None, row["account"])
            ),
            Decimal(0),
        )

    def newest_fill(self) -> int:
        """Number of the newest booked fill; 0 without any."""
        sql = "SELECT coalesce(max(rowid), 0) AS n FROM fills"
        return self._recall("newest fill", ("fills",), lambda: int(self._rows(sql)[0]["n"]))

    def fills_with_orders(
        self,
        account: str,
        *,
        after: int = 0,
        since_ms: int = 0,
    ) -> list[tuple[int, OwnFill, OrderRow, dict[str, Any]]]:
        """Fills booked after that number and executed since then, by number.

        Each with its number, its order, and the inputs of the order's intent.
        """
        if after and after >= self.newest_fill():
            return []
        number = "rowid" if since_ms == 0 else "+rowid"
        rows = self._rows(
            f"SELECT rowid AS number, * FROM fills WHERE {number} > ? "  # noqa: S608 - one of two names
            "AND timestamp_ms >= ? AND +account = ? ORDER BY rowid",
            after,
            since_ms,
            account,
        )
        # One order is often filled in several parts.
        orders = dict.fromkeys(row["client_id"] for row in rows)
        known = {client_id: self._with_inputs(client_id) for client_id in orders}
        return [(int(row["number"]), fill_row(row), *known[row["client_id"]]) for row in rows]

    def fills_of_order(self, client_id: str) -> tuple[list[OwnFill], dict[str, Any]]:
        """All that is booked of one order, as it was booked, and the inputs of its intent."""
        rows = self._rows("SELECT * FROM fills WHERE client_id = ? ORDER BY rowid", client_id)
        return [fill_row(row) for row in rows], self._with_inputs(client_id)[1]

    def _with_inputs(self, client_id: str) -> tuple[OrderRow, dict[str, Any]]:
        order = self.order(client_id)
        assert order is not None, "a fill refers to its order"
        inputs = self._rows(
            "SELECT document FROM intents WHERE intent_id = ?", order.request.intent_id
        )
        return order, row_document(inputs[0])

    def watermark(self, account: str, symbol: str) -> int | None:
        """Up to when the executions of a symbol were last read, UTC milliseconds."""

        def read() -> int | None:
            sql = "SELECT timestamp_ms FROM watermarks WHERE account = ? AND symbol = ?"
            rows = self._rows(sql, account, symbol)
            return int(rows[0]["timestamp_ms"]) if rows else None

        return self._recall(("watermark", account, symbol), ("watermarks",), read)

    def funding_wanted_since(self, account: str) -> int | None:
        """From when funding must be read; None while no order was ever sent."""
        watermark = self.watermark(account, FUNDING_WATERMARK)
        return self._first_sent_ms(account) if watermark is None else watermark

    def fills_wanted_since(self, account: str, symbol: str) -> int | None:
        """From when executions of a symbol must be read so that none of ours is missed.

        An order that is not settled is looked for since it was sent: until its venue id is known
        its executions cannot be told from other people's. None: no order was ever sent.
        """
        rows = self._rows(
            "SELECT min(sent_ms) AS first FROM orders WHERE account = ? AND symbol = ?",
            account,
            symbol,
        )
        if rows[0]["first"] is None:
            return None
        watermark = self.watermark(account, symbol)
        start_ms = int(rows[0]["first"]) if watermark is None else watermark
        open_ones = [o.sent_ms for o in self.unresolved_orders(account) if o.symbol == symbol]
        return min([start_ms, *open_ones])
