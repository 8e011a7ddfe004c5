"""Liquidation: what no longer covers its maintenance margin is closed at the mark price.

Cross positions share the cross wallet: open orders go first, then the positions with the largest
maintenance margin, one by one, until the rest is covered. An isolated position stands alone. Each
closing pays the taker fee and a liquidation fee; the insurance fund makes up what is lost beyond
the margin, so that no wallet ends below 0.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal

from bot.trading.orders import Side
from bot.venues.sim.account import PositionState, SimAccount
from bot.venues.sim.booking import Booker
from bot.venues.sim.depth import to_step
from bot.venues.sim.events import Execution, Reason
from bot.venues.sim.margin import LegMargin, MarginRules
from bot.venues.sim.market import Markets
from bot.venues.sim.records import (
    USD_STEP,
    ZERO,
    IncomeType,
    OrderStatus,
    OrderType,
    SelfTradePrevention,
    SimOrder,
    TimeInForce,
)
from bot.venues.sim.settings import ExchangeSettings

_CALL_AT = Decimal("0.8")
"""Share of its margin that an account's maintenance may take before it is warned."""


class Liquidator:
    """Watches margins and closes positions."""

    def __init__(
        self,
        markets: Markets,
        margin: MarginRules,
        booker: Booker,
        settings: ExchangeSettings,
    ) -> None:
        self._markets = markets
        self._margin = margin
        self._booker = booker
        self._clock = booker.clock
        self._ids = booker.ids
        self._settings = settings
        self.insurance_fund_usd = ZERO
        self._called: set[tuple[str, str]] = set()

    def check(self, account: SimAccount) -> None:
        """Liquidate whatever of the account is under water; warn of what is near it."""
        legs = self._margin.legs(account)
        if self._booker.teller.heard:
            self._warn(account, legs)
        if not legs:
            return
        closed = False
        for position, leg in legs:
            alone = account.isolated(position.symbol) and self._markets[position.symbol].trading
            balance = position.isolated_wallet_usd + leg.unrealised
            if alone and position.quantity and balance < leg.maintenance:
                self._cancel(account, isolated_symbol=position.symbol)
                self._close_isolated(account, position)
                closed = True
        if self._short_of_cross_margin(account, None if closed else legs):
            self._cancel(account, isolated_symbol=None)
            self._close_cross(account)

    def _warn(self, account: SimAccount, legs: Iterable[tuple[PositionState, LegMargin]]) -> None:
        """A margin call, once for each time that maintenance takes up most of the margin."""
        teller = self._booker.teller
        legs = [(p, leg) for p, leg in legs if p.quantity]
        cross = [(p, leg) for p, leg in legs if not account.isolated(p.symbol)]
        groups = [("", account.cross_wallet_usd, cross)] + [
            (p.symbol + p.side, p.isolated_wallet_usd, [(p, leg)])
            for p, leg in legs
            if account.isolated(p.symbol)
        ]
        for name, wallet, members in groups:
            margin = wallet + sum((leg.unrealised for _, leg in members), ZERO)
            needed = sum((leg.maintenance for _, leg in members), ZERO)
            near, key = needed > margin * _CALL_AT, (account.name, name)
            if near and members and key not in self._called:
                teller.margin_call(account, [p for p, _ in members], isolated=bool(name))
            (self._called.add if near else self._called.discard)(key)

    def _close_cross(self, account: SimAccount) -> None:
        closable = [
            (p, leg) for p, leg in self._cross_legs(account) if self._markets[p.symbol].trading
        ]
        closable.sort(key=lambda item: (-item[1].maintenance, item[0].symbol, item[0].side))
        for position, _ in closable:
            if not self._short_of_cross_margin(account):
                break
            self._close(account, position)
        if not self._cross_legs(account) and account.cross_wallet_usd < 0:
            self._insure(account, -account.cross_wallet_usd, symbol="")

    def _cross_legs(
        self, account: SimAccount, known: list[tuple[PositionState, LegMargin]] | None = None
    ) -> list[tuple[PositionState, LegMargin]]:
        legs = self._margin.legs(account) if known is None else known
        return [(p, leg) for p, leg in legs if p.quantity and not account.isolated(p.symbol)]

    def _short_of_cross_margin(
        self, account: SimAccount, known: list[tuple[PositionState, LegMargin]] | None = None
    ) -> bool:
        """``known``: all legs as they are now, where somebody has computed them."""
        legs = self._cross_legs(account, known)
        spare = account.cross_wallet_usd
        for _, leg in legs:
            spare += leg.unrealised - leg.maintenance
        return bool(legs) and spare < 0

    def _cancel(self, account: SimAccount, *, isolated_symbol: str | None) -> None:
        """Cancel open orders of one isolated symbol, or of all cross symbols."""
        for order in account.open_orders():
            same = order.symbol == isolated_symbol
            if same or (isolated_symbol is None and not account.isolated(order.symbol)):
                self._booker.finish(order, OrderStatus.CANCELED)

    def _close_isolated(self, account: SimAccount, position: PositionState) -> None:
        margin, before = position.isolated_wallet_usd, account.wallet_usd
        self._close(account, position)
        lost_beyond_margin = before - account.wallet_usd - margin
        if lost_beyond_margin > 0:
            self._insure(account, lost_beyond_margin, symbol=position.symbol)

    def _close(self, account: SimAccount, position: PositionState) -> None:
        market, tick = self._markets[position.symbol], self._markets[position.symbol].filters.tick
        price = max(to_step(market.mark, tick, ROUND_HALF_EVEN), tick)
        order = self._order(account, position, price)
        teller = self._booker.teller
        teller.order(order, Execution.NEW)
        filled = self._booker.execute(
            order, price, order.quantity, maker=False, execution=Execution.CALCULATED
        )
        self._booker.store(filled)
        fee = (filled.filled_quote_usd * self._settings.liquidation_fee).quantize(USD_STEP)
        self.insurance_fund_usd += fee
        self._booker.pay(account, IncomeType.INSURANCE_CLEAR, -fee, symbol=position.symbol)
        teller.account(account, Reason.INSURANCE_CLEAR, change_usd=-fee)
        self._booker.expire_idle_closers(account.name, position.symbol)

    def deleverage(self, account: SimAccount, position: PositionState, quantity: Decimal) -> None:
        """Close that much of a position at the mark price for somebody who went under."""
        market, tick = self._markets[position.symbol], self._markets[position.symbol].filters.tick
        price = max(to_step(market.mark, tick, ROUND_HALF_EVEN), tick)
        order = replace(
            self._order(account, position, price),
            client_id="adl_autoclose",
            quantity=min(quantity, abs(position.quantity)),
        )
        self._booker.store(self._booker.execute(order, price, order.quantity, maker=False))
        self._booker.expire_idle_closers(account.name, position.symbol)

    def _order(self, account: SimAccount, position: PositionState, price: Decimal) -> SimOrder:
        now_ms, order_id = self._clock.now_ms(), self._ids.next_order()
        return SimOrder(
            order_id=order_id,
            client_id=f"autoclose-{now_ms}{order_id}",
            account=account.name,
            symbol=position.symbol,
            side=Side.SELL if position.quantity > 0 else Side.BUY,
            position_side=position.side,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.IOC,
            quantity=abs(position.quantity),
            price=price,
            status=OrderStatus.NEW,
            reduce_only=False,
            self_trade_prevention=SelfTradePrevention.NONE,
            created_ms=now_ms,
            updated_ms=now_ms,
            priority=order_id,
        )

    def _insure(self, account: SimAccount, amount_usd: Decimal, *, symbol: str) -> None:
        self.insurance_fund_usd -= amount_usd
        self._booker.pay(account, IncomeType.INSURANCE_CLEAR, amount_usd, symbol=symbol)
        self._booker.teller.account(account, Reason.INSURANCE_CLEAR, change_usd=amount_usd)
