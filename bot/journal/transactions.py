"""Transactions of the journal: durable, sealed, all of each or nothing."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bot.errors import JournalError
from bot.journal.chain import Sealer
from bot.journal.durability import Durability
from bot.journal.memory import Memory
from bot.journal.opened import T
from bot.journal.schema import is_damage, one_line_errors
from bot.journal.shared_file import SharedFile


class Transactions(SharedFile):
    """Every write is one, or a part of one.

    After a disk error or damage every further write is refused: what the disk holds is no longer
    known, so nothing may be sent on the strength of it.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use ``open``."""
        super().__init__(path, connection)
        self._broken = False
        self._together = False
        self._with_next: list[tuple[str, list[tuple[object, ...]]]] = []  # statement and its rows
        self._memory = Memory()
        self._durability = Durability(connection)
        with one_line_errors(path, "be opened"):
            self._sealer = Sealer(connection)
        self._sealer.on_written, self._sealer.on_others = self._memory.written, self._others_wrote

    def _recall(
        self,
        question: object,
        tables: tuple[str, ...],
        read: Callable[[], T],
        about: object = None,
    ) -> T:
        return self._memory.recall(question, tables, read, about)

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        if self._broken:
            raise JournalError(f"journal {self.path}: the disk failed earlier; restart the engine")
        step = self._part if self._together else self._whole
        with one_line_errors(self.path, doing), step():
            yield self._connection

    @contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            self._durability.begin()
            self._connection.execute("BEGIN IMMEDIATE")
            self._sealer.begin(self._connection)
            put = self._put_before()
            yield
            self._require_transaction()
            head = self._sealer.seal(self._connection)
            self._connection.execute("COMMIT")
            self._sealer.done()
            del self._with_next[:put]  # what was added since waits for the next
            self._durability.committed(head)
        except BaseException as error:  # told on; nothing half written may stay
            self._sealer.undone()
            self._undone(error)
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _put_before(self) -> int:
        """How much was to be written with the next commit; what never can be waits no longer.

        So a locked or full disk keeps it for the next try, and a contradiction fails only once.
        """
        for waiting in tuple(self._with_next):
            try:
                self._connection.executemany(*waiting)
            except sqlite3.IntegrityError:
                self._with_next.remove(waiting)
                raise
        return len(self._with_next)

    @contextmanager
    def _part(self) -> Iterator[None]:
        """All of it or nothing, within the transaction around it."""
        self._require_transaction()
        mark = self._sealer.mark()
        self._connection.execute("SAVEPOINT part")
        try:
            yield
            self._require_transaction()
            self._connection.execute("RELEASE part")
        except BaseException as error:  # told on; nothing half written may stay
            self._undone(error)
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO part")
                self._connection.execute("RELEASE part")
            self._sealer.back_to(mark)
            raise

    def _require_transaction(self) -> None:
        """SQLite itself ends one that it cannot go on with, a write without one is not sealed.

        Raises:
            JournalError: so it did.
        """
        if not self._connection.in_transaction:
            raise JournalError(f"journal {self.path}: an earlier write took this one with it")

    def _undone(self, error: BaseException) -> None:
        """What was read of it holds no more; after damage nothing does."""
        self._memory.forget()
        if isinstance(error, sqlite3.Error) and is_damage(error):
            self._broken = True

    def _others_wrote(self) -> None:
        """Somebody else has written, or emptied the log of what is not in the file yet."""
        self._memory.forget()

    @contextmanager
    def together(self, doing: str) -> Iterator[None]:
        """What is written in the block is on the disk at its end, and the disk is waited for once.

        Within such a block it is a part of that, which fails alone. Nothing may be awaited in it,
        unless whatever may run meanwhile belongs to it as well.
        """
        with self._transaction(doing):
            outer, self._together = self._together, True
            try:
                yield
            finally:
                self._together = outer

    def durable_with_next(self) -> AbstractContextManager[None]:
        """What is written in the block is on the disk with the next commit outside of it.

        For what can be asked for again: until then a power cut, and nothing else, may take it.
        """
        return self._durability.with_next()
