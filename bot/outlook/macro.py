"""Watches series such as VIX: read when they changed or are due, judged at every look.

A series that is missing, unreadable or stale is never taken for calm; what it does then is the
owner's setting. After a failed request the last good answer counts until it is stale by its own
times.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import numpy as np

from bot.outlook.macro_series import MAX_BYTES, Point, csv_points, json_document, json_points
from bot.outlook.tightening import Outside, Tightening, Trouble, joined
from bot.ports import Clock
from bot.together import together
from config.macro import CsvSeries, JsonSeries
from risk.errors import DataError
from risk.returns import HOUR_MS, utc
from risk.signals.episodes import Severity, Signal, SignalKind, SignalRule, replay

RETRY_MS = 60_000


class Reader(Protocol):
    """Where the points of a series come from."""

    async def read(self) -> Sequence[Point]:
        """All of them, oldest first.

        Raises:
            DataError: they cannot be read or understood.
        """


class CsvReader:
    """Points of a CSV file, read again when it changed."""

    def __init__(self, settings: CsvSeries) -> None:
        self._settings = settings
        self._seen: tuple[int, int, int] | None = None
        self._points: tuple[Point, ...] = ()

    async def read(self) -> Sequence[Point]:
        """As Reader."""
        path = self._settings.path
        try:
            stat = path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen == self._seen:
                return self._points
            if not path.is_file():
                raise DataError("not a regular file")
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror})") from None
        if len(content) > MAX_BYTES:
            raise DataError(f"larger than {MAX_BYTES:,} bytes")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DataError("not UTF-8") from None
        one = self._settings
        self._points = csv_points(text, one.time_column, one.value_column)
        self._seen = seen
        return self._points


class JsonReader:
    """Points of a JSON document behind an address, asked for no more often than is set."""

    def __init__(self, settings: JsonSeries, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._points: tuple[Point, ...] = ()
        self._next_ms: int | None = None
        self._asked_ms = 0
        self._failure = ""

    async def read(self) -> Sequence[Point]:
        """As Reader; after a failure the last good points, if there are any."""
        now_ms = self._clock.now_ms()
        if self._next_ms is None or not self._asked_ms <= now_ms < self._next_ms:
            every_ms = round(self._settings.read_every_minutes * 60_000)
            self._asked_ms = now_ms
            try:
                self._points, self._failure = await self._fetch(), ""
                self._next_ms = now_ms + every_ms
            except DataError as error:
                self._failure = str(error)
                self._next_ms = now_ms + min(every_ms, RETRY_MS)
        if self._failure and not self._points:
            raise DataError(self._failure)
        return self._points

    @property
    def failure(self) -> str:
        """Why the last request failed; empty when it did not."""
        return self._failure

    async def _fetch(self) -> tuple[Point, ...]:
        one = self._settings
        host = urlsplit(one.url).hostname  # the rest of the address may hold a key
        timeout = aiohttp.ClientTimeout(total=one.timeout_seconds)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(one.url, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise DataError(f"{host} answered with HTTP status {answer.status}")
                content = await _limited(answer.content)
        except TimeoutError:
            raise DataError(f"{host} did not answer in {one.timeout_seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise DataError(f"{host} cannot be reached ({type(error).__name__})") from None
        document = json_document(content)
        return json_points(document, one.records_at, one.time_column, one.value_column)


async def _limited(stream: aiohttp.StreamReader) -> bytes:
    content = bytearray()
    async for chunk in stream.iter_chunked(65_536):
        content += chunk
        if len(content) > MAX_BYTES:
            raise DataError(f"the answer is larger than {MAX_BYTES:,} bytes")
    return bytes(content)


@dataclass(slots=True)
class MacroWatch:
    """One series and its thresholds."""

    settings: CsvSeries | JsonSeries
    reader: Reader
    _judged: tuple[Sequence[Point], tuple[Tightening, ...]] = ((), ())

    async def look(self, now_ms: int) -> Outside:
        """What the series says at ``now_ms``; never raises for what it holds."""
        one = self.settings
        try:
            points = self._known(await self.reader.read(), now_ms)
        except DataError as error:
            return self._missing(str(error), math.nan, now_ms)
        failure = self.reader.failure if isinstance(self.reader, JsonReader) else ""
        last = points[-1]
        age_hours = (now_ms - last.time_ms) / HOUR_MS
        if age_hours > one.max_age_hours:
            tail = f"; {failure}" if failure else ""
            reason = (
                f"its last value is of {utc(last.time_ms)}, {age_hours:.1f} hours ago, at most "
                f"{one.max_age_hours:g} are accepted{tail}"
            )
            return self._missing(reason, last.value, now_ms)
        if points != self._judged[0]:  # a long series is not replayed at every look
            found = tuple(t for t in self._thresholds(points) if t is not None)
            self._judged = (points, found)
        on = self._judged[1]
        troubles = (Trouble(one.name, failure, tightens=False),) if failure else ()
        return Outside(on, troubles)

    def _known(self, points: Sequence[Point], now_ms: int) -> Sequence[Point]:
        delay_ms = round(self.settings.known_after_hours * HOUR_MS)
        known = [p for p in points if p.time_ms + delay_ms <= now_ms]
        if not known:
            raise DataError("no value that was known by now")
        return known

    def _thresholds(self, points: Sequence[Point]) -> tuple[Tightening | None, ...]:
        one = self.settings
        return (
            self._threshold(points, one.above, one.above_until, 1.0),
            self._threshold(points, one.below, one.below_until, -1.0),
        )

    def _threshold(
        self, points: Sequence[Point], enter: float | None, leave: float | None, sign: float
    ) -> Tightening | None:
        """On or not, from the whole series: so a restart finds it as it was."""
        if enter is None:
            return None
        one, until = self.settings, enter if leave is None else leave
        # Below is above of the negative: a rule with one threshold for both means above.
        rule = SignalRule(sign * enter, sign * until, one.values_in_a_row, one.values_in_a_row)
        values = sign * np.array([[p.value] for p in points])
        times = np.array([p.time_ms for p in points], dtype=np.int64)
        state = replay(rule, values, times)
        if not state.active[0]:
            return None
        last, side = points[-1].value, "above" if sign > 0 else "below"
        lasting = "" if sign * (last - enter) > 0 else f" and not yet back behind {until:g}"
        sentence = (
            f"{one.name} is {last:g}, has been {side} {enter:g}{lasting}: the caps are at "
            f"{one.factor:.0%}."
        )
        since_ms = int(state.since_ms[0])
        return Tightening(
            one.factor,
            Signal(
                SignalKind.MACRO, (one.name,), last, enter, since_ms, Severity.WARNING, sentence
            ),
        )

    def _missing(self, reason: str, value: float, now_ms: int) -> Outside:
        one = self.settings
        tightens = one.when_missing == "tighten"
        trouble = Trouble(one.name, reason, tightens=tightens)
        if not tightens:
            return Outside((), (trouble,))
        sentence = f"{one.name} is not known ({reason}): the caps are at {one.factor:.0%}."
        threshold = next(t for t in (one.above, one.below) if t is not None)
        signal = Signal(
            SignalKind.MACRO, (one.name,), value, threshold, now_ms, Severity.WARNING, sentence
        )
        return Outside((Tightening(one.factor, signal),), (trouble,))


def macro_watches(series: Sequence[CsvSeries | JsonSeries], clock: Clock) -> tuple[MacroWatch, ...]:
    """One for each series."""
    return tuple(
        MacroWatch(s, CsvReader(s) if isinstance(s, CsvSeries) else JsonReader(s, clock))
        for s in series
    )


async def look_at_all(watches: Sequence[MacroWatch], now_ms: int) -> Outside:
    """What all series say, asked at the same time."""
    return joined(await together(watch.look(now_ms) for watch in watches))
