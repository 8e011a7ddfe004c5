"""A server that answers as hummingbot-api does, with its ways of leaving things out."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from aiohttp import web
from pydantic import SecretStr

from bot.clock import SimulatedClock
from bot.ports import SourceSnapshot
from bot.sources.hummingbot.client import HummingbotClient
from bot.sources.hummingbot.source import HummingbotSource
from config.passwords import Login
from tests.bot_server_scene import Fault, answering, lets_in

NOW_MS = 1_795_390_827_000
CONNECTOR: Final = "binance_perpetual"
MASTER, SECOND = "master_account", "second"
FET, TAO, SOL = "FET/USDT:USDT", "TAO/USDT:USDT", "SOL/USDT:USDT"
LOGIN = Login("admin", SecretStr("planted-password"))

BOOK = {
    (MASTER, FET, "LONG"): Decimal("100.0"),
    (MASTER, TAO, "SHORT"): Decimal("-2.5"),
    (SECOND, SOL, "BOTH"): Decimal("-3.0"),
}
"""What ``two_accounts`` hold, by account, symbol and side."""


def row(pair: str, side: str, amount: Any, **changes: Any) -> dict[str, Any]:
    """A row of ``/trading/positions``, of the master account unless ``changes`` say otherwise."""
    return {
        "account_name": MASTER,
        "connector_name": CONNECTOR,
        "trading_pair": pair,
        "side": side,
        "amount": amount,
        "entry_price": 2.0,
        "unrealized_pnl": -1.5,
        "leverage": 5.0,
    } | changes


def balance(units: float, available: float, token: str = "USDT") -> dict[str, Any]:  # noqa: S107 - a coin
    """A row of ``/portfolio/state``."""
    return {
        "token": token,
        "units": units,
        "price": 1.0,
        "value": units,
        "available_units": available,
    }


@dataclass
class FakeHummingbot:
    """What the server answers; every part may be changed between two requests.

    Attributes:
        held: rows by account and connector; those of a connector that is skipped are not told.
        skipped: connectors that fail: their rows are left out, and their money stays as it was.
        money: what the exchange would answer, by account and connector.
        known_money: what the server knows of it, brought up to date when it is asked to.
        largest_page: rows on a page at most, whatever is asked for.
        before_page: called before each page of positions is put together.
        faults: by path, answers in place of the right one; ``*`` for all.
        asked: method and path of each request.
        questions: documents that came to ``/trading/positions``.
    """

    held: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    skipped: set[tuple[str, str]] = field(default_factory=set)
    money: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    known_money: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    credentials: dict[str, list[str]] = field(default_factory=dict)
    largest_page: int = 1000
    before_page: Callable[[], None] = lambda: None
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def holds(self, account: str, *told: dict[str, Any]) -> None:
        """From now on this account holds what these rows tell; half its money is margin then."""
        key = account, CONNECTOR
        self.held[key] = [one | {"account_name": account} for one in told]
        self.money[key] = [balance(1000.0, 500.0 if told else 1000.0)]
        self.credentials.setdefault(account, [CONNECTOR, "binance"])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """As the real one, or as ``faults`` say."""
        path = request.path.removeprefix("/")
        self.asked.append(f"{request.method} {path}")
        fault = self.faults.get(path) or self.faults.get("*")
        if fault is not None:
            return await fault(request)
        if not path:
            return web.json_response({"name": "Hummingbot API", "version": "1.0.1"})
        if not lets_in(request, LOGIN):
            return web.json_response({"detail": "Incorrect username or password"}, status=401)
        if path.startswith("accounts/"):
            known = self.credentials.get(path.split("/")[1], {"detail": "not found"})
            return web.json_response(known, status=200 if isinstance(known, list) else 404)
        document = await request.json()
        if path == "trading/positions":
            self.questions.append(document)
            self.before_page()
        told = self.page(document) if path == "trading/positions" else self._state(document)
        return web.json_response(told)

    def _state(self, document: dict[str, Any]) -> dict[str, Any]:
        if document.get("refresh"):
            fresh = {key: told for key, told in self.money.items() if key not in self.skipped}
            self.known_money |= fresh
        found: dict[str, Any] = {}
        for (account, connector), told in self.known_money.items():
            if account in document["account_names"] and connector in document["connector_names"]:
                found.setdefault(account, {})[connector] = told
        return found

    def page(self, document: dict[str, Any]) -> dict[str, Any]:
        """One page: found by account, connector and pair, which both sides of a pair share; and
        begun anew where the pair of the cursor is gone."""
        told = [
            (f"{account}:{connector}:{one['trading_pair']}", one)
            for account in document["account_names"]
            for connector in document["connector_names"]
            if (account, connector) not in self.skipped
            for one in self.held.get((account, connector), [])
        ]
        told.sort(key=lambda one: one[0])
        cursors = [cursor for cursor, _ in told]
        cursor, limit = document["cursor"], min(document["limit"], self.largest_page)
        start = cursors.index(cursor) + 1 if cursor in cursors else 0
        page = told[start : start + limit]
        more = start + limit < len(told)
        return {
            "data": [one for _, one in page],
            "pagination": {
                "limit": limit,
                "has_more": more,
                "next_cursor": page[-1][0] if more else None,
                "total_count": len(told),
            },
        }


def held(snapshot: SourceSnapshot) -> dict[tuple[str, str, str], Decimal]:
    """Signed base units by account, symbol and side."""
    return {(p.holder, p.symbol, p.position_side): p.base_quantity for p in snapshot.positions}


def two_accounts() -> FakeHummingbot:
    """FET long and TAO short in one account, SOL in the other."""
    server = FakeHummingbot()
    server.holds(MASTER, row("FET-USDT", "LONG", 100.0), row("TAO-USDT", "SHORT", -2.5))
    server.holds(SECOND, row("SOL-USDT", "BOTH", -3.0))
    return server


@asynccontextmanager
async def served(server: FakeHummingbot) -> AsyncIterator[FakeHummingbot]:
    """Serve on a free port of this machine; ``server.url`` is its address."""
    async with answering(server.answer) as server.url:
        yield server


@asynccontextmanager
async def opened(
    server: FakeHummingbot,
    *,
    timeout_s: float = 20.0,
    login: Login = LOGIN,
    accounts: tuple[str, ...] = (MASTER, SECOND),
    **options: Any,
) -> AsyncIterator[HummingbotSource]:
    """A source that reads ``server`` over a real socket, on a clock that stands still."""
    async with served(server):
        client = HummingbotClient("hb", server.url, login, timeout_s=timeout_s)
        source = HummingbotSource(
            "hb",
            client,
            SimulatedClock(NOW_MS),
            30_000,
            connector=CONNECTOR,
            accounts=accounts,
            **options,
        )
        try:
            yield source
        finally:
            await source.close()
