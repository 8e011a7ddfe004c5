"""Faults of the HTTP family before the simulated exchange's HTTP face: bytes on a real socket.

What goes wrong is read from the same table as in the simulation in process. What fails before a
word reaches the exchange (no such name, connection refused, TLS) is not the server's to play.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from aiohttp import web

from bot.faults.faultset import FaultSet
from bot.faults.wire import WIRE, Taken, WireFault
from bot.venues.http.server import Reply, Request

Later = Callable[[int, Callable[[], object]], object]
"""Does something after so many milliseconds."""

OF_THE_CLIENT: Final = frozenset({"connect_refused", "dns_failure", "tls_failure_in_post"})
ON_THE_SOCKET: Final = frozenset(WIRE) - OF_THE_CLIENT
_LATE_MS: Final = (1_000, 60_000)
_LOOKS_AGAIN_SECONDS: Final = 0.02
_CUT: Final = "reset_mid_body"
_PROMISED_BYTES: Final = 400  # of a body that is cut
_HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "status_429": {"Retry-After": "30"},
    "status_418": {"Retry-After": "120"},
    "redirect": {"Location": "/elsewhere"},
}


def variants(kind: str) -> tuple[WireFault, ...]:
    """All replies that one kind of fault may give."""
    fault = WIRE[kind]
    if kind == "code_1006_1007":
        return fault, replace(fault, body=fault.body.replace("-1007", "-1006"))
    return (fault,)


class FaultyFront:
    """Spoils requests while faults are on; a ``Between`` of the exchange's server.

    Attributes:
        coin: whether the exchange takes an order where the kind of fault leaves that open.
        order_chance, read_chance: of a fault that is on to strike a request that changes
            something, and one that does not.
    """

    def __init__(
        self,
        faults: FaultSet,
        later: Later,
        *,
        order_chance: float = 0.5,
        read_chance: float = 0.1,
    ) -> None:
        self.coin: Callable[[], bool] = lambda: faults.die.random() < 0.5
        self.order_chance = order_chance
        self.read_chance = read_chance
        self._faults = faults
        self._later = later

    async def __call__(
        self, incoming: web.BaseRequest, request: Request, take: Callable[[], Reply]
    ) -> web.StreamResponse | None:
        """What the client gets instead of the exchange's answer; None where all is well."""
        changes = request.method != "GET"
        kind = self._struck(changes=changes)
        if kind is None:
            return None
        self._faults.count(kind)
        fault = self._faults.die.choice(variants(kind))
        if changes:
            self._hand_on(fault, take)
        if fault.status is None:
            return await _nothing(incoming)
        if kind == _CUT:
            return await _cut(incoming, fault)
        return web.Response(
            status=fault.status,
            body=fault.body.encode(),
            content_type=_type_of(fault.body),
            headers=_HEADERS.get(kind),
        )

    def _struck(self, *, changes: bool) -> str | None:
        if changes:
            return self._faults.one_of(ON_THE_SOCKET, self.order_chance)
        reads = {kind for kind in ON_THE_SOCKET if WIRE[kind].reads}
        return self._faults.one_of(reads, self.read_chance)

    def _hand_on(self, fault: WireFault, take: Callable[[], Reply]) -> None:
        """The exchange gets the request now, later or never; nobody hears what it says to it."""
        if fault.taken is Taken.LATE:
            self._later(self._faults.die.randint(*_LATE_MS), take)
        elif fault.taken is Taken.ALWAYS or (fault.taken is Taken.COIN and self.coin()):
            take()


async def _nothing(incoming: web.BaseRequest) -> web.StreamResponse:
    """Not a byte, until the client hangs up."""
    while incoming.transport is not None and not incoming.transport.is_closing():
        await asyncio.sleep(_LOOKS_AGAIN_SECONDS)
    return web.Response()


async def _cut(incoming: web.BaseRequest, fault: WireFault) -> web.StreamResponse:
    """Less of a body than was promised, and then a reset."""
    response = web.StreamResponse(
        status=fault.status or 200,
        headers={"Content-Length": str(_PROMISED_BYTES), "Content-Type": "application/json"},
    )
    await response.prepare(incoming)
    await response.write(fault.body.encode())
    transport = incoming.transport
    if transport is not None:
        linger = struct.pack("ii", 1, 0)  # none: closing resets
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return response


def _type_of(body: str) -> str:
    if body.startswith("<"):
        return "text/html"
    return "application/json" if body.startswith("{") else "text/plain"
