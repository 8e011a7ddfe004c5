"""Cycles and events out of the journal."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from bot.journal.migrations import PROPOSAL_ENDED
from bot.journal.opened import OpenedJournal
from bot.journal.rows import EventRow, event_row, row_document

_AT_ONCE = 200


class CycleReads(OpenedJournal):
    """Documents of cycles, and what happened in them and between them."""

    def cycle(self, cycle_id: str) -> dict[str, Any] | None:
        """The document of one cycle."""
        rows = self._rows("SELECT document FROM cycles WHERE cycle_id = ?", cycle_id)
        return row_document(rows[0]) if rows else None

    def cycles(self, since_ms: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Documents of the cycles since then, oldest first; with a limit, the newest of them."""
        rows = self._rows(
            "SELECT document FROM cycles WHERE timestamp_ms >= ? "
            "ORDER BY timestamp_ms DESC, rowid DESC LIMIT ?",
            since_ms,
            -1 if limit is None else limit,
        )
        return [row_document(row) for row in reversed(rows)]

    def cycles_back(self, most: int) -> Iterator[dict[str, Any]]:
        """Documents of so many cycles at most, newest first; read as far as they are asked for."""
        # One at a time: a question that is not read to its end would keep the file's log growing.
        by_time = "SELECT rowid AS row FROM cycles ORDER BY timestamp_ms DESC, rowid DESC LIMIT ?"
        for found in self._rows(by_time, most):
            for row in self._rows("SELECT document FROM cycles WHERE rowid = ?", found["row"]):
                yield row_document(row)

    def newest_cycle(self, status: str | None = None) -> dict[str, Any] | None:
        """Document of the newest cycle, or of the newest that ended so."""
        rows = self._rows(
            "SELECT document FROM cycles WHERE ?1 IS NULL OR status = ?1 "
            "ORDER BY rowid DESC LIMIT 1",
            status,
        )
        return row_document(rows[0]) if rows else None

    def cycle_numbered(self, number: int) -> dict[str, Any] | None:
        """Document of the cycle whose id ends in that number."""
        rows = self._rows("SELECT document FROM cycles WHERE rowid = ?", number)
        return row_document(rows[0]) if rows else None

    def cycles_after(self, cycle_id: str) -> Iterator[dict[str, Any]]:
        """Documents of the cycles after one, oldest first, read as they are asked for."""
        found = self._rows("SELECT rowid AS n FROM cycles WHERE cycle_id = ?", cycle_id)
        return self._walk(int(found[0]["n"])) if found else iter(())

    def cycles_since(self, since_ms: int = 0) -> Iterator[dict[str, Any]]:
        """The same of the cycles since then."""
        first = self._rows("SELECT min(rowid) AS n FROM cycles WHERE timestamp_ms >= ?", since_ms)
        return iter(()) if first[0]["n"] is None else self._walk(int(first[0]["n"]) - 1)

    def _walk(self, after: int | None) -> Iterator[dict[str, Any]]:
        sql = "SELECT rowid AS n, document FROM cycles WHERE rowid > ? ORDER BY rowid LIMIT ?"
        while after is not None:
            rows = self._rows(sql, after, _AT_ONCE)
            yield from map(row_document, rows)
            after = int(rows[-1]["n"]) if len(rows) == _AT_ONCE else None

    def cycle_count(self) -> int:
        """How many cycles are recorded."""
        # None is ever taken away, and counting them would read them all.
        return int(self._rows("SELECT coalesce(max(rowid), 0) AS n FROM cycles")[0]["n"])

    def cycle_count_since(self, since_ms: int) -> int:
        """How many of them began since then."""
        sql = "SELECT count(*) AS n FROM cycles WHERE timestamp_ms >= ?"
        return int(self._rows(sql, since_ms)[0]["n"])

    def events(
        self,
        since_ms: int = 0,
        *,
        after_id: int = 0,
        cycle_id: str | None = None,
        kind: str | None = None,
        limit: int | None = None,
    ) -> list[EventRow]:
        """Events since then and after that id, oldest first; with a limit, the newest of them."""
        # Only what is asked for: the index over cycles is not found behind an OR.
        where = "timestamp_ms >= ? AND id > ?"
        values: list[Any] = [since_ms, after_id]
        for column, value in (("cycle_id", cycle_id), ("kind", kind)):
            if value is not None:
                where += f" AND {column} = ?"
                values.append(value)
        rows = self._rows(
            f"SELECT * FROM events WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - of two columns
            *values,
            -1 if limit is None else limit,
        )
        return [event_row(row) for row in reversed(rows)]

    def events_of(self, kinds: Sequence[str], after_id: int) -> list[EventRow]:
        """Events of these kinds after that id, oldest first."""
        marks = ", ".join("?" * len(kinds))
        # By their ids: there is no index over kinds, and only few events are new.
        sql = f"SELECT * FROM events WHERE id > ? AND kind IN ({marks}) ORDER BY id"  # noqa: S608 - question marks
        return [event_row(row) for row in self._rows(sql, after_id, *kinds)]

    def kept_events(
        self,
        kind: Literal["order_costs", "impact_refit"],
        *,
        after_id: int = 0,
        since_ms: int = 0,
        limit: int | None = None,
    ) -> list[EventRow]:
        """The same of a kind that has an index of its own: found without reading all others."""
        if since_ms > 0:  # by the index over time: those before must not be read
            since = "SELECT coalesce(min(id), 0) AS first FROM events WHERE timestamp_ms >= ?"
            after_id = max(after_id, int(self._rows(since, since_ms)[0]["first"]) - 1)
        rows = self._rows(
            f"SELECT * FROM events WHERE kind = '{kind}' AND id > ? AND +timestamp_ms >= ? "  # noqa: S608 - one of two names
            "ORDER BY id DESC LIMIT ?",
            after_id,
            since_ms,
            -1 if limit is None else limit,
        )
        return [event_row(row) for row in reversed(rows)]

    def proposal_ends(self, limit: int | None = None) -> list[EventRow]:
        """Ends of proposals, oldest first; with a limit, the newest of them."""
        rows = self._rows(
            f"SELECT * FROM events WHERE {PROPOSAL_ENDED} ORDER BY id DESC LIMIT ?",  # noqa: S608 - a constant
            -1 if limit is None else limit,
        )
        return [event_row(row) for row in reversed(rows)]

    def newest_event(self) -> int:
        """Number of the newest event; 0 without any."""
        sql = "SELECT coalesce(max(id), 0) AS n FROM events"
        return self._recall("newest event", ("events",), lambda: int(self._rows(sql)[0]["n"]))
