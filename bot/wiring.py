"""Puts an engine together. The only place that asks which mode it is in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.alerting.opening import alerting
from bot.approval.desk import retire
from bot.assembly import engine_parts
from bot.clock import SimulatedClock
from bot.controls.asking import require_harmless_key
from bot.controls.raised import limits_of
from bot.controls.table import number_of
from bot.cycle import Engine
from bot.doors import Doors
from bot.errors import SafetyError, UsageError
from bot.feeds.live import LiveFeed
from bot.feeds.recorded import recorded_tape
from bot.feeds.remarks import Tell, nobody
from bot.feeds.router import RoutedFeed
from bot.feeds.tape_feed import TapeFeed
from bot.journal.copy import journal_copy
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.kill import KillWatch
from bot.lock import EngineLock, engine_state
from bot.logs import Logger
from bot.measuring.ownership import require_ownership
from bot.policy import policy_of
from bot.ports import MarketData, Venue
from bot.records.cycle import iso_utc
from bot.session.clocks import hearing
from bot.sources.book import BookSource
from bot.sources.freqtrade.source import FreqtradeSource, require_futures
from bot.sources.symbols import SymbolMap
from bot.streaming import Access, StreamBuilder
from bot.surroundings import (
    Surroundings,
    cache_dir,
    hedge_credentials,
    open_client,
    open_other_venues,
    open_source,
)
from bot.venues.capabilities import require_tradable
from bot.venues.paper import open_paper_venue
from bot.venues.paper_account import open_paper_account
from bot.venues.paper_market import PaperMarket
from bot.venues.remembering import HedgeVenue
from bot.venues.streams.desk import StreamDesk
from config.aliases import load_aliases
from config.settings import Settings
from config.sources import AccountSource as AccountSettings
from risk.errors import PerphedgeError

__all__ = ["Surroundings", "open_engine", "open_observer", "open_recorded"]


@asynccontextmanager
async def open_engine(
    settings: Settings, around: Surroundings, log: Logger
) -> AsyncIterator[Engine]:
    """An engine that has recovered, with its state directory locked, until the block ends.

    Raises:
        ConfigError: a key is missing or unusable.
        SafetyError: live mode was not asked for on the command line.
        LockHeldError, JournalError: the state directory cannot be used.
        UnreachableError, VenueError, DataError: the venue cannot be read completely.
    """
    try:
        _require_consent(settings, around)
    except SafetyError as error:
        _note_refusal(settings, around, str(error))
        raise
    async with AsyncExitStack() as stack:
        journal = stack.enter_context(
            engine_state(
                settings.state_dir,
                around.clock,
                install_key=around.install_key,
                same_epoch=around.played is not None,
            )
        )
        streams = _streams(settings, around, journal, log)
        doors = await _doors(settings, around, journal, log, stack, streams=streams)
        if around.recorder is not None:
            doors = around.recorder.begin(doors, journal)
            stack.callback(around.recorder.end)
        heard = stack.enter_context(ExitStack())
        heard.enter_context(hearing())
        engine = _engine(settings, around, journal, doors, log)
        if settings.mode != "paper":
            untold = await require_harmless_key(engine.venue, journal)
            if untold:
                log.warning("key_permissions_untold", reason=untold)
        engine.guard.start(limits_of(settings))
        if settings.autonomy != "approve":
            retire(journal, f"the engine runs with autonomy {settings.autonomy} now")
        await engine.start()
        if settings.mode != "paper":
            pause_s = 0.0 if around.stands_still else settings.ownership.reread_seconds
            await require_ownership(
                settings.venue.ownership, engine.venue, journal, around.clock, pause_s=pause_s
            )
        await engine.require_room()
        heard.close()
        if not around.simulated:  # simulated trouble is nobody's
            telling = alerting(settings, engine.guard, journal, around.clock, log)
            await stack.enter_async_context(telling)
        watch = KillWatch(engine.venue, engine.guard, journal, around.clock, log)
        beside = [] if engine.approvals is None else [engine.approvals.watch()]
        async with _watched(watch, *beside, simulated=around.simulated):
            if streams is not None:
                await stack.enter_async_context(streams.running())
            yield engine


def _streams(
    settings: Settings, around: Surroundings, journal: Journal, log: Logger
) -> StreamBuilder | None:
    """Who opens the streams; nobody in simulated time, which nothing happens beside.

    A paper account lives in this process, and a bot's key is used there for what must be read.
    """
    if around.simulated:
        return None
    spacing_ms = round(settings.streams.wake_spacing_seconds * 1000)
    desk = StreamDesk(journal, around.clock, log, spacing_ms=spacing_ms)
    users = settings.mode != "paper"
    return StreamBuilder(settings.streams, desk, around.clock, users)


@asynccontextmanager
async def _watched(
    watch: KillWatch, *beside: Coroutine[Any, Any, None], simulated: bool
) -> AsyncIterator[None]:
    """The watches beside the cycles; in simulated time nothing happens between them."""
    if simulated:
        for one in beside:
            one.close()
        yield
        return
    tasks = [asyncio.create_task(one) for one in (watch.run(), *beside)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await watch.engine_ends()


@asynccontextmanager
async def open_observer(
    settings: Settings, around: Surroundings, log: Logger
) -> AsyncIterator[Engine]:
    """An engine for looking only, beside a running one: it works on a copy of the journal.

    Use ``rehearse``; nothing is sent, and what it writes down goes with the copy.

    Raises:
        ConfigError, JournalError, SafetyError, UnreachableError, VenueError, DataError: as for
            ``open_engine``; the lock is not needed.
    """
    _refuse_lone_demo(settings)
    async with AsyncExitStack() as stack:
        journal = stack.enter_context(journal_copy(settings.state_dir, around.clock))
        doors = await _doors(settings, around, journal, log, stack)
        yield _engine(settings, around, journal, doors, log)


@asynccontextmanager
async def open_recorded(
    settings: Settings,
    folder: Path,
    clock: SimulatedClock,
    book: BookSource,
    log: Logger,
    *,
    tell: Tell = nobody,
) -> AsyncIterator[Engine]:
    """An engine for looking only, at recorded data as of the clock's time, at a book from a file.

    Raises:
        DataError: the data cannot be used.
        UsageError: the time is not in them.
    """
    aliases = load_aliases(settings.universe.aliases_file)
    tape = recorded_tape(folder, aliases=aliases, exchange=settings.venue.exchange, tell=tell)
    end_ms = tape.end_ms if tape.end_ms is not None else clock.now_ms()
    if not tape.start_ms <= clock.now_ms() <= end_ms:
        raise UsageError(
            f"--at {iso_utc(clock.now_ms())}: {folder} holds {iso_utc(tape.start_ms)} to "
            f"{iso_utc(end_ms)}"
        )
    market = TapeFeed(tape, clock)
    venue = open_paper_venue(
        tape.instruments.values(),
        clock,
        settings.venue.account,
        Decimal(str(settings.venue.paper_wallet_usd)),
    )
    around = Surroundings(clock=clock, simulated=True)
    on = datetime.fromtimestamp(clock.now_ms() / 1000, tz=UTC).date()
    book.price_with(tape.quotes(clock.now_ms()), SymbolMap(aliases, tape.instruments, on))
    with journal_copy(None, clock) as journal:
        doors = Doors(PaperMarket(market, venue), venue, [book])
        yield _engine(settings, around, journal, doors, log)


def _engine(
    settings: Settings, around: Surroundings, journal: Journal, doors: Doors, log: Logger
) -> Engine:
    return Engine(engine_parts(settings, around, journal, doors, log), policy_of(settings))


async def _doors(
    settings: Settings,
    around: Surroundings,
    journal: Journal,
    log: Logger,
    stack: AsyncExitStack,
    *,
    streams: StreamBuilder | None = None,
) -> Doors:
    if around.played is not None:
        return around.played.doors()
    market, venue = await _market_and_venue(settings, around, journal, log, stack, streams=streams)

    def tell(event: str, facts: Mapping[str, Any]) -> None:
        log.info(event, **facts)
        journal.record_event(event, facts)

    sources = [
        open_source(item, settings, around, stack, streams, tell=tell) for item in settings.sources
    ]
    for source in sources:
        if isinstance(source, FreqtradeSource):
            await require_futures(source)
    others = open_other_venues(settings, around, log)
    if others is not None:
        stack.push_async_callback(others.close)
        market = RoutedFeed(market, others)
    desk = None if streams is None else streams.desk
    lockers = tuple(one.locks for one in sources if isinstance(one, FreqtradeSource) and one.locks)
    return Doors(market, venue, sources, desk, others, lockers)


def _require_consent(settings: Settings, around: Surroundings) -> None:
    _refuse_lone_demo(settings)
    if settings.mode != "live":
        return
    expected = settings.venue.account
    if around.live_account is None:
        raise SafetyError(
            f"mode is live: start with --live --account {expected} to trade with real money"
        )
    if around.live_account != expected:
        raise SafetyError(
            f"--account {around.live_account} is not venue.account of the config; type it exactly"
        )


def _note_refusal(settings: Settings, around: Surroundings, reason: str) -> None:
    """Records it where there is a journal already; a refusal makes no state directory."""
    if not (settings.state_dir / JOURNAL_NAME).exists():
        return
    with (
        contextlib.suppress(PerphedgeError),
        EngineLock(settings.state_dir),
        Journal.open(settings.state_dir / JOURNAL_NAME, around.clock) as journal,
    ):
        document = {"control": "live_consent", "number": number_of("live_consent")}
        journal.record_event("refused", {**document, "reason": reason})


def _refuse_lone_demo(settings: Settings) -> None:
    """A demo trades without being asked, so it may meet no exchange but a simulated one."""
    hosts = [settings.venue.urls_host]
    hosts += [s.urls_host for s in settings.sources if isinstance(s, AccountSettings)]
    if settings.mode == "demo" and None in hosts:
        raise UsageError(
            "mode is demo, which brings its own exchange: start it with perphedge demo, or set "
            "venue.urls_host to a simulated exchange"
        )


async def _market_and_venue(
    settings: Settings,
    around: Surroundings,
    journal: Journal,
    log: Logger,
    stack: AsyncExitStack,
    *,
    streams: StreamBuilder | None,
) -> tuple[MarketData, Venue]:
    data_client = open_client(settings, around, None)
    feed = LiveFeed(
        data_client,
        around.clock,
        log,
        cache_dir=cache_dir(settings, around),
        on_progress=around.on_backfill,
        concurrency=1 if around.simulated else 4,
        open_interest=True,
    )
    stack.push_async_callback(feed.close)
    market: MarketData = feed
    if streams is not None:
        streams.markets_of = data_client
        public = Access(settings.venue.exchange, settings.venue.urls_host)
        mark_max_age_ms = round(settings.controls.mark_max_age_seconds * 1000)
        market = streams.market(public, feed, mark_max_age_ms)
    if settings.mode == "paper":
        return await open_paper_account(settings, around.clock, journal, market, log)
    key = hedge_credentials(settings, around)
    client = open_client(settings, around, key)
    venue = HedgeVenue(client, settings.venue.account, around.clock, markets_from=data_client)
    stack.push_async_callback(venue.close)
    if streams is not None:
        access = Access(settings.venue.exchange, settings.venue.urls_host, key)
        streams.watch_hedges(access, venue, journal)
    for line in require_tradable(client):
        log.warning("exchange_lacks", exchange=settings.venue.exchange, capability=line)
    return market, venue
