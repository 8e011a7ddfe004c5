"""How long a writer waits for a journal that another program has locked."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from bot.journal.reader import JournalReader
from bot.journal.schema import is_locked, one_line_errors


@dataclass(slots=True)
class _Patience:
    """Milliseconds: what holds where nobody is in a hurry, and what those want who are."""

    base_ms: int
    within_ms: list[int] = field(default_factory=list)

    @property
    def now_ms(self) -> int:
        return min(self.within_ms, default=self.base_ms)


class SharedFile(JournalReader):
    """Programs that read keep nobody from writing; one that writes keeps out all others."""

    _waits: _Patience | None = None

    def is_free(self) -> bool:
        """Whether it can be written to: nobody else keeps it locked.

        Raises:
            JournalError: it cannot for another reason.
        """
        if self._connection.in_transaction:
            return True  # it is ours
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
        self._patience().base_ms = busy_ms
        self._apply()

    @contextmanager
    def impatient(self, busy_ms: int = 50) -> Iterator[None]:
        """Inside, a file that somebody else has locked is hardly waited for.

        Several may be inside at once, and end in any order: the least patient one counts.
        """
        within = self._patience().within_ms
        within.append(busy_ms)
        self._apply()
        try:
            yield
        finally:
            within.remove(busy_ms)
            self._apply()

    def _patience(self) -> "_Patience":
        if self._waits is None:
            self._waits = _Patience(self._busy_timeout())
        return self._waits

    def _busy_timeout(self) -> int:
        try:
            return int(self._connection.execute("PRAGMA busy_timeout").fetchone()[0])
        except sqlite3.Error:  # the journal is down altogether
            return 0

    def _apply(self) -> None:
        wanted_ms = self._patience().now_ms
        with suppress(sqlite3.Error):  # the same
            self._connection.execute(f"PRAGMA busy_timeout = {int(wanted_ms)}")
