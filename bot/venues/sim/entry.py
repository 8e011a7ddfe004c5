"""Order entry: what the exchange checks before it takes, amends or cancels an order."""

from dataclasses import replace
from decimal import Decimal

from bot.trading.orders import Side
from bot.venues.sim.account import SimAccount
from bot.venues.sim.booking import Booker
from bot.venues.sim.errors import Code, reject
from bot.venues.sim.events import Execution
from bot.venues.sim.filters import check_form, check_notional, check_price, check_quantity
from bot.venues.sim.history import find_order
from bot.venues.sim.margin import MarginRules
from bot.venues.sim.market import Markets, SymbolMarket
from bot.venues.sim.matching import Matcher, opposite
from bot.venues.sim.records import (
    ZERO,
    NewOrder,
    OrderStatus,
    OrderType,
    PositionSide,
    SimOrder,
    TimeInForce,
)
from risk.quick_init import quick_replace

_MARKET_ORDER_MARGIN = Decimal("0.0005")  # beyond the best price, as margin is reserved for it
_MAX_AMENDMENTS = 10_000


class OrderEntry:
    """Takes, amends and cancels orders; refuses with the exchange's codes."""

    def __init__(
        self,
        markets: Markets,
        margin: MarginRules,
        booker: Booker,
        matcher: Matcher,
    ) -> None:
        self._markets = markets
        self._margin = margin
        self._booker = booker
        self._matcher = matcher
        self._clock = booker.clock
        self._ids = booker.ids

    def place(self, account: SimAccount, new: NewOrder) -> SimOrder:
        """Take an order and match it.

        Raises:
            VenueReject: refused; nothing has changed.
        """
        order, limit = self.check(account, new)
        order_id = self._ids.next_order()
        order = quick_replace(
            order,
            order_id=order_id,
            priority=order_id,
            client_id=order.client_id or f"x-{order_id}",
        )
        self._booker.teller.order(order, Execution.NEW)
        return self._matcher.take(order, limit)

    def check(self, account: SimAccount, new: NewOrder) -> tuple[SimOrder, Decimal]:
        """The order as it would be taken, id 0, and the worst price it may take; nothing changes.

        Raises:
            VenueReject: it would be refused.
        """
        market = self._markets[new.symbol]
        market.require_trading()
        check_form(market.filters, new, market.mark)
        self._check_mode(account, new)
        if any(o.client_id == new.client_id for o in account.open_orders()):
            raise reject(Code.DUPLICATE_CLIENT_ID)
        order = self._trimmed(account, self._draft(account, new))
        reference = market.mark if new.price is None else new.price
        check_notional(market.filters, new.quantity, reference, closing=order.closing)
        limit = self._limit(market, order)
        self._check_funds(account, market, order)
        if len(account.open_orders(new.symbol)) >= market.filters.max_orders:
            raise reject(Code.MAX_OPEN_ORDERS)
        if order.time_in_force is TimeInForce.GTX and self._would_match(order):
            raise reject(Code.POST_ONLY_REJECTED)
        whole = order.time_in_force is TimeInForce.FOK
        if whole and self._matcher.plan(order, limit).filled < order.quantity:
            raise reject(Code.FILL_OR_KILL_REJECTED)
        return order, limit

    def amend(
        self,
        account: SimAccount,
        symbol: str,
        *,
        order_id: int | None = None,
        client_id: str | None = None,
        side: Side,
        quantity: Decimal,
        price: Decimal,
    ) -> SimOrder:
        """Change price and quantity of an open limit order.

        It keeps its place in the queue only when just its quantity shrinks. A quantity not above
        what is filled cancels it, and so does a price at which a post-only order would take.

        Raises:
            VenueReject: refused; nothing has changed.
        """
        market = self._markets[symbol]
        market.require_trading()
        order = find_order(account, symbol, order_id, client_id)
        if not order.status.open:
            raise reject(Code.NO_SUCH_ORDER)
        if order.side is not side:
            raise reject(Code.BAD_SIDE)
        check_quantity(market.filters, quantity)
        check_price(market.filters, side, price, market.mark)
        if (quantity, price) == (order.quantity, order.price):
            raise reject(Code.NOTHING_TO_AMEND)
        if order.amendments >= _MAX_AMENDMENTS:
            raise reject(Code.TOO_MANY_AMENDMENTS)
        if quantity <= order.filled_quantity:
            return self._booker.finish(order, OrderStatus.CANCELED)
        check_notional(market.filters, quantity, price, closing=order.closing)
        changed = replace(
            order,
            quantity=quantity,
            price=price,
            amendments=order.amendments + 1,
            updated_ms=self._clock.now_ms(),
        )
        if order.closing:
            changed = self._trimmed(account, changed)
        self._check_funds(account, market, changed)
        if order.time_in_force is TimeInForce.GTX and self._would_match(changed):
            return self._booker.finish(order, OrderStatus.CANCELED)
        if price == order.price and changed.quantity < order.quantity:
            self._booker.teller.order(changed, Execution.AMENDMENT)
            return self._booker.store(changed)
        changed = replace(changed, priority=self._ids.next_order())
        self._booker.teller.order(changed, Execution.AMENDMENT)
        return self._matcher.take(changed, price)

    def cancel(
        self,
        account: SimAccount,
        symbol: str,
        *,
        order_id: int | None = None,
        client_id: str | None = None,
    ) -> SimOrder:
        """End an open order.

        Raises:
            VenueReject: there is no such open order.
        """
        symbol = self._markets[symbol].symbol
        order = find_order(account, symbol, order_id, client_id, Code.CANCEL_REJECTED)
        if not order.status.open:
            raise reject(Code.CANCEL_REJECTED)
        return self._booker.finish(order, OrderStatus.CANCELED)

    def _check_mode(self, account: SimAccount, new: NewOrder) -> None:
        one_way = new.position_side is PositionSide.BOTH
        if account.hedge_mode == one_way:
            raise reject(Code.POSITION_SIDE_MISMATCH)
        if account.hedge_mode and new.reduce_only:
            raise reject(Code.PARAMETER_NOT_REQUIRED, name="reduceonly")

    def _draft(self, account: SimAccount, new: NewOrder) -> SimOrder:
        now_ms = self._clock.now_ms()
        return SimOrder(
            order_id=0,
            client_id=new.client_id,
            account=account.name,
            symbol=new.symbol,
            side=new.side,
            position_side=new.position_side,
            type=new.type,
            time_in_force=new.time_in_force,
            quantity=new.quantity,
            price=ZERO if new.price is None else new.price,
            status=OrderStatus.NEW,
            reduce_only=new.reduce_only,
            self_trade_prevention=new.self_trade_prevention,
            created_ms=now_ms,
            updated_ms=now_ms,
            priority=0,
        )

    def _trimmed(self, account: SimAccount, order: SimOrder) -> SimOrder:
        """A closing order cut to what other closing orders leave of its position."""
        if not order.closing:
            return order
        others = (
            o.remaining
            for o in account.open_orders(order.symbol)
            if o.closing
            and (o.side, o.position_side) == (order.side, order.position_side)
            and o.order_id != order.order_id
        )
        left = account.reducible(order) - sum(others, ZERO)
        if left <= 0 or (order.remaining > left and account.hedge_mode):
            raise reject(Code.REDUCE_ONLY_REJECTED)
        if order.remaining <= left:
            return order
        return replace(order, quantity=order.filled_quantity + left)

    def _limit(self, market: SymbolMarket, order: SimOrder) -> Decimal:
        """The worst price that the order may take."""
        if order.type is OrderType.LIMIT:
            return order.price
        reach = order.side.sign * market.filters.market_take_bound
        limit = market.mark * (1 + reach)
        offered = next(market.levels(opposite(order.side), self._clock.now_ms()), None)
        if offered is not None and order.side.sign * (limit - offered[0]) < 0:
            raise reject(Code.MARKET_ORDER_REJECTED)
        return limit

    def _check_funds(self, account: SimAccount, market: SymbolMarket, order: SimOrder) -> None:
        if order.closing:
            return
        assumed = order
        if order.type is OrderType.MARKET:
            best = market.street.best(opposite(order.side))
            price = best * (1 + order.side.sign * _MARKET_ORDER_MARGIN)
            assumed = quick_replace(order, price=price)
        leg = self._margin.leg_with(account, assumed)
        if self._margin.exceeds_bracket(account, assumed, leg):
            raise reject(Code.MAX_POSITION_AT_LEVERAGE)
        if self._margin.shortfall(account, assumed, leg) > 0:
            raise reject(Code.MARGIN_INSUFFICIENT)

    def _would_match(self, order: SimOrder) -> bool:
        plan = self._matcher.plan(order, order.price)
        return bool(plan.matches or plan.self_traded or plan.taker_expires)
