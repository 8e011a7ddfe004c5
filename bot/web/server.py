"""Serves the dashboard until it is told to stop."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import uvicorn

from bot.api.connections import MOST_CONNECTIONS, Patience, PatientProtocol
from bot.api.server import listening, parent_gone, running
from bot.clock import SystemClock
from bot.stopping import stopped_by_signals
from bot.web.app import Pages, pages
from bot.web.door import Door
from bot.web.live import STREAM_S
from bot.web.password import PasswordHash, required_hash, secret_key
from bot.web.sessions import Attempts, Sessions
from config.settings import Settings
from config.web import Web, origins


class LivePatience(PatientProtocol):
    """Connections may stay open for as long as a page listens to what is new."""

    patience: ClassVar[Patience] = Patience(request_s=STREAM_S + 60.0)


def address(web: Web) -> str:
    """Where a browser on this machine finds it."""
    scheme = "http" if web.certificate_file is None else "https"
    host = f"[{web.host}]" if ":" in web.host else web.host
    return f"{scheme}://{host}:{web.port}/"


def guarded_app(settings: Settings, password: PasswordHash, title: str) -> Door:
    """The pages behind their door; ``title`` stands at their top, such as ``paper``."""
    web = settings.web
    sessions = Sessions(time.monotonic, web.session_minutes * 60.0, web.idle_minutes * 60.0)
    inside = Pages(
        state_dir=settings.state_dir,
        settings=settings,
        now_ms=SystemClock().now_ms,
        sessions=sessions,
        attempts=Attempts(time.monotonic),
        password=password,
        title=title,
    )
    return Door(pages(inside), origins(web), sessions, secret_key())


async def serve(settings: Settings, title: str, *, as_child: bool = False) -> None:
    """Until a signal or, as a child, until the parent closes our standard input.

    Raises:
        ConfigError: there is no password.
        UnreachableError: the port cannot be listened on.
    """
    with stopped_by_signals() as stop:
        async with serving(settings, title):
            waits: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
            if as_child:
                waits.append(asyncio.create_task(parent_gone()))
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in waits:
                task.cancel()


@contextlib.asynccontextmanager
async def serving(settings: Settings, title: str) -> AsyncIterator[None]:
    """Listens and answers for as long as it is entered.

    Raises:
        ConfigError: there is no password.
        UnreachableError: the port cannot be listened on.
    """
    web = settings.web
    server = uvicorn.Server(_config(web, guarded_app(settings, required_hash(web), title)))
    with contextlib.closing(listening("web", web.host, web.port)) as listener:
        async with running(server, listener):
            yield


def _config(web: Web, app: Door) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=LivePatience,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=LivePatience.patience.idle_s,
        timeout_graceful_shutdown=1,  # pages that listen to what is new must not hold us
        ssl_certfile=None if web.certificate_file is None else str(web.certificate_file),
        ssl_keyfile=None if web.certificate_key_file is None else str(web.certificate_key_file),
    )
