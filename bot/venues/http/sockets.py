"""Open websockets of the simulated exchange, and what each of them is told."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import WSMsgType, web

from bot.venues.http.face import Face
from bot.venues.http.market_events import SERVED, SLOW_MS, MarketWords
from bot.venues.http.user_events import key_expired, user_event
from bot.venues.http.wire import Json, encode
from bot.venues.sim.events import MarketMoved, SimEvent

_MOST_STREAMS: Final = 200
_MOST_WAITING: Final = 5_000


@dataclass(eq=False, slots=True)
class Socket:
    """One connection: ``private`` with its key, or ``public``/``market`` with subscriptions.

    Attributes:
        account: whose events it is told; None for prices.
        streams: names that it subscribed to, with the time of the last message of the slow ones.
        waiting: messages that the client has not taken yet.
    """

    kind: str
    reply: web.WebSocketResponse
    transport: asyncio.Transport | None
    account: str | None = None
    key: str = field(default="", repr=False)
    streams: dict[str, int] = field(default_factory=dict)
    waiting: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(_MOST_WAITING))


class StreamHub:
    """Serves ``/private/ws``, ``/public/ws`` and ``/market/ws`` from the exchange's bus.

    A message is sent when the exchange tells of a change, so streams are as deterministic as the
    exchange. ``script`` stands between: it may swallow, repeat or hold back messages.

    Attributes:
        handshakes: connections asked for, refused ones included.
        refuses: the HTTP status by which new connections are turned away; None: they are taken.
    """

    def __init__(self, face: Face) -> None:
        self.handshakes = 0
        self.refuses: int | None = None
        self._face = face
        self._open: set[Socket] = set()
        self._stop: Callable[[], None] | None = None

    def script(self, socket: Socket, message: str) -> Sequence[str]:
        """What is sent in place of ``message``; the message itself, unless replaced."""
        del socket
        return (message,)

    def sockets(self, kind: str | None = None) -> list[Socket]:
        """Open connections, of one kind or all."""
        return [one for one in self._open if kind is None or one.kind == kind]

    async def cut(self, kind: str | None = None) -> int:
        """Break connections off, as a network does; how many."""
        found = self.sockets(kind)
        for one in found:
            self._drop(one)
            if one.transport is not None:
                one.transport.close()
        await asyncio.sleep(0)
        return len(found)

    async def close(self) -> None:
        """End every connection in good order, and hear no more."""
        for one in list(self._open):
            self._drop(one)
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(one.reply.close(code=1001), 1.0)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """One connection, until either side ends it."""
        self.handshakes += 1
        now_ms = self._face.clock.now_ms()
        kind, account, key = request.path.split("/")[1], None, request.query.get("listenKey", "")
        if self.refuses is not None:
            return web.Response(status=self.refuses)
        if kind == "private":
            account = self._face.listen_keys.account_of(key, now_ms)
            if account is None:
                return web.Response(status=401, text="listenKey is not valid")
        reply = web.WebSocketResponse()
        await reply.prepare(request)
        socket = Socket(kind, reply, request.transport, account, key)
        named = request.path.rpartition("/ws")[2].strip("/")
        if kind in SERVED and SERVED[kind].fullmatch(named):
            socket.streams[named] = 0
        self._take(socket)
        writing = asyncio.create_task(self._write(socket))
        try:
            async for message in reply:
                if message.type is WSMsgType.TEXT:
                    self._send(socket, self._answer(socket, message.data))
        finally:
            self._drop(socket)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        return reply

    def _take(self, socket: Socket) -> None:
        """The exchange is listened to only while somebody is connected."""
        if self._stop is None:
            self._stop = self._face.exchange.bus.listen(self._hear)
        self._open.add(socket)

    def _drop(self, socket: Socket) -> None:
        self._open.discard(socket)
        if not self._open and self._stop is not None:
            self._stop()
            self._stop = None

    async def _write(self, socket: Socket) -> None:
        while True:
            text = await socket.waiting.get()
            with contextlib.suppress(ConnectionError):
                await socket.reply.send_str(text)

    def _hear(self, event: SimEvent) -> None:
        """Told by the exchange, in the middle of its work: only put in line here."""
        if isinstance(event, MarketMoved):
            self._tell_prices(event)
            self._end_keys(event.stamp.event_ms)
            return
        for one in list(self._open):
            if one.account == event.account and one.key:
                self._send(one, user_event(self._face, event))

    def _tell_prices(self, event: MarketMoved) -> None:
        words = MarketWords(self._face, event)
        now_ms = event.stamp.event_ms
        for one in list(self._open):
            for stream, told_ms in one.streams.items():
                slow = "markPrice" in stream and not stream.endswith("@1s")
                if slow and 0 <= now_ms - told_ms < SLOW_MS:
                    continue
                one.streams[stream] = now_ms
                for message in words.messages(stream):
                    self._send(one, message)

    def _end_keys(self, now_ms: int) -> None:
        """Keys that ran out, or were closed: told once, then the stream says no more."""
        for one in list(self._open):
            if one.key and self._face.listen_keys.account_of(one.key, now_ms) is None:
                self._send(one, key_expired(one.key, now_ms))
                one.key = ""

    def _send(self, socket: Socket, document: Json) -> None:
        for text in self.script(socket, encode(document).decode()):
            if socket.waiting.full():  # a client that does not read is let go
                self._drop(socket)
                if socket.transport is not None:
                    socket.transport.close()
                return
            socket.waiting.put_nowait(text)

    def _answer(self, socket: Socket, text: str) -> Json:
        """SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS."""
        try:
            asked = json.loads(text)
            number, method, names = asked["id"], asked["method"], list(asked.get("params", []))
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"error": {"code": 3, "msg": "Invalid JSON: expected value"}, "id": None}
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": list(socket.streams), "id": number}
        served = SERVED.get(socket.kind)
        for name in names:
            if served is None or not isinstance(name, str) or served.fullmatch(name) is None:
                problem = f"Invalid request: {name!r} is not a stream of /{socket.kind}/ws"
                return {"error": {"code": 2, "msg": problem}, "id": number}
        if method == "SUBSCRIBE" and len(socket.streams) + len(names) <= _MOST_STREAMS:
            socket.streams |= dict.fromkeys(names, 0)
        elif method == "UNSUBSCRIBE":
            for name in names:
                socket.streams.pop(name, None)
        else:
            return {"error": {"code": 2, "msg": "Invalid request: method or count"}, "id": number}
        return {"result": None, "id": number}
