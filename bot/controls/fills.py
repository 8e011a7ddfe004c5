"""Looks at every booked fill once, and keeps those of a day for cost, turnover and slippage."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from bot.controls.facts import Denied, PretradeLimits
from bot.controls.review import Reviewed, bad_price, reference_of, slippage, spending
from bot.controls.state import Remembered
from bot.journal.journal import Journal
from bot.ports import Clock

DAY_MS = 86_400_000
_MOST_MARKS = 1000
_DEFECTS = ("order_overfilled", "fill_contradiction")

Found = Iterator[tuple[str, Denied]]


@dataclass(frozen=True, slots=True)
class _Turnover:
    """What was added up last: asked for at every order, and mostly the same.

    Attributes:
        newest: row of the newest fill by then.
        start_ms, oldest_ms: where the window began, and the first fill in it; None without any.
    """

    newest: int | None
    start_ms: int
    oldest_ms: int | None
    usd: Decimal

    def holds(self, start_ms: int) -> bool:
        """A window that begins then has the same fills in it, as far as none are new."""
        return self.start_ms <= start_ms and (self.oldest_ms is None or start_ms <= self.oldest_ms)


class FillReview:
    """The fills of one account."""

    def __init__(
        self, journal: Journal, clock: Clock, account: str, limits: Callable[[], PretradeLimits]
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._account = account
        self._limits = limits
        self._marks: dict[str, Decimal] = {}
        self._day: list[Reviewed] = []
        self._unread: list[tuple[int, Reviewed]] = []
        self._newest: int | None = None
        self._turnover: _Turnover | None = None

    def note_mark(self, client_id: str, mark: Decimal) -> None:
        """The mark price when an order was sent."""
        self._marks[client_id] = mark
        while len(self._marks) > _MOST_MARKS:
            del self._marks[next(iter(self._marks))]

    def turnover_usd(self, resumed_ms: int) -> Decimal:
        """Notional of the fills of the last 24 hours, or since the last resume."""
        self._read()
        start_ms = max(self._clock.now_ms() - DAY_MS, resumed_ms)
        kept = self._turnover
        if kept is None or kept.newest != self._newest or not kept.holds(start_ms):
            rows = self._since(DAY_MS, resumed_ms)
            oldest_ms = min((one.own.fill.timestamp_ms for one in rows), default=None)
            usd = sum((one.notional_usd for one in rows), Decimal(0))
            self._turnover = kept = _Turnover(self._newest, start_ms, oldest_ms, usd)
        return kept.usd

    def review(self, state: Remembered, equity_usd: float) -> Found:
        """What controls have to say of new fills, each with its symbol."""
        self._read()
        fresh = [(n, one) for n, one in self._unread if n > state.reviewed_fill]
        self._unread = []
        yield from self._defects(state)
        for number, one in fresh:
            state.reviewed_fill = max(state.reviewed_fill, number)
            symbol = one.own.fill.symbol
            found = bad_price(one, self._limits(), at_send=one.order.client_id in self._marks)
            if found is not None:
                yield symbol, found
            if one.own.fill.fee_usd is None:
                text = f"{symbol}: the exchange tells no fee of trade {one.own.fill.trade_id}"
                yield symbol, Denied("missing_fee", text)
        if fresh:
            yield from self._slipped(state, {one.own.fill.symbol for _, one in fresh})
        yield from self._spent(state, equity_usd)

    def _slipped(self, state: Remembered, symbols: set[str]) -> Found:
        """By all fills of these symbols in the window."""
        window = self._since(self._limits().slippage_window_ms, state.resumed_ms)
        for symbol in sorted(symbols):
            found = slippage(
                symbol, [o for o in window if o.own.fill.symbol == symbol], self._limits()
            )
            if found is not None:
                yield symbol, found

    def _spent(self, state: Remembered, equity_usd: float) -> Found:
        since_ms = max(self._clock.now_ms() - DAY_MS, state.resumed_ms)
        funding = self._journal.funding_receipts(self._account, since_ms)
        found = spending(self._since(DAY_MS, state.resumed_ms), funding, equity_usd, self._limits())
        if found is not None:
            yield "", found

    def _defects(self, state: Remembered) -> Found:
        """What the journal itself found wrong when it booked."""
        newest = self._journal.newest_event()
        if newest == state.seen_event:
            return
        found = self._journal.events_of(_DEFECTS, state.seen_event)
        for event in sorted(found, key=lambda one: _DEFECTS.index(one.kind)):
            symbol = str(event.document.get("symbol", ""))
            order, kind = event.client_id or event.document.get("reason", ""), event.kind
            yield symbol, Denied(kind, f"{symbol}: {kind.replace('_', ' ')}: {order}")
        state.seen_event = newest

    def _read(self) -> None:
        """Takes in what was booked since the last time."""
        start_ms = 0 if self._newest is not None else self._clock.now_ms() - DAY_MS
        rows = self._journal.fills_with_orders(
            self._account, after=self._newest or 0, since_ms=max(0, start_ms)
        )
        if self._newest is None:
            self._newest = self._journal.newest_fill()
        fresh = []
        for number, own, order, inputs in rows:
            reference = reference_of(order.client_id, self._marks, inputs)
            fresh.append((number, Reviewed(own, order, reference)))
            self._newest = max(self._newest, number)
        self._day += [one for _, one in fresh]
        self._unread += fresh

    def _since(self, window_ms: int, resumed_ms: int) -> list[Reviewed]:
        now_ms = self._clock.now_ms()
        oldest_ms = now_ms - DAY_MS
        if self._day and self._day[0].timestamp_ms < oldest_ms:
            self._day = [one for one in self._day if one.timestamp_ms >= oldest_ms]
        start_ms = max(now_ms - window_ms, resumed_ms)
        return [one for one in self._day if one.timestamp_ms >= start_ms]
