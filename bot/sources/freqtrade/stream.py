"""freqtrade's message stream: news of its fills, which hasten a cycle and prove nothing."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp

from bot.errors import UnreachableError
from bot.ports import Clock
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.json_file import parse_json
from bot.venues.streams.backoff import Backoff
from bot.venues.streams.inbox import StreamInbox
from risk.errors import DataError

TOPICS: Final = ("entry_fill", "exit_fill", "status")
"""Messages that mean that what it holds, or whether it runs, has changed."""
OPEN_WITHIN_S: Final = 10.0
UNANSWERED_PINGS: Final = 3
"""So many in a row end a connection: whoever was there may be gone without a word."""
LARGEST_MESSAGE_BYTES: Final = 1_000_000
_SHOWN: Final = ("pair", "trade_id", "direction", "status", "sub_trade")


class FreqtradeStream:
    """Listens until cancelled, and connects anew after every end."""

    def __init__(
        self,
        client: FreqtradeClient,
        inbox: StreamInbox,
        clock: Clock,
        *,
        heard: Callable[[str, Mapping[str, Any]], None],
        changed: Callable[[], None],
        backoff: Backoff | None = None,
    ) -> None:
        """``heard`` is told of news, by the stream's name; ``changed`` of connections and ends."""
        self._client = client
        self._inbox = inbox
        self._clock = clock
        self._heard = heard
        self._changed = changed
        self._backoff = backoff or Backoff()
        self._ping_s = inbox.mute_ms / 3000

    async def run(self) -> None:
        """Connect, listen, wait a while, again."""
        while True:
            started_ms = self._clock.now_ms()
            reason = await self._session()
            self._inbox.disconnected(self._clock.now_ms(), reason)
            self._changed()
            self._backoff.stood((self._clock.now_ms() - started_ms) / 1000)
            await self._clock.sleep(self._backoff.next_s())

    async def _session(self) -> str:
        """Why the connection ended; never in the words of the library, which hold the token."""
        try:
            token = await self._client.stream_token()
        except (UnreachableError, DataError) as error:
            return str(error)
        try:
            async with (
                aiohttp.ClientSession(trust_env=False) as session,
                asyncio.timeout(OPEN_WITHIN_S) as opening,
                session.ws_connect(
                    f"{self._client.url}/api/v1/message/ws",
                    params={"token": token},
                    autoping=False,
                    max_msg_size=LARGEST_MESSAGE_BYTES,
                ) as socket,
            ):
                opening.reschedule(None)
                await socket.send_json({"type": "subscribe", "data": list(TOPICS)})
                return await self._listen(socket)
        except TimeoutError:
            return "no connection in time"
        except aiohttp.WSServerHandshakeError as error:
            return f"the bot refuses its stream (HTTP status {error.status})"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"no connection ({type(error).__name__})"

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> str:
        first = not self._inbox.counts.connections
        self._inbox.connected(self._clock.now_ms())
        self._changed()
        if not first:
            self._heard(self._inbox.name, {"news": "connected again"})
        unanswered = 0
        while True:
            try:
                message = await asyncio.wait_for(socket.receive(), self._ping_s)
            except TimeoutError:
                if unanswered >= UNANSWERED_PINGS:
                    return "it does not answer any more"
                unanswered += 1
                await socket.ping()
                continue
            unanswered = 0
            match message.type:
                case aiohttp.WSMsgType.PING:
                    await socket.pong(message.data)
                case aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
                case aiohttp.WSMsgType.PONG:
                    pass
                case _:
                    return "the connection was closed"
            self._inbox.heartbeat(self._clock.now_ms())

    def _take(self, text: str) -> None:
        """A message; what cannot be read is no reason to stop, since REST tells the truth."""
        try:
            row = parse_json(text, "message")
        except DataError:
            row = {}
        kind = row.get("type") if isinstance(row, dict) else None
        if kind not in TOPICS:
            return
        facts = {key: str(row[key]) for key in _SHOWN if row.get(key) is not None}
        self._heard(self._inbox.name, {"news": kind, **facts})
