"""The demo as a user starts it: one document, every figure right, the same on every run."""

import hashlib
import itertools
import json
import signal
import sqlite3
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import bot.demo.stage
from bot.demo.stage import DemoOptions, run_demo
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.venues.sim.exchange import SimulatedExchange
from tests.e2e_scene import (
    CYCLE_KEYS,
    STATUSES,
    Finished,
    finish,
    hedges_hold,
    one_line,
    start,
    until,
)

HEDGER = "demo-hedge"
UNCHOSEN = [int.from_bytes(hashlib.sha256(f"seed {k}".encode()).digest()[:5]) for k in range(4)]

# Loaded by Python itself before anything else: a process whose clock is a year ahead.
NEXT_YEAR = "import time\n_now = time.time\ntime.time = lambda: _now() + 366 * 86_400\n"


@dataclass(frozen=True)
class Run:
    """One finished demo."""

    out: Path
    finished: Finished

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = self.finished.document
        return document

    @property
    def log(self) -> str:
        return (self.out / "hedge.jsonl").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """The same seed twice: other hash seed, folder, time zone and wall time."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "sitecustomize.py").write_text(NEXT_YEAR, encoding="utf-8")
    arguments = ["demo", "--cycles", "12", "--seed", "7", "--json", "--out"]
    first = {"PYTHONHASHSEED": "1", "TZ": "UTC"}
    second = {"PYTHONHASHSEED": "22", "TZ": "Asia/Kathmandu", "PYTHONPATH": str(folder)}
    outs = (folder / "a", folder / "deep" / "er" / "b c")
    started = [
        start(*arguments, str(out), env=env) for out, env in zip(outs, (first, second), strict=True)
    ]
    one, other = (Run(o, finish(p)) for o, p in zip(outs, started, strict=True))
    return one, other


def test_it_prints_one_document_and_nothing_else(runs: tuple[Run, Run]) -> None:
    for run in runs:
        assert (run.finished.code, run.finished.err) == (0, "")
        document = run.document
        assert len(document["cycles"]) == 12
        assert set(document["venue"]) == {"orders_received", "fills", "rejected"}
        for cycle in document["cycles"]:
            assert set(cycle) >= CYCLE_KEYS
            assert cycle["status"] in STATUSES
            figures = {k: cycle[k] for k in CYCLE_KEYS if k.endswith("_usd")}
            assert all(isinstance(value, float) for value in figures.values()), figures


def test_the_same_seed_is_the_same_to_the_last_byte(runs: tuple[Run, Run]) -> None:
    one, other = runs
    assert one.finished.out == other.finished.out
    assert one.log == other.log
    reports = [(run.out / "report.html").read_bytes() for run in runs]
    assert reports[0] == reports[1]


def test_the_bot_stays_and_its_risk_is_halved(runs: tuple[Run, Run]) -> None:
    hedges_hold(runs[0].document)


def test_ids_and_times_go_up_hour_by_hour(runs: tuple[Run, Run]) -> None:
    cycles = runs[0].document["cycles"]
    ids = [c["cycle_id"] for c in cycles]
    assert len(set(ids)) == 12
    assert ids == sorted(ids)
    hours = [c["timestamp_ms"] for c in cycles]
    assert [b - a for a, b in itertools.pairwise(hours)] == [3_600_000] * 11
    assert all(c["timestamp"].endswith("Z") for c in cycles)


def test_every_order_and_fill_is_in_journal_log_and_venue_counts(runs: tuple[Run, Run]) -> None:
    run = runs[0]
    cycles, venue = run.document["cycles"], run.document["venue"]
    orders = [o for c in cycles for o in c["orders"] if o["state"] != "planned"]
    fills = [f for c in cycles for f in c["fills"]]
    # The exchange counts the bot's as well.
    assert venue["orders_received"] > len(orders)
    assert venue["fills"] > len(fills)
    assert venue["rejected"] == sum(o["state"] == "rejected" for o in orders)
    with JournalReader.open_reader(run.out / JOURNAL_NAME) as journal:
        booked = {(f.fill.symbol, f.fill.trade_id): f.fill for f in journal.own_fills(HEDGER)}
        assert [c["cycle_id"] for c in journal.cycles()] == [c["cycle_id"] for c in cycles]
        assert journal.cycles() == cycles
        assert journal.unresolved_orders() == ()
    assert set(booked) == {(f["symbol"], f["trade_id"]) for f in fills}
    for fill in fills:
        kept = booked[fill["symbol"], fill["trade_id"]]
        assert (kept.client_id, kept.side) == (fill["client_id"], fill["side"])
        assert (kept.quantity, kept.price) == (Decimal(fill["quantity"]), Decimal(fill["price"]))
    assert Counter(o["client_id"] for o in orders).most_common(1)[0][1] == 1


def test_the_log_has_one_event_a_cycle_and_one_an_order(runs: tuple[Run, Run]) -> None:
    run = runs[0]
    cycles = run.document["cycles"]
    events = [json.loads(line) for line in run.log.splitlines()]
    assert [e["cycle_id"] for e in events if e["event"] == "cycle"] == [
        c["cycle_id"] for c in cycles
    ]
    told = [(e["cycle_id"], e["client_id"]) for e in events if e["event"].startswith("order_")]
    assert told == [(c["cycle_id"], o["client_id"]) for c in cycles for o in c["orders"]]
    assert all({"timestamp", "level", "event"} <= set(event) for event in events)
    by_id = {c["cycle_id"]: c for c in cycles}
    for event in (e for e in events if e["event"] == "cycle"):
        cycle = by_id[event["cycle_id"]]
        # It ends some seconds later: orders keep to a rate.
        assert cycle["timestamp"] <= event["timestamp"] < cycle["timestamp"][:16] + ":59"
        assert event["status"] == cycle["status"]
        assert (event["orders"], event["fills"]) == (len(cycle["orders"]), len(cycle["fills"]))


def test_the_report_stands_alone(runs: tuple[Run, Run]) -> None:
    page = (runs[0].out / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!")
    assert "seed 7" in page
    for cycle in runs[0].document["cycles"][-3:]:
        assert cycle["cycle_id"] in page or cycle["timestamp"][:13] in page


def test_the_journal_is_whole(runs: tuple[Run, Run]) -> None:
    database = sqlite3.connect(runs[0].out / JOURNAL_NAME)
    try:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        unsafe = database.execute(
            "SELECT count(*) FROM orders o WHERE NOT EXISTS (SELECT 1 FROM events e WHERE "
            "e.client_id = o.client_id AND e.kind = 'order_sending')"
        ).fetchone()
        assert unsafe == (0,)
    finally:
        database.close()


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> list[SimulatedExchange]:
    """Every exchange that a demo builds in this process."""
    built: list[SimulatedExchange] = []

    def build(*arguments: Any, **named: Any) -> SimulatedExchange:
        built.append(SimulatedExchange(*arguments, **named))
        return built[-1]

    monkeypatch.setattr(bot.demo.stage, "SimulatedExchange", build)
    return built


@pytest.mark.long
@pytest.mark.parametrize("seed", UNCHOSEN)
async def test_seeds_that_nobody_chose(
    seed: int, tmp_path: Path, exchanges: list[SimulatedExchange]
) -> None:
    document = plain(await run_demo(DemoOptions(None, 12, seed, tmp_path)))
    hedges_hold(document)
    [exchange] = exchanges
    same_as_the_exchange_says(document, exchange)


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """As it is printed."""
    printed: dict[str, Any] = json.loads(json.dumps(document, allow_nan=False))
    return printed


def same_as_the_exchange_says(document: dict[str, Any], exchange: SimulatedExchange) -> None:
    """Orders, fills and positions of the hedge account, from both sides of the socket."""
    hedger = exchange.account_by_key(f"{HEDGER}-key")
    bot_account = exchange.account_by_key("demo-bot-key")
    assert hedger is not None
    assert bot_account is not None
    cycles, venue = document["cycles"], document["venue"]
    sent = {o["client_id"]: o for c in cycles for o in c["orders"] if o["state"] != "planned"}
    taken = {order.client_id: order for order in hedger.orders.values()}
    rejected = {name for name, order in sent.items() if order["state"] == "rejected"}
    assert set(sent) - rejected == set(taken)
    for name, order in taken.items():
        assert order.filled_quantity == Decimal(sent[name]["filled_quantity"])
    told = {
        (f["symbol"], int(f["trade_id"])): (Decimal(f["quantity"]), Decimal(f["price"]))
        for c in cycles
        for f in c["fills"]
    }
    assert told == {(t.symbol, t.trade_id): (t.quantity, t.price) for t in hedger.trades}
    assert venue["fills"] == len(hedger.trades) + len(bot_account.trades)
    assert venue["orders_received"] == len(sent) + len(bot_account.orders)
    assert venue["rejected"] == len(rejected)
    held = {row.symbol: row.quantity for row in hedger.positions.values() if row.quantity}
    assert all(quantity < 0 for quantity in held.values())
    marks = {symbol: exchange.quote(symbol).mark for symbol in held}
    gross = sum(abs(float(q)) * marks[s] for s, q in held.items())
    assert gross == pytest.approx(cycles[-1]["hedge_gross_usd"], rel=1e-6)


@pytest.mark.long
async def test_another_seed_is_another_market_and_a_used_folder_is_cleared(tmp_path: Path) -> None:
    first = await run_demo(DemoOptions(None, 1, UNCHOSEN[0], tmp_path))
    second = await run_demo(DemoOptions(None, 1, UNCHOSEN[1], tmp_path))
    again = await run_demo(DemoOptions(None, 1, UNCHOSEN[0], tmp_path))
    assert first == again
    assert first["cycles"] != second["cycles"]
    with JournalReader.open_reader(tmp_path / JOURNAL_NAME) as journal:
        assert journal.cycle_count() == 1
    log = (tmp_path / "hedge.jsonl").read_text(encoding="utf-8")
    assert log.count('"event": "cycle"') == 1, "nothing of an earlier run"


@pytest.mark.long
def test_interrupted_it_still_prints_its_document(tmp_path: Path) -> None:
    process = start("demo", "--json", "--out", str(tmp_path))
    log = tmp_path / "hedge.jsonl"
    until(lambda: log.exists() and '"cycle"' in log.read_text(encoding="utf-8"))
    second = start("demo", "--cycles", "1", "--out", str(tmp_path))
    assert f"process {process.pid}" in one_line(finish(second), 3)
    process.send_signal(signal.SIGINT)
    finished = finish(process)
    assert (finished.code, finished.err) == (0, "")
    cycles = finished.document["cycles"]
    assert cycles
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert cycles[-1]["timestamp"][:13].replace("T", " ") in page
