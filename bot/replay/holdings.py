"""What a bot held, hour by hour, and what that earned it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError
from risk.returns import HOUR_MS

_STREAM = 0xB07  # keeps these draws apart from others of the same seed
DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class Holdings:
    """Positions of N symbols at T + 1 full hours; what is held at one is held until the next.

    Attributes:
        symbols: N unified symbols.
        time_ms: (T + 1,) UTC milliseconds, an hour apart.
        quantity_base: (T + 1, N) base units, long positive, 0 where nothing is held.
    """

    symbols: tuple[str, ...]
    time_ms: NDArray[np.int64]
    quantity_base: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.time_ms), len(self.symbols))
        if self.quantity_base.shape != shape:
            raise DataError(f"holdings: {self.quantity_base.shape} must be {shape}")
        if not np.all(np.isfinite(self.quantity_base)):
            raise DataError("holdings: a quantity is not a number")

    def at(self, now_ms: int) -> dict[str, float]:
        """Base units of everything that is held then; nothing before the first hour.

        Raises:
            DataError: the time lies after the last hour.
        """
        row = (now_ms - int(self.time_ms[0])) // HOUR_MS
        if row >= len(self.time_ms):
            raise DataError(f"holdings: nothing is known of {now_ms} ms, after their last hour")
        if row < 0:
            return {}
        held = self.quantity_base[row]
        return {self.symbols[k]: float(held[k]) for k in np.flatnonzero(held)}


def bought_and_held(
    symbols: Sequence[str], time_ms: NDArray[np.int64], close: FloatArray, target_usd: FloatArray
) -> Holdings:
    """Notionals bought at the first hour and never touched.

    Args:
        close: (T + 1, N) prices at ``time_ms``.
        target_usd: (N,) signed notionals at the first hour.

    Raises:
        DataError: a symbol has no price at the first hour.
    """
    unpriced = [s for s, p in zip(symbols, close[0], strict=True) if not p > 0]
    if unpriced:
        raise DataError(f"{unpriced[0]}: no price at the first hour, so it cannot be bought then")
    quantity = np.broadcast_to(target_usd / close[0], close.shape)
    return Holdings(tuple(symbols), time_ms, np.array(quantity))


@dataclass(frozen=True, slots=True)
class RandomBot:
    """A bot that bets on tokens of one sector, each sized alone.

    Attributes:
        slots: how many positions it keeps open at the most.
        gross_usd: of all slots together when they are bought.
        mean_hours: mean time that a position is kept, and a slot stays empty a quarter of that.
        short_share: chance of a position to be short.
        seed: names the bets.
    """

    slots: int = 6
    gross_usd: float = 40_000.0
    mean_hours: float = 72.0
    short_share: float = 0.0
    seed: int = 42


def bet_at_random(
    symbols: Sequence[str],
    time_ms: NDArray[np.int64],
    close: FloatArray,
    liquid: NDArray[np.bool_],
    bot: RandomBot,
) -> Holdings:
    """Slots that open and close at random (geometric times); only what is known by then counts.

    A position is closed too where its token loses its price. A token is held by one slot at most.

    Args:
        close: (T + 1, N) prices at ``time_ms``; NaN where there is none.
        liquid: (T + 1, N) what may be bought then.
    """
    rng = np.random.default_rng([_STREAM, bot.seed])
    quantity = np.zeros(close.shape)
    each_usd = bot.gross_usd / bot.slots
    holds: list[tuple[int, float] | None] = [None] * bot.slots
    for hour in range(len(time_ms)):
        for slot in range(bot.slots):
            # Drawn whether they are needed or not, so that one bet does not change all later ones.
            ends, begins, picks, side = rng.random(4)
            held = holds[slot]
            if held is not None:
                if ends < 1 / bot.mean_hours or not close[hour, held[0]] > 0:
                    holds[slot] = None
                continue
            if hour and begins > 4 / bot.mean_hours:
                continue
            taken = {one[0] for one in holds if one is not None}
            free = [k for k in np.flatnonzero(liquid[hour]) if k not in taken]
            if free:
                k = int(free[int(picks * len(free))])
                sign = -1.0 if side < bot.short_share else 1.0
                holds[slot] = (k, sign * each_usd / float(close[hour, k]))
        for one in holds:
            if one is not None:
                quantity[hour, one[0]] += one[1]
    return Holdings(tuple(symbols), time_ms, quantity)


def price_gains_usd(holdings: Holdings, close: FloatArray) -> FloatArray:
    """(T,) what prices gave the holdings in each hour, USD.

    Args:
        close: (T + 1, N) prices at the hours; where one is missing the last one stands, and what
            a gap did comes with the next price.
    """
    moves = np.diff(last_known(close), axis=0)
    held = holdings.quantity_base[:-1]
    return np.asarray(np.where(held != 0.0, held * np.nan_to_num(moves), 0.0).sum(axis=1))


def funding_gains_usd(
    holdings: Holdings,
    close: FloatArray,
    payments: Sequence[tuple[int, NDArray[np.int64], FloatArray]],
) -> FloatArray:
    """(T,) funding that the holdings received (paid: negative) in each hour, USD.

    A payment belongs to the hour that ends with it or holds it, and meets what was held at that
    hour's start, at the price of its end: rate × notional, paid by longs where the rate is
    positive.

    Args:
        payments: (column, (K,) UTC milliseconds, (K,) rates) of each symbol that has any.
    """
    gains = np.zeros(len(holdings.time_ms) - 1)
    start_ms, prices = int(holdings.time_ms[0]), last_known(close)
    for column, paid_ms, rate in payments:
        hour = -(-(paid_ms - start_ms) // HOUR_MS) - 1  # a full hour's payment ends the hour before
        inside = (hour >= 0) & (hour < len(gains))
        rows = hour[inside]
        usd = holdings.quantity_base[rows, column] * np.nan_to_num(prices[rows + 1, column])
        np.add.at(gains, rows, -usd * rate[inside])
    return gains


def last_known(close: FloatArray) -> FloatArray:
    """Prices with each gap filled by the last one before it; NaN before the first."""
    rows = np.where(np.isfinite(close), np.arange(len(close))[:, None], 0)
    np.maximum.accumulate(rows, axis=0, out=rows)
    return np.asarray(np.take_along_axis(close, rows, axis=0))
