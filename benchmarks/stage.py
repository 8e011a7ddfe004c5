"""A small generated market behind a loopback server, and clients of it, on a loop of their own."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import SecretStr

from bot.clock import SimulatedClock
from bot.feeds.generated import GeneratedTape, generated_tape
from bot.feeds.tape import DAY_MS
from bot.venues.clients import make_client
from bot.venues.http.server import serve_exchange
from bot.venues.sim.exchange import SimulatedExchange
from config.secrets import Credentials

T = TypeVar("T")

START_MS = 1_767_225_600_000  # 2026-01-01
HISTORY_DAYS = 60
WALLET_USD = Decimal(60_000)
_SEED = 7


@dataclass(frozen=True, slots=True)
class Stage:
    """What is on it; ``run`` plays a coroutine to its end, the server answering meanwhile."""

    runner: asyncio.Runner
    tape: GeneratedTape
    clock: SimulatedClock
    exchange: SimulatedExchange
    host: str

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def advance(self, milliseconds: int) -> None:
        """Move clock and market."""
        self.clock.advance_to(self.clock.now_ms() + milliseconds)
        self.exchange.update_market(self.tape.quotes(self.clock.now_ms()))

    def client(self, account: str | None = None) -> Any:
        """A ccxt client, of an account or for public data; close it with ``run``."""
        return account_client(self.host, self.clock, account)


def account_client(host: str, clock: SimulatedClock, account: str | None) -> Any:
    """A ccxt client of an exchange on this machine, of an account or for public data."""
    keys = None
    if account is not None:
        keys = Credentials(SecretStr(f"{account}-key"), SecretStr(f"{account}-secret"))
    return make_client("binanceusdm", urls_host=host, credentials=keys, now_ms=clock.now_ms)


def market_at(clock: SimulatedClock) -> tuple[GeneratedTape, SimulatedExchange]:
    """The demo's market 60 days after its start, without an account."""
    tape = generated_tape(_SEED, START_MS - HISTORY_DAYS * DAY_MS)
    exchange = SimulatedExchange(tape.instruments.values(), clock, _SEED)
    exchange.update_market(tape.quotes(clock.now_ms()))
    return tape, exchange


@contextmanager
def open_stage(*accounts: str) -> Iterator[Stage]:
    """The demo's market 60 days after its start, with an account for each name."""
    clock = SimulatedClock(START_MS)
    tape, exchange = market_at(clock)
    for name in accounts:
        exchange.open_account(name, f"{name}-key", f"{name}-secret", WALLET_USD)
    with asyncio.Runner() as runner:
        serving = serve_exchange(exchange, tape, clock)
        server = runner.run(serving.__aenter__())
        try:
            yield Stage(runner, tape, clock, exchange, server.host)
        finally:
            runner.run(serving.__aexit__(None, None, None))
