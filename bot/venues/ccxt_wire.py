"""Calls to a ccxt client with an eye on the wire: what was sent, what came back, and no leaks.

ccxt's exceptions carry signed addresses in their text and often say the wrong thing by their
class. So replies are read where they arrive, and ccxt's exceptions end here: nothing of them, not
even as a cause, travels on.
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from bot.errors import SafetyError, UnreachableError, VenueError
from bot.venues.outcomes import Reply, describe, reply_code

_BUSY = (403, 418, 429)


@dataclass(slots=True)
class _Traffic:
    """The last request of one call, and its reply."""

    sent: bool = False
    status: int | None = None
    body: str = ""


_current: ContextVar[_Traffic | None] = ContextVar("ccxt_traffic", default=None)


@functools.cache
def broken_call_errors() -> tuple[type[BaseException], ...]:
    """Everything that a call may raise because of the network, the venue, or a reply of nonsense.

    The last line is what ccxt's parsers raise on replies that are not what they expect.
    """
    import aiohttp
    import ccxt

    return (
        *(ccxt.BaseError, aiohttp.ClientError, OSError, asyncio.TimeoutError),
        *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    )


class CcxtWire:
    """A ccxt client whose requests and replies are seen."""

    def __init__(self, exchange: Any) -> None:
        """Watches ``exchange`` from now on.

        Raises:
            SafetyError: it is set up to send orders again by itself, or to print its secrets.
        """
        _refuse_unsafe(exchange)
        self.exchange = exchange
        self.venue = str(exchange.id)
        _watch(exchange)

    async def read(self, doing: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """The result of a call that changes nothing.

        Raises:
            UnreachableError: the venue does not answer, or is too busy to.
            VenueError: it answers with an error, or with something that cannot be read.
        """
        result, reply = await self.observe(call)
        if reply is None:
            return result
        code, _ = reply_code(reply.body)
        if not code and (reply.status is None or reply.status >= 500 or reply.status in _BUSY):
            raise UnreachableError(f"{self.venue} does not answer ({doing}: {describe(reply)})")
        raise VenueError(f"{self.venue}: {doing}: {describe(reply)}")

    async def observe(self, call: Callable[[], Awaitable[Any]]) -> tuple[Any, Reply | None]:
        """The result of a call, or what is known of its failure. Never raises for the venue."""
        traffic = _Traffic()
        token = _current.set(traffic)
        try:
            return await call(), None
        except broken_call_errors() as error:
            name = type(error).__name__
            return None, Reply(traffic.sent, traffic.status, traffic.body, name)
        finally:
            _current.reset(token)

    async def close(self) -> None:
        """Gives back sockets."""
        await self.exchange.close()


def _watch(exchange: Any) -> None:
    send, receive = exchange.fetch, exchange.on_rest_response

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        traffic = _current.get()
        if traffic is not None:
            traffic.status, traffic.body = None, ""
            traffic.sent = traffic.sent or method != "GET"
        return await send(url, method, headers, body)

    def on_rest_response(status: int, *rest: Any) -> Any:
        traffic = _current.get()
        if traffic is not None:
            reply_body = rest[4]
            traffic.status, traffic.body = status, str(reply_body)
        return receive(status, *rest)

    exchange.fetch = fetch
    exchange.on_rest_response = on_rest_response
    # At debug level ccxt logs the API key and every signature.
    exchange.logger.setLevel(logging.WARNING)


def _refuse_unsafe(exchange: Any) -> None:
    options: Mapping[str, Any] = exchange.options
    places = [options, *(value for value in options.values() if isinstance(value, dict))]
    if any(place.get("maxRetriesOnFailure") for place in places):
        raise SafetyError(
            f"{exchange.id}: maxRetriesOnFailure would send an order again after a lost reply; "
            "remove it"
        )
    if exchange.verbose:
        raise SafetyError(f"{exchange.id}: verbose prints keys and signatures; switch it off")
