"""Durable commits of the journal, against bare inserts that wait for the disk just as long; and
one order in an old journal, against the same order in a new one."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from benchmarks.measure import DisagreementError, Effort, Line, alternate
from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.journal.rows import IntentRecord
from bot.trading.ledger import PositionKey
from bot.trading.orders import Acknowledged, Fill, OrderRequest, OrderState, Side

COMMITS = 50
ACCOUNT, SYMBOL = "hedge", "FET/USDT:USDT"
_DOCUMENT = {"symbol": "FET/USDT:USDT", "before": "0", "after": "-125.5"}
_TEXT = '{"symbol":"FET/USDT:USDT","before":"0","after":"-125.5"}'


def run(effort: Effort) -> Iterator[Line]:
    """Both comparisons."""
    yield _commits(effort)
    yield _growth(effort)


def _commits(effort: Effort) -> Line:
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
        return pairs.line(
            "journal",
            f"{COMMITS} events",
            "bare sqlite3 inserts, WAL, synchronous=FULL",
            f"both hold {written} rows",
            {
                "commits per second": round(COMMITS * len(pairs.ours_s) / sum(pairs.ours_s)),
                "of the peer": round(COMMITS * len(pairs.theirs_s) / sum(pairs.theirs_s)),
            },
        )


def _growth(effort: Effort) -> Line:
    """Everything written and asked around one filled order."""
    orders, clock = effort.rounds(20_000, 1_000), SimulatedClock(1_750_000_000_000)
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old.sqlite", Path(folder) / "new.sqlite"
        with closing(Journal.open(old, clock)) as journal:
            _one_order(journal, clock, "h0")
        _multiply(old, orders)
        with (
            closing(Journal.open(old, clock)) as aged,
            closing(Journal.open(new, clock)) as fresh,
        ):
            count = [0]

            def next_order() -> None:
                count[0] += 1
                clock.advance_to(clock.now_ms() + 1000)

            def agree(ours: dict[PositionKey, Decimal], theirs: dict[PositionKey, Decimal]) -> None:
                key = SYMBOL, "BOTH"
                if ours[key] - theirs[key] != -(orders + 1):
                    raise DisagreementError(f"journal: {ours} in the old one, {theirs} in the new")

            pairs = alternate(
                lambda: _one_order(aged, clock, f"n{count[0]}"),
                lambda: _one_order(fresh, clock, f"n{count[0]}"),
                effort.rounds(40, 4),
                before=next_order,
                agree=agree,
                warm_ups=1,  # the first time all fills are read
            )
    return pairs.line(
        "journal",
        f"one order after {orders:,} others",
        "the same order in a new journal",
        "positions differ by just those",
    )


def _one_order(journal: Journal, clock: SimulatedClock, name: str) -> dict[PositionKey, Decimal]:
    """Intent, order, outcome and fill, and the questions asked on the way."""
    now_ms, quantity = clock.now_ms(), Decimal(1)
    journal.record_intents([IntentRecord(f"i-{name}", "c1", ACCOUNT, SYMBOL, -quantity, "", {})])
    order = OrderRequest(
        name, f"i-{name}", SYMBOL, Side.SELL, quantity, Decimal("0.5"), "IOC", reduce_only=False
    )
    journal.own_positions(ACCOUNT)
    journal.mark_sending(order, account=ACCOUNT, leg="open-0", attempt=0)
    journal.record_outcome(
        Acknowledged(name, f"v-{name}", OrderState.FILLED, quantity, order.limit_price)
    )
    journal.fills_wanted_since(ACCOUNT, SYMBOL)
    fill = Fill(
        trade_id=f"t-{name}",
        venue_order_id=f"v-{name}",
        client_id=name,
        symbol=SYMBOL,
        side=Side.SELL,
        quantity=quantity,
        price=order.limit_price,
        fee_usd=Decimal(0),
        realised_pnl_usd=None,
        maker=False,
        timestamp_ms=now_ms,
    )
    journal.record_fills(ACCOUNT, SYMBOL, [fill], read_ms=now_ms)
    return journal.own_positions(ACCOUNT)


def _multiply(path: Path, times: int) -> None:
    """Copies the only intent, order and fill of a journal, under new names."""
    named = {
        "intents": ("intent_id",),
        "orders": ("client_id", "intent_id", "venue_order_id"),
        "fills": ("trade_id", "client_id", "venue_order_id"),
    }
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, names in named.items():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            chosen = (f"{c} || '-' || n" if c in names else c for c in columns)
            connection.execute(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "  # noqa: S608 - names of our own tables
                f"WHERE n < {times}) INSERT INTO {table} SELECT {', '.join(chosen)} "
                f"FROM {table}, numbers"
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
