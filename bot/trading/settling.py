"""What an operator found out about an order that the engine could not. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from bot.journal.rows import OrderRow
from bot.trading.orders import Side
from risk.errors import DataError

TRADE_PREFIX = "settled-"
"""Begins the trade id of what is booked on an operator's word."""

_ZERO = Decimal(0)
_MOST_DIGITS = 28
_MOST_FACTOR = 2
"""An average so much better than the limit price is a slip of digits."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """Somebody's word on what became of an order.

    Attributes:
        filled: all that it filled, base units; 0 when it never filled anything.
        price: average price of what is not booked yet, quote units; None where all is.
        by, reason: who says so, and how it is known.
    """

    client_id: str
    filled: Decimal
    price: Decimal | None
    by: str
    reason: str


def settled_by_hand(trade_id: str) -> bool:
    """No exchange has told this trade: an operator did."""
    return trade_id.startswith(TRADE_PREFIX)


def require_settleable(
    row: OrderRow | None, told: Settlement, *, lot: Decimal | None = None
) -> OrderRow:
    """The order, if it waits for such a word and this one can be true.

    Args:
        lot: base units in which it trades; None where nobody noted them.

    Raises:
        DataError: one line that says what is wrong with it.
    """
    name = f"order {told.client_id}"
    if row is None:
        raise DataError(f"{name}: the journal has no such order")
    if not row.unresolved:
        raise DataError(f"{name}: is {row.state} and settled; nothing waits for an operator")
    if not row.state.final:
        raise DataError(f"{name}: is {row.state}, and the engine still finds out what became of it")
    _require_quantity(row, told.filled, name)
    if lot is not None and told.filled % lot:
        raise DataError(f"{name}: --filled: {told.filled}, must be a multiple of its lot {lot}")
    more = told.filled - row.booked_quantity
    if more > 0:
        _require_price(row, told.price, name)
    elif told.price is not None:
        raise DataError(f"{name}: --price: all of --filled is booked already; leave it out")
    return row


def _require_quantity(row: OrderRow, filled: Decimal, name: str) -> None:
    if not _is_number(filled) or filled < 0:
        raise DataError(f"{name}: --filled: {filled}, must be a number of base units, at least 0")
    if filled > row.request.quantity:
        raise DataError(f"{name}: --filled: {filled}, but it asked for {row.request.quantity}")
    if filled < row.booked_quantity:
        raise DataError(
            f"{name}: --filled: {filled}, but {row.booked_quantity} is booked from the exchange's "
            "own list of trades"
        )
    if filled < row.filled_quantity:
        raise DataError(
            f"{name}: --filled: {filled}, but the exchange said that it filled "
            f"{row.filled_quantity}"
        )


def _require_price(row: OrderRow, price: Decimal | None, name: str) -> None:
    if price is None:
        raise DataError(f"{name}: --price: missing, needed for what is not booked yet")
    if not _is_number(price) or price <= 0:
        raise DataError(f"{name}: --price: {price}, must be a number above 0")
    limit, side = row.request.limit_price, row.request.side
    if (price - limit) * side.sign > _ZERO:
        beyond = "above" if side is Side.BUY else "below"
        raise DataError(f"{name}: --price: {price}, {beyond} its limit price {limit}")
    if not limit / _MOST_FACTOR <= price <= limit * _MOST_FACTOR:
        raise DataError(f"{name}: --price: {price}, too far from its limit price {limit}")


def _is_number(value: Decimal) -> bool:
    """One that is reckoned with exactly."""
    return value.is_finite() and len(value.as_tuple().digits) <= _MOST_DIGITS
