"""What surrounds an engine: its clock, its keys, and what is opened with them."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from bot.feeds.live import LiveFeed
from bot.feeds.other_venues import OtherVenues
from bot.logs import Logger
from bot.ports import Clock, MarketData, PositionSource
from bot.sources.account import AccountSource
from bot.sources.file import FileSource
from bot.sources.freqtrade.opening import open_freqtrade
from bot.sources.hummingbot.opening import open_hummingbot
from bot.sources.pushed import PushedSource
from bot.sources.telling import Tell
from bot.streaming import Access, StreamBuilder
from bot.venues.clients import SIMULATED, make_client
from bot.venues.remembering import SourceVenue
from config.aliases import exchange_family
from config.secrets import Credentials, need_credentials
from config.settings import DataVenue, Settings
from config.sources import AccountSource as AccountSettings
from config.sources import FileSource as FileSettings
from config.sources import Source
from config.sources_freqtrade import FreqtradeSource as FreqtradeSettings
from config.sources_hummingbot import HummingbotSource as HummingbotSettings
from config.sources_pushed import PushedSource as PushedSettings
from config.venue import Exchange

if TYPE_CHECKING:
    from bot.session.playing import PlayedWorld
    from bot.session.recorder import SessionRecorder


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
        recorder: writes down what the doors tell.
        signals: signals of the market are looked for; they inform and decide nothing.
        played: tells what another engine's doors told, in place of the world.
    """

    clock: Clock
    simulated: bool = False
    credentials: Mapping[str, Credentials] | None = None
    live_account: str | None = None
    install_key: bytes | None = None
    on_backfill: Callable[[Any], None] | None = None
    signals: bool = True
    recorder: "SessionRecorder | None" = None
    played: "PlayedWorld | None" = None

    @property
    def stands_still(self) -> bool:
        """Time does not pass within a cycle: a simulated clock that follows no recorded one."""
        return self.simulated and self.played is None


def open_client(settings: Settings, around: Surroundings, credentials: Credentials | None) -> Any:
    """A ccxt client of the hedge account's exchange; without credentials for public data."""
    return make_client(
        settings.venue.exchange,
        urls_host=settings.venue.urls_host,
        credentials=credentials,
        now_ms=around.clock.now_ms if around.simulated else None,
    )


def hedge_credentials(settings: Settings, around: Surroundings) -> Credentials:
    """The hedge account's key.

    Raises:
        ConfigError: it is missing or unusable.
    """
    if around.credentials is not None:
        return around.credentials[settings.venue.account]
    return need_credentials(settings.venue)


def cache_dir(settings: Settings, around: Surroundings) -> Path | None:
    """A simulated market is another one each time, so nothing of it is kept."""
    if around.simulated:
        return None
    return settings.data.cache_dir or settings.state_dir / "cache"


def open_other_venues(settings: Settings, around: Surroundings, log: Logger) -> OtherVenues | None:
    """Public data of exchanges on which bots trade beside that of the hedges.

    None where positions there are mapped. Real prices tell nothing of a simulated exchange's, so
    beside one only what section ``data.venues`` names is read.
    """
    if settings.universe.other_venues == "map":
        return None
    named = {exchange_family(one.exchange): one for one in settings.data.venues}
    every = {exchange_family(one) for one in get_args(Exchange)}
    return OtherVenues(
        lambda venue: _open_data_venue(
            named.get(venue) or DataVenue.model_validate({"exchange": venue}), settings, around, log
        ),
        around.clock,
        home=settings.venue.exchange,
        readable=every if settings.venue.urls_host is None else named.keys(),
    )


def _open_data_venue(
    chosen: DataVenue, settings: Settings, around: Surroundings, log: Logger
) -> MarketData:
    client = make_client(
        chosen.exchange if chosen.urls_host is None else SIMULATED,
        urls_host=chosen.urls_host,
        now_ms=around.clock.now_ms if around.simulated else None,
    )
    if chosen.testnet:
        client.set_sandbox_mode(True)
    folder = cache_dir(settings, around)
    if folder is not None and (chosen.testnet or chosen.urls_host is not None):
        folder /= f"of-{chosen.exchange}"  # another market under the same name
    return LiveFeed(
        client,
        around.clock,
        log,
        cache_dir=folder,
        on_progress=around.on_backfill,
        concurrency=1 if around.simulated else 4,
    )


def open_source(
    item: Source,
    settings: Settings,
    around: Surroundings,
    stack: AsyncExitStack,
    streams: StreamBuilder | None = None,
    *,
    tell: Tell = lambda _event, _facts: None,
) -> PositionSource:
    """A source of positions, closed with ``stack`` and listened to by ``streams``.

    ``tell`` journals and logs what a source has to say beside positions.

    Raises:
        ConfigError: its key is missing or unusable.
    """
    max_age_ms = round(item.max_age_seconds * 1000)
    if isinstance(item, FileSettings):
        return FileSource(item.name, item.path, max_age_ms, item.exchange)
    if isinstance(item, FreqtradeSettings):
        return open_freqtrade(item, around.clock, stack, streams, tell)
    if isinstance(item, HummingbotSettings):
        return open_hummingbot(item, around.clock, stack)
    if isinstance(item, PushedSettings):
        return PushedSource(item.name, settings.state_dir, max_age_ms, item.exchange)
    assert isinstance(item, AccountSettings)
    return _open_account(item, around, stack, streams)


def _open_account(
    item: AccountSettings,
    around: Surroundings,
    stack: AsyncExitStack,
    streams: StreamBuilder | None,
) -> PositionSource:
    if around.credentials is not None:
        key = around.credentials[item.account_name]
    else:
        key = need_credentials(item, field=f"source {item.name}")
    spoken = item.exchange if item.urls_host is None else SIMULATED
    client = make_client(
        spoken,
        urls_host=item.urls_host,
        credentials=key,
        now_ms=around.clock.now_ms if around.simulated else None,
    )
    venue = SourceVenue(client, item.account_name, around.clock)
    source = AccountSource(item.name, venue, round(item.max_age_seconds * 1000), item.exchange)
    if streams is not None:
        streams.watch_bot(item.name, Access(spoken, item.urls_host, key), venue)
    stack.push_async_callback(source.close)
    return source
