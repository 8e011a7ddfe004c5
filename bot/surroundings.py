"""What surrounds an engine: its clock, its keys, and what is opened with them."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.ports import Clock, PositionSource
from bot.sources.account import AccountSource
from bot.sources.file import FileSource
from bot.sources.freqtrade.opening import open_freqtrade
from bot.sources.hummingbot.opening import open_hummingbot
from bot.sources.pushed import PushedSource
from bot.sources.telling import Tell
from bot.streaming import Access, StreamBuilder
from bot.venues.clients import make_client
from bot.venues.remembering import SourceVenue
from config.secrets import Credentials, need_credentials
from config.settings import Settings
from config.sources import AccountSource as AccountSettings
from config.sources import FileSource as FileSettings
from config.sources import Source
from config.sources_freqtrade import FreqtradeSource as FreqtradeSettings
from config.sources_hummingbot import HummingbotSource as HummingbotSettings
from config.sources_pushed import PushedSource as PushedSettings


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
        return FileSource(item.name, item.path, max_age_ms)
    if isinstance(item, FreqtradeSettings):
        return open_freqtrade(item, around.clock, stack, streams, tell)
    if isinstance(item, HummingbotSettings):
        return open_hummingbot(item, around.clock, stack)
    if isinstance(item, PushedSettings):
        return PushedSource(item.name, settings.state_dir, max_age_ms)
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
    client = make_client(
        item.exchange,
        urls_host=item.urls_host,
        credentials=key,
        now_ms=around.clock.now_ms if around.simulated else None,
    )
    venue = SourceVenue(client, item.account_name, around.clock)
    source = AccountSource(item.name, venue, round(item.max_age_seconds * 1000), item.exchange)
    if streams is not None:
        streams.watch_bot(item.name, Access(item.exchange, item.urls_host, key), venue)
    stack.push_async_callback(source.close)
    return source
