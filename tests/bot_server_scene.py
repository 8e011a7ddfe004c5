"""A server in place of a bot's, on a real socket, and the ways in which such a server fails."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from config.passwords import Login

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(answer: Fault) -> AsyncIterator[str]:
    """Serve on a free port of this machine; its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def lets_in(request: web.Request, login: Login) -> bool:
    """Whether the request has this user name and password."""
    words = f"{login.username}:{login.password.get_secret_value()}"
    expected = "Basic " + base64.b64encode(words.encode()).decode()
    return request.headers.get("Authorization") == expected


def replied(body: bytes | str, status: int = 200, content_type: str = "application/json") -> Fault:
    """This answer, whatever was asked."""

    async def fault(_request: web.Request) -> web.StreamResponse:
        content = body if isinstance(body, bytes) else body.encode()
        return web.Response(status=status, body=content, content_type=content_type)

    return fault


def silent(seconds: float) -> Fault:
    """No answer for so long."""

    async def fault(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.json_response([])

    return fault


async def cut(request: web.Request) -> web.StreamResponse:
    """The connection breaks off in the middle of an answer."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    response.content_type = "application/json"
    await response.prepare(request)
    await response.write(b'{"data": [')
    assert request.transport is not None
    request.transport.abort()
    return response


async def redirected(_request: web.Request) -> web.StreamResponse:
    """Somewhere else."""
    return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"})
