"""The log: strict JSON lines, private, bounded in size, and never in the way."""

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars

from bot.clock import SimulatedClock
from bot.logs import LogFile, open_log, silent_log

NOW_MS = 1_750_000_000_000


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW_MS)


def lines(path: Path) -> list[dict[str, Any]]:
    def refuse(value: str) -> None:
        raise ValueError(value)

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_one_json_line_an_event_by_the_engines_clock(tmp_path: Path, clock: SimulatedClock) -> None:
    path = tmp_path / "state" / "hedge.jsonl"
    log = open_log(path, clock)
    with bound_contextvars(cycle_id="c1"):
        log.info("order_filled", symbol="FET/USDT:USDT", text="line\nbreak\u2028")
    log.warning("cycle", status="held")
    assert lines(path) == [
        {
            "event": "order_filled",
            "symbol": "FET/USDT:USDT",
            "text": "line\nbreak\u2028",
            "cycle_id": "c1",
            "level": "info",
            "timestamp": "2025-06-15T15:06:40.000Z",
        },
        {
            "event": "cycle",
            "status": "held",
            "level": "warning",
            "timestamp": "2025-06-15T15:06:40.000Z",
        },
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_json_does_not_know_is_written_as_text(tmp_path: Path, clock: SimulatedClock) -> None:
    path = tmp_path / "hedge.jsonl"
    log = open_log(path, clock)
    log.info("odd", number=float("nan"), inner={"x": [float("-inf"), 1.5]}, where=tmp_path)
    [event] = lines(path)
    assert (event["number"], event["inner"], event["where"]) == (
        "nan",
        {"x": ["-inf", 1.5]},
        str(tmp_path),
    )


def test_it_grows_to_a_bound_and_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "hedge.jsonl"
    file = LogFile(path, max_bytes=1_000, kept=3)
    for i in range(205):
        file.msg(json.dumps({"i": i, "filler": "x" * 80}))
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["hedge.jsonl", "hedge.jsonl.1", "hedge.jsonl.2", "hedge.jsonl.3"]
    assert all(p.stat().st_size < 1_200 for p in tmp_path.iterdir())
    kept = [e["i"] for name in sorted(names, reverse=True) for e in lines(tmp_path / name)]
    assert kept == list(range(kept[0], 205)), "no line lost or doubled in between"


def test_moved_or_removed_by_others_it_starts_anew(tmp_path: Path, clock: SimulatedClock) -> None:
    path = tmp_path / "hedge.jsonl"
    log = open_log(path, clock)
    log.info("one")
    path.rename(tmp_path / "elsewhere")
    log.info("two")
    path.unlink()
    log.info("three")
    assert [e["event"] for e in lines(path)] == ["three"]


def test_what_cannot_be_written_is_told_once_and_disturbs_nobody(
    tmp_path: Path, clock: SimulatedClock, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hedge.jsonl"
    path.mkdir()
    log = open_log(path, clock)
    log.info("one")
    log.info("two")
    assert capsys.readouterr().err == f"perphedge: log {path}: Is a directory\n"
    path.rmdir()
    log.info("three")
    path.unlink()
    path.mkdir()
    log.info("four")
    assert "Is a directory" in capsys.readouterr().err, "told again after it had worked"


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("closed file")])
def test_a_terminal_that_is_gone_disturbs_nobody(
    tmp_path: Path, clock: SimulatedClock, error: Exception
) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise error

    path = tmp_path / "hedge.jsonl"
    open_log(path, clock, echo=Gone()).info("one")
    assert [e["event"] for e in lines(path)] == ["one"]


def test_the_echo_has_a_level_and_the_file_has_all(tmp_path: Path, clock: SimulatedClock) -> None:
    echo, path = io.StringIO(), tmp_path / "hedge.jsonl"
    log = open_log(path, clock, echo=echo, echo_level="warning")
    for say in (log.debug, log.info, log.warning, log.error):
        say("event")
    assert [e["level"] for e in lines(path)] == ["debug", "info", "warning", "error"]
    told = [json.loads(line)["level"] for line in echo.getvalue().splitlines()]
    assert told == ["warning", "error"]


def test_a_terminal_gets_short_readable_lines(clock: SimulatedClock) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    echo = Terminal()
    open_log(None, clock, echo=echo).info("cycle", status="held", nested={"a": 1})
    text = echo.getvalue()
    assert "held" in text
    assert "nested" not in text
    assert text.count("\n") == 1


def test_silent_is_silent(clock: SimulatedClock, capsys: pytest.CaptureFixture[str]) -> None:
    silent_log(clock).error("nothing")
    assert capsys.readouterr() == ("", "")
