"""Hourly bars through ccxt: backfill, cache, and repair of gaps.

Only hours that are not known are asked for. Hours that stay missing are asked for once more and
then left alone for ``ASK_AGAIN_MS``, except the latest two, which may only be late. A bar read
within ``SETTLE_MS`` of its end may still change: it is read again together with the next one.
Bars that cannot be right are dropped, with one log event each, and count as missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bot.feeds.quality import BarRows, Fault, good_rows, iso, missing_hours, runs_of_hours
from bot.logs import Logger
from bot.ports import Clock
from bot.venues.ccxt_market import BAR_VOLUME_IN_CONTRACTS, reading
from risk.returns import HOUR_MS

ASK_AGAIN_MS = 6 * HOUR_MS
MAY_BE_LATE_MS = 2 * HOUR_MS
SETTLE_MS = 60_000
KEEP_MS = 200 * 24 * HOUR_MS
LONGEST_REPAIR = 20  # gaps of one symbol asked for a second time
DEFAULT_PAGE = 500
PAGE_ROWS = {"binance": 1000, "binanceusdm": 1000, "bitget": 200}  # more or less than ccxt lists
SHOWS_THE_NEWEST = frozenset({"bitget"})  # of those before an end, which must be told then

NO_ROWS = BarRows(np.empty(0, dtype=np.int64), *(np.empty(0) for _ in range(5)))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill has come: hours of one symbol, asked for and in all."""

    symbol: str
    done_hours: int
    total_hours: int


class BarStore(Protocol):
    """Where closed bars are kept across runs."""

    def load(self, symbol: str) -> BarRows | None:
        """Bars of a symbol, oldest first; None where there are none."""
        ...

    def save(self, symbol: str, rows: BarRows) -> None:
        """In place of those that were there."""
        ...

    def set_aside(self, symbol: str, reason: str) -> None:
        """They are of another market."""
        ...


