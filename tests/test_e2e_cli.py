"""Every command as it is typed: its one JSON document, its exit code, its one line of error."""

import asyncio
import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.demo.stage import DemoOptions, run_demo
from bot.journal.reader import JOURNAL_NAME
from tests.e2e_scene import (
    COMMAND,
    CYCLE_KEYS,
    LONGS,
    ROOT,
    Finished,
    ServedExchange,
    called,
    finish,
    live_config,
    one_line,
    paper_config,
    perphedge,
    served_exchange,
    start,
    until,
    write_positions,
)

COMMANDS = (
    "demo",
    "run",
    "check",
    "risk",
    "propose",
    "status",
    "log",
    "explain",
    "report",
    "evaluate",
    "venue",
)
FIRST, SECOND = "20260101T010000-000001", "20260101T020000-000002"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a demo of two cycles left."""
    folder = tmp_path_factory.mktemp("state")
    asyncio.run(run_demo(DemoOptions(None, 2, 7, folder)))
    return folder


@pytest.fixture(scope="module")
def served() -> Iterator[ServedExchange]:
    with served_exchange() as exchange:
        yield exchange


@pytest.fixture(scope="module")
def paper(served: ServedExchange, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    write_positions(folder / "positions.json", LONGS)
    return paper_config(folder, served.host)


def document(*arguments: str) -> Any:
    """The one document of a command that succeeds in silence."""
    finished = called(*arguments, "--json")
    assert (finished.code, finished.err) == (0, ""), finished
    return finished.document


def test_check_tells_what_holds_and_what_is_left(paper: Path) -> None:
    found = document("check", "-c", str(paper))
    assert (found["mode"], found["autonomy"]) == ("paper", "propose")
    assert found["equity_usd"] == 60_000
    assert set(found["bot_symbols"]) == set(LONGS)
    assert found["caps"]["net_usd"] == 20_000
    assert "net_usd" in found["breaches"]
    assert len(found["hedgeable"]) > 5
    assert not set(found["hedgeable"]) & (set(LONGS) | set(found["excluded"]))


@pytest.mark.long
def test_check_shows_what_other_symbols_were_taken_for(
    served: ServedExchange, tmp_path: Path
) -> None:
    symbol, size = next(iter(LONGS.items()))
    usdc = symbol.replace("USDT", "USDC")
    write_positions(tmp_path / "positions.json", {usdc: size, "GONE/USDT:USDT": size})
    config = paper_config(tmp_path, served.host)
    held = one_line(called("check", "-c", str(config)), 2)
    assert "holds GONE/USDT:USDT, but the venue lists no such active perpetual" in held
    change = (r"^universe:$", "universe:\n  unmapped: leave_out")
    config = paper_config(tmp_path, served.host, change)
    found = document("check", "-c", str(config))
    rows = {one["symbol"]: (one["mapped"], one["how"]) for one in found["symbols"]}
    assert rows == {
        usdc: (symbol, "quoted in USDT"),
        "GONE/USDT:USDT": (None, "the venue lists no such active perpetual"),
    }
    assert [one["symbol"] for one in found["unmapped"]] == ["GONE/USDT:USDT"]
    assert found["bot_symbols"] == [symbol]
    assert symbol not in found["hedgeable"]
    table = called("check", "-c", str(config))
    assert (table.code, table.err) == (0, "")
    assert "left out" in table.out
    risk = called("risk", "-c", str(config))
    assert (risk.code, risk.err) == (0, "")
    assert "Not measured" in risk.out


@pytest.mark.long
def test_risk_and_propose_agree_and_leave_nothing_behind(paper: Path) -> None:
    risk, proposal = (document(command, "-c", str(paper)) for command in ("risk", "propose"))
    assert set(proposal) >= CYCLE_KEYS
    assert risk["exposure"]["cae_usd"] == pytest.approx(proposal["cae_before_usd"], rel=1e-3)
    broken = {breach["cap"] for breach in proposal["breaches_before"]}
    assert {breach["cap"] for breach in risk["breaches"]} == broken != set()
    assert proposal["status"] == "proposed"
    assert proposal["orders"] == proposal["fills"] == []
    assert not (paper.parent / "state" / JOURNAL_NAME).exists()


def test_status_and_log_read_the_same_journal(state: Path) -> None:
    status = document("status", "--state", str(state))
    assert (status["cycles"], status["starts"], status["running_process"]) == (2, 1, None)
    assert status["last_cycle"]["cycle_id"] == SECOND
    assert status["hedges_base"]
    records = document("log", "--state", str(state))["records"]
    cycles = [r for r in records if "event" not in r]
    assert [c["cycle_id"] for c in cycles] == [FIRST, SECOND]
    # A cycle is told after its own events, with the time at which it began.
    for told in (cycles, [r for r in records if "event" in r]):
        times = [r["timestamp_ms"] for r in told]
        assert times == sorted(times)
    assert records.index(cycles[0]) > max(
        i for i, r in enumerate(records) if r.get("cycle_id") == FIRST and "event" in r
    )
    [*events, whole] = document("log", "--state", str(state), "--cycle", FIRST)["records"]
    assert whole == cycles[0]
    assert events
    assert {e["cycle_id"] for e in events} == {FIRST}
    sent = [e["client_id"] for e in events if e["event"] == "order_sending"]
    assert sent == [o["client_id"] for o in whole["orders"]]


@pytest.mark.parametrize(
    ("since", "cycles"),
    [("2026-01-01T01:30:00Z", 1), ("2026-01-01T02:30:00+01:00", 1), ("2027-01-01T00:00:00Z", 0)],
)
def test_the_log_since_a_time(state: Path, since: str, cycles: int) -> None:
    records = document("log", "--state", str(state), "--since", since)["records"]
    assert len([r for r in records if "event" not in r]) == cycles


def _up_to_a_cycle(follower: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """What is told up to the next cycle, which comes after its own events."""
    assert follower.stdout is not None
    lines: list[dict[str, Any]] = []
    while not lines or "event" in lines[-1]:
        lines.append(json.loads(follower.stdout.readline()))
    return lines


@pytest.mark.long
def test_the_log_is_followed_line_by_line(served: ServedExchange, tmp_path: Path) -> None:
    config = paper_config(tmp_path, served.host)
    write_positions(tmp_path / "positions.json", LONGS)
    assert perphedge("run", "-c", str(config), "--cycles", "1").code == 0
    follower = start("log", "-c", str(config), "--follow", "--json")
    lines = _up_to_a_cycle(follower)
    assert lines[0]["event"] == "recovered"
    assert {line["event"] for line in lines[1:-1]} <= {"signal"}
    called("run", "-c", str(config), "--cycles", "1")
    more = _up_to_a_cycle(follower)
    assert more[0]["event"] == "recovered"
    assert more[-1]["cycle_id"] > lines[-1]["cycle_id"]
    follower.send_signal(signal.SIGINT)
    finished = finish(follower)
    assert (finished.code, finished.err) == (0, "")


def test_a_running_engine_ends_in_good_order_on_sigterm(
    served: ServedExchange, tmp_path: Path
) -> None:
    config = paper_config(tmp_path, served.host)
    write_positions(tmp_path / "positions.json", LONGS)
    engine = start("run", "-c", str(config), "--json")
    log = tmp_path / "state" / "hedge.jsonl"
    until(lambda: log.exists() and '"cycle"' in log.read_text(encoding="utf-8"))
    engine.send_signal(signal.SIGTERM)
    finished = finish(engine)
    assert finished.code == 0
    assert finished.document["cycles"][0]["status"] == "proposed"
    assert all(event["timestamp"] for event in finished.events)


@pytest.mark.long
def test_tables_are_printed_without_json(paper: Path, state: Path) -> None:
    told = {
        ("check", "-c", str(paper)): "BTC",
        ("risk", "-c", str(paper)): "correlation-adjusted",
        ("propose", "-c", str(paper)): "Sell",
        ("status", "--state", str(state)): "hedged",
        ("log", "--state", str(state)): "order filled",
        ("log", "--state", str(state), "--cycle", FIRST): "hedge gross",
    }
    for arguments, words in told.items():
        finished = called(*arguments)
        assert (finished.code, finished.err) == (0, "")
        assert words in finished.out
        assert max(map(len, finished.out.splitlines())) <= 100


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    finished = called(command, "--help")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.startswith(f"Usage: perphedge {command}")
    assert "--json" in finished.out


def test_help_and_version() -> None:
    listed = called("--help")
    assert (listed.code, listed.err) == (0, "")
    assert all(f"\n  {command} " in listed.out for command in COMMANDS)
    assert "..." not in listed.out.partition("Commands:")[2]
    version = perphedge("--version")
    assert (version.code, version.err) == (0, "")
    assert version.out.split()[0] == "perphedge"
    bare = called()
    assert (bare.code, bare.out) == (2, "")
    assert "Usage: perphedge" in bare.err


PAPER, LIVE = "config/profiles/paper.yaml", "config/profiles/live.yaml"
WRONG = [
    ("frobnicate", "frobnicate"),
    ("--frob", "--frob"),
    ("demo --cycles 0", "--cycles"),
    ("demo --cycles many", "--cycles"),
    ("demo --cycles 1.5", "--cycles"),
    ("demo --seed -1", "--seed"),
    ("demo --seed x", "--seed"),
    ("demo --data /nowhere --cycles 1", "/nowhere"),
    ("demo --data README.md --cycles 1", "README.md"),
    ("demo --cycles 1 --out /dev/null/x", "--out /dev/null/x"),
    ("demo --out", "--out"),
    ("demo now", "now"),
    ("run", "-c"),
    ("run -c", "-c"),
    ("run -c nothing.yaml", "nothing.yaml"),
    ("run -c tests", "tests"),
    ("run -c README.md", "README.md"),
    (f"run -c {PAPER} --cycles 0", "--cycles"),
    (f"run -c {PAPER} --live", "--account"),
    (f"run -c {PAPER} --account x", "--live"),
    (f"run -c {PAPER} --live --account x", "mode is paper"),
    ("run -c config/profiles/demo.yaml", "perphedge demo"),
    ("check", "-c"),
    ("check -c nothing.yaml", "nothing.yaml"),
    ("check -c config/profiles/demo.yaml", "perphedge demo"),
    ("risk", "-c"),
    ("risk --data tests", "--at"),
    ("risk --at 2025-06-01T12:00:00Z", "--data"),
    ("risk --data tests --at noon --book README.md", "noon"),
    ("risk --data tests --at 2025-06-01T12:00:00 --book README.md", "time zone"),
    ("propose", "-c"),
    ("propose -c nothing.yaml", "nothing.yaml"),
    ("propose --heatmap x.png", "--heatmap"),
    ("status", "--state"),
    (f"status -c {PAPER} --state x", "--state"),
    ("status --state /nowhere", "/nowhere"),
    ("log", "--state"),
    ("log --state /nowhere", "/nowhere"),
    ("log --state STATE --since yesterday", "yesterday"),
    ("log --state STATE --since 2026-01-01T00:00:00", "time zone"),
    ("log --state STATE --since -3h", "-3h"),
    ("log --state STATE --cycle nothing", "nothing"),
    ("log --state STATE --cycle x --follow", "--follow"),
    ("venue --port 70000", "--port"),
    ("venue --port ssh", "--port"),
    ("venue --seed -1", "--seed"),
    ("venue --faults dns_failure", "--faults"),
    ("faults --paper", "--replay"),
    ("venue --data /nowhere", "/nowhere"),
    ("venue --accounts /nowhere", "/nowhere"),
    ("venue --accounts README.md", "README.md"),
]


@pytest.mark.parametrize(("line", "words"), WRONG, ids=[line for line, _ in WRONG])
def test_a_wrong_command_line_is_said_in_one_line(line: str, words: str, state: Path) -> None:
    arguments = [str(state) if word == "STATE" else word for word in line.split()]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        said = one_line(called(*arguments), 2)
    assert words in said
    assert len(said) < 300


def test_what_is_refused_for_safety(state: Path, served: ServedExchange, tmp_path: Path) -> None:
    live = str(live_config(tmp_path, served.host))
    assert "--live --account hedge-sub" in one_line(called("run", "-c", live), 6)
    other = one_line(called("run", "-c", live, "--live", "--account", "hedge"), 6)
    assert "--account hedge" in other
    newer = tmp_path / "newer"
    newer.mkdir()
    source, target = sqlite3.connect(state / JOURNAL_NAME), sqlite3.connect(newer / JOURNAL_NAME)
    source.backup(target)
    target.execute("UPDATE migrations SET version = version + 1000")
    target.commit()
    source.close()
    target.close()
    for command in ("status", "log"):
        assert "newer" in one_line(called(command, "--state", str(newer)), 6)


def test_keys_that_are_missing_are_named(served: ServedExchange, tmp_path: Path) -> None:
    live = str(live_config(tmp_path, served.host))
    line = one_line(called("run", "-c", live, "--live", "--account", "hedge-sub"), 2)
    assert "PERPHEDGE_API_KEY" in line


def test_a_reader_that_goes_away_is_no_error(state: Path) -> None:
    done = subprocess.run(  # noqa: S602 - a fixed line
        f"'{COMMAND}' log --state '{state}' --json | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_the_exchange_announces_itself_and_ends_in_peace() -> None:
    venue = start("venue", "--port", "0", "--json")
    assert venue.stdout is not None
    announced = json.loads(venue.stdout.readline())
    assert announced["address"].startswith("http://127.0.0.1:")
    assert [one["name"] for one in announced["accounts"]] == ["bot", "hedge"]
    port = announced["address"].rpartition(":")[2]
    assert f"--port {port}" in one_line(called("venue", "--port", port), 2)
    venue.send_signal(signal.SIGINT)
    assert finish(venue) == Finished(0, "", "")
