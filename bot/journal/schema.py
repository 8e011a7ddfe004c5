"""Opening the file that holds the journal, checking it, and bringing it to this version."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import JournalError, SafetyError
from bot.journal.anchor import ACCEPT, ANCHORED, anchor_accepted, anchor_path, read_anchor
from bot.journal.chain import Head
from bot.journal.migrations import MIGRATIONS
from bot.journal.verify import BrokenChainError, seal_unsealed, verify_all, verify_since

CHAINED_SINCE = 3  # version of the schema
SCHEMA_VERSION = len(MIGRATIONS)

CHECKED_WHOLE_BYTES = 64_000_000
RESTS_ON = (
    "meta",
    "intents",
    "orders",
    "fills",
    "funding",
    "external_closes",
    "venue_closes",
    "watermarks",
    "migrations",
)
"""Tables out of which a start works out what is held and what is open."""

_SIZE = ("page_count", "page_size")
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR)
_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_BUSY: "another process keeps it locked; end that process",
    sqlite3.SQLITE_LOCKED: "another process keeps it locked; end that process",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore a copy",
    sqlite3.SQLITE_NOTADB: "this is no journal, or it is damaged; restore a copy",
    sqlite3.SQLITE_IOERR: "the disk failed; check it before starting again",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the permissions",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the path and the permissions",
}


def is_damage(error: sqlite3.Error) -> bool:
    """The file or the disk can no longer be trusted."""
    return _primary_code(error) in _DAMAGED


def is_locked(error: sqlite3.Error) -> bool:
    """Another process writes."""
    return _primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def one_line_errors(path: Path, doing: str) -> Iterator[None]:
    """Turns what SQLite raises into one line that says what to do.

    Raises:
        JournalError: for every error of SQLite's.
    """
    try:
        yield
    except sqlite3.Error as error:
        advice = _ADVICE.get(_primary_code(error), str(error).replace("\n", " "))
        raise JournalError(f"journal {path}: cannot {doing}: {advice}") from error
    except UnicodeDecodeError as error:  # a name in its own tables is no text any more
        advice = _ADVICE[sqlite3.SQLITE_CORRUPT]
        raise JournalError(f"journal {path}: cannot {doing}: {advice}") from error


def _primary_code(error: sqlite3.Error) -> int:
    code = getattr(error, "sqlite_errorcode", None)  # absent where Python itself raised
    return -1 if code is None else code & 0xFF


Opener = Callable[[Path, int], sqlite3.Connection]
"""Opens a database for writing: its path, and how long to wait for a lock, milliseconds."""


def open_file(path: Path, busy_timeout_ms: int) -> sqlite3.Connection:
    """A private file, made where there is none.

    Raises:
        JournalError: its folder cannot be used.
        sqlite3.Error: it cannot be opened.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise JournalError(f"journal {path}: {error.strerror}; check the path") from error
    return sqlite3.connect(path, timeout=busy_timeout_ms / 1000, isolation_level=None)


def connect_writer(
    path: Path, busy_timeout_ms: int, now_ms: int, opener: Opener = open_file
) -> sqlite3.Connection:
    """The journal for writing: created when absent, checked, and brought to this version.

    Raises:
        JournalError: it cannot be opened, is damaged, or is no journal.
        SafetyError: a newer perphedge wrote it.
    """
    with one_line_errors(path, "be opened"):
        connection = opener(path, busy_timeout_ms)
    try:
        with one_line_errors(path, "be opened"):
            _refuse_newer(connection, path)
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode != "wal":
                raise JournalError(
                    f"journal {path}: no write-ahead log on this file system; use a local disk"
                )
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            _check_integrity(connection, path)
            _check_chain(connection, path)
            _migrate(connection, now_ms)
    except BaseException:  # told on; the file must not stay open
        connection.close()
        raise
    return connection


