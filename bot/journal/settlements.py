"""An operator's word on an order into the journal, with what it changes, all of it or nothing."""

from decimal import Decimal

from bot.journal.fill_writes import FillWrites
from bot.journal.reader import JournalReader
from bot.journal.rows import SETTLED, OrderRow, text_or_none
from bot.trading.orders import Fill
from bot.trading.settling import TRADE_PREFIX, Settlement, require_settleable

_EVENT = "order_settled"


def settleable(journal: JournalReader, told: Settlement) -> OrderRow:
    """The order, if it waits for such a word and this one can be true.

    Raises:
        DataError: one line that says what is wrong with it.
        JournalError: it cannot be read.
    """
    row, lot = journal.order(told.client_id), None
    if row is not None:
        noted = journal.fills_of_order(row.client_id)[1].get("lot")
        lot = None if noted is None else Decimal(noted)
    return require_settleable(row, told, lot=lot)


def carried_out(journal: JournalReader, told: Settlement) -> bool:
    """Whether this very word is in the journal: asked before a power cut, and still waiting.

    Raises:
        JournalError: it cannot be read.
    """
    row = journal.order(told.client_id)
    if row is None or row.code != SETTLED:
        return False
    events = journal.events(since_ms=row.updated_ms, kind=_EVENT)
    said = {**_said(told), "symbol": row.symbol}
    return any(
        event.client_id == told.client_id and said.items() <= event.document.items()
        for event in events
    )


class SettlementWrites(FillWrites):
    """The state of such an order stays: it is final. What it filled is known from now on."""

    def settle_by_hand(self, told: Settlement) -> OrderRow:
        """Books what somebody found out, under the name of who says so.

        Raises:
            DataError: the order does not wait for it, or it cannot be true.
        """
        with self._transaction(f"settle {told.client_id} by hand") as db:
            row = settleable(self, told)
            more = told.filled - row.booked_quantity
            if more > 0:
                self._insert_fill(db, row, _fill(row, told, more))
            db.execute(
                "UPDATE orders SET filled_quantity = ?, code = ?, updated_ms = ? "
                "WHERE client_id = ?",
                (str(told.filled), SETTLED, self._clock.now_ms(), told.client_id),
            )
            document = {**_said(told), "symbol": row.symbol, "booked_quantity": str(more)}
            self._insert_event(db, _EVENT, document, None, told.client_id)
            return self._known(db, told.client_id)


def _said(told: Settlement) -> dict[str, str | None]:
    return {
        "by": told.by,
        "reason": told.reason,
        "filled_quantity": str(told.filled),
        "price": text_or_none(told.price),
    }


def _fill(row: OrderRow, told: Settlement, quantity: Decimal) -> Fill:
    assert told.price is not None  # it was asked for
    return Fill(
        trade_id=TRADE_PREFIX + row.client_id,
        venue_order_id=row.venue_order_id or "",
        client_id=row.client_id,
        symbol=row.symbol,
        side=row.request.side,
        quantity=quantity,
        price=told.price,
        fee_usd=None,
        realised_pnl_usd=None,
        maker=False,
        timestamp_ms=row.sent_ms,
    )
