"""A tape over arrays in memory.

Prices come from hourly bars. Within an hour the price follows the path of bot/feeds/path.py, so
quotes and bars of every interval agree. At an exact hour the price is the close of the bar that
has just ended. Volumes, volatility and the funding rate of a quote are trailing: nothing in a
quote knows the future, apart from the forming bar that steers the path.

Where a bar is missing, the last close holds for ``HOLD_HOURS`` with its own, older timestamp;
after that there is no quote. A missing bar is left out of averages and never counts as zero.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bot.feeds.hour_cuts import HoursOfOne, hour_path, price_grid
from bot.feeds.path import price_on
from bot.feeds.series import FundingTrack, HourlyBars, OpenInterestSeries
from bot.feeds.tape import BASE_RATE_8H, DAY_MS, FundingPayment, Kline
from bot.ports import Quote
from risk.book import FloatArray
from risk.crowding.report import FundingSeries
from risk.errors import DataError
from risk.instrument import Instrument
from risk.returns import HOUR_MS, BarPanel

HOLD_HOURS = 3
VOLATILITY_BARS = 168
LARGEST_BASIS = 0.002
OPEN_INTEREST_AGE_MS = DAY_MS


def half_spread(daily_volume_usd: float) -> float:
    """Half of the quoted spread, a fraction: 10 bp at $1M a day and below, 1 bp from $1B.

    Between them log-linear: ten times the volume, 1/10^(1/3) of the spread.
    """
    if not daily_volume_usd > 0.0:
        return 10e-4
    return 1e-4 * min(max(math.pow(10.0, (9.0 - math.log10(daily_volume_usd)) / 3.0), 1.0), 10.0)


class ArrayTape:
    """A tape over arrays in memory."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        bars: HourlyBars,
        funding: Mapping[str, FundingTrack] | None = None,
        open_interest: Mapping[str, OpenInterestSeries] | None = None,
    ) -> None:
        """Columns of ``bars`` follow the order of ``instruments``."""
        if len(instruments) != bars.close.shape[1]:
            raise DataError(
                f"bars: {bars.close.shape[1]} columns for {len(instruments)} instruments"
            )
        self._instruments = {one.symbol: one for one in instruments}
        self._column = {one.symbol: k for k, one in enumerate(instruments)}
        self._grids = [price_grid(one.tick) for one in instruments]
        self._bars = bars
        self._funding = dict(funding or {})
        self._open_interest = dict(open_interest or {})
        self._told: dict[str, tuple[FundingTrack, tuple[int, ...], FundingSeries | None]] = {}
        self._trailing_hour = -1
        self._trailing: tuple[FloatArray, FloatArray] = (np.empty(0), np.empty(0))

    def _reach(self, until_ms: int) -> None:
        """Make sure that everything up to ``until_ms`` is in memory; a growing tape overrides."""

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """By unified symbol."""
        return self._instruments

    @property
    def start_ms(self) -> int:
        """Open of the first bar."""
        return self._bars.start_ms

    @property
    def end_ms(self) -> int | None:
        """End of the last bar."""
        return self._bars.start_ms + self._bars.hours * HOUR_MS

    def with_funding(self, changed: Callable[[FundingTrack], FundingTrack]) -> "ArrayTape":
        """The same market with other payments."""
        funding = {symbol: changed(track) for symbol, track in self._funding.items()}
        listed = list(self._instruments.values())
        return ArrayTape(listed, self._bars, funding, self._open_interest)

    def quote(self, symbol: str, now_ms: int) -> Quote | None:
        """As in Tape."""
        column = self._column.get(symbol)
        if column is None or now_ms < self.start_ms:
            return None
        self._reach(now_ms)
        seen = self._price(column, now_ms)
        daily_volume, volatility = self._trailing_at((now_ms - self.start_ms) // HOUR_MS)
        if seen is None or not daily_volume[column] >= 0.0:
            return None
        price, seen_ms = seen
        rate, settled, interval, next_ms = self._running_funding(symbol, now_ms)
        mark, index = self._mark(column, price, rate, next_ms - now_ms, interval)
        spread = half_spread(float(daily_volume[column]))
        tick, decimals = self._grids[column]
        ticks_down = math.floor(price * (1.0 - spread) / tick + 1e-9)
        ticks_up = math.ceil(price * (1.0 + spread) / tick - 1e-9)
        return Quote(
            symbol=symbol,
            timestamp_ms=seen_ms,
            mark=mark,
            index=index,
            last=price,
            bid=round(max(ticks_down, 1) * tick, decimals),
            ask=round(max(ticks_up, 2) * tick, decimals),
            daily_volume_usd=float(daily_volume[column]),
            funding_rate=rate,
            funding_interval_hours=interval,
            next_funding_ms=next_ms,
            volatility_daily=None if np.isnan(volatility[column]) else float(volatility[column]),
            open_interest_base=self.open_interest(symbol, now_ms),
            settled_funding_rate=settled,
        )

    def quotes(self, now_ms: int) -> dict[str, Quote]:
        """As in Tape."""
        found = {symbol: self.quote(symbol, now_ms) for symbol in self._instruments}
        return {symbol: quote for symbol, quote in found.items() if quote is not None}

    def klines(
        self, symbol: str, interval_ms: int, start_ms: int, end_ms: int, now_ms: int
    ) -> list[Kline]:
        """As in Tape."""
        if interval_ms <= 0 or (HOUR_MS % interval_ms and DAY_MS % interval_ms):
            raise DataError(f"bars: no interval of {interval_ms} ms; it must divide an hour or day")
        column = self._column.get(symbol)
        if column is None:
            return []
        first = -(-max(start_ms, self.start_ms - DAY_MS) // interval_ms) * interval_ms
        last = min(end_ms, now_ms + 1)
        self._reach(min(last + interval_ms, now_ms))
        limit = self.start_ms + self._bars.hours * HOUR_MS
        hours = HoursOfOne(self._bars, column, self._grids[column])
        cut = hours.within_hour if interval_ms < HOUR_MS else hours.of_hours
        whole: list[Kline] = []
        if interval_ms == HOUR_MS:
            whole, first = hours.whole(first, min(last, limit), now_ms)
        made = (
            cut(open_ms, interval_ms, now_ms)
            for open_ms in range(first, min(last, limit), interval_ms)
        )
        return whole + [bar for bar in made if bar is not None]

    def panel(self, symbols: Sequence[str], start_ms: int, end_ms: int, now_ms: int) -> BarPanel:
        """As in Tape; symbols that the tape does not know are all NaN."""
        first = -(-start_ms // HOUR_MS) * HOUR_MS
        hours = max(0, -(-(min(end_ms, now_ms - HOUR_MS + 1) - first) // HOUR_MS))
        self._reach(min(end_ms, now_ms))
        shape = (hours, len(symbols))
        close, volume = np.full(shape, np.nan), np.full(shape, np.nan)
        offset = (first - self.start_ms) // HOUR_MS
        low, high = max(0, offset), max(0, min(self._bars.hours, offset + hours))
        for k, symbol in enumerate(symbols):
            column = self._column.get(symbol)
            if column is not None and low < high:
                close[low - offset : high - offset, k] = self._bars.close[low:high, column]
                volume[low - offset : high - offset, k] = self._bars.volume_usd[low:high, column]
        open_ms = first + HOUR_MS * np.arange(hours, dtype=np.int64)
        return BarPanel(tuple(symbols), open_ms, close, volume)

    def range_of(self, symbol: str, open_ms: int) -> tuple[float, float] | None:
        """(low, high) of the hour that opens then; None without a bar."""
        column, hour = self._column.get(symbol), (open_ms - self.start_ms) // HOUR_MS
        if column is None or not 0 <= hour < self._bars.hours:
            return None
        low, high = float(self._bars.low[hour, column]), float(self._bars.high[hour, column])
        return (low, high) if low > 0.0 else None

    def funding(self, symbol: str, start_ms: int, end_ms: int) -> list[FundingPayment]:
        """As in Tape; a payment without a price near it is left out."""
        track = self._track(symbol, start_ms, end_ms)
        if track is None:
            return []
        column = self._column[symbol]
        payments = []
        for k, time_ms in enumerate(track.time_ms.tolist()):
            seen = self._price(column, time_ms)
            if seen is not None:
                rate, hours = float(track.rate[k]), float(track.interval_hours[k])
                mark, _ = self._mark(column, seen[0], rate, 0, hours)
                other = bool(track.substitute[k])
                payments.append(FundingPayment(symbol, time_ms, rate, hours, mark, other))
        return payments

    def funding_series(self, symbol: str, start_ms: int, end_ms: int) -> FundingSeries | None:
        """As in Tape; flagged as substitute where any of its payments is one."""
        self._reach(end_ms)
        track = self._funding.get(symbol)
        if track is None:
            return None
        chosen = tuple(np.searchsorted(track.time_ms, [start_ms, end_ms]).tolist())
        before = self._told.get(symbol)
        # Between two payments the same are asked for again and again.
        if before is None or before[0] is not track or before[1] != chosen:
            before = track, chosen, _series_of(symbol, track, *chosen)
            self._told[symbol] = before
        return before[2]

    def premium(self, symbol: str, at_ms: int, now_ms: int) -> float | None:
        """As in Tape."""
        self._reach(now_ms)
        track = self._funding.get(symbol)
        if track is None or track.premium is None:
            return None
        k = int(np.searchsorted(track.time_ms, at_ms, side="right"))
        if k == len(track.time_ms) or int(track.time_ms[k]) > now_ms:
            return None
        began_ms = int(track.time_ms[k]) - round(float(track.interval_hours[k]) * HOUR_MS)
        found = float(track.premium[k])
        return None if at_ms < began_ms or math.isnan(found) else found

    def _track(self, symbol: str, start_ms: int, end_ms: int) -> FundingTrack | None:
        self._reach(end_ms)
        track = self._funding.get(symbol)
        if track is None:
            return None
        low, high = np.searchsorted(track.time_ms, [start_ms, end_ms])
        return track.take(slice(int(low), int(high))) if low < high else None

    def open_interest(self, symbol: str, now_ms: int) -> float | None:
        """As in Tape."""
        self._reach(now_ms)
        series = self._open_interest.get(symbol)
        if series is None:
            return None
        at = int(np.searchsorted(series.time_ms, now_ms, side="right")) - 1
        if at < 0 or now_ms - int(series.time_ms[at]) > OPEN_INTEREST_AGE_MS:
            return None
        return float(series.base[at])

    def _price(self, column: int, now_ms: int) -> tuple[float, int] | None:
        """(price, moment when it was true), or None."""
        bars = self._bars
        hour, into = divmod(now_ms - self.start_ms, HOUR_MS)
        if into == 0 and hour > 0 and hour <= bars.hours:
            close = float(bars.close[hour - 1, column])
            if close > 0.0:
                return close, now_ms
        if hour < bars.hours and bars.close[hour, column] > 0.0:
            price = price_on(hour_path(bars, hour, column), into / HOUR_MS)
            return self._grids[column].on_tick(price), now_ms
        for back in range(hour - 1, max(-1, hour - 1 - HOLD_HOURS), -1):
            if back < bars.hours and bars.close[back, column] > 0.0:
                seen_ms = self.start_ms + (back + 1) * HOUR_MS
                held = now_ms - seen_ms <= HOLD_HOURS * HOUR_MS
                return (float(bars.close[back, column]), seen_ms) if held else None
        return None

    def _mark(
        self, column: int, price: float, rate: float, left_ms: int, interval_hours: float
    ) -> tuple[float, float]:
        """(mark, index): the perpetual stands off its index by the funding rate, and the mark
        price is the index plus the part of that rate still to come."""
        basis = min(max(rate, -LARGEST_BASIS), LARGEST_BASIS)
        index = price / (1.0 + basis)
        share = min(max(left_ms / (interval_hours * HOUR_MS), 0.0), 1.0)
        decimals = self._grids[column].decimals + 2
        return round(index * (1.0 + basis * share), decimals), round(index, decimals)

    def _running_funding(self, symbol: str, now_ms: int) -> tuple[float, float | None, float, int]:
        """(expected rate, last settled rate, interval hours, next payment).

        The rate to come is expected to be the last one that was settled; its true value is not
        known before its time, only the schedule is.
        """
        series = self._funding.get(symbol)
        interval = self._instruments[symbol].funding_interval_hours
        settled = None
        if series is not None and len(series.time_ms):
            after = int(np.searchsorted(series.time_ms, now_ms, side="right"))
            near = min(after, len(series.time_ms) - 1)
            interval = float(series.interval_hours[near])
            if after > 0:
                settled = float(series.rate[after - 1])
                last_hours = float(series.interval_hours[after - 1])
            next_ms = _due_ms(series, after)
            if next_ms is not None and 0 < next_ms - now_ms <= interval * HOUR_MS:
                rate = BASE_RATE_8H * interval / 8.0
                if settled is not None:
                    rate = settled * interval / last_hours
                return rate, settled, interval, next_ms
        step_ms = round(interval * HOUR_MS)
        next_ms = (now_ms // step_ms + 1) * step_ms
        return BASE_RATE_8H * interval / 8.0, settled, interval, next_ms

    def _trailing_at(self, hour: int) -> tuple[FloatArray, FloatArray]:
        """(daily volume USD, daily volatility) from the bars closed by the start of ``hour``."""
        if hour == self._trailing_hour:
            return self._trailing
        volume = self._bars.volume_usd[max(0, hour - 24) : hour]
        there = np.isfinite(volume)
        count = there.sum(axis=0)
        daily = np.where(count > 0, 24.0 * np.where(there, volume, 0.0).sum(axis=0), np.nan)
        daily = daily / np.maximum(count, 1)
        moves = np.diff(np.log(self._bars.close[max(0, hour - VOLATILITY_BARS - 1) : hour]), axis=0)
        there = np.isfinite(moves)
        count = there.sum(axis=0)
        squares = np.where(there, moves, 0.0) ** 2
        volatility = np.sqrt(24.0 * squares.sum(axis=0) / np.maximum(count, 1))
        self._trailing_hour = hour
        self._trailing = daily, np.where(count >= 24, volatility, np.nan)
        return self._trailing


def _series_of(symbol: str, track: FundingTrack, low: int, high: int) -> FundingSeries | None:
    """Those payments; None for none."""
    if low >= high:
        return None
    part = track.take(slice(low, high))
    return FundingSeries(
        symbol,
        part.time_ms,
        part.rate,
        part.interval_hours,
        bool(part.substitute.any()),
        None if np.isnan(part.premiums).all() else part.premiums,
    )


def _due_ms(track: FundingTrack, number: int) -> int | None:
    """When the payment of that number is due; the one after the last by the last one's interval."""
    if number < len(track.time_ms):
        return int(track.time_ms[number])
    if not number:
        return None
    return int(track.time_ms[-1]) + round(float(track.interval_hours[-1]) * HOUR_MS)
