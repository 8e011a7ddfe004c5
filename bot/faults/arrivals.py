"""The exchange's door for orders, and its log of what came through."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal

from bot.faults.faultset import FaultSet
from bot.faults.world import World
from bot.trading.orders import OrderRequest, Side
from bot.venues.sim.errors import Code, VenueReject, reject
from bot.venues.sim.records import (
    NewOrder,
    OrderStatus,
    OrderType,
    PositionSide,
    SimOrder,
    TimeInForce,
)

CANCELS = ("cancel_after_fill", "cancel_timeout")
RESTS = ("partial_then_expiry", "amended_by_other", "cancelled_by_other", *CANCELS)


@dataclass(frozen=True, slots=True)
class Told:
    """The moment of a send, as the world outside the engine knows it.

    Attributes:
        sent_ms: true time; ``offset_ms`` is how far the engine's clock was ahead of it.
        unsynced_bytes: of the engine's disk.
        halted: the kill switch was on.
        marks: mark price by symbol.
        equity_usd: of the hedge account.
        bot_quantity: what the bot's feed told last, base units by symbol; None before it did.
        bot_ms: of when that was by the feed's own word.
    """

    sent_ms: int
    offset_ms: int
    unsynced_bytes: int
    halted: bool
    marks: Mapping[str, float]
    equity_usd: float
    bot_quantity: Mapping[str, float] | None
    bot_ms: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """One order at the exchange's door.

    Attributes:
        actor: ``engine``, or ``network`` for a copy of the engine's request that the network made.
        order_id: what it became; None when it was refused, with the code.
        arrived_ms: true time.
    """

    actor: str
    request: OrderRequest
    told: Told
    order_id: int | None
    code: str
    arrived_ms: int


class OrderDoor:
    """Takes orders of the engine's account and writes down every one."""

    def __init__(self, world: World, faults: FaultSet) -> None:
        self.log: list[Arrival] = []
        self.tampered: set[str] = set()
        self.cancelled: list[str] = []
        self.on_rest: Callable[[], None] = lambda: None
        self._world = world
        self._faults = faults

    def arrive(self, request: OrderRequest, told: Told, actor: str = "engine") -> SimOrder:
        """The order reaches the exchange.

        Raises:
            VenueReject: refused.
        """
        world = self._world
        order_id, code = None, ""
        try:
            taken = self._take(request)
            order_id = taken.order_id
        except VenueReject as refusal:
            code = str(refusal.code)
            raise
        finally:
            self.log.append(Arrival(actor, request, told, order_id, code, world.now_ms))
            world.note(
                f"order {actor} {request.client_id} {request.symbol} {request.side} "
                f"{request.quantity} at {request.limit_price} -> {order_id or code}"
            )
        return taken

    def _take(self, request: OrderRequest) -> SimOrder:
        faults, world = self._faults, self._world
        new = new_order(request)
        if request.reduce_only and faults.strikes("reduce_only_reject", 0.7):
            raise reject(Code.REDUCE_ONLY_REJECTED)
        if "rounded_quantity" in faults.active:
            new = self._rounded(new)
        if "self_trade_expiry" in faults.active and not world.hedge.hedge_mode:
            # Too late for the engine to see it: a quote of somebody's in the same account.
            world.quote_inside(new.symbol, opposing(new.side))
        rests = new.time_in_force is not TimeInForce.IOC  # then it has its chances anyway
        kind = None if rests else faults.one_of(RESTS, 0.7)
        order = self._resting(new, kind) if kind else world.exchange.place(world.hedge, new)
        if order.status is OrderStatus.EXPIRED_IN_MATCH and "self_trade_expiry" in faults.active:
            faults.count("self_trade_expiry")
        return order

    def _rounded(self, new: NewOrder) -> NewOrder:
        """Cut to a coarser step than the exchange publishes."""
        step = world_lot(self._world, new.symbol) * 10
        quantity = (new.quantity / step).to_integral_value(ROUND_FLOOR) * step
        if 0 < quantity < new.quantity:
            self._faults.count("rounded_quantity")
            return replace(new, quantity=quantity)
        return new

    def _resting(self, new: NewOrder, kind: str) -> SimOrder:
        """Fills in part, rests for a while, and is then ended or changed by somebody else."""
        world, die = self._world, self._faults.die
        part = (new.quantity / 3 / world_lot(world, new.symbol)).to_integral_value(ROUND_FLOOR)
        left = part * world_lot(world, new.symbol)
        assert new.price is not None
        world.exchange.drain(new.symbol, opposing(new.side), new.price, left)
        resting = replace(new, time_in_force=TimeInForce.GTC)
        order = world.exchange.place(world.hedge, resting)
        if order.status.open:
            self.tampered.add(new.client_id)
            if kind in CANCELS:  # they strike when the engine cancels, which a halt makes it do
                self.on_rest()
            else:
                self._faults.count(kind)
            world.later(die.randint(500, 20_000), lambda: self._end(order.order_id, kind))
        return order

    def cancel(self, symbol: str, client_id: str) -> bool:
        """The engine ends one of its orders; True where it is over.

        Raises:
            VenueReject: there is no such open order.
        """
        world = self._world
        self.cancelled.append(client_id)
        world.note(f"cancel {client_id}")
        if "cancel_after_fill" in self._faults.active:
            order_id = world.hedge.ids_by_client_id.get((symbol, client_id))
            if order_id is not None and world.hedge.orders[order_id].status.open:
                self._faults.count("cancel_after_fill")
                world.advance(300_000)  # the book is full again, and the order fills first
                world.refresh()
        world.exchange.cancel(world.hedge, symbol, client_id=client_id)
        return True

    def _end(self, order_id: int, kind: str) -> None:
        world = self._world
        order = world.hedge.orders[order_id]
        if not order.status.open:
            return
        world.note(f"{kind} of order {order_id}")
        if kind == "amended_by_other":
            grown = order.quantity + world_lot(world, order.symbol) * self._faults.die.randint(1, 5)
            try:
                world.exchange.amend(
                    world.hedge,
                    order.symbol,
                    order_id=order_id,
                    side=order.side,
                    quantity=grown,
                    price=order.price,
                )
            except VenueReject as refusal:
                world.note(f"amend refused: {refusal.code}")
            world.later(2_000, lambda: self._end(order_id, "cancelled"))
        elif kind == "partial_then_expiry" or kind in CANCELS:
            world.exchange.expire(world.hedge, order_id)
        else:
            world.exchange.cancel(world.hedge, order.symbol, order_id=order_id)


def world_lot(world: World, symbol: str) -> Decimal:
    """Base units of one step of the symbol."""
    return world.exchange.filters(symbol).step


def new_order(request: OrderRequest) -> NewOrder:
    """As the exchange wants it."""
    return NewOrder(
        symbol=request.symbol,
        side=request.side,
        type=OrderType.LIMIT,
        quantity=request.quantity,
        price=request.limit_price,
        time_in_force=TimeInForce(request.time_in_force),
        client_id=request.client_id,
        reduce_only=request.reduce_only and request.position_side == PositionSide.BOTH,
        position_side=PositionSide(request.position_side),
    )


def opposing(side: Side) -> Side:
    """The other side."""
    return Side.BUY if side is Side.SELL else Side.SELL
