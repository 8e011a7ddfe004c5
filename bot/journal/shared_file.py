"""How long a writer waits for a journal that another program has locked."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from bot.journal.reader import JournalReader
from bot.journal.schema import is_locked, one_line_errors


class SharedFile(JournalReader):
    """Programs that read keep nobody from writing; one that writes keeps out all others."""

    def is_free(self) -> bool:
        """Whether it can be written to: nobody else keeps it locked.

        Raises:
            JournalError: it cannot for another reason.
        """
        with one_line_errors(self.path, "be locked"):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                if is_locked(error):
                    return False
                raise
            self._connection.execute("ROLLBACK")
            return True

    def wait_at_most(self, busy_ms: int) -> None:
        """From now on, a file that somebody else has locked is waited for so long."""
        self._busy_timeout(busy_ms)

    @contextmanager
    def impatient(self, busy_ms: int = 50) -> Iterator[None]:
        """Inside, a file that somebody else has locked is hardly waited for."""
        before_ms = self._busy_timeout(busy_ms)
        try:
            yield
        finally:
            self._busy_timeout(before_ms)

    def _busy_timeout(self, wanted_ms: int) -> int:
        """Sets it; what it was."""
        try:
            (before_ms,) = self._connection.execute("PRAGMA busy_timeout").fetchone()
            self._connection.execute(f"PRAGMA busy_timeout = {int(wanted_ms)}")
        except sqlite3.Error:  # the journal is down altogether
            return wanted_ms
        return int(before_ms)
