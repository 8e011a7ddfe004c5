"""The user stream in simulated time: the exchange's bus behind a wire that loses and repeats.

News arrive only where a process waits for something, as on a real event loop.
"""

import heapq
import itertools
from dataclasses import dataclass

from bot.faults.faultset import FaultSet
from bot.faults.world import ACCOUNT, World
from bot.ports import Clock
from bot.venues.sim.events import SimEvent
from bot.venues.streams.desk import StreamDesk
from bot.venues.streams.from_exchange import news_of
from bot.venues.streams.inbox import trade_key
from bot.venues.streams.news import StreamNews, TradeNews
from bot.venues.streams.watched import WatchedAccount

MUTE_MS = 15_000
SPACING_MS = 1_000
_PONG_MS = 5_000
_TICK_MS = 500
_LATE_MS = 20_000  # at most, of what is told out of its order


@dataclass(slots=True)
class Told:
    """One execution of ours: when it happened, and when the stream told it; true time."""

    key: str
    happened_ms: int
    told_ms: int | None = None


@dataclass(slots=True)
class Life:
    """The stream of one process.

    Attributes:
        connected: as the process believes.
        pongs: it answers pings although it may say nothing else.
    """

    desk: StreamDesk
    account: WatchedAccount
    clock: Clock
    connected: bool = True
    pongs: bool = True
    pong_ms: int = 0
    tick_ms: int = 0


class StreamWire:
    """Carries what the exchange tells to whichever process listens."""

    def __init__(self, world: World, faults: FaultSet) -> None:
        self.told: list[Told] = []
        self._by_key: dict[str, Told] = {}
        self._world = world
        self._faults = faults
        self._life: Life | None = None
        self._waiting: list[tuple[int, int, StreamNews]] = []
        self._count = itertools.count()
        world.exchange.bus.listen(self._heard)

    def connect(self, desk: StreamDesk, account: WatchedAccount, clock: Clock) -> None:
        """A process has come up and listens."""
        self._waiting.clear()
        self._life = Life(desk, account, clock)
        desk.add_account(account)
        account.inbox.connected(clock.now_ms())

    def gone(self) -> None:
        """The process is gone, and its connection with it."""
        self._life = None

    @property
    def wakes(self) -> bool:
        """The engine wants its next cycle early."""
        return self._life is not None and self._life.desk.wake.is_set()

    def arrive(self) -> None:
        """What is due reaches the process, which waits for something just now."""
        life, now_ms = self._life, self._world.now_ms
        if life is None:
            return
        while self._waiting and self._waiting[0][0] <= now_ms:
            _, _, news = heapq.heappop(self._waiting)
            if life.connected:
                self._note(news, now_ms)
                life.desk.told(life.account, news)
        if life.connected and life.pongs and now_ms - life.pong_ms >= _PONG_MS:
            life.pong_ms = now_ms
            life.account.inbox.heartbeat(life.clock.now_ms())
        if now_ms - life.tick_ms >= _TICK_MS:
            life.tick_ms = now_ms
            life.desk.changed()

    # What the wire does

    def _heard(self, event: SimEvent) -> None:
        for news in news_of(event, ACCOUNT):
            self._happened(news)
            if self._life is not None and self._life.connected:
                self._send(news)

    def _send(self, news: StreamNews) -> None:
        faults = self._faults
        if faults.strikes("stream_mute") or faults.strikes("stream_silent_gap", 0.6):
            return
        if faults.strikes("reconnect_storm", 0.5):
            self._reconnect()
            return
        delay_ms = faults.die.randint(5, 80)
        if isinstance(news, TradeNews) and faults.strikes("stream_fill_before_ack"):
            delay_ms = 0
        if faults.strikes("stream_reorder", 0.5):
            delay_ms = faults.die.randint(100, _LATE_MS)
        times = 2 if faults.strikes("stream_duplicate", 0.7) else 1
        for _ in range(times):
            due_ms = self._world.now_ms + delay_ms
            heapq.heappush(self._waiting, (due_ms, next(self._count), news))

    def _reconnect(self) -> None:
        """Cut off and there again, over and over; what happens meanwhile is not told."""
        life = self._life
        if life is not None:
            self._waiting.clear()
            life.account.inbox.disconnected(life.clock.now_ms(), "reset by peer")
            life.account.inbox.connected(life.clock.now_ms())

    def expire(self) -> None:
        """The exchange ends the listen key; some time later there is a new one."""
        life = self._life
        if life is None or not life.connected:
            return
        self._faults.count("listen_key_expiry")
        life.connected = False
        life.account.inbox.key_expired(life.clock.now_ms())

        def renew() -> None:
            if self._life is life:
                life.connected = True
                life.account.inbox.connected(life.clock.now_ms())

        self._world.later(self._faults.die.randint(1_000, 60_000), renew)

    def silence(self, *, pongs: bool) -> None:
        """Whether it answers pings from now on."""
        if self._life is not None:
            self._life.pongs = pongs

    # What the oracle is told

    def _happened(self, news: StreamNews) -> None:
        if isinstance(news, TradeNews):
            key = trade_key(news.symbol, news.trade_id)
            self._by_key[key] = row = Told(key, self._world.now_ms)
            self.told.append(row)

    def _note(self, news: StreamNews, now_ms: int) -> None:
        if isinstance(news, TradeNews):
            row = self._by_key[trade_key(news.symbol, news.trade_id)]
            row.told_ms = row.told_ms or now_ms
