"""Every event of the journal: how weighty it is, what it tells, and in which fields.

A field has one meaning and one type wherever it stands.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """How weighty an event is; ordered as they stand."""

    NOTE = "note"
    WARNING = "warning"
    ALARM = "alarm"

    @property
    def rank(self) -> int:
        """0 for the lightest."""
        return list(Weight).index(self)


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event; ``fields`` are always there, ``optional`` may be left out."""

    weight: Weight
    fields: frozenset[str]
    optional: frozenset[str] = frozenset()


_JSON = dict[str, object]
_TEXT: _JSON = {"type": "string"}
_EXACT: _JSON = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"}
_NUMBER: _JSON = {"type": "number"}
_COUNT: _JSON = {"type": "integer"}
_FLAG: _JSON = {"type": "boolean"}
_TEXTS: _JSON = {"type": "array", "items": _TEXT}
_COUNTS: _JSON = {"type": "array", "items": _COUNT}
_OBJECTS: _JSON = {"type": "array", "items": {"type": "object"}}
_BY_NAME: _JSON = {"type": "object", "additionalProperties": _TEXT}
_OBJECT: _JSON = {"type": "object"}


def _or_null(schema: _JSON) -> _JSON:
    return {"anyOf": [schema, {"type": "null"}]}


FIELDS: Mapping[str, _JSON] = {
    **dict.fromkeys(
        (
            "bot",
            "by",
            "change",
            "code",
            "control",
            "exchange",
            "event",
            "health",
            "intent_id",
            "key",
            "kind",
            "last",
            "news",
            "pair",
            "position_side",
            "proposal_id",
            "reason",
            "route",
            "said",
            "sentence",
            "severity",
            "side",
            "since",
            "source",
            "state",
            "stream",
            "symbol",
            "text",
            "trade_id",
            "until",
            "venue_order_id",
            "what",
        ),
        _TEXT,
    ),
    **dict.fromkeys(
        (
            "booked_quantity",
            "filled_quantity",
            "largest",
            "limit_price",
            "own_quantity",
            "quantity",
            "rest",
            "trade_quantity",
            "venue_quantity",
        ),
        _EXACT,
    ),
    **dict.fromkeys(
        (
            "after_ms",
            "attempts",
            "booked",
            "epoch",
            "every_ms",
            "expires_ms",
            "fills",
            "line",
            "number",
            "raised_ms",
            "reads",
            "since_ms",
        ),
        _COUNT,
    ),
    **dict.fromkeys(
        (
            "caps_factor",
            "carry_usd_per_day",
            "coefficient",
            "notional_usd",
            "opens_usd",
            "raw",
            "seconds",
            "standard_error",
            "threshold",
            "trade_cost_usd",
            "weight",
        ),
        _NUMBER,
    ),
    **dict.fromkeys(
        ("bounded", "clears", "dry_run", "lifts", "reduce_only", "renewed", "trading", "used"),
        _FLAG,
    ),
    **dict.fromkeys(
        ("cures", "interrupted", "leaves", "problems", "reasons", "unresolved"), _TEXTS
    ),
    **dict.fromkeys(("alerts", "places", "symbols"), _TEXTS),
    **dict.fromkeys(("base_units", "confirmed", "doubtful", "failures", "refuted"), _BY_NAME),
    **dict.fromkeys(("costs", "legs", "trades"), _OBJECTS),
    # A position, the health of a stream, or the factor of the caps.
    "before": {"anyOf": [_TEXT, _NUMBER]},
    "after": _EXACT,
    "base_quantity": _EXACT,
    "channel": _or_null(_TEXT),
    "last_good": _or_null(_TEXT),
    "orders": {"type": "object", "additionalProperties": _FLAG},
    "price": _or_null(_EXACT),
    "proof": _OBJECT,
    "times_ms": _COUNTS,
    "value": _or_null(_NUMBER),
    "was": {"anyOf": [_OBJECT, _NUMBER, {"type": "null"}]},
}
"""JSON Schema of each field by its name."""


def _kind(weight: Weight, fields: str = "", optional: str = "") -> EventKind:
    return EventKind(weight, frozenset(fields.split()), frozenset(optional.split()))


_NOTE, _WARN, _ALARM = Weight.NOTE, Weight.WARNING, Weight.ALARM
_ORDER = "symbol side position_side quantity limit_price reduce_only filled_quantity code reason"
_PROPOSAL = "proposal_id by reason"
_PROGRAM = "intent_id symbol trade_quantity position_side reduce_only largest times_ms every_ms"

