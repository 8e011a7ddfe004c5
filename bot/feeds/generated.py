"""A market without end, made from a seed: the same seed, the same market, to the bit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bot.feeds.array_tape import ArrayTape
from bot.feeds.generated_market import CHUNK_HOURS, MarketChunk, MarketModel, funding_rate
from bot.feeds.generated_universe import UNIVERSE, TokenSpec
from bot.feeds.series import FundingTrack, HourlyBars, OpenInterestSeries
from bot.feeds.tape import DAY_MS
from risk.book import FloatArray
from risk.errors import DataError
from risk.returns import HOUR_MS

HISTORY_DAYS = 60
LONGEST_DAYS = 50 * 365


def generated_tape(
    seed: int,
    start_ms: int,
    *,
    history_days: int = HISTORY_DAYS,
    specs: Sequence[TokenSpec] = UNIVERSE,
) -> "GeneratedTape":
    """A generated market.

    Args:
        seed: names the market; any whole number from 0.
        start_ms: open of the first bar, UTC milliseconds; taken back to the start of its day, so
            that funding of every interval falls on its usual hours.
        history_days: trading is meant to start that many days after ``start_ms``; late listings
            are placed around that moment.
        specs: the tokens.
    """
    if seed < 0:
        raise DataError(f"generated market: seed is {seed}, must be 0 or more")
    start_ms = start_ms // DAY_MS * DAY_MS
    listed = [
        0 if one.lists_after_days is None else max(0, history_days + one.lists_after_days) * 24
        for one in specs
    ]
    return GeneratedTape(seed, start_ms, specs, np.array(listed, dtype=np.int64))


class GeneratedTape(ArrayTape):
    """A tape that grows by chunks when somebody asks for later times; how far others asked
    changes nothing in the answers."""

    def __init__(
        self,
        seed: int,
        start_ms: int,
        specs: Sequence[TokenSpec],
        listed_hour: NDArray[np.int64],
    ) -> None:
        """``listed_hour``: (N,) hour of the tape at which each token lists."""
        self._specs = tuple(specs)
        self._listed_hour = listed_hour
        self._tick_sizes = np.array([float(one.tick) for one in specs])
        self._lot_sizes = np.array([float(one.lot) for one in specs])
        self._model = MarketModel(seed, specs, listed_hour)
        self._state = self._model.first_state()
        self._chunks = 0
        nothing = np.empty((0, len(specs)))
        super().__init__(
            [
                one.instrument(start_ms + int(hour) * HOUR_MS)
                for one, hour in zip(specs, listed_hour, strict=True)
            ],
            HourlyBars(start_ms, nothing, nothing, nothing, nothing, nothing),
        )

    @property
    def end_ms(self) -> int | None:
        """It never ends."""
        return None

    def _reach(self, until_ms: int) -> None:
        if until_ms - self.start_ms > LONGEST_DAYS * DAY_MS:
            raise DataError(
                f"generated market: asked for {until_ms} ms, more than {LONGEST_DAYS} days on"
            )
        missing = (until_ms - self.start_ms) // HOUR_MS + 1 - self._bars.hours
        while missing > 0:
            self._append(self._model.chunk(self._chunks, self._state))
            self._chunks += 1
            missing -= CHUNK_HOURS

    def _append(self, chunk: MarketChunk) -> None:
        """Round a chunk to the contracts' increments and add it to the arrays."""
        first = self._chunks * CHUNK_HOURS
        listed = first + np.arange(CHUNK_HOURS)[:, None] >= self._listed_hour
        parts = [
            self._on_ticks(one, listed) for one in (chunk.open, chunk.high, chunk.low, chunk.close)
        ]
        lots = np.maximum(np.round(chunk.volume_usd / chunk.close / self._lot_sizes), 1.0)
        parts.append(np.where(listed, lots * self._lot_sizes, np.nan))
        old = self._bars
        kept = (old.open, old.high, old.low, old.close, old.volume_base)
        joined = [np.concatenate(pair) for pair in zip(kept, parts, strict=True)]
        self._bars = HourlyBars(old.start_ms, *joined)
        ends = self.start_ms + HOUR_MS * (first + 1 + np.arange(CHUNK_HOURS, dtype=np.int64))
        for column, spec in enumerate(self._specs):
            there = listed[:, column]
            if there.any():
                self._add_funding(spec, ends, chunk.premium_8h[:, column], there)
                base = np.round(chunk.open_interest_usd[:, column] / chunk.close[:, column], 3)
                self._add_interest(spec.symbol, ends[there], base[there])

    def _on_ticks(self, price: FloatArray, listed: NDArray[np.bool_]) -> FloatArray:
        ticks = np.maximum(np.round(price / self._tick_sizes), 1.0)
        decimals = [max(0, -round(np.log10(tick))) for tick in self._tick_sizes]
        rounded = np.column_stack(
            [np.round(ticks[:, k] * self._tick_sizes[k], decimals[k]) for k in range(len(decimals))]
        )
        return np.where(listed, rounded, np.nan)

    def _add_funding(
        self,
        spec: TokenSpec,
        ends: NDArray[np.int64],
        premium: FloatArray,
        there: NDArray[np.bool_],
    ) -> None:
        """Payments at the end of each whole interval since listing, on the mean premium over it."""
        hours = spec.interval_hours
        mean = premium.reshape(-1, hours).mean(axis=1)
        whole = there.reshape(-1, hours).all(axis=1)
        time_ms = ends.reshape(-1, hours)[whole, -1]
        rate = funding_rate(mean[whole], hours)
        track = FundingTrack(
            time_ms,
            rate,
            np.full(len(rate), float(hours)),
            np.zeros(len(rate), dtype=np.bool_),
            np.round(mean[whole], 8),  # as venues tell it
        )
        old = self._funding.get(spec.symbol)
        self._funding[spec.symbol] = track if old is None else old.then(track)

    def _add_interest(self, symbol: str, time_ms: NDArray[np.int64], base: FloatArray) -> None:
        old = self._open_interest.get(symbol)
        if old is not None:
            time_ms = np.concatenate([old.time_ms, time_ms])
            base = np.concatenate([old.base, base])
        self._open_interest[symbol] = OpenInterestSeries(time_ms, base)
