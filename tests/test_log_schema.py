"""The published schema of the hedge log, and that real records meet it."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bot.demo.stage import DemoOptions, run_demo
from bot.journal.log_reads import LogQuery
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.records.cycle import CycleRecord, CycleStatus
from bot.records.event_kinds import EVENTS, FIELDS, Weight, weight_of
from bot.records.reading import records_asked
from bot.records.schema import hedge_log_schema
from tests.cycle_scene import open_scene

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = hedge_log_schema()


def validator(record: dict[str, Any]) -> Draft202012Validator:
    """Of its kind alone: an error in a oneOf of seventy says nothing."""
    name = f"event_{record['event']}" if "event" in record else "cycle"
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


def errors(record: dict[str, Any]) -> list[str]:
    return [f"{list(one.path)}: {one.message}" for one in validator(record).iter_errors(record)]


def test_it_is_published_as_it_is() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    published = (ROOT / "docs" / "hedge-log.schema.json").read_text(encoding="utf-8")
    assert json.loads(published) == SCHEMA, "perphedge log --schema > docs/hedge-log.schema.json"


def test_every_event_is_told_in_the_page_of_the_log() -> None:
    page = (ROOT / "docs" / "hedge-log.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", page[page.index("## Events") :], re.M)
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert [name for name in EVENTS if name not in told] == []


def test_every_field_has_one_type() -> None:
    used = {field for kind in EVENTS.values() for field in kind.fields | kind.optional}
    assert used - {"cycle_id", "client_id"} <= set(FIELDS)


def test_a_demo_s_records_meet_it(tmp_path: Path) -> None:
    asyncio.run(run_demo(DemoOptions(None, 8, 7, tmp_path)))
    with JournalReader.open_reader(tmp_path / JOURNAL_NAME) as journal:
        records = records_asked(journal, LogQuery())
    assert {one.get("event", "cycle") for one in records} >= {"cycle", "order_filled", "signal"}
    assert [(one.get("event"), found) for one in records if (found := errors(one))] == []
    whole = Draft202012Validator(SCHEMA)
    assert whole.is_valid(records[0]), "one record meets exactly one of the kinds"


async def test_a_held_cycle_meets_it_too(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        scene.faults.by_call["account"] = ValueError("a defect")
        record = await scene.cycle()
    assert record.status is CycleStatus.HELD
    assert errors(json.loads(json.dumps(record.document()))) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"event": "order_denied", "symbol": "FET/USDT:USDT"},
        {"event": "symbol_resumed", "symbol": 7, "by": "ann"},
        {"event": "order_filled", "quantity": "many"},
    ],
)
def test_what_is_not_of_the_kind_does_not_meet_it(broken: dict[str, Any]) -> None:
    time = {"timestamp": "2026-01-01T00:00:00Z", "timestamp_ms": 0, "cycle_id": None}
    assert errors({**time, "client_id": None, **broken}) != []
    assert not Draft202012Validator(SCHEMA).is_valid({**time, "client_id": None, **broken})


def test_a_cycle_without_its_figures_is_none() -> None:
    record = CycleRecord("20260101T000000-000001", "t", 0, CycleStatus.HELD, "r").document()
    assert errors(json.loads(json.dumps(record))) == []
    assert errors({**record, "status": "happy"}) != []
    del record["reason"]
    assert errors(record) != []


def test_a_signal_says_its_own_weight_and_what_nobody_knows_is_a_warning() -> None:
    assert weight_of("signal", {"severity": "alarm"}) is Weight.ALARM
    assert weight_of("signal", {"severity": "odd"}) is Weight.NOTE
    assert weight_of("halted", {"severity": "note"}) is Weight.ALARM
    assert weight_of("of a later version", {}) is Weight.WARNING
