"""Recorded sessions, played again: the same decisions, and whatever is not the same is told.

Real processes of ``perphedge run --record`` against an exchange on sockets; the replays meet no
socket at all.
"""

import gzip
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.doors import Doors
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.lock import engine_state
from bot.logs import open_log
from bot.session.recorder import FOLDER, LEAST_FREE_BYTES, LINES_NAME, SessionRecorder
from bot.trading.orders import Side
from bot.venues.sim.records import NewOrder, OrderType
from config.load import load_settings, profile_path
from tests.e2e_scene import (
    AUTO,
    LONGS,
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
from tests.test_e2e_kill import KEYS, LIVE


def trade(served: ServedExchange, symbol: str, side: Side, base: float) -> None:
    """The bot does something."""
    order = NewOrder(symbol, side, OrderType.MARKET, Decimal(base))
    served.do(partial(served.exchange.place, served.account("bot"), order))


def journaled(state: Path) -> int:
    """Cycles so far."""
    if not (state / JOURNAL_NAME).exists():
        return 0
    with JournalReader.open_reader(state / JOURNAL_NAME) as journal:
        return len(journal.cycles())


def cycles_of(state: Path) -> list[dict[str, Any]]:
    with JournalReader.open_reader(state / JOURNAL_NAME) as journal:
        return journal.cycles()


@pytest.fixture(scope="module")
def served() -> Iterator[ServedExchange]:
    with served_exchange() as exchange:
        yield exchange


@pytest.fixture(scope="module")
def paper(served: ServedExchange, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of three runs: two cycles, some until SIGKILL, one halted by hand."""
    folder = tmp_path_factory.mktemp("paper")
    config, state = paper_config(folder, served.host, AUTO), folder / "state"
    write_positions(folder / "positions.json", LONGS)
    run = ("run", "-c", str(config), "--record")
    assert perphedge(*run, "--cycles", "2").code == 0
    engine = start(*run)
    until(lambda: journaled(state) >= 4)
    engine.kill()
    assert finish(engine).code == -signal.SIGKILL
    (state / "HALT").write_text("the owner wants to look\n", encoding="utf-8")
    assert perphedge(*run, "--cycles", "1").code == 0
    return state


@pytest.fixture(scope="module")
def live(served: ServedExchange, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of a live engine that hedges a bot's account, and unwinds."""
    folder = tmp_path_factory.mktemp("live")
    config = live_config(folder, served.host)
    for symbol, base in LONGS.items():
        trade(served, symbol, Side.BUY, base)
    run = ("run", "-c", str(config), *LIVE, "--record", "--cycles")
    assert perphedge(*run, "2", env=KEYS).code == 0
    trade(served, "WLD/USDT:USDT", Side.SELL, LONGS["WLD/USDT:USDT"])
    assert perphedge(*run, "3", env=KEYS).code == 0
    return folder / "state"


def replayed(session: Path, out: Path) -> Any:
    return called("replay", "--session", str(session), "--out", str(out), "--json")


def lines_of(run: Path) -> list[dict[str, Any]]:
    with gzip.open(run / LINES_NAME, "rt") as file:
        return [json.loads(line) for line in file]


def rewritten(run: Path, to: Path, change: Callable[[list[dict[str, Any]]], None]) -> Path:
    """A copy of one run, changed."""
    shutil.copytree(run, to)
    lines = lines_of(run)
    change(lines)
    with gzip.open(to / LINES_NAME, "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return to


def runs_of(state: Path) -> list[Path]:
    return sorted((state / FOLDER).iterdir())


def test_a_paper_session_is_decided_the_same(paper: Path, tmp_path: Path) -> None:
    finished = replayed(paper / FOLDER, tmp_path / "out")
    assert finished.code == 0, finished
    document = finished.document
    first, killed, halted = document["runs"]
    assert document["same"]
    assert (first["cycles"], halted["cycles"]) == (2, 1)
    assert killed["cycles"] >= 1
    documents = {one["cycle_id"]: one for one in cycles_of(paper)}
    # A kill between the journal and the recording takes a cycle from the recording.
    assert 0 <= len(documents) - document["cycles"] <= 1
    statuses = [one["status"] for one in documents.values()]
    assert (statuses[0], statuses[-1]) == ("hedged", "halted")
    # To the last digit, orders and fills included; only how long things took is left out.
    again = [one for run in document["runs"] for one in again_of(tmp_path / "out", run)]
    assert len(again) == document["cycles"]
    for one in again:
        assert without_times(one) == without_times(documents[one["cycle_id"]])


def again_of(out: Path, run: dict[str, Any]) -> list[dict[str, Any]]:
    return cycles_of(out / Path(run["session"]).name)[-run["cycles"] :]


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "latency_ms"}


@pytest.mark.long
def test_a_live_session_is_decided_the_same(live: Path, tmp_path: Path) -> None:
    finished = replayed(live / FOLDER, tmp_path / "out")
    assert finished.code == 0, finished
    assert finished.document["same"]
    assert finished.document["cycles"] == 5
    documents = cycles_of(live)
    assert documents[0]["status"] == "hedged"
    assert sum(len(one["fills"]) for one in documents) > len(documents[0]["fills"])


def test_recordings_are_their_owners(paper: Path) -> None:
    for run in runs_of(paper):
        assert run.stat().st_mode & 0o077 == 0
        assert (run / LINES_NAME).stat().st_mode & 0o077 == 0


def test_another_price_is_another_cycle(paper: Path, tmp_path: Path) -> None:
    def dearer(lines: list[dict[str, Any]]) -> None:
        quotes = [one for one in lines if one.get("method") == "quotes" and "is" in one]
        told = quotes[-1]["is"]
        content = told["is"] if "~" in told else told
        content["FET/USDT:USDT"]["is"]["mark"] *= 1.001

    run = rewritten(runs_of(paper)[0], tmp_path / "session", dearer)
    finished = called("replay", "--session", str(run), "--out", str(tmp_path / "out"))
    assert finished.code == 1
    assert "differs from" in finished.out
    assert "bot_gross_usd" in finished.out
    document = replayed(run, tmp_path / "again").document
    (told,) = document["runs"]
    assert not document["same"]
    assert told["first_difference"] in {one["cycle_id"] for one in cycles_of(paper)}
    assert {one["path"] for one in told["differences"]} >= {"bot_gross_usd"}


def test_a_question_that_was_never_asked_is_told(paper: Path, tmp_path: Path) -> None:
    def forgotten(lines: list[dict[str, Any]]) -> None:
        gone = [one for one in lines if (one.get("door"), one.get("method")) == ("venue", "place")]
        assert gone
        lines.remove(gone[-1])

    run = rewritten(runs_of(paper)[0], tmp_path / "session", forgotten)
    finished = replayed(run, tmp_path / "out")
    assert finished.code == 1
    (told,) = finished.document["runs"]
    first = told["differences"][0]
    assert first["path"].startswith("venue.place(")
    assert (first["recorded"], first["replayed"]) == ("not asked", "asked")


def test_what_a_crash_left_of_a_file_is_played(paper: Path, tmp_path: Path) -> None:
    whole = runs_of(paper)[1]
    run = tmp_path / "session"
    shutil.copytree(whole, run)
    content = (whole / LINES_NAME).read_bytes()
    (run / LINES_NAME).write_bytes(content[:-20])
    finished = replayed(run, tmp_path / "out")
    assert finished.code == 0, finished
    (told,) = finished.document["runs"]
    assert told["cut_short"]
    assert told["cycles"] >= 1


def test_nothing_compared_is_not_the_same(paper: Path, tmp_path: Path) -> None:
    def none_ended(lines: list[dict[str, Any]]) -> None:
        del lines[next(n for n, one in enumerate(lines) if "ended" in one) :]

    run = rewritten(runs_of(paper)[0], tmp_path / "session", none_ended)
    finished = replayed(run, tmp_path / "out")
    assert finished.code == 1
    assert not finished.document["same"]
    assert finished.document["cycles"] == 0
    told = called("replay", "--session", str(run), "--out", str(tmp_path / "again"))
    assert "no cycle of it ended" in " ".join(told.out.split())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[0].update(session=99), "format 99"),
        (lambda lines: lines[0]["settings"].update(mode="brave"), "settings, mode"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(
    paper: Path, tmp_path: Path, change: Callable[[Any], None], said: str
) -> None:
    run = rewritten(runs_of(paper)[0], tmp_path / "session", change)
    line = one_line(replayed(run, tmp_path / "out"), 2)
    assert said in line
    assert str(run) in line


def test_damage_is_refused_in_one_line(paper: Path, tmp_path: Path) -> None:
    run = tmp_path / "session"
    shutil.copytree(runs_of(paper)[0], run)
    content = bytearray((run / LINES_NAME).read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    (run / LINES_NAME).write_bytes(bytes(content))
    assert "damaged" in one_line(replayed(run, tmp_path / "out"), 2)


def test_usage(paper: Path, tmp_path: Path) -> None:
    session = str(paper / FOLDER)
    assert "answers" in one_line(replayed(tmp_path, tmp_path / "out"), 2)
    assert "-c CONFIG" in one_line(called("replay"), 2)
    both = called("replay", "--session", session, "--data", str(tmp_path))
    assert "--session" in one_line(both, 2)
    assert replayed(runs_of(paper)[-1], tmp_path / "out").code == 0
    line = one_line(replayed(runs_of(paper)[-1], tmp_path / "out"), 2)
    assert "name another folder" in line


class _Market:
    """A door with one question."""

    def __init__(self) -> None:
        self.asked = 0

    async def quotes(self, symbols: list[str]) -> dict[str, float]:
        """Another answer each time."""
        self.asked += 1
        return dict.fromkeys(symbols, float(self.asked))

    async def close(self) -> None:
        """Nothing is held open."""


class _Venue:
    """A door with a fact and what no recording can hold."""

    account_name = "hedge"

    async def account(self) -> object:
        """An object of nobody's."""
        return object()

    async def close(self) -> None:
        """Nothing is held open."""


def recorder_at(state: Path) -> tuple[SessionRecorder, Any, Path]:
    settings = load_settings(profile_path("paper")).model_copy(update={"state_dir": state})
    clock = SystemClock()
    with engine_state(state, clock) as journal:
        recorder = SessionRecorder(settings, clock, open_log(state / "log.jsonl", clock))
        doors: Any = Doors(_Market(), _Venue(), [])  # type: ignore[arg-type]  # little of each
        return recorder, recorder.begin(doors, journal), state / "log.jsonl"


def told_once(log: Path) -> str:
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    (one,) = [event for event in events if event["event"] == "session_not_recorded"]
    return str(one["reason"])


async def test_a_folder_that_cannot_be_made_stands_in_nobody_s_way(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / FOLDER).write_text("in the way", encoding="utf-8")
    recorder, doors, log = recorder_at(state)
    recorder.cycle_begins()
    assert [await doors.market.quotes(["FET"]) for _ in range(2)] == [{"FET": 1.0}, {"FET": 2.0}]
    recorder.end()
    assert "Not a directory" in told_once(log)


async def test_the_journal_s_disk_is_not_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, doors, log = recorder_at(tmp_path / "state")
    (run,) = runs_of(tmp_path / "state")
    recorder.cycle_begins()
    usage = shutil.disk_usage(tmp_path)._replace(free=LEAST_FREE_BYTES - 1)
    monkeypatch.setattr("bot.session.recorder.shutil.disk_usage", lambda _: usage)
    recorder.cycle_begins()
    await doors.market.quotes(["FET"])
    recorder.end()
    assert [list(line) for line in lines_of(run)][1:] == [["cycle_ms", "files"]]
    assert "kept free for the journal" in told_once(log)


async def test_what_cannot_be_recorded_ends_the_recording_alone(tmp_path: Path) -> None:
    recorder, doors, log = recorder_at(tmp_path / "state")
    recorder.cycle_begins()
    for _ in range(3):
        assert await doors.venue.account() is not None
    assert await doors.market.quotes(["FET"]) == {"FET": 1.0}
    recorder.end()
    assert "cannot be recorded" in told_once(log)
