"""Market data of a real exchange, through ccxt's REST calls."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bot.feeds.array_tape import VOLATILITY_BARS
from bot.feeds.bar_cache import BarCache
from bot.feeds.live_bars import BarLoader, Progress
from bot.feeds.live_funding import FundingLoader
from bot.feeds.live_quotes import QuoteReader
from bot.feeds.quality import BarRows
from bot.feeds.series import quote_volume_usd
from bot.logs import Logger
from bot.ports import Clock, Quote
from bot.together import together
from bot.trading.orders import Side
from bot.venues.ccxt_market import (
    instruments_of,
    interval_hours,
    reading,
    require_capabilities,
)
from bot.venues.ccxt_wire import watch
from risk.crowding.report import FundingSeries
from risk.errors import DataError
from risk.instrument import Instrument
from risk.returns import HOUR_MS, BarPanel

T = TypeVar("T")

DEPTH_LEVELS = 100


class LiveFeed:
    """MarketData over one ``ccxt.async_support`` client, which it closes at the end."""

    def __init__(
        self,
        exchange: Any,
        clock: Clock,
        log: Logger,
        *,
        cache_dir: Path | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        concurrency: int = 1,
        open_interest: bool = False,
    ) -> None:
        """
        Args:
            exchange: a client for public data; it needs no key.
            clock: tells which bars are closed.
            log: where dropped data and missing capabilities are told.
            cache_dir: keeps closed bars across runs; None keeps them in memory only.
            on_progress: called during a backfill.
            concurrency: requests under way at a time; 1 sends one after another.
            open_interest: ask for it, one request a symbol every few hours.
        """
        watch(exchange)
        cache = None if cache_dir is None else BarCache(cache_dir, exchange.id, log)
        self._exchange = exchange
        self._clock = clock
        self._log = log
        self._bars = BarLoader(exchange, clock, cache, log, on_progress)
        self._payments = FundingLoader(exchange, clock, log)
        self._quotes = QuoteReader(exchange, clock, log, with_open_interest=open_interest)
        self._gate = asyncio.Semaphore(concurrency)
        self._concurrency = concurrency
        self._instruments: dict[str, Instrument] | None = None
        self._unusable: frozenset[str] = frozenset()

    async def instruments(self) -> Mapping[str, Instrument]:
        """Active linear perpetuals, asked anew at every call."""
        name = self._exchange.id
        again = self._instruments is not None
        if not again:
            for line in require_capabilities(self._exchange):
                self._log.warning("exchange_lacks", exchange=name, capability=line)
        with reading(name, "markets"):
            markets = await self._exchange.load_markets(again)
        hours = await self._funding_hours()
        found, refused = instruments_of(name, markets.values(), hours)
        if not found:
            # ccxt reads an answer that is no list of markets as an empty list.
            raise DataError(
                f"{name}: markets: none of {len(markets)} is an active linear perpetual"
            )
        for line in sorted(set(refused) - self._unusable):
            self._log.warning("market_not_usable", exchange=name, reason=line)
        self._unusable = frozenset(refused)
        self._instruments = found
        return found

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        """Hourly bars that are closed by now; all NaN for a symbol that the exchange lacks."""
        known = await self._known()

        async def one(symbol: str) -> BarRows | None:
            instrument = known.get(symbol)
            if instrument is None:
                return None
            first_ms = max(start_ms, instrument.listed_at_ms or 0)
            first_ms = first_ms // HOUR_MS * HOUR_MS if first_ms > start_ms else first_ms
            size = float(instrument.contract_size)
            return await self._bars.load(symbol, first_ms, end_ms, size)

        rows = await self._each(symbols, one)
        first = -(-start_ms // HOUR_MS) * HOUR_MS
        closed_ms = min(end_ms, self._clock.now_ms() - HOUR_MS + 1)
        hours = max(0, -(-(closed_ms - first) // HOUR_MS))
        close = np.full((hours, len(symbols)), np.nan)
        volume = close.copy()
        for column, bars in enumerate(rows):
            if bars is None:
                continue
            inside = bars.take((bars.time_ms >= first) & (bars.time_ms < closed_ms))
            at = (inside.time_ms - first) // HOUR_MS
            close[at, column] = inside.close
            volume[at, column] = quote_volume_usd(
                inside.high, inside.low, inside.close, inside.volume
            )
        open_ms = first + HOUR_MS * np.arange(hours, dtype=np.int64)
        return BarPanel(tuple(symbols), open_ms, close, volume)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Prices now, in a few requests for all; a symbol without usable prices is left out."""
        known = await self._known()
        wanted = [known[symbol] for symbol in symbols if symbol in known]
        return await self._quotes.read(
            wanted, {one.symbol: self._volatility(one.symbol) for one in wanted}
        )

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        """What the order book holds within ``within`` of its middle; nothing without a book."""
        if not self._exchange.has.get("fetchOrderBook"):
            return {}
        known = await self._known()
        with reading(self._exchange.id, f"order book of {symbol}"):
            book = await self._exchange.fetch_order_book(symbol, DEPTH_LEVELS)
            bids, asks = list(book["bids"]), list(book["asks"])
            if not bids or not asks:
                return {Side.BUY: 0.0, Side.SELL: 0.0}
            middle = (float(bids[0][0]) + float(asks[0][0])) / 2
            size = float(known[symbol].contract_size)
            return {
                Side.BUY: size * sum(_notional(row, middle, within) for row in asks),
                Side.SELL: size * sum(_notional(row, middle, within) for row in bids),
            }

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        """Payments settled by now; none at all where the exchange does not tell them."""
        if not self._exchange.has.get("fetchFundingRateHistory"):
            return {}
        known = await self._known()

        async def one(symbol: str) -> FundingSeries | None:
            instrument = known.get(symbol)
            if instrument is None:
                return None
            hours = instrument.funding_interval_hours
            return await self._payments.load(symbol, start_ms, end_ms, hours)

        series = await self._each(symbols, one)
        return {one.symbol: one for one in series if one is not None}

    async def close(self) -> None:
        """Give back sockets."""
        await self._exchange.close()

    async def _known(self) -> Mapping[str, Instrument]:
        return self._instruments if self._instruments is not None else await self.instruments()

    async def _funding_hours(self) -> dict[str, float]:
        """Hours between payments, as the exchange lists them or tells them with its rates."""
        with reading(self._exchange.id, "funding intervals"):
            if self._exchange.has.get("fetchFundingIntervals"):
                rates = await self._exchange.fetch_funding_intervals()
            else:
                rates = await self._exchange.fetch_funding_rates()
            found = {str(symbol): interval_hours(rate) for symbol, rate in rates.items()}
        return {symbol: hours for symbol, hours in found.items() if hours is not None}

    def _volatility(self, symbol: str) -> float | None:
        """Daily volatility from the last closed bars in memory; None with less than a day."""
        rows = self._bars.known(symbol)
        recent = rows.take(rows.time_ms >= self._clock.now_ms() - (VOLATILITY_BARS + 1) * HOUR_MS)
        steps = np.diff(np.log(recent.close))[np.diff(recent.time_ms) == HOUR_MS]
        return float(np.sqrt(24.0 * np.mean(steps**2))) if len(steps) >= 24 else None

    async def _each(self, symbols: Sequence[str], ask: Callable[[str], Awaitable[T]]) -> list[T]:
        """The answers in order, never more requests at a time than allowed."""
        if self._concurrency == 1:
            return [await ask(symbol) for symbol in symbols]

        async def gated(symbol: str) -> T:
            async with self._gate:
                return await ask(symbol)

        return await together(gated(symbol) for symbol in symbols)


def _notional(row: Sequence[Any], middle: float, within: float) -> float:
    price, contracts = float(row[0]), float(row[1])
    return price * contracts if abs(price / middle - 1) <= within else 0.0
