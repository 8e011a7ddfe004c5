"""All streams of one engine: wakes it when something happened, and keeps the book on their health.

A stream decides nothing. It makes the next cycle come early, and that cycle reads the exchange by
REST as always. While a cycle runs news only wait; at its end those that it found out by itself
are dropped, and any other wakes the next one.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.errors import JournalError
from bot.journal.journal import Journal
from bot.logs import Logger
from bot.ports import Clock
from bot.records.cycle import CycleRecord
from bot.trading.settling import settled_by_hand
from bot.venues.streams.inbox import Health, StreamInbox, trade_key
from bot.venues.streams.news import OrderNews, PositionNews, StreamNews, TradeNews
from bot.venues.streams.told import META_KEY
from bot.venues.streams.watched import WatchedAccount

TICK_S: Final = 0.5
_TOLD: Final = (
    "symbol",
    "client_id",
    "venue_order_id",
    "trade_id",
    "state",
    "filled_quantity",
    "base_quantity",
)
"""Of a piece of news in a log line."""
FOUND_WITHIN_MS: Final = 600_000
"""So long after it an execution of ours that REST finds is still expected of a stream."""
FORCED_KEPT: Final = 1_000
CLOCKS_MS: Final = 3_000
"""By which the exchange's clock may be ahead of ours."""


