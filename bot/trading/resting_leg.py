"""The orders of one symbol while a plan rests in the book, one of them at work."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.ports import Quote
from bot.trading.desk import Sent
from bot.trading.planner import PlannedOrder, PlanSettings, limit_price
from bot.trading.resting_price import attempt_of, too_small
from risk.instrument import Instrument


@dataclass(slots=True)
class Leg:
    """The orders of one symbol, one of them at work.

    Attributes:
        name: the symbol.
        account, install_key: from which client ids are derived.
        waiting: planned orders; the first one is worked, ``rest`` of it is left.
        sent: its order that rests, if one does.
        attempts: orders of the first one that were sent.
        repriced: orders of the leg that were sent beyond the first of each.
        over: it is not worked any more while others rest; what waits is taken at the end.
        lost: nobody knows what became of an order; nothing more is sent.
    """

    name: str
    account: str
    install_key: bytes
    waiting: deque[PlannedOrder]
    rest: Decimal
    sent: Sent | None = None
    attempts: int = 0
    repriced: int = 0
    sent_ms: int | None = None
    over: bool = False
    lost: bool = False

    @property
    def at_work(self) -> bool:
        """Something of it may still rest."""
        return bool(self.waiting) and not self.over

    def next(self) -> None:
        """The first order is done with."""
        self.waiting.popleft()
        self.attempts = 0
        if self.waiting:
            self.rest = self.waiting[0].request.quantity

    def attempt(self, price: Decimal, time_in_force: str) -> PlannedOrder:
        """The next order for what is left of the first one."""
        return attempt_of(
            self.waiting[0],
            self.attempts,
            account=self.account,
            install_key=self.install_key,
            quantity=self.rest,
            price=price,
            time_in_force=time_in_force,
        )

    def left(
        self, quotes: Mapping[str, Quote], instruments: Mapping[str, Instrument], collar: Decimal
    ) -> list[PlannedOrder]:
        """What is to be taken at once when nothing rests any more, at these prices."""
        found: list[PlannedOrder] = []
        if self.lost and self.waiting:
            self.next()  # it may have filled
        settings = PlanSettings(max_order_usd=Decimal(0), collar=collar)
        instrument, quote = instruments.get(self.name), quotes.get(self.name)
        while self.waiting:
            request = self.waiting[0].request
            price = request.limit_price
            if instrument is not None and quote is not None:
                price = limit_price(request.side, quote, instrument.tick, settings) or price
                closes = request.reduce_only
                if self.attempts and too_small(instrument, self.rest, price, reduce_only=closes):
                    self.next()
                    continue
            found.append(self.attempt(price, "IOC"))
            self.next()
        return found


def legs_of(orders: tuple[PlannedOrder, ...], account: str, install_key: bytes) -> list[Leg]:
    """By symbol, in the order of the plan."""
    waiting: dict[str, deque[PlannedOrder]] = {}
    for one in orders:
        waiting.setdefault(one.request.symbol, deque()).append(one)
    return [
        Leg(name, account, install_key, queue, queue[0].request.quantity)
        for name, queue in waiting.items()
    ]
