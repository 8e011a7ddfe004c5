"""One stream as the engine sees it: what it told, whether it can be believed, what it asks for.

Pure: no clock, no socket. Whoever receives (a task on a websocket, the fault simulation) tells the
inbox what happened and when, by the local clock, and the engine asks. How to use it:

    inbox = StreamInbox("user", mute_ms=15_000)
    inbox.connected(now_ms)              # subscribed; also after each reconnect
    inbox.take_in(news, now_ms)          # each piece; duplicates and late ones change nothing
    inbox.heartbeat(now_ms)              # a pong or an empty frame
    inbox.exchange_moved(now_ms)         # anything that proves the exchange to be at work
    inbox.expect(client_id, now_ms)      # REST told of an order that this stream must tell too;
    inbox.expect(trade_key(symbol, trade_id), now_ms)  # of a fill the same
    inbox.disconnected(now_ms, "reset")  # or inbox.key_expired(now_ms)

    inbox.health(now_ms)                 # Health.LIVE, NEVER, GAP, MUTE or EXPIRED
    inbox.news()                         # what is new since the last call, by transaction time
    if inbox.must_reconcile(now_ms):     # after every gap, reconnect, expiry and mute time
        token = inbox.reconciling()      # before REST is asked
        ...                              # orders, fills, positions, money by REST, all of them
        inbox.reconciled(token)          # only when all of it was read

Nothing that a stream does not tell is proven by it: an order may be absent only by REST.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bot.venues.streams.news import OrderNews, StreamNews, TradeNews
from bot.venues.streams.seen import Seen

WAITING_NEWS: Final = 10_000
"""More than that, not taken by anybody, is dropped, and asks for a reconciliation instead."""
_EXPECTED: Final = 1_000
CONFIRM_MS: Final = 1_000
"""A stream that seems mute must still seem so this much later: after a while in which the engine
itself stood still, what had come in is read only then."""


def trade_key(symbol: str, trade_id: str) -> str:
    """How an execution is expected."""
    return f"{symbol} {trade_id}"


class Health(StrEnum):
    """Whether a stream can be believed to tell what happens.

    ``LIVE``: connected, and reconciled by REST since. ``NEVER``: not yet connected. ``GAP``: cut
    off, or connected again and not reconciled since. ``MUTE``: connected, but it does not tell
    what happens. ``EXPIRED``: its key ended; a new connection is needed.
    """

    LIVE = "live"
    NEVER = "never connected"
    GAP = "gap"
    MUTE = "mute"
    EXPIRED = "expired"


@dataclass(slots=True)
class StreamCounts:
    """What happened to a stream so far."""

    connections: int = 0
    gaps: int = 0
    mutes: int = 0
    expiries: int = 0
    received: int = 0
    duplicates: int = 0
    reconciliations: int = 0


@dataclass(slots=True)
class StreamInbox:
    """News of one stream, and its health; all times are UTC milliseconds of the local clock.

    Attributes:
        name: ``user`` or ``market``.
        mute_ms: so long it may say nothing while the exchange is at work.
        reason: of the last cut, one line.
    """

    name: str
    mute_ms: int
    counts: StreamCounts = field(default_factory=StreamCounts)
    reason: str = ""
    _connected: bool = False
    _expired: bool = False
    _mute: bool = False
    _untold: bool = False
    _suspect_ms: int | None = None
    _epoch: int = 0
    _reconciled_epoch: int | None = None
    _sign_ms: int = 0
    _whole_ms: int = 0
    _moved_ms: int = 0
    _expected: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _told: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _news: list[StreamNews] = field(default_factory=list)
    _seen: Seen = field(default_factory=Seen)

    def connected(self, at_ms: int) -> None:
        """A connection stands and is subscribed; what came before it may have been missed."""
        self.counts.connections += 1
        self._connected = True
        self._expired = self._mute = self._untold = False
        self._suspect_ms = None
        self._expected.clear()
        self._sign_ms = self._moved_ms = self._whole_ms = at_ms
        self._epoch += 1

    def disconnected(self, at_ms: int, reason: str) -> None:
        """The connection ended, or an attempt failed."""
        del at_ms
        if self._connected:
            self.counts.gaps += 1
            self._epoch += 1
        self._connected = self._mute = self._untold = False
        self.reason = reason

    def key_expired(self, at_ms: int) -> None:
        """The exchange says that the key of this stream has ended: nothing more will come."""
        if self._expired:
            return
        self.disconnected(at_ms, "its key has expired")
        self.counts.expiries += 1
        self._expired = True

    def heartbeat(self, at_ms: int) -> None:
        """A sign of life without content; it does not make up for what was not told."""
        self._sign_ms = at_ms
        self._suspected(at_ms)
        if not self._untold:
            self._speaks(at_ms)

    def exchange_moved(self, at_ms: int) -> None:
        """Something else, another stream or a read by REST, proves that the exchange is at work."""
        # A clock that was set back.
        self._sign_ms, self._whole_ms = min(self._sign_ms, at_ms), min(self._whole_ms, at_ms)
        self._moved_ms = at_ms
        self._look(at_ms)

    @property
    def whole_since_ms(self) -> int:
        """Since when it has stood and spoken: what happened after that it must have told."""
        return self._whole_ms

    def expect(self, key: str, at_ms: int) -> None:
        """REST told of this order (its client id) or execution (``trade_key``) of ours.

        If the stream has not told it, it must do so within ``mute_ms``, or it is mute.
        """
        if self._connected and key not in self._told:
            self._expected.setdefault(key, at_ms)
            if len(self._expected) > _EXPECTED:
                self._expected.popitem(last=False)

    def take_in(self, news: StreamNews, at_ms: int) -> bool:
        """One piece of news, received now; whether it was new."""
        self.counts.received += 1
        self._sign_ms = at_ms
        if isinstance(news, OrderNews):
            self._note_told(news.client_id)
        elif isinstance(news, TradeNews):
            self._note_told(trade_key(news.symbol, news.trade_id))
        self._suspected(at_ms)
        if not self._expected:
            self._speaks(at_ms)
        if not self._seen.is_new(news):
            self.counts.duplicates += 1
            return False
        self._news.append(news)
        if len(self._news) > WAITING_NEWS:
            self._news.clear()
            self._epoch += 1
        return True

    def news(self) -> tuple[StreamNews, ...]:
        """All that is new since the last call, in the order in which it happened."""
        taken = tuple(sorted(self._news, key=lambda one: (one.transaction_ms, one.event_ms)))
        self._news.clear()
        return taken

    def health(self, now_ms: int) -> Health:
        """Whether it can be believed now."""
        self._look(now_ms)
        if self._expired:
            return Health.EXPIRED
        if not self.counts.connections:
            return Health.NEVER
        if self._mute:
            return Health.MUTE
        if not self._connected or self._reconciled_epoch != self._epoch:
            return Health.GAP
        return Health.LIVE

    def must_reconcile(self, now_ms: int) -> bool:
        """Something may have happened that was not told; only a look by REST finds out.

        It stays so while the stream is down or mute: then REST alone tells.
        """
        return self.health(now_ms) is not Health.LIVE

    def reconciling(self) -> int:
        """A token for ``reconciled``, to be taken before REST is asked."""
        return self._epoch

    def reconciled(self, token: int) -> None:
        """REST has told everything, asked after ``token`` was taken.

        Counts only if the stream has stood, and spoken, ever since: otherwise what happened in
        between may still be missing.
        """
        self.counts.reconciliations += 1
        if self._mute:  # what it was expected to tell has shown what it is worth
            self._expected.clear()
        if token == self._epoch:
            self._reconciled_epoch = token

    def _speaks(self, at_ms: int) -> None:
        """It is not mute, or no more; what it kept back meanwhile is found by REST."""
        if self._mute:
            self._mute = self._untold = False
            self._whole_ms = at_ms
            self._epoch += 1

    def _note_told(self, key: str) -> None:
        self._expected.pop(key, None)
        self._told[key] = None
        if len(self._told) > _EXPECTED:
            self._told.popitem(last=False)

    def _look(self, now_ms: int) -> None:
        """Find out whether it has gone mute."""
        if not self._connected or self._mute:
            return
        oldest = next(iter(self._expected.values()), now_ms)
        if oldest > now_ms:  # a clock that was set back
            self._expected = OrderedDict.fromkeys(self._expected, now_ms)
        since_ms = self._suspected(now_ms)
        if since_ms is None or now_ms - since_ms < CONFIRM_MS:
            return
        self.counts.mutes += 1
        self._mute, self._untold = True, self._keeps_back(now_ms)
        self._epoch += 1
        what = "what REST tells" if self._untold else "anything"
        self.reason = f"it does not tell {what} while the exchange is at work"

    def _suspected(self, now_ms: int) -> int | None:
        """Since when it has seemed mute without a break; None where it does not."""
        silent = self._moved_ms - self._sign_ms > self.mute_ms
        if not (silent or self._keeps_back(now_ms)):
            self._suspect_ms = None
        elif self._suspect_ms is None or self._suspect_ms > now_ms:
            self._suspect_ms = now_ms
        return self._suspect_ms

    def _keeps_back(self, now_ms: int) -> bool:
        """It should have told something long ago."""
        oldest = next(iter(self._expected.values()), now_ms)
        return now_ms - oldest > self.mute_ms
