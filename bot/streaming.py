"""Opens the streams that an engine listens to, each with a client of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Final, Protocol

from bot.feeds.live_prices import LivePrices
from bot.feeds.streamed import StreamedFeed, StreamRules
from bot.journal.journal import Journal
from bot.ports import Clock, MarketData
from bot.venues.ccxt_safety import harden, refuse_unsafe
from bot.venues.clients import make_client
from bot.venues.remembering import HedgeVenue, SourceVenue
from bot.venues.streams.backoff import Backoff
from bot.venues.streams.desk import StreamDesk
from bot.venues.streams.from_ccxt import read_extra, read_news
from bot.venues.streams.inbox import StreamInbox
from bot.venues.streams.task import Call, StreamPlan, StreamTask
from bot.venues.streams.watched import WatchedAccount
from config.secrets import Credentials
from config.streams import Streams

RENEWALS: Final = {"binanceusdm": "fapiPrivatePutListenKey"}
"""By exchange, what keeps a user stream's key alive. ccxt does so once only."""
USER_CALLS: Final = (
    ("watchOrders", "watch_orders"),
    ("watchMyTrades", "watch_my_trades"),
    ("watchPositions", "watch_positions"),
    ("watchBalance", "watch_balance"),
)
MARKET_CALLS: Final = (
    ("watchMarkPrices", "watch_mark_prices"),
    ("watchBidsAsks", "watch_bids_asks"),
    ("watchTickers", "watch_tickers"),
)
CHUNK: Final = 50
STAND_WITHIN_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Access:
    """One account at one exchange; without credentials, its public data."""

    exchange: str
    urls_host: str | None
    credentials: Credentials | None = None


class Listening(Protocol):
    """Something that keeps a stream connected."""

    async def run(self) -> None:
        """Until cancelled, or until nothing is offered."""
        ...


