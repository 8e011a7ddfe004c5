"""An event of the journal as one flat document, as log, explanations and pages have it."""

from typing import Any

from bot.journal.rows import EventRow
from bot.records.cycle import iso_utc


def plain_event(row: EventRow) -> dict[str, Any]:
    """``event``, time, the cycle and order it belongs to, and all that it tells."""
    return {
        "event": row.kind,
        "timestamp": iso_utc(row.timestamp_ms),
        "timestamp_ms": row.timestamp_ms,
        "cycle_id": row.cycle_id,
        "client_id": row.client_id,
        **row.document,
    }
