"""Market data that also moves the simulated exchange of paper trading."""

from collections.abc import Mapping, Sequence

from bot.ports import MarketData, Quote
from bot.trading.orders import Side
from bot.venues.paper import PaperVenue
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.returns import BarPanel


class PaperMarket:
    """Hands everything through; every quote that passes also reaches the paper venue."""

    def __init__(self, market: MarketData, venue: PaperVenue) -> None:
        self._market = market
        self._venue = venue
        self._seen: dict[str, Quote] = {}

    async def instruments(self) -> Mapping[str, Instrument]:
        """As the market has them."""
        return await self._market.instruments()

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        """As the market has them."""
        return await self._market.bars(symbols, start_ms, end_ms)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """As the market has them; a symbol that was asked for and has none stops trading."""
        quotes = await self._market.quotes(symbols)
        for symbol in symbols:
            self._seen.pop(symbol, None)
        self._seen.update(quotes)
        self._venue.refresh(self._seen)
        return quotes

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        """As the market has it."""
        return await self._market.depth_usd(symbol, within)

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        """As the market has it."""
        return await self._market.funding(symbols, start_ms, end_ms)

    async def close(self) -> None:
        """Give back the market's sockets."""
        await self._market.close()
