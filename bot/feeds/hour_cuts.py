"""Bars of any interval, cut from hourly ones: whole hours joined, or a part of an hour's path."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from bot.feeds.path import Path, bar_path, range_on
from bot.feeds.series import HourlyBars
from bot.feeds.tape import Kline
from risk.returns import HOUR_MS


class PriceGrid(NamedTuple):
    """Steps of a price, and how many decimals one has."""

    tick: float
    decimals: int

    def on_tick(self, price: float) -> float:
        """The step next to it, at least one."""
        return round(max(round(price / self.tick), 1) * self.tick, self.decimals)


def price_grid(tick: Decimal) -> PriceGrid:
    """Of an instrument with this tick."""
    return PriceGrid(float(tick), max(0, -int(tick.as_tuple().exponent)))


def hour_path(bars: HourlyBars, hour: int, column: int) -> Path:
    """The way of the price within one hour."""
    return bar_path(
        float(bars.open[hour, column]),
        float(bars.high[hour, column]),
        float(bars.low[hour, column]),
        float(bars.close[hour, column]),
    )


@dataclass(frozen=True, slots=True)
class HoursOfOne:
    """The hourly bars of one symbol: its column of all."""

    bars: HourlyBars
    column: int
    grid: PriceGrid

    def whole(self, first_ms: int, last_ms: int, now_ms: int) -> tuple[list[Kline], int]:
        """Closed hourly bars as they are, and the open of the hour after them."""
        start = max(0, (first_ms - self.bars.start_ms) // HOUR_MS)
        end = (min(last_ms, now_ms - HOUR_MS + 1) - self.bars.start_ms + HOUR_MS - 1) // HOUR_MS
        if end <= start:
            return [], first_ms
        bars, column, part = self.bars, self.column, slice(start, end)
        names = ("open", "high", "low", "close", "volume_base", "volume_usd")
        rows = zip(*(getattr(bars, name)[part, column].tolist() for name in names), strict=True)
        found = [
            Kline(
                self.bars.start_ms + hour * HOUR_MS, first, high, low, last, base, usd, closed=True
            )
            for hour, (first, high, low, last, base, usd) in enumerate(rows, start)
            if last > 0.0
        ]
        return found, self.bars.start_ms + end * HOUR_MS

    def of_hours(self, open_ms: int, interval_ms: int, now_ms: int) -> Kline | None:
        """A bar of whole hours, the forming hour cut at now."""
        bars, column = self.bars, self.column
        first = max(0, (open_ms - self.bars.start_ms) // HOUR_MS)
        end = min(bars.hours, (open_ms + interval_ms - self.bars.start_ms) // HOUR_MS)
        full = min(end, (now_ms - self.bars.start_ms) // HOUR_MS)
        pieces = [
            (bars.open[h, column], bars.high[h, column], bars.low[h, column],
             bars.close[h, column], bars.volume_base[h, column], bars.volume_usd[h, column])
            for h in range(first, full)
            if bars.close[h, column] > 0.0
        ]  # fmt: skip
        if first <= full < end and bars.close[full, column] > 0.0:
            into_ms = now_ms - self.bars.start_ms - full * HOUR_MS
            if into_ms > 0 or not pieces:
                pieces.append(self._piece(full, 0, into_ms))
        return _joined(pieces, open_ms, closed=open_ms + interval_ms <= now_ms)

    def within_hour(self, open_ms: int, interval_ms: int, now_ms: int) -> Kline | None:
        """A bar of less than an hour, cut from the path."""
        hour, into_ms = divmod(open_ms - self.bars.start_ms, HOUR_MS)
        if not (0 <= hour < self.bars.hours and self.bars.close[hour, self.column] > 0.0):
            return None
        until_ms = min(into_ms + interval_ms, now_ms - self.bars.start_ms - hour * HOUR_MS)
        piece = self._piece(hour, into_ms, until_ms)
        return _joined([piece], open_ms, closed=open_ms + interval_ms <= now_ms)

    def _piece(
        self, hour: int, from_ms: int, until_ms: int
    ) -> tuple[float, float, float, float, float, float]:
        """Open, high, low, close, base volume and USD volume of a part of one hour."""
        part = range_on(
            hour_path(self.bars, hour, self.column), from_ms / HOUR_MS, until_ms / HOUR_MS
        )
        first, high, low, last = (self.grid.on_tick(price) for price in part)
        share = (until_ms - from_ms) / HOUR_MS
        volume_base = float(self.bars.volume_base[hour, self.column]) * share
        volume_usd = float(self.bars.volume_usd[hour, self.column]) * share
        return first, high, low, last, volume_base, volume_usd


def _joined(
    pieces: Sequence[tuple[float, float, float, float, float, float]], open_ms: int, *, closed: bool
) -> Kline | None:
    """One bar out of consecutive pieces; None where there is none."""
    if not pieces:
        return None
    return Kline(
        open_ms=open_ms,
        open=float(pieces[0][0]),
        high=float(max(piece[1] for piece in pieces)),
        low=float(min(piece[2] for piece in pieces)),
        close=float(pieces[-1][3]),
        volume_base=float(sum(piece[4] for piece in pieces)),
        volume_usd=float(sum(piece[5] for piece in pieces)),
        closed=closed,
    )
