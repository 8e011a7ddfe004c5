"""``perphedge log`` over a million events: what people ask, against a scan of the same table."""

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.measure import DisagreementError, Effort, Line, alternate
from bot.cli.journals import since_ms_of
from bot.clock import SimulatedClock
from bot.feeds.tape import DAY_MS
from bot.journal.journal import Journal
from bot.journal.log_reads import LogQuery
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.records.choosing import kinds_asked, signal_weights_asked, statuses_asked
from bot.records.cycle import CycleRecord, CycleStatus, iso_utc
from bot.records.reading import records_asked, records_of_cycle

EVENTS = 1_000_000
PER_CYCLE = 500
SYMBOLS = 200
DAYS = 365
_START_MS = 1_735_689_600_000
_ROWS = "INSERT INTO events (timestamp_ms, kind, cycle_id, client_id, document) VALUES (?,?,?,?,?)"
_SCAN = (
    "SELECT count(*) FROM events NOT INDEXED WHERE json_extract(document, '$.symbol') = 'nowhere'"
)
# Of a hundred events so many of each kind, as a year of trading has them.
_SHARES = (
    ("order_filled", 40),
    ("order_acknowledged", 30),
    ("signal", 25),
    ("order_costs", 4),
)
_RARE = ("order_denied", "resumed", "operator", "alert")
"""Kinds of which there is one in ten thousand events each."""


def run(effort: Effort) -> list[Line]:
    """One line a question; the peer reads the table from one end to the other."""
    events = 50_000 if effort.quick else EVENTS
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / JOURNAL_NAME
        write_log(path, events)
        for case, options in questions(events):
            lines.append(_line(path, case, options, effort, events))
    return lines


def questions(events: int) -> list[tuple[str, dict[str, Any]]]:
    """What is asked, as the options of the command."""
    end_ms = _START_MS + DAYS * DAY_MS
    return [
        ("the last day", {"since": iso_utc(end_ms - DAY_MS)}),
        ("the newest 100 of everything", {"limit": 100}),
        ("a rare event, all of it", {"event": "order_denied"}),
        ("a common event, the newest 100", {"event": "order_filled", "limit": 100}),
        ("what is weighty, the newest 100", {"severity": "warning", "limit": 100}),
        ("one token, the newest 100", {"symbol": "T7", "limit": 100}),
        ("one token in one month", {"symbol": "T7", "since": iso_utc(end_ms - 30 * DAY_MS)}),
        ("a token that was never traded", {"symbol": "NONE"}),
        ("one cycle, whole", {"cycle": f"c{events // PER_CYCLE // 2}"}),
    ]


def write_log(path: Path, events: int) -> None:
    """A journal with that many events over a year, and a cycle for every 500 of them.

    The rows are put in at once and without the chain, which no question reads.
    """
    clock = SimulatedClock(_START_MS)
    with Journal.open(path, clock, install_key=b"benchmark" * 4) as journal:
        db = journal._connection
        db.execute("PRAGMA synchronous=OFF")
        db.execute("BEGIN")
        db.executemany(_ROWS, _events(events))
        for number in range(events // PER_CYCLE):
            record = _cycle(number, _moment(number * PER_CYCLE, events))
            text = json.dumps(record.document(), allow_nan=False)
            values = (record.cycle_id, record.timestamp_ms, str(record.status), text)
            db.execute("INSERT INTO cycles VALUES (?, ?, ?, ?)", values)
        db.execute("COMMIT")


def _moment(number: int, events: int) -> int:
    return _START_MS + number * DAYS * DAY_MS // events


def _events(events: int) -> Iterator[tuple[int, str, str, str | None, str]]:
    kinds = [kind for kind, share in _SHARES for _ in range(share)]
    for number in range(events):
        place = number * 37 % 100
        kind = kinds[place] if place < len(kinds) else "signal"
        if number % 10_000 < len(_RARE):
            kind = _RARE[number % 10_000]
        symbol = f"T{number * 7919 % SYMBOLS}/USDT:USDT"
        yield (
            _moment(number, events),
            kind,
            f"c{number // PER_CYCLE}",
            f"h1log{number}" if kind.startswith("order_") else None,
            json.dumps(_document(kind, symbol, number)),
        )


def _document(kind: str, symbol: str, number: int) -> dict[str, Any]:
    if kind == "signal":
        severity = ("note", "note", "note", "warning")[number % 4]
        return {"kind": "crowding", "symbols": [symbol], "value": 2.5, "severity": severity}
    if kind == "order_costs":
        return {"costs": [{"symbol": symbol, "shortfall_usd": 0.5}]}
    if kind in ("resumed", "operator", "alert"):
        return {"by": "owner", "reason": "looked into it", "text": "a line of words"}
    return {"symbol": symbol, "state": "filled", "filled_quantity": "12.5", "reason": ""}


def _cycle(number: int, at_ms: int) -> CycleRecord:
    status = CycleStatus.HELD if number % 100 == 0 else CycleStatus.HEDGED
    return CycleRecord(
        f"c{number}",
        iso_utc(at_ms),
        at_ms,
        status,
        "because",
        crowding={f"T{n}/USDT:USDT": 0.1 for n in range(SYMBOLS)},
    )


def _line(path: Path, case: str, options: dict[str, Any], effort: Effort, events: int) -> Line:
    def ours() -> int:
        with JournalReader.open_reader(path) as journal:
            return len(_asked(journal, options))

    def scan() -> int:
        with closing(sqlite3.connect(path)) as db:
            return int(db.execute(_SCAN).fetchone()[0])

    def agree(found: int, unknown: int) -> None:
        told.append(found)
        if unknown:
            raise DisagreementError("log: the scan found a symbol that is not there")

    told: list[int] = []
    rounds = effort.rounds(5, quick=1)
    pairs = alternate(ours, scan, rounds, agree=agree, warm_ups=effort.warm_ups)
    facts = {
        "as a process, s": f"{_process_s(path.parent, options):.2f}",
        "of it starting Python and the command, s": f"{_seconds(['--version']):.2f}",
    }
    records = f"{told[-1]:,} records"
    return pairs.line("log", f"{case}, of {events:,} events", "one scan of them", records, facts)


def _asked(journal: JournalReader, options: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """What the command does with them, between opening the journal and printing."""
    if "cycle" in options:
        return records_of_cycle(journal, options["cycle"]) or ()
    named = [options["event"]] if "event" in options else []
    severity, symbol = options.get("severity"), options.get("symbol")
    query = LogQuery(
        kinds=kinds_asked(named, severity),
        statuses=() if symbol else statuses_asked(named, severity),
        signal_weights=signal_weights_asked(severity),
        symbol=symbol,
        limit=options.get("limit"),
    )
    if "since" in options:
        query = replace(query, since_ms=since_ms_of(options["since"]))
    return records_asked(journal, query)


def _process_s(folder: Path, options: dict[str, Any]) -> float:
    given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return _seconds(["log", "--state", str(folder), *given, "--json"])


def _seconds(arguments: Sequence[str]) -> float:
    """Of the command as people start it, the quickest of three."""
    code = "import sys; from bot.cli.main import main; main(sys.argv[1:])"
    found = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run(  # noqa: S603 - this interpreter, our own command
            [sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL
        )
        found.append(time.perf_counter() - began)
    return min(found)
