"""The socket: requests in, one handler each, replies out; nothing here knows what they mean."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Final, Protocol

from aiohttp import web

from bot.feeds.tape import Tape
from bot.ports import Clock
from bot.venues.http.auth import check_signature, check_timestamp, find_account
from bot.venues.http.face import Call, Face, SignedCall
from bot.venues.http.params import Params
from bot.venues.http.routes import KEYED, PATHS, PUBLIC, SIGNED
from bot.venues.http.sockets import StreamHub
from bot.venues.http.wire import Json, encode
from bot.venues.loopback import require_loopback
from bot.venues.sim.errors import VenueReject
from bot.venues.sim.exchange import SimulatedExchange

_NOT_FOUND: Final = b"<html><body><h2>404 Not found</h2></body></html>\n"

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Between(Protocol):
    """Stands between the socket and the exchange, to play what goes wrong there."""

    async def __call__(
        self, incoming: web.BaseRequest, request: "Request", take: Callable[[], "Reply"]
    ) -> web.StreamResponse | None:
        """What the client gets instead of the exchange's answer; None: that answer.

        ``take`` lets the exchange have the request, at once or later: it counts as come at the
        moment at which it came.
        """
        ...


@dataclass(frozen=True, slots=True)
class LoopbackServer:
    """A running simulated exchange; ``host`` is ``address:port``."""

    host: str
    face: Face
    streams: StreamHub


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came from the socket.

    Attributes:
        query, body: as they were sent, still encoded: the signature covers these very letters.
        key: the header ``X-MBX-APIKEY``, None when it is not there.
        peer: address of the sender, for the text of a refusal.
    """

    method: str
    path: str
    query: str
    body: str
    key: str | None
    peer: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, type and bytes of the answer."""

    status: int
    content_type: str
    body: bytes


def answer(face: Face, request: Request, came_ms: int | None = None) -> Reply:
    """The reply of the exchange; one request is answered wholly before the next is looked at.

    ``came_ms``: when the request came, where it had to wait; None: now.
    """
    if request.path not in PATHS:
        return Reply(404, "text/html", _NOT_FOUND)
    if request.method not in PATHS[request.path]:
        return _refusal(
            VenueReject(-1020, f"Request method '{request.method}' is not supported.", 405)
        )
    try:
        return Reply(200, "application/json", encode(_dispatch(face, request, came_ms)))
    except VenueReject as refusal:
        return _refusal(refusal)


def _refusal(reject: VenueReject) -> Reply:
    document = {"code": reject.code, "msg": reject.message}
    return Reply(reject.http_status, "application/json", encode(document))


def _dispatch(face: Face, request: Request, came_ms: int | None) -> Json:
    route = (request.method, request.path)
    now_ms = face.clock.now_ms() if came_ms is None else came_ms
    public = PUBLIC.get(route)
    if public is not None:
        face.exchange.counters.public_requests += 1
        return public(face, Call(Params.parse(request.query, request.body), now_ms))
    face.exchange.counters.private_requests += 1
    account = find_account(face.exchange, request.key, request.peer)
    params = Params.parse(request.query, request.body)
    if route in KEYED:
        return KEYED[route](face, SignedCall(params, now_ms, account))
    check_timestamp(params, now_ms)
    check_signature(params, request.query, request.body, account.api_secret)
    return SIGNED[route](face, SignedCall(params, now_ms, account))


@asynccontextmanager
async def serve_exchange(
    exchange: SimulatedExchange,
    tape: Tape,
    clock: Clock,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    themes: Mapping[str, tuple[str, ...]] | None = None,
    between: Between | None = None,
) -> AsyncIterator[LoopbackServer]:
    """Serve until the block ends; port 0 takes a free one.

    ``themes``: what ``underlyingSubType`` says of a contract, by unified symbol; None: its sector.
    ``between``: sees every request first, streams aside; None: nothing goes wrong.

    The market moves only when somebody calls ``exchange.update_market``.

    Raises:
        SafetyError: ``host`` is not this machine.
        OSError: the port is taken.
    """
    name = require_loopback(host)
    face = Face(exchange, tape, clock, themes)
    hub = StreamHub(face)
    runner = web.ServerRunner(
        web.Server(_handler(face, hub, between), access_log=None),
        handle_signals=False,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, name, port).start()
        bound = runner.addresses[0][1]
        shown = f"[{name}]" if ":" in name else name
        yield LoopbackServer(f"{shown}:{bound}", face, hub)
    finally:
        await hub.close()
        await runner.cleanup()


def _is_stream(path: str) -> bool:
    return path.startswith(("/private/ws", "/public/ws", "/market/ws"))


def _handler(face: Face, hub: StreamHub, between: Between | None) -> Handler:
    async def handle(incoming: web.BaseRequest) -> web.StreamResponse:
        path, _, query = incoming.raw_path.partition("?")
        if _is_stream(path):
            return await hub.serve(incoming)
        body = await incoming.read()  # aiohttp refuses more than a MiB
        request = Request(
            method=incoming.method,
            path=path,
            query=query,
            body=body.decode("utf-8", errors="replace"),
            key=incoming.headers.get("X-MBX-APIKEY"),
            peer=incoming.remote or "",
        )
        if between is not None:
            take = partial(answer, face, request, face.clock.now_ms())
            spoiled = await between(incoming, request, take)
            if spoiled is not None:
                return spoiled
        reply = answer(face, request)
        moment = datetime.fromtimestamp(face.clock.now_ms() / 1000, UTC)
        return web.Response(
            status=reply.status,
            body=reply.body,
            content_type=reply.content_type,
            headers={"Date": format_datetime(moment, usegmt=True), "Server": "perphedge"},
        )

    return handle
