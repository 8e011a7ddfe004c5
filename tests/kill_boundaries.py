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
from typing import Any
from urllib.parse import urlsplit

from ccxt.async_support.base.exchange import Exchange

from bot.cycle import Engine

UNDER_WAY_S = 0.001
"""So long after a request has left nobody knows whether the exchange has it yet."""

_TABLES = (
    ("sending", "INSERT INTO orders"),
    ("fill", "INSERT INTO fills"),
    ("outcome", "UPDATE orders SET venue_order_id"),
    ("state", "UPDATE orders SET state"),
    ("round", "UPDATE orders SET negative_rounds"),
    ("cancel", "INSERT INTO cancels"),
    ("cancel", "UPDATE cancels"),
    ("intent", "INSERT INTO intents"),
    ("cycle", "INSERT INTO cycles"),
    ("close", "INSERT INTO external_closes"),
    ("funding", "INSERT OR IGNORE INTO funding"),
    ("watermark", "INSERT INTO watermarks"),
    ("epoch", "INSERT INTO meta VALUES ('epoch'"),
    ("schema", "CREATE TABLE"),
)
"""What a transaction is about: the first of these that it holds; else it only notes something."""

_REQUESTS = (
    ("place", "POST", r"/order$"),
    ("cancel", "DELETE", r"/order$"),
    ("find", "GET", r"/order$"),
    ("fills", "GET", r"/userTrades$"),
    ("positions", "GET", r"/positionRisk$"),
    ("account", "GET", r"/v\d/account$"),
    ("open-orders", "GET", r"/openOrders$"),
    ("income", "GET", r"/income$"),
)


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
                    self.note(sql)
                    return done
                what = f"commit:{self.found or 'note'}"
                cross(f"{what}:before")
                done = super().execute(sql, *values)
                cross(f"{what}:after")
                return done

            def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
                self.note(sql)
                return super().executemany(sql, *values)

            def note(self, sql: str) -> None:
                names = [name for name, start in _TABLES if sql.startswith(start)]
                order = [name for name, _ in _TABLES]
                if names and (not self.found or order.index(names[0]) < order.index(self.found)):
                    self.found = names[0]
                if names == ["fill"]:
                    cross("row:fill:within")

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

    def _watch_recovery(self) -> None:
        start: Callable[[Engine], Any] = Engine.start

        async def watched(engine: Engine) -> None:
            self.part = "recovery"
            await start(engine)
            self.part = "running"

        Engine.start = watched  # type: ignore[method-assign]  # to know the part of the run


def _kind(url: str, method: str) -> str:
    path = urlsplit(url).path
    for kind, wanted, pattern in _REQUESTS:
        if method == wanted and re.search(pattern, path):
            return kind
    return "read"
