"""Another exchange beside a small market: the same tokens, with a basis and funding of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bot.clock import SimulatedClock
from bot.feeds.other_venues import OtherVenues
from bot.feeds.tape import Tape
from bot.feeds.tape_feed import TapeFeed
from bot.ports import Quote
from bot.trading.orders import Side
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.returns import HOUR_MS, BarPanel

BYBIT = "bybit"
BASIS = 0.0006  # of the price, in every other hour
PREMIUM = 0.0010  # of its mark over the mark at home
EXTRA_FUNDING = 0.0002  # of every payment


class FarFeed:
    """The home tape's market with every other close higher by ``BASIS``, and dearer to be long."""

    def __init__(self, tape: Tape, clock: SimulatedClock, delisted: Sequence[str] = ()) -> None:
        self._feed = TapeFeed(tape, clock)
        self._delisted = frozenset(delisted)
        self.error: Exception | None = None
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.closed = False

    async def instruments(self) -> Mapping[str, Instrument]:
        self._meet("instruments", ())
        found = await self._feed.instruments()
        return {
            symbol: replace(one, venue=BYBIT)
            for symbol, one in found.items()
            if symbol not in self._delisted
        }

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        self._meet("bars", symbols)
        panel = await self._feed.bars(symbols, start_ms, end_ms)
        higher = 1 + BASIS * (panel.open_ms // HOUR_MS % 2)[:, None]
        return replace(panel, close=panel.close * higher)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self._meet("quotes", symbols)
        found = await self._feed.quotes(symbols)
        return {
            symbol: replace(quote, mark=quote.mark * (1 + PREMIUM))
            for symbol, quote in found.items()
        }

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        return await self._feed.depth_usd(symbol, within)

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        self._meet("funding", symbols)
        found = await self._feed.funding(symbols, start_ms, end_ms)
        return {s: replace(one, rate=one.rate + EXTRA_FUNDING) for s, one in found.items()}

    async def close(self) -> None:
        self.closed = True

    def _meet(self, what: str, symbols: Sequence[str]) -> None:
        self.asked.append((what, tuple(symbols)))
        if self.error is not None:
            raise self.error


def others(feed: FarFeed, clock: SimulatedClock) -> OtherVenues:
    """One other exchange, bybit."""
    return OtherVenues(lambda _: feed, clock, home="binanceusdm", readable=(BYBIT, "binanceusdm"))


def basis_variance_daily() -> float:
    """Of the difference of daily returns: every hour's is the same, up and down in turn."""
    return float(24 * np.log(1 + BASIS) ** 2)
