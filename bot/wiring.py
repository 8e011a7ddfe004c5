"""Puts an engine together. The only place that asks which mode it is in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.alerts import FileChannel, LogChannel
from bot.clock import SimulatedClock
from bot.controls.asking import require_harmless_key
from bot.controls.guard import Guard
from bot.controls.raised import limits_of
from bot.controls.table import number_of
from bot.cycle import Engine, EngineParts
from bot.errors import SafetyError, UsageError
from bot.feeds.live import LiveFeed
from bot.feeds.recorded import recorded_tape
from bot.feeds.tape_feed import TapeFeed
from bot.halt import HaltSwitch
from bot.journal.copy import journal_copy
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.kill import KillWatch
from bot.lock import EngineLock, engine_state
from bot.logs import Logger
from bot.measuring.estimation import MarketModel
from bot.measuring.monitor import Ages, Monitor
from bot.outlook.outlook import outlook_of
from bot.policy import policy_of, pretrade_limits
from bot.ports import Clock, MarketData, PositionSource, Venue
from bot.records.cycle import iso_utc
from bot.sources.account import AccountSource
from bot.sources.book import BookSource
from bot.sources.file import FileSource
from bot.trading.execution import Executor, OrderObserver
from bot.venues.capabilities import require_tradable
from bot.venues.ccxt_controlled import ControlledVenue
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.clients import make_client
from bot.venues.paper import open_paper_venue
from bot.venues.paper_funding import settle_missed_funding
from bot.venues.paper_market import PaperMarket
from config.aliases import load_aliases
from config.secrets import Credentials, need_credentials
from config.settings import Settings
from config.sources import AccountSource as AccountSettings
from config.sources import FileSource as FileSettings
from config.strategy import new_strategy
from risk.errors import DataError, PerphedgeError
from strategies.base import estimator_of

_TROUBLE = ("order_denied", "order_rejected", "order_unknown")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an engine does not decide itself.

    Attributes:
        clock: wall time, or a simulated one that everything follows.
        simulated: the clock is simulated; ccxt clients then follow it too.
        credentials: keys by account name, in place of those that the config finds.
        live_account: what was typed after ``--live --account``; None without ``--live``.
        install_key: of a new journal, where it must not be random.
        on_backfill: told of progress while history is fetched.
    """

    clock: Clock
    simulated: bool = False
    credentials: Mapping[str, Credentials] | None = None
    live_account: str | None = None
    install_key: bytes | None = None
    on_backfill: Callable[[Any], None] | None = None


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
            engine_state(settings.state_dir, around.clock, install_key=around.install_key)
        )
        engine = await _engine(settings, around, journal, log, stack)
        if settings.mode != "paper":
            untold = await require_harmless_key(engine.venue, journal)
            if untold:
                log.warning("key_permissions_untold", reason=untold)
        engine.guard.start(limits_of(settings))
        await engine.start()
        watch = KillWatch(engine.venue, engine.guard, journal, around.clock, log)
        async with _watched(watch, simulated=around.simulated):
            yield engine


@asynccontextmanager
async def _watched(watch: KillWatch, *, simulated: bool) -> AsyncIterator[None]:
    """The watch beside the cycles; in simulated time nothing happens between them."""
    if simulated:
        yield
        return
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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
        yield await _engine(settings, around, journal, log, stack)


@asynccontextmanager
async def open_recorded(
    settings: Settings, folder: Path, clock: SimulatedClock, book: BookSource, log: Logger
) -> AsyncIterator[Engine]:
    """An engine for looking only, at recorded data as of the clock's time, at a book from a file.

    Raises:
        DataError: the data cannot be used.
        UsageError: the time is not in them.
    """
    tape = recorded_tape(folder, aliases=load_aliases(settings.universe.aliases_file))
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
    book.price_with(tape.quotes(clock.now_ms()))
    with journal_copy(None, clock) as journal:
        doors = _Doors(PaperMarket(market, venue), venue, [book])
        yield Engine(_parts(settings, around, journal, doors, log), policy_of(settings))


async def _engine(
    settings: Settings,
    around: Surroundings,
    journal: Journal,
    log: Logger,
    stack: AsyncExitStack,
) -> Engine:
    market, venue = await _market_and_venue(settings, around, journal, log, stack)
    sources = [_source(item, around, stack) for item in settings.sources]
    doors = _Doors(market, venue, sources)
    return Engine(_parts(settings, around, journal, doors, log), policy_of(settings))


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
) -> tuple[MarketData, Venue]:
    data_client = _client(settings, around, None)
    feed = LiveFeed(
        data_client,
        around.clock,
        log,
        cache_dir=_cache_dir(settings, around),
        on_progress=around.on_backfill,
        concurrency=1 if around.simulated else 4,
        open_interest=True,
    )
    stack.push_async_callback(feed.close)
    if settings.mode == "paper":
        return await _paper(settings, around, journal, feed, log)
    key = _credentials(settings, around)
    client = _client(settings, around, key)
    venue = ControlledVenue(client, settings.venue.account, around.clock, markets_from=data_client)
    stack.push_async_callback(venue.close)
    for line in require_tradable(client):
        log.warning("exchange_lacks", exchange=settings.venue.exchange, capability=line)
    return feed, venue


