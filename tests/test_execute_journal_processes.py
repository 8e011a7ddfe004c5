"""The journal and processes: a kill at any point leaves the truth; a second engine is refused."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.errors import JournalError, LockHeldError
from bot.journal.journal import Journal
from bot.lock import LOCK_NAME, EngineLock, engine_state, lock_holder
from bot.trading.orders import OrderState
from tests.execute_scene import ACCOUNT, FET, NOW_MS

CRASH = """
import sys, time
from pathlib import Path
from tests.execute_scene import *
from bot.trading.orders import UnknownOutcome
journal = Journal.open(Path(sys.argv[1]), SimulatedClock(NOW_MS))
journal.start_epoch()
stage = sys.argv[2]
if stage == "intent":
    journal.record_intents([intent()])
else:
    send(journal, order())
if stage == "outcome":
    journal.record_outcome(acknowledged(order()))
if stage == "fills":
    journal.record_outcome(acknowledged(order()))
    journal.record_fills(ACCOUNT, FET, [fill(venue_order_id="v-h1order")], read_ms=NOW_MS)
if stage == "transaction":
    journal._connection.execute("BEGIN IMMEDIATE")
    journal._connection.execute("UPDATE orders SET state = 'filled'")
print("ready", flush=True)
time.sleep(60)
"""


def killed(path: Path, stage: str) -> None:
    """Runs the engine's writes up to a stage in a process of its own, then SIGKILL."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", CRASH, str(path), stage],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize(
    ("stage", "state", "held"),
    [
        ("intent", None, 0),
        ("sending", OrderState.UNKNOWN, 0),
        ("transaction", OrderState.UNKNOWN, 0),
        ("outcome", OrderState.FILLED, 0),
        ("fills", OrderState.FILLED, -1000),
    ],
)
def test_a_kill_at_any_point_leaves_the_truth(
    journal_path: Path, clock: SimulatedClock, stage: str, state: OrderState | None, held: int
) -> None:
    killed(journal_path, stage)
    with Journal.open(journal_path, clock) as journal:
        interrupted = journal.sending_to_unknown()
        row = journal.order("h1order")
        assert (row and row.state) == state
        assert [r.client_id for r in interrupted] == (
            ["h1order"] if state is OrderState.UNKNOWN else []
        )
        assert journal.own_positions(ACCOUNT).get((FET, "BOTH"), 0) == held
        # A filled order whose fills are not booked blocks its symbol until they are.
        blocked = bool(journal.unresolved_orders(ACCOUNT))
        assert blocked is (stage in {"sending", "transaction", "outcome"})
        assert journal.start_epoch() == 2


HOLD = """
import sys, time
from pathlib import Path
from bot.clock import SystemClock
from bot.lock import engine_state
with engine_state(Path(sys.argv[1]), SystemClock()) as journal:
    print(journal.epoch, flush=True)
    time.sleep(60)
"""


def test_a_second_engine_is_refused_and_the_first_named(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", HOLD, str(state)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert first.stdout is not None
    try:
        assert first.stdout.readline() == "1\n"
        assert lock_holder(state) == first.pid
        with pytest.raises(LockHeldError, match=f"process {first.pid}"):
            EngineLock(state).acquire()
    finally:
        first.kill()
        first.wait()
        first.stdout.close()
    assert lock_holder(state) is None
    assert (state / LOCK_NAME).read_text() == f"{first.pid}\n", "as a killed engine leaves it"
    with engine_state(state, SimulatedClock(NOW_MS)) as journal:  # a kill gives the lock back
        assert journal.epoch == 2
        assert lock_holder(state) == os.getpid()
    assert lock_holder(state) is None


def test_an_engine_is_seen_from_where_its_process_is_not(tmp_path: Path) -> None:
    """The dashboard's container sees the files of the engine's, and not its processes."""
    with EngineLock(tmp_path):
        (tmp_path / LOCK_NAME).write_text("4194305\n")  # beyond the largest number of a process
        assert lock_holder(tmp_path) == 4194305
        (tmp_path / LOCK_NAME).write_text("")
        assert lock_holder(tmp_path) == 0


def test_asking_who_runs_keeps_no_engine_from_starting(tmp_path: Path) -> None:
    """Each start finds the lock free, however often others ask meanwhile."""
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            lock_holder(tmp_path)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for one in asking:
        one.start()
    try:
        for _ in range(300):
            with EngineLock(tmp_path):
                assert lock_holder(tmp_path) == os.getpid()
    finally:
        over.set()
        for one in asking:
            one.join()


def test_a_disk_that_cannot_lock_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("bot.lock._mark", refuse)
    with pytest.raises(JournalError, match="Invalid argument; check state_dir"):
        EngineLock(tmp_path).acquire()
    monkeypatch.undo()
    with EngineLock(tmp_path):  # nothing of the failed one is left
        assert lock_holder(tmp_path) == os.getpid()
