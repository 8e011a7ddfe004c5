"""I1, I2, I3, I11: each order is sent once, written down first, alone, and ends as it may."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from bot.faults.oracle.evidence import Evidence

_OPEN = frozenset({"sending", "unknown", "live", "partial", "quarantined"})
_ENDS = frozenset({"filled", "canceled", "expired"})
# The oracle's own table, from the document and not from the engine.
_MAY_FOLLOW: Mapping[str, frozenset[str]] = {
    "sending": frozenset({"unknown", "live", "partial", "rejected", *_ENDS}),
    "unknown": frozenset({"live", "partial", "rejected", "absent", "quarantined", *_ENDS}),
    "live": frozenset({"live", "partial", *_ENDS}),
    "partial": frozenset({"partial", *_ENDS}),
}
STATES = frozenset({*_OPEN, *_ENDS, "rejected", "absent"})


def once_per_client_id(evidence: Evidence) -> Iterator[str]:
    """I1: no client id is sent twice, or taken twice."""
    sends = Counter(a.request.client_id for a in evidence.sent())
    for client_id, times in sends.items():
        if times > 1:
            yield f"{client_id} was sent {times} times"


def within_intent(evidence: Evidence) -> Iterator[str]:
    """I1: all attempts of an intent together fill no more than it."""
    wanted = {row["intent_id"]: row for row in evidence.journal.get("intents", ())}
    total: dict[str, Decimal] = defaultdict(Decimal)
    for arrival in evidence.sent():
        if arrival.order_id is not None:
            filled = evidence.exchange.orders[arrival.order_id].filled_quantity
            # What somebody else added to an order is not the engine's doing.
            total[arrival.request.intent_id] += min(filled, arrival.request.quantity)
    for intent_id, filled in total.items():
        row = wanted.get(intent_id)
        if row is None:
            yield f"intent {intent_id} is not in the journal, yet {filled} was filled for it"
        elif filled > abs(Decimal(row["trade_quantity"])):
            yield f"intent {intent_id}: {filled} filled, {row['trade_quantity']} was meant"


def durable_before_sent(evidence: Evidence) -> Iterator[str]:
    """I2: when an order leaves, the journal that a power cut would spare has it as SENDING."""
    rows = {row["client_id"]: row for row in evidence.journal.get("orders", ())}
    marked = {
        row["client_id"]
        for row in evidence.journal.get("events", ())
        if row["kind"] == "order_sending"
    }
    for arrival in evidence.sent():
        request = arrival.request
        if arrival.told.unsynced_bytes:
            yield f"{request.client_id} left with {arrival.told.unsynced_bytes} bytes not synced"
        row = rows.get(request.client_id)
        if row is None or request.client_id not in marked:
            yield f"{request.client_id} was sent, and the journal knows nothing of it"
            continue
        late_ms = row["sent_ms"] - arrival.told.sent_ms - arrival.told.offset_ms
        if late_ms > 0:
            yield f"{request.client_id} was written down {late_ms} ms after it left"
        same = (
            row["symbol"] == request.symbol
            and row["side"] == request.side.value
            and Decimal(row["quantity"]) == request.quantity
            and Decimal(row["limit_price"]) == request.limit_price
        )
        if not same:
            yield f"{request.client_id} was sent otherwise than the journal says"


def _order_events(evidence: Evidence) -> Iterator[tuple[str, str, str, int]]:
    """(client id, state, symbol, when), oldest first."""
    for row in evidence.journal.get("events", ()):
        kind, client_id = row["kind"], row["client_id"]
        state = kind.removeprefix("order_")
        if client_id and kind.startswith("order_") and state in STATES:
            yield client_id, state, json.loads(row["document"])["symbol"], row["timestamp_ms"]


def _booked_whole(evidence: Evidence) -> dict[str, int]:
    """When the last of an order's quantity was booked, which leaves nothing of it in doubt."""
    left = {r["client_id"]: Decimal(r["quantity"]) for r in evidence.journal.get("orders", ())}
    found: dict[str, int] = {}
    for row in evidence.journal.get("fills", ()):
        client_id = row["client_id"]
        left[client_id] = left.get(client_id, Decimal(0)) - Decimal(row["quantity"])
        if left[client_id] <= 0:
            found.setdefault(client_id, row["booked_ms"])
    return found


def none_beside_unresolved(evidence: Evidence) -> Iterator[str]:
    """I3: no order leaves in a symbol while another one there is not resolved."""
    state: dict[str, dict[str, str]] = defaultdict(dict)
    whole_ms = _booked_whole(evidence)
    for client_id, now, symbol, at_ms in _order_events(evidence):
        if now == "sending":
            beside = [
                one
                for one, was in state[symbol].items()
                if was in _OPEN and not (was == "quarantined" and whole_ms.get(one, at_ms) < at_ms)
            ]
            if beside:
                yield f"{client_id} was sent in {symbol} beside {beside[0]}, which was unresolved"
        state[symbol][client_id] = now


def legal_steps(evidence: Evidence) -> Iterator[str]:
    """I11: only legal transitions, from SENDING on; what is final stays."""
    last: dict[str, str] = {}
    for client_id, now, _, _ in _order_events(evidence):
        before = last.get(client_id)
        allowed = {"sending"} if before is None else _MAY_FOLLOW.get(before, frozenset())
        if now not in allowed:
            yield f"{client_id} went from {before or 'nothing'} to {now}"
        last[client_id] = now
