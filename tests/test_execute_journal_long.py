"""A long journal: verified, sealed and copied without lying in memory."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SimulatedClock
from bot.journal.copy import journal_copy
from bot.journal.journal import Journal
from bot.journal.last_lines import LastLines
from bot.journal.reader import JOURNAL_NAME
from bot.journal.verify import seal_unsealed, verify_all
from tests.chain_scene import raw
from tests.execute_scene import NOW_MS

ROWS = 5_000
MOST_BYTES = 600_000
"""A line of the chain kept in memory takes 250 bytes or more: these would be 1.3 MB."""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    with Journal.open(folder / JOURNAL_NAME, SimulatedClock(NOW_MS)) as journal:
        for _ in range(10):
            with journal.together("write much"):
                for n in range(ROWS // 10):
                    journal.record_event("signal", {"n": n})
    return folder


@st.composite
def puts(draw: st.DrawFn) -> list[int]:
    close = st.integers(-3, 60)
    far = st.integers(-(2**63), 2**63 - 1)
    return draw(st.lists(st.one_of(close, far), max_size=80))


@given(puts(), puts())
def test_last_lines_are_those_of_a_dictionary(rows: list[int], taken: list[int]) -> None:
    lines, plain = LastLines(), dict[int, int]()
    for number, row in enumerate(rows, start=1):
        lines.put(row, number)
        plain[row] = number
    assert dict(lines.items()) == plain
    for row in taken:
        assert lines.pop(row) == plain.pop(row, 0)
    assert dict(lines.items()) == plain


def test_verifying_and_sealing_keep_no_line_in_memory(state: Path) -> None:
    with raw(state) as db:
        tracemalloc.start()
        try:
            head = verify_all(db, None)
            db.execute("BEGIN")
            seal_unsealed(db)
            db.execute("DELETE FROM chain")
            seal_unsealed(db)  # all of it anew, as after a migration that changed every row
            again, last = db.execute("SELECT count(*), max(id) FROM chain").fetchone()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            db.execute("ROLLBACK")
    assert head.number > ROWS
    assert again == last > ROWS
    assert most < MOST_BYTES


def test_a_copy_of_it_is_whole_and_lies_on_the_disk(state: Path) -> None:
    tracemalloc.start()
    try:
        with journal_copy(state, SimulatedClock(NOW_MS)) as copy:
            events = copy.newest_event()
            _, most = tracemalloc.get_traced_memory()
            copy.verify()
    finally:
        tracemalloc.stop()
    assert events == ROWS
    assert most < MOST_BYTES
