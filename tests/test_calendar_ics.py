"""Calendar files: the part of iCalendar that is read, and what is refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.ics import MAX_BYTES, IcsEvent, parse_ics, read_ics


def calendar(*lines: str) -> str:
    body = ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"]
    return "\r\n".join(body) + "\r\n"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # a moment's parts


def test_an_event_with_folded_lines_escapes_and_categories() -> None:
    text = calendar(
        "UID:1",
        "DTSTART:20260301T140000Z",
        "DTEND:20260301T160000Z",
        "SUMMARY;LANGUAGE=en:A model\\, a",
        "  large\\none\\; out",
        "CATEGORIES:model_release,AI\\,ML",
        "CATEGORIES:news",
        'ATTENDEE;CN="a:b;c":mailto:x@y',
    )
    assert parse_ics(text, "c.ics") == (
        IcsEvent(
            "A model, a large one; out",
            utc(2026, 3, 1, 14),
            utc(2026, 3, 1, 16),
            ("model_release", "AI,ML", "news"),
        ),
    )


def test_whole_days_and_time_zones() -> None:
    days = parse_ics(calendar("DTSTART;VALUE=DATE:20260301", "SUMMARY:x"), "c.ics")
    assert (days[0].start, days[0].end) == (utc(2026, 3, 1), utc(2026, 3, 2))
    text = calendar(
        "DTSTART;TZID=America/New_York:20260701T083000",
        "DTEND;TZID=America/New_York:20260701T093000",
    )
    (event,) = parse_ics(text, "c.ics")
    assert (event.start, event.end) == (utc(2026, 7, 1, 12, 30), utc(2026, 7, 1, 13, 30))
    assert event.title == "event without a title"


def test_cancelled_events_and_other_parts_are_left_out() -> None:
    cancelled = calendar("DTSTART:20260301T140000Z", "DTEND:20260301T160000Z", "STATUS:CANCELLED")
    assert parse_ics(cancelled, "c.ics") == ()
    alarm = calendar(
        "DTSTART:20260301T140000Z",
        "DTEND:20260301T160000Z",
        "BEGIN:VALARM",
        "DURATION:PT5M",
        "END:VALARM",
    )
    assert len(parse_ics(alarm, "c.ics")) == 1
    zone = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nBEGIN:STANDARD\nRRULE:FREQ=YEARLY\nEND:STANDARD\n"
    assert parse_ics(zone + "END:VTIMEZONE\nEND:VCALENDAR\n", "c.ics") == ()


START, END = "DTSTART:20260301T140000Z", "DTEND:20260301T160000Z"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (calendar(START, END, "RRULE:FREQ=DAILY"), "line 6: RRULE: recurring events are not"),
        (calendar(START, END, "RDATE:20260302"), "line 6: RDATE: recurring events are not"),
        (calendar(START, "DURATION:PT1H"), "line 5: DURATION: a duration is not supported"),
        (calendar("DTSTART:20260301T140000", END), "line 4: DTSTART: a time without its zone"),
        (calendar("DTSTART;TZID=Mars/X:20260301T140000", END), "no known time zone Mars/X"),
        (calendar("DTSTART;TZID=../etc:20260301T140000", END), "no known time zone ../etc"),
        (calendar("DTSTART:tomorrow", END), "line 4: DTSTART: not a time such as"),
        (calendar("DTSTART:20261341T140000Z", END), "line 4:"),
        (calendar(START, START.replace("START", "END")), "the event of line 3 ends before"),
        (calendar(START), "the event of line 3 has no DTEND"),
        (calendar(END), "the event of line 3 has no DTSTART"),
        (calendar(START, START, END), "line 5: DTSTART is given twice"),
        (calendar(START, END, "nonsense"), "line 6: not a line of a calendar"),
        ("", "empty, a calendar is needed"),
        (" x", "line 1: continues no line"),
        ("BEGIN:VEVENT\n", "line 1: a calendar begins with BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\nEND:VEVENT\n", "line 2: END:VEVENT ends nothing that is open"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260301\n", "the file is not whole"),
        (calendar(START, END) + "SUMMARY:x\n", "nothing follows it"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_ics(text, "c.ics")
    assert str(caught.value).startswith("c.ics: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    file = tmp_path / "c.ics"
    with pytest.raises(ConfigError, match=r"c\.ics: cannot be read \(No such file"):
        read_ics(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_ics(file)
    file.write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than 1024 KiB"):
        read_ics(file)
    file.write_text("\ufeff" + calendar(START, END), encoding="utf-8")
    assert len(read_ics(file)) == 1
