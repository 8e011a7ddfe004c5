"""The whole product on one machine: a simulated exchange, a bot that piles up longs, the engine.

Bot and engine reach the exchange through real sockets and the real ccxt client, from two accounts.
Time is simulated and stands still within a cycle: the market moves, then the bot trades, then the
engine looks and hedges. So the same seed gives the same run, to the last digit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from bot.clock import SimulatedClock
from bot.demo.piling_bot import DemoPlan, draw_plan
from bot.errors import LockHeldError, UsageError
from bot.feeds.generated import generated_tape
from bot.feeds.recorded import recorded_tape
from bot.feeds.remarks import Tell, nobody
from bot.feeds.tape import DAY_MS, Tape
from bot.journal.anchor import anchor_path
from bot.journal.reader import JOURNAL_NAME
from bot.lock import lock_holder
from bot.logs import LOG_NAME
from bot.measuring.universe import build_universe
from bot.venues.sim.exchange import SimulatedExchange
from config.aliases import load_aliases
from config.load import load_settings, profile_path
from config.sectors import load_sectors
from config.settings import Settings
from risk.covariance.mean_ewma import mean_ewma_covariance
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
OnPlan = Callable[[DemoPlan], None]


async def run_demo(
    options: DemoOptions,
    on_cycle: OnCycle = lambda _: None,
    on_plan: OnPlan = lambda _: None,
    tell: Tell = nobody,
) -> dict[str, Any]:
    """Run it; the document holds every cycle and what the exchange itself counted.

    SIGINT or SIGTERM ends it after the cycle that is running.

    Args:
        on_cycle: told each cycle's document.
        on_plan: told early what the bot is going to buy.
        tell: told what recorded data lack.

    Raises:
        UsageError, DataError, ConfigError: the options or the data cannot be used.
    """
    _clear(options.out)
    stage = _stage(options, tell)
    on_plan(stage.plan)
    # Exchange client and solver take seconds to import, so the plan is told before that.
    from bot.demo.play import play

    documents = await play(stage, options, on_cycle)
    return {
        "seed": options.seed,
        "data": None if options.data is None else str(options.data),
        "cycles": documents,
        "venue": _venue_document(stage.exchange),
    }


def _stage(options: DemoOptions, tell: Tell) -> DemoStage:
    settings = load_settings(profile_path("demo"))
    if options.data is None:
        history_ms = settings.data.backfill_days * DAY_MS
        tape: Tape = generated_tape(options.seed, START_MS - history_ms)
    else:
        aliases = load_aliases(settings.universe.aliases_file)
        tape = recorded_tape(options.data, aliases=aliases, tell=tell)
    start_ms = _start_ms(tape, options, settings.data.backfill_days * DAY_MS)
    clock = SimulatedClock(start_ms)
    exchange = SimulatedExchange(tape.instruments.values(), clock, options.seed)
    exchange.open_account(BOT, *account_key(BOT), BOT_WALLET_USD)
    hedger, wallet = settings.venue.account, Decimal(str(settings.venue.paper_wallet_usd))
    exchange.open_account(hedger, *account_key(hedger), wallet)
    exchange.update_market(tape.quotes(start_ms))
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


def account_key(name: str) -> tuple[str, str]:
    """Key and secret of an account that exists only in this process."""
    return f"{name}-key", f"{name}-secret"


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
    journal = (JOURNAL_NAME, f"{JOURNAL_NAME}-wal", f"{JOURNAL_NAME}-shm")
    names = (*journal, anchor_path(out / JOURNAL_NAME).name, LOG_NAME, REPORT_NAME)
    try:
        out.mkdir(parents=True, exist_ok=True)
        marker.touch()
        for name in names:
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"--out {out}: {error.strerror}; name a folder that can be written"
        ) from error
