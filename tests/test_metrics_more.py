"""What Prometheus is told of answers, deliveries, decisions and of what hedges really did."""

import json
from pathlib import Path

import pytest

from bot.attribution.reading import read_attribution
from bot.journal.journal import Journal
from bot.journal.rows import EventRow
from bot.metrics.answers import OrderAnswers
from bot.metrics.exposition import exposition
from bot.metrics.realised import Realised
from bot.metrics.waiting import waiting
from tests.cycle_scene import FET, LONGS, open_scene
from tests.test_metrics import at, samples


def event(kind: str, ms: int, client_id: str | None = "a") -> EventRow:
    return EventRow(ms, ms, kind, None, client_id, {})


def test_an_order_s_answer_is_timed_once_from_its_send() -> None:
    answers = OrderAnswers()
    for one in (
        event("order_sending", 1_000),
        event("order_live", 1_050),
        event("order_filled", 9_000),  # the answer was before
        event("order_sending", 10_000, "b"),
        event("order_unknown", 41_000, "b"),
        event("order_filled", 50_000, "c"),  # sent before the journal was read
        event("signal", 50_001, None),
    ):
        answers.add(one)
    [family] = answers.families()
    told = {(s.name, s.labels.get("le")): s.value for s in family.samples}
    assert told["perphedge_order_answer_seconds_bucket", "0.05"] == 1
    assert told["perphedge_order_answer_seconds_bucket", "30.0"] == 1
    assert told["perphedge_order_answer_seconds_bucket", "+Inf"] == 2
    assert told["perphedge_order_answer_seconds_count", None] == 2
    assert told["perphedge_order_answer_seconds_sum", None] == pytest.approx(31.05)


def test_orders_without_an_answer_are_not_remembered_for_ever() -> None:
    answers = OrderAnswers()
    for number in range(5_000):
        answers.add(event("order_sending", number, str(number)))
    assert len(answers._sent) == 1_000


async def test_effectiveness_is_that_of_the_attribution_however_often_it_is_asked(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path) as scene:
        often, once = Realised(), Realised()
        for _ in range(30):
            await scene.cycle()
            newest_ms = int(scene.journal.cycles(limit=1)[-1]["timestamp_ms"])
            often.read(scene.journal, newest_ms)
            scene.advance(0.5, LONGS)
        once.read(scene.journal, newest_ms)
        told = [s.value for one in (often, once) for f in one.families() for s in f.samples]
        first_ms = int(scene.journal.cycles()[0]["timestamp_ms"])
        found = read_attribution(scene.journal, first_ms, newest_ms + 1)
        assert found is not None
        assert found.risk is not None
        assert told == pytest.approx([found.risk.realised_effectiveness] * 2)
        shown = samples(exposition(scene.folder))
        sent = len(scene.journal.events(kind="order_sending"))
    assert at(shown, "hedge_effectiveness_realised") == pytest.approx(told[0])
    assert at(shown, "cycle_seconds", phase="total") is not None
    assert at(shown, "order_answer_seconds_count") == sent > 0


def test_what_waits_and_what_could_not_be_delivered(journal: Journal, tmp_path: Path) -> None:
    notice = {
        "key": f"missing_fee:{FET}",
        "route": "phone",
        "since_ms": 1,
        "due_ms": 2,
        "told_ms": None,
        "again": 0,
        "failures": 3,
        "reason": "x",
    }
    well = {**notice, "key": "hold:", "failures": 0}
    journal.set_meta("alerting:hedge", json.dumps([notice, well]))
    told = {
        (s.name, tuple(s.labels.values())): s.value
        for family in waiting(journal, tmp_path, 0)
        for s in family.samples
    }
    assert told == {
        ("perphedge_alerts_failing", ("phone",)): 1,
        ("perphedge_proposals_waiting", ()): 0,
    }