async def _paper(
    settings: Settings, around: Surroundings, journal: Journal, feed: LiveFeed, log: Logger
) -> tuple[MarketData, Venue]:
    """The paper account as the journal left it; its exchange lives in this process."""
    name = settings.venue.account
    instruments = await feed.instruments()
    gone = sorted({symbol for symbol, _ in journal.own_positions(name)} - set(instruments))
    if gone:
        raise DataError(
            f"paper account {name}: holds {gone[0]}, which the venue lists no more; "
            "start again with another state_dir"
        )
    await settle_missed_funding(journal, feed, around.clock, name, log)
    start_usd = Decimal(str(settings.venue.paper_wallet_usd))
    start_usd = Decimal(journal.meta_once(f"paper_wallet_usd:{name}", str(start_usd)))
    ledger = journal.ledger(name)
    venue = open_paper_venue(
        instruments.values(),
        around.clock,
        name,
        ledger.wallet_usd(start_usd),
        {
            key: (one.base_quantity, one.entry_price)
            for key, one in ledger.positions.items()
            if one.entry_price is not None
        },
        first_id=journal.epoch * 1_000_000_000,
    )
    market = PaperMarket(feed, venue)
    if ledger.open_quantity:  # what is held has no worth before it has a price
        await market.quotes(sorted({symbol for symbol, _ in ledger.open_quantity}))
    return market, venue


def _client(settings: Settings, around: Surroundings, credentials: Credentials | None) -> Any:
    return make_client(
        settings.venue.exchange,
        urls_host=settings.venue.urls_host,
        credentials=credentials,
        now_ms=around.clock.now_ms if around.simulated else None,
    )


def _credentials(settings: Settings, around: Surroundings) -> Credentials:
    if around.credentials is not None:
        return around.credentials[settings.venue.account]
    return need_credentials(settings.venue)


def _cache_dir(settings: Settings, around: Surroundings) -> Path | None:
    """A simulated market is another one each time, so nothing of it is kept."""
    if around.simulated:
        return None
    return settings.data.cache_dir or settings.state_dir / "cache"


def _source(
    item: AccountSettings | FileSettings, around: Surroundings, stack: AsyncExitStack
) -> PositionSource:
    max_age_ms = round(item.max_age_seconds * 1000)
    if isinstance(item, FileSettings):
        return FileSource(item.name, item.path, max_age_ms)
    if around.credentials is not None:
        key = around.credentials[item.account_name]
    else:
        key = need_credentials(item, field=f"source {item.name}")
    client = make_client(
        item.exchange,
        urls_host=item.urls_host,
        credentials=key,
        now_ms=around.clock.now_ms if around.simulated else None,
    )
    source = AccountSource(
        item.name, CcxtVenue(client, item.account_name, around.clock), max_age_ms
    )
    stack.push_async_callback(source.close)
    return source


@dataclass(frozen=True, slots=True)
class _Doors:
    market: MarketData
    venue: Venue
    sources: list[PositionSource]


def _parts(
    settings: Settings, around: Surroundings, journal: Journal, doors: _Doors, log: Logger
) -> EngineParts:
    controls = settings.controls
    market, venue = doors.market, doors.venue
    monitor = Monitor(
        venue=venue,
        sources=doors.sources,
        market=market,
        journal=journal,
        clock=around.clock,
        ages=Ages(
            mark_ms=round(controls.mark_max_age_seconds * 1000),
            balance_ms=round(controls.balance_max_age_seconds * 1000),
        ),
        shared_account=settings.venue.shared_account,
    )
    strategy = new_strategy(settings.hedge.strategy)
    halt = HaltSwitch(settings.state_dir)
    executor = Executor(
        venue=venue,
        market=market,
        journal=journal,
        clock=around.clock,
        limits=pretrade_limits(settings),
        observe=_order_log(log),
        halted=lambda: halt.reason,
        guard=Guard(
            journal,
            around.clock,
            venue.account_name,
            pretrade_limits(settings),
            switch=halt,
            channels=(LogChannel(log), FileChannel(settings.state_dir)),
            venue_per_second=getattr(venue, "messages_per_second", None),
        ),
    )
    return EngineParts(
        monitor=monitor,
        model=MarketModel(
            market,
            backfill_days=settings.data.backfill_days,
            shrinkage=settings.hedge.shrinkage,
            estimator=estimator_of(strategy),
        ),
        strategy=strategy,
        executor=executor,
        venue=venue,
        journal=journal,
        clock=around.clock,
        log=log,
        halt=halt,
        outlook=outlook_of(settings, around.clock, journal),
    )


def _order_log(log: Logger) -> OrderObserver:
    def tell(event: str, facts: Mapping[str, Any]) -> None:
        say = log.warning if event in _TROUBLE or facts.get("detail") else log.info
        say(event, **facts)

    return tell
