"""Services that hang, refuse one text or end their thread, and a journal that cannot be used."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerting.apart import send_apart
from bot.alerting.desk import AlertDesk, Sends
from bot.alerting.journal_trouble import LASTS_MS
from bot.alerting.message import Message
from bot.alerting.rules import Route, Rules
from bot.alerting.subjects import Subject, subject_of_alert
from bot.clock import SimulatedClock
from bot.controls.guard import Guard
from bot.errors import JournalError
from bot.journal.journal import Journal
from bot.logs import silent_log
from bot.records.event_kinds import Weight
from tests.alert_scene import RULES, desk_of, events, receiving, turns
from tests.execute_scene import ACCOUNT, FET


@pytest.fixture
def guard(journal: Journal, clock: SimulatedClock) -> Guard:
    return Guard(journal, clock, ACCOUNT)


class Stuck:
    """A service whose first so many messages hang until the gate opens."""

    def __init__(self, hangs: int) -> None:
        self.hangs, self.gate = hangs, threading.Event()
        self.asked: list[str] = []

    def send(self, message: Message, _: Weight) -> None:
        self.asked.append(message.body)
        if len(self.asked) <= self.hangs:
            assert self.gate.wait(30)

    def was_asked(self, times: int) -> Callable[[], bool]:
        return lambda: len(self.asked) == times


def stuck_desk(journal: Journal, clock: SimulatedClock, guard: Guard, service: Sends) -> AlertDesk:
    return AlertDesk(
        RULES,
        {"phone": service},
        journal,
        clock,
        silent_log(clock),
        account=ACCOUNT,
        subjects=lambda: [subject_of_alert(one) for one in guard.alerts],
    )


async def test_a_route_goes_on_without_a_thread_that_hangs(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    guard.alert("missing_fee", FET, "no fee")
    service = Stuck(1)
    desk = stuck_desk(journal, clock, guard, service)
    await turns(desk, lambda: service.asked)
    clock.advance_to(clock.now_ms() + 15_000)
    await turns(desk, lambda: events(journal, "alert_not_sent"))
    clock.advance_to(clock.now_ms() + 45_000)
    await turns(desk, lambda: events(journal, "alert_sent"))
    assert len(service.asked) == 2
    service.gate.set()
    await turns(desk, lambda: not desk._hung["phone"])
    desk.turn()
    assert len(events(journal, "alert_sent")) == 2, "that it came twice is in the journal"


async def test_so_many_threads_of_a_route_hang_at_most(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    guard.alert("missing_fee", FET, "no fee")
    service = Stuck(99)
    desk = stuck_desk(journal, clock, guard, service)
    for number in range(1, 4):
        await turns(desk, service.was_asked(number))
        for _ in range(2):  # failed, then given up
            clock.advance_to(clock.now_ms() + 60_000)
            desk.turn()
    for _ in range(10):
        clock.advance_to(clock.now_ms() + 600_000)
        desk.turn()
    assert (len(service.asked), len(desk._hung["phone"])) == (3, 3)
    service.hangs = 0
    service.gate.set()
    await turns(desk, lambda: not desk._hung["phone"])
    assert events(journal, "alert_sent")


async def test_a_service_that_ends_its_thread_is_a_failure_like_others(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    class Ends:
        def send(self, message: Message, weight: Weight) -> None:
            raise SystemExit(1)

    guard.alert("missing_fee", FET, "no fee")
    desk = stuck_desk(journal, clock, guard, Ends())
    await turns(desk, lambda: events(journal, "alert_not_sent"))
    assert events(journal, "alert_not_sent")[0]["reason"] == "SystemExit"


async def test_one_text_that_a_service_refuses_keeps_no_other_back(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    for number in range(9):
        guard.alert("missing_fee", f"T{number}", f"no fee of trade {number}")
    with receiving(refuses="of trade 4") as receiver:
        desk = desk_of(journal, clock, guard, {"phone": receiver.address})
        await turns(desk, lambda: events(journal, "alert_not_sent"))
    text = " ".join(taken["message"] for taken in receiver.taken)
    assert [number for number in range(9) if f"of trade {number}" in text] == [
        *range(4),
        *range(5, 9),
    ]
    [sent], [failed] = events(journal, "alert_sent"), events(journal, "alert_not_sent")
    assert len(sent["alerts"]) == 8
    assert failed["alerts"] == ["missing_fee:T4"]


async def test_signs_of_markup_arrive_as_they_are(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    guard.alert("missing_fee", FET, "a_b *c* <d> & [e](f)")
    with receiving() as receiver:
        kinds = ("", "?format=html", "?format=markdown")
        addresses = {f"phone{kind}": receiver.address + kind for kind in kinds}
        rules = Rules([Route(name) for name in addresses])
        desk = desk_of(journal, clock, guard, addresses, rules)
        await turns(desk, lambda: len(receiver.taken) == 3)
    texts = [taken["message"] for taken in receiver.taken]  # in no order of their own
    [hyper] = [text for text in texts if "&lt;" in text]
    [marked] = [text for text in texts if "\\_" in text]
    [plain] = [text for text in texts if text not in (hyper, marked)]
    assert "a_b *c* <d> & [e](f)" in plain
    assert "&lt;d&gt;" in hyper
    assert "a\\_b \\*c\\* <d\\>" in marked


async def test_alerts_in_memory_leave_without_a_journal_which_is_told_too(
    tmp_path: Path, clock: SimulatedClock
) -> None:
    class Locked:
        """The journal as it is while its disk is gone; the alerts are in memory."""

        def __init__(self, real: Journal) -> None:
            self.real, self.gone = real, True

        def __getattr__(self, name: str) -> Any:
            if self.gone and name in ("record_event", "set_meta", "meta_keys"):
                raise JournalError("the disk is gone")
            return getattr(self.real, name)

    with Journal.open(tmp_path / "journal.sqlite", clock) as real, receiving() as receiver:
        guard, journal = Guard(real, clock, ACCOUNT), Locked(real)
        guard.halt_all("journal_failed", "the disk is full")
        desk = desk_of(
            journal,  # type: ignore[arg-type]
            clock,
            guard,
            {"phone": receiver.address},
            waiting=lambda: [Subject(one, Weight.NOTE, 0, "") for one in journal.meta_keys("x")],
        )
        await turns(desk, lambda: len(receiver.taken) == 1)
        assert "the disk is full" in receiver.taken[0]["message"]
        clock.advance_to(clock.now_ms() + LASTS_MS)
        await turns(desk, lambda: len(receiver.taken) == 2)
        assert "kept or read: the disk is gone" in receiver.taken[1]["message"]
        assert not events(real, "alert_sent")
        journal.gone = False
        await turns(desk, lambda: len(events(real, "alert_sent")) == 2)
        kept = json.loads(real.meta(f"alerting:{ACCOUNT}") or "[]")
    assert {one["key"]: one["due_ms"] for one in kept}["journal_failed:"] is None


async def test_a_lock_of_a_moment_is_nobody_s_business(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    fails = [True]

    def waiting() -> list[Subject]:
        if fails:
            raise JournalError("locked")
        return []

    service = Stuck(0)
    desk = stuck_desk(journal, clock, guard, service)
    desk._waiting = waiting
    for _ in range(3):
        desk.turn()
        clock.advance_to(clock.now_ms() + 3_000)
    fails.clear()
    for _ in range(9):
        desk.turn()
        clock.advance_to(clock.now_ms() + 3_000)
    assert service.asked == []


@given(
    count=st.integers(1, 20),
    poison=st.sets(st.integers(0, 19)),
)
def test_all_that_a_service_takes_gets_there_in_as_many_tries_as_there_are_texts(
    count: int, poison: set[int]
) -> None:
    messages: list[Sequence[int]] = []

    def send(part: Sequence[int]) -> None:
        messages.append(part)
        if poison.intersection(part):
            raise OSError("refused")

    waiting = list(range(count))
    for attempt in range(count):
        if waiting:
            messages.clear()
            taken = send_apart(waiting, send, attempt=attempt).taken
            assert len(messages) <= 2 * len(waiting)
            assert taken or len(messages) <= 2 + len(waiting).bit_length()
            assert not poison.intersection(taken)
            waiting = [one for one in waiting if one not in taken]
    assert set(waiting) == poison.intersection(range(count))


def test_a_service_that_is_asked_no_more_gets_no_further_part() -> None:
    asked: list[Sequence[int]] = []

    def send(part: Sequence[int]) -> None:
        asked.append(part)
        raise OSError("refused")

    found = send_apart([1, 2, 3, 4], send, goes_on=lambda: False)
    assert (asked, found.taken) == ([(1, 2, 3, 4)], ())
    assert isinstance(found.error, OSError)
