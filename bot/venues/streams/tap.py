"""Listens in on one ``ccxt.pro`` client: every structure that it reads off its sockets.

A ``watch_*`` call answers with what came since the last one, and what comes between two calls waits
for the next message, a fill included. So those calls only subscribe here; the structures are
taken where ccxt makes them known, one after the other, and none of them waits.

ccxt also forgets to renew Binance's listen key after the first time, passes over the message that
it has expired, and leaves timers behind that outlive the client. The tap keeps its timers.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

_LAST: Final = 50
"""Rows at the end of a cache that one message may have changed; exchanges send fewer at a time."""

PATIENCE: Final = 3
"""Pings without an answer, in pairs, after which a connection is given up."""


class Ears(Protocol):
    """What the owner of a tap is told; nothing of it may raise or wait."""

    def opened(self) -> None:
        """A connection stands."""
        ...

    def lost(self, error: BaseException | None) -> None:
        """A connection ended, or could not be made."""
        ...

    def frame(self, message: object) -> None:
        """A message as it came, before ccxt reads it."""
        ...

    def made(self, row: Mapping[str, Any]) -> None:
        """A unified structure: ticker, order, trade, position or balance."""
        ...

    def broken(self, error: BaseException) -> None:
        """A message could not be read."""
        ...


class Tap:
    """Sits on one client, which nobody else uses for streams."""

    def __init__(self, exchange: Any, ears: Ears, *, ping_ms: int, timers: bool) -> None:
        """``ping_ms``: how often the connections are tried; ``timers``: ccxt's own may run."""
        self._exchange = exchange
        self._ears = ears
        self._timers_allowed = timers
        self._timers: list[asyncio.TimerHandle] = []
        self._closing = False
        self._pongs: dict[str, int] = {}
        self._make, self._read = exchange.client, exchange.handle_message
        self._connected, self._delay = exchange.on_connected, exchange.delay
        self._failed, self._ended = exchange.on_error, exchange.on_close
        # A line that answers no ping goes mute first, and is given up later.
        patience = {"keepAlive": ping_ms, "maxPingPongMisses": 2.0 * PATIENCE}
        exchange.streaming = {**exchange.streaming, **patience}
        exchange.client, exchange.handle_message = self._client, self._handle
        exchange.on_connected, exchange.delay = self._on_connected, self._on_delay
        exchange.on_error, exchange.on_close = self._on_error, self._on_close
        self._spawn, exchange.spawn = exchange.spawn, self._on_spawn
        # It would ask for all positions by REST, unasked; they come with the next cycle.
        snapshots = {"fetchPositionsSnapshot": False, "awaitPositionsSnapshot": False}
        exchange.options["watchPositions"] = snapshots

    def answered(self) -> bool:
        """Whether a connection has answered a ping since this was last asked."""
        fresh = False
        for url, client in (self._exchange.clients or {}).items():
            pong = client.lastPong or 0
            # The first ping is counted as answered by ccxt itself.
            fresh = fresh or (url in self._pongs and pong != self._pongs[url])
            self._pongs[url] = pong
        return fresh

    async def close(self) -> None:
        """End timers and connections."""
        self._closing = True
        for timer in self._timers:
            timer.cancel()
        await self._exchange.close()

    def _client(self, url: str) -> Any:
        client = self._make(url)
        if not hasattr(client, "tapped"):
            resolve, take = client.resolve, client.handle_message

            def told(result: Any, message_hash: Any) -> Any:
                self._told(result)
                return resolve(result, message_hash)

            def taken(message: object) -> None:
                with self._told_when_broken():  # before ccxt hands it on: a text that is no JSON
                    take(message)

            client.resolve, client.handle_message, client.tapped = told, taken, True
        return client

    def _told(self, result: Any) -> None:
        if isinstance(result, Mapping):
            rows = [result] if "symbol" in result or "total" in result else list(result.values())
        elif isinstance(result, str) or not hasattr(result, "__len__"):
            return
        else:  # a cache, the newest last, or a list of what is new
            rows = [result[k] for k in range(max(0, len(result) - _LAST), len(result))]
        for row in rows:
            if isinstance(row, Mapping):
                self._ears.made(row)

    def _handle(self, client: Any, message: object) -> None:
        with self._told_when_broken():
            self._ears.frame(message)
            self._read(client, message)

    @contextmanager
    def _told_when_broken(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - in ccxt it would end the reading without a word
            self._ears.broken(error)

    def _on_connected(self, client: Any, message: object = None) -> None:
        self._connected(client, message)
        self._ears.opened()

    def _on_error(self, client: Any, error: BaseException) -> None:
        self._failed(client, error)
        if not self._closing:
            self._ears.lost(error)

    def _on_close(self, client: Any, code: object) -> None:
        self._ended(client, code)
        if not self._closing:
            self._ears.lost(None)

    def _on_spawn(self, method: Any, *arguments: Any) -> Any:
        """What ccxt does beside: its errors, which quote signed addresses, are shown to nobody."""
        future = self._spawn(method, *arguments)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    def _on_delay(self, timeout_ms: float, method: Any, *arguments: Any) -> None:
        if self._timers_allowed and not self._closing:
            self._timers.append(self._delay(timeout_ms, method, *arguments))
