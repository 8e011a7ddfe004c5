"""Positions of a bot read from its own exchange account, with a key that only reads."""

from bot.errors import UnreachableError, VenueError
from bot.ports import ReportedPosition, SourceSnapshot, Venue
from risk.errors import DataError


class AccountSource:
    """The bot's account, seen through the same adapter that reads the hedge account."""

    def __init__(
        self, name: str, venue: Venue, max_age_ms: int, exchange: str | None = None
    ) -> None:
        """``exchange``: ccxt's id of the account's; None: that of the hedges."""
        self._name = name
        self._venue = venue
        self._max_age_ms = max_age_ms
        self._exchange = exchange

    @property
    def name(self) -> str:
        """As the config calls it."""
        return self._name

    @property
    def max_age_ms(self) -> int:
        """Older than this is stale."""
        return self._max_age_ms

    async def read(self) -> SourceSnapshot:
        """All open positions of the account; symbols with open orders count as listed.

        Raises:
            UnreachableError, VenueError, DataError: as the adapter says, naming the source.
        """
        try:
            account = await self._venue.account()
        except (UnreachableError, VenueError, DataError) as error:
            raise type(error)(f"source {self._name}: {error}") from error
        positions = tuple(
            ReportedPosition(
                symbol=symbol,
                base_quantity=quantity,
                position_side=position_side,
                leverage=account.leverage(symbol),
                liquidation_price=account.liquidation_price.get((symbol, position_side)),
            )
            for (symbol, position_side), quantity in sorted(account.base_quantity.items())
        )
        return SourceSnapshot(
            source=self._name,
            timestamp_ms=account.state.timestamp_ms,
            positions=positions,
            listed=account.open_order_symbols,
            exchange=self._exchange,
        )

    async def close(self) -> None:
        """Give back the adapter's sockets."""
        await self._venue.close()
