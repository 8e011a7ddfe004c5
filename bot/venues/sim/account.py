"""One account: wallet, positions and settings, booked exactly.

A position keeps the signed cost of what it holds instead of an entry price, so that nothing is
lost in an average: cost changes by what was paid, and realised PnL is what closing brought in
less the released share of the cost, rounded to ``USD_STEP``; the remainder stays in the cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter

from bot.venues.sim.records import (
    USD_STEP,
    ZERO,
    IncomeEntry,
    MarginType,
    PositionSide,
    SimOrder,
    SimTrade,
)
from bot.venues.sim.timeline import Timeline

PRICE_STEP = Decimal("1e-12")
"""Averages are shown to this precision; what they are made of is exact."""


@dataclass(slots=True)
class PositionState:
    """One leg of one symbol.

    Attributes:
        quantity: base units, signed.
        cost_usd: signed: quantity times entry price.
        charges_usd: fees less realised PnL since it was last flat, for the break-even price.
        realised_usd: realised PnL since the account was opened, before fees.
        isolated_wallet_usd: margin set aside; 0 when cross.
    """

    symbol: str
    side: PositionSide
    quantity: Decimal = ZERO
    cost_usd: Decimal = ZERO
    charges_usd: Decimal = ZERO
    isolated_wallet_usd: Decimal = ZERO
    updated_ms: int = 0
    realised_usd: Decimal = ZERO

    @property
    def entry_price(self) -> Decimal:
        """Average price of what is held; 0 when flat."""
        if not self.quantity:
            return ZERO
        return (self.cost_usd / self.quantity).quantize(PRICE_STEP)

    @property
    def break_even_price(self) -> Decimal:
        """Price at which closing, before its own fee, leaves nothing won or lost; 0 when flat."""
        if not self.quantity:
            return ZERO
        return ((self.cost_usd + self.charges_usd) / self.quantity).quantize(PRICE_STEP)

    def unrealised_pnl_usd(self, mark: Decimal) -> Decimal:
        """At the mark price."""
        return (self.quantity * mark - self.cost_usd).quantize(USD_STEP)

    def trade(self, signed_quantity: Decimal, price: Decimal) -> Decimal:
        """Book an execution; returns the realised PnL, USD before fees."""
        closing = self._closing_part(signed_quantity)
        realised = self._close(closing, price) if closing else ZERO
        self.realised_usd += realised
        opening = signed_quantity - closing
        self.quantity += opening
        self.cost_usd += opening * price
        return realised

    def _closing_part(self, signed_quantity: Decimal) -> Decimal:
        if self.quantity * signed_quantity >= 0:
            return ZERO
        size = min(abs(self.quantity), abs(signed_quantity))
        return size.copy_sign(signed_quantity)

    def _close(self, closing: Decimal, price: Decimal) -> Decimal:
        proceeds = -closing * price  # signed like the cost: selling a long brings it in
        released = self.cost_usd * (-closing / self.quantity)
        if closing == -self.quantity:
            released = self.cost_usd
        realised = (proceeds - released).quantize(USD_STEP)
        self.quantity += closing
        self.cost_usd = self.cost_usd - proceeds + realised if self.quantity else ZERO
        return realised


PositionKey = tuple[str, PositionSide]
_key = itemgetter(0)
HeldPosition = tuple[Decimal, Decimal]
"""Signed base units, and entry price."""


@dataclass(slots=True)
class SimAccount:
    """One account and everything that happened to it.

    Attributes:
        initial_usd: wallet at the start; wallet = initial + sum of income, exactly.
        hedge_mode: long and short legs are held side by side.
        positions: by symbol and side, flat ones too once they were touched.
        leverage, margin_type: where set by the account; otherwise the exchange's default.
        orders: all, by id, oldest first; ``open_ids`` those that may still trade.
        countdowns: by symbol, when its orders are cancelled, UTC milliseconds.
        key_withdraws, key_transfers, key_ip_bound: what its key may do, and from where.
    """

    name: str
    api_key: str
    api_secret: str = field(repr=False)
    initial_usd: Decimal
    wallet_usd: Decimal
    hedge_mode: bool = False
    positions: dict[PositionKey, PositionState] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    margin_type: dict[str, MarginType] = field(default_factory=dict)
    orders: dict[int, SimOrder] = field(default_factory=dict, repr=False)
    ids_by_client_id: dict[tuple[str, str], int] = field(default_factory=dict, repr=False)
    open_ids: dict[int, None] = field(default_factory=dict, repr=False)
    trades: Timeline[SimTrade] = field(default_factory=Timeline, repr=False)
    income: Timeline[IncomeEntry] = field(default_factory=Timeline, repr=False)
    countdowns: dict[str, int] = field(default_factory=dict)
    key_withdraws: bool = False
    key_transfers: bool = False
    key_ip_bound: bool = True

    def position(self, symbol: str, side: PositionSide) -> PositionState:
        """The leg, flat when it was never touched."""
        found = self.positions.get((symbol, side))
        if found is None:
            found = self.positions[symbol, side] = PositionState(symbol, side)
        return found

    def held(self, symbol: str | None = None) -> list[PositionState]:
        """Legs that are not flat, of one symbol or all, in the order of symbol and side."""
        found = [
            (key, position)
            for key, position in self.positions.items()
            if position.quantity and (symbol is None or key[0] == symbol)
        ]
        if len(found) > 1:
            found.sort(key=_key)
        return [position for _, position in found]

    def open_orders(self, symbol: str | None = None) -> list[SimOrder]:
        """Open orders of one symbol or all, oldest first."""
        if not self.open_ids:
            return []
        orders = (self.orders[i] for i in self.open_ids)
        return [o for o in orders if symbol is None or o.symbol == symbol]

    def margin_type_of(self, symbol: str) -> MarginType:
        """Cross unless the account set it otherwise."""
        return self.margin_type.get(symbol, MarginType.CROSSED)

    def isolated(self, symbol: str) -> bool:
        """The symbol has margin of its own."""
        return self.margin_type.get(symbol) is MarginType.ISOLATED

    @property
    def isolated_wallets_usd(self) -> Decimal:
        """Set aside for isolated positions."""
        return sum([p.isolated_wallet_usd for p in self.positions.values()], ZERO)

    @property
    def cross_wallet_usd(self) -> Decimal:
        """Wallet without what is set aside."""
        return self.wallet_usd - self.isolated_wallets_usd

    def reducible(self, order: SimOrder) -> Decimal:
        """Base units of its position that a closing order may still take away, 0 or more."""
        held = self.position(order.symbol, order.position_side).quantity
        return max(ZERO, -order.side.sign * held)


def settle_isolated(
    position: PositionState, before: Decimal, price: Decimal, leverage: int
) -> None:
    """Move margin between cross and isolated wallet after a trade at ``price``.

    What was opened takes its initial margin along, what was closed gives back its share.
    ``before`` is the quantity before the trade.
    """
    after = position.quantity
    flipped = before * after < 0
    if flipped or abs(after) < abs(before):
        kept = ZERO if flipped or not after else position.isolated_wallet_usd * after / before
        position.isolated_wallet_usd = kept.quantize(USD_STEP)
    opened = abs(after) if flipped else max(ZERO, abs(after) - abs(before))
    if opened:
        position.isolated_wallet_usd += (opened * price / leverage).quantize(USD_STEP)


def restore(
    account: SimAccount,
    wallet_usd: Decimal,
    positions: Mapping[tuple[str, str], HeldPosition],
    now_ms: int,
) -> None:
    """Put an account without history in a saved state; a LONG or SHORT leg sets hedge mode.

    Raises:
        ValueError: the account has traded, or the legs do not fit one position mode.
    """
    if account.orders or account.income or account.held():
        raise ValueError(f"account {account.name!r} has a history and cannot be restored")
    sides = {PositionSide(side) for _, side in positions}
    if PositionSide.BOTH in sides and len(sides) > 1:
        raise ValueError(f"account {account.name!r}: positions of both position modes")
    for (symbol, side), (quantity, entry_price) in sorted(positions.items()):
        position = account.position(symbol, PositionSide(side))
        position.quantity = quantity
        position.cost_usd = (quantity * entry_price).quantize(USD_STEP)
        position.updated_ms = now_ms
    account.hedge_mode = bool(sides - {PositionSide.BOTH})
    account.initial_usd = account.wallet_usd = wallet_usd.quantize(USD_STEP)
