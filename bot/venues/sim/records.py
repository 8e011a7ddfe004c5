"""What the simulated exchange keeps and answers: orders, trades, income, positions, margin.

Symbols are unified (``FET/USDT:USDT``). Quantities are base units, money is USD, both Decimal.
All records are immutable: an order that changes is replaced by a new record with the same id.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bot.trading.orders import Side
from risk.quick_init import quick_init

ZERO = Decimal(0)
USD_STEP = Decimal("0.00000001")
"""Every amount of money that moves is a whole number of these."""


class OrderType(StrEnum):
    """How an order is priced."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


class TimeInForce(StrEnum):
    """What happens to the part that does not fill at once."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


class OrderStatus(StrEnum):
    """State of an order; all but the first two are final."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"

    @property
    def open(self) -> bool:
        """It may still trade."""
        return self in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


class PositionSide(StrEnum):
    """``BOTH`` in one-way mode, ``LONG`` and ``SHORT`` in hedge mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class MarginType(StrEnum):
    """Whether a symbol shares the account's margin or has its own."""

    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


class SelfTradePrevention(StrEnum):
    """Which order expires when both belong to one account."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class IncomeType(StrEnum):
    """Why the wallet changed."""

    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    COMMISSION = "COMMISSION"
    FUNDING_FEE = "FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"
    DELIVERED_SETTLEMENT = "DELIVERED_SETTELMENT"  # spelled as the exchange spells it


@quick_init
@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as a client asks for it.

    Attributes:
        symbol: unified symbol.
        quantity: base units.
        price: limit price; None for a market order.
        client_id: empty: the exchange names it.
        reduce_only: one-way mode only; in hedge mode the position side says it.
    """

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    client_id: str = ""
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.EXPIRE_TAKER


@quick_init
@dataclass(frozen=True, slots=True)
class SimOrder:
    """An order that the exchange took.

    Attributes:
        order_id: increasing over the whole exchange.
        account: name of its account.
        price: limit price, 0 for a market order.
        filled_quantity, filled_quote_usd: executed so far.
        amendments: how often it was amended.
        priority: place in the queue of its price, lower first.
        created_ms, updated_ms: UTC milliseconds.
    """

    order_id: int
    client_id: str
    account: str
    symbol: str
    side: Side
    position_side: PositionSide
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal
    status: OrderStatus
    reduce_only: bool
    self_trade_prevention: SelfTradePrevention
    created_ms: int
    updated_ms: int
    priority: int
    filled_quantity: Decimal = ZERO
    filled_quote_usd: Decimal = ZERO
    amendments: int = 0

    @property
    def remaining(self) -> Decimal:
        """Base units not executed."""
        return self.quantity - self.filled_quantity

    @property
    def average_price(self) -> Decimal:
        """Quote units; 0 while nothing is executed."""
        return self.filled_quote_usd / self.filled_quantity if self.filled_quantity else ZERO

    @property
    def closing(self) -> bool:
        """It may only shrink its position: reduce-only, or the closing side in hedge mode."""
        if self.position_side is PositionSide.BOTH:
            return self.reduce_only
        return (self.position_side is PositionSide.LONG) == (self.side is Side.SELL)


@quick_init
@dataclass(frozen=True, slots=True)
class SimTrade:
    """One execution of one order; a trade between two accounts is one record for each.

    Attributes:
        trade_id: increasing over the whole exchange.
        quote_usd: price times quantity.
        fee_usd: paid, negative for a rebate.
        realised_pnl_usd: of the part that closed a position, before fees.
    """

    trade_id: int
    order_id: int
    client_id: str
    account: str
    symbol: str
    side: Side
    position_side: PositionSide
    price: Decimal
    quantity: Decimal
    quote_usd: Decimal
    fee_usd: Decimal
    realised_pnl_usd: Decimal
    maker: bool
    timestamp_ms: int


