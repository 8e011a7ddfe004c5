"""Opens a freqtrade source with what belongs to it."""

from contextlib import AsyncExitStack

from bot.ports import Clock
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.freqtrade.locks import EntryLocks
from bot.sources.freqtrade.source import FreqtradeSource
from bot.sources.freqtrade.stream import FreqtradeStream
from bot.sources.telling import Tell
from bot.streaming import StreamBuilder
from config.passwords import need_login
from config.sources_freqtrade import FreqtradeSource as FreqtradeSettings


def open_freqtrade(
    item: FreqtradeSettings,
    clock: Clock,
    stack: AsyncExitStack,
    streams: StreamBuilder | None,
    tell: Tell,
) -> FreqtradeSource:
    """A source closed with ``stack``; its messages wake what ``streams`` wake.

    Raises:
        ConfigError: user name or password is missing or unusable.
    """
    client = FreqtradeClient(item.name, item.url, need_login(item), timeout_s=item.timeout_seconds)
    source = FreqtradeSource(
        item.name,
        client,
        clock,
        round(item.max_age_seconds * 1000),
        whitelist=item.whitelist,
        same_account=item.same_account,
        tell=tell,
    )
    stack.push_async_callback(source.close)
    if streams is not None and item.stream:
        source.inbox = streams.inbox(f"freqtrade {item.name}")
        desk = streams.desk
        streams.listen(
            FreqtradeStream(client, source.inbox, clock, heard=desk.heard, changed=desk.changed)
        )
    if item.locks.enabled:
        margin_ms = round(item.locks.margin.total_seconds() * 1000)
        source.locks = EntryLocks(client, source, margin_ms, tell)
    return source
