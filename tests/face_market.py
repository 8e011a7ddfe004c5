"""A small generated market behind the face, and a client that signs by hand."""

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from bot.clock import SimulatedClock
from bot.feeds.generated import GeneratedTape, generated_tape
from bot.feeds.tape import DAY_MS
from bot.venues.http.auth import sign
from bot.venues.http.face import Face
from bot.venues.http.server import Request, answer
from bot.venues.sim.exchange import SimulatedExchange

THEMES = {"BTC/USDT:USDT": ("PoW",), "FET/USDT:USDT": ("AI",)}
WALLETS = {"bot": 100_000, "hedge": 50_000, "thin": 300}


@dataclass(frozen=True)
class Market:
    """Everything that a test needs of one market."""

    exchange: SimulatedExchange
    tape: GeneratedTape
    clock: SimulatedClock
    face: Face

    def advance(self, milliseconds: int) -> None:
        """Move the clock and the market."""
        self.clock.advance_to(self.clock.now_ms() + milliseconds)
        self.exchange.update_market(self.tape.quotes(self.clock.now_ms()))

    def crash(self, symbol: str, factor: float) -> None:
        """Move the clock by a second and one symbol's prices by ``factor``."""
        self.clock.advance_to(self.clock.now_ms() + 1_000)
        quotes = self.tape.quotes(self.clock.now_ms())
        was = quotes[symbol]
        names = ("mark", "index", "last", "bid", "ask")
        quotes[symbol] = replace(was, **{name: getattr(was, name) * factor for name in names})
        self.exchange.update_market(quotes)

    def raw(
        self, method: str, path: str, query: str = "", body: str = "", key: str | None = None
    ) -> Any:
        """Status and document of a request as it stands."""
        reply = answer(self.face, Request(method, path, query, body, key, "127.0.0.1"))
        text = reply.body.decode()
        return reply.status, json.loads(text) if reply.content_type.endswith("json") else text

    def ask(self, method: str, path: str, account: str | None = None, **params: Any) -> Any:
        """Status and document; signed when an account is named."""
        text = urlencode(params)
        if account is None:
            return self.raw(method, path, query=text)
        text = urlencode({"timestamp": self.clock.now_ms(), **params})
        text += "&signature=" + sign(f"sandbox-{account}-secret", text)
        key = f"sandbox-{account}-key"
        if method in {"GET", "DELETE"}:
            return self.raw(method, path, query=text, key=key)
        return self.raw(method, path, body=text, key=key)

    def get(self, path: str, account: str | None = None, **params: Any) -> Any:
        """The document of a GET that must succeed."""
        return self.did("GET", path, account, **params)

    def did(self, method: str, path: str, account: str | None = None, **params: Any) -> Any:
        """The document of a request that must succeed."""
        status, document = self.ask(method, path, account, **params)
        assert status == 200, document
        return document


def open_market(seed: int = 7, minutes: int = 17) -> Market:
    """60 days of history, then that many minutes into a bar."""
    tape = generated_tape(seed, 1_750_000_000_000)
    clock = SimulatedClock(tape.start_ms + 60 * DAY_MS + minutes * 60_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, seed)
    for name, wallet in WALLETS.items():
        exchange.open_account(
            name, f"sandbox-{name}-key", f"sandbox-{name}-secret", Decimal(wallet)
        )
    exchange.update_market(tape.quotes(clock.now_ms()))
    return Market(exchange, tape, clock, Face(exchange, tape, clock, THEMES))
