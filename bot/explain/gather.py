"""Reads from the journal all that belongs to one cycle."""

from collections.abc import Iterator
from typing import Any

from bot.explain.outcome import Outcome, outcome_of
from bot.explain.story import Told
from bot.journal.reader import JournalReader
from bot.records.plain_event import plain_event

LATEST = "latest"


def told_of(journal: JournalReader, name: str) -> Told | None:
    """The cycle of that id or number, or the newest that traded; None where there is none."""
    document = _found(journal, name)
    if document is None:
        return None
    cycle_id = str(document["cycle_id"])
    return Told(
        cycle=document,
        events=[plain_event(one) for one in journal.events(cycle_id=cycle_id)],
        later_costs=_later_costs(journal, document),
        outcome=_outcome(journal, document),
    )


def _found(journal: JournalReader, name: str) -> dict[str, Any] | None:
    if name == LATEST:
        return journal.newest_cycle("hedged") or journal.newest_cycle()
    if name.isdigit():
        return journal.cycle_numbered(int(name))
    return journal.cycle(name)


def _later_costs(journal: JournalReader, document: dict[str, Any]) -> list[dict[str, Any]]:
    """Of orders that the cycle sent and that ended after it: resting ones, and slices."""
    sent = {str(one["client_id"]) for one in document.get("orders") or ()}
    told = {str(one["client_id"]) for one in document.get("costs") or ()}
    rest = sent - told
    if not rest:
        return []
    since_ms = int(document["timestamp_ms"])
    return [
        cost
        for event in journal.kept_events("order_costs", since_ms=since_ms)
        for cost in event.document.get("costs") or ()
        if cost.get("client_id") in rest
    ]


def _outcome(journal: JournalReader, document: dict[str, Any]) -> Outcome | None:
    since_ms = int(document["timestamp_ms"])
    funding = [
        (receipt.timestamp_ms, float(receipt.amount_usd))
        for account in journal.accounts()
        for receipt in journal.funding_receipts(account, since_ms)
    ]
    return outcome_of(document, _later(journal, document), funding)


def _later(journal: JournalReader, document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Cycles after this one, one by one: the first that traded ends the reading."""
    yield from journal.cycles_after(str(document["cycle_id"]))
