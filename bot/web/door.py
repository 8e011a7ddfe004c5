"""The door before every page: host, origin, login and form token, before a route sees anything."""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote

from pydantic import SecretStr

from bot.api.gate import App, Message, Receive, Scope, Send
from bot.web.sessions import Session, Sessions

OPEN = frozenset({"/login", "/decide", "/alive"})
"""What needs no login: to log in, signed links, and whether anybody is there."""
FORM_TOKEN = "form_token"  # noqa: S105 - the name of a field
_READS = ("GET", "HEAD")
_MOST_BODY_BYTES = 16_384
_MOST_FIELDS = 20
_BODY_S = 10.0
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: browsers then say "Origin: null" with a form, which nobody can tell apart.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_ONLY_TLS = (b"strict-transport-security", b"max-age=2592000")
_MARK_CHARACTERS = 32


@dataclass(slots=True)
class Visit:
    """What the door found out about a request, for the routes.

    Attributes:
        session: None without a login.
        form: fields of a POST, once its token was found right.
        form_token: what forms of the answer must bring.
        peer: its address.
        secure: its browser speaks TLS, to us or to a proxy: cookies travel by nothing else.
        cookies: to be set with the answer.
    """

    session: Session | None
    form_token: str
    peer: str
    secure: bool
    form: Mapping[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)

    def set_cookie(self, value: str, *, name: str = "session") -> None:
        """Sets one that no script reads and no other site sends; empty: removed."""
        age = "; Max-Age=0" if not value else ""
        secure = "; Secure" if self.secure else ""
        start = f"{_cookie_name(name, secure=self.secure)}={value}"
        self.cookies.append(f"{start}; Path=/; HttpOnly; SameSite=Strict{secure}{age}")