class StreamDesk:
    """Inboxes and what they led to.

    Attributes:
        wake: set when the next cycle should come early; whoever starts it clears it.
        spacing_ms: shortest time between the beginnings of two cycles.
        forced: orders of the exchange against our account, by (symbol, its order id), with the
            news; the last of them.
    """

    def __init__(self, journal: Journal, clock: Clock, log: Logger, *, spacing_ms: int) -> None:
        self.wake = asyncio.Event()
        self.spacing_ms = spacing_ms
        self.forced: dict[tuple[str, str], OrderNews | TradeNews] = {}
        self._journal = journal
        self._clock = clock
        self._log = log
        self._accounts: list[WatchedAccount] = []
        self._inboxes: list[StreamInbox] = []
        self._health: dict[str, Health] = {}
        self._since_ms: dict[str, int] = {}
        self._tokens: dict[str, int] = {}
        self._connections: dict[str, int] = {}
        self._in_cycle = False

    def add(self, inbox: StreamInbox) -> None:
        """A stream whose health is kept."""
        self._inboxes.append(inbox)

    def add_account(self, account: WatchedAccount) -> None:
        """A user stream; when it stands again, or goes mute, it asks for a look."""
        self._accounts.append(account)
        self._tokens[account.inbox.name] = account.inbox.reconciling()
        self.add(account.inbox)

    def told(self, account: WatchedAccount, news: StreamNews) -> None:
        """A piece of news of an account's stream."""
        now_ms = self._clock.now_ms()
        if not account.inbox.take_in(news, now_ms):
            return
        if account.journal is not None:
            self._note_forced(news)
        if not self._in_cycle:
            self._weigh(account)

    def heard(self, stream: str, facts: Mapping[str, Any]) -> None:
        """A bot tells of itself that something changed: the next cycle reads what it is."""
        self._log.info("stream_wakes", stream=stream, **facts)
        self.wake.set()

    def all_tried(self) -> bool:
        """Every user stream stands, or has failed to for the first time."""
        return all(one.inbox.counts.connections or one.inbox.reason for one in self._accounts)

    def exchange_moved(self) -> None:
        """Prices came in, by whatever way: the exchange is at work."""
        now_ms = self._clock.now_ms()
        for inbox in self._inboxes:
            inbox.exchange_moved(now_ms)

    def cycle_begins(self) -> None:
        """From now on the engine reads by REST."""
        self.wake.clear()
        self._in_cycle = True
        self._tokens = {one.inbox.name: one.inbox.reconciling() for one in self._accounts}

    def cycle_ended(self, record: CycleRecord) -> None:
        """The cycle has read everything if it came to figures, and sent what it sent."""
        self._in_cycle = False
        now_ms = self._clock.now_ms()
        looked = record.equity_usd is not None
        for account in self._accounts:
            token = self._tokens[account.inbox.name]
            # A stream that was cut off meanwhile tells nothing of what happened before.
            if account.journal is not None and token == account.inbox.reconciling():
                self._expect(account, record, now_ms)
            if looked:
                account.inbox.reconciled(token)
            self._weigh(account)
        self._note_health()

    def cycle_broke_off(self) -> None:
        """The cycle ended by an error; nothing was proven."""
        self._in_cycle = False

    def changed(self) -> None:
        """A stream was connected or cut off."""
        self._note_health()

    async def run(self) -> None:
        """Look after the streams' health until cancelled."""
        while True:
            self._note_health()
            await self._clock.sleep(TICK_S)

    def document(self) -> dict[str, Any]:
        """Health and counts of every stream, by name."""
        now_ms = self._clock.now_ms()
        return {
            one.name: {
                "health": one.health(now_ms).value,
                "reason": "" if one.health(now_ms) is Health.LIVE else one.reason,
                "since_ms": self._since_ms.get(one.name, now_ms),
                "connections": one.counts.connections,
                "gaps": one.counts.gaps,
                "mutes": one.counts.mutes,
            }
            for one in self._inboxes
        }

    def _expect(self, account: WatchedAccount, record: CycleRecord, now_ms: int) -> None:
        """What the engine knows to have happened must be told by the stream as well."""
        inbox = account.inbox
        for order in record.orders:
            if order.state in ("filled", "partial", "live", "canceled", "expired"):
                inbox.expect(order.client_id, now_ms)
        # Fills of this cycle are among them, unless they happened before the stream stood.
        found = self._found_since(account, max(inbox.whole_since_ms, now_ms - FOUND_WITHIN_MS))
        for key in sorted(found):
            inbox.expect(key, now_ms)

    @staticmethod
    def _found_since(account: WatchedAccount, since_ms: int) -> set[str]:
        """Executions since then in the journal, of whatever cycle's order and however found."""
        read = account.last_read()
        if read is None or account.journal is None:
            return set()
        own = account.journal.trades_since(read.state.name, since_ms + CLOCKS_MS)
        return {
            trade_key(symbol, trade_id) for symbol, trade_id in own if not settled_by_hand(trade_id)
        }

    def _weigh(self, account: WatchedAccount) -> None:
        """Wake the engine if any of the news is more than it knows."""
        for news in _latest(account.inbox.news()):
            if account.surprises(news):
                self._log.info("stream_wakes", stream=account.inbox.name, **_words(news))
                self.wake.set()

    def _note_forced(self, news: StreamNews) -> None:
        """The exchange trades for our account: told at once, found out by REST."""
        if not isinstance(news, OrderNews | TradeNews) or news.forced is None:
            return
        # Deleveragings share one client id, or have none.
        key = news.symbol, news.venue_order_id or news.client_id
        if key not in self.forced:
            self.forced[key] = news
            if len(self.forced) > FORCED_KEPT:
                del self.forced[next(iter(self.forced))]
            document = {"kind": news.forced.value, **_words(news)}
            self._log.warning("forced_order", **document)
            with contextlib.suppress(JournalError):
                self._journal.record_event("forced_order", document)

    def _note_health(self) -> None:
        """Journal what changed; a stream that stands again, or went mute, asks for a look."""
        now_ms = self._clock.now_ms()
        for one in self._inboxes:
            health, before = one.health(now_ms), self._health.get(one.name, Health.NEVER)
            reconnected = one.counts.connections != self._connections.get(one.name, 0)
            self._connections[one.name] = one.counts.connections
            mute = health is Health.MUTE and before is not Health.MUTE
            if one.name in self._tokens and (reconnected or mute):
                self.wake.set()
            down = health is Health.NEVER and one.reason and one.name not in self._since_ms
            if health is before and not down:
                continue
            since_ms = self._since_ms.get(one.name, now_ms)
            self._health[one.name], self._since_ms[one.name] = health, now_ms
            recovered = health is Health.LIVE
            if not recovered and not down and before is Health.NEVER:
                continue  # just connected, and not reconciled yet
            document = {
                "stream": one.name,
                "health": health.value,
                "before": before.value,
                "seconds": max(0, now_ms - since_ms) / 1000,
                "reason": "" if recovered else one.reason,
            }
            self._record("stream_recovered" if recovered else "stream_gap", document)

    def _record(self, kind: str, document: Mapping[str, Any]) -> None:
        say = self._log.info if kind == "stream_recovered" else self._log.warning
        say(kind, **document)
        # A journal that fails ends the engine where it trades; here it must not end the watch.
        with contextlib.suppress(JournalError):
            state = {"epoch": self._journal.epoch, "streams": self.document()}
            self._journal.record_change(kind, document, META_KEY, state)


def _latest(news: Sequence[StreamNews]) -> list[StreamNews]:
    """Without positions that have moved on since."""
    newest = {(one.symbol, one.position_side): one for one in news if isinstance(one, PositionNews)}
    kept = set(map(id, newest.values()))
    return [one for one in news if not isinstance(one, PositionNews) or id(one) in kept]


def _words(news: StreamNews) -> dict[str, Any]:
    """A piece of news in a log line."""
    found = {name: str(getattr(news, name)) for name in _TOLD if hasattr(news, name)}
    return {"news": type(news).__name__.removesuffix("News").lower(), **found}
