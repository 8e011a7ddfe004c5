"""Dates known beforehand, around which the caps are tight (section ``calendar``)."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from config.fields import FilePath, Listed, Note, Strict, refuse
from config.macro import Factor, WhenMissing

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?")
MOMENT_WORDS = "a date such as 2026-03-01 (its beginning in UTC) or a time with its zone, such as "
MOMENT_WORDS += "2026-03-01T14:00:00Z"


def _moment(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise refuse(MOMENT_WORDS)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise refuse(MOMENT_WORDS) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


Moment = Annotated[datetime, BeforeValidator(_moment), Note(MOMENT_WORDS)]
Title = Annotated[str, Field(min_length=1, max_length=120), Note("a title of 1 to 120 characters")]
Tag = Annotated[str, Field(min_length=1, max_length=40), Note("a tag of 1 to 40 characters")]
Margin = Annotated[float, Field(ge=0, le=8784), Note(unit="hours")]


class CalendarEvent(Strict):
    """One event."""

    title: Title = Field(description="What happens.")
    start: Moment = Field(description="When the caps become tight.")
    end: Moment = Field(description="When they are as before; this moment is no part of it.")
    tags: Annotated[tuple[Tag, ...], Listed, Note("a list of tags, such as [model_release]")] = (
        Field(default=(), description="What kind of event it is, for people.")
    )
    factor: Factor = Field(description="What the caps are multiplied by meanwhile.")

    @model_validator(mode="after")
    def _in_order(self) -> "CalendarEvent":
        if self.end <= self.start:
            raise refuse("an event whose end is after its start")
        return self

    @property
    def start_ms(self) -> int:
        """``start`` in UTC milliseconds."""
        return round(self.start.timestamp() * 1000)

    @property
    def end_ms(self) -> int:
        """``end`` in UTC milliseconds."""
        return round(self.end.timestamp() * 1000)


class IcsFile(Strict):
    """A calendar file (.ics); it may change while the engine runs."""

    path: Annotated[FilePath, Note("the path of a file")] = Field(description="The calendar file.")
    factor: Factor = Field(description="What the caps are multiplied by during its events.")
    tags: Annotated[
        Annotated[tuple[Tag, ...], Field(min_length=1)] | None,
        Listed,
        Note("a list of categories", null="all events"),
    ] = Field(default=None, description="Only events with one of these categories count.")
    hours_before: Margin = Field(default=0.0, description="How long before an event it begins.")
    hours_after: Margin = Field(default=0.0, description="How long after an event it lasts.")
    when_missing: WhenMissing = Field(
        default="tighten",
        description="A missing or unreadable file: tighten the caps, or ignore it.",
    )


class Calendar(Strict):
    """Model releases, regulatory dates and the like; during an event the caps are tight.

    The caps on what is held are multiplied by the smallest factor of all that is on, events and
    series of `macro` together. Caps on hedges alone (their gross, margin, turnover and share of
    volume) stay as they are: they limit the cure, not the risk.
    """

    events: Annotated[
        tuple[CalendarEvent, ...],
        Listed,
        Note("a list of events, each with title, start, end and factor"),
    ] = Field(default=(), description="Events written here.")
    files: Annotated[
        tuple[IcsFile, ...], Listed, Note("a list of files, each with path and factor")
    ] = Field(default=(), description="Files with events.")
