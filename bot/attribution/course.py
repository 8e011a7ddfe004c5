"""What a book did from cycle to cycle, from the documents of cycles. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bot.report.words import number

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Moment:
    """The book at the end of one cycle that could measure it.

    Attributes:
        timestamp_ms: when the cycle began, UTC.
        marks: USD a coin, of every symbol with a position, and of those that had one at the cycle
            before.
        bot_usd: the bot's positions, USD signed, at these marks.
        hedge_usd: our hedges after the cycle's trades, USD signed, at these marks.
        traded: whether the cycle filled an order.
    """

    timestamp_ms: int
    marks: Mapping[str, float]
    bot_usd: Mapping[str, float]
    hedge_usd: Mapping[str, float]
    traded: bool


@dataclass(frozen=True, slots=True)
class Move:
    """What prices did to the book between two moments, USD; a gain is positive.

    Attributes:
        start_ms, end_ms: when, UTC.
        bot_usd, hedge_usd: on what was held at the start; None where a price at the end is unknown.
        unknown: symbols without a price at the end.
    """

    start_ms: int
    end_ms: int
    bot_usd: float | None
    hedge_usd: float | None
    unknown: tuple[str, ...] = ()


def moment_of(document: Mapping[str, Any]) -> Moment | None:
    """The book of a cycle's document; None of a cycle that could not measure it to its end."""
    if number(document.get("bot_gross_usd")) is None:
        return None
    if number(document.get("hedge_gross_usd")) is None and not document.get("legs"):
        return None  # cut short before its positions were told
    closed = (document.get("closed_marks") or {}).items()
    marks = {str(symbol): float(mark) for symbol, mark in closed}
    bot: dict[str, float] = {}
    hedge: dict[str, float] = {}
    for leg in document.get("legs") or ():
        symbol = str(leg["symbol"])
        marks[symbol] = float(leg["mark_price"])
        bot[symbol], hedge[symbol] = float(leg["bot_usd"]), float(leg["hedge_after_usd"])
    return Moment(int(document["timestamp_ms"]), marks, bot, hedge, bool(document.get("fills")))


def moments_of(documents: Iterable[Mapping[str, Any]]) -> list[Moment]:
    """The books of all cycles that could measure theirs, as they come."""
    return [found for one in documents if (found := moment_of(one)) is not None]


def moves_of(moments: Sequence[Moment]) -> list[Move]:
    """From each moment to the next one."""
    return [_move(a, b) for a, b in pairwise(moments)]


def _move(before: Moment, after: Moment) -> Move:
    held = {s for one in (before.bot_usd, before.hedge_usd) for s, usd in one.items() if usd}
    lost = sorted(held - set(after.marks))
    return Move(
        start_ms=before.timestamp_ms,
        end_ms=after.timestamp_ms,
        bot_usd=_gain(before.bot_usd, before, after),
        hedge_usd=_gain(before.hedge_usd, before, after),
        unknown=tuple(lost),
    )


def _gain(held_usd: Mapping[str, float], before: Moment, after: Moment) -> float | None:
    total = 0.0
    for symbol, usd in held_usd.items():
        if usd == 0:
            continue
        if symbol not in after.marks:
            return None
        total += usd * (after.marks[symbol] / before.marks[symbol] - 1)
    return total


def realised_volatility_daily_usd(gains: Sequence[tuple[int, float]]) -> float | None:
    """Square root of the sum of squared gains over the days they took; USD a day.

    The realised variance of Andersen and Bollerslev (1998) with mean zero, over intervals of any
    length, ``gains`` being pairs of milliseconds and USD. None without any time.
    """
    days = sum(length for length, _ in gains) / DAY_MS
    if days <= 0:
        return None
    return float((sum(gain * gain for _, gain in gains) / days) ** 0.5)
