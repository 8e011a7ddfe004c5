"""An opened journal: its file, its settings, and whether it is what was written."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from bot.journal.chain import Head
from bot.journal.schema import connect_reader, known_anchor, one_line_errors, verify

T = TypeVar("T")


class OpenedJournal:
    """What all readers and writers share."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use ``open``."""
        self.path = path
        self._connection = connection
        self._connection.row_factory = sqlite3.Row

    @classmethod
    def open_reader(cls, path: Path, *, busy_timeout_ms: int = 5000) -> Self:
        """Opens an existing journal without the right to write.

        Raises:
            JournalError: there is none, or it cannot be read.
            SafetyError: a newer perphedge wrote it.
        """
        return cls(path, connect_reader(path, busy_timeout_ms))

    def verify(self) -> Head:
        """Whether every row is as it was written and none is missing; the chain's newest line.

        Reads all of it: some seconds for a million rows.

        Raises:
            JournalError: names the first row that is not.
        """
        return verify(self._connection, self.path)

    def require_anchor(self) -> None:
        """Refuses a journal whose anchor was written and is gone.

        Raises:
            JournalError: so it is.
        """
        with one_line_errors(self.path, "be read"):
            known_anchor(self._connection, self.path)

    def close(self) -> None:
        """Gives the file back."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError):
            with one_line_errors(self.path, "be read"):
                raise

    def _recall(
        self,
        question: object,  # noqa: ARG002 - a writer needs it
        tables: tuple[str, ...],  # noqa: ARG002 - as well
        read: Callable[[], T],
        about: object = None,  # noqa: ARG002 - as well
    ) -> T:
        """What these tables say; a writer remembers the answer until it writes to one of them.

        ``about``: what else it rests on; of each question one answer is remembered.
        """
        return read()

    def meta(self, key: str) -> str | None:
        """A stored fact about this installation."""

        def read() -> str | None:
            rows = self._rows("SELECT value FROM meta WHERE key = ?", key)
            return str(rows[0]["value"]) if rows else None

        return self._recall(("meta", key), ("meta",), read)

    def meta_keys(self, prefix: str) -> list[str]:
        """Names of the stored facts that begin so, sorted."""
        rows = self._rows(
            "SELECT key FROM meta WHERE substr(key, 1, ?) = ? ORDER BY key", len(prefix), prefix
        )
        return [str(row["key"]) for row in rows]

    @property
    def epoch(self) -> int:
        """How many times an engine was started on this journal."""
        return int(self.meta("epoch") or 0)
