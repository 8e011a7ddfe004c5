"""The journal's tables, how they came about, and opening the file that holds them."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.errors import JournalError, SafetyError

UNRESOLVED = (
    "(state IN ('live', 'partial', 'quarantined', 'sending', 'unknown') "
    "OR filled_quantity <> booked_quantity)"
)
"""Orders that may still change a position. Only these very words find the index over them."""

# Each entry brings the file from the version before to its own; entries are never changed.
# Quantities, prices and money are decimal text: exact, and SQLite never touches them.
_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
        """CREATE TABLE cycles (
            cycle_id TEXT PRIMARY KEY, timestamp_ms INTEGER NOT NULL, status TEXT NOT NULL,
            document TEXT NOT NULL) STRICT""",
        "CREATE INDEX cycles_by_time ON cycles (timestamp_ms)",
        """CREATE TABLE intents (
            intent_id TEXT PRIMARY KEY, cycle_id TEXT NOT NULL, account TEXT NOT NULL,
            symbol TEXT NOT NULL, trade_quantity TEXT NOT NULL, limits_hash TEXT NOT NULL,
            document TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT""",
        """CREATE TABLE orders (
            client_id TEXT PRIMARY KEY, intent_id TEXT NOT NULL REFERENCES intents,
            account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL,
            position_side TEXT NOT NULL, quantity TEXT NOT NULL, limit_price TEXT NOT NULL,
            time_in_force TEXT NOT NULL, reduce_only INTEGER NOT NULL, leg TEXT NOT NULL,
            attempt INTEGER NOT NULL, epoch INTEGER NOT NULL, payload_hash TEXT NOT NULL,
            external_before TEXT, state TEXT NOT NULL, venue_order_id TEXT,
            filled_quantity TEXT NOT NULL, booked_quantity TEXT NOT NULL, average_price TEXT,
            code TEXT NOT NULL, reason TEXT NOT NULL, sent_ms INTEGER NOT NULL,
            updated_ms INTEGER NOT NULL, first_round_ms INTEGER, last_round_ms INTEGER,
            negative_rounds INTEGER NOT NULL) STRICT""",
        "CREATE INDEX orders_by_state ON orders (account, state)",
        "CREATE INDEX orders_by_venue_id ON orders (account, symbol, venue_order_id)",
        "CREATE INDEX orders_by_intent ON orders (intent_id)",
        """CREATE TABLE fills (
            account TEXT NOT NULL, symbol TEXT NOT NULL, trade_id TEXT NOT NULL,
            client_id TEXT NOT NULL REFERENCES orders, venue_order_id TEXT NOT NULL,
            side TEXT NOT NULL, position_side TEXT NOT NULL, quantity TEXT NOT NULL,
            price TEXT NOT NULL, fee_usd TEXT, realised_pnl_usd TEXT, maker INTEGER NOT NULL,
            timestamp_ms INTEGER NOT NULL, booked_ms INTEGER NOT NULL,
            PRIMARY KEY (account, symbol, trade_id)) STRICT""",
        "CREATE INDEX fills_by_time ON fills (timestamp_ms)",
        """CREATE TABLE funding (
            account TEXT NOT NULL, receipt_id TEXT NOT NULL, symbol TEXT NOT NULL,
            amount_usd TEXT NOT NULL, timestamp_ms INTEGER NOT NULL,
            PRIMARY KEY (account, receipt_id)) STRICT""",
        """CREATE TABLE external_closes (
            id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, symbol TEXT NOT NULL,
            position_side TEXT NOT NULL, quantity_change TEXT NOT NULL,
            own_quantity TEXT NOT NULL, venue_quantity TEXT NOT NULL,
            timestamp_ms INTEGER NOT NULL) STRICT""",
        """CREATE TABLE watermarks (
            account TEXT NOT NULL, symbol TEXT NOT NULL, timestamp_ms INTEGER NOT NULL,
            PRIMARY KEY (account, symbol)) STRICT""",
        """CREATE TABLE events (
            id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp_ms INTEGER NOT NULL,
            kind TEXT NOT NULL, cycle_id TEXT, client_id TEXT, document TEXT NOT NULL) STRICT""",
        "CREATE INDEX events_by_time ON events (timestamp_ms)",
        "CREATE INDEX events_by_cycle ON events (cycle_id)",
    ),
    (
        # What is asked around every order must not read all that were ever sent.
        f"CREATE INDEX orders_unresolved ON orders (account) WHERE {UNRESOLVED}",
        "CREATE INDEX orders_by_symbol ON orders (account, symbol, sent_ms)",
        "CREATE INDEX orders_by_time ON orders (account, sent_ms)",
    ),
)
SCHEMA_VERSION = len(_MIGRATIONS)

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
            _migrate(connection, now_ms)
    except BaseException:
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
    except BaseException:
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
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise JournalError(f"journal {path}: the file is damaged; restore a copy")


def _migrate(connection: sqlite3.Connection, now_ms: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations "
            "(version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL) STRICT"
        )
        for version in range(_version(connection) + 1, SCHEMA_VERSION + 1):
            for statement in _MIGRATIONS[version - 1]:
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (version, now_ms))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
