"""An operator's word on an order into the journal, with what it changes, all of it or nothing."""

from decimal import Decimal

from bot.journal.fill_writes import FillWrites
from bot.journal.rows import SETTLED, OrderRow, text_or_none
from bot.trading.orders import Fill
from bot.trading.settling import TRADE_PREFIX, Settlement, require_settleable


class SettlementWrites(FillWrites):
    """The state of such an order stays: it is final. What it filled is known from now on."""

    def settle_by_hand(self, told: Settlement) -> OrderRow:
        """Books what somebody found out, under the name of who says so.

        Raises:
            DataError: the order does not wait for it, or it cannot be true.
        """
        with self._transaction(f"settle {told.client_id} by hand") as db:
            row = require_settleable(self.order(told.client_id), told)
            more = told.filled - row.booked_quantity
            if more > 0:
                self._insert_fill(db, row, _fill(row, told, more))
            db.execute(
                "UPDATE orders SET filled_quantity = ?, code = ?, updated_ms = ? "
                "WHERE client_id = ?",
                (str(told.filled), SETTLED, self._clock.now_ms(), told.client_id),
            )
            document = {
                "by": told.by,
                "reason": told.reason,
                "symbol": row.symbol,
                "filled_quantity": str(told.filled),
                "booked_quantity": str(more),
                "price": text_or_none(told.price),
            }
            self._insert_event(db, "order_settled", document, None, told.client_id)
            return self._known(db, told.client_id)


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
