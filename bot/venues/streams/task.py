"""Keeps one stream connected: a fresh client for each connection, and a growing wait between."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.ports import Clock
from bot.venues.ccxt_market import error_text
from bot.venues.ccxt_wire import broken_call_errors
from bot.venues.streams.backoff import Backoff
from bot.venues.streams.from_ccxt import says_expired
from bot.venues.streams.inbox import StreamInbox
from bot.venues.streams.tap import Tap

TICK_S: Final = 0.25
OPEN_WITHIN_S: Final = 15.0

Call = tuple[str, tuple[Any, ...]]
"""Name of a ``watch_*`` method, and what it is called with."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What one stream needs.

    Attributes:
        open: makes a client of ``ccxt.pro`` that knows the markets.
        calls: what is subscribed to with a client, asked again and again: it may grow.
        made, frame: are told of every structure, and of every message before it is read.
        renewal: the client's method that keeps the stream's key alive; empty: there is none.
        renew_every_s: how often it is called.
        settle_s: after a connection stands, so long until its subscriptions surely do.
        ping_ms: how often the connection is tried.
        own_timers: ccxt may keep its own timers, where no ``renewal`` is known.
        pongs_count: an answered ping is a sign of life; not where data come all the time.
    """

    open: Callable[[], Awaitable[Any]]
    calls: Callable[[Any], Sequence[Call]]
    made: Callable[[Mapping[str, Any]], None]
    frame: Callable[[object], None] = lambda _: None
    renewal: str = ""
    renew_every_s: float = 1200.0
    settle_s: float = 0.0
    ping_ms: int = 5_000
    own_timers: bool = False
    pongs_count: bool = True


class StreamTask:
    """One stream from now until cancelled; its inbox says how it stands."""

    def __init__(
        self,
        plan: StreamPlan,
        inbox: StreamInbox,
        clock: Clock,
        backoff: Backoff,
        on_change: Callable[[], None],
    ) -> None:
        """``on_change`` is called after every connection and every loss."""
        self._plan = plan
        self._inbox = inbox
        self._clock = clock
        self._backoff = backoff
        self._on_change = on_change
        self._refused: set[str] = set()
        self._nothing = False
        self._begin()

    def _begin(self) -> None:
        self._opened_ms: int | None = None
        self._standing = False
        self._end: str | None = None
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Connect, wait for the end, wait a while, again; returns where nothing is offered."""
        while True:
            self._begin()
            started_ms = self._clock.now_ms()
            try:
                reason = await self._session()
            except Exception as error:  # noqa: BLE001 - whatever it was, the stream comes back
                reason = error_text(error)
            self._inbox.disconnected(self._clock.now_ms(), reason)
            self._on_change()
            if self._nothing:
                return
            self._backoff.stood((self._clock.now_ms() - started_ms) / 1000)
            await self._clock.sleep(self._backoff.next_s())

    @property
    def refused(self) -> frozenset[str]:
        """Methods that the exchange refused."""
        return frozenset(self._refused)

    # What the tap tells

    def opened(self) -> None:
        """A connection stands."""
        if self._opened_ms is None:
            self._opened_ms = self._clock.now_ms()
            if not self._plan.settle_s:
                self._stand()

    def lost(self, error: BaseException | None) -> None:
        """A connection ended; what it told until now is kept."""
        self._finish("the connection was closed" if error is None else error_text(error))

    def frame(self, message: object) -> None:
        """Any message; one of them may end the stream."""
        if says_expired(message):
            self._inbox.key_expired(self._clock.now_ms())
            self._finish("its key has expired")
        self._plan.frame(message)

    def made(self, row: Mapping[str, Any]) -> None:
        """A structure that ccxt has read."""
        self._plan.made(row)

    def broken(self, error: BaseException) -> None:
        """ccxt could not read a message: what else it missed is not known."""
        self._finish(f"a message cannot be read ({type(error).__name__})")

    # One connection

    def _stand(self) -> None:
        self._standing = True
        self._inbox.connected(self._clock.now_ms())
        self._on_change()

    def _finish(self, reason: str) -> None:
        if self._end is None:
            self._end = reason
        if self._standing:
            self._standing = False
            self._inbox.disconnected(self._clock.now_ms(), reason)
        self._wake.set()

    async def _session(self) -> str:
        """Why the connection ended."""
        try:
            exchange = await self._plan.open()
        except broken_call_errors() as error:
            return error_text(error)
        tap = Tap(exchange, self, ping_ms=self._plan.ping_ms, timers=self._plan.own_timers)
        asked: dict[Call, asyncio.Future[Any]] = {}
        try:
            return await self._hold(exchange, tap, asked)
        finally:
            for one in asked.values():
                one.cancel()
            await asyncio.gather(*asked.values(), return_exceptions=True)
            await tap.close()

    async def _hold(self, exchange: Any, tap: Tap, asked: dict[Call, asyncio.Future[Any]]) -> str:
        started_ms = renewed_ms = self._clock.now_ms()
        while self._end is None:
            calls = self._plan.calls(exchange)
            if not calls:
                self._nothing = True
                return "the exchange offers no such stream: REST alone tells"
            for call in calls:
                if call not in asked and call[0] not in self._refused:
                    asked[call] = asyncio.ensure_future(_ask(exchange, call))
            await self._tick(tap)
            now_ms = self._clock.now_ms()
            for call, one in asked.items():
                if one.done() and not one.cancelled() and (error := one.exception()) is not None:
                    self._failed(call[0], error, {name for name, _ in calls})
            if self._opened_ms is None and now_ms - started_ms > OPEN_WITHIN_S * 1000:
                return "no connection in time"
            if self._plan.renewal and now_ms - renewed_ms >= self._plan.renew_every_s * 1000:
                renewed_ms = now_ms
                try:
                    await getattr(exchange, self._plan.renewal)()
                except broken_call_errors() as error:
                    return f"its key cannot be renewed ({error_text(error)})"
        return self._end

    async def _tick(self, tap: Tap) -> None:
        """Wait a moment, or until something ends; then note what has happened quietly."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), TICK_S)
        now_ms = self._clock.now_ms()
        if tap.answered() and self._plan.pongs_count:
            self._inbox.heartbeat(now_ms)
        waiting = self._opened_ms is not None and not self._standing and self._end is None
        if waiting and now_ms - (self._opened_ms or 0) >= self._plan.settle_s * 1000:
            self._stand()

    def _failed(self, method: str, error: BaseException, methods: set[str]) -> None:
        """A subscription that the exchange or ccxt refuses is left out; the rest goes on."""
        import ccxt

        refused = ccxt.NotSupported, ccxt.BadRequest, ccxt.ArgumentsRequired, ccxt.BadSymbol
        if isinstance(error, refused) and methods - self._refused - {method}:
            self._refused.add(method)
            return
        self._finish(error_text(error))


async def _ask(exchange: Any, call: Call) -> Any:
    name, arguments = call
    lists = (list(one) if isinstance(one, tuple) else one for one in arguments)
    return await getattr(exchange, name)(*lists)
