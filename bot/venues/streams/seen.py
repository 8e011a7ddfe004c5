"""Which piece of news is new: duplicates and what comes late change nothing."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final

from bot.venues.streams.news import (
    MarginNews,
    MoneyNews,
    OrderNews,
    PositionNews,
    SettingsNews,
    StreamNews,
    TradeNews,
)

REMEMBERED: Final = 20_000
"""So many orders, trades, positions and settings are kept apart; the oldest are forgotten first.
What is told once more after that counts as news again, which wakes somebody and no more."""


class Seen:
    """Remembers how far each order, position and setting was told, and each trade."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._progress: OrderedDict[Hashable, Any] = OrderedDict()

    def is_new(self, news: StreamNews) -> bool:
        """Whether it tells more than what was told before; it counts as told from now on.

        A trade is new once. An order goes from open to final and fills up, and at equal progress
        the later transaction counts; whatever leads back is late. Of positions, money and settings
        the later transaction counts, and at the same moment another value.
        """
        key, progress = _place(news)
        before = self._progress.get(key)
        if before is not None and not _further(progress, before, news):
            return False
        self._progress[key] = progress
        self._progress.move_to_end(key)
        if len(self._progress) > self._remembered:
            self._progress.popitem(last=False)
        return True


def _place(news: StreamNews) -> tuple[Hashable, Any]:
    """What the news is about, and how far it is told."""
    match news:
        case TradeNews():
            return ("trade", news.symbol, news.trade_id), ()
        case OrderNews():
            # The exchange's own id, since a client id may be used again after its order has ended.
            name = news.venue_order_id or news.client_id
            progress = (news.state.final, news.filled_quantity, news.transaction_ms)
            return ("order", news.symbol, name), progress
        case PositionNews():
            key = ("position", news.symbol, news.position_side)
            return key, (news.transaction_ms, news.event_ms, news.base_quantity)
        case MoneyNews():
            return ("money",), (news.transaction_ms, news.event_ms, news.wallet_usd)
        case SettingsNews():
            key = ("setting", news.symbol, news.setting)
            return key, (news.transaction_ms, news.event_ms, news.value)
        case MarginNews():
            return ("margin",), (news.transaction_ms, news.event_ms, news.symbols)


def _further(progress: Any, before: Any, news: StreamNews) -> bool:
    match news:
        case TradeNews():
            return False
        case OrderNews():
            return bool(progress > before)
        case _:
            same_moment = progress[:2] == before[:2]
            return bool(progress[2] != before[2] if same_moment else progress[:2] > before[:2])
