"""Fetches bars, settled funding and open interest through ccxt into a folder of recorded data.

Only what the folder lacks is asked for, so a pull that was cut off goes on where it was, and one
of today adds what came since yesterday. Hours that the exchange does not show are asked for twice,
then they are told and stay unknown.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bot.data.brought import Brought, InterestRows
from bot.data.contracts import contract_facts
from bot.data.store import Stored, store
from bot.errors import UnreachableError, VenueError
from bot.feeds.funding_pages import FundingPages, Payment
from bot.feeds.live_bars import BarLoader, Progress
from bot.feeds.live_funding import intervals, next_payment_ms
from bot.feeds.quality import BarRows, iso
from bot.feeds.recorded_files import (
    BARS_FILE,
    FUNDING_FILE,
    LARGEST_RATE,
    STAMP_JITTER_MS,
    FundingRows,
    bars_as_they_stand,
    read_funding,
    read_open_interest,
)
from bot.feeds.remarks import Tell
from bot.feeds.tape import DAY_MS
from bot.logs import Logger
from bot.ports import Clock
from bot.venues.ccxt_market import number, reading
from risk.errors import DataError
from risk.instrument import Instrument
from risk.returns import HOUR_MS

T = TypeVar("T")

STEP_MS = 90 * DAY_MS
"""So much of a symbol is asked for at a time: what came is kept when the next part fails."""

STORE_EVERY_MS = 30_000
TRIES = 5
FIRST_WAIT_S = 1.0
INTEREST_BACK_MS = 30 * DAY_MS - HOUR_MS
"""Exchanges show open interest of a month, and refuse to be asked for more."""

INTEREST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to pull: symbols, hours with start_ms <= open < end_ms, and where to put them."""

    symbols: Sequence[str]
    start_ms: int
    end_ms: int
    folder: Path
    venue: str
    """Whose funding it is, as the folder calls it: ``binance``."""


