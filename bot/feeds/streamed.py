"""Live market data whose prices a stream keeps fresh between two reads by REST.

Only while the stream is believed, and only for symbols whose whole quote REST has told since the
stream stands: then every change since is known. The quotes bear the time at which the exchange
told the mark price, so that all checks of age hold. Best and last prices have times of their own:
where the stream has told neither of anybody for a while, marks alone keep no quote fresh. Anything
else is read by REST as always.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.feeds.live_prices import LivePrices
from bot.ports import Clock, MarketData, Quote
from bot.trading.orders import Side
from bot.venues.streams.inbox import Health, StreamInbox
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.returns import BarPanel


@dataclass(frozen=True, slots=True)
class StreamRules:
    """How old things may be, milliseconds.

    Attributes:
        mark_ms: a streamed mark price.
        read_ms: a quote read by REST, for its volumes and funding rates.
        unstreamed_ms: the same, where the stream does not tell best prices and last prices too,
            or has not told any for so long.
    """

    mark_ms: int
    read_ms: int
    unstreamed_ms: int = 5_000


class StreamedFeed:
    """MarketData of ``feed``, with prices of a stream.

    Attributes:
        complete: whether the stream tells best prices and last prices, not marks alone.
        on_read: told which symbols were read by REST.
        reads, spared: calls of ``quotes`` answered by REST, and by the stream.
    """

    def __init__(
        self,
        feed: MarketData,
        prices: LivePrices,
        inbox: StreamInbox,
        clock: Clock,
        rules: StreamRules,
    ) -> None:
        self._feed = feed
        self._prices = prices
        self._inbox = inbox
        self._clock = clock
        self._rules = rules
        self._read: dict[str, tuple[int, int, Quote | None]] = {}
        self.complete: Callable[[], bool] = lambda: False
        self.reads = 0
        self.spared = 0
        self.on_read: Callable[[Sequence[str]], None] = lambda _: None

    async def instruments(self) -> Mapping[str, Instrument]:
        """As the feed tells them."""
        return await self._feed.instruments()

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        """As the feed tells them."""
        return await self._feed.bars(symbols, start_ms, end_ms)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """From the stream where all of them are known and fresh, else by REST."""
        found = self._streamed(symbols)
        if found is not None:
            self.spared += 1
            return found
        token, now_ms = self._inbox.reconciling(), self._clock.now_ms()
        told = await self._feed.quotes(symbols)
        self.reads += 1
        for symbol in symbols:
            self._read[symbol] = token, now_ms, told.get(symbol)
        self._inbox.reconciled(token)
        self.on_read(symbols)
        return told

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        """As the feed tells it."""
        return await self._feed.depth_usd(symbol, within)

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        """As the feed tells it."""
        return await self._feed.funding(symbols, start_ms, end_ms)

    async def close(self) -> None:
        """Close the feed."""
        await self._feed.close()

    def _streamed(self, symbols: Sequence[str]) -> dict[str, Quote] | None:
        """Quotes of all the symbols, None where one of them must be read."""
        now_ms = self._clock.now_ms()
        if self._inbox.health(now_ms) is not Health.LIVE:
            return None
        epoch, rules, found = self._inbox.reconciling(), self._rules, {}
        read_ms = rules.read_ms
        spoke = now_ms - self._prices.spoke_ms(symbols) <= rules.unstreamed_ms
        if not (self.complete() and spoke):
            read_ms = min(read_ms, rules.unstreamed_ms)
        for symbol in symbols:
            of_epoch, at_ms, read = self._read.get(symbol, (-1, 0, None))
            if of_epoch != epoch or not 0 <= now_ms - at_ms <= read_ms:
                return None
            if read is None:
                continue  # REST has told just now that it has no price
            quote = self._prices.quote(read, now_ms - rules.mark_ms)
            if quote is None:
                return None
            found[symbol] = quote
        return found
