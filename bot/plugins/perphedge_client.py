"""Asks perphedge before an entry and tells it positions. Copy this file beside your bot.

    sidecar = Sidecar("http://127.0.0.1:8799", token, bot="my-bot")
    answer = sidecar.check_entry("FET/USDT:USDT", "long", 2_500)
    if answer.allowed_usd > 0: ...
    sidecar.push_positions([Held("FET/USDT:USDT", "long", 1200.0)])

``AsyncSidecar`` does the same with ``await``. Needs Python 3.10 or newer and nothing else.
"""

import asyncio
import http.client
import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote, urlsplit

__all__ = ["Answer", "AsyncSidecar", "Held", "Sidecar", "SidecarError"]

_NUMBERS = itertools.count()


class SidecarError(Exception):
    """There is no answer: the sidecar is out of reach, or refused the request.

    Attributes:
        status: of the HTTP answer; None where there was none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What is said to an entry.

    Attributes:
        verdict: ``allowed``, ``reduced`` or ``refused``.
        allowed_usd: what may be entered of it, notional, USD; 0 when refused.
        reason: one sentence.
        document: all of it, see the OpenAPI document.
        entry_id: by which the entry is asked about again, or cancelled.
    """

    verdict: str
    allowed_usd: float
    reason: str
    document: Mapping[str, Any]
    entry_id: str = ""


@dataclass(frozen=True)
class Held:
    """One open position: ``side`` long or short, ``base`` units without a sign."""

    symbol: str
    side: str
    base: float
    entry_price: float | None = None
    leverage: float | None = None


class Sidecar:
    """One connection to the sidecar, opened when it is needed; may be used by several threads."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        bot: str,
        timeout_seconds: float = 1.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Connects to nothing yet.

        Args:
            url: ``http://127.0.0.1:8799``, or https elsewhere.
            bot: the bot's name; of a pushed source the name in perphedge's config.

        Raises:
            ValueError: the address is none, or would send the token in the clear.
        """
        parts = urlsplit(url)
        host = parts.hostname
        if parts.scheme not in ("http", "https") or not host or parts.path not in ("", "/"):
            raise ValueError(f"url: {url!r}, must be like http://127.0.0.1:8799")
        if parts.scheme == "http" and host not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError(f"url: {url!r}, must be https beyond this machine")
        self._bot = bot
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._where = parts.scheme, host, parts.port
        self._timeout_seconds = timeout_seconds
        self._tls = tls
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()

    def check_entry(
        self,
        symbol: str,
        side: str,
        notional_usd: float,
        *,
        entry_id: str = "",
        leverage: float | None = None,
    ) -> Answer:
        """Ask before entering; ``notional_usd`` is size times price, not margin.

        Asked again with the same ``entry_id`` the answer takes the place of the first. Without
        one it is an entry of its own, and the answer tells the id that it was given.

        Raises:
            SidecarError: there is no answer. Decide yourself whether to enter then.
        """
        named = entry_id or f"{side[:8]}-{time.time_ns():x}-{next(_NUMBERS):x}"
        entry = {**self._entry(symbol, side, named), "notional_usd": notional_usd}
        if leverage is not None:
            entry["leverage"] = leverage
        document = self._send("POST", "/v1/entry-check", entry)
        try:
            return Answer(
                document["verdict"],
                float(document["allowed_usd"]),
                document["reason"],
                document,
                named,
            )
        except (KeyError, TypeError, ValueError):
            raise SidecarError("the answer is not one of perphedge") from None

    def cancel_entry(self, symbol: str, side: str, *, entry_id: str) -> bool:
        """Say that an entry which was allowed is not made; False where there was none.

        Raises:
            SidecarError: there is no answer.
        """
        found = self._send("POST", "/v1/entry-cancel", self._entry(symbol, side, entry_id))
        return bool(found.get("taken_back"))

    def push_positions(self, held: Iterable[Held], *, at: datetime | None = None) -> None:
        """Everything that the bot holds now; nothing when it is flat.

        Raises:
            SidecarError: it was not taken.
        """
        moment = at or datetime.now(timezone.utc)  # noqa: UP017 - runs on Python 3.10 too
        rows = [{k: v for k, v in vars(one).items() if v is not None} for one in held]
        document = {"timestamp": moment.isoformat(), "positions": rows}
        self._send("PUT", f"/v1/positions/{quote(self._bot, safe='')}", document)

    def health(self) -> Mapping[str, Any]:
        """How old the book and every pushed source are.

        Raises:
            SidecarError: there is no answer.
        """
        return self._send("GET", "/v1/health", None)

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            self._drop()

    def _entry(self, symbol: str, side: str, entry_id: str) -> dict[str, Any]:
        return {"bot": self._bot, "symbol": symbol, "side": side, "entry_id": entry_id}

    def _send(self, method: str, path: str, document: Any) -> Mapping[str, Any]:
        body = None if document is None else json.dumps(document, allow_nan=False).encode()
        with self._lock:
            try:
                status, text = self._exchange(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                raise SidecarError(f"out of reach: {type(error).__name__}") from error
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if status != 200 or not isinstance(answer, dict):
            said = answer.get("error") if isinstance(answer, dict) else None
            raise SidecarError(f"{status}: {said or 'not an answer of perphedge'}", status)
        return answer

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Once more where a connection that was kept open turns out closed.

        Every request may be repeated: it takes the place of itself.
        """
        kept = self._connection is not None
        try:
            return self._once(method, path, body)
        except (ConnectionError, http.client.RemoteDisconnected):
            if not kept:
                raise
            self._drop()
            return self._once(method, path, body)

    def _once(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self._open()
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _open(self) -> http.client.HTTPConnection:
        scheme, host, port = self._where
        if scheme == "https":
            return http.client.HTTPSConnection(
                host, port, timeout=self._timeout_seconds, context=self._tls
            )
        return http.client.HTTPConnection(host, port, timeout=self._timeout_seconds)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class AsyncSidecar:
    """The same for asyncio: each request runs in a thread, so that no loop waits for it."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def check_entry(
        self,
        symbol: str,
        side: str,
        notional_usd: float,
        *,
        entry_id: str = "",
        leverage: float | None = None,
    ) -> Answer:
        """As ``Sidecar.check_entry``."""
        return await asyncio.to_thread(
            self._sidecar.check_entry,
            symbol,
            side,
            notional_usd,
            entry_id=entry_id,
            leverage=leverage,
        )

    async def cancel_entry(self, symbol: str, side: str, *, entry_id: str) -> bool:
        """As ``Sidecar.cancel_entry``."""
        return await asyncio.to_thread(self._sidecar.cancel_entry, symbol, side, entry_id=entry_id)

    async def push_positions(self, held: Iterable[Held], *, at: datetime | None = None) -> None:
        """As ``Sidecar.push_positions``."""
        await asyncio.to_thread(self._sidecar.push_positions, held, at=at)

    async def health(self) -> Mapping[str, Any]:
        """As ``Sidecar.health``."""
        return await asyncio.to_thread(self._sidecar.health)

    async def close(self) -> None:
        """As ``Sidecar.close``."""
        await asyncio.to_thread(self._sidecar.close)
