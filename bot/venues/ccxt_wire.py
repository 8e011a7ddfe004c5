"""Calls to a ccxt client with an eye on the wire: what was sent, what came back, and no leaks.

ccxt's exceptions carry signed addresses in their text and often say the wrong thing by their
class. So replies are read where they arrive, and ccxt's exceptions end here: nothing of them, not
even as a cause, travels on. And since ccxt can send an order again by itself, and follows
redirects, both are stopped here: one changing request a call, to the address it was made for.
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from bot.errors import HaltedError, UnreachableError, VenueError
from bot.trading.last_word import forbidden
from bot.venues.ccxt_pacing import for_trading, retry_after_s
from bot.venues.ccxt_safety import harden, refuse_unsafe
from bot.venues.dialects import changes_something
from bot.venues.outcomes import Reply, describe, reply_code

_BUSY = (403, 418, 429)


class HaltedOnTheWayError(HaltedError):
    """An order was halted while it waited for its turn; it did not leave."""


@dataclass(slots=True)
class _Traffic:
    """The last request of one call, and its reply."""

    may_change: bool
    sent: bool = False
    status: int | None = None
    body: str = ""
    retry_after_seconds: float | None = None


_current: ContextVar[_Traffic | None] = ContextVar("ccxt_traffic", default=None)


@functools.cache
def broken_call_errors() -> tuple[type[BaseException], ...]:
    """Everything that a call may raise because of the network, the venue, or a reply of nonsense.

    The last line is what ccxt's parsers raise on replies that are not what they expect.
    """
    import aiohttp
    import ccxt

    return (
        *(ccxt.BaseError, aiohttp.ClientError, OSError, asyncio.TimeoutError, RecursionError),
        *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    )


class CcxtWire:
    """A ccxt client whose requests and replies are seen."""

    def __init__(self, exchange: Any) -> None:
        """Watches ``exchange`` from now on.

        Raises:
            SafetyError: it is set up to send orders again by itself, or to print its secrets.
        """
        refuse_unsafe(exchange)
        self.exchange = exchange
        self.venue = str(exchange.id)
        harden(exchange)
        watch(exchange)

    async def read(self, doing: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """The result of a call that changes nothing.

        Raises:
            UnreachableError: the venue does not answer, or is too busy to.
            VenueError: it answers with an error, or with something that cannot be read.
        """
        result, reply = await self.observe(call, may_change=False)
        if reply is None:
            return result
        code, _ = reply_code(reply.body, self.venue)
        if not code and (reply.status is None or reply.status >= 500 or reply.status in _BUSY):
            raise UnreachableError(f"{self.venue} does not answer ({doing}: {describe(reply)})")
        raise VenueError(f"{self.venue}: {doing}: {describe(reply)}")

    async def observe(
        self, call: Callable[[], Awaitable[Any]], *, may_change: bool = True
    ) -> tuple[Any, Reply | None]:
        """The result of a call, or what is known of its failure. Never raises for the venue.

        Args:
            call: through the client.
            may_change: it may send one request that changes something.
        """
        traffic = _Traffic(may_change)
        token = _current.set(traffic)
        try:
            with for_trading():
                return await call(), None
        except HaltedOnTheWayError as error:
            return None, self._reply(traffic, type(error).__name__)
        except broken_call_errors() as error:
            return None, self._reply(traffic, type(error).__name__)
        finally:
            _current.reset(token)

    def _reply(self, traffic: _Traffic, error_class: str) -> Reply:
        return Reply(
            traffic.sent,
            traffic.status,
            traffic.body,
            error_class,
            self.venue,
            traffic.retry_after_seconds,
        )

    async def close(self) -> None:
        """Gives back sockets."""
        await self.exchange.close()


def watch(exchange: Any) -> None:
    """Lets a client follow no redirect, keep no request, log no secret, and send nothing twice."""
    if getattr(exchange.fetch, "watched", False):
        return
    venue, send, receive = str(exchange.id), exchange.fetch, exchange.on_rest_response

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        traffic = _current.get()
        if traffic is not None:
            _let_pass(traffic, changing=changes_something(venue, url, method))
        exchange.open(True)
        _refuse_redirects(exchange.session)
        try:
            return await send(url, method, headers, body)
        finally:
            # ccxt keeps the last request, with its signature, for whoever looks at the client.
            exchange.last_request_url = None
            exchange.last_request_headers = None
            exchange.last_request_body = None

    def on_rest_response(status: int, *rest: Any) -> Any:
        traffic = _current.get()
        if traffic is not None:
            headers, reply_body = rest[3], rest[4]
            traffic.status, traffic.body = status, str(reply_body)
            traffic.retry_after_seconds = retry_after_s(headers)
        return receive(status, *rest)

    fetch.watched = True  # type: ignore[attr-defined]  # read when it is wrapped again
    exchange.fetch = fetch
    exchange.on_rest_response = on_rest_response
    # At debug level ccxt logs the API key and every signature.
    exchange.logger.setLevel(logging.WARNING)


def _let_pass(traffic: _Traffic, *, changing: bool) -> None:
    """Notes the request.

    Raises:
        ValueError: it would change something in a call that may not, or a second time.
        HaltedOnTheWayError: it would while trading is halted.
    """
    if changing and not traffic.may_change:
        raise ValueError("a read must not change anything")
    if changing and traffic.sent:
        raise ValueError("nothing is sent twice")
    if changing and forbidden() is not None:
        raise HaltedOnTheWayError
    traffic.status, traffic.body, traffic.retry_after_seconds = None, "", None
    traffic.sent = traffic.sent or changing


def _refuse_redirects(session: Any) -> None:
    """A redirect would carry key and signature to another address."""
    if any(one is _redirect_refusal() for one in session.trace_configs):
        return
    session.trace_configs.append(_redirect_refusal())


@functools.cache
def _redirect_refusal() -> Any:
    import aiohttp

    async def refuse(*_: Any) -> None:
        raise aiohttp.ClientConnectionError("redirects are not followed")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse)
    trace.freeze()
    return trace
