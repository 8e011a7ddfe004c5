"""The markets of a client: read once for all clients of an exchange, and again when old."""

from typing import Any, Final

from bot.ports import Clock
from bot.venues.ccxt_wire import CcxtWire
from risk.errors import DataError

_MAX_AGE_MS: Final = 3_600_000  # steps and listings change


class SharedMarkets:
    """Keeps the markets of one client fresh, from another one of the same exchange if there is.

    Without markets ccxt guesses contract sizes.
    """

    def __init__(self, wire: CcxtWire, clock: Clock, source: Any | None = None) -> None:
        """``source``: a client whose markets are taken over; it is neither closed nor changed."""
        self._exchange = wire.exchange
        self._wire = wire if source is None else CcxtWire(source)
        self._clock = clock
        self._seen: Any = None
        self._seen_ms = 0

    async def load(self) -> None:
        """Markets that are an hour old at most.

        Raises:
            UnreachableError, VenueError: they cannot be read.
            DataError: there are none.
        """
        source, now_ms = self._wire.exchange, self._clock.now_ms()
        if not source.markets or self._is_old(source.markets, now_ms):
            again = bool(source.markets)
            markets = await self._wire.read("markets", lambda: source.load_markets(again))
            if not markets:
                raise DataError(f"{source.id}: markets: an empty list")
        if source.markets is not self._seen:  # whoever read them
            self._seen, self._seen_ms = source.markets, now_ms
            if source is not self._exchange:
                self._exchange.set_markets_from_exchange(source)

    def _is_old(self, markets: Any, now_ms: int) -> bool:
        return markets is self._seen and now_ms - self._seen_ms > _MAX_AGE_MS
