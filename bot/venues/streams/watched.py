"""An account whose stream is listened to, and what REST last told of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from bot.journal.journal import Journal
from bot.ports import VenueAccount
from bot.venues.streams.inbox import StreamInbox
from bot.venues.streams.news import (
    MarginNews,
    MoneyNews,
    OrderNews,
    PositionNews,
    SettingsNews,
    StreamNews,
    TradeNews,
)

_NOTHING = Decimal(0)


@dataclass(slots=True)
class WatchedAccount:
    """One account with its user stream.

    Attributes:
        inbox: of its stream: ``user``, or ``user NAME`` for the account of the source NAME.
        last_read: the account as REST told it last; None before the first time.
        journal: of our own orders, for the account that holds the hedges; None for a bot's.
        positions_told: the exchange tells positions in this stream.
    """

    inbox: StreamInbox
    last_read: Callable[[], VenueAccount | None]
    journal: Journal | None = None
    positions_told: bool = True
    waiting: list[StreamNews] = field(default_factory=list)

    def surprises(self, news: StreamNews) -> bool:
        """Whether it tells more than REST and the journal did, so that a look is worth it.

        What our own orders did has often been read by REST before the stream tells it.
        """
        match news:
            case PositionNews():
                return self._moved(news)
            case OrderNews():
                if news.forced is not None:
                    return not self.positions_told
                return news.state.final and self._unbooked(news.client_id, news.filled_quantity)
            case TradeNews():
                return self._unbooked(news.client_id, None)
            case MoneyNews():
                return False  # with every trade and payment; each cycle reads it anyway
            case SettingsNews() | MarginNews():
                return True

    def _moved(self, news: PositionNews) -> bool:
        account = self.last_read()
        if account is None:
            return False  # nothing was read yet, and soon will be
        held = account.base_quantity.get((news.symbol, news.position_side), _NOTHING)
        return held != news.base_quantity

    def _unbooked(self, client_id: str, filled: Decimal | None) -> bool:
        """The journal does not know all of this order yet; others' orders show as positions."""
        row = None if self.journal is None else self.journal.order(client_id)
        if row is None:
            return not self.positions_told
        settled = row.state.final and row.booked_quantity == row.filled_quantity
        return not settled or (filled is not None and filled > row.booked_quantity)
