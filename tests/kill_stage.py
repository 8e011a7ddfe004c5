"""An exchange in a process of its own, accounts for many stories, and engines that die."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.journal.migrations import MIGRATIONS
from bot.journal.reader import JOURNAL_NAME
from bot.venues.clients import make_client
from config.secrets import Credentials
from tests.e2e_scene import COMMAND, ROOT, environment

WALLET_USD = 100_000
OLD_VERSION = 2
"""Of a journal from before its rows were chained."""
LONGS_USD = {"FET/USDT:USDT": 7000.0, "TAO/USDT:USDT": 5000.0}
SECTORS = """sectors:
  few:
    title: A few tokens
    subsectors: {all: All of them}
    tokens: {FET: all, TAO: all, NEAR: all, RENDER: all, WLD: all}
"""
CONFIG = """mode: live
autonomy: auto
state_dir: ./state
venue: {{exchange: binanceusdm, account: {hedge}, urls_host: "{host}", {venue}}}
sources:
  - {{kind: account, name: bot, exchange: binanceusdm, account: {bot}, urls_host: "{host}"}}
universe:
  sector: few
  sectors_file: {sectors}
  benchmarks: [BTC/USDT:USDT]
  min_daily_volume_usd: 0
  min_history_days: 10
hedge: {{strategy: "tests.kill_strategy:EqualShorts", monitor_every: 1s, decide_every: 1m}}
data: {{backfill_days: 15, cache_dir: {cache}}}
ownership: {{reread_seconds: 0.05}}
controls: {{alert_unacknowledged_seconds: null, max_slippage: 0.05}}
log: {{level: warning}}
{settings}"""
OTHERS, OTHERS_IN = "web-somebody", "FET/USDT:USDT"
"""Client id and symbol of the one order that rests and is not ours."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: by that signal), and what it crossed."""

    code: int
    crossed: dict[str, int] = field(default_factory=dict)


@dataclass
class Stage:
    """One exchange and one launcher for all stories."""

    folder: Path
    host: str
    launcher: subprocess.Popen[str]
    loop: asyncio.AbstractEventLoop
    client: Any

    def story(self, number: int, settings: str = "", venue: str = "") -> "Story":
        """A new one, with accounts of its own, and a bot that holds longs."""
        one = Story(self, number, self.folder / f"story-{number}")
        one.prepare(settings, venue)
        return one

    def run(self, asked: dict[str, Any]) -> Ended:
        """One command in a process of its own."""
        crossed = Path(asked["crossed"])
        crossed.unlink(missing_ok=True)
        assert self.launcher.stdin is not None
        assert self.launcher.stdout is not None
        self.launcher.stdin.write(json.dumps(asked) + "\n")
        self.launcher.stdin.flush()
        told = json.loads(self.launcher.stdout.readline())
        found = json.loads(crossed.read_text()) if crossed.exists() else {}
        return Ended(told["code"], found)

    async def signed(self, account: str) -> Any:
        """The one ccxt client, with the account's key from now on."""
        self.client.apiKey, self.client.secret = f"{account}-key", f"{account}-secret"
        await self.client.load_markets()
        return self.client


