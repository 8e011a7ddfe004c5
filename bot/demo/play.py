"""The demo's play: bot and engine trade on the exchange over sockets, hour by hour.

Apart from ``bot.demo.stage``, because everything heavy is imported here.
"""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.cycle import Engine
from bot.demo.piling_bot import DemoBot
from bot.demo.stage import BOT, REPORT_NAME, STEP_MS, DemoOptions, DemoStage, OnCycle, account_key
from bot.errors import JournalError
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.logs import LOG_NAME, Logger, open_log
from bot.report.beside import Beside
from bot.report.gather import beside_of
from bot.report.page import write_report
from bot.stopping import stopped_by_signals
from bot.venues.clients import make_client
from bot.venues.http.server import serve_exchange
from bot.wiring import Surroundings, open_engine
from config.secrets import Credentials
from config.settings import Settings
from config.sources import AccountSource

KEPT_CYCLES = 1000  # of a demo without an end, for its report


async def play(stage: DemoStage, options: DemoOptions, on_cycle: OnCycle) -> list[dict[str, Any]]:
    """Serve the exchange and run the cycles; whatever happens, a report of them is left."""
    log = open_log(options.out / LOG_NAME, stage.clock)
    documents: list[dict[str, Any]] = []
    try:
        async with serve_exchange(stage.exchange, stage.tape, stage.clock) as server:
            await _play(_Play(stage, server.host, options, log, on_cycle), documents)
    finally:
        title = f"perphedge demo, seed {options.seed}"
        write_report(documents, options.out / REPORT_NAME, title=title, beside=_beside(options.out))
    return documents


def _beside(out: Path) -> Beside:
    """What the journal adds to the cycles; nothing where it cannot be read."""
    try:
        with JournalReader.open_reader(out / JOURNAL_NAME) as journal:
            return beside_of(journal)
    except JournalError:
        return Beside()


@dataclass(frozen=True, slots=True)
class _Play:
    stage: DemoStage
    host: str
    options: DemoOptions
    log: Logger
    on_cycle: OnCycle


async def _play(play: _Play, documents: list[dict[str, Any]]) -> None:
    stage = play.stage
    bot_client = make_client(
        "binanceusdm",
        urls_host=play.host,
        credentials=_credentials(BOT),
        now_ms=stage.clock.now_ms,
    )
    try:
        settings = _pointed(stage.settings, play.host, play.options.out)
        around = Surroundings(
            clock=stage.clock,
            simulated=True,
            credentials={name: _credentials(name) for name in (BOT, settings.venue.account)},
            install_key=hashlib.sha256(f"demo {play.options.seed}".encode()).digest(),
        )
        bot = DemoBot(bot_client, stage.plan)
        with stopped_by_signals() as stop:
            async with open_engine(settings, around, play.log) as engine:
                while not stop.is_set() and len(documents) != stage.cycles:
                    await _step(stage, bot, engine, documents)
                    play.on_cycle(documents[-1])
                    if stage.cycles is None:  # it may run for days; the journal keeps all
                        del documents[:-KEPT_CYCLES]
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), play.options.pause_seconds)
    finally:
        await bot_client.close()


async def _step(
    stage: DemoStage, bot: DemoBot, engine: Engine, documents: list[dict[str, Any]]
) -> None:
    # A plan of many orders takes some seconds; the next cycle is on the hour all the same.
    stage.clock.advance_to((stage.clock.now_ms() // STEP_MS + 1) * STEP_MS)
    stage.exchange.update_market(stage.tape.quotes(stage.clock.now_ms()))
    await bot.step()
    documents.append((await engine.cycle()).document())


def _pointed(settings: Settings, host: str, out: Path) -> Settings:
    """The demo profile, pointed at this run's exchange and folder."""
    return settings.model_copy(
        update={
            "state_dir": out,
            "venue": settings.venue.model_copy(update={"urls_host": host}),
            "sources": (
                AccountSource(kind="account", name=BOT, exchange="binanceusdm", urls_host=host),
            ),
        }
    )


def _credentials(name: str) -> Credentials:
    key, secret = account_key(name)
    return Credentials(SecretStr(key), SecretStr(secret))
