"""Orders as the engine speaks of them: requests, outcomes and fills, all quantities Decimal."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from risk.quick_init import quick_init


class Side(StrEnum):
    """Side of an order (not of a position)."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderState(StrEnum):
    """Life of an order; the last six are final."""

    PLANNED = "planned"
    SENDING = "sending"
    UNKNOWN = "unknown"
    LIVE = "live"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    ABSENT = "absent"
    QUARANTINED = "quarantined"

    @property
    def final(self) -> bool:
        """Nothing more can happen to it."""
        return self in _FINAL


_FINAL = frozenset(
    {
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.EXPIRED,
        OrderState.REJECTED,
        OrderState.ABSENT,
        OrderState.QUARANTINED,
    }
)


@quick_init
@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One limit order, ready to send.

    Attributes:
        client_id: derived from the intent, never random, never used twice.
        intent_id: the leg of a proposal that it carries out.
        symbol: unified symbol.
        side: buy or sell.
        quantity: base units, a whole number of lots, above 0.
        limit_price: quote units, a whole number of ticks.
        time_in_force: ``IOC``, ``FOK``, ``GTC`` or ``GTX`` (post-only).
        reduce_only: may only shrink the position.
        position_side: ``BOTH``, or the side it acts on in hedge mode.
    """

    client_id: str
    intent_id: str
    symbol: str
    side: Side
    quantity: Decimal
    limit_price: Decimal
    time_in_force: str
    reduce_only: bool
    position_side: str = "BOTH"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The venue has the order, in this state; fills come separately."""

    client_id: str
    venue_order_id: str
    state: OrderState
    filled_quantity: Decimal
    average_price: Decimal | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The venue surely did not take it: an explicit code says so."""

    client_id: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """Surely not taken, and the venue wants fewer or later requests (rate limit, clock)."""

    client_id: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnknownOutcome:
    """Nobody knows whether the venue has it; it may be live or filled."""

    client_id: str
    reason: str


OrderOutcome = Acknowledged | Rejected | NotAccepted | UnknownOutcome


@quick_init
@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of an order of ours.

    Attributes:
        trade_id: the venue's id, unique with ``symbol`` within an account.
        client_id: of the order, empty where the venue does not tell.
        quantity: base units, above 0.
        price: quote units.
        fee_usd: paid, USD (negative: rebate); None where not reported.
        realised_pnl_usd: as the venue counts it; None where not reported.
        cause: ``adl``, ``liquidation`` or ``settlement`` where the venue says that it made the
            order itself; else empty.
        position_side: ``LONG`` or ``SHORT`` where the venue tells that in hedge mode; else empty.
            The books have it from our order, so it makes no difference between two fills.
    """

    trade_id: str
    venue_order_id: str
    client_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee_usd: Decimal | None
    realised_pnl_usd: Decimal | None
    maker: bool
    timestamp_ms: int
    cause: str = ""
    position_side: str = field(default="", compare=False)
