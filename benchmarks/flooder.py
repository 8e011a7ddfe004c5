"""A bot that pushes without pause: ``python -m benchmarks.flooder PORT SECONDS RATE FIRST``.

It keeps to the rate whatever the answers, over many connections that are kept open. Every fiftieth
request is one that must be refused. It prints one JSON document of what was answered.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, cycle

TOKEN = "benchmark-of-a-flood"  # noqa: S105 - nothing is behind it
SOURCE = "bot"
CONNECTIONS = 32
HELD = {"FET/USDT:USDT": 12_000.0, "TAO/USDT:USDT": 40.0, "WLD/USDT:USDT": 9_000.0}
"""Base units; of the first a thousandth more for each push, so that each can be told."""
PER_UNIT = 1_000
BAD_EVERY = 50
BAD = {"wrong token": 401, "not JSON": 422, "too long": 413, "negative": 422, "a browser": 403}


@dataclass
class Flood:
    """What was sent and answered.

    Attributes:
        accepted: time of the answer (Unix seconds) and number of each push that was taken.
        statuses: of pushes as they must be.
        refused: of the others, status by what was wrong with them.
        latest_s: by how much the request that was most behind its time left too late.
    """

    accepted: list[tuple[float, int]] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    latest_s: float = 0.0


def document(number: int) -> bytes:
    """Push number so-and-so."""
    rows = [{"symbol": s, "side": "long", "base": base} for s, base in HELD.items()]
    rows[0]["base"] = HELD["FET/USDT:USDT"] + number / PER_UNIT
    return json.dumps({"timestamp": datetime.now(UTC).isoformat(), "positions": rows}).encode()


def number_of(base: float) -> int:
    """Of the push that said so much of the first symbol."""
    return round((base - HELD["FET/USDT:USDT"]) * PER_UNIT)


def request(body: bytes, *, token: str = TOKEN, more: str = "") -> bytes:
    """A push over HTTP."""
    head = (
        f"PUT /v1/positions/{SOURCE} HTTP/1.1\r\nHost: localhost\r\n{more}"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _bad(what: str) -> bytes:
    body = document(0)
    if what == "wrong token":
        return request(body, token="nobody-knows-this-one")  # noqa: S106 - that is the point
    if what == "a browser":
        return request(body, more="Origin: https://example.org\r\n")
    return request({"not JSON": b"{" + body, "too long": body + b" " * 300_000}.get(
        what, body.replace(b'"base": ', b'"base": -')))  # fmt: skip


class Client:
    """One connection, opened again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def status(self, content: bytes) -> int:
        """Of the answer to this request."""
        if self._open is None:
            self._open = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._open
        writer.write(content)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
        if b"connection: close" in head:
            self.close()
        return int(head.split()[1])

    def close(self) -> None:
        """Hang up."""
        if self._open is not None:
            self._open[1].close()
            self._open = None


async def flood(port: int, seconds: float, rate: float, first: int) -> Flood:
    """As many a second as ``rate`` says, or as many as are answered."""
    told, numbers, kinds = Flood(), count(first), cycle(BAD)
    begun = time.monotonic()
    every = CONNECTIONS / rate

    async def one(offset: float) -> None:
        client = Client(port)
        for turn in count():
            due = begun + offset + turn * every
            if due - begun > seconds or time.monotonic() - begun > seconds:
                break
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            told.latest_s = max(told.latest_s, -wait)
            await _send(client, told, numbers, kinds)
        client.close()

    await asyncio.gather(*(one(n / rate) for n in range(CONNECTIONS)))
    return told


async def _send(client: Client, told: Flood, numbers: Iterator[int], kinds: Iterator[str]) -> None:
    number = next(numbers)
    if number % BAD_EVERY == 0:
        kind = next(kinds)
        told.refused[f"{kind} {await client.status(_bad(kind))}"] += 1
        return
    status = await client.status(request(document(number)))
    told.statuses[status] += 1
    if status == 200:
        told.accepted.append((time.time(), number))


def main() -> None:
    """Flood and tell."""
    port, seconds, rate, first = (float(word) for word in sys.argv[1:5])
    told = asyncio.run(flood(int(port), seconds, rate, int(first)))
    print(json.dumps(vars(told)))


if __name__ == "__main__":
    main()