def connect_reader(path: Path, busy_timeout_ms: int) -> sqlite3.Connection:
    """The journal for reading only, beside a running engine or after it.

    Raises:
        JournalError: there is none, or it cannot be read.
        SafetyError: a newer perphedge wrote it.
    """
    if not path.is_file():
        raise JournalError(f"journal {path}: there is none; run the engine first, or check --state")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    if not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists():
        # Without a log beside it, and no right to make one, the file alone is the whole journal.
        uri += "&immutable=1"
    with one_line_errors(path, "be opened"):
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_timeout_ms / 1000, isolation_level=None
        )
    try:
        with one_line_errors(path, "be read"):
            version = _refuse_newer(connection, path)
            if version < SCHEMA_VERSION:
                raise JournalError(
                    f"journal {path}: version {version}, this perphedge reads {SCHEMA_VERSION}; "
                    "start the engine once to bring it up"
                )
    except BaseException:  # told on; the file must not stay open
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    """0 for an empty file; -1 for a database that is no journal."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if "migrations" not in names:
        return -1 if names else 0
    return int(connection.execute("SELECT max(version) FROM migrations").fetchone()[0] or 0)


def _refuse_newer(connection: sqlite3.Connection, path: Path) -> int:
    version = _version(connection)
    if version < 0:
        raise JournalError(f"journal {path}: this is some other database; choose another state_dir")
    if version > SCHEMA_VERSION:
        raise SafetyError(
            f"journal {path}: written by a newer perphedge (version {version}, this one knows "
            f"{SCHEMA_VERSION}); install that one"
        )
    return version


def _check_integrity(connection: sqlite3.Connection, path: Path) -> None:
    """The pages of the file; of a large one those that a start rests on.

    Records and events, by far most of it, are read by people, and what came after the anchor is
    held against the chain in any case. ``verify`` reads every page.
    """
    checks = ["PRAGMA quick_check(1)"]
    pages, size = (connection.execute(f"PRAGMA {one}").fetchone()[0] for one in _SIZE)
    if pages * size > CHECKED_WHOLE_BYTES and _version(connection) == SCHEMA_VERSION:
        checks = [f"PRAGMA quick_check({table})" for table in RESTS_ON]
    for check in checks:
        if connection.execute(check).fetchone()[0] != "ok":
            raise JournalError(f"journal {path}: the file is damaged; restore a copy")


def _check_chain(connection: sqlite3.Connection, path: Path) -> None:
    """From the anchor on; from the beginning without one, or before a migration seals anew."""
    version, anchor = _version(connection), read_anchor(path)
    if version == 0 and anchor is not None:
        raise JournalError(
            f"journal {path}: it is gone, and line {anchor.number} of its chain was written; "
            f"restore it, or remove {anchor_path(path).name} as well to begin anew"
        )
    if version < CHAINED_SINCE:
        return
    if anchor is None or version < SCHEMA_VERSION:
        verify(connection, path)
        return
    with _unbroken(path):
        verify_since(connection, anchor)


def verify(connection: sqlite3.Connection, path: Path) -> Head:
    """Walks the whole chain and holds every row against it; the newest line.

    Raises:
        JournalError: something is not as it was written; names the first of it.
    """
    with one_line_errors(path, "be verified"), _unbroken(path):
        return verify_all(connection, known_anchor(connection, path))


def known_anchor(connection: sqlite3.Connection, path: Path) -> Head | None:
    """The anchor; None where none was ever written, or an operator goes on without.

    Raises:
        JournalError: there was one, and it is gone or cannot be read.
        sqlite3.Error: the journal cannot be read.
    """
    # In this order: an engine beside us may be writing its first just now.
    written = connection.execute("SELECT 1 FROM meta WHERE key = ?", (ANCHORED,)).fetchone()
    anchor = read_anchor(path)
    if anchor is None and written is not None and not anchor_accepted(path):
        name = anchor_path(path).name
        raise JournalError(
            f"journal {path}: {name}, which tells how far it had come, is gone or spoilt, so its "
            f"end may be cut off; restore both, or write {ACCEPT} into {name} to go on as it is"
        )
    return anchor


@contextmanager
def _unbroken(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenChainError as error:
        raise JournalError(
            f"journal {path}: {error}; find out why, and restore the newest whole copy"
        ) from error


def _migrate(connection: sqlite3.Connection, now_ms: int) -> None:
    if _version(connection) == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations "
            "(version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL) STRICT"
        )
        for version in range(_version(connection) + 1, SCHEMA_VERSION + 1):
            for statement in MIGRATIONS[version - 1]:
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (version, now_ms))
        seal_unsealed(connection)
        connection.execute("COMMIT")
    except BaseException:  # told on; half a migration must not stay
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
