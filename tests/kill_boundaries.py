"""Ends this very process by SIGKILL at a boundary that it crosses.

Patched in from outside, so that the product has no hook for it: SQLite's connections tell of
statements and commits, ccxt's one method for requests tells of the network. A boundary is named
by the part of the run in which it is crossed (``opening``, ``recovery`` or ``running``), by what
is crossed, and which side of it: ``running:commit:sending:before`` or ``recovery:net:find:after``.
"""

import asyncio
import os
import re
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ccxt.async_support.base.exchange import Exchange
from ccxt.async_support.base.ws.client import Client

from bot.cycle import Engine
from bot.lock import EngineLock

UNDER_WAY_S = 0.001
"""So long after a request has left nobody knows whether the exchange has it yet."""

_TABLES = (
    ("sending", "INSERT INTO orders"),
    ("fill", "INSERT INTO fills"),
    ("outcome", "UPDATE orders SET venue_order_id"),
    ("state", "UPDATE orders SET state"),
    ("round", "UPDATE orders SET negative_rounds"),
    ("close", "INSERT INTO external_closes"),
    ("intent", "INSERT INTO intents"),
    ("cycle", "INSERT INTO cycles"),
    ("funding", "INSERT OR IGNORE INTO funding"),
    ("epoch", "INSERT INTO meta VALUES ('epoch'"),
    ("schema", "CREATE TABLE"),
)
"""What a transaction is about: the first of these that it holds; else its first event; else a
setting, or a note of how far executions were read."""

_EVENT = "INSERT INTO events"
_ELSE = (("setting", "INSERT OR IGNORE INTO meta"), ("setting", "INSERT INTO meta"))
_WITHIN = ("fill", "close")
"""Rows that come with others in one transaction: there is a boundary in the middle of it too."""

_REQUESTS = (
    ("place", "POST", r"/order$"),
    ("cancel", "DELETE", r"/order$"),
    ("find", "GET", r"/order$"),
    ("dead-man", "POST", r"/countdownCancelAll$"),
    ("listen-key", "", r"/listenKey$"),
    ("fills", "GET", r"/userTrades$"),
    ("positions", "GET", r"/positionRisk$"),
    ("account", "GET", r"/v\d/account$"),
    ("open-orders", "GET", r"/openOrders$"),
    ("income", "GET", r"/income$"),
)

_NEWS = (("order", "ORDER_TRADE_UPDATE"), ("account", "ACCOUNT_UPDATE"))
"""What a stream tells that is worth dying at; all else is prices."""


