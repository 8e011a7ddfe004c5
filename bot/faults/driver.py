"""SQLite through apsw with the face of Python's own sqlite3, as far as the journal uses it."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from bot.faults.disk import VFS_NAME, DiskVfs, Mount
from bot.faults.errors import ProcessEndedError

_STATEMENTS = 400  # more than there are, so that none is compiled twice
_WITH_ROWS = ("SELECT", "PRAGMA", "WITH")
_PATIENCE = "PRAGMA busy_timeout"
BUSY_MS = 5000  # as long as the journal waits for a lock when it is opened
_KINDS: tuple[tuple[type[apsw.Error], type[sqlite3.Error]], ...] = (
    (apsw.ConstraintError, sqlite3.IntegrityError),
    (apsw.CorruptError, sqlite3.DatabaseError),
    (apsw.NotADBError, sqlite3.DatabaseError),
)


@cache
def _named(columns: tuple[str, ...]) -> sqlite3.Cursor:
    """A cursor of Python's own whose rows have these columns, to make such rows."""
    names = ", ".join(f'NULL AS "{name}"' for name in columns)
    return sqlite3.connect(":memory:").execute(f"SELECT {names}")


class Cursor:
    """Rows of one statement, all read."""

    __slots__ = ("_rows", "lastrowid", "rowcount")

    def __init__(self, rows: list[sqlite3.Row], rowcount: int, lastrowid: int) -> None:
        self._rows = rows
        self.rowcount = rowcount
        self.lastrowid = lastrowid

    def fetchone(self) -> sqlite3.Row | None:
        """The next row."""
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[sqlite3.Row]:
        """The rows that are left."""
        rows, self._rows = self._rows, []
        return rows

    def __iter__(self) -> Any:
        return iter(self.fetchall())


class Connection:
    """One connection of a simulated process to its journal.

    ``wait_ms`` lets simulated time pass; it returns the time afterwards.
    """

    def __init__(self, mount: Mount, path: Path, wait_ms: Callable[[int], int]) -> None:
        self.row_factory: Any = None  # rows are always of one kind
        self._mount = mount
        self._wait_ms = wait_ms
        self._columns: dict[str, sqlite3.Cursor | None] = {}
        self._db = apsw.Connection(str(path), vfs=VFS_NAME, statementcachesize=_STATEMENTS)
        # Plans do not hang on what is bound, or else statements would be compiled again for it.
        self._db.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        # The index of the log then lies in this process and needs no shared memory.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        # The disk never finds itself locked: how long to wait for others is ours to know.
        self._busy_ms = BUSY_MS
        self._cursor = self._db.cursor()  # one for all, since all rows are read at once

    @property
    def in_transaction(self) -> bool:
        """Between BEGIN and its end."""
        return bool(self._db.in_transaction)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Cursor:
        """Run one statement.

        Raises:
            ProcessEndedError: the process ended in it.
            sqlite3.Error: as Python's own module would, with its code.
        """
        if not self._mount.alive:
            raise ProcessEndedError
        if self._mount.disk.locked_until_ms and sql == "BEGIN IMMEDIATE":
            self._wait_for_lock()
        database, cursor = self._db, self._cursor
        try:
            columns = self._columns.get(sql)
            if columns is not None or sql.startswith(_WITH_ROWS):
                if columns is None and sql.startswith(_PATIENCE):
                    return self._patience(sql)
                cursor.execute(sql, values)
                columns = columns or self._columns_of(sql, cursor)
                found, changed = cursor.fetchall(), -1
            else:
                before = database.total_changes()
                cursor.execute(sql, values)
                found, changed = [], database.total_changes() - before
        except apsw.Error as error:
            self._alive()
            raise _translated(error) from error
        if not self._mount.alive:
            raise ProcessEndedError
        if changed < 0:
            rows = [sqlite3.Row(columns, one) for one in found] if columns is not None else []
            return Cursor(rows, changed, 0)
        return Cursor([], changed, database.last_insert_rowid())

    def executemany(self, sql: str, many: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of these."""
        for values in many:
            self.execute(sql, values)

    def create_function(self, name: str, arguments: int, function: Callable[..., Any]) -> None:
        """Let statements call it."""
        self._db.create_scalar_function(name, function, arguments)

    def close(self) -> None:
        """Give the file back; of a process that is gone nothing is written.

        What the disk says to the last tidying up is of no interest, as in SQLite itself.
        """
        with contextlib.suppress(apsw.Error):
            self._db.close(force=True)

    def _columns_of(self, sql: str, cursor: apsw.Cursor) -> sqlite3.Cursor | None:
        """What names the columns of the statement's rows; None where there is no row."""
        try:
            names = tuple(one[0] for one in cursor.get_description())
        except apsw.ExecutionCompleteError:
            return None  # not this time
        return self._columns.setdefault(sql, _named(names))

    def _alive(self) -> None:
        if not self._mount.alive:
            raise ProcessEndedError

    def _patience(self, sql: str) -> Cursor:
        """How long somebody else's lock is waited for, once it is as the statement wants it."""
        _, gives, value = sql.partition("=")
        if gives:
            self._busy_ms = int(value)
        return Cursor([sqlite3.Row(_named(("timeout",)), (self._busy_ms,))], -1, 0)

    def _wait_for_lock(self) -> None:
        disk = self._mount.disk
        now_ms, until_ms = self._wait_ms(0), disk.locked_until_ms
        if now_ms >= until_ms:
            disk.locked_until_ms = 0
            return
        if not disk.lock_met:
            disk.lock_met = True
            self._mount.fired("journal_locked")
        now_ms = self._wait_ms(min(self._busy_ms, until_ms - now_ms))
        if now_ms < until_ms:
            raise _error(sqlite3.OperationalError, "database is locked", sqlite3.SQLITE_BUSY)


_vfs: list[DiskVfs] = []


def connect(mount: Mount, path: Path, wait_ms: Callable[[int], int]) -> Connection:
    """A connection to the journal at ``path`` of the mounted disk.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    if not _vfs:
        _vfs.append(DiskVfs())
    _vfs[0].mounted = mount
    try:
        return Connection(mount, path, wait_ms)
    except apsw.Error as error:
        if not mount.alive:
            raise ProcessEndedError from None
        raise _translated(error) from error


def _translated(error: apsw.Error) -> sqlite3.Error:
    kind = next((ours for theirs, ours in _KINDS if isinstance(error, theirs)), None)
    code = getattr(error, "extendedresult", None)
    return _error(kind or sqlite3.OperationalError, str(error), 1 if code is None else code)


def _error(kind: type[sqlite3.Error], text: str, code: int) -> sqlite3.Error:
    error = kind(text)
    error.sqlite_errorcode = code
    return error
