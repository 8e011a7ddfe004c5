"""What the simulated exchange tells while it works: one event for each change, in order.

The bus is part of the core and as deterministic: events are numbered from 1, bear the clock's time
and are told synchronously, after the change that they tell of. Whoever listens (a stream of the
HTTP face, the fault simulation) may take its time, lose or repeat them; the exchange never waits.
Without a listener nothing is made and nothing is counted.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bot.ports import Clock, Quote
from bot.venues.sim.records import MarginType, PositionSide, SimOrder, SimTrade


class Execution(StrEnum):
    """What happened to an order."""

    NEW = "NEW"
    TRADE = "TRADE"
    CALCULATED = "CALCULATED"  # a fill of a liquidation
    AMENDMENT = "AMENDMENT"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class Reason(StrEnum):
    """Why money or positions of an account changed."""

    ORDER = "ORDER"
    FUNDING_FEE = "FUNDING_FEE"
    DEPOSIT = "DEPOSIT"
    WITHDRAW = "WITHDRAW"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"
    MARGIN_TYPE_CHANGE = "MARGIN_TYPE_CHANGE"
    ADJUSTMENT = "ADJUSTMENT"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Place of an event among all.

    Attributes:
        sequence: from 1, without gaps, over the whole exchange.
        event_ms: when it was told, UTC milliseconds.
        transaction_ms: when what it tells of was booked; a funding payment bears its own time.
    """

    sequence: int
    event_ms: int
    transaction_ms: int


@dataclass(frozen=True, slots=True)
class PositionNow:
    """One leg after a change; base units signed, 0 when flat.

    Attributes:
        realised_usd: realised PnL since the account was opened, before fees.
    """

    symbol: str
    position_side: PositionSide
    quantity: Decimal
    entry_price: Decimal
    break_even_price: Decimal
    mark_price: Decimal
    realised_usd: Decimal
    unrealised_pnl_usd: Decimal
    maintenance_margin_usd: Decimal
    margin_type: MarginType
    isolated_wallet_usd: Decimal


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order in its new state; ``trade`` where one execution changed it."""

    stamp: Stamp
    account: str
    order: SimOrder
    execution: Execution
    trade: SimTrade | None = None


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Money, and the positions that changed with it.

    Attributes:
        change_usd: of the wallet, without realised PnL and fees of trades.
    """

    stamp: Stamp
    account: str
    reason: Reason
    wallet_usd: Decimal
    cross_wallet_usd: Decimal
    change_usd: Decimal
    positions: tuple[PositionNow, ...]


@dataclass(frozen=True, slots=True)
class LeverageChanged:
    """The account set another leverage."""

    stamp: Stamp
    account: str
    symbol: str
    leverage: int


@dataclass(frozen=True, slots=True)
class MarginCalled:
    """Positions come near their liquidation; ``cross_wallet_usd`` None for an isolated one."""

    stamp: Stamp
    account: str
    cross_wallet_usd: Decimal | None
    positions: tuple[PositionNow, ...]


@dataclass(frozen=True, slots=True)
class MarketMoved:
    """Prices of all that trades, as they were taken in; after the fills that they brought."""

    stamp: Stamp
    quotes: Mapping[str, Quote]


AccountEvent = OrderChanged | AccountChanged | LeverageChanged | MarginCalled
"""What only the owner of ``account`` is told."""
SimEvent = AccountEvent | MarketMoved

Listener = Callable[[SimEvent], None]
Draft = Callable[[Stamp], SimEvent]


class EventBus:
    """Tells every listener every event, in the order in which things happened."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: dict[int, Listener] = {}
        self._given = 0
        self._sequence = 0
        self._waiting: deque[SimEvent] = deque()
        self._telling = False

    @property
    def heard(self) -> bool:
        """Somebody listens; otherwise events need not be made."""
        return bool(self._listeners)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Every event from now on goes to ``listener``, until the function returned is called.

        A listener must not raise. It may call the exchange: what that causes is told after the
        event at hand has reached everybody.
        """
        self._given += 1
        number = self._given
        self._listeners[number] = listener

        def stop() -> None:
            self._listeners.pop(number, None)

        return stop

    def tell(self, draft: Draft, *, transaction_ms: int | None = None) -> None:
        """Stamp an event and tell it; nothing happens when nobody listens."""
        if not self._listeners:
            return
        now_ms = self._clock.now_ms()
        self._sequence += 1
        stamp = Stamp(self._sequence, now_ms, now_ms if transaction_ms is None else transaction_ms)
        self._waiting.append(draft(stamp))
        if self._telling:
            return
        self._telling = True
        try:
            while self._waiting:
                event = self._waiting.popleft()
                for listener in list(self._listeners.values()):
                    listener(event)
        finally:
            self._telling = False
