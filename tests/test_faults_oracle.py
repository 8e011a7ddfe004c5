"""What single promises of the oracle take for broken, and what not."""

import json
from typing import Any, cast

import pytest

from bot.faults.oracle.evidence import Evidence, ExchangeLog
from bot.faults.oracle.orders import none_beside_unresolved


def evidence_of(**journal: list[dict[str, Any]]) -> Evidence:
    """A journal alone."""
    exchange = cast("ExchangeLog", None)  # not looked at
    return Evidence(exchange, journal, "", (), "", "ready", second_started=False, band_usd=1.0)


def event(at_ms: int, client_id: str, state: str) -> dict[str, Any]:
    document = json.dumps({"symbol": "FET"})
    kind = f"order_{state}"
    return {"timestamp_ms": at_ms, "kind": kind, "client_id": client_id, "document": document}


def booked(at_ms: int, quantity: str) -> dict[str, Any]:
    return {"client_id": "h1a", "quantity": quantity, "booked_ms": at_ms}


@pytest.mark.parametrize(
    ("state", "fills", "beside"),
    [
        ("quarantined", [], True),
        ("quarantined", [booked(20, "3"), booked(30, "4")], True),
        ("quarantined", [booked(20, "3"), booked(30, "7")], False),
        ("quarantined", [booked(20, "3"), booked(60, "7")], True),  # only after the other had left
        ("unknown", [booked(20, "10")], True),  # nobody has looked further
        ("filled", [], False),
    ],
)
def test_an_order_in_quarantine_is_in_doubt_until_all_of_it_is_booked(
    state: str, fills: list[dict[str, Any]], beside: bool
) -> None:
    events = [event(1, "h1a", "sending"), event(2, "h1a", "unknown"), event(10, "h1a", state)]
    events += [event(50, "h1b", "sending")]
    orders = [{"client_id": "h1a", "quantity": "10"}, {"client_id": "h1b", "quantity": "10"}]
    told = list(none_beside_unresolved(evidence_of(events=events, orders=orders, fills=fills)))
    assert told == ["h1b was sent in FET beside h1a, which was unresolved"] * beside