@dataclass(slots=True)
class StreamBuilder:
    """Collects the streams of one engine; ``running`` starts them.

    Attributes:
        users: accounts may be listened to, not prices alone.
        markets_of: a client whose list of markets is used.
    """

    settings: Streams
    desk: StreamDesk
    clock: Clock
    users: bool
    markets_of: Any = None
    _tasks: list[Listening] = field(default_factory=list)

    @property
    def _mute_ms(self) -> int:
        return round(self.settings.mute_seconds * 1000)

    def watch_hedges(self, access: Access, venue: HedgeVenue, journal: Journal) -> None:
        """The user stream of the account that holds the hedges, unless switched off."""
        inbox = StreamInbox("user", self._mute_ms)
        self._watch(access, WatchedAccount(inbox, lambda: venue.last_account, journal))

    def watch_bot(self, name: str, access: Access, venue: SourceVenue) -> None:
        """The user stream of a bot's account, unless switched off."""
        inbox = StreamInbox(f"user {name}", self._mute_ms)
        self._watch(access, WatchedAccount(inbox, lambda: venue.last_account))

    def market(self, access: Access, feed: MarketData, mark_max_age_ms: int) -> MarketData:
        """The feed with prices of the market stream, which begins with the first quotes.

        The feed itself, where that is switched off.
        """
        if self.settings.market == "off":
            return feed
        inbox, prices = StreamInbox("market", self._mute_ms), LivePrices()
        rules = StreamRules(mark_max_age_ms // 2, round(self.settings.rest_quotes_seconds * 1000))
        streamed = StreamedFeed(feed, prices, inbox, self.clock, rules)
        wanted = _Wanted()

        def made(row: Mapping[str, Any]) -> None:
            now_ms = self.clock.now_ms()
            if prices.take(row, now_ms):
                inbox.heartbeat(now_ms)
                self.desk.exchange_moved()

        async def open_client() -> Any:
            while not wanted.bunches:
                await self.clock.sleep(0.1)
            return await self._opener(access)()

        def on_read(symbols: Sequence[str]) -> None:
            wanted.add(symbols)
            self.desk.exchange_moved()

        plan = StreamPlan(
            open=open_client,
            calls=wanted.calls,
            made=made,
            settle_s=1.0,
            ping_ms=self._ping_ms,
            pongs_count=False,
        )
        task = self._task(plan, inbox)
        streamed.complete = lambda: not task.refused and wanted.complete
        streamed.on_read = on_read
        self.desk.add(inbox)
        return streamed

    def inbox(self, name: str) -> StreamInbox:
        """For a stream of another kind, whose health is kept like that of all."""
        inbox = StreamInbox(name, self._mute_ms)
        self.desk.add(inbox)
        return inbox

    def listen(self, stream: Listening) -> None:
        """A stream of another kind, started with all."""
        self._tasks.append(stream)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The streams, from now until the block ends."""
        running = [asyncio.create_task(one.run()) for one in self._tasks]
        running.append(asyncio.create_task(self.desk.run()))
        try:
            await self._stand()
            yield
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _stand(self) -> None:
        """A moment for the user streams: the first cycle then is the look that they need."""
        end_ms = self.clock.now_ms() + STAND_WITHIN_S * 1000
        while self.clock.now_ms() < end_ms and not self.desk.all_tried():
            await self.clock.sleep(0.02)

    @property
    def _ping_ms(self) -> int:
        return max(1000, self._mute_ms // 3)

    def _task(self, plan: StreamPlan, inbox: StreamInbox) -> StreamTask:
        task = StreamTask(plan, inbox, self.clock, Backoff(), self.desk.changed)
        self._tasks.append(task)
        return task

    def _watch(self, access: Access, account: WatchedAccount) -> None:
        if not self.users or self.settings.user == "off":
            return
        opened: list[Any] = []
        binance = access.exchange == "binanceusdm"

        async def open_client() -> Any:
            opened[:] = [await self._opener(access)()]
            return opened[0]

        def calls(exchange: Any) -> Sequence[Call]:
            found = [(method, ()) for has, method in USER_CALLS if exchange.has.get(has)]
            account.positions_told = bool(exchange.has.get("watchPositions"))
            return found

        def made(row: Mapping[str, Any]) -> None:
            size = partial(_size, opened[0])
            news = read_news(access.exchange, row, size, self.clock.now_ms())
            if news is not None:
                self.desk.told(account, news)

        def frame(message: object) -> None:
            symbol_of = opened[0].safe_symbol
            news = read_extra(message, lambda id_: str(symbol_of(id_, None, None, "swap")))
            if news is not None:
                self.desk.told(account, news)

        plan = StreamPlan(
            open=open_client,
            calls=calls,
            made=made,
            frame=frame if binance else lambda _: None,
            renewal=RENEWALS.get(access.exchange, ""),
            settle_s=0.0 if binance else 2.0,
            ping_ms=self._ping_ms,
            own_timers=not binance,
        )
        self._task(plan, account.inbox)
        self.desk.add_account(account)

    def _opener(self, access: Access) -> Callable[[], Awaitable[Any]]:
        """Makes a client that knows the markets, as far as they were read already."""

        async def open_client() -> Any:
            exchange = make_client(
                access.exchange,
                urls_host=access.urls_host,
                credentials=access.credentials,
                streams=True,
            )
            refuse_unsafe(exchange)
            harden(exchange)
            known = self.markets_of
            if known is not None and known.markets and known.id == exchange.id:
                exchange.set_markets_from_exchange(known)
            return exchange

        return open_client


@dataclass(slots=True)
class _Wanted:
    """Symbols whose prices are asked for, in bunches of one subscription each."""

    bunches: list[tuple[str, ...]] = field(default_factory=list)
    complete: bool = False
    _known: set[str] = field(default_factory=set)

    def add(self, symbols: Sequence[str]) -> None:
        """Subscribe to these as well."""
        new = sorted(set(symbols) - self._known)
        self._known |= set(new)
        self.bunches += [tuple(new[k : k + CHUNK]) for k in range(0, len(new), CHUNK)]

    def calls(self, exchange: Any) -> Sequence[Call]:
        """A subscription of each kind that is offered for each bunch."""
        has = exchange.has
        self.complete = bool(has.get("watchBidsAsks") and has.get("watchTickers"))
        methods = [method for name, method in MARKET_CALLS if has.get(name)]
        return [(method, (bunch,)) for bunch in self.bunches for method in methods]


def _size(exchange: Any, symbol: str) -> Decimal:
    return Decimal(str(exchange.markets[symbol].get("contractSize") or 1))