class BarLoader:
    """The bars of one exchange, in memory and in the cache."""

    def __init__(
        self,
        exchange: Any,
        clock: Clock,
        cache: BarStore | None,
        log: Logger,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._cache = cache
        self._log = log
        self._on_progress = on_progress or (lambda _: None)
        self._rows: dict[str, BarRows] = {}
        self._absent: dict[str, dict[int, int]] = {}
        self._unsettled: dict[str, int] = {}

    def known(self, symbol: str) -> BarRows:
        """What is in memory, oldest first."""
        return self._rows.get(symbol, NO_ROWS)

    async def load(
        self, symbol: str, start_ms: int, end_ms: int, contract_size: float = 1.0
    ) -> BarRows:
        """Bars of a symbol, at least those with start_ms <= open < end_ms that are closed.

        Raises:
            UnreachableError, VenueError, DataError: as ``reading`` says.
        """
        now_ms = self._clock.now_ms()
        end_ms = min(end_ms, now_ms // HOUR_MS * HOUR_MS)
        if symbol not in self._rows:
            self._rows[symbol] = await self._from_cache(symbol, end_ms, contract_size)
        wanted = self._wanted(symbol, start_ms, end_ms, now_ms)
        fetched = len(wanted) > 0
        if fetched and symbol in self._unsettled:
            wanted = np.union1d(wanted, [self._unsettled[symbol]])
        for attempt in range(2):
            for first_ms, last_ms in runs_of_hours(wanted)[: LONGEST_REPAIR if attempt else None]:
                rows = await self._download(symbol, first_ms, last_ms, contract_size)
                self._rows[symbol] = self._joined_well(symbol, self._rows[symbol], rows)
            wanted = self._wanted(symbol, start_ms, end_ms, now_ms)
            wanted = wanted[wanted < now_ms - HOUR_MS - MAY_BE_LATE_MS]
        if fetched:  # and not before: a read that is broken off has settled nothing
            self._unsettled.pop(symbol, None)
        if fetched and now_ms % HOUR_MS < SETTLE_MS:
            self._unsettled[symbol] = now_ms // HOUR_MS * HOUR_MS - HOUR_MS
        if len(wanted):
            absent = self._absent.setdefault(symbol, {})
            absent.update(dict.fromkeys(wanted.tolist(), now_ms))
            self._log.info(
                "bars_missing", symbol=symbol, hours=len(wanted), first=iso(int(wanted[0]))
            )
        if fetched and self._cache is not None and len(self._rows[symbol]):
            recent = self._rows[symbol].time_ms >= now_ms - KEEP_MS
            self._cache.save(symbol, self._rows[symbol].take(recent))
        return self._rows[symbol]

    def _wanted(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> NDArray[np.int64]:
        """Hours to ask for."""
        missing = missing_hours(self._rows[symbol].time_ms, start_ms, end_ms)
        if not len(missing):
            return missing
        absent = self._absent.get(symbol, {})
        left = [hour for hour, asked_ms in absent.items() if now_ms - asked_ms < ASK_AGAIN_MS]
        return np.asarray(np.setdiff1d(missing, np.array(left, dtype=np.int64)), dtype=np.int64)

    async def _from_cache(self, symbol: str, end_ms: int, contract_size: float) -> BarRows:
        """Cached bars, once the exchange has confirmed the last two of them.

        A cache may be of another market: a simulated exchange that was started anew has other
        prices under the same names.
        """
        rows = self._cache.load(symbol) if self._cache is not None else None
        if rows is None:
            return NO_ROWS
        rows = rows.take(rows.time_ms < end_ms)
        if not len(rows):
            return NO_ROWS
        last = rows.take(rows.time_ms >= rows.time_ms[-1] - HOUR_MS)
        fresh = await self._download(
            symbol, int(last.time_ms[0]), int(last.time_ms[-1]) + HOUR_MS, contract_size
        )
        # The very last may have been read before it was final; the one before it was.
        if np.array_equal(fresh.time_ms, last.time_ms) and np.isclose(
            fresh.close[0], last.close[0], rtol=1e-9, atol=0.0
        ):
            return self._joined_well(symbol, rows, fresh)
        assert self._cache is not None
        self._cache.set_aside(symbol, "the exchange has other prices at the end of it")
        return NO_ROWS

    def _joined_well(self, symbol: str, old: BarRows, fresh: BarRows) -> BarRows:
        """Both, without the faults that show only side by side; ``fresh`` counts over ``old``."""
        # What lies before the last old bar in front of the fresh ones was looked at already.
        start = np.searchsorted(old.time_ms, fresh.time_ms[0]) - 1 if len(fresh) else len(old)
        before = slice(0, max(0, int(start)))
        rows, faults = good_rows(_joined(old.take(slice(before.stop, None)), fresh))
        self._tell(symbol, faults)
        return _joined(old.take(before), rows)

    def _tell(self, symbol: str, faults: list[Fault]) -> None:
        for fault in faults:
            self._log.warning(
                "bar_dropped",
                symbol=symbol,
                bar=iso(fault.time_ms),
                reason=f"{fault.column} {fault.problem}",
            )

    async def _download(
        self, symbol: str, first_ms: int, end_ms: int, contract_size: float
    ) -> BarRows:
        """Closed bars with first_ms <= open < end_ms, page by page; sorted."""
        page = PAGE_ROWS.get(self._exchange.id) or self._page_rows(symbol)
        total = (end_ms - first_ms) // HOUR_MS
        rows, since_ms = NO_ROWS, first_ms
        while since_ms < end_ms:
            limit = min(page, (end_ms - since_ms) // HOUR_MS + 1)
            got = await self._page(symbol, since_ms, limit, contract_size)
            got = got.take((got.time_ms >= since_ms) & (got.time_ms < end_ms))
            rows = _joined(rows, got)
            # An empty page is a gap or a time before listing: step over it.
            since_ms = int(got.time_ms.max()) + HOUR_MS if len(got) else since_ms + limit * HOUR_MS
            done = min(total, (since_ms - first_ms) // HOUR_MS)
            self._on_progress(Progress(symbol, done, total))
        rows, faults = good_rows(rows)
        self._tell(symbol, faults)
        return rows

    async def _page(self, symbol: str, since_ms: int, limit: int, contract_size: float) -> BarRows:
        with reading(self._exchange.id, f"bars of {symbol}"):
            raw = await self._exchange.fetch_ohlcv(
                symbol, "1h", since=since_ms, limit=limit, params=self._upto(since_ms, limit)
            )
            table = np.array([row[:6] for row in raw], dtype=np.float64).reshape(len(raw), 6)
            times = table[:, 0]
            if not np.all(np.isfinite(times)):
                raise ValueError("a bar without a time")
        unit = contract_size if self._exchange.id in BAR_VOLUME_IN_CONTRACTS else 1.0
        rows = BarRows(
            times.astype(np.int64),
            table[:, 1],
            table[:, 2],
            table[:, 3],
            table[:, 4],
            table[:, 5] * unit,
        )
        return rows.take(rows.time_ms + HOUR_MS <= self._clock.now_ms())

    def _upto(self, since_ms: int, limit: int) -> dict[str, Any]:
        if self._exchange.id not in SHOWS_THE_NEWEST:
            return {}
        return {"until": since_ms + limit * HOUR_MS - 1}

    def _page_rows(self, symbol: str) -> int:
        """Rows of one page as the exchange allows."""
        told = self._exchange.feature_value(symbol, "fetchOHLCV", "limit", DEFAULT_PAGE)
        return max(1, min(int(told or DEFAULT_PAGE), 1500))


def _joined(first: BarRows, second: BarRows) -> BarRows:
    if not len(first):
        return second
    return BarRows(
        np.concatenate([first.time_ms, second.time_ms]),
        *(
            np.concatenate([getattr(first, name), getattr(second, name)])
            for name in ("open", "high", "low", "close", "volume")
        ),
    )
