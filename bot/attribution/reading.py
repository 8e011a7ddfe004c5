"""Reads from the journal what an attribution of a period needs, in bounded memory."""

from collections.abc import Mapping
from typing import Any

from bot.attribution.hedges import Booked
from bot.attribution.period import Attribution, attribution_of
from bot.journal.reader import JournalReader

FIGURES = (
    "timestamp_ms",
    "bot_gross_usd",
    "hedge_gross_usd",
    "volatility_unhedged_daily_usd",
    "volatility_after_daily_usd",
    "legs",
    "fills",
    "closed_marks",
)
"""What it needs of a cycle's document, which is by far not most of it."""


def figures_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """A cycle's document, without what no attribution asks for."""
    return {key: document.get(key) for key in FIGURES}


def booked_of(journal: JournalReader, account: str | None = None) -> Booked:
    """Everything that was ever booked, of one account or of all."""
    accounts = journal.accounts() if account is None else [account]
    return Booked(
        [fill for one in accounts for fill in journal.own_fills(one)],
        [receipt for one in accounts for receipt in journal.funding_receipts(one)],
        [close for one in accounts for close in journal.external_closes(one)],
    )


def read_attribution(
    journal: JournalReader,
    since_ms: int,
    until_ms: int,
    *,
    account: str | None = None,
) -> Attribution | None:
    """Of the cycles that began from ``since_ms`` until before ``until_ms``; None without any.

    The trades of the last of them belong to the period, until the next cycle begins.
    """
    figures: list[dict[str, Any]] = []
    end_ms = until_ms
    for document in journal.cycles_since(since_ms):
        if int(document["timestamp_ms"]) >= until_ms:
            end_ms = int(document["timestamp_ms"])
            break
        figures.append(figures_of(document))
    costs = (
        cost
        for event in journal.kept_events("order_costs", since_ms=since_ms)
        if event.timestamp_ms < end_ms
        for cost in event.document["costs"]
    )
    return attribution_of(figures, booked_of(journal, account), costs, next_ms=end_ms)
