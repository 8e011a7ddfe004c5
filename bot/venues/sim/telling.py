"""Words for the bus: what an order, an account or the market looks like after a change."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from bot.ports import Quote
from bot.venues.sim.account import PositionState, SimAccount
from bot.venues.sim.events import (
    AccountChanged,
    EventBus,
    Execution,
    LeverageChanged,
    MarginCalled,
    MarketMoved,
    OrderChanged,
    PositionNow,
    Reason,
)
from bot.venues.sim.margin import MarginRules
from bot.venues.sim.market import Markets
from bot.venues.sim.records import ZERO, SimOrder, SimTrade


class Teller:
    """Describes changes to the bus; does nothing where nobody listens."""

    def __init__(self, bus: EventBus, markets: Markets, margin: MarginRules) -> None:
        self._bus = bus
        self._markets = markets
        self._margin = margin

    @property
    def heard(self) -> bool:
        """Somebody listens."""
        return self._bus.heard

    def order(self, order: SimOrder, execution: Execution, trade: SimTrade | None = None) -> None:
        """An order changed, at the time that it bears."""
        self._bus.tell(
            lambda stamp: OrderChanged(stamp, order.account, order, execution, trade),
            transaction_ms=order.updated_ms,
        )

    def account(
        self,
        account: SimAccount,
        reason: Reason,
        positions: Iterable[PositionState] = (),
        *,
        change_usd: Decimal = ZERO,
        at_ms: int | None = None,
    ) -> None:
        """Money of an account changed, and these positions with it."""
        if not self._bus.heard:
            return
        legs = tuple(self.position(account, one) for one in positions)
        wallet, cross = account.wallet_usd, account.cross_wallet_usd
        self._bus.tell(
            lambda stamp: AccountChanged(
                stamp, account.name, reason, wallet, cross, change_usd, legs
            ),
            transaction_ms=at_ms,
        )

    def leverage(self, account: SimAccount, symbol: str, leverage: int) -> None:
        """The account set another leverage."""
        self._bus.tell(lambda stamp: LeverageChanged(stamp, account.name, symbol, leverage))

    def margin_call(
        self, account: SimAccount, positions: Iterable[PositionState], *, isolated: bool
    ) -> None:
        """Positions come near their liquidation."""
        legs = tuple(self.position(account, one) for one in positions)
        cross = None if isolated else account.cross_wallet_usd
        self._bus.tell(lambda stamp: MarginCalled(stamp, account.name, cross, legs))

    def market(self, quotes: Mapping[str, Quote]) -> None:
        """New prices were taken in, and all that they caused was told."""
        taken = dict(sorted(quotes.items()))
        self._bus.tell(lambda stamp: MarketMoved(stamp, taken))

    def position(self, account: SimAccount, position: PositionState) -> PositionNow:
        """One leg as it stands."""
        mark = self._markets[position.symbol].mark
        leg = self._margin.leg(account, position, ())
        return PositionNow(
            symbol=position.symbol,
            position_side=position.side,
            quantity=position.quantity,
            entry_price=position.entry_price,
            break_even_price=position.break_even_price,
            mark_price=mark,
            realised_usd=position.realised_usd,
            unrealised_pnl_usd=leg.unrealised,
            maintenance_margin_usd=leg.maintenance,
            margin_type=account.margin_type_of(position.symbol),
            isolated_wallet_usd=position.isolated_wallet_usd,
        )
