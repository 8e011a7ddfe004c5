"""What the engine reads beside its account: prices, and the bot's positions."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bot.faults.line import Line
from bot.faults.world import BOT_SYMBOLS, SYMBOLS, instrument
from bot.ports import Quote, ReportedPosition, SourceSnapshot
from bot.trading.orders import Side
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.returns import BarPanel

SOURCE_MAX_AGE_MS = 30_000
_SIGMA_DAILY = 0.05  # what the exchange takes where a quote does not tell
_BENT: Mapping[str, Mapping[str, float]] = {
    "price_nan": {"mark": math.nan},
    "price_zero": {"mark": 0.0},
    "price_huge": {"mark": 1e30},
    "crossed_book": {"bid": 1.02, "ask": 0.98},
    "mark_not_last": {"last": 1.05},
}
"""Fields that a fault of the feed spoils: a value, or a multiple of what it should be."""
_MULTIPLES = ("crossed_book", "mark_not_last")


class FaultyMarket:
    """Prices of the exchange behind a line with faults."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._world = line.world
        self.on_quotes: Callable[[], None] = lambda: None

    async def instruments(self) -> Mapping[str, Instrument]:
        """What is listed now."""
        self._line.ask("instruments")
        delisted = self._world.delisted
        found = {s: self._listed(s) for s in SYMBOLS if s not in delisted}
        self._line.answered("instruments")
        return found

    def _listed(self, symbol: str) -> Instrument:
        step = self._world.exchange.filters(symbol).step
        return replace(instrument(symbol), lot=step, min_quantity=step)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Prices now."""
        self._line.ask("quotes")
        now = self._world.quotes()
        found = {s: self._spoilt(now[s]) for s in symbols if s in now}
        self._line.answered("quotes")
        self.on_quotes()
        return found

    def _spoilt(self, quote: Quote) -> Quote:
        faults = self._line.faults
        for kind, fields in _BENT.items():
            if faults.strikes(kind, 0.3):
                times = quote.mark if kind in _MULTIPLES else 1.0
                quote = replace(quote, **{name: value * times for name, value in fields.items()})  # type: ignore[arg-type]  # numbers by the table above
        return quote

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        """By the law of the exchange's books."""
        self._line.ask("depth")
        volume_usd = self._world.volume_usd
        usd = volume_usd * (within / _SIGMA_DAILY) ** 2
        if not volume_usd:
            self._line.faults.strikes("empty_book")
        self._line.answered("depth")
        return {Side.BUY: usd, Side.SELL: usd}

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        """Not asked for: correlations are not what is tested."""
        raise NotImplementedError

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        """No history is told; only a paper account asks for it, at its start."""
        self._line.ask("funding")
        self._line.answered("funding")
        return {}

    async def close(self) -> None:
        """Nothing is held open."""


class FaultySource:
    """The bot's positions behind a line with faults."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._world = line.world
        self._frozen: SourceSnapshot | None = None

    @property
    def name(self) -> str:
        """As the config calls it."""
        return "bot"

    @property
    def max_age_ms(self) -> int:
        """Older than this is stale."""
        return SOURCE_MAX_AGE_MS

    async def read(self) -> SourceSnapshot:
        """Positions now, or what a fault makes of them."""
        self._line.ask("source")
        world, faults = self._world, self._line.faults
        times = 1000 if faults.strikes("feed_x1000", 0.5) else 1
        snapshot = SourceSnapshot(
            self.name,
            world.now_ms,
            tuple(
                ReportedPosition(s, world.bot_quantity(s) * times)
                for s in BOT_SYMBOLS
                if world.bot_quantity(s)
            ),
        )
        if "stale_feed" in faults.active:
            if self._frozen is None:  # from now on, or since some minutes
                behind_ms = faults.die.choice((0, 120_000))
                self._frozen = replace(snapshot, timestamp_ms=snapshot.timestamp_ms - behind_ms)
            if snapshot.timestamp_ms - self._frozen.timestamp_ms > SOURCE_MAX_AGE_MS:
                faults.count("stale_feed")
            snapshot = self._frozen
        else:
            self._frozen = None
        world.told_bot = {p.symbol: float(p.base_quantity) for p in snapshot.positions}
        world.told_bot_ms = snapshot.timestamp_ms
        self._line.answered("source")
        return snapshot

    async def close(self) -> None:
        """Nothing is held open."""
