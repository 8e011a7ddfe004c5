"""Market data read from a tape, up to the clock and no further."""

from collections.abc import Mapping, Sequence

from bot.feeds.tape import Tape
from bot.ports import Clock, Quote
from bot.trading.orders import Side
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.returns import BarPanel


class TapeFeed:
    """MarketData over any tape: what a live feed would have known at the clock's time."""

    def __init__(self, tape: Tape, clock: Clock) -> None:
        self._tape = tape
        self._clock = clock

    async def instruments(self) -> Mapping[str, Instrument]:
        """Those that have a price now; what lists later is not known yet."""
        now_ms = self._clock.now_ms()
        return {
            symbol: instrument
            for symbol, instrument in self._tape.instruments.items()
            if self._tape.quote(symbol, now_ms) is not None
        }

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        """Hourly bars closed by now; NaN where missing."""
        return self._tape.panel(symbols, start_ms, end_ms, self._clock.now_ms())

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Prices now; a symbol that has none is left out."""
        now_ms = self._clock.now_ms()
        found = ((symbol, self._tape.quote(symbol, now_ms)) for symbol in symbols)
        return {symbol: quote for symbol, quote in found if quote is not None}

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        """Nothing: a tape has no order book."""
        del symbol, within
        return {}

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        """Payments settled by now; a symbol without any is left out."""
        end_ms = min(end_ms, self._clock.now_ms() + 1)
        found = (
            (symbol, self._tape.funding_series(symbol, start_ms, end_ms)) for symbol in symbols
        )
        return {symbol: series for symbol, series in found if series is not None}

    async def close(self) -> None:
        """Nothing is held open."""
