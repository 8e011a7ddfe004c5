"""The journal as those read it who change nothing: log, status, report, and the engine itself."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self

from bot.journal.anchor import read_anchor
from bot.journal.chain import Head
from bot.journal.migrations import UNRESOLVED
from bot.journal.rows import (
    EventRow,
    OrderRow,
    close_row,
    event_row,
    fill_row,
    funding_row,
    order_row,
)
from bot.journal.schema import connect_reader, one_line_errors, verify
from bot.trading.ledger import (
    ExternalClose,
    FundingReceipt,
    Ledger,
    OwnFill,
    PositionKey,
    add_quantities,
    replay,
)
from bot.trading.orders import Fill

JOURNAL_NAME = "journal.sqlite"
FUNDING_WATERMARK = "funding"  # beside the symbols, for the payments of all of them
POSITIONS = "positions:"  # settings, by account: what its first fills add up to


@dataclass(slots=True)
class _Positions:
    """Positions of one account after some of its fills and closes.

    Attributes:
        fill, close: newest row of each table that was looked at.
        closed_ms: time of the latest close by others; -1 without any.
        quantity: signed base units, flat ones too.
    """

    fill: int
    close: int
    closed_ms: int
    quantity: dict[PositionKey, Decimal]

    def document(self) -> dict[str, Any]:
        """In plain JSON types."""
        held = [[*key, str(quantity)] for key, quantity in self.quantity.items()]
        return {"fill": self.fill, "close": self.close, "closed_ms": self.closed_ms, "held": held}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Out of its document."""
        held = {(symbol, side): Decimal(text) for symbol, side, text in document["held"]}
        return cls(document["fill"], document["close"], document["closed_ms"], held)