@quick_init
@dataclass(frozen=True, slots=True)
class IncomeEntry:
    """One change of a wallet; the wallet is its start plus the sum of these, exactly.

    Attributes:
        symbol: unified symbol, empty for a transfer.
        amount_usd: received positive, paid negative.
        transaction_id: increasing over the whole exchange.
        trade_id: empty where no trade caused it.
    """

    transaction_id: int
    account: str
    symbol: str
    type: IncomeType
    amount_usd: Decimal
    info: str
    trade_id: str
    timestamp_ms: int
    asset: str = "USDT"


@quick_init
@dataclass(frozen=True, slots=True)
class SimPosition:
    """One leg of one symbol, valued at the mark price.

    Attributes:
        quantity: base units, signed.
        entry_price, break_even_price: quote units, 0 when flat.
        notional_usd: signed.
        liquidation_price: estimate, 0 where there is none.
        initial_margin_usd: of the position and of open orders together.
        bid_notional_usd, ask_notional_usd: of open orders that may grow the position.
        isolated_margin_usd: isolated wallet plus unrealised PnL; 0 when cross.
        max_notional_usd: largest position at this leverage.
        adl: place in the queue of auto-deleveraging, 0 (last) to 4.
    """

    symbol: str
    position_side: PositionSide
    quantity: Decimal
    entry_price: Decimal
    break_even_price: Decimal
    mark_price: Decimal
    unrealised_pnl_usd: Decimal
    notional_usd: Decimal
    liquidation_price: Decimal
    leverage: int
    margin_type: MarginType
    isolated_wallet_usd: Decimal
    isolated_margin_usd: Decimal
    position_initial_margin_usd: Decimal
    open_order_initial_margin_usd: Decimal
    maintenance_margin_usd: Decimal
    bid_notional_usd: Decimal
    ask_notional_usd: Decimal
    max_notional_usd: Decimal
    adl: int
    updated_ms: int

    @property
    def initial_margin_usd(self) -> Decimal:
        """Of position and open orders."""
        return self.position_initial_margin_usd + self.open_order_initial_margin_usd


@quick_init
@dataclass(frozen=True, slots=True)
class MarginSummary:
    """Money of one account, USD.

    Attributes:
        wallet_usd: everything settled, isolated wallets included.
        cross_wallet_usd: without isolated wallets.
        margin_balance_usd: wallet plus unrealised PnL.
        available_usd: what new orders may use, never below 0.
        max_withdraw_usd: what may leave: available, without unrealised gains.
    """

    wallet_usd: Decimal
    unrealised_pnl_usd: Decimal
    position_initial_margin_usd: Decimal
    open_order_initial_margin_usd: Decimal
    maintenance_margin_usd: Decimal
    cross_wallet_usd: Decimal
    cross_unrealised_pnl_usd: Decimal
    available_usd: Decimal
    max_withdraw_usd: Decimal

    @property
    def margin_balance_usd(self) -> Decimal:
        """Wallet plus unrealised PnL."""
        return self.wallet_usd + self.unrealised_pnl_usd

    @property
    def initial_margin_usd(self) -> Decimal:
        """Of positions and open orders."""
        return self.position_initial_margin_usd + self.open_order_initial_margin_usd


@dataclass(frozen=True, slots=True)
class Bracket:
    """One leverage bracket: positions with floor < notional <= cap.

    Attributes:
        bracket: number, from 1.
        initial_leverage: largest leverage allowed.
        maintenance_margin_ratio: maintenance margin = notional * ratio - cumulative_usd.
        cumulative_usd: makes the maintenance margin continuous from bracket to bracket.
    """

    bracket: int
    initial_leverage: int
    notional_floor_usd: Decimal
    notional_cap_usd: Decimal
    maintenance_margin_ratio: Decimal
    cumulative_usd: Decimal


@dataclass(frozen=True, slots=True)
class SymbolConfig:
    """An account's settings for one symbol."""

    symbol: str
    margin_type: MarginType
    leverage: int
    max_notional_usd: Decimal


Levels = tuple[tuple[Decimal, Decimal], ...]
"""(price, base quantity), best first."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The order book: what is left of the market's liquidity, and resting orders.

    Attributes:
        update_id: grows with every change.
    """

    symbol: str
    timestamp_ms: int
    update_id: int
    bids: Levels
    asks: Levels
