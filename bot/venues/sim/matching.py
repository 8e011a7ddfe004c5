"""Matching: takers walk the book, resting orders fill when the market comes to them.

A taker meets the market's own liquidity and the resting orders of all accounts, best price first;
at one price the market's liquidity stands first in line. A resting order fills at its own price
with what the market newly offers at that price or better.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bot.trading.orders import Side
from bot.venues.sim.booking import Booker
from bot.venues.sim.events import Execution
from bot.venues.sim.market import Markets, SymbolMarket
from bot.venues.sim.records import (
    ZERO,
    OrderStatus,
    OrderType,
    PositionSide,
    SelfTradePrevention,
    SimOrder,
    TimeInForce,
)
from bot.venues.sim.settings import ExchangeCounters


@dataclass(frozen=True, slots=True)
class Match:
    """One part of an execution; ``maker`` is None where the market's own liquidity was taken."""

    price: Decimal
    quantity: Decimal
    maker: SimOrder | None


@dataclass(slots=True)
class Plan:
    """What a taker would do now.

    Attributes:
        self_traded: resting orders of the same account that expire instead of trading.
        taker_expires: the taker met an order of its own account and ends there.
    """

    matches: list[Match] = field(default_factory=list)
    self_traded: list[SimOrder] = field(default_factory=list)
    taker_expires: bool = False
    filled: Decimal = ZERO


def opposite(side: Side) -> Side:
    """The side that ``side`` trades with."""
    return Side.SELL if side is Side.BUY else Side.BUY


class Matcher:
    """Finds and books matches."""

    def __init__(self, markets: Markets, booker: Booker, counters: ExchangeCounters) -> None:
        self._markets = markets
        self._booker = booker
        self._clock = booker.clock
        self._counters = counters

    def plan(self, order: SimOrder, limit: Decimal) -> Plan:
        """Matches of ``order`` up to ``limit``; changes nothing."""
        plan = Plan()
        promised: dict[tuple[str, PositionSide], Decimal] = {}
        for price, quantity, maker in self._offers(order):
            wanted = order.remaining - plan.filled
            if not wanted or order.side.sign * (limit - price) < 0:
                break
            if maker is not None and maker.account == order.account:
                prevention = order.self_trade_prevention
                if prevention is not SelfTradePrevention.NONE:
                    if prevention is not SelfTradePrevention.EXPIRE_TAKER:
                        plan.self_traded.append(maker)
                    if prevention is not SelfTradePrevention.EXPIRE_MAKER:
                        plan.taker_expires = True
                        break
                    continue
            part = min(wanted, quantity)
            if maker is not None:
                part = min(part, self._allowed(maker, promised))
            if part:
                plan.matches.append(Match(price, part, maker))
                plan.filled += part
        return plan

    def take(self, order: SimOrder, limit: Decimal) -> SimOrder:
        """Execute a new or amended order up to ``limit``, then rest or end what is left."""
        plan = self.plan(order, limit)
        for maker in plan.self_traded:
            self._booker.finish(maker, OrderStatus.EXPIRED_IN_MATCH)
        for match in plan.matches:
            order = self._trade(order, match)
        order = self._booker.store(self._settled(order, plan))
        if order.status in (OrderStatus.EXPIRED, OrderStatus.EXPIRED_IN_MATCH):
            self._booker.teller.order(order, Execution.EXPIRED)
        for name in sorted({order.account} | {m.maker.account for m in plan.matches if m.maker}):
            self._booker.expire_idle_closers(name, order.symbol)
        return self._booker.account_of(order).orders[order.order_id]

    def fill_resting(self, market: SymbolMarket) -> None:
        """Fill resting orders that the market's new prices reach."""
        for side in (Side.BUY, Side.SELL):
            for order in market.queue(side):
                self._fill_from_street(market, order)

    def _fill_from_street(self, market: SymbolMarket, order: SimOrder) -> None:
        account = self._booker.account_of(order)
        wanted = order.remaining
        if order.closing:
            wanted = min(wanted, account.reducible(order))
        offered = ZERO
        side, now_ms = opposite(order.side), self._clock.now_ms()
        for price, quantity in market.street.levels(side, now_ms):
            if offered >= wanted or order.side.sign * (order.price - price) < 0:
                break
            offered += quantity
        part = min(wanted, offered)
        if part > 0:
            market.street.take(side, part, now_ms)
            self._fill(order, order.price, part, maker=True)
            self._booker.expire_idle_closers(order.account, order.symbol)

    def _offers(self, order: SimOrder) -> Iterator[tuple[Decimal, Decimal, SimOrder | None]]:
        """(price, quantity, resting order or None) that the taker meets, best first."""
        market, side = self._markets[order.symbol], opposite(order.side)
        waiting = iter(market.queue(side))
        own = next(waiting, None)
        for price, quantity in market.street.levels(side, self._clock.now_ms()):
            while own is not None and side.sign * (own.price - price) > 0:
                yield own.price, own.remaining, own
                own = next(waiting, None)
            yield price, quantity, None
        while own is not None:
            yield own.price, own.remaining, own
            own = next(waiting, None)

    def _allowed(
        self, maker: SimOrder, promised: dict[tuple[str, PositionSide], Decimal]
    ) -> Decimal:
        """How much of a resting order may trade: closing orders share what is left to close."""
        if not maker.closing:
            return maker.remaining
        key = (maker.account, maker.position_side)
        account = self._booker.account_of(maker)
        allowed = min(maker.remaining, account.reducible(maker) - promised.get(key, ZERO))
        promised[key] = promised.get(key, ZERO) + max(ZERO, allowed)
        return max(ZERO, allowed)

    def _trade(self, order: SimOrder, match: Match) -> SimOrder:
        if match.maker is None:
            market = self._markets[order.symbol]
            market.street.take(opposite(order.side), match.quantity, self._clock.now_ms())
        else:
            self._fill(match.maker, match.price, match.quantity, maker=True)
        self._counters.fills += 1
        return self._booker.execute(order, match.price, match.quantity, maker=False)

    def _fill(self, order: SimOrder, price: Decimal, quantity: Decimal, *, maker: bool) -> None:
        self._counters.fills += 1
        self._booker.store(self._booker.execute(order, price, quantity, maker=maker))

    def _settled(self, order: SimOrder, plan: Plan) -> SimOrder:
        """The order's state once it has taken what it could."""
        status = order.status
        if not order.remaining:
            status = OrderStatus.FILLED
        elif plan.taker_expires:
            status = OrderStatus.EXPIRED_IN_MATCH
        elif order.type is OrderType.MARKET or order.time_in_force is TimeInForce.IOC:
            status = OrderStatus.EXPIRED
        return order if status is order.status else replace(order, status=status)
