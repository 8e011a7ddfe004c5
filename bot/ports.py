"""The doors through which the engine meets the world; adapters stand behind each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from bot.trading.orders import Fill, OrderOutcome, OrderRequest, Side
from risk.book import AccountState
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.quick_init import quick_init
from risk.returns import BarPanel


@quick_init
@dataclass(frozen=True, slots=True)
class Quote:
    """Prices of one symbol at one moment; quote units, taken as USD.

    Attributes:
        timestamp_ms: when it was true, UTC milliseconds.
        mark, index, last: prices.
        bid, ask: best prices.
        daily_volume_usd: traded in the last 24 hours, USD.
        volatility_daily: standard deviation of daily log returns, for the depth of a simulated
            book; None where the source does not tell.
        funding_rate: of the running interval, a fraction per interval, positive: longs pay.
        funding_interval_hours: length of the running interval.
        next_funding_ms: next payment, UTC milliseconds.
        open_interest_base: open contracts in base units; None where the source does not tell.
        settled_funding_rate: of the latest payment at or before ``timestamp_ms``, which is what
            that payment really was; None where the source does not tell.
    """

    symbol: str
    timestamp_ms: int
    mark: float
    index: float
    last: float
    bid: float
    ask: float
    daily_volume_usd: float
    funding_rate: float
    funding_interval_hours: float
    next_funding_ms: int
    volatility_daily: float | None = None
    open_interest_base: float | None = None
    settled_funding_rate: float | None = None


class Clock(Protocol):
    """The only way to the time."""

    def now_ms(self) -> int:
        """UTC milliseconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait, on this clock."""
        ...


class MarketData(Protocol):
    """Market facts, the same for every feed. Raises UnreachableError, VenueError or DataError."""

    async def instruments(self) -> Mapping[str, Instrument]:
        """Active linear perpetuals by unified symbol."""
        ...

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        """Hourly bars with start_ms <= open < end_ms that are closed by now; NaN where missing."""
        ...

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Prices now; a symbol that has none is left out."""
        ...

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        """Notional that an order of each side meets now within a fraction of the mark price, USD.

        Empty where the feed knows no order book.
        """
        ...

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        """Settled payments with start_ms <= time < end_ms; a symbol without any is left out."""
        ...

    async def close(self) -> None:
        """Give back sockets."""
        ...


@quick_init
@dataclass(frozen=True, slots=True)
class ReportedPosition:
    """One open position as a source reports it; long is positive.

    Attributes:
        base_quantity: base units, signed, not zero.
        position_side: ``BOTH``, or ``LONG``/``SHORT`` for the rows of hedge mode.
        entry_price, leverage, liquidation_price, unrealised_pnl_usd: None where not reported.
        holder: whose it is within the source (an account, a connector, a strategy); empty: its own.
    """

    symbol: str
    base_quantity: Decimal
    position_side: str = "BOTH"
    entry_price: float | None = None
    leverage: float | None = None
    liquidation_price: float | None = None
    unrealised_pnl_usd: float | None = None
    holder: str = ""


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """A bot's own money; None where it is not told.

    Attributes:
        timestamp_ms: when it was true, UTC milliseconds.
    """

    timestamp_ms: int
    equity_usd: float | None = None
    free_usd: float | None = None
    used_margin_usd: float | None = None


@quick_init
@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """What one source says is held.

    Attributes:
        source: its name.
        timestamp_ms: when it was true by the source's own word, UTC milliseconds.
        positions: open positions, empty only when the source surely is flat.
        listed: symbols that the bot may trade (whitelist, open orders); none where not told.
        edition: names what was read where it stands until somebody writes it anew; None: each read
            asked for the state of that moment.
        exchange: ccxt's id of the exchange on which the bot trades; None: that of the hedges.
        account: the bot's own money; None where not told.
    """

    source: str
    timestamp_ms: int
    positions: tuple[ReportedPosition, ...]
    listed: frozenset[str] = frozenset()
    edition: str | None = None
    exchange: str | None = None
    account: SourceAccount | None = None


class PositionSource(Protocol):
    """Where a bot's positions are read. Raises UnreachableError or DataError, never guesses."""

    @property
    def name(self) -> str:
        """As the config calls it."""
        ...

    @property
    def max_age_ms(self) -> int:
        """Older than this is stale."""
        ...

    async def read(self) -> SourceSnapshot:
        """Positions now."""
        ...

    async def close(self) -> None:
        """Give back sockets."""
        ...


@quick_init
@dataclass(frozen=True, slots=True)
class VenueAccount:
    """One account as the venue sees it.

    Attributes:
        state: money.
        base_quantity: signed base units by (symbol, position side); only those not zero.
        margin_rate: initial margin as a fraction of notional by symbol (1 / leverage).
        liquidation_price: by (symbol, position side), where there is one.
        open_order_client_ids: client ids of open orders, ours and others'.
        open_order_symbols: symbols in which anybody has an open order in this account.
        hedge_mode: long and short are held apart.
        margin_mode: ``cross`` or ``isolated`` by symbol, where the venue tells.
    """

    state: AccountState
    base_quantity: Mapping[tuple[str, str], Decimal]
    margin_rate: Mapping[str, float]
    liquidation_price: Mapping[tuple[str, str], float]
    open_order_client_ids: frozenset[str]
    hedge_mode: bool = False
    open_order_symbols: frozenset[str] = frozenset()
    margin_mode: Mapping[str, str] = field(default_factory=dict)

    def leverage(self, symbol: str) -> float | None:
        """By how much a position may exceed its margin; None where the venue does not tell."""
        rate = self.margin_rate.get(symbol)
        return 1 / rate if rate else None


class Venue(Protocol):
    """The account that holds the hedges."""

    @property
    def account_name(self) -> str:
        """As the config calls it."""
        ...

    async def account(self) -> VenueAccount:
        """Positions and money now. Raises UnreachableError, VenueError or DataError."""
        ...

    async def place(self, order: OrderRequest) -> OrderOutcome:
        """Send once. Never raises for what the venue or the network does: that is the outcome."""
        ...

    async def find(self, symbol: str, client_id: str) -> OrderOutcome | None:
        """The order by its client id; None when the venue says that it has none."""
        ...

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        """Executions in this account since then, oldest first."""
        ...

    async def close(self) -> None:
        """Give back sockets."""
        ...
