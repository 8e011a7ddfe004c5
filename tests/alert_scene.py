"""A desk, and a service that takes alerts over HTTP, as apprise's json:// speaks, on a socket."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import SecretStr

from bot.alerting.desk import AlertDesk
from bot.alerting.rules import Route, Rules
from bot.alerting.service import Service
from bot.alerting.subjects import subject_of_alert
from bot.clock import SimulatedClock
from bot.controls.guard import Guard
from bot.journal.journal import Journal
from bot.logs import silent_log
from tests.execute_scene import ACCOUNT

TOKEN = "canary-route-0123456789abcdef"


@dataclass
class Receiver:
    """Answers as it is told; ``gate`` is what a slow answer waits for, ``refuses`` a bad word."""

    status: int = 200
    slow: bool = False
    refuses: str = ""
    gate: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    paths: list[str] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    elsewhere: int = 0

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/{TOKEN}"


@contextmanager
def receiving(port: int = 0, **behaviour: Any) -> Iterator[Receiver]:
    """The service, until the block ends."""
    receiver = Receiver(**behaviour)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.paths.append(self.path)
            if receiver.slow:
                receiver.gate.wait(30)
            bad = bool(receiver.refuses) and receiver.refuses in content.decode()
            status = 400 if bad else receiver.status
            with suppress(OSError):  # whoever asked may be gone
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
            if status == 200:
                receiver.taken.append(json.loads(content))

        def do_GET(self) -> None:
            receiver.elsewhere += 1
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    receiver.port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


RULES = Rules([Route("phone")], escalate_ms=300_000)


def desk_of(
    journal: Journal,
    clock: SimulatedClock,
    guard: Guard,
    addresses: dict[str, str],
    rules: Rules = RULES,
    **more: Any,
) -> AlertDesk:
    services = {name: Service(SecretStr(address)) for name, address in addresses.items()}
    log = more.pop("log", silent_log(clock))
    return AlertDesk(
        rules,
        services,
        journal,
        clock,
        log,
        account=ACCOUNT,
        subjects=lambda: [subject_of_alert(one) for one in guard.alerts],
        **more,
    )


async def turns(desk: AlertDesk, until: Callable[[], object], within_s: float = 5.0) -> None:
    """Turns, without time passing on the engine's clock, until that holds."""
    ends = time.monotonic() + within_s
    while not until():
        assert time.monotonic() < ends, "it never came"
        desk.turn()
        await asyncio.sleep(0.01)


def events(journal: Journal, kind: str) -> list[dict[str, Any]]:
    return [dict(event.document) for event in journal.events(kind=kind)]
