"""JSON Schema of the hedge log, cycles and events, for whoever reads it by program."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from bot.records.cycle import CycleRecord
from bot.records.event_kinds import EVENTS, FIELDS, EventKind

VERSION = 1
"""Raised when a field is taken away or means something else; a new field does not raise it."""

_TIME: dict[str, Any] = {
    "timestamp": {"type": "string", "format": "date-time"},
    "timestamp_ms": {"type": "integer"},
    "cycle_id": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "client_id": {"anyOf": [{"type": "string"}, {"type": "null"}]},
}


@cache
def hedge_log_schema() -> dict[str, Any]:
    """One schema (draft 2020-12) that every record of ``perphedge log --json`` meets."""
    cycle = TypeAdapter(CycleRecord).json_schema(
        mode="serialization", ref_template="#/$defs/{model}"
    )
    shared = cycle.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"perphedge hedge log, version {VERSION}",
        "description": "A cycle, or an event in or between cycles. Money is in USD, long is "
        "positive, null is not known. docs/hedge-log.md tells what each field means.",
        "oneOf": [
            {"$ref": "#/$defs/cycle"},
            *({"$ref": f"#/$defs/event_{name}"} for name in sorted(EVENTS)),
        ],
        "$defs": {
            **shared,
            "cycle": {**cycle, "not": {"required": ["event"]}},
            **{f"event_{name}": _event(name, kind) for name, kind in sorted(EVENTS.items())},
        },
    }


def _event(name: str, kind: EventKind) -> dict[str, Any]:
    told = sorted(kind.fields | kind.optional)
    fields = {one: FIELDS[one] for one in told if one not in _TIME}
    return {
        "type": "object",
        "properties": {"event": {"const": name}, **_TIME, **fields},
        "required": ["event", *_TIME, *sorted(kind.fields)],
    }
