"""Asks a bot over its own HTTP interface; every reply is whole, or an error.

A failure never looks like an answer: what is not status 200 with JSON, complete and in time, is
raised. Nothing is asked twice here, no redirect is followed, and no message holds a password.
"""

import asyncio
from typing import Any, ClassVar, Final

import httpx

from bot.errors import UnreachableError
from bot.sources.json_file import parse_json
from config.passwords import Login
from risk.errors import DataError

LARGEST_REPLY_BYTES: Final = 20_000_000
_KEPT_OPEN_S: Final = 2.0  # such servers hang up after 5 s, perhaps just as we ask
_SAYS: Final = {
    401: "it does not let us in: user name or password is wrong",
    403: "it does not let us in",
    429: "it wants to be asked less often",
    502: "it cannot answer now",
}


class BotClient:
    """One bot's interface, with a user name and a password.

    Attributes:
        program: what answers, for messages.
        root: where the paths begin.
        says: what a status means here, beside what it means everywhere.
        url: the address without the root.
    """

    program: ClassVar[str]
    root: ClassVar[str] = "/"
    says: ClassVar[dict[int, str]] = {}

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
            base_url=f"{self.url}{self.root}",
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
        return f"source {self._name}: {self.program} /{path}"

    async def get(self, path: str) -> Any:
        """The document at ``path``.

        Raises:
            UnreachableError: no answer in time, or another status than 200.
            DataError: the answer is no JSON.
        """
        return await self._ask("GET", path, None)

    async def get_if_there(self, path: str) -> Any:
        """As ``get``, but None where it says by status 404 that there is no such thing."""
        return await self._ask("GET", path, None, none_for_404=True)

    async def post(self, path: str, document: object) -> Any:
        """The answer to a document; raises as ``get``."""
        return await self._ask("POST", path, document)

    async def delete(self, path: str) -> Any:
        """The answer to a removal; raises as ``get``."""
        return await self._ask("DELETE", path, None)

    async def close(self) -> None:
        """Give back sockets."""
        await self._http.aclose()

    async def _ask(
        self, method: str, path: str, document: object, *, none_for_404: bool = False
    ) -> Any:
        where = self.where(path)
        try:
            async with asyncio.timeout(self._timeout_s):
                status, kind, content = await self._reply(method, path, document)
        except TimeoutError as error:
            raise UnreachableError(f"{where}: no answer in {self._timeout_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise UnreachableError(f"{where}: no answer ({type(error).__name__})") from error
        if status == 404 and none_for_404:
            return None
        if status != 200:
            raise UnreachableError(f"{where}: HTTP status {status}{self._meaning(status)}")
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

    def _meaning(self, status: int) -> str:
        if 300 <= status < 400:
            return " (a redirect, which is not followed)"
        words = self.says.get(status) or _SAYS.get(status)
        return f" ({words})" if words else ""
