"""Commits that do not wait for the disk: what a power cut takes, and what it can never take."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

import bot.journal.durability
from bot.clock import SimulatedClock
from bot.errors import JournalError
from bot.faults.disk import Disk, Mount
from bot.faults.driver import connect
from bot.journal.anchor import read_anchor
from bot.journal.chain import Head
from bot.journal.journal import Journal
from bot.records.cycle import CycleRecord, CycleStatus
from bot.trading.orders import OrderState
from tests.execute_scene import ACCOUNT, FET, NOW_MS, TAO, acknowledged, fill, order, send

FIRST, SECOND = order("h1"), order("h2", symbol=TAO, intent_id="i2")
CUTS = 20


class Machine:
    """A journal whose log lies on a disk that can lose it; its anchor lies in a real folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.sqlite"
        self.disk = Disk()
        self.clock = SimulatedClock(NOW_MS)

    def start(self) -> Journal:
        self.mount = Mount(self.disk, lambda _name: None, lambda _name: None)
        return Journal.open(
            self.path,
            self.clock,
            install_key=b"k" * 32,
            opener=lambda path, _ms: connect(self.mount, path, lambda _ms: NOW_MS),  # type: ignore[arg-type,return-value]  # apsw's own connection, which answers as sqlite3's does
        )

    def kill(self) -> None:
        self.mount.alive = False

    def cut_power(self, seed: int = 0) -> None:
        self.kill()
        self.disk.cut_power(random.Random(seed))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def told_without_waiting(journal: Journal) -> None:
    """An order that was sent and filled, of which the disk may not know the latter."""
    send(journal, FIRST)
    with journal.durable_with_next():
        journal.record_outcome(acknowledged(FIRST))


def cycle(journal: Journal, cycle_id: str) -> None:
    journal.record_cycle(CycleRecord(cycle_id, "t", NOW_MS, CycleStatus.HEDGED, "because"))


def test_the_next_commit_has_all_before_it(machine: Machine) -> None:
    journal = machine.start()
    send(journal, FIRST)
    assert machine.disk.unsynced_bytes() == 0
    with journal.durable_with_next():
        journal.record_outcome(acknowledged(FIRST))
    assert machine.disk.unsynced_bytes() > 0
    send(journal, SECOND)
    assert machine.disk.unsynced_bytes() == 0
    machine.cut_power()
    with machine.start() as again:
        first = again.order("h1")
        assert first is not None
        assert first.state is OrderState.FILLED


def test_a_lost_outcome_leaves_an_order_that_is_asked_for(machine: Machine) -> None:
    with machine.start() as journal:
        cycle(journal, "c1")
    journal = machine.start()
    told_without_waiting(journal)
    journal.anchor()
    assert read_anchor(machine.path) is not None
    machine.disk.cut_power(_never())
    machine.kill()
    with machine.start() as again:  # and nobody is said to have cut the end off
        (row,) = again.sending_to_unknown()
        assert (row.client_id, row.state) == ("h1", OrderState.UNKNOWN)
        again.verify()


def _never() -> random.Random:
    class Never(random.Random):
        def random(self) -> float:
            return 1.0

    return Never()


def test_what_a_power_cut_leaves_is_whole_and_has_every_order_that_left(machine: Machine) -> None:
    states = set()
    for seed in range(CUTS):
        one = Machine(machine.path.parent / str(seed))
        one.path.parent.mkdir()
        journal = one.start()
        cycle(journal, "c1")
        told_without_waiting(journal)
        journal.anchor()
        one.cut_power(seed)
        with one.start() as again:
            again.verify()
            row = again.order("h1")
            assert row is not None
            states.add(row.state)
    assert states == {OrderState.SENDING}, "half a commit is none, and the rest is not spared"


