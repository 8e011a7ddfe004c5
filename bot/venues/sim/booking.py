"""Booking: every execution, fee, payment and state of an order is written down here only."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.ports import Clock
from bot.venues.sim.account import PositionState, SimAccount, settle_isolated
from bot.venues.sim.events import Execution, Reason
from bot.venues.sim.margin import MarginRules
from bot.venues.sim.market import Markets
from bot.venues.sim.records import (
    USD_STEP,
    ZERO,
    IncomeEntry,
    IncomeType,
    OrderStatus,
    SimOrder,
    SimTrade,
)
from bot.venues.sim.telling import Teller
from risk.quick_init import quick_replace


@dataclass(slots=True)
class Ids:
    """The last number given of each kind."""

    order: int = 1_000_000
    trade: int = 0
    transaction: int = 0
    change: int = 0

    def skip_to(self, first_id: int) -> None:
        """No id below ``first_id`` from now on."""
        self.order = max(self.order, first_id)
        self.trade = max(self.trade, first_id)
        self.transaction = max(self.transaction, first_id)

    def next_order(self) -> int:
        """A new order id, or place in a queue."""
        self.order += 1
        return self.order

    def next_trade(self) -> int:
        """A new trade id."""
        self.trade += 1
        return self.trade

    def next_transaction(self) -> int:
        """A new id for a change of a wallet."""
        self.transaction += 1
        return self.transaction


class Booker:
    """Writes to accounts and markets; decides nothing."""

    def __init__(
        self,
        accounts: Mapping[str, SimAccount],
        markets: Markets,
        margin: MarginRules,
        clock: Clock,
        ids: Ids,
        *,
        teller: Teller,
    ) -> None:
        self._accounts = accounts
        self._markets = markets
        self._margin = margin
        self.clock = clock
        self.ids = ids
        self.teller = teller

    def account_of(self, order: SimOrder) -> SimAccount:
        """The account that the order belongs to."""
        return self._accounts[order.account]

    def store(self, order: SimOrder) -> SimOrder:
        """Write an order in its new state, and keep the lists of open orders right."""
        account, market = self._accounts[order.account], self._markets[order.symbol]
        account.orders[order.order_id] = order
        account.ids_by_client_id[order.symbol, order.client_id] = order.order_id
        self.ids.change += 1
        if order.status.open:
            account.open_ids[order.order_id] = None
            market.resting[order.order_id] = order
        else:
            account.open_ids.pop(order.order_id, None)
            market.resting.pop(order.order_id, None)
        return order

    def finish(self, order: SimOrder, status: OrderStatus) -> SimOrder:
        """End an order in a final state."""
        ended = self.store(quick_replace(order, status=status, updated_ms=self.clock.now_ms()))
        canceled = status is OrderStatus.CANCELED
        self.teller.order(ended, Execution.CANCELED if canceled else Execution.EXPIRED)
        return ended

    def execute(
        self,
        order: SimOrder,
        price: Decimal,
        quantity: Decimal,
        *,
        maker: bool,
        execution: Execution = Execution.TRADE,
    ) -> SimOrder:
        """Book one execution: position, realised PnL, fee, trade; the order is not stored yet."""
        account, market = self._accounts[order.account], self._markets[order.symbol]
        now_ms = self.clock.now_ms()
        quote = price * quantity
        rate = market.maker_fee if maker else market.taker_fee
        fee = (quote * rate).quantize(USD_STEP)
        realised = self._move(account, order, price, quantity, fee)
        trade_id = self.ids.next_trade()
        for type_, amount in ((IncomeType.REALIZED_PNL, realised), (IncomeType.COMMISSION, -fee)):
            self.pay(account, type_, amount, symbol=order.symbol, trade_id=str(trade_id))
        trade = SimTrade(
            trade_id=trade_id,
            order_id=order.order_id,
            client_id=order.client_id,
            account=account.name,
            symbol=order.symbol,
            side=order.side,
            position_side=order.position_side,
            price=price,
            quantity=quantity,
            quote_usd=quote,
            fee_usd=fee,
            realised_pnl_usd=realised,
            maker=maker,
            timestamp_ms=now_ms,
        )
        account.trades.append(trade)
        filled = order.filled_quantity + quantity
        done = filled == order.quantity
        executed = quick_replace(
            order,
            filled_quantity=filled,
            filled_quote_usd=order.filled_quote_usd + quote,
            status=OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED,
            updated_ms=now_ms,
        )
        position = account.position(order.symbol, order.position_side)
        self.teller.account(account, Reason.ORDER, (position,), at_ms=now_ms)
        self.teller.order(executed, execution, trade)
        return executed

    def pay(
        self,
        account: SimAccount,
        type_: IncomeType,
        amount_usd: Decimal,
        *,
        symbol: str = "",
        trade_id: str = "",
        at_ms: int | None = None,
    ) -> None:
        """Change a wallet and write down why; nothing is written for 0."""
        if not amount_usd:
            return
        account.wallet_usd += amount_usd
        account.income.append(
            IncomeEntry(
                transaction_id=self.ids.next_transaction(),
                account=account.name,
                symbol=symbol,
                type=type_,
                amount_usd=amount_usd,
                info=trade_id or type_.value,
                trade_id=trade_id,
                timestamp_ms=self.clock.now_ms() if at_ms is None else at_ms,
            )
        )

    def deliver(self, account: SimAccount, position: PositionState, price: Decimal) -> None:
        """Close a position outside the market, without fee, as the symbol ends."""
        realised = position.trade(-position.quantity, price)
        position.isolated_wallet_usd = position.charges_usd = ZERO
        position.updated_ms = self.clock.now_ms()
        settled = IncomeType.DELIVERED_SETTLEMENT
        self.pay(account, settled, realised, symbol=position.symbol)
        self.teller.account(account, Reason.ADJUSTMENT, (position,), change_usd=realised)

    def expire_idle_closers(self, name: str, symbol: str) -> None:
        """End resting orders of an account that could only close a position which is gone."""
        account = self._accounts[name]
        for order in account.open_orders(symbol):
            if order.closing and not account.reducible(order):
                self.finish(order, OrderStatus.EXPIRED)

    def _move(
        self, account: SimAccount, order: SimOrder, price: Decimal, quantity: Decimal, fee: Decimal
    ) -> Decimal:
        position = account.position(order.symbol, order.position_side)
        before = position.quantity
        realised = position.trade(order.side.sign * quantity, price)
        position.updated_ms = self.clock.now_ms()
        _charge(position, before, fee - realised, fee)
        if account.isolated(order.symbol):
            leverage = self._margin.leverage(account, order.symbol)
            settle_isolated(position, before, price, leverage)
        return realised


def _charge(position: PositionState, before: Decimal, charge: Decimal, fee: Decimal) -> None:
    """Carry fees and realised PnL for the break-even price, anew for a position that is new."""
    if not position.quantity:
        position.charges_usd = ZERO
    elif before * position.quantity > 0:
        position.charges_usd += charge
    else:
        position.charges_usd = fee
