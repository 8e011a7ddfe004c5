"""The whole product on one machine: a simulated exchange, a bot that piles up longs, the engine.

Bot and engine reach the exchange through real sockets and the real ccxt client, from two accounts.
Time is simulated and stands still within a cycle: the market moves, then the bot trades, then the
engine looks and hedges. So the same seed gives the same run, to the last digit.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import SecretStr

from bot.clock import SimulatedClock
from bot.cycle import Engine
from bot.demo_bot import DemoBot, DemoPlan, draw_plan
from bot.errors import LockHeldError, UsageError
from bot.feeds.generated import generated_tape
from bot.feeds.recorded import recorded_tape
from bot.feeds.tape import DAY_MS, Tape
from bot.journal_reader import JOURNAL_NAME
from bot.lock import lock_holder
from bot.logs import Logger, open_log
from bot.report.page import write_report
from bot.runner import LOG_NAME
from bot.signals import stopped_by_signals
from bot.universe import build_universe
from bot.venues.clients import make_client
from bot.venues.http.server import serve_exchange
from bot.venues.sim.exchange import SimulatedExchange
from bot.wiring import Surroundings, open_engine
from config.aliases import load_aliases
from config.load import load_settings, profile_path
from config.secrets import Credentials
from config.sectors import load_sectors
from config.settings import Settings
from config.sources import AccountSource
from risk.covariance import mean_ewma_covariance
from risk.returns import HOUR_MS, log_returns

START_MS = 1_767_225_600_000  # 2026-01-01, where a generated market begins to be traded
STEP_MS = HOUR_MS
BOT = "demo-bot"
BOT_WALLET_USD = Decimal(60_000)
BOT_GROSS_USD = 40_000.0
BOT_TOKENS = 6
BOT_LIKES = 10  # it trades only those candidates that move most with the others
BOT_MIN_DAILY_VOLUME_USD = 5_000_000.0
RAMP_CYCLES = 6
REPORT_NAME = "report.html"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What was asked for on the command line.

    Attributes:
        data: folder of recorded prices; None generates a market.
        cycles: how many; None runs until interrupted or until the data ends.
        seed: of market, bot and exchange.
        out: folder for journal, log and report.
        pause_seconds: wall time between cycles, for the eye.
    """

    data: Path | None
    cycles: int | None
    seed: int
    out: Path
    pause_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DemoStage:
    """Everything around the engine."""

    settings: Settings
    tape: Tape
    clock: SimulatedClock
    exchange: SimulatedExchange
    plan: DemoPlan
    cycles: int | None


OnCycle = Callable[[dict[str, Any]], None]


async def run_demo(options: DemoOptions, on_cycle: OnCycle = lambda _: None) -> dict[str, Any]:
    """Run it; the document holds every cycle and what the exchange itself counted.

    SIGINT or SIGTERM ends it after the cycle that is running.

    Raises:
        UsageError, DataError, ConfigError: the options or the data cannot be used.
    """
    _clear(options.out)
    stage = _stage(options)
    stage.exchange.open_account(BOT, *_key(BOT), BOT_WALLET_USD)
    venue = stage.settings.venue
    stage.exchange.open_account(
        venue.account, *_key(venue.account), Decimal(str(venue.paper_wallet_usd))
    )
    log = open_log(options.out / LOG_NAME, stage.clock)
    stage.exchange.update_market(stage.tape.quotes(stage.clock.now_ms()))
    documents: list[dict[str, Any]] = []
    try:
        async with serve_exchange(stage.exchange, stage.tape, stage.clock) as server:
            await _play(_Play(stage, server.host, options, log, on_cycle), documents)
    finally:
        title = f"perphedge demo, seed {options.seed}"
        write_report(documents, options.out / REPORT_NAME, title=title)
    return {
        "seed": options.seed,
        "data": None if options.data is None else str(options.data),
        "cycles": documents,
        "venue": _venue_document(stage.exchange),
    }


def _stage(options: DemoOptions) -> DemoStage:
    settings = load_settings(profile_path("demo"))
    if options.data is None:
        history_ms = settings.data.backfill_days * DAY_MS
        tape: Tape = generated_tape(options.seed, START_MS - history_ms)
    else:
        aliases = load_aliases(settings.universe.aliases_file)
        tape = recorded_tape(options.data, aliases=aliases)
    start_ms = _start_ms(tape, options, settings.data.backfill_days * DAY_MS)
    clock = SimulatedClock(start_ms)
    exchange = SimulatedExchange(tape.instruments.values(), clock, options.seed)
    plan = draw_plan(
        _bot_candidates(settings, tape, start_ms),
        seed=options.seed,
        gross_usd=BOT_GROSS_USD,
        tokens=BOT_TOKENS,
        ramp_cycles=RAMP_CYCLES if options.cycles is None else min(RAMP_CYCLES, options.cycles),
    )
    return DemoStage(settings, tape, clock, exchange, plan, _cycles(tape, options, start_ms))