def test_an_anchor_ahead_of_the_disk_would_accuse_the_disk_of_a_crime(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_early(self: bot.journal.durability.Durability, head: Head | None) -> None:
        self.safe = head or self.safe

    monkeypatch.setattr(bot.journal.durability.Durability, "committed", too_early)
    journal = machine.start()
    told_without_waiting(journal)
    journal.anchor()
    machine.disk.cut_power(_never())
    machine.kill()
    with pytest.raises(JournalError, match="the end is cut off"):
        machine.start()


def test_what_a_killed_process_left_is_on_the_disk_before_the_anchor_tells_of_it(
    machine: Machine,
) -> None:
    journal = machine.start()
    told_without_waiting(journal)
    machine.kill()
    again = machine.start()
    assert machine.disk.unsynced_bytes() == 0
    assert read_anchor(machine.path) == again.verify()
    machine.cut_power()
    with machine.start() as third:
        row = third.order("h1")
        assert row is not None
        assert row.state is OrderState.FILLED


def test_a_close_in_good_order_loses_nothing(machine: Machine) -> None:
    with machine.start() as journal:
        told_without_waiting(journal)
    machine.cut_power()
    with machine.start() as again:
        row = again.order("h1")
        assert row is not None
        assert row.state is OrderState.FILLED
        anchor = read_anchor(machine.path)
        assert anchor == again.verify()


def test_a_block_of_writes_waits_as_its_outermost_says(machine: Machine) -> None:
    journal = machine.start()
    with journal.together("all"), journal.durable_with_next():
        journal.record_event("inside", {})
    assert machine.disk.unsynced_bytes() == 0
    with journal.durable_with_next(), journal.together("all"):
        journal.record_event("inside", {})
    assert machine.disk.unsynced_bytes() > 0


def test_a_write_that_fails_leaves_the_next_one_waiting(machine: Machine) -> None:
    journal = machine.start()
    send(journal, FIRST)
    with pytest.raises(JournalError, match="not in the journal"), journal.durable_with_next():
        journal.record_outcome(acknowledged(SECOND))
    journal.record_event("after", {})
    assert machine.disk.unsynced_bytes() == 0


_BEGINNING = """
from pathlib import Path
from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from tests.execute_scene import NOW_MS, acknowledged, order, send
"""


def test_a_real_file_is_left_whole_by_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    script = (
        f"import os, signal\n{_BEGINNING}"
        f"journal = Journal.open(Path({str(path)!r}), SimulatedClock(NOW_MS))\n"
        "send(journal, order('h1'))\n"
        "with journal.durable_with_next():\n"
        "    journal.record_outcome(acknowledged(order('h1')))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", script], cwd=root, check=False)  # noqa: S603 - our own script
    assert done.returncode == -9
    with Journal.open(path, SimulatedClock(NOW_MS)) as again:
        row = again.order("h1")
        assert row is not None
        assert row.state is OrderState.FILLED
        assert read_anchor(path) is not None


@pytest.mark.parametrize("seed", range(CUTS))
def test_a_booking_that_a_power_cut_takes_is_asked_for_again(machine: Machine, seed: int) -> None:
    journal, told = machine.start(), [fill("t1", client_id=FIRST.client_id)]
    told_without_waiting(journal)
    with journal.durable_with_next():
        journal.record_fills(ACCOUNT, FET, told, read_ms=NOW_MS)
    assert machine.disk.unsynced_bytes() > 0
    machine.cut_power(seed)
    with machine.start() as again:
        booked = bool(again.own_fills(ACCOUNT))
        assert (again.watermark(ACCOUNT, FET) == NOW_MS) is booked, "both of it, or nothing"
        assert bool(again.unresolved_orders(ACCOUNT)) is not booked
        again.record_outcome(acknowledged(FIRST))
        assert len(again.record_fills(ACCOUNT, FET, told, read_ms=NOW_MS)) == (not booked)
        assert [own.fill.trade_id for own in again.own_fills(ACCOUNT)] == ["t1"]
        assert again.unresolved_orders(ACCOUNT) == ()
