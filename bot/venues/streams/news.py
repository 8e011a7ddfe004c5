"""What a private stream tells, in the engine's terms, whatever exchange it comes from.

Symbols are unified, quantities base units in Decimal, money USD. Every piece bears two times, UTC
milliseconds: ``event_ms`` when the exchange told it, ``transaction_ms`` when it happened there.
"""

from dataclasses import dataclass
from decimal import Decimal

from bot.trading.orders import OrderState, Side
from bot.trading.venue_closes import CloseKind


@dataclass(frozen=True, slots=True)
class OrderNews:
    """An order is in this state.

    Attributes:
        filled_quantity: executed so far.
        forced: why the exchange itself sent it; None for a client's order.
    """

    event_ms: int
    transaction_ms: int
    symbol: str
    client_id: str
    venue_order_id: str
    state: OrderState
    filled_quantity: Decimal
    forced: CloseKind | None = None


@dataclass(frozen=True, slots=True)
class TradeNews:
    """One execution. It is booked by nobody from here: REST tells it again, with its fee.

    Attributes:
        forced: why the exchange itself sent its order; None for a client's order.
    """

    event_ms: int
    transaction_ms: int
    symbol: str
    trade_id: str
    client_id: str
    venue_order_id: str
    side: Side
    quantity: Decimal
    price: Decimal
    forced: CloseKind | None = None


@dataclass(frozen=True, slots=True)
class PositionNews:
    """A leg holds this much now, signed; 0 when flat."""

    event_ms: int
    transaction_ms: int
    symbol: str
    position_side: str
    base_quantity: Decimal


@dataclass(frozen=True, slots=True)
class MoneyNews:
    """The wallet changed; ``reason`` is the exchange's word, empty where it says none."""

    event_ms: int
    transaction_ms: int
    reason: str
    wallet_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class SettingsNews:
    """Somebody changed a setting of the account, in ``symbol`` or (empty) in all."""

    event_ms: int
    transaction_ms: int
    symbol: str
    setting: str
    value: str


@dataclass(frozen=True, slots=True)
class MarginNews:
    """The exchange warns that these symbols come near their liquidation."""

    event_ms: int
    transaction_ms: int
    symbols: tuple[str, ...]


StreamNews = OrderNews | TradeNews | PositionNews | MoneyNews | SettingsNews | MarginNews