def _start_ms(tape: Tape, options: DemoOptions, history_ms: int) -> int:
    """When trading begins: after the history, in recorded data at an hour that the seed picks."""
    earliest_ms = tape.start_ms + history_ms
    if tape.end_ms is None:
        return earliest_ms
    hours = (tape.end_ms - earliest_ms) // HOUR_MS - (options.cycles or 1)
    if hours < 0:
        raise UsageError(
            f"--data {options.data}: holds too little for {options.cycles or 1} cycles after "
            f"{history_ms // DAY_MS} days of history"
        )
    rng = np.random.default_rng([0xDA7A, options.seed])
    return earliest_ms + int(rng.integers(0, hours + 1)) * HOUR_MS


def _cycles(tape: Tape, options: DemoOptions, start_ms: int) -> int | None:
    if options.cycles is not None or tape.end_ms is None:
        return options.cycles
    return (tape.end_ms - start_ms) // STEP_MS


def _bot_candidates(settings: Settings, tape: Tape, start_ms: int) -> list[str]:
    """The liquid tokens of the sector that have moved most with the others, all history through."""
    sector = load_sectors(settings.universe.sectors_file)[settings.universe.sector]
    universe = build_universe(sector.subsector_of, settings.universe.benchmarks, tape.instruments)
    first_ms = start_ms - settings.data.backfill_days * DAY_MS
    panel = tape.panel(universe.sector, first_ms, start_ms, start_ms)
    whole = np.mean(~np.isnan(panel.close), axis=0) > 0.95
    quotes = tape.quotes(start_ms)
    liquid = [
        s
        for s, listed in zip(panel.symbols, whole, strict=True)
        if listed and s in quotes and quotes[s].daily_volume_usd >= BOT_MIN_DAILY_VOLUME_USD
    ]
    if not liquid:
        raise UsageError("the data has no liquid token of the sector for the bot to trade")
    estimate = mean_ewma_covariance(log_returns(panel.subset(liquid)), liquid)
    together = dict(zip(estimate.symbols, estimate.correlation.mean(axis=1), strict=True))
    liked = sorted(together, key=lambda s: -together[s])[:BOT_LIKES]
    return sorted(liked)


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
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), play.options.pause_seconds)
    finally:
        await bot_client.close()


async def _step(
    stage: DemoStage, bot: DemoBot, engine: Engine, documents: list[dict[str, Any]]
) -> None:
    stage.clock.advance_to(stage.clock.now_ms() + STEP_MS)
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


def _key(name: str) -> tuple[str, str]:
    """Key and secret of an account that exists only in this process."""
    return f"{name}-key", f"{name}-secret"


def _credentials(name: str) -> Credentials:
    key, secret = _key(name)
    return Credentials(SecretStr(key), SecretStr(secret))


def _venue_document(exchange: SimulatedExchange) -> dict[str, Any]:
    """What the exchange counted, of both accounts."""
    counters = exchange.counters
    return {
        "orders_received": counters.orders_received,
        "fills": counters.fills,
        "rejected": counters.rejected,
    }


def _clear(out: Path) -> None:
    """A new demo meets a new exchange, so what an earlier one left here is put away.

    Raises:
        UsageError: the folder holds a journal that no demo wrote, or cannot be written.
        LockHeldError: another demo runs there.
    """
    marker = out / ".perphedge-demo"
    if (out / JOURNAL_NAME).exists() and not marker.exists():
        raise UsageError(f"--out {out}: holds a journal that no demo wrote; name another folder")
    holder = lock_holder(out)
    if holder is not None:
        raise LockHeldError(f"--out {out}: another demo (process {holder}) runs there; stop it")
    names = (JOURNAL_NAME, f"{JOURNAL_NAME}-wal", f"{JOURNAL_NAME}-shm", LOG_NAME, REPORT_NAME)
    try:
        out.mkdir(parents=True, exist_ok=True)
        marker.touch()
        for name in names:
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"--out {out}: {error.strerror}; name a folder that can be written"
        ) from error
