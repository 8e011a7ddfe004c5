"""Public data of exchanges on which bots trade and no hedge stands, opened when first needed.

Each exchange has a feed of its own: a client with its own pacing, its own cache, its own failures.
One that fails, or is slow, raises with its name; that it is silent never makes a position there
seem flat, and never keeps a cycle waiting for longer than the limits here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

from bot.elsewhere import at_venue
from bot.errors import UnreachableError, VenueError
from bot.ports import Clock, MarketData
from bot.together import together
from config.aliases import exchange_family
from risk.errors import DataError
from risk.instrument import Instrument

LIST_MAX_AGE_MS: Final = 3_300_000
ASK_AGAIN_MS: Final = 60_000
"""A list that lacks a contract is read again, but not more often than this."""
ANSWER_SECONDS: Final = 30.0
"""How long a list of contracts, all prices or an order book may take, wall time."""
HISTORY_SECONDS: Final = 120.0
"""How long bars or payments of all contracts may take at a time, wall time.

The first read of many contracts may need longer: what came by then is kept by the exchange's feed,
and the next cycle goes on from there.
"""
CLOSE_SECONDS: Final = 10.0
"""How long the sockets of one exchange may take to close, wall time."""
UNUSED_MS: Final = 3_600_000
"""An exchange where nothing is held for so long gives back its sockets and its memory."""


@dataclass(slots=True)
class _Opened:
    feed: MarketData
    listed: Mapping[str, Instrument] = field(default_factory=dict)
    read_ms: int | None = None
    wanted_ms: int = 0


class OtherVenues:
    """Feeds of other exchanges by ccxt's id."""

    def __init__(
        self,
        open_feed: Callable[[str], MarketData],
        clock: Clock,
        *,
        home: str,
        readable: Collection[str],
    ) -> None:
        """Opens nothing yet.

        Args:
            open_feed: a feed of one of ``readable``.
            home: ccxt's id of the hedges' exchange, which is never another one.
            readable: ids whose data may be asked for.
        """
        self._open_feed = open_feed
        self._clock = clock
        self._home = exchange_family(home)
        self._readable = frozenset(readable)
        self._opened: dict[str, _Opened] = {}

    def venue_of(self, exchange: str | None) -> str | None:
        """The id under which positions there are measured by its own data; None: they are not."""
        venue = None if exchange is None else exchange_family(exchange)
        return venue if venue != self._home and venue in self._readable else None

    async def listings(
        self, wanted: Mapping[str, Collection[str]]
    ) -> dict[str, Mapping[str, Instrument]]:
        """What each exchange lists, by its id and its own symbols.

        Exchanges that have not been wanted for ``UNUSED_MS`` are closed.

        Args:
            wanted: by id, symbols that are held there; a list without one of them is read again.

        Raises:
            UnreachableError, VenueError, DataError: one of the lists cannot be read.
        """
        await self._close_unused(wanted)
        found = await together(self._listing(v, symbols) for v, symbols in wanted.items())
        return dict(zip(wanted, found, strict=True))

    def feed(self, venue: str) -> MarketData:
        """Its data, by its own symbols."""
        return self._at(venue).feed

    async def close(self) -> None:
        """Give back sockets, of all even where one fails."""
        await self._close(tuple(self._opened))

    async def _close_unused(self, wanted: Collection[str]) -> None:
        now_ms = self._clock.now_ms()
        for venue in wanted:
            self._at(venue).wanted_ms = now_ms
        await self._close(
            [v for v, one in self._opened.items() if now_ms - one.wanted_ms > UNUSED_MS]
        )

    async def _close(self, venues: Collection[str]) -> None:
        """They are opened anew when they are asked again."""
        async with AsyncExitStack() as stack:
            for venue in venues:
                stack.push_async_callback(_close_in_time, self._opened.pop(venue).feed)

    def _at(self, venue: str) -> _Opened:
        if venue not in self._opened:
            self._opened[venue] = _Opened(self._open_feed(venue), wanted_ms=self._clock.now_ms())
        return self._opened[venue]

    async def _listing(self, venue: str, symbols: Iterable[str]) -> Mapping[str, Instrument]:
        one, now_ms = self._at(venue), self._clock.now_ms()
        lacking = any(symbol not in one.listed for symbol in symbols)
        limit_ms = ASK_AGAIN_MS if lacking else LIST_MAX_AGE_MS
        if one.read_ms is None or not 0 <= now_ms - one.read_ms <= limit_ms:
            async with answer_of(venue):
                one.listed = await one.feed.instruments()
            one.read_ms = now_ms
        return one.listed


def renamed(instrument: Instrument, venue: str) -> Instrument:
    """Under the name that it has here."""
    return replace(instrument, symbol=at_venue(instrument.symbol, venue), venue=venue)


async def _close_in_time(feed: MarketData) -> None:
    """What does not end is left to the end of the process: a cycle waits for this."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await feed.close()


@asynccontextmanager
async def answer_of(venue: str) -> AsyncIterator[None]:
    """Limits one answer, and puts the exchange before what goes wrong there.

    Raises:
        UnreachableError, VenueError, DataError: what was raised inside, or no answer came in time.
    """
    async with _limited(venue, ANSWER_SECONDS):
        yield


@asynccontextmanager
async def history_of(venue: str) -> AsyncIterator[None]:
    """The same for bars and payments, which take many requests."""
    async with _limited(venue, HISTORY_SECONDS):
        yield


@asynccontextmanager
async def _limited(venue: str, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise UnreachableError(f"{venue}: no answer within {seconds:g} s") from None
    except (UnreachableError, VenueError, DataError) as error:
        if venue in str(error):
            raise
        raise type(error)(f"{venue}: {error}") from error
