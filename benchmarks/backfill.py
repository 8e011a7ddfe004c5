"""60 days of hourly bars of the demo's symbols through ccxt and sockets."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measure import (
    DisagreementError,
    Effort,
    Line,
    alternate,
    require_close,
)
from benchmarks.stage import HISTORY_DAYS, START_MS, Stage, open_stage
from bot.feeds.live import LiveFeed
from bot.feeds.tape import DAY_MS
from bot.feeds.tape_feed import TapeFeed
from bot.logs import silent_log
from config.load import load_settings, profile_path
from config.sectors import load_sectors
from risk.returns import HOUR_MS, BarPanel

_FROM_MS = START_MS - HISTORY_DAYS * DAY_MS
_TOLERANCE = 1e-9
"""Relative, of closes: the tape's prices lie on ticks, which decimal text keeps whole."""


def run(effort: Effort) -> Iterator[Line]:
    """Against the same bars straight from the tape, and against ccxt's calls alone."""
    with open_stage() as stage:
        client = stage.client()
        try:
            stage.run(client.load_markets())
            fetch = _Fetch(stage, client, _symbols(stage))
            rounds = effort.rounds(7, 1)
            case = f"{HISTORY_DAYS} days of {len(fetch.symbols)} symbols"
            pairs = alternate(
                fetch.through_feed,
                fetch.from_tape,
                rounds,
                before=fetch.fresh_feed,
                agree=partial(_require_same, "tape"),
                warm_ups=effort.warm_ups,
            )
            agreement = f"the same bars, closes within {_TOLERANCE:.0e}"
            yield pairs.line("backfill", case, "reading the tape in process", agreement)
            pairs = alternate(
                fetch.through_feed,
                fetch.through_ccxt,
                rounds,
                before=fetch.fresh_feed,
                agree=_require_same_closes,
                warm_ups=effort.warm_ups,
            )
            yield pairs.line("backfill", case, "ccxt fetch_ohlcv alone", agreement)
        finally:
            stage.run(client.close())


class _Fetch:
    """The three ways to the same bars."""

    def __init__(self, stage: Stage, client: Any, symbols: list[str]) -> None:
        self._stage, self._client, self.symbols = stage, client, symbols
        self._tape_feed = TapeFeed(stage.tape, stage.clock)
        self._feed = self._new_feed()

    def fresh_feed(self) -> None:
        """A feed that knows the instruments and no bar."""
        self._feed = self._new_feed()
        self._stage.run(self._feed.instruments())

    def _new_feed(self) -> LiveFeed:
        clock = self._stage.clock
        return LiveFeed(self._client, clock, silent_log(clock))

    def through_feed(self) -> BarPanel:
        return self._stage.run(self._feed.bars(self.symbols, _FROM_MS, START_MS))

    def from_tape(self) -> BarPanel:
        return self._stage.run(self._tape_feed.bars(self.symbols, _FROM_MS, START_MS))

    def through_ccxt(self) -> dict[str, list[list[float]]]:
        return self._stage.run(self._all_pages())

    async def _all_pages(self) -> dict[str, list[list[float]]]:
        rows: dict[str, list[list[float]]] = {}
        for symbol in self.symbols:
            found, since_ms = rows.setdefault(symbol, []), _FROM_MS
            while since_ms < START_MS:
                limit = min(1000, (START_MS - since_ms) // HOUR_MS)
                page = await self._client.fetch_ohlcv(symbol, "1h", since=since_ms, limit=limit)
                if not page:
                    break
                found += [row for row in page if row[0] < START_MS]  # the last may be forming
                since_ms = int(page[-1][0]) + HOUR_MS
        return rows


def _symbols(stage: Stage) -> list[str]:
    """The sector and the benchmarks, as far as they are listed at the start."""
    settings = load_settings(profile_path("demo"))
    sector = load_sectors(settings.universe.sectors_file)[settings.universe.sector]
    bases = {*sector.subsector_of, *(s.partition("/")[0] for s in settings.universe.benchmarks)}
    listed = stage.tape.quotes(START_MS)
    return sorted(s for s in listed if s.partition("/")[0] in bases)


def _require_same(peer: str, ours: BarPanel, theirs: BarPanel) -> None:
    if not np.array_equal(ours.open_ms, theirs.open_ms) or ours.symbols != theirs.symbols:
        raise DisagreementError(f"backfill: other bars than {peer}")
    if not np.array_equal(np.isnan(ours.close), np.isnan(theirs.close)):
        raise DisagreementError(f"backfill: other gaps than {peer}")
    difference = float(np.nanmax(np.abs(ours.close / theirs.close - 1)))
    require_close(f"backfill: closes of the feed and of {peer}", difference, _TOLERANCE)


def _require_same_closes(ours: BarPanel, rows: dict[str, list[list[float]]]) -> None:
    close = np.full(ours.close.shape, np.nan)
    for column, symbol in enumerate(ours.symbols):
        for row in rows[symbol]:
            close[(int(row[0]) - _FROM_MS) // HOUR_MS, column] = row[4]
    theirs = BarPanel(ours.symbols, ours.open_ms, close, ours.quote_volume_usd)
    _require_same("ccxt", ours, theirs)
