"""Answers scrapes over HTTP until it is told to end."""

import signal
import threading
from collections.abc import Callable

from prometheus_client import CollectorRegistry, start_http_server

from bot.errors import UsageError


def serve(
    registry: CollectorRegistry, host: str, port: int, *, on_ready: Callable[[int], None]
) -> None:
    """Returns after SIGINT or SIGTERM.

    Raises:
        UsageError: nothing can listen there.
    """
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: {error.strerror}") from error
    on_ready(int(server.server_address[1]))
    ended.wait()
    server.shutdown()
    server.server_close()
    thread.join()