class Boundaries:
    """Counts what is crossed, and kills at one of the crossings."""

    def __init__(self, kill_at: tuple[str, int] | None = None) -> None:
        """``kill_at``: name of a boundary, and the number of the crossing, from 1."""
        self.crossed: Counter[str] = Counter()
        self.part = "opening"
        self._kill_at = kill_at

    def cross(self, what: str, after_s: float = 0.0) -> None:
        """Come to a boundary; it may be the end, at once or so much later."""
        name = f"{self.part}:{what}"
        self.crossed[name] += 1
        if self._kill_at != (name, self.crossed[name]):
            return
        if after_s:
            asyncio.get_running_loop().call_later(after_s, os.kill, os.getpid(), signal.SIGKILL)
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """From now on everything that this process does passes through here."""
        self._watch_commits()
        self._watch_requests()
        self._watch_streams()
        self._watch_files()
        self._watch_recovery()

    def _watch_commits(self) -> None:
        connect, cross = sqlite3.connect, self.cross

        class Watched(sqlite3.Connection):
            found: str = ""

            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                if sql.startswith("BEGIN"):
                    self.found = ""
                if sql != "COMMIT":
                    done = super().execute(sql, *values)
                    self.note(sql, *values)
                    return done
                what = f"commit:{self.found or 'note'}"
                cross(f"{what}:before")
                done = super().execute(sql, *values)
                cross(f"{what}:after")
                return done

            def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
                self.note(sql)
                return super().executemany(sql, *values)

            def note(self, sql: str, values: Any = ()) -> None:
                self.found = _weightier(self.found, _subject(sql, values))
                for what in _WITHIN:
                    if sql.startswith(dict(_TABLES)[what]):
                        cross(f"row:{what}:within")

        def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
            return connect(*arguments, **{"factory": Watched, **options})

        sqlite3.connect = watched  # type: ignore[assignment]  # every journal is opened by it

    def _watch_requests(self) -> None:
        fetch, cross = Exchange.fetch, self.cross

        async def watched(client: Any, url: str, method: str = "GET", *rest: Any) -> Any:
            what = f"net:{_kind(url, method)}"
            cross(f"{what}:before")
            if what in ("net:place", "net:cancel"):
                cross(f"{what}:during", after_s=UNDER_WAY_S)
            try:
                return await fetch(client, url, method, *rest)
            finally:
                cross(f"{what}:after")

        Exchange.fetch = watched

    def _watch_streams(self) -> None:
        take, begin, cross = Client.handle_message, Client.create_connection, self.cross

        def taken(client: Client, message: Any) -> Any:
            text = str(message.data)
            news = next((name for name, word in _NEWS if word in text), "prices")
            cross(f"stream:{news}:before")
            done = take(client, message)
            cross(f"stream:{news}:after")
            return done

        async def begun(client: Client, session: Any) -> Any:
            cross("stream:connect:before")
            done = await begin(client, session)
            cross("stream:connect:after")
            return done

        Client.handle_message, Client.create_connection = taken, begun

    def _watch_files(self) -> None:
        """The lock, and files that are put in another's place, taken away, or waited for."""
        acquire: Callable[[EngineLock], None] = EngineLock.acquire
        replace, unlink, sync, cross = os.replace, os.unlink, os.fsync, self.cross

        def locked(lock: EngineLock) -> None:
            cross("file:lock:before")
            acquire(lock)
            cross("file:lock:after")

        def replaced(source: Any, target: Any, **options: Any) -> None:
            cross(f"file:{_file_kind(target)}:replace:before")
            replace(source, target, **options)
            cross(f"file:{_file_kind(target)}:replace:after")

        def unlinked(path: Any, **options: Any) -> None:
            cross(f"file:{_file_kind(path)}:remove:before")
            unlink(path, **options)
            cross(f"file:{_file_kind(path)}:remove:after")

        def synced(descriptor: int) -> None:
            cross("file:sync:before")
            sync(descriptor)
            cross("file:sync:after")

        EngineLock.acquire = locked  # type: ignore[method-assign]  # it locks without a file of its own
        os.replace, os.unlink, os.fsync = replaced, unlinked, synced  # type: ignore[assignment]  # as pathlib calls them

    def _watch_recovery(self) -> None:
        start: Callable[[Engine], Any] = Engine.start

        async def watched(engine: Engine) -> None:
            self.part = "recovery"
            await start(engine)
            self.part = "running"

        Engine.start = watched  # type: ignore[method-assign]  # to know the part of the run


def _subject(sql: str, values: Any) -> str:
    for name, start in _TABLES:
        if sql.startswith(start):
            return name
    if sql.startswith(_EVENT):
        return str(values[1])
    return next((name for name, start in _ELSE if sql.startswith(start)), "")


def _weightier(one: str, other: str) -> str:
    """Rows before events, events before settings; of two events the first."""
    order = [name for name, _ in _TABLES]

    def weight(name: str) -> int:
        if name in order:
            return order.index(name)
        return len(order) + (0 if name not in ("", "setting") else 2 if not name else 1)

    return min(one, other, key=weight)


def _file_kind(path: Any) -> str:
    """A request by its name, a bar of the cache as that, and all else by its suffix."""
    name = Path(os.fsdecode(path)).name
    if name.isupper():
        return name.lower()
    return Path(name).suffix.removeprefix(".") or name


def _kind(url: str, method: str) -> str:
    path = urlsplit(url).path
    for kind, wanted, pattern in _REQUESTS:
        if wanted in ("", method) and re.search(pattern, path):
            return kind
    return "read"
