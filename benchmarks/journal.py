"""Durable commits of the journal against bare inserts that wait for the disk just as long."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.measure import DisagreementError, Effort, Line, alternate
from bot.clock import SimulatedClock
from bot.journal import Journal

COMMITS = 50
_DOCUMENT = {"symbol": "FET/USDT:USDT", "before": "0", "after": "-125.5"}
_TEXT = '{"symbol":"FET/USDT:USDT","before":"0","after":"-125.5"}'


def run(effort: Effort) -> Iterator[Line]:
    """``COMMITS`` events, each in a transaction of its own, WAL and synchronous=FULL on both."""
    with tempfile.TemporaryDirectory() as folder:
        with (
            closing(Journal.open(Path(folder) / "ours.sqlite", SimulatedClock(0))) as journal,
            closing(_bare(Path(folder) / "bare.sqlite")) as bare,
        ):
            pairs = alternate(lambda: _record(journal), lambda: _insert(bare), effort.rounds(15, 3))
            written = len(journal.events())
            inserted = bare.execute("SELECT count(*) FROM events").fetchone()[0]
        if written != inserted or written < COMMITS:
            raise DisagreementError(f"journal: {written} events, bare SQLite: {inserted}")
        yield pairs.line(
            "journal",
            f"{COMMITS} events",
            "bare sqlite3 inserts, WAL, synchronous=FULL",
            f"both hold {written} rows",
            {
                "commits per second": round(COMMITS * len(pairs.ours_s) / sum(pairs.ours_s)),
                "of the peer": round(COMMITS * len(pairs.theirs_s) / sum(pairs.theirs_s)),
            },
        )


def _record(journal: Journal) -> None:
    for _ in range(COMMITS):
        journal.record_event("benchmark", _DOCUMENT, cycle_id="c1", client_id="h1")


def _bare(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp_ms INTEGER NOT NULL, "
        "kind TEXT NOT NULL, cycle_id TEXT, client_id TEXT, document TEXT NOT NULL) STRICT"
    )
    connection.execute("CREATE INDEX events_by_time ON events (timestamp_ms)")
    connection.execute("CREATE INDEX events_by_cycle ON events (cycle_id)")
    return connection


def _insert(connection: sqlite3.Connection) -> None:
    for _ in range(COMMITS):
        connection.execute(
            "INSERT INTO events (timestamp_ms, kind, cycle_id, client_id, document) "
            "VALUES (?, ?, ?, ?, ?)",
            (0, "benchmark", "c1", "h1", _TEXT),
        )
