"""Reads from the journal what a report of a period tells, in bounded memory."""

from collections.abc import Iterable, Mapping
from typing import Any

from bot.attribution.period import attribution_of
from bot.attribution.reading import booked_of, figures_of
from bot.journal.reader import JournalReader
from bot.records.plain_event import plain_event
from bot.report.beside import TRIPS, Beside
from bot.report.pairs import PairHistory, pairs_to_follow

MOST_CYCLES = 1_500
"""So many cycles are drawn and listed; of more, those that traded and a thinned rest."""


def period_of(journal: JournalReader, since_ms: int = 0) -> tuple[list[dict[str, Any]], Beside]:
    """Documents of the cycles since then, oldest first, and what else is told of them."""
    total = journal.cycle_count_since(since_ms)
    every = max(1, -(-total // MOST_CYCLES))
    cycles: list[dict[str, Any]] = []
    figures: list[dict[str, Any]] = []
    pairs = _pairs(journal)
    for number, document in enumerate(journal.cycles_since(since_ms)):
        figures.append(figures_of(document))
        pairs.add(document)
        if number % every == 0 or number >= total - 1 or document.get("orders"):
            cycles.append(document)
            _lighten(cycles)
    return cycles, _beside(journal, since_ms, figures, pairs)


def beside_of(journal: JournalReader, since_ms: int = 0) -> Beside:
    """What is told beside cycles that somebody has already."""
    figures: list[dict[str, Any]] = []
    pairs = _pairs(journal)
    for document in journal.cycles_since(since_ms):
        figures.append(figures_of(document))
        pairs.add(document)
    return _beside(journal, since_ms, figures, pairs)


def _pairs(journal: JournalReader) -> PairHistory:
    """Empty, of the pairs of the newest cycle that tells positions."""
    for status in (None, "hedged", "no_hedge", "proposed"):
        newest = journal.newest_cycle(status)
        if newest is not None and newest.get("legs"):
            return PairHistory(pairs_to_follow(newest["legs"]))
    return PairHistory()


def _beside(
    journal: JournalReader, since_ms: int, figures: list[dict[str, Any]], pairs: PairHistory
) -> Beside:
    events = [plain_event(one) for kind in TRIPS for one in journal.events(since_ms, kind=kind)]
    return Beside(
        cycles_total=len(figures),
        events=sorted(events, key=lambda one: int(one["timestamp_ms"])),
        attribution=attribution_of(figures, booked_of(journal), _costs(journal, since_ms)),
        pairs=pairs.thinned(),
    )


def _lighten(cycles: list[dict[str, Any]]) -> None:
    """Only the newest correlations are drawn; a matrix is most of a document."""
    if cycles[-1].get("correlation") is None:
        return
    for one in reversed(cycles[:-1]):
        if one.get("correlation") is not None:
            one["correlation"] = None
            return


def _costs(journal: JournalReader, since_ms: int) -> Iterable[Mapping[str, Any]]:
    for event in journal.kept_events("order_costs", since_ms=since_ms):
        yield from event.document["costs"]
