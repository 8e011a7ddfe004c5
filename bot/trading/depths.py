"""What order books bear, asked for while something else is waited for, and not asked twice.

One request is as long as the way to the exchange. So the book of the next order of a plan is read
while the fills of the one before are, and a book that was read for the size of a slice is not read
again for the check of it. What is kept is as fresh as prices must be, and an order of ours ends it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from bot.errors import UnreachableError, VenueError
from bot.ports import Clock, MarketData
from bot.trading.orders import Side
from risk.errors import DataError

Depth = Mapping[Side, float]
"""Notional inside the collar that an order of each side meets, USD."""


class Depths:
    """Books of one market."""

    def __init__(self, market: MarketData, clock: Clock, collar: float, max_age_ms: int) -> None:
        self._market = market
        self._clock = clock
        self._collar = collar
        self._max_age_ms = max_age_ms
        self._known: dict[str, tuple[int, Depth]] = {}
        self._ahead: tuple[str, asyncio.Task[Depth]] | None = None

    async def read(self, symbol: str) -> Depth:
        """As it was read lately, or is now.

        Raises:
            UnreachableError, VenueError, DataError: it cannot be read.
        """
        if self._ahead is not None and self._ahead[0] == symbol:
            with suppress(UnreachableError, VenueError, DataError):  # it is asked for once more
                await self._ahead[1]
        await self.end()
        at_ms, depth = self._known.get(symbol, (0, {}))
        if depth and 0 <= self._clock.now_ms() - at_ms <= self._max_age_ms:
            return depth
        return await self._asked(symbol)

    async def _asked(self, symbol: str) -> Depth:
        now_ms = self._clock.now_ms()
        depth = await self._market.depth_usd(symbol, self._collar)
        self._known[symbol] = now_ms, depth
        return depth

    def begin(self, symbol: str) -> None:
        """It will be read next, and may be asked for by now."""
        if self._ahead is None:
            self._ahead = symbol, asyncio.ensure_future(self._asked(symbol))

    def traded(self, symbol: str) -> None:
        """An order of ours is about to take from it."""
        self._known.pop(symbol, None)

    async def end(self) -> None:
        """What was begun is not waited for any longer."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead[1].cancel()
            await asyncio.gather(ahead[1], return_exceptions=True)
