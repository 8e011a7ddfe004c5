"""Settings of the whole suite, and an empty journal for tests that need no more.

Properties try the same examples at every run, so that a change is judged by what it changes.
``make search`` tries others: what it finds becomes a test of its own.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.journal.writer import JournalWriter
from bot.records.event_kinds import EVENTS, missing_and_unknown
from tests.execute_scene import NOW_MS

settings.register_profile("steady", derandomize=True)
settings.register_profile("search", derandomize=False, print_blob=True)
_ENGINE = f"{Path(__file__).resolve().parents[1] / 'bot'}/"

# Under nohup nobody may interrupt the tests, nor what they start; that is interrupted all the same.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(autouse=True, scope="session")
def _only_known_events() -> Iterator[None]:
    """Whatever the engine writes into a journal has the fields that the log's schema promises."""
    write = JournalWriter._insert_event

    def checked(self: JournalWriter, db: Any, kind: str, document: Any, *ids: Any) -> None:
        # Tests and benchmarks make events up.
        if sys._getframe(2).f_code.co_filename.startswith(_ENGINE):
            assert kind in EVENTS, f"bot/records/event_kinds.py does not know {kind}"
            wrong = missing_and_unknown(kind, document)
            assert wrong == (set(), set()), f"bot/records/event_kinds.py: {kind} {wrong}"
        write(self, db, kind, document, *ids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JournalWriter, "_insert_event", checked)
        yield


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW_MS)


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    return tmp_path / "state" / JOURNAL_NAME


@pytest.fixture
def journal(journal_path: Path, clock: SimulatedClock) -> Iterator[Journal]:
    with Journal.open(journal_path, clock) as opened:
        yield opened
