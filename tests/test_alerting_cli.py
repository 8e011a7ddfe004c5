"""``perphedge alerts`` and ``perphedge ack ID``, beside a running engine and without one."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import _run
from bot.clock import SimulatedClock, SystemClock
from bot.controls.guard import Guard
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.lock import EngineLock
from tests.alert_scene import TOKEN, receiving
from tests.config_words import GOOD
from tests.execute_scene import ACCOUNT, FET
from tests.test_alerting_desk import desk_of, events, turns

Shown = pytest.CaptureFixture[str]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with two open alerts."""
    with Journal.open(tmp_path / JOURNAL_NAME, SystemClock()) as journal:
        guard = Guard(journal, SystemClock(), ACCOUNT, switch=HaltSwitch(tmp_path))
        guard.alert("missing_fee", FET, "no fee of trade 1")
        guard.halt_symbol("slippage", FET, "fills were bad")
    return tmp_path


def listed(state: Path, capsys: Shown) -> list[dict[str, Any]]:
    assert _run(["alerts", "--state", str(state), "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["alerts"]
    return found


def test_open_alerts_are_listed_with_severity_and_id(state: Path, capsys: Shown) -> None:
    first, second = listed(state, capsys)
    assert (first["control"], first["severity"]) == ("missing_fee", "warning")
    assert (second["control"], second["severity"]) == ("slippage", "alarm")
    assert first["id"] != second["id"]
    assert _run(["alerts", "--state", str(state)]) == 0
    text = capsys.readouterr().out
    assert first["id"] in text
    assert "no fee of trade 1" in text


def test_one_alert_is_acknowledged_where_no_engine_runs(state: Path, capsys: Shown) -> None:
    first, second = listed(state, capsys)
    assert _run(["ack", first["id"], "--state", str(state), "--by", "ann"]) == 0
    capsys.readouterr()
    assert [one["id"] for one in listed(state, capsys)] == [second["id"]]
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        [seen] = events(journal, "acknowledged")
    assert seen == {"by": "ann", "reason": "seen", "alerts": [f"missing_fee:{FET}"]}


def test_a_running_engine_takes_the_word_up_with_its_next_cycle(state: Path, capsys: Shown) -> None:
    first, second = listed(state, capsys)
    clock = SystemClock()
    with EngineLock(state), Journal.open(state / JOURNAL_NAME, clock) as journal:
        guard = Guard(journal, clock, ACCOUNT, switch=HaltSwitch(state))
        assert _run(["ack", second["id"], "--state", str(state), "--by", "ann", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["done"] is False
        assert len(guard.alerts) == 2
        guard.take_requests()
        assert [one.control for one in guard.alerts] == ["missing_fee"]
        guard.take_requests()
        assert len(events(journal, "acknowledged")) == 1, "once"
    assert not list(state.glob("ACKNOWLEDGE*"))
    assert first["id"] in {one["id"] for one in listed(state, capsys)}


def test_a_word_on_an_alert_that_ended_meanwhile_acknowledges_no_other(
    tmp_path: Path, capsys: Shown
) -> None:
    clock = SimulatedClock(1_800_000_000_000)
    with EngineLock(tmp_path), Journal.open(tmp_path / JOURNAL_NAME, clock) as journal:
        guard = Guard(journal, clock, ACCOUNT, switch=HaltSwitch(tmp_path))
        guard.alert("missing_fee", FET, "no fee of trade 1")
        [first] = listed(tmp_path, capsys)
        assert _run(["ack", first["id"], "--state", str(tmp_path), "--by", "ann"]) == 0
        guard.clear(f"missing_fee:{FET}")
        clock.advance_to(clock.now_ms() + 1)
        guard.alert("missing_fee", FET, "no fee of trade 2")  # anew, which nobody has seen
        guard.take_requests()
        assert [one.text for one in guard.alerts] == ["no fee of trade 2"]
        assert not events(journal, "acknowledged")


def test_an_id_that_names_nothing_is_refused_with_those_that_do(state: Path, capsys: Shown) -> None:
    ids = [one["id"] for one in listed(state, capsys)]
    assert _run(["ack", "abcdef", "--state", str(state), "--by", "ann"]) == 2
    text = capsys.readouterr().err
    assert all(one in text for one in ids)
    assert len(listed(state, capsys)) == 2


async def test_what_could_not_be_delivered_is_shown(tmp_path: Path, capsys: Shown) -> None:
    clock = SimulatedClock(1_800_000_000_000)
    with Journal.open(tmp_path / JOURNAL_NAME, clock) as journal, receiving(status=500) as bad:
        guard = Guard(journal, clock, ACCOUNT)
        guard.alert("missing_fee", FET, "no fee")
        desk = desk_of(journal, clock, guard, {"phone": bad.address})
        await turns(desk, lambda: events(journal, "alert_not_sent"))
    [alert] = listed(tmp_path, capsys)
    assert alert["routes"] == [
        {"route": "phone", "told": None, "failures": 1, "reason": "not taken by the service"}
    ]
    assert _run(["alerts", "--state", str(tmp_path)]) == 0
    assert "phone not, 1 times" in " ".join(capsys.readouterr().out.split())


def test_a_test_message_goes_over_every_route(
    tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(GOOD + "alerts: {routes: [{name: good}, {name: bad}]}\n")
    with receiving() as good, receiving(status=500) as bad:
        monkeypatch.setenv("PERPHEDGE_ALERT_URL_GOOD", good.address)
        monkeypatch.setenv("PERPHEDGE_ALERT_URL_BAD", bad.address)
        assert _run(["alerts", "--test", "-c", str(config)]) == 5
    shown = capsys.readouterr()
    assert "good: taken" in shown.out
    assert "bad: not taken by the service" in shown.out
    assert "route bad" in shown.err
    assert TOKEN not in shown.out + shown.err
    assert good.taken[0]["title"] == "perphedge: a test"
