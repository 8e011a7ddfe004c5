"""Peers that are slow, silent or many, over real sockets: nobody else waits for them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.api.connections import MOST_CONNECTIONS, Patience, PatientProtocol
from bot.api.server import serving
from config.load import load_settings
from tests.api_scene import CONFIG, TOKEN, free_port, now_text

HEAD = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
ALIVE = b"GET /v1/alive HTTP/1.1\r\nHost: localhost\r\n\r\n"
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Hasty(PatientProtocol):
    """Waits for nobody."""

    patience = Patience(head_s=0.4, body_s=0.4, request_s=5.0, idle_s=1)


class Deaf(PatientProtocol):
    """Gives up on answers that are not taken."""

    patience = Patience(head_s=5.0, body_s=5.0, request_s=0.4, idle_s=5)


@asynccontextmanager
async def _served(
    folder: Path, protocol: type[PatientProtocol] = PatientProtocol
) -> AsyncIterator[int]:
    port, config = free_port(), folder / "config.yaml"
    config.write_text(CONFIG.format(state=folder / "state", port=port))
    async with serving(load_settings(config), SecretStr(TOKEN), protocol):
        yield port


@asynccontextmanager
async def _peer(port: int, *, host: str = "127.0.0.1") -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))
    try:
        yield reader, writer
    finally:
        writer.close()


async def _asked(peer: Peer, request: bytes = ALIVE) -> tuple[int, dict[str, object]]:
    """Sends and reads one answer."""
    peer[1].write(request)
    return await _answer(peer)


async def _answer(peer: Peer) -> tuple[int, dict[str, object]]:
    head = (await asyncio.wait_for(peer[0].readuntil(b"\r\n\r\n"), 10)).decode().lower()
    length = int(head.partition("content-length:")[2].split()[0])
    return int(head.split()[1]), json.loads(await peer[0].readexactly(length))


async def _gone(peer: Peer, within_s: float) -> None:
    """The server closes it, after whatever it may say."""
    try:
        await asyncio.wait_for(peer[0].read(), within_s)
    except ConnectionResetError:
        return


async def test_headers_that_drip_are_answered_in_time_and_silence_is_closed(tmp_path: Path) -> None:
    async with _served(tmp_path, Hasty) as port, _peer(port) as silent, _peer(port) as slow:
        begun = asyncio.get_running_loop().time()
        dripping = asyncio.create_task(
            _drip(slow[1], b"GET /v1/alive HTTP/1.1\r\nX-A: " + b"a" * 99)
        )
        head = await asyncio.wait_for(slow[0].readuntil(b"\r\n"), 3)
        assert head.startswith(b"HTTP/1.1 408 ")
        await _gone(slow, 1)
        await _gone(silent, 1)
        assert asyncio.get_running_loop().time() - begun < 2
        dripping.cancel()
        async with _peer(port) as other:
            assert (await _asked(other))[0] == 200


async def _drip(writer: asyncio.StreamWriter, text: bytes) -> None:
    for byte in text:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def test_the_second_request_of_a_connection_has_the_same_time(tmp_path: Path) -> None:
    async with _served(tmp_path, Hasty) as port, _peer(port) as peer:
        assert (await _asked(peer))[0] == 200
        dripping = asyncio.create_task(_drip(peer[1], ALIVE))
        head = await asyncio.wait_for(peer[0].readuntil(b"\r\n"), 3)
        assert head.startswith(b"HTTP/1.1 408 ")
        dripping.cancel()


async def test_a_body_that_does_not_come_is_answered(tmp_path: Path) -> None:
    async with _served(tmp_path, Hasty) as port, _peer(port) as peer:
        request = f"PUT /v1/positions/bot-a HTTP/1.1\r\n{HEAD}Content-Length: 500\r\n\r\n{{"
        status, answer = await _asked(peer, request.encode())
        assert (status, answer) == (408, {"error": "body: not all of it came in time"})
        await _gone(peer, 1)


async def test_a_connection_that_idles_is_closed_and_one_that_asks_is_kept(tmp_path: Path) -> None:
    async with _served(tmp_path, Hasty) as port, _peer(port) as peer:
        for _ in range(4):
            assert (await _asked(peer))[0] == 200
            await asyncio.sleep(0.5)  # longer together than any deadline here
        await _gone(peer, 3)


async def test_who_does_not_take_the_answers_is_left(tmp_path: Path) -> None:
    """Thousands of requests at once and no answer read: the buffers are full, then it is over."""
    async with _served(tmp_path, Deaf) as port, _peer(port) as peer:
        peer[0]._transport.pause_reading()  # type: ignore[attr-defined] # as a peer that hangs
        request = f"GET /v1/openapi.json HTTP/1.1\r\n{HEAD}\r\n".encode()
        with pytest.raises(ConnectionError):
            await _pour(peer[1], request)
        async with _peer(port) as other:
            assert (await _asked(other))[0] == 200


async def _pour(writer: asyncio.StreamWriter, request: bytes) -> None:
    for _ in range(2_000):
        writer.write(request)
        await asyncio.wait_for(writer.drain(), 20)
        await asyncio.sleep(0.005)


async def test_as_many_idle_connections_as_fit_shut_nobody_out(tmp_path: Path) -> None:
    """The idle of whoever has most of them go first; whoever came from elsewhere keeps its own."""
    async with _served(tmp_path) as port, AsyncExitStack() as stack:
        first = await stack.enter_async_context(_peer(port, host="127.0.0.2"))
        assert (await _asked(first))[0] == 200
        crowd = [await stack.enter_async_context(_peer(port)) for _ in range(MOST_CONNECTIONS + 40)]
        for _ in range(5):
            async with _peer(port, host="127.0.0.3") as other:
                assert (await _asked(other))[0] == 200
        assert (await _asked(first))[0] == 200
        await _gone(crowd[0], 1)
        assert (await _asked(crowd[-1]))[0] == 200


async def test_a_request_under_way_is_never_closed_for_room(tmp_path: Path) -> None:
    text = json.dumps({"timestamp": now_text(), "positions": []}).encode()
    request = f"PUT /v1/positions/bot-a HTTP/1.1\r\n{HEAD}Content-Length: {len(text)}\r\n\r\n"
    async with _served(tmp_path) as port, AsyncExitStack() as stack:
        busy = await stack.enter_async_context(_peer(port))
        busy[1].write(request.encode() + text[:5])
        await asyncio.sleep(0.1)
        for _ in range(MOST_CONNECTIONS + 40):
            await stack.enter_async_context(_peer(port))
        status, answer = await _asked(busy, text[5:])
        assert (status, answer["positions"]) == (200, 0)
