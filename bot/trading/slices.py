"""A hedge that is large against the depth, cut into slices over time. Pure.

Equal parts at equal times (TWAP), each time moved a little by a digest of the intent's id: nobody
can guess the moments, and every run of the same intent has the same ones.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from bot.trading.orders import Side

_ZERO = Decimal(0)
_PATIENCE = 2
"""A program that needs so many times its own duration is given up; the next decision sees to it."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be traded when, of one intent.

    Attributes:
        trade_quantity: signed base units of all slices together; may shrink, never grows.
        position_side, reduce_only: of all its orders.
        largest: of one order, base units.
        times_ms: when each slice is due, UTC milliseconds, rising; the first one at the start.
        every_ms: time between two slices.
    """

    intent_id: str
    symbol: str
    trade_quantity: Decimal
    position_side: str
    reduce_only: bool
    largest: Decimal
    times_ms: tuple[int, ...]
    every_ms: int

    @property
    def side(self) -> Side:
        """Of its orders."""
        return Side.BUY if self.trade_quantity > 0 else Side.SELL

    def due(self, now_ms: int, lot: Decimal) -> Decimal:
        """What should be traded by now, base units, whole lots but for the last slice."""
        passed = sum(at_ms <= now_ms for at_ms in self.times_ms)
        whole = abs(self.trade_quantity)
        if passed == len(self.times_ms):
            return whole
        lots = (whole * passed / len(self.times_ms) / lot).to_integral_value(ROUND_FLOOR)
        return lots * lot

    def next_ms(self, now_ms: int) -> int | None:
        """When the next slice falls due; None after the last one."""
        return next((at_ms for at_ms in self.times_ms if at_ms > now_ms), None)

    def expired(self, now_ms: int) -> bool:
        """It takes far longer than it was meant to, or the clock was set back before its start."""
        start_ms, end_ms = self.times_ms[0], self.times_ms[-1] + self.every_ms
        return not start_ms <= now_ms <= start_ms + _PATIENCE * (end_ms - start_ms)

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "intent_id": self.intent_id,
            "symbol": self.symbol,
            "trade_quantity": str(self.trade_quantity),
            "position_side": self.position_side,
            "reduce_only": self.reduce_only,
            "largest": str(self.largest),
            "times_ms": list(self.times_ms),
            "every_ms": self.every_ms,
        }


def program_of(document: Mapping[str, Any]) -> Program:
    """The program that a document tells of."""
    return Program(
        intent_id=document["intent_id"],
        symbol=document["symbol"],
        trade_quantity=Decimal(document["trade_quantity"]),
        position_side=document["position_side"],
        reduce_only=document["reduce_only"],
        largest=Decimal(document["largest"]),
        times_ms=tuple(document["times_ms"]),
        every_ms=document["every_ms"],
    )


def slice_count(
    quantity: Decimal, price: Decimal, depth_usd: float, *, share: float, most: int, least: Decimal
) -> int:
    """How many slices a hedge needs so that none takes more than a share of the depth.

    Args:
        quantity: base units, above 0.
        price: USD a base unit.
        depth_usd: inside the collar, on the side that it takes.
        share: of it that one slice may take.
        most: slices at most.
        least: base units that a slice must have for the venue.
    """
    bears_usd = Decimal(repr(float(depth_usd))) * Decimal(repr(share))
    wanted = most
    if bears_usd > 0:
        wanted = int((quantity * price / bears_usd).to_integral_value(ROUND_CEILING))
    possible = int(quantity // least) if least > 0 else most
    return max(1, min(wanted, most, possible))


def slice_times(
    intent_id: str, count: int, start_ms: int, every_ms: int, jitter: float
) -> tuple[int, ...]:
    """When slices are due: the first at once, the others about ``every_ms`` apart."""
    times = [start_ms]
    for number in range(1, count):
        moved = jitter * _unit(f"{intent_id}:{number}")
        times.append(start_ms + round((number + moved) * every_ms))
    return tuple(sorted(times))


def _unit(name: str) -> float:
    """Between -1 and 1, the same for the same name."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**47 - 1.0