@dataclass
class Story:
    """One engine's lives on one hedge account."""

    stage: Stage
    number: int
    folder: Path
    images: list[Path] = field(default_factory=list)
    deaths: int = 0

    @property
    def hedge(self) -> str:
        """Name of the hedge account."""
        return f"hedge{self.number}"

    @property
    def bot(self) -> str:
        """Name of the bot's account."""
        return f"bot{self.number}"

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.folder / "state"

    @property
    def said(self) -> str:
        """Everything that its processes printed."""
        file = self.folder / "out.txt"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def prepare(self, settings: str, venue: str) -> None:
        """Files, and the bot's longs."""
        self.folder.mkdir(parents=True)
        (self.folder / "sectors.yaml").write_text(SECTORS, encoding="utf-8")
        text = CONFIG.format(
            hedge=self.hedge,
            bot=self.bot,
            host=self.stage.host,
            sectors=self.folder / "sectors.yaml",
            cache=self.stage.folder / "cache",
            settings=settings,
            venue=venue,
        )
        (self.folder / "live.yaml").write_text(text, encoding="utf-8")
        self.stage.loop.run_until_complete(self._buy())

    async def _buy(self) -> None:
        client = await self.stage.signed(self.bot)
        for symbol, usd in LONGS_USD.items():
            ticker = await client.fetch_mark_price(symbol)
            amount = client.amount_to_precision(symbol, usd / ticker["markPrice"])
            await client.create_order(symbol, "market", "buy", float(amount))

    def old_journal(self) -> None:
        """Leaves the journal of an earlier version, that no engine has opened since."""
        self.state.mkdir(mode=0o700)
        with closing(sqlite3.connect(self.state / JOURNAL_NAME)) as connection:
            connection.execute(
                "CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL)"
                " STRICT"
            )
            for version, statements in enumerate(MIGRATIONS[:OLD_VERSION], start=1):
                for statement in statements:
                    connection.execute(statement)
                connection.execute("INSERT INTO migrations VALUES (?, 1)", (version,))
            connection.commit()

    def others_close(self) -> None:
        """Somebody buys back half of a hedge by hand."""
        self.stage.loop.run_until_complete(self._close_half())

    async def _close_half(self) -> None:
        client = await self.stage.signed(self.hedge)
        held = [p for p in await client.fetch_positions() if p["contracts"]]
        for position in held[:1]:
            symbol = position["symbol"]
            amount = client.amount_to_precision(symbol, position["contracts"] / 2)
            await client.create_order(
                symbol, "market", "buy", float(amount), params={"reduceOnly": True}
            )

    def others_rest(self) -> None:
        """Somebody has an order far from the market."""
        self.stage.loop.run_until_complete(self._rest())

    async def _rest(self) -> None:
        client = await self.stage.signed(self.hedge)
        symbol = OTHERS_IN
        price = 0.9 * (await client.fetch_mark_price(symbol))["markPrice"]
        await client.create_order(
            symbol,
            "limit",
            "buy",
            float(client.amount_to_precision(symbol, 20 / price)),
            float(client.price_to_precision(symbol, price)),
            params={"newClientOrderId": OTHERS},
        )

    def engine(self, cycles: int, kill_at: tuple[str, int] | None = None) -> Ended:
        """One life of the engine; a death leaves an image of the journal."""
        live = ("--live", "--account", self.hedge, "--cycles", str(cycles))
        ended = self.command("run", *live, kill_at=kill_at)
        self.deaths += ended.code < 0
        if ended.code < 0 and (self.state / JOURNAL_NAME).exists():
            image = self.folder / f"image-{len(self.images)}"
            image.mkdir()
            for file in self.state.glob("journal*"):
                shutil.copy(file, image / file.name)
            self.images.append(image)
        return ended

    def command(self, name: str, *more: str, kill_at: tuple[str, int] | None = None) -> Ended:
        """A command of perphedge about this engine."""
        keys = {
            "PERPHEDGE_API_KEY": f"{self.hedge}-key",
            "PERPHEDGE_API_SECRET": f"{self.hedge}-secret",
            "PERPHEDGE_BOT_API_KEY": f"{self.bot}-key",
            "PERPHEDGE_BOT_API_SECRET": f"{self.bot}-secret",
        }
        return self.stage.run(
            {
                "arguments": [name, "-c", str(self.folder / "live.yaml"), *more],
                "env": keys,
                "out": str(self.folder / "out.txt"),
                "crossed": str(self.folder / "crossed.json"),
                "kill_at": kill_at,
            }
        )


@contextmanager
def kill_stage(folder: Path, stories: int, seed: int = 5) -> Iterator[Stage]:
    """An exchange and a launcher until the block ends, with accounts for so many stories."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{kind}{number}" for number in range(stories) for kind in ("bot", "hedge")]
    specs = [
        {"name": n, "api_key": f"{n}-key", "api_secret": f"{n}-secret", "wallet_usd": WALLET_USD}
        for n in names
    ]
    accounts = folder / "accounts.json"
    accounts.write_text(json.dumps(specs), encoding="utf-8")
    venue = ("venue", "--port", "0", "--accounts", str(accounts), "--seed", str(seed), "--json")
    with (
        _process([str(COMMAND), *venue]) as exchange,
        _process([sys.executable, str(ROOT / "tests/kill_launcher.py")]) as launcher,
    ):
        assert exchange.stdout is not None
        address = json.loads(exchange.stdout.readline())["address"]
        host = address.removeprefix("http://")
        with asyncio.Runner() as runner:
            client = make_client("binanceusdm", urls_host=host, credentials=_any_key())
            try:
                yield Stage(folder, host, launcher, runner.get_loop(), client)
            finally:
                runner.run(client.close())


def _any_key() -> Credentials:
    return Credentials(SecretStr("key"), SecretStr("secret"))


@contextmanager
def _process(arguments: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 - our own commands
        list(arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment({"OPENBLAS_NUM_THREADS": "1"}),
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
