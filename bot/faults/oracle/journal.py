"""I10, I12: the journal is whole, says the same twice, and tells no secret."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from bot.faults.oracle.evidence import Evidence, Kept, Rows
from bot.faults.oracle.orders import STATES
from bot.faults.wire import CANARY


def sound(evidence: Evidence) -> Iterator[str]:
    """I10: the file is sound, at the end and after every death."""
    if evidence.damage:
        yield f"the journal is damaged: {evidence.damage}"
    for image in evidence.images:
        if image.damage:
            yield f"the journal {image.when} is damaged: {image.damage}"


def replays(evidence: Evidence) -> Iterator[str]:
    """I10: events and fills, replayed, give the orders as they stand; after every death too."""
    yield from _replayed(evidence.journal, "at the end")
    for image in evidence.images:
        if not image.damage:
            yield from _replayed(image.tables, image.when)
            yield from _remembers(image)


def _remembers(image: Kept) -> Iterator[str]:
    """What had left by then it knows of."""
    known = {row["client_id"] for row in image.tables.get("orders", ())}
    for client_id in sorted(image.left - known):
        yield f"the journal {image.when} knows nothing of {client_id}, which had left"


def _replayed(tables: Mapping[str, Rows], when: str) -> Iterator[str]:
    state: dict[str, str] = {}
    for row in tables.get("events", ()):
        named = row["kind"].removeprefix("order_")
        if row["client_id"] and row["kind"].startswith("order_") and named in STATES:
            state[row["client_id"]] = named
    booked: dict[str, Decimal] = defaultdict(Decimal)
    for row in tables.get("fills", ()):
        booked[row["client_id"]] += Decimal(row["quantity"])
    known = set()
    for row in tables.get("orders", ()):
        client_id = row["client_id"]
        known.add(client_id)
        if state.get(client_id) != row["state"]:
            last = state.get(client_id)
            yield f"{client_id} is {row['state']}, its events end with {last}, {when}"
        if booked[client_id] != Decimal(row["booked_quantity"]):
            fills, said = booked[client_id], row["booked_quantity"]
            yield f"{client_id}: {said} booked, fills of {fills}, {when}"
    for client_id in sorted({*state, *booked} - known):
        yield f"{client_id} has events or fills and no order, {when}"


def no_secret(evidence: Evidence) -> Iterator[str]:
    """I12: what stands for a secret came out nowhere."""
    if CANARY in evidence.outputs:
        place = evidence.outputs.index(CANARY)
        yield f"the secret is in an output: …{evidence.outputs[max(0, place - 60) : place]}"
