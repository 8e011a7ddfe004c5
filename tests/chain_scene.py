"""A journal with something of everything in it, its file behind its back, and its chain."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.cli.exits import exit_code
from bot.clock import SimulatedClock
from bot.errors import JournalError
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.records.cycle import CycleRecord, CycleStatus
from bot.trading.attribution import HedgeClosedExternally
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import UnknownOutcome
from tests.execute_scene import ACCOUNT, FET, NOW_MS, TAO, acknowledged, fill, order, send

TABLES = (
    "cycles",
    "events",
    "external_closes",
    "fills",
    "funding",
    "intents",
    "meta",
    "migrations",
    "orders",
    "watermarks",
)


def written(journal: Journal) -> None:
    """Something of everything, orders changed several times among it."""
    journal.record_cycle(CycleRecord("c1", "t", NOW_MS, CycleStatus.HEDGED, "because"))
    for n in range(3):
        request = order(f"h{n}", symbol=(FET, TAO)[n % 2], intent_id=f"i{n}")
        send(journal, request)
        journal.record_outcome(UnknownOutcome(f"h{n}", "lost"))
        journal.record_negative_round(f"h{n}", 1)
        journal.record_outcome(acknowledged(request))
        done = fill(f"t{n}", client_id=f"h{n}", venue_order_id=f"v-h{n}", symbol=request.symbol)
        journal.record_fills(ACCOUNT, request.symbol, [done], read_ms=NOW_MS + n)
    receipts = [FundingReceipt(f"r{n}", FET, Decimal(n), NOW_MS + n) for n in range(2)]
    journal.record_funding(ACCOUNT, receipts, read_ms=NOW_MS)
    for n in range(2):
        own = Decimal(-2000) / 2**n
        change = HedgeClosedExternally(FET, "BOTH", own, own / 2)
        journal.record_external_close(ACCOUNT, change, timestamp_ms=NOW_MS + n)
        journal.set_meta("word", str(n))
        journal.record_change("halted", {"n": n}, "state", {"n": n})
    journal.record_event("last", {})


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory after a clean stop."""
    folder = tmp_path_factory.mktemp("sound")
    with Journal.open(folder / JOURNAL_NAME, SimulatedClock(NOW_MS), install_key=b"k" * 32) as one:
        written(one)
    return folder


@pytest.fixture
def state(sound: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(sound, tmp_path / "state"))


def stopped(folder: Path) -> Path:
    """A state directory after a clean stop."""
    with Journal.open(folder / JOURNAL_NAME, SimulatedClock(NOW_MS), install_key=b"k" * 32) as one:
        written(one)
    return folder


@contextmanager
def raw(state: Path) -> Iterator[sqlite3.Connection]:
    """The file behind the journal's back."""
    with closing(sqlite3.connect(state / JOURNAL_NAME, isolation_level=None)) as connection:
        yield connection


def verify(state: Path) -> int:
    with JournalReader.open_reader(state / JOURNAL_NAME) as reader:
        return reader.verify().number


def start(state: Path) -> None:
    Journal.open(state / JOURNAL_NAME, SimulatedClock(NOW_MS)).close()


def trouble(state: Path) -> str:
    with pytest.raises(JournalError) as caught:
        verify(state)
    assert "\n" not in str(caught.value)
    assert exit_code(caught.value) == 6
    return str(caught.value)


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {t: list(connection.execute(f"SELECT rowid, * FROM {t}")) for t in TABLES}
