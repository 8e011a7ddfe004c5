"""Market data of the hedge venue, and of other exchanges under names that tell the exchange."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bot.elsewhere import at_venue, is_elsewhere, parted
from bot.feeds.other_venues import OtherVenues, answer_of, history_of
from bot.ports import MarketData, Quote
from bot.together import together
from bot.trading.orders import Side
from risk.book import FloatArray
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.returns import BarPanel

_Parts = dict[str, list[str]]


class RoutedFeed:
    """MarketData that asks each exchange for its own contracts.

    Where one does not answer in time, nothing is told: what is held there can then not be priced,
    and the cycle is held. Nothing but the hedge venue is asked while all symbols are its own.
    """

    def __init__(self, home: MarketData, venues: OtherVenues) -> None:
        self._home = home
        self._venues = venues

    async def instruments(self) -> Mapping[str, Instrument]:
        """What the hedge venue lists; other exchanges' lists are asked for one by one."""
        return await self._home.instruments()

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        """On the hours of the hedge venue; NaN where another exchange has no bar."""
        if not _any_elsewhere(symbols):
            return await self._home.bars(symbols, start_ms, end_ms)
        here, parts = _apart(symbols)
        home, *others = await together(
            [
                self._home.bars(here, start_ms, end_ms),
                *(self._bars(venue, own, start_ms, end_ms) for venue, own in parts.items()),
            ]
        )
        return _side_by_side(tuple(symbols), home, others)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Prices of all at one time."""
        if not _any_elsewhere(symbols):
            return await self._home.quotes(symbols)
        here, parts = _apart(symbols)
        found, *others = await together(
            [
                self._home.quotes(here),
                *(self._quotes(venue, own) for venue, own in parts.items()),
            ]
        )
        merged = dict(found)
        for one in others:
            merged |= one
        return merged

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        """Of the exchange whose contract it is."""
        own, venue = parted(symbol)
        if venue is None:
            return await self._home.depth_usd(symbol, within)
        async with answer_of(venue):
            return await self._venues.feed(venue).depth_usd(own, within)

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        """What each exchange's own contract paid."""
        if not _any_elsewhere(symbols):
            return await self._home.funding(symbols, start_ms, end_ms)
        here, parts = _apart(symbols)
        found, *others = await together(
            [
                self._home.funding(here, start_ms, end_ms),
                *(self._funding(venue, own, start_ms, end_ms) for venue, own in parts.items()),
            ]
        )
        merged = dict(found)
        for one in others:
            merged |= one
        return merged

    async def close(self) -> None:
        """Give back sockets."""
        try:
            await self._venues.close()
        finally:
            await self._home.close()

    async def _bars(self, venue: str, own: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        async with history_of(venue):
            panel = await self._venues.feed(venue).bars(own, start_ms, end_ms)
        names = tuple(at_venue(symbol, venue) for symbol in panel.symbols)
        return BarPanel(names, panel.open_ms, panel.close, panel.quote_volume_usd)

    async def _quotes(self, venue: str, own: Sequence[str]) -> dict[str, Quote]:
        async with answer_of(venue):
            found = await self._venues.feed(venue).quotes(own)
        return {at_venue(s, venue): _quote_at(venue, quote) for s, quote in found.items()}

    async def _funding(
        self, venue: str, own: Sequence[str], start_ms: int, end_ms: int
    ) -> dict[str, FundingSeries]:
        async with history_of(venue):
            found = await self._venues.feed(venue).funding(own, start_ms, end_ms)
        return {at_venue(s, venue): _series_at(venue, series) for s, series in found.items()}


def _any_elsewhere(symbols: Sequence[str]) -> bool:
    return any(map(is_elsewhere, symbols))


def _apart(symbols: Sequence[str]) -> tuple[list[str], _Parts]:
    """The hedge venue's symbols, and by exchange what the others call theirs."""
    here: list[str] = []
    parts: _Parts = {}
    for symbol in symbols:
        own, venue = parted(symbol)
        (here if venue is None else parts.setdefault(venue, [])).append(own)
    return here, parts


def _side_by_side(symbols: tuple[str, ...], home: BarPanel, others: Sequence[BarPanel]) -> BarPanel:
    """All columns in the order of ``symbols``; an hour may have ended between two answers."""
    at = {symbol: i for i, symbol in enumerate(symbols)}
    close: FloatArray = np.full((len(home.open_ms), len(symbols)), np.nan)
    volume = close.copy()
    for panel in (home, *others):
        columns = np.array([at[symbol] for symbol in panel.symbols], dtype=np.int64)
        _, to, of = np.intersect1d(home.open_ms, panel.open_ms, return_indices=True)
        close[np.ix_(to, columns)] = panel.close[of]
        volume[np.ix_(to, columns)] = panel.quote_volume_usd[of]
    return BarPanel(symbols, home.open_ms, close, volume)


def _quote_at(venue: str, quote: Quote) -> Quote:
    return replace(quote, symbol=at_venue(quote.symbol, venue))


def _series_at(venue: str, series: FundingSeries) -> FundingSeries:
    return replace(series, symbol=at_venue(series.symbol, venue))
