"""Asks a freqtrade bot over its REST interface; every reply is whole, or an error.

A failure never looks like an answer: what is not status 200 with JSON, complete and in time, is
raised. Nothing is asked twice here, no redirect is followed, and no message holds a password.
"""

import asyncio
from typing import Any, Final

import httpx

from bot.errors import UnreachableError
from bot.sources.json_file import parse_json
from config.passwords import Login
from risk.errors import DataError

LARGEST_REPLY_BYTES: Final = 20_000_000
_KEPT_OPEN_S: Final = 2.0  # its server hangs up after 5 s, perhaps just as we ask
_SAYS: Final = {
    401: "it does not let us in: user name or password is wrong",
    403: "it does not let us in",
    404: "there is no such address: is this freqtrade's API server?",
    429: "it wants to be asked less often",
    502: "it cannot answer now",
    503: "it cannot answer now: it may still be starting, or only serve web pages",
}


class FreqtradeClient:
    """One bot's interface."""

    def __init__(
        self,
        name: str,
        url: str,
        login: Login,
        *,
        timeout_s: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``name`` is the source's, for messages; ``transport``: in place of sockets."""
        self._name = name
        self._timeout_s = timeout_s
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=f"{self.url}/api/v1/",
            auth=httpx.BasicAuth(login.username, login.password.get_secret_value()),
            timeout=timeout_s,
            limits=httpx.Limits(keepalive_expiry=_KEPT_OPEN_S),
            follow_redirects=False,
            # Certificates take long to load, and without TLS nobody shows one.
            verify=url.startswith("https:"),
            trust_env=False,  # neither a proxy nor somebody's .netrc gets the password
            transport=transport,
        )

    def where(self, path: str) -> str:
        """The beginning of a message about a reply."""
        return f"source {self._name}: freqtrade /{path}"

    async def get(self, path: str) -> Any:
        """The document at ``path``.

        Raises:
            UnreachableError: no answer in time, or another status than 200.
            DataError: the answer is no JSON.
        """
        return await self._ask("GET", path, None)

    async def post(self, path: str, document: object) -> Any:
        """The answer to a document; raises as ``get``."""
        return await self._ask("POST", path, document)

    async def delete(self, path: str) -> Any:
        """The answer to a removal; raises as ``get``."""
        return await self._ask("DELETE", path, None)

    async def stream_token(self) -> str:
        """A word that opens its message stream for a quarter of an hour; raises as ``get``."""
        reply = await self._ask("POST", "token/login", None)
        token = reply.get("access_token") if isinstance(reply, dict) else None
        if not isinstance(token, str) or not token:
            raise DataError(f"{self.where('token/login')}: access_token: missing, must be text")
        return token

    async def close(self) -> None:
        """Give back sockets."""
        await self._http.aclose()

    async def _ask(self, method: str, path: str, document: object) -> Any:
        where = self.where(path)
        try:
            async with asyncio.timeout(self._timeout_s):
                status, kind, content = await self._reply(method, path, document)
        except TimeoutError as error:
            raise UnreachableError(f"{where}: no answer in {self._timeout_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise UnreachableError(f"{where}: no answer ({type(error).__name__})") from error
        if status != 200:
            raise UnreachableError(f"{where}: HTTP status {status}{_meaning(status)}")
        if len(content) > LARGEST_REPLY_BYTES:
            raise DataError(f"{where}: larger than {LARGEST_REPLY_BYTES // 1_000_000} MB")
        if not kind.startswith("application/json"):
            raise DataError(
                f"{where}: answers with {kind[:40] or 'no content type'}, not with JSON"
            )
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: not UTF-8 text") from error
        return parse_json(text, where)

    async def _reply(self, method: str, path: str, document: object) -> tuple[int, str, bytes]:
        async with self._http.stream(method, path, json=document) as reply:
            content = bytearray()
            async for part in reply.aiter_bytes():
                content += part
                if len(content) > LARGEST_REPLY_BYTES:
                    break
            return reply.status_code, reply.headers.get("content-type", ""), bytes(content)


def _meaning(status: int) -> str:
    if 300 <= status < 400:
        return " (a redirect, which is not followed)"
    return f" ({_SAYS[status]})" if status in _SAYS else ""
