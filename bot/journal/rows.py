"""What the journal gives back: orders, events, and what it is told about an intent."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any

from bot.trading.ledger import ExternalClose, FundingReceipt, OwnFill
from bot.trading.orders import Fill, OrderRequest, OrderState, Side
from risk.errors import DataError
from risk.quick_init import quick_init

# What may follow what. Terminal states have no entry: nothing follows them.
LEGAL_TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.SENDING: frozenset(
        {
            OrderState.UNKNOWN,
            OrderState.LIVE,
            OrderState.PARTIAL,
            OrderState.FILLED,
            OrderState.CANCELED,
            OrderState.EXPIRED,
            OrderState.REJECTED,
        }
    ),
    OrderState.UNKNOWN: frozenset(
        {
            OrderState.LIVE,
            OrderState.PARTIAL,
            OrderState.FILLED,
            OrderState.CANCELED,
            OrderState.EXPIRED,
            OrderState.REJECTED,
            OrderState.ABSENT,
            OrderState.QUARANTINED,
        }
    ),
    OrderState.LIVE: frozenset(
        {OrderState.PARTIAL, OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED}
    ),
    OrderState.PARTIAL: frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED}),
}

# The same rows are read again and again around an order; one with other values is another one.
_KEPT_ROWS = 1024

SETTLED = "settled"
"""Code of an order of which an operator has said what it filled."""

UNSETTLED = frozenset({OrderState.SENDING, OrderState.UNKNOWN, OrderState.LIVE, OrderState.PARTIAL})


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """One leg of a proposal that is about to be carried out.

    Attributes:
        trade_quantity: signed base units, all its orders together.
        limits_hash: of the caps and pre-trade limits that were in force.
        document: the inputs of the decision, plain JSON types.
    """

    intent_id: str
    cycle_id: str
    account: str
    symbol: str
    trade_quantity: Decimal
    limits_hash: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)


@quick_init
@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order as the journal knows it.

    Attributes:
        external_before: what others held at the venue when it was sent, base units, signed;
            None where nobody looked.
        filled_quantity: by the venue's word, base units.
        booked_quantity: sum of its booked fills, base units.
        first_round_ms, last_round_ms, negative_rounds: complete looks that did not find it.
    """

    request: OrderRequest
    account: str
    leg: str
    attempt: int
    epoch: int
    external_before: Decimal | None
    state: OrderState
    venue_order_id: str | None
    filled_quantity: Decimal
    booked_quantity: Decimal
    average_price: Decimal | None
    code: str
    reason: str
    sent_ms: int
    updated_ms: int
    first_round_ms: int | None
    last_round_ms: int | None
    negative_rounds: int

    @property
    def client_id(self) -> str:
        """Of the order."""
        return self.request.client_id

    @property
    def symbol(self) -> str:
        """Of the order."""
        return self.request.symbol

    @property
    def open_quantity(self) -> Decimal:
        """What it may still do to our position, in the worst case: base units, never negative."""
        doubtful = self.state is OrderState.QUARANTINED and self.code != SETTLED
        if self.state in UNSETTLED or doubtful:
            most = self.request.quantity
        else:
            most = self.filled_quantity
        return max(Decimal(0), most - self.booked_quantity)

    @property
    def unresolved(self) -> bool:
        """It may still change, or filled more than has been booked."""
        return self.state in UNSETTLED or self.open_quantity > 0


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event; ``event_id`` grows with every event and never repeats."""

    event_id: int
    timestamp_ms: int
    kind: str
    cycle_id: str | None
    client_id: str | None
    document: Mapping[str, Any]


@lru_cache(_KEPT_ROWS)
def order_row(row: sqlite3.Row) -> OrderRow:
    """An order from its table row."""
    return OrderRow(
        request=OrderRequest(
            client_id=row["client_id"],
            intent_id=row["intent_id"],
            symbol=row["symbol"],
            side=Side(row["side"]),
            quantity=Decimal(row["quantity"]),
            limit_price=Decimal(row["limit_price"]),
            time_in_force=row["time_in_force"],
            reduce_only=bool(row["reduce_only"]),
            position_side=row["position_side"],
        ),
        account=row["account"],
        leg=row["leg"],
        attempt=row["attempt"],
        epoch=row["epoch"],
        external_before=decimal_or_none(row["external_before"]),
        state=OrderState(row["state"]),
        venue_order_id=row["venue_order_id"],
        filled_quantity=Decimal(row["filled_quantity"]),
        booked_quantity=Decimal(row["booked_quantity"]),
        average_price=decimal_or_none(row["average_price"]),
        code=row["code"],
        reason=row["reason"],
        sent_ms=row["sent_ms"],
        updated_ms=row["updated_ms"],
        first_round_ms=row["first_round_ms"],
        last_round_ms=row["last_round_ms"],
        negative_rounds=row["negative_rounds"],
    )


@lru_cache(_KEPT_ROWS)
def fill_row(row: sqlite3.Row) -> OwnFill:
    """A fill from its table row."""
    fill = Fill(
        trade_id=row["trade_id"],
        venue_order_id=row["venue_order_id"],
        client_id=row["client_id"],
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=Decimal(row["quantity"]),
        price=Decimal(row["price"]),
        fee_usd=decimal_or_none(row["fee_usd"]),
        realised_pnl_usd=decimal_or_none(row["realised_pnl_usd"]),
        maker=bool(row["maker"]),
        timestamp_ms=row["timestamp_ms"],
    )
    return OwnFill(fill, row["position_side"])


@lru_cache(_KEPT_ROWS)
def funding_row(row: sqlite3.Row) -> FundingReceipt:
    """A funding payment from its table row."""
    amount = Decimal(row["amount_usd"])
    return FundingReceipt(row["receipt_id"], row["symbol"], amount, row["timestamp_ms"])


def event_row(row: sqlite3.Row) -> EventRow:
    """An event from its table row."""
    return EventRow(
        event_id=row["id"],
        timestamp_ms=row["timestamp_ms"],
        kind=row["kind"],
        cycle_id=row["cycle_id"],
        client_id=row["client_id"],
        document=row_document(row),
    )


def row_document(row: sqlite3.Row) -> dict[str, Any]:
    """The document that a table row carries."""
    document: dict[str, Any] = json.loads(row["document"])
    return document


def close_row(row: sqlite3.Row) -> ExternalClose:
    """A close by others from its table row."""
    return ExternalClose(
        symbol=row["symbol"],
        position_side=row["position_side"],
        quantity_change=Decimal(row["quantity_change"]),
        timestamp_ms=row["timestamp_ms"],
        kind=row["kind"] or "others",
        price=decimal_or_none(row["price"]),
        fee_usd=decimal_or_none(row["fee_usd"]),
        realised_pnl_usd=decimal_or_none(row["realised_pnl_usd"]),
    )


def decimal_or_none(text: str | None) -> Decimal | None:
    """Decimal text, or None."""
    return None if text is None else Decimal(text)


def text_or_none(value: Decimal | None) -> str | None:
    """As decimal text, or None."""
    return None if value is None else str(value)


def payload_hash(order: OrderRequest) -> str:
    """Of everything that is sent."""
    facts = [
        order.client_id,
        order.symbol,
        order.side.value,
        str(order.quantity),
        str(order.limit_price),
        order.time_in_force,
        order.reduce_only,
        order.position_side,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def require_same(earlier: Fill, again: Fill) -> None:
    """One trade id stands for one execution for ever.

    Raises:
        DataError: the venue uses it for another one now.
    """

    def facts(fill: Fill) -> str:
        return f"{fill.side} {fill.quantity} at {fill.price} of order {fill.client_id}"

    same = (earlier.quantity, earlier.price, earlier.side, earlier.client_id) == (
        again.quantity,
        again.price,
        again.side,
        again.client_id,
    )
    if not same:
        raise DataError(
            f"{earlier.symbol}: trade {earlier.trade_id} is booked as {facts(earlier)} and is now "
            f"{facts(again)}; did the exchange start anew under an old journal?"
        )
