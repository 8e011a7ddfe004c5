"""A planted key and secret turn up nowhere, whatever the exchange answers."""

import asyncio
import io
import json
import re
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.clock import SimulatedClock
from bot.feeds.tape import DAY_MS
from bot.logs import open_log
from bot.records.cycle import CycleStatus
from bot.report.page import write_report
from bot.trading.orders import Side
from bot.venues.http.server import serve_exchange
from bot.venues.sim.exchange import SimulatedExchange
from bot.venues.sim.records import NewOrder, OrderType
from bot.wiring import Surroundings, open_engine
from config.secrets import Credentials
from config.sources import AccountSource
from risk.errors import PerphedgeError
from tests.cycle_scene import ACCOUNT, HISTORY_DAYS, LONGS, paper_settings, small_tape

KEYS = {
    ACCOUNT: ("CANARYKEYhedge" + "a1B2" * 12, "CANARYSECRETh" + "c3D4" * 12),
    "bot": ("CANARYKEYbot00" + "e5F6" * 12, "CANARYSECRETb" + "g7H8" * 12),
}
CANARIES = [text for pair in KEYS.values() for text in pair]
KINDS = ("error", "plain", "html", "hang up", "cut")
PATHS = ("/fapi/v1/order", "/balance", "/account", "/positionRisk", "/fapi/v1/klines", "/fapi/")


@dataclass
class Mouth:
    """Between engine and exchange; for what matches it says back all that it was told."""

    kind: str = ""
    path: str = "/fapi/"
    told: int = 0

    def answer(self, request: bytes) -> bytes:
        """The whole request as the exchange's words."""
        self.told += 1
        words = request.decode(errors="replace")
        body = {
            "error": json.dumps({"code": -1000, "msg": words}),
            "plain": words,
            "html": f"<html>{words}</html>",
            "cut": json.dumps([{"symbol": "FETUSDT", "note": words}])[:-20],
        }.get(self.kind)
        if body is None:
            return b""
        status = "200 OK" if self.kind == "cut" else "400 Bad Request"
        return (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body.encode())}\r\nConnection: close\r\n\r\n{body}"
        ).encode()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + await reader.readexactly(length)


@asynccontextmanager
async def between(host: str, mouth: Mouth) -> AsyncIterator[str]:
    """Passes requests on to ``host``, or answers them itself."""
    name, port = host.split(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _request(reader)
            line = request.split(b"\r\n", 1)[0].decode()
            if mouth.kind and mouth.path in line:
                writer.write(mouth.answer(request))
            else:
                up_reader, up_writer = await asyncio.open_connection(name, int(port))
                up_writer.write(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
                writer.write(await up_reader.read())
                up_writer.close()
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("first", [0, 2])
async def test_no_secret_in_anything_that_is_written(tmp_path: Path, first: int) -> None:
    kinds = [KINDS[(first + i) % len(KINDS)] for i in range(len(PATHS))]
    tape = small_tape()
    clock = SimulatedClock(tape.start_ms + HISTORY_DAYS * DAY_MS + 17 * 60_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 3)

    for name, (key, secret) in KEYS.items():
        exchange.open_account(name, key, secret, Decimal(60_000))
    exchange.update_market(tape.quotes(clock.now_ms()))
    echo, mouth, texts, documents = io.StringIO(), Mouth(), [], []
    async with (
        serve_exchange(exchange, tape, clock) as server,
        between(server.host, mouth) as host,
    ):
        settings = paper_settings(tmp_path / "state", monitor_every="60s")
        settings = settings.model_copy(
            update={
                "mode": "live",
                "venue": settings.venue.model_copy(update={"urls_host": host}),
                "sources": (
                    AccountSource(
                        kind="account", name="bot", exchange="binanceusdm", urls_host=host
                    ),
                ),
            }
        )
        credentials = {
            name: Credentials(SecretStr(key), SecretStr(secret))
            for name, (key, secret) in KEYS.items()
        }
        around = Surroundings(
            clock=clock, simulated=True, credentials=credentials, live_account=ACCOUNT
        )
        log = open_log(tmp_path / "state" / "hedge.jsonl", clock, echo=echo, echo_level="debug")
        _bot_buys(exchange)
        async with open_engine(settings, around, log) as engine:
            # Three complete looks prove that an order never came, so four quiet cycles.
            plays = [*zip(kinds, PATHS, strict=True), *[("", "")] * 4]
            for mouth.kind, mouth.path in plays:
                record = await engine.cycle()
                documents.append(record.document())
                clock.advance_to(clock.now_ms() + 3_600_000)
                exchange.update_market(tape.quotes(clock.now_ms()))
        mouth.kind, mouth.path = kinds[0], "/fapi/"
        with pytest.raises(PerphedgeError) as caught:
            async with open_engine(settings, around, log):
                pass
        texts += ["".join(traceback.format_exception(caught.value)), repr(caught.value)]
    assert mouth.told >= 5
    assert CycleStatus.HELD.value in {d["status"] for d in documents}
    assert "hedged" in {d["status"] for d in documents}, "and it recovers"
    write_report(documents, tmp_path / "report.html", title="secrets")
    written = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    texts += [echo.getvalue(), json.dumps(documents)]
    for canary in CANARIES:
        assert not [t for t in texts if canary in t or canary[:20] in t]
        assert not [b for b in written if canary[:20].encode() in b]
    assert not [t for t in texts if re.search("signature=[0-9a-f]", t)]
    assert repr(credentials).count("**") >= 2


def _bot_buys(exchange: SimulatedExchange) -> None:

    account = exchange.account_by_key(KEYS["bot"][0])
    assert account is not None
    for symbol, base in LONGS.items():
        exchange.place(account, NewOrder(symbol, Side.BUY, OrderType.MARKET, Decimal(base)))
