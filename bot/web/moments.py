"""Recorded moments for the slider: the cycle whose correlations held at a time."""

from typing import Any

from bot.journal.log_reads import FOREVER_MS, LogQuery
from bot.journal.reader import JournalReader

HOUR_MS = 3_600_000
MOST_STEPS = 24 * 90
_AT_ONCE = (4, 70, 2_000)
"""Correlations are recorded when bars have closed: with a look a minute, one cycle in sixty."""


def span(journal: JournalReader) -> tuple[int, int] | None:
    """First and last hour that the slider reaches, UTC milliseconds; None without cycles."""
    newest = journal.newest_cycle()
    first = journal.cycle_numbered(1)
    if newest is None or first is None:
        return None
    last_ms = int(newest["timestamp_ms"]) // HOUR_MS * HOUR_MS
    first_ms = int(first["timestamp_ms"]) // HOUR_MS * HOUR_MS
    return max(first_ms, last_ms - MOST_STEPS * HOUR_MS), last_ms


def correlated_at(journal: JournalReader, hour_ms: int | None) -> dict[str, Any] | None:
    """The newest cycle with correlations within or before that hour; None: the newest of all."""
    until_ms = FOREVER_MS if hour_ms is None else hour_ms + HOUR_MS
    for limit in _AT_ONCE:
        found = None
        for document in journal.cycles_asked(LogQuery(until_ms=until_ms, limit=limit)):
            if (document.get("correlation") or {}).get("symbols"):
                found = document
        if found is not None:
            return found
    return None
