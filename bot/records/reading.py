"""Reads the hedge log: cycles and events as flat documents, in the order in which they ended."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bot.journal.log_reads import LogQuery
from bot.journal.reader import JournalReader
from bot.records.plain_event import plain_event

POLL_SECONDS = 1.0
Record = dict[str, Any]


def records_asked(journal: JournalReader, query: LogQuery) -> list[Record]:
    """Events and cycles that meet it, oldest first."""
    events = map(plain_event, journal.events_asked(query))
    return _in_order([*events, *journal.cycles_asked(query)])


def records_of_cycle(journal: JournalReader, cycle_id: str) -> list[Record] | None:
    """The events of one cycle, and its document last; None where there is none."""
    document = journal.cycle(cycle_id)
    if document is None:
        return None
    return [*map(plain_event, journal.events(cycle_id=cycle_id)), document]


def following(journal: JournalReader, query: LogQuery) -> Iterator[list[Record]]:
    """What is there, then what comes, without an end.

    A cycle is written when it ends but bears the time of its beginning, before its own events. So
    events are told apart by their number, cycles by their id.
    """
    newest_event = journal.newest_event()
    records = records_asked(journal, query)
    newest_ms, seen = query.since_ms, set[str]()
    forward = replace(query, limit=None)
    while True:
        cycles = [one for one in records if "event" not in one and one["cycle_id"] not in seen]
        newest_ms = max((int(one["timestamp_ms"]) for one in cycles), default=newest_ms)
        seen |= {one["cycle_id"] for one in cycles}
        fresh = [one for one in records if "event" in one or one in cycles]
        if fresh:
            yield fresh
        time.sleep(POLL_SECONDS)
        upto = journal.newest_event()
        events = journal.events_asked(replace(forward, after_event=newest_event))
        newest_event = max([upto, *(one.event_id for one in events)])
        later = journal.cycles_asked(replace(forward, since_ms=newest_ms))
        records = _in_order([*map(plain_event, events), *later])


def _in_order(records: list[Record]) -> list[Record]:
    """By time; a cycle, which bears the time of its beginning, comes after its own events."""
    ends: dict[str, int] = {}
    for one in records:
        if one["cycle_id"] is not None:
            ends[one["cycle_id"]] = max(ends.get(one["cycle_id"], 0), int(one["timestamp_ms"]))
    return sorted(
        records,
        key=lambda r: ends[r["cycle_id"]] if "event" not in r else int(r["timestamp_ms"]),
    )
