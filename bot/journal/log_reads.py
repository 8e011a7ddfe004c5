"""Events and cycles out of the journal by what is asked of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.journal.migrations import EVENT_SYMBOL
from bot.journal.opened import OpenedJournal
from bot.journal.rows import EventRow, event_row, row_document

FOREVER_MS = 2**62


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What is asked for; everything by default.

    Attributes:
        since_ms, until_ms: from then on, and before then, UTC.
        kinds: names of events; None: all.
        statuses: of cycles; None: all, empty: no cycle.
        signal_weights: of signals, which say their own; None: all.
        symbol: an exact symbol, or a base such as ``FET``, of events that have one; None: all.
        limit: only the newest so many of each; None: all.
        after_event: only events after that number.
    """

    since_ms: int = 0
    until_ms: int = FOREVER_MS
    kinds: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    signal_weights: Sequence[str] | None = None
    symbol: str | None = None
    limit: int | None = None
    after_event: int = 0


class LogReads(OpenedJournal):
    """Answers questions about the log without reading all of it."""

    def events_asked(self, query: LogQuery) -> list[EventRow]:
        """Events that meet it, oldest first."""
        if query.kinds is not None and not query.kinds:
            return []
        where, values = _times(query)
        where += " AND id > ?"
        values.append(query.after_event)
        if query.signal_weights is not None:
            where += (
                " AND (kind <> 'signal' OR json_extract(document, '$.severity') IN "
                f"({_marks(query.signal_weights)}))"
            )
            values += query.signal_weights
        if query.kinds is not None:
            where += f" AND kind IN ({_marks(query.kinds)})"
            values += query.kinds
        if query.symbol is not None:
            low, high = _symbol_range(query.symbol)
            where += f" AND {EVENT_SYMBOL} >= ? AND {EVENT_SYMBOL} < ?"
            values += (low, high)
        rows = self._rows(
            f"SELECT * FROM events WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - marks only
            *values,
            -1 if query.limit is None else query.limit,
        )
        return [event_row(row) for row in reversed(rows)]

    def cycles_asked(self, query: LogQuery) -> Iterator[dict[str, Any]]:
        """Documents of the cycles that meet it, oldest first."""
        if query.statuses is not None and not query.statuses:
            return
        where, values = _times(query)
        if query.statuses is not None:
            where += f" AND status IN ({_marks(query.statuses)})"
            values += query.statuses
        rows = self._rows(
            f"SELECT document FROM cycles WHERE {where} "  # noqa: S608 - marks only
            "ORDER BY timestamp_ms DESC, rowid DESC LIMIT ?",
            *values,
            -1 if query.limit is None else query.limit,
        )
        for row in reversed(rows):
            yield row_document(row)


def _times(query: LogQuery) -> tuple[str, list[Any]]:
    return "timestamp_ms >= ? AND timestamp_ms < ?", [query.since_ms, query.until_ms]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _symbol_range(symbol: str) -> tuple[str, str]:
    """An exact symbol, or all that begin with the base and a slash."""
    low = symbol if "/" in symbol else f"{symbol}/"
    if low is symbol:
        return low, f"{low}\0"
    return low, f"{symbol}0"  # the character after the slash
