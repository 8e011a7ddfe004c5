"""freqtrade's messages: news of fills wake the next cycle, and a lost connection comes back."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from bot.clock import SystemClock
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.freqtrade.source import FreqtradeSource
from bot.sources.freqtrade.stream import TOPICS, FreqtradeStream
from bot.venues.streams.backoff import Backoff
from bot.venues.streams.inbox import Health, StreamInbox
from tests.bot_server_scene import replied
from tests.freqtrade_scene import (
    FET,
    LOGIN,
    TOKEN,
    FakeBot,
    served_bot,
)


class Listener:
    """A stream that runs, with what it told."""

    def __init__(self, bot: FakeBot, mute_ms: int = 15_000) -> None:
        self.bot = bot
        self.clock = SystemClock()
        self.client = FreqtradeClient("bot-a", bot.url, LOGIN, timeout_s=20)
        self.inbox = StreamInbox("freqtrade bot-a", mute_ms)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.changes = 0
        self.stream = FreqtradeStream(
            self.client,
            self.inbox,
            self.clock,
            heard=lambda name, facts: self.heard.append((name, dict(facts))),
            changed=self._changed,
            backoff=Backoff(first_s=0.01, cap_s=0.05, chance=random.Random(1)),
        )

    def _changed(self) -> None:
        self.changes += 1

    def news(self) -> list[str]:
        return [facts["news"] for _, facts in self.heard]


@asynccontextmanager
async def listening(bot: FakeBot, **options: Any) -> AsyncIterator[Listener]:
    async with served_bot(bot):
        listener = Listener(bot, **options)
        task = asyncio.create_task(listener.stream.run())
        try:
            yield listener
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await listener.client.close()


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.005)


async def test_fills_are_heard_and_nothing_else() -> None:
    bot = FakeBot()
    async with listening(bot) as listener:
        await until(lambda: bot.subscribed)
        assert bot.subscribed == [{"type": "subscribe", "data": list(TOPICS)}]
        assert "POST token/login" in bot.asked
        (socket,) = bot.sockets
        for text in (
            '{"type": "whitelist", "data": ["FET/USDT:USDT"]}',
            '{"type": "entry", "pair": "FET/USDT:USDT"}',
            "no JSON",
            '["entry_fill"]',
            '{"type": null}',
            '{"type": "entry_fill", "pair": "FET/USDT:USDT", "trade_id": 7, "amount": 100.0}',
            '{"type": "exit_fill", "pair": "FET/USDT:USDT", "trade_id": 7, "sub_trade": false}',
            '{"type": "status", "status": "stopped"}',
        ):
            await socket.send_str(text)
        await until(lambda: len(listener.heard) == 3)
        assert listener.heard == [
            ("freqtrade bot-a", {"news": "entry_fill", "pair": FET, "trade_id": "7"}),
            (
                "freqtrade bot-a",
                {"news": "exit_fill", "pair": FET, "trade_id": "7", "sub_trade": "False"},
            ),
            ("freqtrade bot-a", {"news": "status", "status": "stopped"}),
        ]
        await socket.send_bytes(b"\x00")
        await until(lambda: listener.inbox.counts.gaps)  # it speaks in text only


async def test_a_lost_connection_comes_back_and_wakes() -> None:
    bot = FakeBot()
    async with listening(bot) as listener:
        for number in (1, 2, 3):
            await until(lambda n=number: len(bot.subscribed) == n and bot.sockets)
            assert listener.news().count("connected again") == number - 1
            await bot.sockets[0].close()
        await until(lambda: listener.inbox.counts.connections == 4)
        assert listener.inbox.counts.gaps == 3
        assert listener.inbox.reason == "the connection was closed"


async def test_a_bot_that_is_gone_without_a_word_is_called_again() -> None:
    bot = FakeBot(deaf=True)
    async with listening(bot, mute_ms=900) as listener:
        await until(lambda: listener.inbox.counts.connections == 2)
        assert listener.inbox.reason == "it does not answer any more"
        bot.deaf = False
        await until(lambda: listener.inbox.counts.connections == 3)
        await asyncio.sleep(1.2)  # longer than it may be silent
        assert listener.inbox.counts.connections == 3


async def test_a_stream_is_believed_after_a_whole_read_and_while_it_answers() -> None:
    bot = FakeBot(last_process_ts=SystemClock().now_ms() // 1000)
    async with listening(bot, mute_ms=3_000) as listener:
        await until(lambda: bot.subscribed)
        source = FreqtradeSource("bot-a", listener.client, listener.clock, 60_000)
        source.inbox = listener.inbox
        now_ms = listener.clock.now_ms
        assert listener.inbox.health(now_ms()) is Health.GAP
        bot.faults["status"] = replied("[]", 500)
        await asyncio.gather(source.read(), return_exceptions=True)
        assert listener.inbox.health(now_ms()) is Health.GAP  # nothing was proven
        bot.faults.clear()
        await source.read()
        assert listener.inbox.health(now_ms()) is Health.LIVE


async def test_a_refused_stream_tells_why_without_the_token() -> None:
    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=403)

    bot = FakeBot(faults={"message/ws": refuse})
    async with listening(bot) as listener:
        await until(lambda: listener.inbox.reason)
        assert listener.inbox.reason == "the bot refuses its stream (HTTP status 403)"
        assert TOKEN not in listener.inbox.reason
        bot.faults = {"token/login": replied("{}", 401)}
        await until(lambda: "password is wrong" in listener.inbox.reason)
        assert listener.inbox.health(listener.clock.now_ms()) is Health.NEVER
        bot.faults = {"token/login": replied('{"access_token": 5}')}
        await until(lambda: "access_token: missing" in listener.inbox.reason)
        bot.faults = {}
        await until(lambda: bot.subscribed)
        assert listener.news() == []  # it stands for the first time
