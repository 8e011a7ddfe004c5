"""The chain over the journal: each row that is written is sealed by a hash over all before it.

Triggers of the writer's own connection report every row that a statement inserts, changes or
removes, so no writer can forget to. Before the commit, and within the same transaction, the chain
gets one line for each: the digest of the row as it is now, and a link, the hash of the link before
and of the line itself.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.journal.compact import compact_encoder
from risk.quick_init import quick_init

GENESIS = bytes(32)
"""The link before the first."""

_REPORT = "journal_row_written"
_encode = compact_encoder()
_INSERT = "INSERT INTO chain (id, source, row, digest, link) VALUES (?, ?, ?, ?, ?)"


@quick_init
@dataclass(frozen=True, slots=True)
class Head:
    """A line of the chain: how many there are up to it, and its link."""

    number: int
    link: bytes


START = Head(0, GENESIS)


def row_digest(source: str, row: int, values: Sequence[object]) -> bytes:
    """SHA-256 of table, row number and values as compact JSON; of a removed row without values."""
    return hashlib.sha256(_encode([source, row, *values]).encode()).digest()


def next_head(before: Head, source: str, row: int, digest: bytes) -> Head:
    """The line that seals this row after ``before``."""
    number = before.number + 1
    place = f"{number} {row} {source}".encode()
    return Head(number, hashlib.sha256(before.link + digest + place).digest())


def chained_tables(connection: sqlite3.Connection) -> list[str]:
    """All tables but the chain itself; none in a file from before there was one."""
    names = [
        str(row[0])
        for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "
            "ESCAPE '\\' ORDER BY name"
        )
    ]
    return [name for name in names if name != "chain"] if "chain" in names else []


def head_of(connection: sqlite3.Connection) -> Head:
    """The newest line."""
    row = connection.execute("SELECT id, link FROM chain ORDER BY id DESC LIMIT 1").fetchone()
    return START if row is None else Head(int(row[0]), bytes(row[1]))


def append(connection: sqlite3.Connection, changes: Iterable[tuple[str, int, bytes]]) -> None:
    """Seals rows, given as (table, row, digest), in this order."""
    connection.executemany(_INSERT, _lines(head_of(connection), changes))


def _append(
    connection: sqlite3.Connection, before: Head, changes: Iterable[tuple[str, int, bytes]]
) -> Head:
    lines = list(_lines(before, changes))
    for line in lines:
        connection.execute(_INSERT, line)
    number, *_, link = lines[-1]
    return Head(number, link)


def _lines(
    head: Head, changes: Iterable[tuple[str, int, bytes]]
) -> Iterator[tuple[int, str, int, bytes, bytes]]:
    for source, row, digest in changes:
        head = next_head(head, source, row, digest)
        yield head.number, source, row, digest, head.link


class Sealer:
    """Seals what one connection writes.

    Attributes:
        on_written: told the table of each row as it is written.
        on_others: told, in a transaction, that another connection has changed the file.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.on_written: Callable[[str], None] = lambda _table: None
        self.on_others: Callable[[], None] = lambda: None
        self._changed: dict[tuple[str, int], tuple[object, ...]] = {}
        self._head: Head | None = None
        self._version: int | None = None
        self._version_before: int | None = None
        self._tables = tables = chained_tables(connection)
        if not tables:
            return
        # The triggers live in this connection only; without this they would want a file.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA recursive_triggers = ON")  # REPLACE removes a row as well
        connection.create_function(_REPORT, -1, self._written)
        for table in tables:
            for statement in _triggers(connection, table):
                connection.execute(statement)

    def _written(self, source: str, row: int, *values: object) -> None:
        self._changed[source, row] = values
        self.on_written(source)

    def head(self, connection: sqlite3.Connection) -> Head | None:
        """The newest line; None in a file without a chain."""
        return head_of(connection) if self._tables else None

    def begin(self, connection: sqlite3.Connection) -> None:
        """A transaction has begun: nobody else writes until its end, but may have before it."""
        self._changed.clear()
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        before, self._version = self._version, version
        self._version_before = before
        if before not in (None, version):
            self._head = None
            self.on_others()

    def mark(self) -> dict[tuple[str, int], tuple[object, ...]]:
        """What was written so far, to come back to."""
        return dict(self._changed)

    def back_to(self, mark: dict[tuple[str, int], tuple[object, ...]]) -> None:
        """What was written since ``mark`` was taken back."""
        self._changed = mark

    def done(self) -> None:
        """A transaction was committed, with what it wrote of others: that is told."""
        self._version_before = self._version

    def undone(self) -> None:
        """A transaction came to nothing, with what it wrote of others; or it did not begin."""
        self._head, self._version = None, self._version_before

    def seal(self, connection: sqlite3.Connection) -> Head | None:
        """Seals what was written since ``begin``; the new head, or None without any."""
        if not self._changed:
            return None
        changes = [
            (source, row, row_digest(source, row, values))
            for (source, row), values in self._changed.items()
        ]
        self._head = _append(connection, self._head or head_of(connection), changes)
        return self._head


def _triggers(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
    new = ", ".join(f'NEW."{column}"' for column in columns)
    written, removed = f"'{table}', NEW.rowid, {new}", f"'{table}', OLD.rowid"
    for event, values in (("INSERT", written), ("UPDATE", written), ("DELETE", removed)):
        yield (
            f"CREATE TEMP TRIGGER chain_{table}_{event.lower()} AFTER {event} ON main.{table} "
            f"BEGIN SELECT {_REPORT}({values}); END"
        )