@dataclass(frozen=True, slots=True)
class Door:
    """Lets through what may pass; everything else gets one plain line.

    Attributes:
        origins: as browsers write them, such as ``http://127.0.0.1:8844``.
        key: signs the form token of visitors without a login.
    """

    app: App
    origins: frozenset[str]
    sessions: Sessions
    key: SecretStr

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        headers = _headers(scope)
        if (refused := self._refusal(scope, headers)) is not None:
            await _answer(send, *refused)
            return
        visit = self._visit(scope, headers)
        path = scope["path"]
        if visit.session is None and path not in OPEN and not path.startswith("/static/"):
            await self._to_login(scope, send)
            return
        if scope["method"] == "POST":
            form = await _form(headers, receive)
            if isinstance(form, tuple):
                await _answer(send, *form)
                return
            if not self._is_ours(form.get(FORM_TOKEN, ""), visit, path, headers):
                await _answer(send, 403, "This form is not of this login, or too old: load it anew")
                return
            visit.form = form
        scope.setdefault("state", {})["visit"] = visit
        # Other servers of this machine share its name, and may speak no TLS.
        at_home = headers["host"][0].lower().partition(":")[0] == "localhost"
        await self.app(scope, receive, self._dressed(send, visit, path, at_home=at_home))

    def _refusal(self, scope: Scope, headers: Mapping[str, list[str]]) -> tuple[int, str] | None:
        hosts, origins = headers.get("host", []), headers.get("origin", [])
        named = {origin.partition("://")[2] for origin in self.origins}
        if len(hosts) != 1 or hosts[0].lower() not in named:
            return 421, "Host: not a name of this server - see web.allowed_origins"
        if origins and (len(origins) > 1 or origins[0].lower() not in self.origins):
            return 403, "Origin: another site - see web.allowed_origins"
        ours = headers.get("sec-fetch-site", ["none"])[0] in ("none", "same-origin")
        if scope["method"] == "POST":
            allowed = ours and bool(origins)
            return None if allowed else (403, "Origin: missing, or another site")
        if scope["method"] not in _READS:
            return 405, "Only GET and POST"
        # A link may lead here from anywhere; nothing else of another site may read us.
        leads = headers.get("sec-fetch-mode", ["navigate"])[0] == "navigate"
        return None if ours or leads else (403, "Another site may only lead here, not read")

    def _visit(self, scope: Scope, headers: Mapping[str, list[str]]) -> Visit:
        cookies = _cookies(headers.get("cookie", []))
        peer = str((scope.get("client") or ("",))[0])
        secure = f"https://{headers['host'][0].lower()}" in self.origins
        session = self.sessions.find(cookies.get(_cookie_name("session", secure=secure), ""))
        if session is not None:
            visit = Visit(session, session.form_token, peer, secure)
            if scope["method"] == "GET" and self.sessions.due(session):
                visit.set_cookie(self.sessions.renew(session))
            return visit
        mark = _mark(headers, secure=secure)
        fresh = not mark
        if fresh:
            mark = secrets.token_urlsafe(32)
        visit = Visit(None, self._signed(mark), peer, secure)
        if fresh and scope["method"] == "GET" and scope["path"] in ("/login", "/decide"):
            visit.set_cookie(mark, name="form")
        return visit

    def _is_ours(
        self, token: str, visit: Visit, path: str, headers: Mapping[str, list[str]]
    ) -> bool:
        """Whether a form has the token of its login, or one that its browser got without.

        Who follows a link of a mail brings no cookie, so the page is made as for a stranger; its
        form then comes from a page of ours, and brings the login's cookie as well.
        """
        allowed = [visit.form_token]
        if path in OPEN and (mark := _mark(headers, secure=visit.secure)):
            allowed.append(self._signed(mark))
        return any(hmac.compare_digest(token.encode(), one.encode()) for one in allowed)

    def _signed(self, mark: str) -> str:
        key = self.key.get_secret_value().encode()
        return hmac.new(key, mark.encode(errors="replace"), hashlib.sha256).hexdigest()

    async def _to_login(self, scope: Scope, send: Send) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["method"] == "GET" and headers.get("sec-fetch-mode", "navigate") == "navigate":
            place = f"/login?next={quote(scope['path'], safe='')}"
            await _answer(send, 303, "Log in first", (b"location", place.encode()))
        else:
            await _answer(send, 401, "Log in first")

    def _dressed(self, send: Send, visit: Visit, path: str, *, at_home: bool) -> Send:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                keep = b"no-cache" if path.startswith("/static/") else b"no-store"
                more = [*_HEADERS, (b"cache-control", keep)]
                more += [_ONLY_TLS] if visit.secure and not at_home else []
                more += [(b"set-cookie", one.encode()) for one in visit.cookies]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        return dressed


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _cookie_name(name: str, *, secure: bool) -> str:
    return f"__Host-perphedge-{name}" if secure else f"perphedge-{name}"


def _mark(headers: Mapping[str, list[str]], *, secure: bool) -> str:
    """By which a browser without a login is known again; empty: it has none."""
    found = _cookies(headers.get("cookie", [])).get(_cookie_name("form", secure=secure), "")
    return found if len(found) >= _MARK_CHARACTERS else ""


def _cookies(lines: list[str]) -> dict[str, str]:
    found: SimpleCookie = SimpleCookie()
    for line in lines:
        try:
            found.load(line[:4096])
        except CookieError:
            continue
    return {name: morsel.value for name, morsel in found.items()}


async def _form(
    headers: Mapping[str, list[str]], receive: Receive
) -> dict[str, str] | tuple[int, str]:
    """Its fields, or status and reason."""
    kind = headers.get("content-type", [""])[0].partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return 415, "Only forms of this server's own pages"
    body = b""
    try:
        async with asyncio.timeout(_BODY_S):
            more: Any = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    return 400, "The form did not come whole"
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > _MOST_BODY_BYTES:
                    return 413, "The form is too long"
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except TimeoutError:
        return 408, "The form did not come in time"
    except ValueError:
        return 400, "The form cannot be read"


async def _answer(send: Send, status: int, text: str, *more: tuple[bytes, bytes]) -> None:
    body = f"{text}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
        *_HEADERS,
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
