"""Who sends a request, and whether it is theirs: key, timestamp and HMAC-SHA256 signature."""

import hashlib
import hmac
import re

from bot.venues.http.params import Params, missing
from bot.venues.sim.account import SimAccount
from bot.venues.sim.errors import VenueReject
from bot.venues.sim.exchange import SimulatedExchange

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SIGNATURE = re.compile(r"(?:^|&)signature=[^&]*")
_DEFAULT_WINDOW_MS = 5_000
_LARGEST_WINDOW_MS = 60_000
_AHEAD_MS = 1_000


def sign(secret: str, payload: str) -> str:
    """The hexadecimal HMAC-SHA256 of ``payload``."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def find_account(exchange: SimulatedExchange, key: str | None, peer: str) -> SimAccount:
    """The account that the key belongs to.

    Raises:
        VenueReject: no key or no key's look (-2014), nobody's key (-2015).
    """
    if key is None or _KEY.fullmatch(key) is None:
        raise VenueReject(-2014, "API-key format invalid.", 401)
    account = exchange.account_by_key(key)
    if account is None:
        raise VenueReject(
            -2015, f"Invalid API-key, IP, or permissions for action, request ip: {peer}", 401
        )
    return account


def check_timestamp(params: Params, now_ms: int) -> None:
    """The request was made within its ``recvWindow`` before now, by the exchange's clock.

    Raises:
        VenueReject: outside of it or more than a second ahead (-1021), or too wide (-1131).
    """
    timestamp_ms = params.integer("timestamp")
    window_ms = params.optional_integer("recvWindow")
    window_ms = _DEFAULT_WINDOW_MS if window_ms is None else window_ms
    if not 0 < window_ms <= _LARGEST_WINDOW_MS:
        raise VenueReject(-1131, "Invalid 'recvWindow'; it must be at most 60000.", 400)
    if timestamp_ms >= now_ms + _AHEAD_MS:
        raise VenueReject(
            -1021,
            f"Timestamp for this request was {_AHEAD_MS}ms ahead of the server's time.",
            400,
        )
    if now_ms - timestamp_ms > window_ms:
        raise VenueReject(-1021, "Timestamp for this request is outside of the recvWindow.", 400)


def check_signature(params: Params, query: str, body: str, secret: str) -> None:
    """The signature is that of the query followed by the body, both as they were sent.

    Raises:
        VenueReject: none was sent (-1102) or it does not fit (-1022).
    """
    sent = params.optional("signature")
    if sent is None:
        raise missing("signature")
    payload = _unsigned(query) + _unsigned(body)
    if not hmac.compare_digest(sign(secret, payload).encode(), sent.lower().encode()):
        raise VenueReject(-1022, "Signature for this request is not valid.", 400)


def _unsigned(text: str) -> str:
    return _SIGNATURE.sub("", text).removeprefix("&")
