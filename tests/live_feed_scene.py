"""A simulated exchange with holes behind its HTTP face, and live feeds that read from it."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.clock import SimulatedClock
from bot.feeds.generated import GeneratedTape
from bot.feeds.generated_universe import UNIVERSE
from bot.feeds.live import LiveFeed
from bot.feeds.tape import DAY_MS, Kline
from bot.logs import open_log
from bot.venues.clients import make_client
from bot.venues.http.server import serve_exchange
from bot.venues.sim.exchange import SimulatedExchange
from risk.returns import HOUR_MS

START = 20_000 * DAY_MS
BTC, FET, NEW = "BTC/USDT:USDT", "FET/USDT:USDT", "KAITO/USDT:USDT"
SPECS = [one for one in UNIVERSE if one.symbol in (BTC, FET, NEW)]


class HoleyTape(GeneratedTape):
    """A generated market that can keep bars back or spoil them."""

    hidden: set[tuple[str, int]]
    spoiled: set[tuple[str, int]]
    early: set[tuple[str, int]]

    def _as_told(self, symbol: str, bar: Kline) -> Kline:
        if (symbol, bar.open_ms) in self.spoiled:
            return replace(bar, low=0.0)
        if (symbol, bar.open_ms) in self.early:
            return replace(bar, close=bar.close * 1.01, high=bar.high * 1.01)
        return bar

    def klines(
        self, symbol: str, interval_ms: int, start_ms: int, end_ms: int, now_ms: int
    ) -> list[Kline]:
        return [
            self._as_told(symbol, bar)
            for bar in super().klines(symbol, interval_ms, start_ms, end_ms, now_ms)
            if (symbol, bar.open_ms) not in self.hidden
        ]


@dataclass
class Stage:
    """A running exchange, and feeds that read from it."""

    tape: HoleyTape
    clock: SimulatedClock
    exchange: SimulatedExchange
    host: str
    log: io.StringIO = field(default_factory=io.StringIO)
    feeds: list[LiveFeed] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.exchange.counters.public_requests

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    def feed(self, cache: Path | None = None, **more: Any) -> LiveFeed:
        log = open_log(None, self.clock, echo=self.log)
        client = make_client("binanceusdm", urls_host=self.host, now_ms=self.clock.now_ms)
        self.feeds.append(LiveFeed(client, self.clock, log, cache_dir=cache, **more))
        return self.feeds[-1]

    def advance(self, milliseconds: int) -> None:
        self.clock.advance_to(self.now + milliseconds)
        self.exchange.update_market(self.tape.quotes(self.now))

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == name]

    def hour(self, back: int) -> int:
        """Open of the hour that many hours before the running one."""
        return self.now // HOUR_MS * HOUR_MS - back * HOUR_MS


@asynccontextmanager
async def stage(seed: int = 7, minutes: int = 17) -> AsyncIterator[Stage]:
    listed = np.array([0, 0, 40 * 24], dtype=np.int64)
    tape = HoleyTape(seed, START, SPECS, listed)
    tape.hidden, tape.spoiled, tape.early = set(), set(), set()
    clock = SimulatedClock(START + 60 * DAY_MS + minutes * 60_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, seed)
    exchange.update_market(tape.quotes(clock.now_ms()))
    async with serve_exchange(exchange, tape, clock) as server:
        one = Stage(tape, clock, exchange, server.host)
        try:
            yield one
        finally:
            for feed in one.feeds:
                await feed.close()


async def asked(one: Stage, feed: LiveFeed, days: int = 60) -> tuple[Any, int]:
    """Bars of the last days, and how many requests they took."""
    await feed.quotes([])  # markets are read
    before = one.requests
    panel = await feed.bars([BTC, FET, NEW], one.now - days * DAY_MS, one.now)
    return panel, one.requests - before
