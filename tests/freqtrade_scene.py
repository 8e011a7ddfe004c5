"""A server that answers as freqtrade's does, and fails as it and the network between may."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from pydantic import SecretStr

from bot.clock import SimulatedClock
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.freqtrade.source import FreqtradeSource
from config.passwords import Login
from tests.bot_server_scene import Fault, answering, lets_in

NOW_MS = 1_795_390_827_000
FET, TAO, WLD = "FET/USDT:USDT", "TAO/USDT:USDT", "WLD/USDT:USDT"
LOGIN = Login("owner", SecretStr("planted-password"))
TOKEN = "planted-token"
MAX_AGE_MS = 60_000


def order(side: str, filled: float | None, *, is_open: bool = False) -> dict[str, Any]:
    """One order of a trade."""
    return {
        "order_id": f"{side}-{filled}",
        "ft_order_side": side,
        "filled": filled,
        "remaining": 0.0,
        "amount": 10.0,
        "is_open": is_open,
        "status": "open" if is_open else "closed",
    }


def trade(trade_id: int, pair: str, amount: float, **changes: Any) -> dict[str, Any]:
    """A row of ``/status``: an open long, unless ``changes`` say otherwise."""
    short = changes.get("is_short", False)
    return {
        "trade_id": trade_id,
        "pair": pair,
        "is_open": True,
        "open_timestamp": NOW_MS - 3_600_000,
        "is_short": short,
        "exchange": "binance",
        "amount": amount,
        "stake_amount": 123.0,
        "leverage": 3.0,
        "open_rate": 2.0,
        "current_rate": 2.1,
        "liquidation_price": 1.4,
        "profit_abs": 1.5,
        "trading_mode": "futures",
        "has_open_orders": False,
        "orders": [order("sell" if short else "buy", amount)],
    } | changes


def balance(*positions: tuple[str, str, float]) -> dict[str, Any]:
    """``/balance`` with these positions: pair, side, base units."""
    money = {"currency": "USDT", "free": 900.0, "used": 100.0, "side": "long", "position": 0.0}
    rows = [
        {"currency": pair, "is_position": True, "side": side, "position": size}
        for pair, side, size in positions
    ]
    return {
        "currencies": [money | {"is_position": False}, *rows],
        "total": 1010.0,
        "stake": "USDT",
    }


@dataclass
class FakeBot:
    """What the server answers; every part may be changed between two requests.

    Attributes:
        faults: by path, answers in place of the right one; ``*`` for all.
        deaf: its streams answer no ping.
        closed: trades that are over.
        counted: what ``/count`` says; None: as many as there are.
        asked: paths, in order.
    """

    facts: dict[str, Any] = field(
        default_factory=lambda: {
            "bot_name": "told",
            "trading_mode": "futures",
            "runmode": "dry_run",
            "dry_run": True,
            "exchange": "binance",
            "stake_currency": "USDT",
            "state": "running",
        }
    )
    trades: list[dict[str, Any]] = field(
        default_factory=lambda: [trade(1, FET, 100.0), trade(2, TAO, 2.5, is_short=True)]
    )
    closed: list[dict[str, Any]] = field(default_factory=list)
    whitelist: list[Any] = field(default_factory=lambda: [FET, TAO, WLD])
    balance: dict[str, Any] = field(default_factory=balance)
    last_process_ts: int | None = NOW_MS // 1000
    deaf: bool = False
    counted: int | None = None
    locks: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    subscribed: list[Any] = field(default_factory=list)
    url: str = ""

    def document(self, path: str) -> Any:
        """The right answer; None where there is no such trade."""
        if path == "count":
            number = len(self.trades) if self.counted is None else self.counted
            return {"current": number, "max": 5, "total_stake": 0.0}
        if path.startswith("trade/"):
            number = int(path.removeprefix("trade/"))
            known = (one for one in self.trades + self.closed if one["trade_id"] == number)
            return next(known, None)
        return {
            "show_config": self.facts,
            "status": self.trades,
            "token/login": {"access_token": TOKEN, "refresh_token": "other"},
            "whitelist": {"whitelist": self.whitelist, "length": len(self.whitelist)},
            "balance": self.balance,
            "health": {"last_process_ts": self.last_process_ts},
            "locks": {"lock_count": len(self.locks), "locks": self.locks},
        }[path]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """As the real one, or as ``faults`` say."""
        path = request.path.removeprefix("/api/v1/")
        self.asked.append(f"{request.method} {path}")
        fault = self.faults.get(path) or self.faults.get("*")
        if fault is not None:
            return await fault(request)
        if path == "message/ws":
            return await self._stream(request)
        if not lets_in(request, LOGIN):
            return web.json_response({"detail": "Unauthorized"}, status=401)
        if path.startswith("locks") and request.method != "GET":
            await self._change_locks(request, path)
            path = "locks"
        if path == "count" and self.facts["state"] == "stopped":
            return web.json_response({"error": "trader is not running"}, status=502)
        document = self.document(path)
        if document is None:
            return web.json_response({"detail": "Trade not found."}, status=404)
        return web.json_response(document)

    def close(self, trade_id: int) -> None:
        """A trade is over."""
        gone = next(one for one in self.trades if one["trade_id"] == trade_id)
        self.trades = [one for one in self.trades if one is not gone]
        self.closed.append(gone | {"is_open": False})

    async def _change_locks(self, request: web.Request, path: str) -> None:
        if request.method == "DELETE":
            gone = int(path.removeprefix("locks/"))
            self.locks = [one for one in self.locks if one["id"] != gone]
            return
        from datetime import datetime

        for one in await request.json():
            end = datetime.fromisoformat(one["until"]).timestamp()
            end_ms = -int(-end // 300) * 300_000  # rounded up to the next candle
            row = {"id": 1 + max([0, *(k["id"] for k in self.locks)]), "active": True}
            self.locks.append(row | one | {"lock_end_timestamp": end_ms})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("token") != TOKEN:
            return web.Response(status=403)
        socket = web.WebSocketResponse(autoping=not self.deaf)
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.subscribed.append(json.loads(message.data))
        self.sockets.remove(socket)
        return socket


@asynccontextmanager
async def served_bot(bot: FakeBot) -> AsyncIterator[FakeBot]:
    """Serve on a free port of this machine; ``bot.url`` is its address."""
    async with answering(bot.answer) as bot.url:
        yield bot


@dataclass
class Told:
    """What a source told beside positions."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, event: str, facts: Any) -> None:
        self.events.append((event, deepcopy(dict(facts))))

    def of(self, event: str) -> list[dict[str, Any]]:
        """The facts of all events of this name."""
        return [facts for name, facts in self.events if name == event]


@asynccontextmanager
async def opened(
    bot: FakeBot, *, timeout_s: float = 20.0, told: Told | None = None, **options: Any
) -> AsyncIterator[tuple[FreqtradeSource, SimulatedClock]]:
    """A source that reads ``bot`` over a real socket, on a clock that stands still."""
    clock = SimulatedClock(NOW_MS)
    async with served_bot(bot):
        client = FreqtradeClient("bot-a", bot.url, LOGIN, timeout_s=timeout_s)
        more = {} if told is None else {"tell": told}
        source = FreqtradeSource("bot-a", client, clock, MAX_AGE_MS, **more, **options)
        try:
            yield source, clock
        finally:
            await source.close()
