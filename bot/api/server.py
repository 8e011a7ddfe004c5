"""Serves the API until it is told to stop."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from bot.advice.opening import entry_desk, entry_policy
from bot.api.app import Desks, api
from bot.api.connections import MOST_CONNECTIONS, Patience, PatientProtocol
from bot.api.gate import Entrance, Gate
from bot.api.pushes import PushDesk
from bot.clock import SystemClock
from bot.errors import UnreachableError
from bot.sources.health_file import read_health
from bot.sources.pushed import PushedFiles
from bot.stopping import stopped_by_signals
from config.api import find_token
from config.settings import Settings
from config.sources_pushed import PushedSource

_SWITCH_S = 0.0005


def ungated_app(settings: Settings) -> FastAPI:
    """The application; nobody may reach it but through a gate."""
    clock = SystemClock()
    names = frozenset(s.name for s in settings.sources if isinstance(s, PushedSource))
    policy = entry_policy(settings.entry_check)
    desks = Desks(
        entries=entry_desk(settings.state_dir, policy, clock.now_ms),
        pushes=PushDesk(PushedFiles(settings.state_dir, names)),
        sources=lambda now_ms: read_health(settings.state_dir, now_ms),
        now_ms=clock.now_ms,
    )
    return api(desks, version("perphedge"))


def gated_app(settings: Settings, token: SecretStr, patience: Patience) -> Gate:
    """The application behind its gate."""
    hosts = {"127.0.0.1", "::1", "localhost", settings.api.host, *settings.api.allowed_hosts}
    entrance = Entrance(
        token=token,
        hosts=frozenset(h.lower() for h in hosts),
        max_body_bytes=settings.api.max_body_kib * 1024,
        body_s=patience.body_s,
    )
    return Gate(ungated_app(settings), entrance)


async def serve(settings: Settings, *, as_child: bool = False) -> None:
    """Until a signal or, as a child, until the parent closes our standard input.

    Raises:
        ConfigError: there is no token.
        UnreachableError: the port cannot be listened on.
    """
    # A long body is read in a thread; at the usual 5 ms a turn it would hold up every answer.
    sys.setswitchinterval(_SWITCH_S)
    with stopped_by_signals() as stop:
        async with serving(settings, find_token(settings.api)):
            waits: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
            if as_child:
                waits.append(asyncio.create_task(parent_gone()))
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in waits:
                task.cancel()


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, token: SecretStr, protocol: type[PatientProtocol] = PatientProtocol
) -> AsyncIterator[None]:
    """Listens and answers for as long as it is entered.

    Raises:
        UnreachableError: the port cannot be listened on.
    """
    app = gated_app(settings, token, protocol.patience)
    server = uvicorn.Server(_config(settings, app, protocol))
    with contextlib.closing(listening("api", settings.api.host, settings.api.port)) as listener:
        async with running(server, listener):
            yield


def _config(settings: Settings, app: Gate, protocol: type[PatientProtocol]) -> uvicorn.Config:
    tls = settings.api
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=protocol.patience.idle_s,
        timeout_graceful_shutdown=3,  # a request that is never sent to its end must not hold us
        ssl_certfile=None if tls.certificate_file is None else str(tls.certificate_file),
        ssl_keyfile=None if tls.certificate_key_file is None else str(tls.certificate_key_file),
    )


def listening(section: str, host: str, port: int) -> socket.socket:
    """A socket that listens there; ``section`` of the settings is named where it cannot.

    Raises:
        UnreachableError: it cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UnreachableError(
            f"{section}: cannot listen on {host}:{port}: {error.strerror}"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise UnreachableError(
            f"{section}: cannot listen on {host}:{port}: {error.strerror}"
        ) from error
    return listener


@contextlib.asynccontextmanager
async def running(server: uvicorn.Server, listener: socket.socket) -> AsyncIterator[None]:
    """uvicorn as a task; run as a whole it would take the signals for itself."""
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    loop = asyncio.create_task(server.main_loop())
    try:
        yield
    finally:
        server.should_exit = True
        await loop
        await server.shutdown(sockets=[listener])


async def parent_gone() -> None:
    """Returns when nobody holds the other end of our standard input any more."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while await reader.read(1024):
        pass
