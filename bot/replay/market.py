"""The market of a replay: what a feed would have known at the clock's time, and the paper venue's
order book beside it."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice

from bot.feeds.tape import Tape
from bot.feeds.tape_feed import TapeFeed
from bot.ports import Clock, Quote
from bot.trading.orders import Side
from bot.venues.paper import PaperVenue
from bot.venues.sim.depth import Level
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.returns import BarPanel

_LEVELS = 500


class ReplayMarket:
    """MarketData over a tape whose prices also move a paper venue.

    All of a moment's quotes are worked out once, for engine and venue alike.
    """

    def __init__(self, tape: Tape, clock: Clock, venue: PaperVenue) -> None:
        self._tape = tape
        self._feed = TapeFeed(tape, clock)
        self._clock = clock
        self._venue = venue
        self._quotes_ms = -1
        self._quotes: Mapping[str, Quote] = {}

    def move(self) -> Mapping[str, Quote]:
        """Brings the venue to the clock's time, and tells all prices of then."""
        now_ms = self._clock.now_ms()
        if now_ms != self._quotes_ms:
            self._quotes, self._quotes_ms = self._tape.quotes(now_ms), now_ms
            self._venue.refresh(self._quotes)
        return self._quotes

    async def instruments(self) -> Mapping[str, Instrument]:
        """Those that have a price now; what lists later is not known yet."""
        listed = self._tape.instruments
        return {symbol: listed[symbol] for symbol in self.move()}

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        """Hourly bars closed by now."""
        return await self._feed.bars(symbols, start_ms, end_ms)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Prices now; a symbol that has none is left out."""
        known = self.move()
        return {symbol: known[symbol] for symbol in symbols if symbol in known}

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        """What the venue's book holds within ``within`` of its middle."""
        if symbol not in self.move():
            return {}
        exchange = self._venue.exchange
        bids, asks = exchange.offered(symbol, Side.BUY), exchange.offered(symbol, Side.SELL)
        return depth_within(bids, asks, within)

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        """Payments settled by now."""
        return await self._feed.funding(symbols, start_ms, end_ms)

    async def close(self) -> None:
        """Nothing is held open."""


def depth_within(
    bids: Iterable[Level], asks: Iterable[Level], within: float
) -> Mapping[Side, float]:
    """Notional that an order of each side meets within a fraction of the middle, USD.

    Of (price, quantity), best first; what lies further away is not looked at.
    """
    bought, sold = islice(bids, _LEVELS), islice(asks, _LEVELS)
    bid, ask = next(bought, None), next(sold, None)
    if bid is None or ask is None:
        return {Side.BUY: 0.0, Side.SELL: 0.0}
    middle = float(bid[0] + ask[0]) / 2
    met = {}
    for side, best, others in ((Side.BUY, ask, sold), (Side.SELL, bid, bought)):
        usd = 0.0
        for price, quantity in chain((best,), others):
            if abs(float(price) - middle) > within * middle:
                break
            usd += float(price * quantity)
        met[side] = usd
    return met
