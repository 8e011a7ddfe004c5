"""The hours of a replay: the market moves, the bot trades, the engine looks and hedges."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.assembly import engine_parts
from bot.cycle import Engine
from bot.doors import Doors
from bot.errors import UsageError, VenueError
from bot.feeds.tape_feed import TapeFeed
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.lock import engine_state
from bot.logs import LOG_NAME, Logger, open_log
from bot.policy import policy_of
from bot.records.cycle import CycleRecord
from bot.replay.identity import changed
from bot.replay.market import ReplayMarket
from bot.replay.source import HoldingsSource
from bot.replay.stage import ReplayStage
from bot.replay.tally import decided
from bot.replay.wicks import pass_wicks
from bot.requests import Asked
from bot.surroundings import Surroundings
from bot.trading.reconcile import book_funding
from bot.venues.paper import PaperVenue
from bot.venues.paper_account import open_paper_account
from risk.book import FloatArray
from risk.returns import HOUR_MS

DURABLE_EVERY_HOURS = 24
MARKER_NAME = ".perphedge-replay"
_UNSEEN_USD = "replay_unseen_usd:"
"""Before the number of an hour: what its cycle could not read of the hedge account."""
_END_USD = "replay_end_usd"
"""What the journal of a whole replay knows of the hedge account at its end."""
OnHour = Callable[[int, CycleRecord], None]


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it.

    Attributes:
        equity_usd: (T + 1,) of the hedge account at each hour before its cycle, and at the end;
            where the engine could not read it, what the exchange knows; NaN where nobody does.
        seconds: wall time of the hours that were played now.
        hours: how many those were.
        decisions: in how many of them the strategy was asked.
    """

    equity_usd: FloatArray
    seconds: float
    hours: int
    decisions: int


class _WholeTape(TapeFeed):
    """Everything that is ever listed, for the paper venue, which is built once."""

    async def instruments(self) -> Any:
        """All of the tape's."""
        return self._tape.instruments


def play(stage: ReplayStage, name: dict[str, Any], on_hour: OnHour = lambda _h, _r: None) -> Played:
    """Play all hours that the folder does not hold yet.

    Args:
        name: what names this replay; a folder goes on only with the same.

    Raises:
        UsageError: the folder holds another replay, or another journal.
        PerphedgeError: as the engine's start and its journal.
    """
    folder = stage.settings.state_dir
    _claim(folder, name)
    log = open_log(folder / LOG_NAME, stage.clock)
    # The same replay twice is the same to the last byte, names of orders included.
    key = hashlib.sha256(json.dumps(name, sort_keys=True).encode()).digest()
    return asyncio.run(_play(stage, key, log, on_hour))


async def _play(stage: ReplayStage, key: bytes, log: Logger, on_hour: OnHour) -> Played:
    clock, hours_ms = stage.clock, stage.hours_ms
    equity = np.full(len(hours_ms), np.nan)
    equity[0] = stage.settings.venue.paper_wallet_usd  # before anything was traded
    with engine_state(stage.settings.state_dir, clock, install_key=key) as journal:
        done = _played_before(journal, stage, equity)
        over = journal.meta(_END_USD)
        if over is not None:  # the last payments are booked, and would be again
            equity[-1] = float(over)
            return Played(equity, 0.0, 0, 0)
        if done:
            clock.advance_to(int(hours_ms[done - 1]) + 1)
        engine, market, venue = await _opened(stage, journal, log)
        began, decisions = time.perf_counter(), 0
        for hour in range(done, len(hours_ms) - 1):
            if hour:  # at the prices of the cycle before, also where that was played earlier
                stage.trouble.blow(venue, int(hours_ms[hour - 1]), stage.struck_ms)
                pass_wicks(market, stage.tape, venue, clock, int(hours_ms[hour]))
            clock.advance_to(max(int(hours_ms[hour]), clock.now_ms()))
            market.move()
            _acknowledge(engine)
            # An hour is in the journal whole or not at all: whoever goes on plays it from its
            # beginning, and would pay and trade once more what was booked of half of it.
            with _durability(journal, hour), journal.together("play an hour"):
                record = await engine.cycle()
                usd = record.equity_usd
                equity[hour] = await _unseen_usd(journal, venue, hour) if usd is None else usd
            decisions += decided(record.latency_ms)
            on_hour(hour, record)
        seconds = time.perf_counter() - began
        pass_wicks(market, stage.tape, venue, clock, int(hours_ms[-1]))
        clock.advance_to(max(int(hours_ms[-1]), clock.now_ms()))
        market.move()
        with journal.together("end a replay"):
            await book_funding(journal, venue, clock)
            equity[-1] = (await venue.account()).state.equity_usd
            journal.set_meta(_END_USD, repr(float(equity[-1])))
    return Played(equity, seconds, len(hours_ms) - 1 - done, decisions)


