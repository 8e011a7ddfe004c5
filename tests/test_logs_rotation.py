"""The log's file is put aside by size; who follows the hedge log meanwhile misses nothing."""

import json
import subprocess
import threading
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.logs import LOG_NAME, open_log
from config.load import load_settings
from tests.config_words import GOOD
from tests.e2e_scene import finish, start


def lines_of(path: Path) -> list[int]:
    return [json.loads(line)["number"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_so_many_files_are_kept_and_no_line_is_cut_or_lost(tmp_path: Path, kept: int) -> None:
    log = open_log(tmp_path / LOG_NAME, SystemClock(), max_bytes=2_000, kept=kept)
    for number in range(200):
        log.info("something", number=number)
    log.info("last", number=200)
    files = [tmp_path / f"{LOG_NAME}.{n}" for n in range(kept, 0, -1)] + [tmp_path / LOG_NAME]
    assert sorted(tmp_path.iterdir()) == sorted(one for one in files if one.exists())
    assert all(one.exists() for one in files[:-1])
    assert all(one.stat().st_size < 2_200 for one in files if one.exists())
    numbers = [n for one in files if one.exists() for n in lines_of(one)]
    assert numbers == list(range(numbers[0], 201))


def test_size_and_count_are_settings(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD + "log: {max_mb: 0.5, kept: 9}\n")
    found = load_settings(path).log
    assert (found.max_mb, found.kept) == (0.5, 9)


def test_following_goes_on_over_a_rotation(tmp_path: Path) -> None:
    clock = SystemClock()
    with Journal.open(tmp_path / JOURNAL_NAME, clock) as journal:
        log = open_log(tmp_path / LOG_NAME, clock, max_bytes=1_000, kept=1)
        journal.record_event("resumed", _resumed(0))
        process = start("log", "--follow", "--json", "--state", str(tmp_path))
        told: list[str] = []
        reader = threading.Thread(target=_read, args=(process, told), daemon=True)
        reader.start()
        for number in range(1, 40):
            journal.record_event("resumed", _resumed(number))
            log.info("resumed", number=number, words="long " * 50)
        reader.join(60)
        process.terminate()
        finish(process)
    assert told == [f"reason {number}" for number in range(40)]
    assert (tmp_path / f"{LOG_NAME}.1").exists(), "it was put aside meanwhile"


def _resumed(number: int) -> dict[str, object]:
    return {"by": "ann", "reason": f"reason {number}", "was": None, "symbols": [], "alerts": []}


def _read(process: "subprocess.Popen[str]", told: list[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        told.append(json.loads(line)["reason"])
        if len(told) == 40:
            return
