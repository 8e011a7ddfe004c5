"""Is the journal what was written: the chain is walked, and every row held against it."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from bot.errors import JournalError
from bot.journal.chain import (
    START,
    Head,
    append,
    chained_tables,
    head_of,
    next_head,
    row_digest,
)
from bot.journal.last_lines import LastLines

_PIECE = 1_000  # so many lines at a time, so that a long journal never lies in memory


class BrokenChainError(JournalError):
    """What is not as it was written; one line, without the file's name."""


@dataclass(slots=True)
class _Walked:
    """The chain up to a line: its head, and of each table the last line of every row."""

    head: Head
    sealed: dict[str, LastLines] = field(default_factory=dict)


def verify_all(connection: sqlite3.Connection, anchor: Head | None) -> Head:
    """Every line and every row, as of one moment; the head.

    Raises:
        BrokenChainError: names the first line that does not hold.
        sqlite3.Error: the file cannot be read.
    """
    connection.execute("BEGIN")
    try:
        _require_sound(connection)
        _require_plain(connection)
        if anchor is not None:
            _require_anchor(connection, anchor)
        walked = _walk(connection, START)
        trouble = min(_wrong_rows(connection, walked), default=None)
    finally:
        connection.execute("ROLLBACK")
    if trouble is not None:
        raise BrokenChainError(trouble[1])
    return walked.head


def verify_since(connection: sqlite3.Connection, anchor: Head) -> Head:
    """The lines after ``anchor`` and the rows that they seal; the head.

    Raises:
        BrokenChainError: as ``verify_all``.
        sqlite3.Error: the file cannot be read.
    """
    _require_plain(connection)
    _require_anchor(connection, anchor)
    walked = _walk(connection, anchor)
    tables = set(chained_tables(connection))
    for source, rows in walked.sealed.items():
        if source not in tables:
            raise BrokenChainError(f"there is no table {source!r} any more")
        for row, number in rows.items():
            found = connection.execute(
                f"SELECT * FROM {source} WHERE rowid = ?",  # noqa: S608 - one of our tables
                (row,),
            ).fetchone()
            digest = row_digest(source, row, () if found is None else tuple(found))
            if digest != _sealed_as(connection, number):
                raise BrokenChainError(_changed(number, source, row, gone=found is None))
    return walked.head


def seal_unsealed(connection: sqlite3.Connection) -> None:
    """Seals rows that the chain does not hold as they are: after a migration changed tables."""
    tables = chained_tables(connection)
    walked = _walk(connection, START) if tables else _Walked(START)
    for source in tables:
        fresh = _unsealed(connection, source, walked.sealed.get(source) or LastLines())
        while piece := list(islice(fresh, _PIECE)):
            append(connection, piece)


def _unsealed(
    connection: sqlite3.Connection, source: str, sealed: LastLines
) -> Iterator[tuple[str, int, bytes]]:
    for row, digest in _digests(connection, source):
        number = sealed.pop(row)
        if not number or _sealed_as(connection, number) != digest:
            yield source, row, digest
    for row, number in sealed.items():
        gone = row_digest(source, row, ())
        if _sealed_as(connection, number) != gone:
            yield source, row, gone


def _require_sound(connection: sqlite3.Connection) -> None:
    verdict = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    if verdict != "ok":
        raise BrokenChainError(f"the file is damaged ({' '.join(verdict.split())})")


def _require_plain(connection: sqlite3.Connection) -> None:
    """We store no trigger and no view: one that is there may change what is written or read."""
    found = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view') LIMIT 1"
    ).fetchone()
    if found is not None:
        raise BrokenChainError(f"somebody put a {found[0]} into it ({found[1]})")


def _require_anchor(connection: sqlite3.Connection, anchor: Head) -> None:
    if anchor.number == 0:
        return
    found = connection.execute("SELECT link FROM chain WHERE id = ?", (anchor.number,)).fetchone()
    if found is None:
        head = head_of(connection)
        raise BrokenChainError(
            f"it ends with line {head.number} of its chain, and line {anchor.number} was written: "
            "the end is cut off, or this is an older copy"
        )
    if bytes(found[0]) != anchor.link:
        raise BrokenChainError(f"line {anchor.number} of its chain is another one than was written")


def _walk(connection: sqlite3.Connection, start: Head) -> _Walked:
    walked = _Walked(start)
    lines = connection.execute(
        "SELECT id, source, row, digest, link FROM chain WHERE id > ? ORDER BY id", (start.number,)
    )
    for number, source, row, digest, link in lines:
        if number != walked.head.number + 1:
            raise BrokenChainError(f"line {walked.head.number + 1} of its chain is missing")
        head = next_head(walked.head, source, row, digest)
        if head.link != link:
            raise BrokenChainError(
                f"line {number} of its chain does not follow from the one before"
            )
        walked.head = head
        walked.sealed.setdefault(source, LastLines()).put(row, number)
    return walked


def _wrong_rows(connection: sqlite3.Connection, walked: _Walked) -> Iterator[tuple[int, str]]:
    """Rows that are not as they were sealed, each with its line; the strange come last."""
    sealed, strange = walked.sealed, walked.head.number + 1
    tables = chained_tables(connection)
    for source in {*sealed} - {*tables}:
        first = min(number for _, number in sealed[source].items())
        yield first, f"there is no table {source!r} any more"
    for source in tables:
        expected = sealed.get(source) or LastLines()
        for row, digest in _digests(connection, source):
            number = expected.pop(row)
            if not number:
                yield strange, f"row {row} of {source} was put in by somebody else"
            elif _sealed_as(connection, number) != digest:
                yield number, _changed(number, source, row)
        for row, number in expected.items():
            if _sealed_as(connection, number) != row_digest(source, row, ()):
                yield number, _changed(number, source, row, gone=True)


def _sealed_as(connection: sqlite3.Connection, number: int) -> bytes:
    """The digest in that line of the chain."""
    found = connection.execute("SELECT digest FROM chain WHERE id = ?", (number,)).fetchone()
    return bytes(found[0])


def _digests(connection: sqlite3.Connection, source: str) -> Iterator[tuple[int, bytes]]:
    rows = connection.execute(f"SELECT rowid, * FROM {source} ORDER BY rowid")  # noqa: S608 - one of our tables
    for number, *values in rows:
        yield number, row_digest(source, number, values)


def _changed(number: int, source: str, row: int, *, gone: bool = False) -> str:
    what = "was removed" if gone else "was changed"
    return f"row {row} of {source} {what} after it was written (line {number} of its chain)"
