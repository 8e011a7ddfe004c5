"""The anchor beside the journal: an end cut off, an older copy and a fork are found."""

import shutil
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.errors import JournalError
from bot.journal.anchor import anchor_path, read_anchor
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.lock import engine_state
from tests.chain_scene import raw, start, stopped, trouble, verify
from tests.execute_scene import NOW_MS


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stopped(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def state(sound: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(sound, tmp_path / "state"))


def cut(state: Path) -> None:
    """Takes the newest event away, so that what is left is a perfect chain."""
    with raw(state) as db:
        db.execute("DELETE FROM events WHERE id = (SELECT max(id) FROM events)")
        db.execute("DELETE FROM chain WHERE id = (SELECT max(id) FROM chain)")


def test_an_end_that_was_cut_off_is_found_by_the_anchor(state: Path) -> None:
    before = verify(state)
    cut(state)
    assert f"line {before} was written: the end is cut off" in trouble(state)
    with pytest.raises(JournalError, match="the end is cut off, or this is an older copy"):
        start(state)
    anchor_path(state / JOURNAL_NAME).unlink()
    assert verify(state) == before - 1, "without an anchor nothing tells that there was more"


def test_an_older_copy_is_refused_and_so_is_a_journal_that_is_gone(
    state: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copytree(state, tmp_path / "old"))
    with engine_state(state, SimulatedClock(NOW_MS)) as journal:
        journal.record_event("more", {})
    start(state)
    shutil.copy(old / JOURNAL_NAME, state / JOURNAL_NAME)
    with pytest.raises(JournalError, match="older copy"), engine_state(state, SimulatedClock(0)):
        pass
    anchor_path(state / JOURNAL_NAME).unlink()  # the operator takes it as it is
    start(state)
    (state / JOURNAL_NAME).unlink()
    with pytest.raises(JournalError, match="it is gone, and line"):
        start(state)


def test_a_forked_history_is_found_by_the_anchor(state: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(state, tmp_path / "other"))
    for folder, kind in ((state, "one"), (other, "two")):
        with Journal.open(folder / JOURNAL_NAME, SimulatedClock(NOW_MS)) as journal:
            journal.record_event(kind, {})
    shutil.copy(other / JOURNAL_NAME, state / JOURNAL_NAME)
    with pytest.raises(JournalError, match="is another one than was written"):
        start(state)


def test_a_start_reads_what_came_after_the_anchor(state: Path) -> None:
    anchor = anchor_path(state / JOURNAL_NAME).read_bytes()
    with Journal.open(state / JOURNAL_NAME, SimulatedClock(NOW_MS)) as journal:
        journal.record_event("last", {"n": 1})
    anchor_path(state / JOURNAL_NAME).write_bytes(anchor)  # as a crash leaves it
    start(state)
    anchor_path(state / JOURNAL_NAME).write_bytes(anchor)
    with raw(state) as db:
        db.execute("""UPDATE events SET document = '{"n":2}' WHERE kind = 'last'""")
    with pytest.raises(JournalError, match="of events was changed"):
        start(state)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"number": 3}', b"\xff\xfe"])
def test_an_anchor_that_cannot_be_read_is_none(state: Path, content: bytes) -> None:
    anchor_path(state / JOURNAL_NAME).write_bytes(content)
    start(state)
    assert read_anchor(state / JOURNAL_NAME) is not None
