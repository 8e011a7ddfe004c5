"""What the last look before an order is made of: limits, facts, and the answer. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from bot.ports import Quote, VenueAccount
from bot.trading.orders import OrderRequest, Side
from risk.instrument import Instrument
from risk.quick_init import quick_init

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PretradeLimits:
    """Limits of the controls; fractions unless the name says otherwise (section ``controls``).

    Attributes:
        max_order_usd, max_order_equity_fraction: largest order; the smaller one counts.
        collar: largest distance of a limit price from the mark price.
        max_divergence: largest distance of last and index price from the mark price.
        mark_max_age_ms, positions_max_age_ms, balance_max_age_ms: oldest data to trade on.
        hedge_gross_equity_fraction: largest gross of all hedges.
        symbol_equity_fraction: largest hedge in one symbol.
        depth_fraction: largest share of the depth inside the collar that one order takes.
        min_free_margin: smallest share of equity that stays free of margin.
        min_liquidation_distance: smallest distance of the liquidation price from the mark price.
        instruments_max_age_ms: oldest filters to trade on.
        styles: times in force that may be sent.
        max_slippage, slippage_window_ms: largest slippage of the fills of a symbol.
        messages_per_second, venue_limit_share, message_denials: rate of orders, and how many
            denials for it within a minute halt everything.
        max_repeats, repeat_window_ms, repeat_progress: orders of one side beyond the slices.
        duplicate_window_ms: how long the same order is a duplicate.
        max_clock_offset_ms, halt_clock_offset_ms: of the exchange's clock.
        max_daily_cost, max_daily_turnover: of 24 hours, in equities.
        hold_alert_ms: how long a hold may last without an alert.
        unacknowledged_ms: how long an alert may wait; None: for ever.
        alert_timeout_s: how long the first alert channel may take.
        order_max_age_ms: how long an order may stay open.
        dead_man_ms: after how long without a word the exchange cancels; None: it is not asked to.
    """

    max_order_usd: float = 2000.0
    max_order_equity_fraction: float = 0.05
    collar: float = 0.01
    max_divergence: float = 0.01
    mark_max_age_ms: int = 3_000
    positions_max_age_ms: int = 5_000
    balance_max_age_ms: int = 30_000
    hedge_gross_equity_fraction: float = 1.0
    symbol_equity_fraction: float = 0.30
    depth_fraction: float = 0.25
    min_free_margin: float = 0.30
    min_liquidation_distance: float = 0.15
    instruments_max_age_ms: int = 3_600_000
    styles: frozenset[str] = frozenset({"IOC"})
    max_slippage: float = 0.005
    slippage_window_ms: int = 600_000
    messages_per_second: int = 5
    venue_limit_share: float = 0.5
    message_denials: int = 3
    max_repeats: int = 3
    repeat_window_ms: int = 60_000
    repeat_progress: float = 0.2
    duplicate_window_ms: int = 2_000
    max_clock_offset_ms: int = 500
    halt_clock_offset_ms: int = 1_000
    max_daily_cost: float = 0.005
    max_daily_turnover: float = 3.0
    hold_alert_ms: int = 30_000
    unacknowledged_ms: int | None = 600_000
    alert_timeout_s: float = 5.0
    order_max_age_ms: int = 60_000
    dead_man_ms: int | None = None

    def order_cap_usd(self, equity_usd: float) -> Decimal:
        """Largest notional of one order at this equity, USD; never below 0."""
        return max(
            _ZERO,
            min(exact(self.max_order_usd), exact(self.max_order_equity_fraction * equity_usd)),
        )


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that may still change our position; ``quantity`` is the most it may still fill."""

    symbol: str
    side: Side
    position_side: str
    quantity: Decimal
    reduce_only: bool


@dataclass(frozen=True, slots=True)
class SentOrder:
    """An order that was sent lately and was not surely refused.

    Attributes:
        slices: how many orders its intent was planned to take.
        rest_before: what its intent still had to trade when it was sent, base units.
    """

    client_id: str
    intent_id: str
    side: Side
    quantity: Decimal
    sent_ms: int
    slices: int
    rest_before: Decimal


@quick_init
@dataclass(frozen=True, slots=True)
class PretradeFacts:
    """What is known when an order is checked.

    Attributes:
        own: our hedges by (symbol, position side), signed base units.
        open_orders: orders of ours that are not resolved.
        allowed: symbols in which a hedge may grow; elsewhere it may only shrink.
        positions_ms: when the account's positions were read, UTC milliseconds.
        instruments_ms: when the filters were read; None where nobody said so.
        depth_usd: notional inside the collar that an order of this side would meet, by
            (symbol, side); empty where depth is not read.
        halted: symbols that are halted, and why; "*" stands for all.
        recent: orders in this symbol within the windows of the limits, oldest first.
        slices, rest: of the order's own intent: planned orders, and base units left to trade;
            None where nobody said so.
        clock_offset_ms: the venue's clock less ours; None where the venue does not tell.
        foreign_orders: symbols in which somebody else has an open order in this account.
        self_trade_safe: the venue ends our order, not theirs, where the two would meet.
        turnover_usd: notional of our fills in the last 24 hours.
    """

    now_ms: int
    instruments: Mapping[str, Instrument]
    quotes: Mapping[str, Quote]
    account: VenueAccount
    own: Mapping[tuple[str, str], Decimal]
    open_orders: Sequence[OpenOrder]
    allowed: frozenset[str]
    positions_ms: int
    instruments_ms: int | None
    depth_usd: Mapping[tuple[str, Side], float] = field(default_factory=dict)
    halted: Mapping[str, str] = field(default_factory=dict)
    recent: Sequence[SentOrder] = ()
    slices: int | None = None
    rest: Decimal | None = None
    clock_offset_ms: int | None = None
    foreign_orders: frozenset[str] = frozenset()
    self_trade_safe: bool = False
    turnover_usd: Decimal = _ZERO


@dataclass(frozen=True, slots=True)
class Denied:
    """An order that is not sent: which control said no, and why in one line."""

    control: str
    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One order before the checks, and what they read from it."""

    order: OrderRequest
    facts: PretradeFacts
    limits: PretradeLimits

    @property
    def quote(self) -> Quote:
        """Of its symbol."""
        return self.facts.quotes[self.order.symbol]

    @property
    def instrument(self) -> Instrument:
        """Of its symbol."""
        return self.facts.instruments[self.order.symbol]

    @property
    def held(self) -> Decimal:
        """Our position on the order's side, signed base units."""
        return self.facts.own.get((self.order.symbol, self.order.position_side), _ZERO)

    @property
    def notional_usd(self) -> Decimal:
        """At the limit or the mark price, whichever is larger."""
        return self.order.quantity * max(self.order.limit_price, exact(self.quote.mark))

    @property
    def equity_usd(self) -> float:
        """Of the hedge account."""
        return self.facts.account.state.equity_usd


@lru_cache(256)
def exact(value: float) -> Decimal:
    """The decimal that the float is written as."""
    return Decimal(repr(float(value)))
