"""The anchor beside the journal: an end cut off, an older copy and a fork are found."""

import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.errors import JournalError
from bot.journal.anchor import anchor_path, read_anchor
from bot.journal.copy import journal_copy
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME, JournalReader
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


def accept(state: Path) -> None:
    anchor_path(state / JOURNAL_NAME).write_text("accept\n")


def copied(state: Path) -> AbstractContextManager[Journal]:
    return journal_copy(state, SimulatedClock(NOW_MS))


def test_an_end_that_was_cut_off_is_found_by_the_anchor(state: Path) -> None:
    before = verify(state)
    cut(state)
    assert f"line {before} was written: the end is cut off" in trouble(state)
    with pytest.raises(JournalError, match="the end is cut off, or this is an older copy"):
        start(state)
    anchor_path(state / JOURNAL_NAME).unlink()
    assert "is gone or spoilt, so its end may be cut off" in trouble(state)
    with pytest.raises(JournalError, match="is gone or spoilt"):
        start(state)
    with pytest.raises(JournalError, match=f"journal {state}.*is gone or spoilt"), copied(state):
        pass
    accept(state)  # the operator takes it as it is, and that is told
    assert verify(state) == before - 1
    with copied(state) as copy:
        assert copy.verify().number == before, "the copy says so in itself"
    start(state)
    with JournalReader.open_reader(state / JOURNAL_NAME) as reader:
        (event,) = reader.events(kind="anchor_accepted")
    assert event.document == {"line": before - 1}
    assert verify(state) >= before


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
    accept(state)
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


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"number": 3}', b"\xff\xfe", b"accepted"])
def test_an_anchor_that_cannot_be_read_is_as_good_as_gone(state: Path, content: bytes) -> None:
    anchor_path(state / JOURNAL_NAME).write_bytes(content)
    with pytest.raises(JournalError, match="is gone or spoilt"):
        start(state)
    accept(state)
    start(state)
    assert read_anchor(state / JOURNAL_NAME) is not None


def test_the_note_that_there_must_be_an_anchor_cannot_be_taken_out(state: Path) -> None:
    anchor_path(state / JOURNAL_NAME).unlink()
    with raw(state) as db:
        db.execute("DELETE FROM meta WHERE key = 'anchored'")
    with pytest.raises(JournalError, match="of meta was removed"):
        start(state)


def test_a_crash_before_the_first_anchor_is_no_loss_of_it(tmp_path: Path) -> None:
    """The first commit is on the disk, the anchor not yet: nothing says that there was one."""
    start(tmp_path)
    anchor_path(tmp_path / JOURNAL_NAME).unlink()
    start(tmp_path)
    with Journal.open(tmp_path / JOURNAL_NAME, SimulatedClock(NOW_MS)) as journal:
        journal.record_event("first", {})
    anchor_path(tmp_path / JOURNAL_NAME).unlink()
    with pytest.raises(JournalError, match="is gone or spoilt"):
        start(tmp_path)


def test_an_anchor_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(5, "input/output error")

    with Journal.open(tmp_path / JOURNAL_NAME, SimulatedClock(NOW_MS)) as journal:
        journal.record_event("first", {})
        journal.anchor()
        before = read_anchor(journal.path)
        journal.record_event("second", {})
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", failing)
            journal.anchor()
        assert read_anchor(journal.path) == before, "what is not on the disk replaces nothing"
        journal.record_event("third", {})
    assert read_anchor(tmp_path / JOURNAL_NAME) != before
    start(tmp_path)


def test_an_anchor_is_on_the_disk_before_it_replaces_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace
    with Journal.open(tmp_path / JOURNAL_NAME, SimulatedClock(NOW_MS)) as journal:
        journal.record_event("first", {})
        monkeypatch.setattr(os, "fsync", lambda one: (done.append("sync"), sync(one))[1])
        monkeypatch.setattr(
            Path, "replace", lambda one, to: (done.append("replace"), replace(one, to))[1]
        )
        journal.anchor()
    assert done == ["sync", "replace"]