class Puller:
    """One pull through one client for public data."""

    def __init__(
        self,
        exchange: Any,
        clock: Clock,
        log: Logger,
        tell: Tell,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._tell = tell
        self._log = log
        self._on_progress = on_progress
        self._brought = Brought()
        self._stored_ms = clock.now_ms()

    async def pull(self, wanted: Wanted, instruments: Mapping[str, Instrument]) -> Stored:
        """All of it; whatever ends it, what has come by then is in the folder.

        Raises:
            UnreachableError, VenueError: the exchange does not answer, after some tries.
            DataError: the folder cannot be used, or holds other prices than the exchange.
            UsageError: the folder cannot be written to.
        """
        there = _There.of(wanted.folder)
        self._brought.contracts = contract_facts(
            (instruments[symbol] for symbol in wanted.symbols), self._tell
        )
        loader = BarLoader(
            self._exchange, self._clock, there.as_cache(), self._log, self._on_progress
        )
        try:
            for symbol in wanted.symbols:
                one = instruments[symbol]
                await self._bars(loader, there, wanted, one)
                await self._payments(there, wanted, one)
                await self._interest(there, wanted, symbol)
                if self._clock.now_ms() - self._stored_ms >= STORE_EVERY_MS:
                    self._store(wanted.folder)
        finally:
            done = self._store(wanted.folder)
        return done

    def _store(self, folder: Path) -> Stored:
        done = store(folder, self._brought, self._tell)
        self._brought, self._stored_ms = Brought(), self._clock.now_ms()
        return done

    async def _bars(
        self, loader: BarLoader, there: "_There", wanted: Wanted, one: Instrument
    ) -> None:
        size, first_ms = float(one.contract_size), wanted.start_ms
        if one.listed_at_ms is not None:
            first_ms = max(first_ms, one.listed_at_ms // HOUR_MS * HOUR_MS)
        known = there.bars.get(one.symbol)
        while first_ms < wanted.end_ms:
            end_ms = min(first_ms + STEP_MS, wanted.end_ms)
            rows = await self._patiently(
                lambda first=first_ms, end=end_ms: loader.load(one.symbol, first, end, size)  # type: ignore[misc]  # bound now
            )
            inside = rows.take((rows.time_ms >= first_ms) & (rows.time_ms < end_ms))
            if known is not None:
                inside = inside.take(~np.isin(inside.time_ms, known.time_ms))
            if len(inside):
                self._brought.add_bars(one.symbol, inside, self._exchange.id)
            first_ms = end_ms

    async def _payments(self, there: "_There", wanted: Wanted, one: Instrument) -> None:
        pages, hours = FundingPages(self._exchange), one.funding_interval_hours
        known = there.payments.get((wanted.venue, one.symbol))
        # A day more, so that the first payment has one before it.
        since_ms = wanted.start_ms - DAY_MS
        if known is not None and known.time_ms[0] <= wanted.start_ms + 8 * HOUR_MS:
            since_ms = int(known.time_ms[-1]) - DAY_MS
        end_ms = min(wanted.end_ms, self._clock.now_ms())

        def next_due(times: list[int]) -> int:
            return next_payment_ms(np.array(sorted(times), dtype=np.int64), hours)

        told = await self._patiently(
            lambda: pages.since(one.symbol, since_ms, end_ms, hours, next_due)
        )
        rows = self._usable(one.symbol, told)
        if not rows:
            return
        time_ms = np.array(sorted(rows), dtype=np.int64)
        every, rate = intervals(time_ms, hours), np.array([rows[t] for t in time_ms.tolist()])
        keep = time_ms >= wanted.start_ms
        if known is not None:
            keep &= ~np.isin(time_ms, known.time_ms)
        if keep.any():
            self._brought.add_payments(
                FundingRows(wanted.venue, one.symbol, time_ms[keep], rate[keep], every[keep])
            )

    def _usable(self, symbol: str, told: Sequence[Payment]) -> dict[int, float]:
        rows: dict[int, float] = {}
        for stamp_ms, rate in told:
            at_ms = (stamp_ms + HOUR_MS // 2) // HOUR_MS * HOUR_MS
            if rate is None or not abs(rate) <= LARGEST_RATE:
                self._tell(f"{symbol}: payment at {iso(stamp_ms)} of rate {rate} is left out")
            elif abs(at_ms - stamp_ms) > STAMP_JITTER_MS:
                self._tell(f"{symbol}: payment at {iso(stamp_ms)}, off the hour, is left out")
            else:
                rows[at_ms] = rate
        return rows

    async def _interest(self, there: "_There", wanted: Wanted, symbol: str) -> None:
        if not self._exchange.has.get("fetchOpenInterestHistory"):
            return
        now_ms = self._clock.now_ms()
        end_ms = min(wanted.end_ms, now_ms) // HOUR_MS * HOUR_MS
        since_ms = max(wanted.start_ms, now_ms - INTEREST_BACK_MS)
        known = there.interest.get(symbol)
        if known is not None and known.time_ms[0] <= since_ms + DAY_MS:
            since_ms = max(since_ms, int(known.time_ms[-1]) + HOUR_MS)
        since_ms = -(-since_ms // HOUR_MS) * HOUR_MS
        found: dict[int, float] = {}
        try:
            while since_ms <= end_ms:
                until_ms = min(since_ms + (INTEREST_ROWS - 1) * HOUR_MS, end_ms)
                found |= await self._patiently(
                    lambda a=since_ms, b=until_ms: self._interest_page(symbol, a, b)  # type: ignore[misc]  # bound now
                )
                since_ms = until_ms + HOUR_MS
        except (VenueError, DataError) as error:  # not every market has it
            self._tell(f"{symbol}: no open interest: {error}")
        if found:
            times = np.array(sorted(found), dtype=np.int64)
            base = np.array([found[t] for t in times.tolist()])
            self._brought.add_interest(symbol, InterestRows(times, base))

    async def _interest_page(self, symbol: str, since_ms: int, until_ms: int) -> dict[int, float]:
        with reading(self._exchange.id, f"open interest of {symbol}"):
            rows = await self._exchange.fetch_open_interest_history(
                symbol, "1h", since_ms, INTEREST_ROWS, {"until": until_ms}
            )
            told = [(int(row["timestamp"]), number(row["openInterestAmount"])) for row in rows]
        return {
            at: base
            for at, base in told
            if base is not None and at % HOUR_MS == 0 and since_ms <= at <= until_ms
        }

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer, asked for again where there was none; what came before is not lost."""
        wait_s = FIRST_WAIT_S
        for _ in range(TRIES - 1):
            try:
                return await ask()
            except UnreachableError as error:
                self._tell(f"{error}; asked again in {wait_s:g} s")
                await self._clock.sleep(wait_s)
                wait_s *= 2
        return await ask()


@dataclass(frozen=True, slots=True)
class _There:
    """What the folder has already."""

    folder: Path
    bars: Mapping[str, BarRows]
    payments: Mapping[tuple[str, str], FundingRows]
    interest: Mapping[str, Any]

    @classmethod
    def of(cls, folder: Path) -> "_There":
        bars, paid = folder / BARS_FILE, folder / FUNDING_FILE
        rows = bars_as_they_stand(bars) if bars.exists() else {}
        payments = read_funding(folder) if paid.exists() else []
        return cls(
            folder,
            {symbol: one.sorted() for symbol, one in rows.items()},
            {(one.venue, one.symbol): one for one in payments},
            read_open_interest(folder),
        )

    def as_cache(self) -> "_FolderBars":
        return _FolderBars(self)


@dataclass(frozen=True, slots=True)
class _FolderBars:
    """The folder where the loader looks for what it need not ask for."""

    there: _There

    def load(self, symbol: str) -> BarRows | None:
        """Its bars, oldest first."""
        return self.there.bars.get(symbol)

    def save(self, symbol: str, rows: BarRows) -> None:
        """They are stored with everything else."""

    def set_aside(self, symbol: str, reason: str) -> None:
        """Two markets in one folder would make a price jump that never was.

        Raises:
            DataError: always.
        """
        raise DataError(f"{self.there.folder}: {symbol}: {reason}; name another folder")
