"""The orders of one symbol while a plan rests in the book, one of them at work."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

from bot.trading.desk import Sent
from bot.trading.planner import PlannedOrder


@dataclass(slots=True)
class Leg:
    """The orders of one symbol, one of them at work.

    Attributes:
        name: the symbol.
        waiting: planned orders; the first one is worked, ``rest`` of it is left.
        sent: its order that rests, if one does.
        attempts: orders of the first one that were sent.
        repriced: orders of the leg that were sent beyond the first of each.
        over: it is not worked any more while others rest; what waits is taken at the end.
        lost: nobody knows what became of an order; nothing more is sent.
    """

    name: str
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


def legs_of(orders: tuple[PlannedOrder, ...]) -> list[Leg]:
    """By symbol, in the order of the plan."""
    waiting: dict[str, deque[PlannedOrder]] = {}
    for one in orders:
        waiting.setdefault(one.request.symbol, deque()).append(one)
    return [Leg(name, queue, queue[0].request.quantity) for name, queue in waiting.items()]
