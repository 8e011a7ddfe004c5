"""A resume lifts the halts that its operator was shown, and none that came later."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.cli.main import _run
from bot.clock import SimulatedClock
from bot.controls.guard import Guard
from bot.halt import HALT_NAME, HaltSwitch
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.lock import EngineLock
from bot.requests import RESUME_NAME
from tests.execute_scene import ACCOUNT, FET

NEAR = "NEAR/USDT:USDT"


@contextmanager
def running(state: Path) -> Iterator[Guard]:
    """The guard of an engine that holds the lock, between two of its cycles."""
    clock = SimulatedClock(1_800_000_000_000)
    with EngineLock(state), Journal.open(state / JOURNAL_NAME, clock) as journal:
        yield Guard(journal, clock, ACCOUNT, switch=HaltSwitch(state))


def ask(state: Path) -> None:
    assert _run(["resume", "--state", str(state), "--by", "ann", "--reason", "looked"]) == 0
    assert (state / RESUME_NAME).exists(), "it waits for the engine"


def test_a_symbol_that_halts_after_the_request_stays_halted(tmp_path: Path) -> None:
    with running(tmp_path) as guard:
        guard.halt_symbol("slippage", FET, "fills were bad")
        ask(tmp_path)
        guard.halt_symbol("slippage", NEAR, "fills were bad here too")
        guard.take_requests()
        assert set(guard.halted_symbols) == {NEAR}
        assert not (tmp_path / RESUME_NAME).exists()
        ask(tmp_path)  # now it was shown
        guard.take_requests()
        assert not guard.halted_symbols


def test_another_control_that_trips_while_a_resume_waits_outlasts_it(tmp_path: Path) -> None:
    with running(tmp_path) as guard:
        guard.halt_all("daily_loss", "lost 900 USD")
        ask(tmp_path)
        guard.halt_all("books", "money is missing")
        guard.take_requests()
        assert guard.halted is not None
        assert "money is missing" in guard.halted
        assert "money is missing" in (tmp_path / HALT_NAME).read_text()
        ask(tmp_path)
        guard.take_requests()
        assert guard.halted is None
        assert not (tmp_path / HALT_NAME).exists()


def test_a_halt_by_hand_after_the_request_withdraws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as guard:
        guard.halt_all("daily_loss", "lost 900 USD")
        ask(tmp_path)
        assert _run(["halt", "--state", str(tmp_path), "--by", "bob", "--reason", "wait"]) == 0
        guard.take_requests()
        assert guard.halted is not None
        assert "wait" in (tmp_path / HALT_NAME).read_text()
    capsys.readouterr()


def test_what_was_put_aside_when_the_process_died_is_a_halt_again(tmp_path: Path) -> None:
    with running(tmp_path) as guard:
        HaltSwitch(tmp_path).trip("by hand")
        (tmp_path / HALT_NAME).rename(tmp_path / "LIFTING")
        guard.start({})
        assert HaltSwitch(tmp_path).reason == "by hand"
        guard.take_requests()
        assert guard.halted is not None


def test_content_that_nobody_saw_stays(tmp_path: Path) -> None:
    switch = HaltSwitch(tmp_path)
    switch.trip("first")
    seen = switch.content
    (tmp_path / HALT_NAME).write_text("second")
    switch.clear_seen(seen)
    assert HaltSwitch(tmp_path).reason == "second"
    switch.clear_seen(switch.content)
    assert HaltSwitch(tmp_path).reason is None
    assert not list(tmp_path.iterdir())
