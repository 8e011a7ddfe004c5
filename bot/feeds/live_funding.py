"""Settled funding through ccxt, kept in memory, asked for again only when a payment is due.

A rate that is pinned to the fixed interest says nothing; of such payments, and of no others, the
premium of mark over index is asked for too, where the exchange tells it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.errors import UnreachableError, VenueError
from bot.feeds.funding_pages import FundingPages
from bot.feeds.quality import iso
from bot.feeds.recorded_files import FUNDING_HOURS, LARGEST_RATE, STAMP_JITTER_MS
from bot.logs import Logger
from bot.ports import Clock
from bot.venues.ccxt_market import number, reading
from risk.book import FloatArray
from risk.crowding.funding import at_interest
from risk.crowding.report import FundingSeries
from risk.errors import DataError
from risk.returns import HOUR_MS

PREMIUM_ROWS = 100  # every exchange allows that many
BINANCE_PREMIUM_ROWS = 1500
MAY_BE_LATE_MS = 300_000


@dataclass
class _Known:
    """Payments of one symbol, the time from which they were asked for, and when to ask again;
    their intervals as long as nothing changes."""

    from_ms: int
    time_ms: NDArray[np.int64]
    rate: FloatArray
    ask_again_ms: int
    hours: tuple[float, FloatArray] | None = None
    premium: FloatArray = field(default_factory=lambda: np.empty(0))
    premium_until_ms: int = 0
    premium_is_told: bool = False

    def intervals(self, running_hours: float) -> FloatArray:
        """(K,) hours that each payment settles."""
        if self.hours is None or self.hours[0] != running_hours:
            self.hours = running_hours, intervals(self.time_ms, running_hours)
        return self.hours[1]


class FundingLoader:
    """The settled payments of one exchange."""

    def __init__(self, exchange: Any, clock: Clock, log: Logger) -> None:
        self._exchange = exchange
        self._clock = clock
        self._log = log
        self._pages = FundingPages(exchange)
        self._known: dict[str, _Known] = {}

    async def load(
        self, symbol: str, start_ms: int, end_ms: int, interval_hours: float
    ) -> FundingSeries | None:
        """Payments with start_ms <= time < end_ms; None where there is none.

        ``interval_hours`` is the length of the running interval, for a payment whose own cannot
        be told from its distance to the one before.

        Raises:
            UnreachableError, VenueError, DataError: as ``reading`` says.
        """
        now_ms = self._clock.now_ms()
        known = self._known.get(symbol)
        if known is None or start_ms < known.from_ms:
            known = _Known(start_ms, np.empty(0, dtype=np.int64), np.empty(0), 0)
            self._known[symbol] = known
        if now_ms >= max(known.ask_again_ms, next_payment_ms(known.time_ms, interval_hours)):
            # A day more, so that the first payment has one before it.
            since_ms = known.from_ms - 24 * HOUR_MS
            if len(known.time_ms):
                since_ms = int(known.time_ms[-1]) + 1
            time_ms, rate = await self._download(symbol, since_ms, now_ms, interval_hours)
            later = time_ms > (known.time_ms[-1] if len(known.time_ms) else 0)
            known.time_ms = np.concatenate([known.time_ms, time_ms[later]])
            known.rate = np.concatenate([known.rate, rate[later]])
            known.premium = np.append(known.premium, np.full(int(later.sum()), np.nan))
            known.hours = None
            await self._learn_premium(symbol, known, known.intervals(interval_hours))
            hour_ms = now_ms // HOUR_MS * HOUR_MS
            # A payment may be published some minutes after its hour.
            late_ms = hour_ms + MAY_BE_LATE_MS
            known.ask_again_ms = late_ms if now_ms < late_ms else hour_ms + HOUR_MS
        hours = known.intervals(interval_hours)
        inside = (known.time_ms >= start_ms) & (known.time_ms < min(end_ms, now_ms + 1))
        if not inside.any():
            return None
        return FundingSeries(
            symbol,
            known.time_ms[inside],
            known.rate[inside],
            hours[inside],
            premium=known.premium[inside] if known.premium_is_told else None,
        )

    async def _learn_premium(self, symbol: str, known: _Known, hours: FloatArray) -> None:
        """Fill in the premium behind pinned payments that were not asked for yet.

        Without an answer it stays unknown, which costs no payment; it is asked for again with the
        next one.
        """
        if not self._exchange.has.get("fetchPremiumIndexOHLCV"):
            return
        wanted = at_interest(known.rate, hours) & (known.time_ms > known.premium_until_ms)
        if not wanted.any():
            return
        at = np.flatnonzero(wanted)
        first_ms = int(known.time_ms[at[0]]) - round(float(hours[at[0]]) * HOUR_MS)
        last_ms = int(known.time_ms[at[-1]])
        try:
            by_hour = await self._premium_by_hour(symbol, first_ms, last_ms)
        except (UnreachableError, VenueError, DataError) as error:
            self._log.debug("premium_unknown", symbol=symbol, reason=str(error))
            return
        for i in at.tolist():
            end_ms = int(known.time_ms[i])
            opens = range(end_ms - round(float(hours[i]) * HOUR_MS), end_ms, HOUR_MS)
            told = [by_hour[open_ms] for open_ms in opens if open_ms in by_hour]
            if opens and len(told) == len(opens):
                known.premium[i] = sum(told) / len(told)
        known.premium_until_ms = last_ms
        known.premium_is_told |= bool(by_hour)

    async def _premium_by_hour(self, symbol: str, start_ms: int, end_ms: int) -> dict[int, float]:
        """Premium on the 8-hour basis by the open of each hour, as far as it is told."""
        binance = self._exchange.id in ("binance", "binanceusdm")
        page = BINANCE_PREMIUM_ROWS if binance else PREMIUM_ROWS
        found: dict[int, float] = {}
        while start_ms < end_ms:
            with reading(self._exchange.id, f"premium of {symbol}"):
                rows = await self._exchange.fetch_premium_index_ohlcv(
                    symbol, "1h", since=start_ms, limit=page
                )
                told = [(int(row[0]), number(row[1]), number(row[4])) for row in rows]
            for time_ms, opened, closed in told:
                if opened is not None and closed is not None:
                    found[time_ms] = (opened + closed) / 2
            # After a page that is not full nothing is left of the hours that it is of.
            next_ms = max((time_ms for time_ms, _, _ in told), default=0) + HOUR_MS
            start_ms = max(next_ms, start_ms + (page if len(told) < page else 1) * HOUR_MS)
        return {time_ms: value for time_ms, value in found.items() if time_ms < end_ms}

    async def _download(
        self, symbol: str, since_ms: int, now_ms: int, interval_hours: float
    ) -> tuple[NDArray[np.int64], FloatArray]:
        """Payments from since_ms to now_ms, sorted, each time once; what cannot be right is
        dropped with a log event."""
        told = await self._pages.since(
            symbol,
            since_ms,
            now_ms,
            interval_hours,
            lambda times_ms: next_payment_ms(
                np.unique([_on_the_hour(time_ms) for time_ms in times_ms]), interval_hours
            ),
        )
        found: dict[int, float] = {}
        for time_ms, rate in told:
            if rate is None or abs(rate) > LARGEST_RATE:
                self._log.warning(
                    "funding_dropped", symbol=symbol, payment=iso(time_ms), rate=str(rate)
                )
            else:
                found[_on_the_hour(time_ms)] = rate
        times = sorted(found)
        return np.array(times, dtype=np.int64), np.array([found[t] for t in times], dtype=float)


def next_payment_ms(time_ms: NDArray[np.int64], running_hours: float) -> int:
    """When there can be a payment after the last of ``time_ms``; 0 where none is known.

    Exchanges pay on a grid of hours of the day. The shorter of the interval that is told and of
    the one that was kept last counts, so that a change is not missed for long.
    """
    if not len(time_ms):
        return 0
    last_ms, hours = int(time_ms[-1]), running_hours
    if len(time_ms) > 1:
        hours = min(hours, (last_ms - int(time_ms[-2])) / HOUR_MS)
    step_ms = max(HOUR_MS, round(hours * HOUR_MS))
    return (last_ms // step_ms + 1) * step_ms


def intervals(time_ms: NDArray[np.int64], running_hours: float) -> FloatArray:
    """(K,) hours that each payment settles: its distance to the one before, where that is 1, 2, 4
    or 8 hours; else the same as the payment after it, and ``running_hours`` for the last."""
    hours = np.full(len(time_ms), np.nan)
    gaps = np.diff(time_ms) / HOUR_MS
    fits = np.isin(gaps, FUNDING_HOURS)
    hours[1:][fits] = gaps[fits]
    told = np.where(np.isnan(hours), len(hours), np.arange(len(hours)))
    following = np.minimum.accumulate(told[::-1])[::-1]
    return np.append(hours, running_hours)[following]


def _on_the_hour(time_ms: int) -> int:
    nearest = (time_ms + HOUR_MS // 2) // HOUR_MS * HOUR_MS
    return nearest if abs(time_ms - nearest) <= STAMP_JITTER_MS else time_ms
