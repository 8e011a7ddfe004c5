"""A service that takes alerts over HTTP, as apprise's json:// speaks, on a real socket."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "canary-route-0123456789abcdef"


@dataclass
class Receiver:
    """Answers as it is told; ``gate`` is what a slow answer waits for."""

    status: int = 200
    slow: bool = False
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
            with suppress(OSError):  # whoever asked may be gone
                self.send_response(receiver.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
            if receiver.status == 200:
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
