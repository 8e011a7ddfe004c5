"""The exchange as a server on wall time: the command, its accounts, and a clean end."""

import asyncio
import json
import signal
import socket
import sys
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import ccxt
import pytest

from bot.clock import SystemClock
from bot.errors import UsageError
from bot.feeds.generated import generated_tape
from bot.venues.http.accounts import default_accounts, read_accounts
from bot.venues.http.runner import run_exchange
from bot.venues.http.server import LoopbackServer, serve_exchange
from bot.venues.loopback import client
from bot.venues.sim.exchange import SimulatedExchange
from tests.face_market import open_market

FET = "FET/USDT:USDT"
COMMAND = "import typer; from bot.cli.venue import venue; typer.run(venue)"


async def _start(*arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    """The command, and the one line that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", COMMAND, "--port", "0", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    return process, (await process.stdout.readline()).decode()


async def _end(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    process.send_signal(number)
    out, err = await process.communicate()
    assert (process.returncode, out, err.decode()) == (0, b"", "")


async def test_the_command_serves_two_accounts_on_wall_time_and_ends_on_sigterm() -> None:
    process, line = await _start("--json")
    announced = json.loads(line)
    assert [one["name"] for one in announced["accounts"]] == ["bot", "hedge"]
    host = announced["address"].removeprefix("http://")
    hedge = client(host, key="sandbox-hedge-key", secret="sandbox-hedge-secret")
    try:
        asked_ms = SystemClock().now_ms()
        assert asked_ms <= await hedge.fetch_time() <= SystemClock().now_ms()
        order = await hedge.create_order(FET, "market", "sell", 100)
        assert order["filled"] == 100
        asked_ms = SystemClock().now_ms()
        bars = await hedge.fetch_ohlcv(FET, "1m", limit=3)
        assert asked_ms - 62_000 < bars[-1][0] <= SystemClock().now_ms()
    finally:
        await hedge.close()
        await _end(process, signal.SIGTERM)


async def test_a_file_names_the_accounts_and_its_secrets_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(
        "- {name: desk, api_key: k1, api_secret: hush-hush, wallet_usd: 1234.5}\n", encoding="utf-8"
    )
    process, line = await _start("--accounts", str(file), "--seed", "3")
    assert "desk" in line
    assert str(file) in line
    assert "hush" not in line
    host = line.partition("http://")[2].partition(",")[0]
    desk = client(host, key="k1", secret="hush-hush")
    balance = await desk.fetch_balance()
    await desk.close()
    assert balance["USDT"]["free"] == 1234.5
    await _end(process, signal.SIGINT)


async def test_faults_that_are_named_are_played() -> None:
    process, line = await _start("--json", "--faults", "status_503_unavailable, key_revoked")
    host = json.loads(line)["address"].removeprefix("http://")
    watcher = client(host)
    said = set()
    try:
        for _ in range(200):
            try:
                await watcher.fetch_time()
            except (ccxt.ExchangeNotAvailable, ccxt.AuthenticationError) as error:
                said.add(type(error).__name__)
    finally:
        await watcher.close()
        await _end(process, signal.SIGTERM)
    assert said == {"ExchangeNotAvailable", "AuthenticationError"}


async def test_recorded_prices_are_moved_to_now(tmp_path: Path) -> None:
    shared = Path(__file__).resolve().parents[2] / "shared" / "market"
    if not shared.exists():
        pytest.skip("../shared is not here")
    process, line = await _start("--json", "--data", str(shared))
    host = json.loads(line)["address"].removeprefix("http://")
    watcher = client(host)
    try:
        asked_ms = SystemClock().now_ms()
        ticker = await watcher.fetch_ticker(FET)
        assert asked_ms - 5_000 < ticker["timestamp"] <= SystemClock().now_ms()
        bars = await watcher.fetch_ohlcv(FET, "1h", limit=1_000)
        assert len(bars) == 1_000
    finally:
        await watcher.close()
        await _end(process, signal.SIGTERM)


async def test_the_market_moves_while_it_is_served() -> None:
    clock = SystemClock()
    tape = generated_tape(5, clock.now_ms() - 60 * 86_400_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock)
    stop, hosts = asyncio.Event(), asyncio.Queue[LoopbackServer]()
    running = asyncio.create_task(
        run_exchange(exchange, tape, clock, stop=stop, ready=hosts.put_nowait, tick_seconds=0.02)
    )
    watcher = client((await hosts.get()).host)
    times = []
    for _ in range(3):
        times.append((await watcher.fetch_mark_price(FET))["timestamp"])
        await asyncio.sleep(0.05)
    await watcher.close()
    stop.set()
    await running
    assert times == sorted(set(times))


async def test_a_large_body_is_read_whole_and_too_large_a_one_is_refused() -> None:
    import aiohttp

    market = open_market()
    async with (
        serve_exchange(market.exchange, market.tape, market.clock) as server,
        aiohttp.ClientSession() as session,
    ):
        url, headers = f"http://{server.host}/fapi/v1/order", {"X-MBX-APIKEY": "sandbox-bot-key"}
        async with session.post(url, data=b"x=" + b"1" * 900_000, headers=headers) as reply:
            assert (await reply.json())["code"] == -1102
        async with session.post(
            url, data=BytesIO(b"x=" + b"1" * 2_000_000), headers=headers
        ) as reply:
            assert reply.status == 413


async def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", COMMAND, "--port", str(taken.getsockname()[1]),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
    assert process.returncode != 0
    assert out == b""
    assert b"UsageError: --port" in err


def test_the_default_accounts() -> None:
    assert [(one.name, one.api_key, one.wallet_usd) for one in default_accounts()] == [
        ("bot", "sandbox-bot-key", 100_000),
        ("hedge", "sandbox-hedge-key", 100_000),
    ]


GOOD: dict[str, Any] = {"name": "a", "api_key": "k", "api_secret": "s", "wallet_usd": 10}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "must be a list"),
        ([], "must be a list"),
        (["x"], r"\[0\] must have the fields"),
        ([{**GOOD, "secret": 1}], "unknown field 'secret'"),
        ([{**GOOD, "name": ""}], "name is missing"),
        ([{**GOOD, "api_key": None}], "api_key is missing"),
        ([{**GOOD, "api_key": "k k"}], "api_key must be"),
        ([{**GOOD, "wallet_usd": -5}], "wallet_usd is -5, must be"),
        ([{**GOOD, "wallet_usd": "lots"}], "wallet_usd is 'lots'"),
        ([{**GOOD, "wallet_usd": True}], "wallet_usd is True"),
        ([{**GOOD, "wallet_usd": float("inf")}], "wallet_usd is inf"),
        ([GOOD, {**GOOD, "api_key": "k2"}], "the same name"),
        ([GOOD, {**GOOD, "name": "b"}], "the same api_key"),
    ],
)
def test_a_wrong_accounts_file_is_named_in_one_line(
    tmp_path: Path, document: Any, words: str
) -> None:
    import yaml

    file = tmp_path / "accounts.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    with pytest.raises(UsageError, match=words) as caught:
        read_accounts(file)
    assert "\n" not in str(caught.value)


def test_accounts_come_from_json_too_and_missing_files_are_named(tmp_path: Path) -> None:
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps([GOOD]), encoding="utf-8")
    [one] = read_accounts(file)
    assert (one.name, one.api_secret, one.wallet_usd) == ("a", "s", Decimal(10))
    assert "'s'" not in repr(one)
    with pytest.raises(UsageError, match=r"nothing\.json: No such file"):
        read_accounts(tmp_path / "nothing.json")
    file.write_text("{: [", encoding="utf-8")
    with pytest.raises(UsageError, match="neither YAML nor JSON"):
        read_accounts(file)