class JournalReader:
    """Reads a journal. Every method raises JournalError, in one line, when it cannot."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use ``open``."""
        self.path = path
        self._connection = connection
        self._connection.row_factory = sqlite3.Row
        self._positions: dict[str, _Positions] = {}

    @classmethod
    def open_reader(cls, path: Path, *, busy_timeout_ms: int = 5000) -> Self:
        """Opens an existing journal without the right to write.

        Raises:
            JournalError: there is none, or it cannot be read.
            SafetyError: a newer perphedge wrote it.
        """
        return cls(path, connect_reader(path, busy_timeout_ms))

    def verify(self) -> Head:
        """Whether every row is as it was written and none is missing; the chain's newest line.

        Reads all of it: some seconds for a million rows.

        Raises:
            JournalError: names the first row that is not.
        """
        return verify(self._connection, self.path, read_anchor(self.path))

    def close(self) -> None:
        """Gives the file back."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError):
            with one_line_errors(self.path, "be read"):
                raise

    def meta(self, key: str) -> str | None:
        """A stored fact about this installation."""
        rows = self._rows("SELECT value FROM meta WHERE key = ?", key)
        return str(rows[0]["value"]) if rows else None

    def meta_keys(self, prefix: str) -> list[str]:
        """Names of the stored facts that begin so, sorted."""
        rows = self._rows(
            "SELECT key FROM meta WHERE substr(key, 1, ?) = ? ORDER BY key", len(prefix), prefix
        )
        return [str(row["key"]) for row in rows]

    @property
    def epoch(self) -> int:
        """How many times an engine was started on this journal."""
        return int(self.meta("epoch") or 0)

    def cycle(self, cycle_id: str) -> dict[str, Any] | None:
        """The document of one cycle."""
        rows = self._rows("SELECT document FROM cycles WHERE cycle_id = ?", cycle_id)
        return _document(rows[0]) if rows else None

    def cycles(self, since_ms: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Documents of the cycles since then, oldest first; with a limit, the newest of them."""
        rows = self._rows(
            "SELECT document FROM cycles WHERE timestamp_ms >= ? "
            "ORDER BY timestamp_ms DESC, rowid DESC LIMIT ?",
            since_ms,
            -1 if limit is None else limit,
        )
        return [_document(row) for row in reversed(rows)]

    def cycle_count(self) -> int:
        """How many cycles are recorded."""
        # None is ever taken away, and counting them would read them all.
        return int(self._rows("SELECT coalesce(max(rowid), 0) AS n FROM cycles")[0]["n"])

    def events(
        self,
        since_ms: int = 0,
        *,
        after_id: int = 0,
        cycle_id: str | None = None,
        kind: str | None = None,
        limit: int | None = None,
    ) -> list[EventRow]:
        """Events since then and after that id, oldest first; with a limit, the newest of them."""
        rows = self._rows(
            "SELECT * FROM events WHERE timestamp_ms >= ? AND id > ? "
            "AND (?3 IS NULL OR cycle_id = ?3) AND (?4 IS NULL OR kind = ?4) "
            "ORDER BY id DESC LIMIT ?5",
            since_ms,
            after_id,
            cycle_id,
            kind,
            -1 if limit is None else limit,
        )
        return [
            EventRow(
                event_id=row["id"],
                timestamp_ms=row["timestamp_ms"],
                kind=row["kind"],
                cycle_id=row["cycle_id"],
                client_id=row["client_id"],
                document=_document(row),
            )
            for row in reversed(rows)
        ]

    def kept_events(
        self,
        kind: Literal["order_costs", "impact_refit"],
        *,
        after_id: int = 0,
        since_ms: int = 0,
        limit: int | None = None,
    ) -> list[EventRow]:
        """The same of a kind that has an index of its own: found without reading all others."""
        rows = self._rows(
            f"SELECT * FROM events WHERE kind = '{kind}' AND id > ? AND +timestamp_ms >= ? "  # noqa: S608 - one of two names
            "ORDER BY id DESC LIMIT ?",
            after_id,
            since_ms,
            -1 if limit is None else limit,
        )
        return [event_row(row) for row in reversed(rows)]

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

    def unresolved_orders(self, account: str | None = None) -> tuple[OrderRow, ...]:
        """Orders that may still change our position: unknown, open, or with fills to be booked.

        Quarantined ones are among them: they are final, yet nobody knows what they did.
        """
        # The plus keeps SQLite from reading all orders only because they lie in order of rowid.
        rows = self._rows(f"SELECT * FROM orders WHERE {UNRESOLVED} ORDER BY +rowid")  # noqa: S608 - a constant
        found = (order_row(row) for row in rows)
        return tuple(o for o in found if o.unresolved and account in (None, o.account))

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

    def own_fills(self, account: str, since_ms: int = 0) -> list[OwnFill]:
        """Executions of our orders since then, oldest first."""
        rows = self._rows(
            "SELECT * FROM fills WHERE account = ? AND timestamp_ms >= ? "
            "ORDER BY timestamp_ms, rowid",
            account,
            since_ms,
        )
        return [fill_row(row) for row in rows]

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
        rows = self._rows(
            "SELECT * FROM funding WHERE account = ? AND timestamp_ms >= ? "
            "ORDER BY timestamp_ms, rowid",
            account,
            since_ms,
        )
        return [funding_row(row) for row in rows]

    def external_closes(self, account: str) -> list[ExternalClose]:
        """Parts of our hedges that others closed, oldest first."""
        rows = self._rows(
            "SELECT external_closes.*, kind, price, fee_usd, realised_pnl_usd FROM external_closes "
            "LEFT JOIN venue_closes ON close_id = id WHERE external_closes.account = ? ORDER BY id",
            account,
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

    def ledger(self, account: str) -> Ledger:
        """Positions, entry prices, PnL, fees and funding from everything booked."""
        return replay(
            self.own_fills(account), self.funding_receipts(account), self.external_closes(account)
        )

    def own_positions(self, account: str) -> dict[PositionKey, Decimal]:
        """Our hedges by (symbol, position side): signed base units, only those not zero."""
        newest = self._rows(
            "SELECT (SELECT coalesce(max(rowid), 0) FROM fills) AS fill, "
            "(SELECT coalesce(max(id), 0) FROM external_closes) AS close"
        )[0]
        fill, close = int(newest["fill"]), int(newest["close"])
        known = self._positions.get(account) or self._noted(account)
        if known is None or known.close != close or not self._follow(account, known, fill):
            known = self._replayed(account, fill, close)
        self._positions[account] = known
        return {key: quantity for key, quantity in known.quantity.items() if quantity}

    def _noted(self, account: str) -> _Positions | None:
        """What a writer noted once, so that not all fills since the first must be read."""
        text = self.meta(POSITIONS + account)
        return None if text is None else _Positions.read(json.loads(text))

    def _replayed(self, account: str, fill: int, close: int) -> _Positions:
        closed_ms = max((one.timestamp_ms for one in self.external_closes(account)), default=-1)
        positions = self.ledger(account).positions
        quantity = {key: position.base_quantity for key, position in positions.items()}
        return _Positions(fill, close, closed_ms, quantity)

    def _follow(self, account: str, known: _Positions, fill: int) -> bool:
        """Adds the fills up to row ``fill`` that are new; False where all must be replayed.

        A close by others takes what was held at its time, so a fill from before it changes it.
        """
        if fill == known.fill:
            return True
        # The plus keeps SQLite from reading all fills of the account, by its index.
        rows = self._rows(
            "SELECT * FROM fills WHERE rowid > ? AND rowid <= ? AND +account = ? ORDER BY rowid",
            known.fill,
            fill,
            account,
        )
        fresh = [fill_row(row) for row in rows]
        if any(own.fill.timestamp_ms <= known.closed_ms for own in fresh):
            return False
        add_quantities(known.quantity, fresh)
        known.fill = fill
        return True

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

    def sent_since(
        self, account: str, symbol: str, since_ms: int
    ) -> list[tuple[OrderRow, Decimal, dict[str, Any]]]:
        """Orders of a symbol since then, oldest first, each with its intent's trade and inputs."""
        rows = self._rows(
            "SELECT orders.*, intents.trade_quantity, intents.document AS inputs FROM orders "
            "JOIN intents USING (intent_id) WHERE orders.account = ? AND orders.symbol = ? "
            "AND orders.sent_ms >= ? ORDER BY orders.sent_ms, orders.rowid",
            account,
            symbol,
            since_ms,
        )
        # The orders of one intent have the same inputs.
        inputs = {text: json.loads(text) for text in {row["inputs"] for row in rows}}
        return [
            (order_row(row), Decimal(row["trade_quantity"]), inputs[row["inputs"]]) for row in rows
        ]

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

    def newest_fill(self) -> int:
        """Number of the newest booked fill; 0 without any."""
        return int(self._rows("SELECT coalesce(max(rowid), 0) AS n FROM fills")[0]["n"])

    def newest_event(self) -> int:
        """Number of the newest event; 0 without any."""
        return int(self._rows("SELECT coalesce(max(id), 0) AS n FROM events")[0]["n"])

    def fills_with_orders(
        self,
        account: str,
        *,
        after: int = 0,
        since_ms: int = 0,
        symbol: str | None = None,
        client_id: str | None = None,
    ) -> list[tuple[int, OwnFill, OrderRow, dict[str, Any]]]:
        """Fills booked after that number and executed since then, by number; or those of one order.

        Each with its number, its order, and the inputs of the order's intent.
        """
        number = "fills.rowid" if since_ms == 0 else "+fills.rowid"
        rows = self._rows(
            f"SELECT fills.rowid AS number, fills.* FROM fills WHERE {number} > ? "  # noqa: S608 - one of two names
            "AND fills.timestamp_ms >= ? AND +account = ? AND (?4 IS NULL OR symbol = ?4) "
            "AND (?5 IS NULL OR client_id = ?5) ORDER BY fills.rowid",
            after,
            since_ms,
            account,
            symbol,
            client_id,
        )
        # One order is often filled in several parts.
        orders = dict.fromkeys(row["client_id"] for row in rows)
        known = {client_id: self._with_inputs(client_id) for client_id in orders}
        return [(int(row["number"]), fill_row(row), *known[row["client_id"]]) for row in rows]

    def _with_inputs(self, client_id: str) -> tuple[OrderRow, dict[str, Any]]:
        order = self.order(client_id)
        assert order is not None, "a fill refers to its order"
        inputs = self._rows(
            "SELECT document FROM intents WHERE intent_id = ?", order.request.intent_id
        )
        return order, _document(inputs[0])

    def watermark(self, account: str, symbol: str) -> int | None:
        """Up to when the executions of a symbol were last read, UTC milliseconds."""
        rows = self._rows(
            "SELECT timestamp_ms FROM watermarks WHERE account = ? AND symbol = ?", account, symbol
        )
        return int(rows[0]["timestamp_ms"]) if rows else None

    def funding_wanted_since(self, account: str) -> int | None:
        """From when funding must be read; None while no order was ever sent."""
        rows = self._rows("SELECT min(sent_ms) AS first FROM orders WHERE account = ?", account)
        first = rows[0]["first"]
        watermark = self.watermark(account, FUNDING_WATERMARK)
        return watermark if first is None or watermark is not None else int(first)

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


def _document(row: sqlite3.Row) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(row["document"])
    return document
