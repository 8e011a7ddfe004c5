"""How often a client may ask: half of the exchange's limit, and less when the exchange says so.

A client paces itself by a rolling window. Several of them share one address, and so may other
programs, of which only the exchange knows: what it tells of its allowance in the headers of every
reply makes questions wait that are about the market. Where it wants to be left alone for a while,
nothing but orders and cancels goes out meanwhile; those are judged where they are sent. A cancel
waits for nothing.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from bot.venues.dialects import changes_something

SHARE: Final = 0.5
"""Of the exchange's limit, for each client and for all that share the address."""

LONGEST_WAIT_S: Final = 3 * 86_400.0
_LONGEST_DATE: Final = 40
_LONGEST_PAUSE_S: Final = 10.0
_SLOW_DOWN: Final = (403, 418, 429)
_BINANCE_WEIGHT_A_MINUTE: Final = 2400

_urgent: ContextVar[bool] = ContextVar("ccxt_urgent", default=False)
_trading: ContextVar[bool] = ContextVar("ccxt_trading", default=False)

_WINDOWS_MS: Final[Mapping[str, float]] = {"okx": 2_000.0, "hyperliquid": 60_000.0}
"""Windows that ccxt does not know."""

Headers = Mapping[str, str]


@contextmanager
def without_waiting() -> Iterator[None]:
    """Requests inside do not queue for their turn; for cancels."""
    token = _urgent.set(True)
    try:
        yield
    finally:
        _urgent.reset(token)


@contextmanager
def for_trading() -> Iterator[None]:
    """Requests inside are about orders and account, and may use the exchange's whole allowance."""
    token = _trading.set(True)
    try:
        yield
    finally:
        _trading.reset(token)


def _binance(headers: Headers) -> float | None:
    used = _count(headers.get("x-mbx-used-weight-1m"))
    return None if used is None else used / _BINANCE_WEIGHT_A_MINUTE


def _of_remaining(limit_name: str, left_name: str) -> Callable[[Headers], float | None]:
    def used(headers: Headers) -> float | None:
        limit, left = _count(headers.get(limit_name)), _count(headers.get(left_name))
        return None if not limit or left is None else max(0.0, 1 - left / limit)

    return used


_USED: Final[Mapping[str, Callable[[Headers], float | None]]] = {
    "binanceusdm": _binance,
    "bybit": _of_remaining("x-bapi-limit", "x-bapi-limit-status"),
    "gate": _of_remaining("x-gate-ratelimit-limit", "x-gate-ratelimit-requests-remain"),
}
"""What share of the running window is used, by ccxt's exchange id; the others do not tell."""


def _untold(_headers: Headers) -> float | None:
    return None


def _count(text: str | None) -> int | None:
    return int(text[:9]) if text is not None and re.fullmatch("[0-9]+", text) else None


def retry_after_s(headers: Headers) -> float | None:
    """Seconds that the exchange wants to be left alone; None where it does not say.

    A moment in place of seconds counts from the reply's own date: our clock may be another.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    told = lower.get("retry-after", "")
    if told.isascii() and told.isdigit():
        return min(float(told[:9]), LONGEST_WAIT_S)
    until, now = _moment(told), _moment(lower.get("date", ""))
    if until is None or now is None:
        return None
    return min(max(0.0, (until - now).total_seconds()), LONGEST_WAIT_S)


def _moment(text: str) -> datetime | None:
    """A date of HTTP; None where it is none."""
    try:
        found = parsedate_to_datetime(text[:_LONGEST_DATE])
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


class Allowance:
    """What an exchange has told of its limits; times in seconds of one clock."""

    def __init__(self, venue: str) -> None:
        self._used = _USED.get(venue, _untold)
        self._pause_until_s = 0.0
        self._closed_until_s = 0.0

    def note(self, status: int, headers: Headers, now_s: float) -> None:
        """A reply came."""
        lower = {name.lower(): value for name, value in headers.items()}
        used = self._used(lower)
        if used is not None:
            over = max(0.0, used - SHARE) / (1 - SHARE)
            self._pause_until_s = now_s + min(1.0, over) * _LONGEST_PAUSE_S
        wait_s = retry_after_s(headers)
        if wait_s is not None and status in _SLOW_DOWN:
            self._closed_until_s = max(self._closed_until_s, now_s + wait_s)

    def pause_s(self, now_s: float) -> float:
        """How long a question about the market waits, the longer the more is used."""
        return min(_LONGEST_PAUSE_S, max(0.0, self._pause_until_s - now_s))

    def closed_s(self, now_s: float) -> float:
        """How long the exchange still wants to be left alone."""
        return max(0.0, self._closed_until_s - now_s)


def pace(exchange: Any, now_s: Callable[[], float] = time.monotonic) -> None:
    """Holds a client to its share from now on."""
    import ccxt

    send, receive, throttle = exchange.fetch, exchange.on_rest_response, exchange.throttle
    venue = str(exchange.id)
    allowance = Allowance(venue)
    exchange.rateLimit /= SHARE
    # Without the size of its window ccxt falls back to a queue in which orders wait for questions.
    exchange.rollingWindowSize = exchange.rollingWindowSize or _WINDOWS_MS.get(venue, 1000.0)
    exchange.tokenBucket = {}
    exchange.init_rest_rate_limiter()

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        if not changes_something(venue, url, method):
            if (closed_s := allowance.closed_s(now_s())) > 0:
                raise ccxt.RateLimitExceeded(f"to be left alone for another {closed_s:.0f} s")
            if not _trading.get() and (pause_s := allowance.pause_s(now_s())) > 0:
                await asyncio.sleep(pause_s)
        return await send(url, method, headers, body)

    def on_rest_response(status: int, *rest: Any) -> Any:
        allowance.note(status, rest[3], now_s())
        return receive(status, *rest)

    async def throttled(cost: Any = None) -> Any:
        if _urgent.get():
            return None
        # What is dearer than a whole window takes all of it; else it would wait for ever.
        most = exchange.throttler.config["maxWeight"]
        return await throttle(min(1.0 if cost is None else cost, most))

    exchange.fetch = fetch
    exchange.on_rest_response = on_rest_response
    exchange.throttle = throttled
