"""Which commits wait for the disk, and how far the journal is surely on it.

What is written after a commit is never on the disk before it: the log is one file, read up to the
first thing in it that is torn. So one that waits makes all before it durable as well, and a power
cut takes nothing but the newest of those that did not wait.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from bot.journal.chain import Head

_CHECKPOINT_PAGES = 1_000  # as SQLite has it


class Durability:
    """Of one connection in WAL mode, opened with synchronous=FULL.

    Attributes:
        safe: newest line of the chain that a power cut cannot take; None where the anchor has it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting = True
        self._wanted = True
        self._behind: Head | None = None  # committed, and perhaps not on the disk
        self.safe: Head | None = None

    @contextmanager
    def with_next(self) -> Iterator[None]:
        """Commits inside do not wait."""
        before, self._wanted = self._wanted, False
        try:
            yield
        finally:
            self._wanted = before

    def begin(self) -> None:
        """A transaction is about to begin; in it SQLite lets nobody change this."""
        if self._wanted is not self._waiting:
            level, pages = ("FULL", _CHECKPOINT_PAGES) if self._wanted else ("NORMAL", 0)
            self._connection.execute(f"PRAGMA synchronous={level}")
            # SQLite keeps to itself what its own checkpoint after a commit met, and the system
            # tells of a failed write only once. So the log is on the disk before there is one.
            self._connection.execute(f"PRAGMA wal_autocheckpoint={pages}")
            self._waiting = self._wanted

    def committed(self, head: Head | None) -> None:
        """It has ended well, with this line; None where it wrote nothing, and so waited not."""
        if head is None:
            return
        if self._waiting:
            self.safe, self._behind = head, None
        else:
            self._behind = head

    def opened(self, head: Head | None) -> None:
        """As it was found, or made: whoever was killed before us may not have waited for the disk.

        Raises:
            sqlite3.Error: as ``catch_up``.
        """
        (changes,) = self._connection.execute("SELECT total_changes()").fetchone()
        if changes:  # by us, who have waited
            self.committed(head)
            return
        self._behind = head
        self.catch_up()

    def catch_up(self) -> None:
        """Brings all of the log into the file, for which SQLite waits for both.

        Where a reader keeps it from doing so, ``safe`` stays where it is.

        Raises:
            sqlite3.Error: the disk does not let it.
        """
        if self._behind is None:
            return
        busy, log, done = self._connection.execute("PRAGMA wal_checkpoint").fetchone()
        if not busy and log == done:
            self.safe, self._behind = self._behind, None
