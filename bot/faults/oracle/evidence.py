"""What the oracle may look at: the exchange's own log, and the journal read as plain tables."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.faults.arrivals import Arrival
from bot.faults.oracle.chain import broken_chain
from bot.faults.streams import Told
from bot.venues.sim.records import IncomeEntry, SimOrder, SimTrade

Rows = Sequence[Mapping[str, Any]]
TABLES = ("meta", "intents", "orders", "fills", "funding", "external_closes", "events")
_CYCLES = "SELECT cycle_id, timestamp_ms, status FROM cycles"  # their documents are long


@dataclass(frozen=True, slots=True)
class ExchangeLog:
    """The hedge account as the exchange wrote it down.

    Attributes:
        arrivals: every order of the engine's that reached the door, copies by the network too.
        cancelled: client ids that the engine asked to cancel.
        delivered: base units, signed, that delistings took from a symbol.
        tampered: client ids of orders that somebody else changed or the exchange ended.
        fees_withheld: the exchange at times did not tell a fee.
    """

    arrivals: Sequence[Arrival]
    cancelled: Sequence[str]
    orders: Mapping[int, SimOrder]
    trades: Sequence[SimTrade]
    income: Sequence[IncomeEntry]
    delivered: Mapping[str, Decimal]
    tampered: frozenset[str]
    fees_withheld: bool
    initial_usd: Decimal
    wallet_usd: Decimal
    held: Mapping[tuple[str, str], Decimal]
    net_usd: float


@dataclass(frozen=True, slots=True)
class Kept:
    """The journal as it was at some moment, or would have been after a power cut at it.

    Attributes:
        left: client ids of the orders that had left by then.
        damage: what is wrong with the file; empty when it is sound.
    """

    when: str
    left: frozenset[str]
    damage: str
    tables: Mapping[str, Rows]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One schedule's.

    Attributes:
        journal: tables by name; empty where there was never a journal.
        damage: what SQLite says of the file; empty when it is sound.
        images: the journal at some earlier moments.
        outputs: everything that the engine said or wrote, as text.
        ended: how the engine was when the schedule ended.
        second_started: a second engine got hold of the state directory.
        told: executions, and when the user stream told them; empty where nobody listened.
        rests: the owner wants orders to rest before they take.
        lost_halts: how often a power cut took a halt that somebody was told of.
        alerts: what the operator was told: when, and by which control.
        band_usd: the largest sum of all positions.
        paper: the engine traded on paper; the exchange is one that it must leave alone.
    """

    exchange: ExchangeLog
    journal: Mapping[str, Rows]
    damage: str
    images: Sequence[Kept]
    outputs: str
    ended: str
    second_started: bool
    band_usd: float
    told: Sequence[Told] = ()
    rests: bool = False
    lost_halts: int = 0
    alerts: Sequence[tuple[int, str]] = ()
    paper: bool = False

    @property
    def at_rest(self) -> bool:
        """The engine says that it knows everything."""
        return self.ended == "ready"

    def sent(self) -> list[Arrival]:
        """What the engine itself sent."""
        return [a for a in self.exchange.arrivals if a.actor == "engine"]

    def own_ids(self) -> frozenset[str]:
        """Client ids that the engine ever sent."""
        return frozenset(a.request.client_id for a in self.exchange.arrivals)

    def own_trades(self) -> list[SimTrade]:
        """Executions of its orders."""
        ids = self.own_ids()
        return [t for t in self.exchange.trades if t.client_id in ids]


def read_tables(files: Mapping[str, bytes], folder: Path) -> tuple[str, dict[str, Rows]]:
    """What is wrong with a journal of these bytes, and its tables, by Python's own SQLite."""
    for name, content in files.items():
        (folder / Path(name).name).write_bytes(content)
    main = next((n for n in files if not n.endswith(("-wal", "-journal", "-shm"))), None)
    if main is None:
        return "", {}
    try:
        with closing(sqlite3.connect(folder / Path(main).name)) as connection:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            trouble = broken_chain(connection) if verdict == "ok" else str(verdict)
            connection.row_factory = sqlite3.Row
            there = {
                row[0]
                for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            tables: dict[str, Rows] = {
                name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]  # noqa: S608 - names above
                for name in TABLES
                if name in there
            }
            if "cycles" in there:
                tables["cycles"] = [dict(row) for row in connection.execute(_CYCLES)]
    except sqlite3.Error as error:
        return f"{type(error).__name__}: {error}", {}
    return trouble, tables
