"""Watches the calendar: which of the known events is on."""

from collections.abc import Iterable, Sequence

from bot.outlook.tightening import Outside, Tightening, Trouble, joined
from bot.records.cycle import iso_utc
from config.calendar import Calendar, IcsFile
from config.errors import ConfigError
from config.ics import IcsEvent, read_ics
from risk.returns import HOUR_MS
from risk.signals.episodes import Severity, Signal, SignalKind


class CalendarWatch:
    """Events of the config and of calendar files, which are read again when they change."""

    def __init__(self, settings: Calendar) -> None:
        self._events = settings.events
        self._files = [_FileWatch(file) for file in settings.files]

    def look(self, now_ms: int) -> Outside:
        """What is on at ``now_ms``; a file that cannot be read is told and, if so set, tightens."""
        own = Outside(
            tuple(
                _tightening(e.title, e.tags, e.factor, e.start_ms, e.end_ms)
                for e in self._events
                if e.start_ms <= now_ms < e.end_ms
            )
        )
        return joined([own, *(file.look(now_ms) for file in self._files)])


class _FileWatch:
    """One calendar file."""

    def __init__(self, settings: IcsFile) -> None:
        self._settings = settings
        self._seen: tuple[int, int, int] | None = None
        self._events: tuple[IcsEvent, ...] = ()
        self._failure = ""

    def look(self, now_ms: int) -> Outside:
        """As CalendarWatch; events read earlier count on while the file cannot be read."""
        self._refresh()
        known = Outside(tuple(_on(self._settings, self._events, now_ms)))
        if not self._failure:
            return known
        one = self._settings
        tightens = one.when_missing == "tighten"
        trouble = Outside((), (Trouble(one.path.name, self._failure, tightens=tightens),))
        if not tightens:
            return joined([known, trouble])
        sentence = (
            f"The calendar {one.path.name} is not known ({self._failure}): the caps are at "
            f"{one.factor:.0%}."
        )
        signal = Signal(
            SignalKind.CALENDAR, (one.path.name,), 1.0, 1.0, now_ms, Severity.WARNING, sentence
        )
        return joined([known, Outside((Tightening(one.factor, signal),)), trouble])

    def _refresh(self) -> None:
        path = self._settings.path
        try:
            stat = path.stat()
        except OSError as error:
            self._seen, self._failure = None, f"{path}: cannot be read ({error.strerror})"
            return
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._events, self._failure = read_ics(path), ""
        except ConfigError as error:
            self._failure = str(error)


def _on(settings: IcsFile, events: Sequence[IcsEvent], now_ms: int) -> Iterable[Tightening]:
    before_ms = round(settings.hours_before * HOUR_MS)
    after_ms = round(settings.hours_after * HOUR_MS)
    wanted = None if settings.tags is None else {tag.casefold() for tag in settings.tags}
    for event in events:
        if wanted is not None and wanted.isdisjoint(tag.casefold() for tag in event.tags):
            continue
        start_ms = round(event.start.timestamp() * 1000) - before_ms
        end_ms = round(event.end.timestamp() * 1000) + after_ms
        if start_ms <= now_ms < end_ms:
            yield _tightening(event.title, event.tags, settings.factor, start_ms, end_ms)


def _tightening(
    title: str, tags: Sequence[str], factor: float, start_ms: int, end_ms: int
) -> Tightening:
    kinds = f" ({', '.join(tags)})" if tags else ""
    sentence = f"{title}{kinds}: the caps are at {factor:.0%} until {iso_utc(end_ms)}."
    signal = Signal(
        SignalKind.CALENDAR, (title,), factor, 1.0, start_ms, Severity.WARNING, sentence
    )
    return Tightening(factor, signal)
