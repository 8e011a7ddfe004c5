"""What a reply to an order means. The venue's own code decides, never the exception's class.

A code is listed as a rejection only where it says beyond doubt that no order was taken. What is
not listed is unknown: the order may be live or filled, and reconciliation has to find out.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from bot.trading.orders import NotAccepted, OrderOutcome, Rejected, UnknownOutcome


class Meaning(Enum):
    """What a code says about the order."""

    REJECTED = auto()  # surely not taken
    NOT_ACCEPTED = auto()  # surely not taken, and the venue wants fewer or later requests
    EXISTS = auto()  # an order with this client id is there already
    ABSENT = auto()  # to a question: the venue has no such order


_BINANCE_REJECTED = (
    # Keys, permissions, signatures
    *(-1002, -1022, -2014, -2015, -2017),
    # Parameters that cannot be an order
    *(-1013, -1014, -1020, -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108, -1111, -1112),
    *(-1114, -1115, -1116, -1117, -1118, -1121, -1122, -1128, -1130, -1136),
    # The engine's refusals: funds, positions, reduce-only, leverage
    *(-2010, -2018, -2019, -2021, -2022, -2024, -2025, -2026, -2027, -2028),
    # Filters: price, quantity, notional, position side, symbol status
    *(-4001, -4002, -4003, -4004, -4005, -4013, -4014, -4015, -4016, -4023, -4024, -4055, -4060),
    *(-4061, -4062, -4087, -4088, -4118, -4131, -4140, -4141, -4164, -4183, -4184, -4192),
    *(-4400, -4401, -4402),
    # Fill-or-kill and post-only that could not be
    *(-5021, -5022, -5039),
)
_BINANCE_NOT_ACCEPTED = (-1003, -1015, -1021, -5028)

_BINANCE: Mapping[str, Meaning] = {
    **{str(code): Meaning.REJECTED for code in _BINANCE_REJECTED},
    **{str(code): Meaning.NOT_ACCEPTED for code in _BINANCE_NOT_ACCEPTED},
    "-4116": Meaning.EXISTS,
    "-2013": Meaning.ABSENT,
}

MEANINGS: Mapping[str, Mapping[str, Meaning]] = {"binanceusdm": _BINANCE}
"""By ccxt's exchange id and the venue's code. A venue without a table leaves all unknown."""

_SLOW_DOWN = (418, 429)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over the wire.

    Attributes:
        sent: a request that changes something left this process.
        status: HTTP status; None when nothing came back.
        body: text of the reply.
        error_class: name of the client's exception; empty when it saw no error.
    """

    sent: bool
    status: int | None
    body: str
    error_class: str


def reply_code(body: str) -> tuple[str, str]:
    """The venue's code and message in a reply, both empty where it is no such JSON."""
    try:
        document = json.loads(body)
    except ValueError:
        return "", ""
    if not isinstance(document, dict):
        return "", ""
    code = document.get("code")
    if isinstance(code, bool) or not isinstance(code, int | str):
        return "", ""
    return str(code), clean_text(str(document.get("msg", "")))


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
    code, message = reply_code(reply.body)
    meaning = meaning_of(venue, code)
    if meaning is Meaning.REJECTED:
        return Rejected(client_id, code, message)
    if meaning is Meaning.NOT_ACCEPTED:
        return NotAccepted(client_id, code, message)
    if reply.status in _SLOW_DOWN:
        return NotAccepted(client_id, str(reply.status), message or "too many requests")
    return UnknownOutcome(client_id, describe(reply))


def describe(reply: Reply) -> str:
    """One line without addresses, keys or signatures."""
    code, message = reply_code(reply.body)
    if code:
        return f"code {code}: {message}" if message else f"code {code}"
    if reply.status is None:
        return f"no reply ({reply.error_class or 'connection lost'})"
    return f"HTTP {reply.status} with a reply that cannot be read ({reply.error_class or 'no id'})"


def clean_text(text: str, longest: int = 160) -> str:
    """A venue's words in one short line; addresses and long secrets are blotted out."""
    line = re.sub(r"\s+", " ", text).strip()
    line = re.sub(r"\b\w+://\S+", "…", line)
    line = re.sub(r"\b\d{1,3}(\.\d{1,3}){3}\b", "…", line)
    line = re.sub(r"[A-Za-z0-9+/_-]{32,}={0,2}", "…", line)
    return line if len(line) <= longest else line[: longest - 1] + "…"
