"""Orders of the simulated exchange: taken, changed, ended, looked up."""

from decimal import Decimal
from typing import Unpack

from bot.trading.orders import Side
from bot.venues.sim import history
from bot.venues.sim.account import SimAccount
from bot.venues.sim.core import ExchangeCore
from bot.venues.sim.errors import Code, VenueReject, reject
from bot.venues.sim.records import (
    IncomeEntry,
    IncomeType,
    NewOrder,
    OrderStatus,
    SimOrder,
    SimTrade,
)


class OrderDesk(ExchangeCore):
    """What a client does with orders, and reads of what became of them."""

    def place(self, account: SimAccount, order: NewOrder) -> SimOrder:
        """Take an order; the answer is its state after matching.

        Raises:
            VenueReject: refused; nothing has changed.
        """
        self.expire_countdowns()
        self.counters.orders_received += 1
        try:
            return self._entry.place(account, order)
        except VenueReject:
            self.counters.rejected += 1
            raise

    def check(self, account: SimAccount, order: NewOrder) -> SimOrder:
        """The order as ``place`` would take it, with id 0; it is neither placed nor counted.

        Raises:
            VenueReject: it would be refused.
        """
        self.expire_countdowns()
        return self._entry.check(account, order)[0]

    def amend(
        self,
        account: SimAccount,
        symbol: str,
        *,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        **which: Unpack[history.OrderIds],
    ) -> SimOrder:
        """Change price and quantity of an open limit order."""
        self.expire_countdowns()
        return self._entry.amend(
            account, symbol, side=side, quantity=quantity, price=price, **which
        )

    def cancel(
        self, account: SimAccount, symbol: str, **which: Unpack[history.OrderIds]
    ) -> SimOrder:
        """End an open order; -2011 when there is none."""
        self.expire_countdowns()
        return self._entry.cancel(account, symbol, **which)

    def expire(self, account: SimAccount, order_id: int) -> SimOrder:
        """The exchange itself ends an open order."""
        return self._booker.finish(account.orders[order_id], OrderStatus.EXPIRED)

    def cancel_all(self, account: SimAccount, symbol: str) -> list[SimOrder]:
        """End all open orders of the account in the symbol."""
        self.expire_countdowns()
        orders = account.open_orders(self._markets[symbol].symbol)
        return [self._booker.finish(order, OrderStatus.CANCELED) for order in orders]

    def countdown(self, account: SimAccount, symbol: str, countdown_ms: int) -> None:
        """Cancel the symbol's orders when this time passes without another call; 0 stops it."""
        self.expire_countdowns()
        symbol = self._markets[symbol].symbol
        if countdown_ms < 0:
            raise reject(Code.BAD_PARAMETER, name="countdownTime")
        account.countdowns.pop(symbol, None)
        if countdown_ms:
            account.countdowns[symbol] = self.clock.now_ms() + countdown_ms

    def find_order(
        self, account: SimAccount, symbol: str, **which: Unpack[history.OrderIds]
    ) -> SimOrder:
        """The order by its id, or the newest with that client id; -2013 when there is none."""
        self.expire_countdowns()
        return history.find_order(account, self._markets[symbol].symbol, **which)

    def open_orders(self, account: SimAccount, symbol: str | None = None) -> list[SimOrder]:
        """Open orders of one symbol or all, oldest first."""
        self.expire_countdowns()
        return account.open_orders(None if symbol is None else self._markets[symbol].symbol)

    def all_orders(
        self, account: SimAccount, symbol: str, **window: Unpack[history.OrderWindow]
    ) -> list[SimOrder]:
        """Orders in any state, oldest first; at most 500 unless ``limit`` says otherwise."""
        self.expire_countdowns()
        return history.all_orders(account, self._markets[symbol].symbol, **window)

    def trades(
        self, account: SimAccount, symbol: str, **window: Unpack[history.TradeWindow]
    ) -> list[SimTrade]:
        """Executions, oldest first; at most 500 unless ``limit`` says otherwise."""
        return history.trades(account, self._markets[symbol].symbol, **window)

    def income(
        self,
        account: SimAccount,
        symbol: str | None = None,
        type_: IncomeType | None = None,
        **window: Unpack[history.Window],
    ) -> list[IncomeEntry]:
        """Changes of the wallet, oldest first; at most 100 unless ``limit`` says otherwise."""
        wanted = None if symbol is None else self._markets[symbol].symbol
        return history.income(account, wanted, type_, **window)
