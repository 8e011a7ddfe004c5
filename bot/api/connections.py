"""Connections that keep nobody else out: each has so long for a request, and the idle make room."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 256


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a peer may take.

    Attributes:
        head_s: from the connection, or the first byte of a further request, to its last header.
        body_s: from the last header to the end of the body; kept by the gate, which answers.
        request_s: from the last header until the answer is taken, whatever holds it up.
        idle_s: between an answer and the next request.
    """

    head_s: float = 10.0
    body_s: float = 10.0
    request_s: float = 30.0
    idle_s: int = 15


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP connection with deadlines, and one that is closed when room is needed.

    uvicorn itself waits for ever for a request's end once one byte of it has come, and answers
    503 to everybody while as many connections as it allows are open, even if all of them idle.
    """

    patience: ClassVar[Patience] = Patience()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.idle_since_s = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None
        self._watched: object = None

    @property
    def busy(self) -> bool:
        """Whether a request is being taken or answered."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def peer(self) -> str:
        """Its address, without the port."""
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody came; whoever idles longest goes if there is no room."""
        super().connection_made(transport)
        self._start(self.patience.head_s, self._too_slow)
        if len(self.connections) >= MOST_CONNECTIONS:
            others = [c for c in self.connections if isinstance(c, PatientProtocol)]
            leaving = whom_to_close(c for c in others if c is not self)
            if leaving is not None:
                # Its end is told only in the loop's next round, and would count until then.
                self.connections.discard(leaving)
                leaving.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request: the first of them, and its last header, start a deadline."""
        super().data_received(data)
        self._watch("head")

    def on_response_complete(self) -> None:
        """The peer may ask again; uvicorn's own timer closes a connection that stays silent."""
        super().on_response_complete()
        self.idle_since_s = self.loop.time()
        self._watch("idle")

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._cancel()
        self._unset_keepalive_if_required()  # which uvicorn leaves running after an error
        super().connection_lost(exc)

    def _watch(self, between: str) -> None:
        """Start the deadline of what the connection is at, where it was at something else."""
        stage: object = self.cycle if self.busy else between
        if stage is self._watched:
            return
        self._watched = stage
        if stage == "idle":
            self._cancel()
        elif stage == "head":
            self._start(self.patience.head_s, self._too_slow)
        else:
            self._start(self.patience.request_s, self.transport.abort)

    def _start(self, seconds: float, then: Any) -> None:
        self._cancel()
        self._deadline = self.loop.call_later(seconds, then)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        """Say so to a peer that has begun a request; who said nothing is left without a word."""
        if self.transport.is_closing():
            return
        if self._watched == "head" and self.conn.our_state is h11.IDLE:
            body = b'{"error": "headers: not all of them came in time"}'
            headers = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            head = h11.Response(status_code=408, headers=headers, reason=b"Request Timeout")
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def whom_to_close(connections: Iterable[PatientProtocol]) -> PatientProtocol | None:
    """Of the peer with the most connections the one that idles longest; None: all are busy."""
    everyone = list(connections)
    count = Counter(c.peer for c in everyone)
    idle = [c for c in everyone if not c.busy]
    return max(idle, key=lambda c: (count[c.peer], -c.idle_since_s), default=None)
