"""Settings of the whole suite, and an empty journal for tests that need no more.

Properties try the same examples at every run, so that a change is judged by what it changes.
``make search`` tries others: what it finds becomes a test of its own.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from tests.execute_scene import NOW_MS

settings.register_profile("steady", derandomize=True)
settings.register_profile("search", derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


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
