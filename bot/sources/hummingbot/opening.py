"""Opens a hummingbot source with what belongs to it."""

from contextlib import AsyncExitStack

from bot.ports import Clock
from bot.sources.hummingbot.client import HummingbotClient
from bot.sources.hummingbot.source import HummingbotSource
from config.passwords import need_login
from config.sources_hummingbot import HummingbotSource as HummingbotSettings


def open_hummingbot(
    item: HummingbotSettings, clock: Clock, stack: AsyncExitStack
) -> HummingbotSource:
    """A source closed with ``stack``.

    Raises:
        ConfigError: user name or password is missing or unusable.
    """
    client = HummingbotClient(item.name, item.url, need_login(item), timeout_s=item.timeout_seconds)
    source = HummingbotSource(
        item.name,
        client,
        clock,
        round(item.max_age_seconds * 1000),
        connector=item.connector,
        accounts=item.accounts,
        resting_orders=item.resting_orders,
    )
    stack.push_async_callback(source.close)
    return source
