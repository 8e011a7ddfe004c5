"""Alerts through apprise to a real server: taken, refused, slow, gone and back; nothing waits."""

import asyncio
import logging
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.alerting.desk import AlertDesk
from bot.alerting.rules import Route, Rules
from bot.alerting.service import Service
from bot.alerting.subjects import Subject, subject_of_alert
from bot.clock import SimulatedClock
from bot.controls.guard import Guard
from bot.journal.journal import Journal
from bot.logs import open_log, silent_log
from bot.records.event_kinds import Weight
from bot.requests import Asked
from tests.alert_scene import RULES, TOKEN, desk_of, events, receiving, turns
from tests.execute_scene import ACCOUNT, FET, NOW_MS


@pytest.fixture
def guard(journal: Journal, clock: SimulatedClock) -> Guard:
    return Guard(journal, clock, ACCOUNT)


async def test_an_alert_is_taken_once_in_words_that_say_what_to_do(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    guard.alert("missing_fee", FET, "no fee of trade 1")
    with receiving() as receiver:
        desk = desk_of(journal, clock, guard, {"phone": receiver.address})
        await turns(desk, lambda: events(journal, "alert_sent"))
        for _ in range(5):
            desk.turn()
    [taken] = receiver.taken
    ident = subject_of_alert(guard.alerts[0]).ident
    assert receiver.paths == [f"/{TOKEN}"]
    assert (taken["title"], taken["type"]) == ("perphedge: warning", "warning")
    assert f"control 28 (missing_fee) {FET}: no fee of trade 1" in taken["message"]
    assert f"perphedge ack {ident}" in taken["message"]
    [sent] = events(journal, "alert_sent")
    assert sent == {
        "route": "phone",
        "alerts": [f"missing_fee:{FET}"],
        "after_ms": 0,
        "attempts": 1,
    }


@pytest.mark.parametrize("status", [500, 404, 302, 307])
async def test_what_is_refused_is_tried_again_and_taken_when_the_service_is_back(
    journal: Journal, clock: SimulatedClock, guard: Guard, status: int
) -> None:
    guard.halt_all("daily_cost", "a day's cost is over")
    with receiving(status=status) as receiver:
        desk = desk_of(journal, clock, guard, {"phone": receiver.address})
        await turns(desk, lambda: events(journal, "alert_not_sent"))
        [failed] = events(journal, "alert_not_sent")
        assert (failed["route"], failed["attempts"], failed["seconds"]) == ("phone", 1, 5.0)
        assert failed["reason"] == "not taken by the service"
        desk.turn()
        assert len(receiver.paths) == 1, "it is left alone for a while"
        clock.advance_to(clock.now_ms() + 5_000)
        await turns(desk, lambda: len(events(journal, "alert_not_sent")) == 2)
        receiver.status = 200
        clock.advance_to(clock.now_ms() + 10_000)
        await turns(desk, lambda: events(journal, "alert_sent"))
        assert receiver.elsewhere == 0, "redirects are not followed"
    assert len(receiver.taken) == 1
    assert events(journal, "alert_sent")[0]["attempts"] == 3
    assert events(journal, "alert_sent")[0]["after_ms"] == 0  # counted from when it was due


async def test_a_service_that_is_down_is_found_again_on_its_port(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    guard.alert("missing_fee", FET, "no fee")
    with receiving() as receiver:
        address, port = receiver.address, receiver.port
    desk = desk_of(journal, clock, guard, {"phone": address})
    await turns(desk, lambda: events(journal, "alert_not_sent"))
    clock.advance_to(clock.now_ms() + 5_000)
    with receiving(port) as back:
        await turns(desk, lambda: events(journal, "alert_sent"))
    assert len(back.taken) == 1


async def test_a_slow_service_holds_nothing_up_and_what_it_takes_late_is_not_sent_again(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    guard.alert("missing_fee", FET, "no fee")
    rules = Rules([Route("slow"), Route("quick")])
    with receiving(slow=True) as slow, receiving() as quick:
        addresses = {"slow": slow.address + "?rto=30", "quick": quick.address}
        desk = desk_of(journal, clock, guard, addresses, rules, timeout_ms=15_000)
        await turns(desk, lambda: slow.paths and quick.taken)
        began = time.thread_time()
        desk.turn()
        assert time.thread_time() - began < 1.0
        clock.advance_to(clock.now_ms() + 15_000)
        await turns(desk, lambda: events(journal, "alert_not_sent"))
        [failed] = events(journal, "alert_not_sent")
        assert (failed["route"], failed["reason"]) == ("slow", "no answer in 15 s")
        clock.advance_to(clock.now_ms() + 44_999)
        desk.turn()
        assert len(desk._hung["slow"]) == 0, "no second thread beside one that is only slow"
        slow.gate.set()
        await turns(desk, lambda: len(events(journal, "alert_sent")) == 2)
        for _ in range(3):
            desk.turn()
    assert (len(slow.taken), len(quick.taken)) == (1, 1)


async def test_an_acknowledged_alert_is_not_told_when_the_service_is_back(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    guard.alert("missing_fee", FET, "no fee")
    with receiving(status=503) as receiver:
        desk = desk_of(journal, clock, guard, {"phone": receiver.address})
        await turns(desk, lambda: events(journal, "alert_not_sent"))
        guard.acknowledge(Asked("ana", "seen"))
        receiver.status = 200
        clock.advance_to(clock.now_ms() + 3_600_000)
        for _ in range(5):
            desk.turn()
    assert receiver.taken == []
    assert not events(journal, "alert_sent")


async def test_a_restart_tells_nothing_twice_and_escalates_what_nobody_has_seen(
    tmp_path: Path, clock: SimulatedClock
) -> None:
    rules = Rules([Route("phone"), Route("boss", Weight.WARNING, escalation=True)])
    with receiving() as phone, receiving() as boss:
        addresses = {"phone": phone.address, "boss": boss.address}
        with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
            guard = Guard(journal, clock, ACCOUNT)
            guard.alert("missing_fee", FET, "no fee")
            desk = desk_of(journal, clock, guard, addresses, rules)
            await turns(desk, lambda: events(journal, "alert_sent"))
        clock.advance_to(clock.now_ms() + 299_999)
        with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
            guard = Guard(journal, clock, ACCOUNT)
            desk = desk_of(journal, clock, guard, addresses, rules)
            for _ in range(3):
                desk.turn()
            assert boss.paths == []
            clock.advance_to(clock.now_ms() + 1)
            await turns(desk, lambda: boss.taken)
    assert len(phone.taken) == 1
    assert boss.taken[0]["title"] == "perphedge: nobody has acknowledged"


async def test_what_is_new_when_the_engine_ends_is_still_told(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    with receiving() as receiver:
        desk = desk_of(journal, clock, guard, {"phone": receiver.address})
        async with desk.running():
            await asyncio.sleep(0.05)
            guard.halt_all("journal_failed", "the disk is full")
        assert len(receiver.taken) == 1
    assert len(events(journal, "alert_sent")) == 1


async def test_many_alerts_at_once_are_one_message(
    journal: Journal, clock: SimulatedClock, guard: Guard
) -> None:
    for number in range(40):
        guard.alert("missing_fee", f"T{number}", f"no fee of trade {number}")
    guard.halt_all("daily_cost", "a day's cost is over")
    with receiving() as receiver:
        desk = desk_of(journal, clock, guard, {"phone": receiver.address})
        await turns(desk, lambda: events(journal, "alert_sent"))
    [taken] = receiver.taken
    assert taken["title"] == "perphedge: alarm and 40 more"
    assert taken["message"].startswith("alarm: control 23 (daily_cost)")
    assert "… and 31 more: perphedge alerts" in taken["message"]


async def test_a_defect_in_what_is_asked_ends_no_desk(
    journal: Journal, clock: SimulatedClock
) -> None:
    said: list[str] = []
    fails = [True]

    def subjects() -> list[Subject]:
        if fails:
            raise RuntimeError("a defect")
        said.append("asked")
        return []

    with receiving() as receiver:
        services = {"phone": Service(SecretStr(receiver.address))}
        desk = AlertDesk(
            RULES, services, journal, clock, silent_log(clock), account="a", subjects=subjects
        )
        desk.turn()
        fails.clear()
        desk.turn()
    assert said == ["asked"]


@pytest.mark.parametrize("works", [True, False])
async def test_the_address_is_said_nowhere(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    works: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = SimulatedClock(NOW_MS)
    log = open_log(tmp_path / "hedge.jsonl", clock, echo_level="debug")
    with receiving(status=200 if works else 500) as receiver:
        with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
            guard = Guard(journal, clock, ACCOUNT)
            guard.alert("missing_fee", FET, "no fee")
            desk = desk_of(journal, clock, guard, {"phone": receiver.address}, log=log)
            kind = "alert_sent" if works else "alert_not_sent"
            await turns(desk, lambda: events(journal, kind))
            shown = repr(desk._services)
        assert receiver.paths == [f"/{TOKEN}"]
    texts = [shown, caplog.text, *capfd.readouterr(), str(receiver.taken)]
    texts += [p.read_bytes().decode(errors="replace") for p in tmp_path.rglob("*") if p.is_file()]
    assert not [text for text in texts if TOKEN in text]
