"""The disk under the journal: what a power cut takes, and what SQLite makes of it."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.errors import JournalError
from bot.faults.disk import Disk, DiskFile, Mount
from bot.faults.driver import connect
from bot.faults.errors import ProcessEndedError
from bot.journal.journal import Journal

PATH = Path("/simulated/journal.sqlite")
NOW_MS = 1_750_000_000_000


class Machine:
    """One disk, and journals on it."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.clock = SimulatedClock(NOW_MS)
        self.die_at: Callable[[str], bool] = lambda _name: False
        self.fired: list[str] = []

    def _cross(self, name: str) -> None:
        if self.die_at(name):
            self.mount.alive = False
            raise ProcessEndedError

    def start(self) -> Journal:
        self.mount = Mount(self.disk, self._cross, self.fired.append)
        return Journal.open(
            PATH,
            self.clock,
            install_key=b"k" * 32,
            opener=lambda path, _ms: connect(self.mount, path, self._wait),  # type: ignore[arg-type,return-value]  # apsw's own connection, which answers as sqlite3's does
        )

    def _wait(self, milliseconds: int) -> int:
        self.clock.advance_to(self.clock.now_ms() + milliseconds)
        return self.clock.now_ms()


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_what_was_not_synced_is_gone_after_a_power_cut() -> None:
    file = DiskFile()
    file.write(b"safe", 0)
    file.unsynced.clear()
    file.write(b"lost", 2)
    file.truncate(1)
    file.write(b"more", 9)
    file.cut_power(_never())
    assert bytes(file.content) == b"safe"


def test_what_a_sync_lost_is_brought_to_the_disk_by_no_later_one() -> None:
    file = DiskFile()
    file.write(b"safe....", 0)
    file.synced()
    file.write(b"lost", 4)
    file.lose_sync()
    file.write(b"more", 8)
    file.synced()
    assert bytes(file.content) == b"safelostmore", "programs see it"
    again = DiskFile(bytearray(file.content), [], list(file.forgotten))
    file.cut_power(_never())
    assert bytes(file.content) == b"safe....more"
    again.write(b"lost", 4)
    again.synced()
    again.cut_power(_never())
    assert bytes(again.content) == b"safelostmore", "written once more, and synced"


@pytest.mark.parametrize("restarted", [False, True])
def test_a_sync_that_fails_once_behind_a_commit_that_did_not_wait_takes_nothing_told_safe(
    machine: Machine, restarted: bool
) -> None:
    """The system tells of it only once, and takes for clean what the disk has not."""
    journal = machine.start()
    journal.record_event("first", {})
    with journal.durable_with_next():
        journal.record_event("not waited for", {})
    machine.disk.losing_in = 0
    with pytest.raises(JournalError, match="the disk failed"):
        journal.record_event("waited for", {})
    assert machine.fired == ["sync_lost_once"]
    with pytest.raises(JournalError, match="restart"):
        journal.record_event("after it", {})
    machine.mount.alive = False
    seen = ["first"]
    if restarted:  # what it finds in the log it brings into the file, and waits for that
        with machine.start() as again:
            seen = [event.kind for event in again.events()]
        assert seen[:2] == ["first", "not waited for"]
        machine.mount.alive = False
    machine.disk.cut_power(_never())
    with machine.start() as last:
        assert [event.kind for event in last.events()] == seen


def _never() -> random.Random:
    class Never(random.Random):
        def random(self) -> float:
            return 1.0

    return Never()


def test_a_committed_event_survives_a_power_cut_and_one_in_the_making_does_not(
    machine: Machine,
) -> None:
    journal = machine.start()
    journal.record_event("kept", {})
    assert machine.disk.unsynced_bytes() == 0
    machine.die_at = lambda name: name == "journal.sync.before"
    with pytest.raises(ProcessEndedError):
        journal.record_event("lost", {})
    machine.disk.cut_power(_never())
    machine.die_at = lambda _name: False
    with machine.start() as again:
        assert [event.kind for event in again.events()] == ["kept"]


def test_without_syncing_a_power_cut_takes_commits(machine: Machine) -> None:
    journal = machine.start()
    journal._connection.execute("PRAGMA synchronous=OFF")
    journal.record_event("told to be safe", {})
    assert machine.disk.unsynced_bytes() > 0
    machine.mount.alive = False
    machine.disk.cut_power(_never())
    with machine.start() as again:
        assert again.events() == []


@pytest.mark.parametrize(
    ("trouble", "words"), [("full", "the disk is full"), ("failing", "the disk failed")]
)
def test_trouble_of_the_disk_is_one_line(machine: Machine, trouble: str, words: str) -> None:
    journal = machine.start()
    machine.disk.spoil(trouble, 0)
    with pytest.raises(JournalError, match=words):
        journal.record_event("x", {})
    machine.disk.heal()
    if trouble == "failing":  # what the disk holds is no longer known
        with pytest.raises(JournalError, match="restart"):
            journal.record_event("x", {})
    else:
        journal.record_event("x", {})


def test_a_lock_is_waited_for_and_then_told(machine: Machine) -> None:
    journal = machine.start()
    machine.disk.locked_until_ms = NOW_MS + 10_000
    with pytest.raises(JournalError, match="keeps it locked"):
        journal.record_event("x", {})
    journal.record_event("x", {})  # five seconds later the lock ends in time
    assert machine.fired == ["journal_locked"]  # one lock, however often it is met


def test_rows_read_as_those_of_pythons_own_module(machine: Machine, tmp_path: Path) -> None:
    with machine.start() as one, Journal.open(tmp_path / "j", machine.clock) as other:
        for journal in (one, other):
            journal.record_event("a", {"n": 1})
            journal.set_meta("x", "y")
        assert one.events() == other.events()
        assert one.meta("x") == other.meta("x")
        with pytest.raises(JournalError, match="UNIQUE"), one._transaction("x") as db:
            db.execute("INSERT INTO meta VALUES ('x', 'z')")
        assert issubclass(sqlite3.IntegrityError, sqlite3.Error)