EVENTS: Mapping[str, EventKind] = {
    "acknowledged": _kind(_NOTE, "by reason alerts"),
    "alert": _kind(_ALARM, "key number control symbol text raised_ms clears"),
    "alert_cleared": _kind(_NOTE, "key control"),
    "alert_not_sent": _kind(_WARN, "route alerts attempts reason seconds"),
    "alert_sent": _kind(_NOTE, "route alerts attempts after_ms"),
    "alert_told": _kind(_NOTE, "key channel failures after_ms"),
    "alert_undelivered": _kind(_ALARM, "key channel failures after_ms control number"),
    "anchor_accepted": _kind(_WARN, "line"),
    "bot_account_holds_more": _kind(_WARN, "source base_units"),
    "bot_money_unknown": _kind(_WARN, "source reason"),
    "bot_state": _kind(_NOTE, "source bot state dry_run exchange"),
    "cancel_confirmed": _kind(_NOTE, "symbol"),
    "cancel_sending": _kind(_NOTE, "symbol reason state"),
    "cancel_too_late": _kind(_NOTE, "symbol"),
    "cancel_unknown": _kind(_WARN, "symbol"),
    "cancelled_own": _kind(_WARN, "control orders"),
    "caps_factor": _kind(_WARN, "caps_factor before reasons"),
    "dead_man_armed": _kind(_NOTE, "symbol after_ms"),
    "dead_man_disarmed": _kind(_NOTE, "symbol"),
    "decision_refused": _kind(_WARN, "proposal_id said by reason"),
    "defect": _kind(_ALARM, "reason trading places"),
    "entry_locked": _kind(_WARN, "source pair side reason until renewed"),
    "entry_locks_failed": _kind(_WARN, "source reason"),
    "entry_unlocked": _kind(_NOTE, "source pair side reason"),
    "external_positions": _kind(_NOTE, "what confirmed refuted reads", "doubtful"),
    "fill_contradiction": _kind(_ALARM, "symbol reason"),
    "flattened": _kind(_WARN, "by reason"),
    "forced_order": _kind(
        _ALARM,
        "kind news symbol",
        "client_id venue_order_id trade_id state filled_quantity base_quantity",
    ),
    "halted": _kind(_ALARM, "number control reason since_ms lifts"),
    "hedge_closed_externally": _kind(
        _WARN, "symbol position_side own_quantity venue_quantity kind trades"
    ),
    "hedge_hands_off": _kind(_WARN, "symbol reason"),
    "hedge_hands_off_over": _kind(_NOTE, "symbol"),
    "hedgeable_again": _kind(_NOTE),
    "impact_refit": _kind(_NOTE, "coefficient raw standard_error fills weight bounded was used"),
    "journal_touched": _kind(_WARN),
    "key_permissions_untold": _kind(_WARN, "reason"),
    "nothing_left_to_hedge_with": _kind(_ALARM, "reason"),
    "order_absent": _kind(_WARN, _ORDER),
    "order_canceled": _kind(_NOTE, _ORDER),
    "order_costs": _kind(_NOTE, "costs"),
    "order_denied": _kind(_WARN, "symbol side quantity limit_price control number reason"),
    "order_expired": _kind(_NOTE, _ORDER),
    "order_filled": _kind(_NOTE, _ORDER),
    "order_filled_late": _kind(_WARN, "symbol side quantity limit_price state was filled_quantity"),
    "order_live": _kind(_NOTE, _ORDER),
    "order_overfilled": _kind(_ALARM, "symbol quantity booked_quantity"),
    "order_partial": _kind(_NOTE, _ORDER),
    "order_quarantined": _kind(_ALARM, _ORDER),
    "order_rejected": _kind(_WARN, _ORDER),
    "order_sending": _kind(_NOTE, _ORDER),
    "order_settled": _kind(_WARN, "symbol by reason filled_quantity price booked_quantity"),
    "order_unknown": _kind(_WARN, _ORDER),
    "outside_data_back": _kind(_NOTE, "what"),
    "outside_data_missing": _kind(_WARN, "what reason"),
    "plan_denied": _kind(_WARN, "control number reason"),
    "position_mismatch": _kind(_ALARM, "symbol before", "after"),
    "program_ended": _kind(_NOTE, f"{_PROGRAM} reason rest", "cycle_id"),
    "program_shrunk": _kind(_NOTE, _PROGRAM, "cycle_id"),
    "program_started": _kind(_NOTE, _PROGRAM, "cycle_id"),
    "proposal_approved": _kind(_NOTE, _PROPOSAL),
    "proposal_executed": _kind(_NOTE, _PROPOSAL),
    "proposal_executing": _kind(_NOTE, _PROPOSAL),
    "proposal_expired": _kind(_WARN, _PROPOSAL),
    "proposal_lost": _kind(_ALARM, _PROPOSAL),
    "proposal_pending": _kind(
        _WARN,
        "proposal_id expires_ms sentence legs notional_usd opens_usd trade_cost_usd "
        "carry_usd_per_day cures leaves",
    ),
    "proposal_refused": _kind(_WARN, _PROPOSAL),
    "proposal_rejected": _kind(_WARN, _PROPOSAL),
    "proposal_superseded": _kind(_NOTE, _PROPOSAL),
    "recovered": _kind(_NOTE, "epoch interrupted unresolved booked problems proof"),
    "refused": _kind(_ALARM, "control reason", "number"),
    "resumed": _kind(_WARN, "by reason was symbols alerts"),
    "settlement_refused": _kind(_WARN, "reason", "symbol by said filled_quantity"),
    "signal": _kind(_NOTE, "kind symbols value threshold since severity sentence change"),
    "source_failing": _kind(_WARN, "source reason last_good"),
    "source_well_again": _kind(_NOTE, "source seconds last"),
    "still_halted": _kind(_ALARM, "control number reason"),
    "stream_gap": _kind(_WARN, "stream health before seconds reason"),
    "stream_recovered": _kind(_NOTE, "stream health before seconds reason"),
    "symbol_halted": _kind(_ALARM, "symbol number control reason since_ms lifts"),
    "symbol_resumed": _kind(_NOTE, "symbol by"),
    "unmapped": _kind(_WARN, "source symbol reason change"),
}
"""Every event by its name."""


def weight_of(event: str, document: Mapping[str, object]) -> Weight:
    """Of one event; a signal says its own, and what nobody knows of is a warning."""
    told = document.get("severity")
    if event == "signal" and isinstance(told, str) and told in set(Weight):
        return Weight(told)
    kind = EVENTS.get(event)
    return Weight.WARNING if kind is None else kind.weight


def missing_and_unknown(event: str, names: Iterable[str]) -> tuple[set[str], set[str]]:
    """Fields that an event of that kind lacks, and those that it must not have."""
    kind, told = EVENTS[event], set(names)
    return set(kind.fields) - told, told - kind.fields - kind.optional
