"""What the network and a venue in trouble do to one request, as data.

The outcome is not written here: a reply goes through the same rules as one from a real socket.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NoReturn

from bot.errors import UnreachableError, VenueError
from bot.venues.outcomes import Reply, describe, reply_code
from risk.errors import MissingDataError

CANARY = "CANARYkv7Q2mZp9XsTb4WdYh8RnLc3JgAe6Uf1Eo0"
"""Stands for a secret in everything that a venue or client says; it must come out nowhere."""

VENUE = "binanceusdm"
_OK = 200
_BUSY = (403, 418, 429)


class Taken(Enum):
    """Whether the venue takes the order although its answer goes wrong."""

    NEVER = auto()
    ALWAYS = auto()
    COIN = auto()
    LATE = auto()  # after a while


@dataclass(frozen=True, slots=True)
class WireFault:
    """One way in which a request goes wrong.

    Attributes:
        status, body: of the reply; None and empty where none came back.
        error_class: what the client raised.
        heard: the client tells what it got; it drops what ends amid the body, and what it was
            not let follow.
        wait_ms: until the client gives up or hears of it.
        reads: it happens to requests that change nothing as well.
    """

    taken: Taken
    status: int | None = None
    body: str = ""
    error_class: str = "NetworkError"
    heard: bool = True
    wait_ms: int = 50
    reads: bool = True

    @property
    def reply(self) -> Reply:
        """As the wire sees it."""
        if not self.heard:
            return Reply(True, None, "", self.error_class)
        return Reply(True, self.status, self.body, self.error_class)


def _told(code: int, text: str) -> str:
    return f'{{"code":{code},"msg":"{text} (signature={CANARY})"}}'


_UNKNOWN = "Unknown error, please check your request or try again later."

WIRE: Mapping[str, WireFault] = {
    "connect_refused": WireFault(Taken.NEVER),
    "timeout_after_acceptance": WireFault(
        Taken.ALWAYS, error_class="RequestTimeout", wait_ms=10_000, reads=False
    ),
    "timeout_before": WireFault(Taken.NEVER, error_class="RequestTimeout", wait_ms=10_000),
    "accepted_late": WireFault(
        Taken.LATE, error_class="RequestTimeout", wait_ms=10_000, reads=False
    ),
    "reset_mid_body": WireFault(
        Taken.ALWAYS, 200, '{"orderId":10', "ClientPayloadError", heard=False
    ),
    "truncated_json": WireFault(Taken.ALWAYS, 200, '{"orderId":1000001,"sta', "ExchangeError"),
    "html_on_200": WireFault(Taken.COIN, 200, f"<html>{CANARY}</html>", "ExchangeNotAvailable"),
    "status_503_unknown": WireFault(
        Taken.COIN, 503, f'{{"msg":"{_UNKNOWN}"}}', "ExchangeNotAvailable"
    ),
    "status_503_unavailable": WireFault(
        Taken.NEVER, 503, "Service Unavailable", "ExchangeNotAvailable"
    ),
    "code_1006_1007": WireFault(
        Taken.COIN, 408, _told(-1007, "Timeout waiting for response"), "RequestTimeout"
    ),
    "status_429": WireFault(Taken.NEVER, 429, _told(-1003, "Too many requests"), "RateLimit"),
    "status_418": WireFault(Taken.NEVER, 418, _told(-1003, "Way too many"), "DDoSProtection"),
    "status_403_no_json": WireFault(Taken.NEVER, 403, "Forbidden", "ExchangeNotAvailable"),
    "tls_failure_in_post": WireFault(Taken.COIN, error_class="SSLError"),
    "dns_failure": WireFault(Taken.NEVER, error_class="ClientConnectorDNSError"),
    "redirect": WireFault(Taken.NEVER, 302, "", "ExchangeError", heard=False),
    "key_revoked": WireFault(Taken.NEVER, 401, _told(-2015, "Invalid API-key"), "Authentication"),
}


def refuse_read(doing: str, fault: WireFault) -> NoReturn:
    """What a read raises; the rule of the adapter for exchanges.

    Raises:
        UnreachableError: no answer, or one that says to come back later.
        MissingDataError: an answer that is no JSON, which the client takes for text.
        VenueError: an answer that is an error.
    """
    reply = fault.reply
    if reply.status == _OK:
        raise MissingDataError(f"{VENUE}: {doing}: {describe(reply)}")
    code, _ = reply_code(reply.body)
    if not code and (reply.status is None or reply.status >= 500 or reply.status in _BUSY):
        raise UnreachableError(f"{VENUE} does not answer ({doing}: {describe(reply)})")
    raise VenueError(f"{VENUE}: {doing}: {describe(reply)}")