async def _unseen_usd(journal: Journal, venue: PaperVenue, hour: int) -> float:
    """What the account is worth at an hour whose cycle could not read it, and did nothing.

    Else the loss of the bot would stand alone there, and the hedges' gain come hours later.
    """
    try:
        usd = (await venue.account()).state.equity_usd
    except VenueError:
        return np.nan
    journal.set_meta(f"{_UNSEEN_USD}{hour}", repr(usd))
    return usd


def _acknowledge(engine: Engine) -> None:
    """Somebody sees every alert within the hour, as beside a bot; else the first would halt all
    that follows."""
    guard = engine.guard
    if any(not alert.clears for alert in guard.alerts):
        guard.acknowledge(Asked("replay", "seen within the hour"))


def _durability(journal: Journal, hour: int) -> AbstractContextManager[None]:
    """The disk is waited for once a day of the market, which makes all before it durable too.

    A power cut takes the newest hours at the most, and whoever goes on plays them again: nothing
    outside of this folder knows of them.
    """
    last_of_day = hour % DURABLE_EVERY_HOURS == DURABLE_EVERY_HOURS - 1
    return nullcontext() if last_of_day else journal.durable_with_next()


async def _opened(
    stage: ReplayStage, journal: Journal, log: Logger
) -> tuple[Engine, ReplayMarket, PaperVenue]:
    settings, clock = stage.settings, stage.clock
    _, venue = await open_paper_account(
        settings, clock, journal, _WholeTape(stage.tape, clock), log
    )
    assert isinstance(venue, PaperVenue)
    market = ReplayMarket(stage.tape, clock, venue)
    around = Surroundings(clock=clock, simulated=True, signals=stage.signals)
    doors = Doors(market, venue, [HoldingsSource(stage.holdings, clock)])
    doors = stage.trouble.doors(doors, clock, stage.struck_ms)
    engine = Engine(engine_parts(settings, around, journal, doors, log), policy_of(settings))
    market.move()
    await engine.start()
    return engine, market, venue


def _played_before(journal: Journal, stage: ReplayStage, equity: FloatArray) -> int:
    """How many hours the journal holds; their equity is filled in."""
    first_ms, done = int(stage.hours_ms[0]), 0
    for document in journal.cycles_since():
        hour = (int(document["timestamp_ms"]) - first_ms) // HOUR_MS
        done = max(done, hour + 1)
        usd = document.get("equity_usd")
        usd = journal.meta(f"{_UNSEEN_USD}{hour}") if usd is None else usd
        if usd is not None and (hour == 0 or np.isnan(equity[hour])):
            equity[hour] = float(usd)
    return done


def _what_differs(before: str, name: dict[str, Any]) -> str:
    try:
        old = json.loads(before)
    except ValueError:
        return ""
    return f" ({', '.join(changed(old, name))})" if isinstance(old, dict) else ""


def _claim(folder: Path, name: dict[str, Any]) -> None:
    marker, text = folder / MARKER_NAME, json.dumps(name, sort_keys=True)
    try:
        if marker.exists():
            before = marker.read_text(encoding="utf-8")
            if before != text:
                raise UsageError(
                    f"--out {folder}: holds a replay of other data, dates, bot or settings"
                    f"{_what_differs(before, name)}; name another folder"
                )
            return
        if (folder / JOURNAL_NAME).exists():
            raise UsageError(f"--out {folder}: holds a journal that no replay wrote")
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}") from error
