"""A whole engine in live mode on wall time, beside a bot's account, on an exchange with streams."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.clock import SystemClock
from bot.cycle import Engine
from bot.feeds.generated import generated_tape
from bot.feeds.generated_universe import UNIVERSE
from bot.feeds.tape import DAY_MS, Tape
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.logs import open_log
from bot.records.cycle import CycleRecord
from bot.runner import run_cycles
from bot.trading.orders import OrderState, Side
from bot.venues.http.server import LoopbackServer, serve_exchange
from bot.venues.http.sockets import Socket
from bot.venues.sim.account import SimAccount
from bot.venues.sim.exchange import SimulatedExchange
from bot.venues.sim.records import NewOrder, OrderType
from bot.wiring import Surroundings, open_engine
from config.secrets import Credentials
from config.settings import Settings
from config.sources import AccountSource
from config.streams import Streams
from tests.cycle_scene import ACCOUNT, BASES, FET, HISTORY_DAYS, paper_settings

BOT = "bot"
Script = Callable[[Socket, str], Sequence[str]]


@dataclass
class Scene:
    """The exchange, its server, and an engine with a minute between its cycles."""

    exchange: SimulatedExchange
    server: LoopbackServer
    tape: Tape
    folder: Path
    settings: Settings
    records: list[CycleRecord] = field(default_factory=list)
    engine: Engine | None = None

    def account(self, name: str) -> SimAccount:
        found = self.exchange.account_by_key(f"{name}-canary-key")
        assert found is not None
        return found

    def buys(self, name: str, symbol: str = FET, quantity: str = "2000") -> None:
        """Somebody trades in an account, past the engine."""
        order = NewOrder(symbol, Side.BUY, OrderType.MARKET, Decimal(quantity))
        self.exchange.place(self.account(name), order)

    def move(self) -> None:
        """Prices of now."""
        self.exchange.update_market(self.tape.quotes(self.exchange.clock.now_ms()))

    def state(self, name: str = "user") -> str:
        """Health of a stream."""
        assert self.engine is not None
        assert self.engine.streams is not None
        return str(self.engine.streams.document()[name]["health"])

    def story(self, stream: str) -> list[str]:
        """What the journal says of a stream's health, in order."""
        with JournalReader.open_reader(self.folder / "state" / JOURNAL_NAME) as journal:
            events = journal.events()
        kinds = ("stream_gap", "stream_recovered")
        of_streams = (one for one in events if one.kind in kinds)
        return [one.document["health"] for one in of_streams if one.document["stream"] == stream]

    def order_state(self, client_id: str) -> OrderState:
        """What the journal says of an order."""
        with JournalReader.open_reader(self.folder / "state" / JOURNAL_NAME) as journal:
            row = journal.order(client_id)
        assert row is not None
        return row.state

    def poke(self) -> None:
        """Let a cycle come as if something had been told."""
        assert self.engine is not None
        assert self.engine.streams is not None
        self.engine.streams.wake.set()

    async def until(self, what: Callable[[], bool], seconds: float = 20.0) -> float:
        """Wait until it is true; how long it took."""
        began = time.monotonic()
        while not what():
            assert time.monotonic() - began < seconds, "it did not happen in time"
            await asyncio.sleep(0.01)
        return time.monotonic() - began

    async def cycles(self, count: int, seconds: float = 20.0) -> float:
        """Wait for so many cycles in all."""
        return await self.until(lambda: len(self.records) >= count, seconds)


def settings_of(folder: Path, host: str, streams: Streams) -> Settings:
    settings = paper_settings(folder / "state", monitor_every="60s")
    source = AccountSource(kind="account", name=BOT, exchange="binanceusdm", urls_host=host)
    venue = settings.venue.model_copy(update={"urls_host": host})
    changes = {"mode": "live", "venue": venue, "sources": (source,), "streams": streams}
    return settings.model_copy(update=changes)


@asynccontextmanager
async def scene(folder: Path, script: Script | None = None, **streams: Any) -> AsyncIterator[Scene]:
    """An engine that has done its first cycle, with cycles going on until the block ends.

    ``script`` stands between the exchange's streams and the engine from the beginning.
    """
    clock = SystemClock()
    specs = [one for one in UNIVERSE if one.base in BASES]
    start_ms = clock.now_ms() - HISTORY_DAYS * DAY_MS
    tape = generated_tape(3, start_ms, history_days=HISTORY_DAYS, specs=specs)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 3)
    for name in (BOT, ACCOUNT):
        exchange.open_account(name, f"{name}-canary-key", f"{name}-canary-secret", Decimal(60_000))
    exchange.update_market(tape.quotes(clock.now_ms()))
    quick = {"wake_spacing_seconds": 0.1, "mute_seconds": 6.0, **streams}
    async with serve_exchange(exchange, tape, clock) as server:
        settings = settings_of(folder, server.host, Streams(**quick))
        found = Scene(exchange, server, tape, folder, settings)
        found.buys(BOT)
        if script is not None:
            server.streams.script = script  # type: ignore[method-assign]  # a faulty line
        async with running(found):
            yield found


@asynccontextmanager
async def running(found: Scene) -> AsyncIterator[None]:
    """The engine, its cycles, and a market that moves five times a second."""
    clock = SystemClock()
    credentials = {
        name: Credentials(SecretStr(f"{name}-canary-key"), SecretStr(f"{name}-canary-secret"))
        for name in (BOT, ACCOUNT)
    }
    around = Surroundings(clock=clock, credentials=credentials, live_account=ACCOUNT)
    log = open_log(found.folder / "hedge.jsonl", clock)

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.2)
            found.move()

    async def cycle(engine: Engine) -> None:
        async for record in run_cycles(engine, clock, 60_000):
            found.records.append(record)

    ticking = asyncio.create_task(tick())
    try:
        async with open_engine(found.settings, around, log) as engine:
            found.engine = engine
            cycling = asyncio.create_task(cycle(engine))
            try:
                await found.cycles(1, 60.0)
                yield
            finally:
                cycling.cancel()
                await asyncio.gather(cycling, return_exceptions=True)
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)


def logged(folder: Path) -> list[dict[str, Any]]:
    """Every line of the log."""
    return [json.loads(line) for line in (folder / "hedge.jsonl").read_text().splitlines()]
