"""The part of iCalendar (RFC 5545) that holds single events, strictly.

Read are VEVENT with DTSTART, DTEND, SUMMARY, CATEGORIES and STATUS:CANCELLED, folded lines
included. What would change when an event is and is not understood (recurrence, durations, local
times without a zone) is refused: an event that is silently forgotten would leave the caps wide.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from config.errors import ConfigError
from config.show import printable

MAX_BYTES = 1024 * 1024
_REFUSED = {
    "RRULE": "recurring events are not supported, write each one out",
    "RDATE": "recurring events are not supported, write each one out",
    "EXDATE": "recurring events are not supported, write each one out",
    "RECURRENCE-ID": "recurring events are not supported, write each one out",
    "DURATION": "a duration is not supported, give DTEND",
}
_LINE = re.compile(
    r"(?P<name>[A-Za-z0-9-]+)(?P<params>(?:;[A-Za-z0-9-]+=(?:\"[^\"]*\"|[^\";:]*))*):(?P<value>.*)",
    re.DOTALL,
)
_PARAM = re.compile(r";([A-Za-z0-9-]+)=(\"[^\"]*\"|[^\";:]*)")
_TIME = re.compile(r"\d{8}T\d{6}Z?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class IcsEvent:
    """One event; ``end`` is no part of it."""

    title: str
    start: datetime
    end: datetime
    tags: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    line: int
    start: tuple[datetime, bool] | None = None
    end: tuple[datetime, bool] | None = None
    title: str = ""
    tags: list[str] = field(default_factory=list)
    cancelled: bool = False


def read_ics(path: Path) -> tuple[IcsEvent, ...]:
    """The events of a file, in its order, without cancelled ones.

    Raises:
        ConfigError: it cannot be read or holds what is not understood; one line that names the
            file and the line.
    """
    where = printable(str(path))
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read ({error.strerror})") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{where}: larger than {MAX_BYTES // 1024} KiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: not UTF-8") from None
    return parse_ics(text, where)


def parse_ics(text: str, where: str) -> tuple[IcsEvent, ...]:
    """The events in ``text``; ``where`` names the file in errors.

    Raises:
        ConfigError: as ``read_ics``.
    """
    events: list[IcsEvent] = []
    open_parts: list[str] = []
    draft: _Draft | None = None
    ended = False
    for number, line in _unfolded(text, where):
        try:
            name, params, value = _property(line)
            if ended or (not open_parts and (name, value.upper()) != ("BEGIN", "VCALENDAR")):
                raise ValueError("a calendar begins with BEGIN:VCALENDAR and nothing follows it")
            if name == "BEGIN":
                part = value.upper()
                open_parts.append(part)
                if part == "VEVENT":
                    if open_parts != ["VCALENDAR", "VEVENT"]:
                        raise ValueError("an event inside of something else")
                    draft = _Draft(number)
            elif name == "END":
                if open_parts.pop() != value.upper():
                    raise ValueError(f"END:{printable(value)[:40]} ends nothing that is open")
                if value.upper() == "VEVENT" and draft is not None:
                    events += _event(draft)
                    draft = None
                ended = not open_parts
            elif draft is not None and open_parts[-1] == "VEVENT":
                _take(draft, name, params, value)
        except ValueError as error:
            raise ConfigError(f"{where}: line {number}: {error}") from None
    if not ended:
        raise ConfigError(f"{where}: no END:VCALENDAR, the file is not whole")
    return tuple(events)


def _unfolded(text: str, where: str) -> list[tuple[int, str]]:
    """Lines with the number of their first, continuation lines put back (RFC 5545, 3.1)."""
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if line[:1] in (" ", "\t"):
            if not lines:
                raise ConfigError(f"{where}: line {number}: continues no line")
            first, begun = lines[-1]
            lines[-1] = (first, begun + line[1:])
        elif line:
            lines.append((number, line))
    if not lines:
        raise ConfigError(f"{where}: empty, a calendar is needed")
    return lines


def _property(line: str) -> tuple[str, Mapping[str, str], str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError("not a line of a calendar, NAME:VALUE")
    params = {k.upper(): v.strip('"') for k, v in _PARAM.findall(match["params"])}
    return match["name"].upper(), params, match["value"]


def _take(draft: _Draft, name: str, params: Mapping[str, str], value: str) -> None:
    if name in _REFUSED:
        raise ValueError(f"{name}: {_REFUSED[name]}")
    if name in ("DTSTART", "DTEND"):
        slot = "start" if name == "DTSTART" else "end"
        if getattr(draft, slot) is not None:
            raise ValueError(f"{name} is given twice")
        setattr(draft, slot, _moment(name, params, value))
    elif name == "SUMMARY":
        draft.title = _text(value)
    elif name == "CATEGORIES":
        draft.tags += [_text(tag) for tag in re.split(r"(?<!\\),", value) if tag.strip()]
    elif name == "STATUS":
        draft.cancelled = value.upper() == "CANCELLED"


def _moment(name: str, params: Mapping[str, str], value: str) -> tuple[datetime, bool]:
    """The moment, and whether it is a whole day."""
    if params.get("VALUE", "").upper() == "DATE" or re.fullmatch(r"\d{8}", value):
        if not re.fullmatch(r"\d{8}", value):
            raise ValueError(f"{name}: not a date such as 20260301")
        return datetime.strptime(value, "%Y%m%d").replace(tzinfo=UTC), True
    if not _TIME.fullmatch(value):
        raise ValueError(f"{name}: not a time such as 20260301T140000Z")
    moment = datetime.strptime(f"{value.removesuffix('Z')}+0000", "%Y%m%dT%H%M%S%z")
    if value.endswith("Z"):
        return moment, False
    if "TZID" not in params:
        raise ValueError(f"{name}: a time without its zone, end it with Z for UTC")
    try:
        zone = ZoneInfo(params["TZID"])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name}: no known time zone {printable(params['TZID'])[:60]}") from None
    return moment.replace(tzinfo=zone).astimezone(UTC), False


def _event(draft: _Draft) -> list[IcsEvent]:
    if draft.cancelled:
        return []
    if draft.start is None:
        raise ValueError(f"the event of line {draft.line} has no DTSTART")
    start, whole_day = draft.start
    if draft.end is not None:
        end = draft.end[0]
    elif whole_day:
        end = start + timedelta(days=1)
    else:
        raise ValueError(f"the event of line {draft.line} has no DTEND")
    if end <= start:
        raise ValueError(f"the event of line {draft.line} ends before it begins")
    title = draft.title or "event without a title"
    return [IcsEvent(title, start, end, tuple(draft.tags))]


def _text(value: str) -> str:
    """Unescaped and on one line."""
    plain = _ESCAPED.sub(lambda m: " " if m[1] in "nN" else m[1], value)
    return printable(" ".join(plain.split()))[:120]
