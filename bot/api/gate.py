"""Who gets in: host, origin, token and length of a request, before anything of it is read."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from bot.api.turns import Turns

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/v1/alive"})
"""What needs no token: it tells nothing but that the server is there."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """What a request must bring.

    Attributes:
        token: after ``Authorization: Bearer``.
        hosts: names, without port, that the Host header may have.
        max_body_bytes: of one request.
        body_s: within which the whole body must come.
    """

    token: SecretStr
    hosts: frozenset[str]
    max_body_bytes: int
    body_s: float


class Gate:
    """Lets through what may pass; everything else gets one clear line.

    A page in a browser on this machine reaches loopback addresses too, so the Host header must be
    ours (or a name that somebody points at us would do), and no request of a browser, which says
    its Origin, is answered.
    """

    def __init__(self, app: App, entrance: Entrance) -> None:
        self._app = app
        self._entrance = entrance
        self._pushes = Turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        refused = self._refusal(scope)
        if refused is not None:
            await _answer(send, *refused)
            return
        try:
            async with asyncio.timeout(self._entrance.body_s):
                body = await self._body(receive)
        except TimeoutError:
            await _answer(send, 408, "body: not all of it came in time")
            return
        if body is None:
            most = self._entrance.max_body_bytes // 1024
            await _answer(send, 413, f"body: too long — at most {most} KiB")
            return
        if scope["method"] == "PUT":
            await self._pushes.mine()
        await self._app(scope, _replay(body, receive), send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        found: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            found.setdefault(name, []).append(value)
        hosts = found.get(b"host", [])
        if len(hosts) != 1 or _name(hosts[0]) not in self._entrance.hosts:
            return 421, "Host: not a name of this server — see api.host and api.allowed_hosts"
        if b"origin" in found:
            return 403, "Origin: requests of browsers are not answered"
        if scope["path"] not in OPEN and not self._has_token(found.get(b"authorization", [])):
            return 401, "Authorization: missing or wrong — Bearer and the token"
        return None

    def _has_token(self, values: list[bytes]) -> bool:
        expected = b"Bearer " + self._entrance.token.get_secret_value().encode()
        return len(values) == 1 and hmac.compare_digest(values[0], expected)

    async def _body(self, receive: Receive) -> bytes | None:
        """All of it; None when it is too long."""
        parts, length, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            length += len(message.get("body", b""))
            if length > self._entrance.max_body_bytes:
                return None
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _name(host: bytes) -> str:
    text = host.decode("latin-1").strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


async def _answer(send: Send, status: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
