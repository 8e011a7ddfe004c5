"""What a reply to an order means. The venue's own code decides, never the exception's class.

The codes are data, a table for each exchange in ``bot/venues/codes``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.trading.orders import NotAccepted, OrderOutcome, Rejected, UnknownOutcome
from bot.venues.codes.finders import FINDERS
from bot.venues.codes.table import CodeTable, Meaning, clean_text, read_table

__all__ = [
    "MEANINGS",
    "TABLES",
    "Meaning",
    "Reply",
    "classify",
    "clean_text",
    "describe",
    "meaning_of",
    "reply_code",
]

TABLES: Mapping[str, CodeTable] = {
    venue: read_table(venue, find) for venue, find in FINDERS.items()
}
"""By ccxt's exchange id. A venue without a table leaves all unknown."""

MEANINGS: Mapping[str, Mapping[str, Meaning]] = {
    venue: table.meanings() for venue, table in TABLES.items()
}
"""By ccxt's exchange id and the venue's code."""

_SLOW_DOWN = (418, 429)
_DEFAULT_VENUE = "binanceusdm"  # whose dialect the simulated exchange speaks


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over the wire.

    Attributes:
        sent: a request that changes something left this process.
        status: HTTP status; None when nothing came back.
        body: text of the reply.
        error_class: name of the client's exception; empty when it saw no error.
        venue: ccxt's exchange id, which tells where in the body to look for a code.
        retry_after_seconds: how long the venue wants to be left alone; None where not told.
    """

    sent: bool
    status: int | None
    body: str
    error_class: str
    venue: str = _DEFAULT_VENUE
    retry_after_seconds: float | None = None


def reply_code(body: str, venue: str = _DEFAULT_VENUE) -> tuple[str, str]:
    """The venue's code and message in a reply, both empty where there are none."""
    table = TABLES.get(venue, TABLES[_DEFAULT_VENUE])
    document = _document(body)
    return ("", "") if document is None else table.find(document)


def _document(body: str) -> Mapping[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):  # the latter of a body that is nothing but brackets
        return None
    return document if isinstance(document, dict) else None


def meaning_of(venue: str, code: str) -> Meaning | None:
    """What the venue's code says; None when it says nothing for certain."""
    return MEANINGS.get(venue, {}).get(code)


def classify(venue: str, client_id: str, reply: Reply) -> OrderOutcome:
    """The outcome of a send that did not bring back an order.

    Args:
        venue: ccxt's exchange id.
        client_id: of the order.
        reply: what is known of the send.
    """
    if not reply.sent:
        return Rejected(client_id, "not-sent", f"refused before sending ({reply.error_class})")
    code, message = reply_code(reply.body, venue)
    meaning = meaning_of(venue, code)
    if meaning is Meaning.REJECTED and _speaks_for_itself(reply.status):
        return Rejected(client_id, code, message)
    if meaning is Meaning.NOT_ACCEPTED:
        return NotAccepted(client_id, code, _with_wait(message, reply))
    if reply.status in _SLOW_DOWN:
        return NotAccepted(
            client_id, str(reply.status), _with_wait(message or "too many requests", reply)
        )
    return UnknownOutcome(client_id, describe(reply))


def _speaks_for_itself(status: int | None) -> bool:
    """A gateway that failed or points elsewhere may repeat what is not about this order."""
    return status is not None and (200 <= status < 300 or 400 <= status < 500)


def _with_wait(message: str, reply: Reply) -> str:
    seconds = reply.retry_after_seconds
    return message if seconds is None else f"{message} (wait {seconds:.0f} s)".strip()


def describe(reply: Reply) -> str:
    """One line without addresses, keys or signatures."""
    code, message = reply_code(reply.body, reply.venue)
    if code:
        return f"code {code}: {message}" if message else f"code {code}"
    if reply.status is None:
        return f"no reply ({reply.error_class or 'connection lost'})"
    return f"HTTP {reply.status} with a reply that cannot be read ({reply.error_class or 'no id'})"
