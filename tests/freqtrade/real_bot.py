"""A real freqtrade in a process of its own, trading on ``perphedge venue`` in another one."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from bot.venues.loopback import client
from tests.e2e_scene import COMMAND, ROOT, environment, start

T = TypeVar("T")

HERE = Path(__file__).parent
FREQTRADE = Path(os.environ.get("FREQTRADE_VENV", str(ROOT / ".venv-freqtrade"))) / "bin/freqtrade"
PASSWORD = "not-a-secret-7f"
BOT_TOKEN = "not-a-secret-either-31"
PAIRS = ["FET/USDT:USDT", "TAO/USDT:USDT", "WLD/USDT:USDT", "RENDER/USDT:USDT"]
START_SECONDS = 90


def until(what: Callable[[], T], seconds: float = 60.0, *, every: float = 0.2) -> T:
    """Wait until it is true, and give it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(every)
    return found


@dataclass
class RealBot:
    """A running freqtrade, as its owner sees it."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def ask(self, method: str, path: str, document: object = None) -> Any:
        """Over its interface."""
        reply = httpx.request(
            method,
            f"{self.url}/api/v1/{path}",
            auth=("owner", PASSWORD),
            json=document,
            timeout=30,
            trust_env=False,
        )
        reply.raise_for_status()
        return reply.json()

    def enter(self, pair: str, side: str = "long", **more: object) -> dict[str, Any]:
        """Open a trade; what it answers."""
        order = {"pair": pair, "side": side, **more}
        answer: dict[str, Any] = self.ask("POST", "forceenter", order)
        return answer

    def leave(self, trade_id: int | str = "all") -> None:
        """Close a trade, or all."""
        self.ask("POST", "forceexit", {"tradeid": str(trade_id)})

    def status(self) -> list[dict[str, Any]]:
        """Open trades."""
        answer: list[dict[str, Any]] = self.ask("GET", "status")
        return answer

    def gross_usd(self) -> float:
        """Of all open trades, with their leverage."""
        return sum(float(one["amount"]) * float(one["current_rate"]) for one in self.status())

    def our_locks(self) -> set[tuple[str, str, str]]:
        """Pair, side and cap of each that perphedge set; freqtrade locks by itself after exits."""
        found = set()
        for one in self.ask("GET", "locks")["locks"]:
            who, _, reason = one["reason"].partition(": ")
            if who == "perphedge bot-a":
                found.add((one["pair"], one["side"], reason.split()[0]))
        return found

    def order_ids(self) -> set[str]:
        """Of everything that it ever ordered."""
        trades = self.ask("GET", "trades")["trades"] + self.status()
        return {order["order_id"] for one in trades for order in one["orders"]}


@contextmanager
def served_venue() -> Iterator[str]:
    """``perphedge venue`` on a free port; its address."""
    process = start("venue", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield json.loads(line)["address"].removeprefix("http://")
    finally:
        _end(process)


@contextmanager
def running_freqtrade(
    folder: Path,
    host: str,
    *,
    dry_run: bool,
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    **more: Any,
) -> Iterator[RealBot]:
    """freqtrade on the venue at ``host``, in its account ``bot``; ``more`` goes into its config.

    In the same ``folder`` it goes on with the trades that it had.
    """
    assert FREQTRADE.exists(), f"{FREQTRADE}: missing, run make test-freqtrade"
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config = folder / "freqtrade.json"
    config.write_text(json.dumps(_config(folder, host, port, dry_run) | more))
    log = folder / "freqtrade.log"
    command = [str(FREQTRADE), "trade", "-c", str(config), "--userdir", str(folder)]
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - the bot that was installed for this
            command, stdout=sink, stderr=sink, cwd=folder, env=environment(env)
        )
    bot = RealBot(process, f"http://127.0.0.1:{port}", log)
    try:
        until(lambda: _is_up(bot), START_SECONDS)
        yield bot
    finally:
        _end(process)


def _config(folder: Path, host: str, port: int, dry_run: bool) -> dict[str, Any]:
    priced = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    kinds = ("entry", "exit", "emergency_exit", "force_entry", "force_exit", "stoploss")
    return {
        "dry_run": dry_run,
        "dry_run_wallet": 50_000,
        "trading_mode": "futures",
        "margin_mode": "isolated",
        "stake_currency": "USDT",
        "stake_amount": 2_000,
        "max_open_trades": 6,
        "exchange": documented_exchange(host) | {"pair_whitelist": PAIRS},
        "entry_pricing": priced,
        "exit_pricing": priced,
        "order_types": {**dict.fromkeys(kinds, "market"), "stoploss_on_exchange": False},
        "pairlists": [{"method": "StaticPairList"}],
        "api_server": {
            "enabled": True,
            "listen_ip_address": "127.0.0.1",
            "listen_port": port,
            "verbosity": "error",
            "jwt_secret_key": "only-for-this-test-" * 3,
            "username": "owner",
            "password": PASSWORD,
        },
        "bot_name": "told",
        "initial_state": "running",
        "force_entry_enable": True,
        "internals": {"process_throttle_secs": 1},
        "strategy": "Told",
        "strategy_path": str(HERE / "strategies"),
        "db_url": f"sqlite:///{folder / 'trades.sqlite'}",
    }


def documented_exchange(host: str) -> dict[str, Any]:
    """The section ``exchange`` that docs/bots/freqtrade.md tells to use, for this address."""
    page = (ROOT / "docs/bots/freqtrade.md").read_text(encoding="utf-8")
    (block,) = (b for b in page.split("```json")[1:] if b.lstrip().startswith('"exchange"'))
    text = block.partition("```")[0].replace("127.0.0.1:18080", host)
    found: dict[str, Any] = json.loads(f"{{{text}}}")["exchange"]
    return found


def _is_up(bot: RealBot) -> bool:
    """It has been round once."""
    assert bot.process.poll() is None, bot.log.read_text()[-3000:]
    with contextlib.suppress(httpx.HTTPError):
        return bot.ask("GET", "health")["last_process_ts"] is not None
    return False


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()  # not SIGINT, which whoever started us may have told us to ignore
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
    if process.stderr is not None:
        process.stderr.close()


def free_port() -> int:
    """On which nobody listens now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class Engine:
    """A running ``perphedge run``, as its log tells."""

    process: subprocess.Popen[bytes]
    log: Path

    def events(self, name: str) -> list[dict[str, Any]]:
        """Of this name, so far."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        return [row for row in rows if row["event"] == name]

    def cycles(self) -> list[dict[str, Any]]:
        """Those that looked."""
        assert self.process.poll() is None, "the engine has ended"
        return [row for row in self.events("cycle") if row["status"] != "held"]


@contextmanager
def running_engine(
    folder: Path, config: str, *arguments: str, account: str = "hedge"
) -> Iterator[Engine]:
    """``perphedge run`` with this configuration; live, it trades in this account of the venue."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "perphedge.yaml"
    file.write_text(config, encoding="utf-8")
    env = {
        "PERPHEDGE_API_KEY": f"sandbox-{account}-key",
        "PERPHEDGE_API_SECRET": f"sandbox-{account}-secret",
        "PERPHEDGE_BOT_A_PASSWORD": PASSWORD,
        "PERPHEDGE_BOT_TOKEN": BOT_TOKEN,
    }
    errors = folder / "stderr.txt"
    command = [str(COMMAND), "run", "-c", str(file), *arguments]
    with errors.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=sink, stderr=sink, cwd=folder, env=environment(env)
        )
    try:
        yield Engine(process, folder / "state/hedge.jsonl")
    finally:
        _end(process)
        said = errors.read_text() + (folder / "state/hedge.jsonl").read_text()
        for secret in (PASSWORD, b64encode(f"owner:{PASSWORD}".encode()).decode(), "token="):
            assert secret not in said


def held(host: str, account: str) -> dict[str, float]:
    """Signed base units in an account of the venue, as the venue tells."""

    async def read(exchange: Any) -> dict[str, float]:
        rows = await exchange.fetch_positions()
        return {
            row["symbol"]: row["contracts"] * (1 if row["side"] == "long" else -1) for row in rows
        }

    return asyncio.run(_with_client(host, account, read))


def order_ids(host: str, account: str) -> set[str]:
    """Of everything that was ever executed in an account of the venue."""

    async def read(exchange: Any) -> set[str]:
        await exchange.load_markets()
        trades = [await exchange.fetch_my_trades(pair) for pair in exchange.symbols]
        return {one["order"] for of_pair in trades for one in of_pair}

    return asyncio.run(_with_client(host, account, read))


async def _with_client(host: str, account: str, read: Callable[[Any], Awaitable[T]]) -> T:
    exchange = client(host, key=f"sandbox-{account}-key", secret=f"sandbox-{account}-secret")
    try:
        return await read(exchange)
    finally:
        await exchange.close()
