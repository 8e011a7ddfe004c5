"""How much of the bot's variance hedges really took away in the last day; each scrape reads on."""

from collections import deque
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from bot.attribution.course import (
    DAY_MS,
    Moment,
    Move,
    moment_of,
    moves_of,
    realised_volatility_daily_usd,
)
from bot.attribution.period import effectiveness
from bot.journal.reader import JournalReader

_LEAST_MOVES = 24
"""Fewer say little about a variance."""


class Realised:
    """What the last day's cycles did, with and without hedges."""

    def __init__(self) -> None:
        self._last: Moment | None = None
        self._moves: deque[Move] = deque()

    def read(self, journal: JournalReader, now_ms: int) -> None:
        """Adds the cycles since the last time, and drops what is older than a day.

        Raises:
            JournalError: it cannot be read.
        """
        since_ms = now_ms - DAY_MS
        if self._last is not None:
            since_ms = max(since_ms, self._last.timestamp_ms + 1)
        for document in journal.cycles_since(since_ms):
            moment = moment_of(document)
            if moment is None:
                continue
            if self._last is not None:
                self._moves.extend(moves_of([self._last, moment]))
            self._last = moment
        while self._moves and self._moves[0].start_ms < now_ms - DAY_MS:
            self._moves.popleft()

    def families(self) -> Iterator[Metric]:
        """Nothing where too little is known."""
        known = [
            (one.end_ms - one.start_ms, one.bot_usd, one.hedge_usd)
            for one in self._moves
            if one.bot_usd is not None and one.hedge_usd is not None
        ]
        family = GaugeMetricFamily(
            "perphedge_hedge_effectiveness_realised",
            "Share of the bot's variance of the last day that the hedges took away.",
        )
        if len(known) >= _LEAST_MOVES:
            alone = realised_volatility_daily_usd([(ms, bot) for ms, bot, _ in known])
            both = realised_volatility_daily_usd([(ms, bot + hedge) for ms, bot, hedge in known])
            value = effectiveness(alone, both)
            if value is not None:
                family.add_metric([], value)
        yield family
