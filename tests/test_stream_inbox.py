"""The inbox: what it tells apart, when it may be believed, and that it never claims too much."""

import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.trading.orders import OrderState, Side
from bot.venues.sim.errors import VenueReject
from bot.venues.sim.records import TimeInForce
from bot.venues.streams.from_exchange import news_of
from bot.venues.streams.inbox import CONFIRM_MS, Health, StreamInbox, trade_key
from bot.venues.streams.news import (
    MarginNews,
    MoneyNews,
    OrderNews,
    PositionNews,
    SettingsNews,
    StreamNews,
    TradeNews,
)
from tests.sim_scene import FET, TAO, Scene

MUTE_MS = 5_000


def order(state: OrderState, filled: str, at_ms: int, client_id: str = "h1a") -> OrderNews:
    """A state of one order."""
    return OrderNews(at_ms, at_ms, FET, client_id, "77", state, Decimal(filled))


def trade(number: int, at_ms: int) -> TradeNews:
    """One execution of that order."""
    one = Decimal(1)
    return TradeNews(at_ms, at_ms, FET, str(number), "h1a", "77", Side.SELL, one, one)


def live() -> StreamInbox:
    """Connected at 0 and reconciled."""
    inbox = StreamInbox("user", MUTE_MS)
    inbox.connected(0)
    inbox.reconciled(inbox.reconciling())
    return inbox


def twice(inbox: StreamInbox, at_ms: int) -> Health:
    """Its health when it has been looked at, and once more as much later as muteness takes."""
    inbox.health(at_ms)
    return inbox.health(at_ms + CONFIRM_MS)


def test_it_is_believed_only_after_a_reconciliation_that_began_since_it_stands() -> None:
    inbox = StreamInbox("user", MUTE_MS)
    assert inbox.health(0) is Health.NEVER
    early = inbox.reconciling()
    inbox.connected(10)
    assert inbox.health(10) is Health.GAP
    inbox.reconciled(early)  # began before the connection stood: something may be missing
    assert inbox.must_reconcile(20)
    inbox.reconciled(inbox.reconciling())
    assert inbox.health(30) is Health.LIVE
    assert not inbox.must_reconcile(30)


def test_a_cut_asks_for_rest_until_it_was_asked_after_the_next_connection() -> None:
    inbox = live()
    inbox.disconnected(100, "connection reset")
    assert (inbox.health(100), inbox.reason) == (Health.GAP, "connection reset")
    inbox.reconciled(inbox.reconciling())
    assert inbox.health(110) is Health.GAP  # down: REST alone tells
    token = inbox.reconciling()
    inbox.connected(120)
    inbox.disconnected(130, "again")
    inbox.connected(140)
    inbox.reconciled(token)
    assert inbox.health(150) is Health.GAP
    inbox.reconciled(inbox.reconciling())
    assert inbox.health(160) is Health.LIVE
    assert (inbox.counts.connections, inbox.counts.gaps) == (3, 2)


def test_silence_is_muteness_only_while_the_exchange_is_at_work() -> None:
    inbox = live()
    assert inbox.health(10 * MUTE_MS) is Health.LIVE  # nothing says that anything happened
    inbox.exchange_moved(10 * MUTE_MS)
    assert twice(inbox, 10 * MUTE_MS) is Health.MUTE
    inbox.heartbeat(10 * MUTE_MS + CONFIRM_MS)
    assert inbox.health(10 * MUTE_MS + CONFIRM_MS) is Health.GAP  # what it kept back is not known
    inbox.reconciled(inbox.reconciling())
    inbox.exchange_moved(11 * MUTE_MS)
    assert inbox.health(11 * MUTE_MS) is Health.LIVE


def test_a_heartbeat_does_not_make_up_for_what_is_not_told() -> None:
    inbox = live()
    inbox.expect("h1a", 1_000)
    inbox.heartbeat(1_000 + MUTE_MS)
    assert twice(inbox, 1_000 + MUTE_MS - CONFIRM_MS) is Health.LIVE
    assert twice(inbox, 1_001 + MUTE_MS) is Health.MUTE
    inbox.reconciled(inbox.reconciling())
    inbox.heartbeat(9_000)
    assert inbox.health(9_000) is Health.MUTE
    inbox.take_in(order(OrderState.LIVE, "0", 9_100), 9_100)
    assert inbox.health(9_100) is Health.GAP
    inbox.reconciled(inbox.reconciling())
    assert inbox.health(9_200) is Health.LIVE


def test_looking_by_rest_again_and_again_does_not_excuse_a_stream() -> None:
    inbox = live()
    inbox.expect("h1a", 1_000)
    for at_ms in range(1_000, 1_000 + MUTE_MS, 500):
        inbox.heartbeat(at_ms)
        inbox.reconciled(inbox.reconciling())
    assert twice(inbox, 1_001 + MUTE_MS) is Health.MUTE


def test_what_was_told_before_rest_told_it_is_not_waited_for() -> None:
    inbox = live()
    inbox.take_in(order(OrderState.FILLED, "2", 50), 50)  # the fill comes before the ack
    inbox.take_in(trade(1, 50), 50)
    inbox.expect("h1a", 60)
    inbox.expect(trade_key(FET, "1"), 60)
    assert twice(inbox, 60 + 2 * MUTE_MS) is Health.LIVE
    inbox.expect(trade_key(FET, "2"), 70)
    assert twice(inbox, 71 + MUTE_MS) is Health.MUTE


@pytest.mark.parametrize("expected", [False, True])
def test_an_engine_that_stood_still_reads_first_what_came_in_meanwhile(expected: bool) -> None:
    """Looks come before the news that have waited on the line, however long they have."""
    inbox, woken_ms = live(), 20 * MUTE_MS
    if expected:
        inbox.expect("h1a", 1_000)
    for late_ms in (0, 1, 400):
        inbox.exchange_moved(woken_ms + late_ms)
        assert inbox.health(woken_ms + late_ms) is Health.LIVE
    inbox.heartbeat(woken_ms + 500)
    inbox.take_in(order(OrderState.LIVE, "0", woken_ms), woken_ms + 500)
    assert twice(inbox, woken_ms + CONFIRM_MS) is Health.LIVE
    assert inbox.counts.mutes == 0
    # What was suspected then is forgotten: the next silence is judged for itself.
    inbox.exchange_moved(2 * woken_ms)
    assert inbox.health(2 * woken_ms) is Health.LIVE
    assert inbox.health(2 * woken_ms + CONFIRM_MS) is Health.MUTE


def test_an_expired_key_needs_a_new_connection() -> None:
    inbox = live()
    inbox.key_expired(10)
    inbox.key_expired(11)
    inbox.disconnected(12, "closed")
    assert inbox.health(20) is Health.EXPIRED
    inbox.connected(30)
    assert inbox.health(30) is Health.GAP
    assert (inbox.counts.expiries, inbox.counts.gaps) == (1, 1)


def test_a_clock_that_is_set_back_neither_hides_muteness_nor_makes_it_up() -> None:
    inbox = StreamInbox("user", MUTE_MS)
    inbox.connected(1_000_000)
    inbox.reconciled(inbox.reconciling())
    inbox.expect("h1a", 1_000_000)
    inbox.exchange_moved(400_000)
    assert twice(inbox, 400_000) is Health.LIVE
    assert twice(inbox, 400_001 + MUTE_MS) is Health.MUTE


def test_duplicates_and_what_comes_late_change_nothing() -> None:
    inbox = live()
    told: list[StreamNews] = [
        trade(1, 100),
        order(OrderState.FILLED, "2", 120),
        order(OrderState.PARTIAL, "1", 100),  # late
        order(OrderState.LIVE, "0", 90),  # later still
        trade(2, 120),
        trade(1, 100),
        order(OrderState.FILLED, "2", 120),
    ]
    assert [inbox.take_in(one, 200) for one in told] == [
        True,
        True,
        False,
        False,
        True,
        *[False] * 2,
    ]
    assert inbox.news() == (told[0], told[1], told[4])
    assert inbox.news() == ()
    assert inbox.counts.duplicates == 4


def test_news_come_in_the_order_in_which_things_happened() -> None:
    inbox = live()
    for number, at_ms in ((3, 300), (1, 100), (2, 200)):
        inbox.take_in(trade(number, at_ms), 400)
    assert [one.trade_id for one in inbox.news() if isinstance(one, TradeNews)] == ["1", "2", "3"]


def test_positions_money_and_settings_follow_the_latest_transaction() -> None:
    inbox = live()
    five, six = Decimal(5), Decimal(6)
    assert inbox.take_in(PositionNews(20, 20, FET, "BOTH", five), 30)
    assert not inbox.take_in(PositionNews(10, 10, FET, "BOTH", six), 30)
    assert inbox.take_in(PositionNews(20, 20, FET, "BOTH", six), 30)  # two fills in one moment
    assert inbox.take_in(MoneyNews(20, 20, "ORDER", five), 30)
    assert not inbox.take_in(MoneyNews(20, 20, "ORDER", five), 30)
    assert inbox.take_in(SettingsNews(20, 20, FET, "leverage", "7"), 30)
    assert inbox.take_in(MarginNews(20, 20, (FET,)), 30)
    assert not inbox.take_in(MarginNews(19, 19, (FET,)), 30)


def test_news_that_nobody_takes_are_not_kept_for_ever() -> None:
    inbox = live()
    for number in range(10_001):
        inbox.take_in(trade(number, number), number)
    assert len(inbox.news()) == 0
    assert inbox.health(20_000) is Health.GAP


class Line:
    """A real exchange's bus, a stream that loses, repeats and delays, and REST beside it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.scene = Scene()
        self.account = self.scene.account("hedge")
        self.inbox = StreamInbox("user", MUTE_MS)
        self.up = False
        self.lossy = False
        self.told: list[StreamNews] = []
        self.delayed: list[StreamNews] = []
        self.orders: dict[str, tuple[bool, Decimal]] = {}
        self.trades: set[str] = set()
        self.read: set[str] = set()
        self.scene.exchange.bus.listen(
            lambda event: [self.arrive(one) for one in news_of(event, "hedge")] and None
        )

    @property
    def now_ms(self) -> int:
        return self.scene.clock.now_ms()

    def arrive(self, one: StreamNews) -> None:
        if not self.up or (self.lossy and self.random.random() < 0.4):
            return
        if self.random.random() < 0.5:
            self.delayed.append(one)
        else:
            self.deliver(one)

    def deliver(self, one: StreamNews) -> None:
        for _ in range(self.random.choice((1, 1, 2))):
            self.told.append(one)
            self.inbox.take_in(one, self.now_ms)

    def flush(self) -> None:
        self.random.shuffle(self.delayed)
        for one in self.delayed:
            self.deliver(one)
        self.delayed.clear()
        for one in self.inbox.news():
            if isinstance(one, OrderNews):
                before = self.orders.get(one.venue_order_id, (False, Decimal(-1)))
                mine = (one.state.final, one.filled_quantity)
                assert mine >= before  # news never lead back
                self.orders[one.venue_order_id] = mine
            elif isinstance(one, TradeNews):
                assert one.trade_id not in self.trades - self.read
                self.trades.add(one.trade_id)

    def trade(self) -> None:
        side = self.random.choice((Side.BUY, Side.SELL))
        symbol = self.random.choice((FET, TAO))
        price, lots = ("1.0000", "40") if symbol == FET else ("400.00", "0.40")
        tif = self.random.choice((TimeInForce.IOC, TimeInForce.GTC))
        try:
            self.scene.limit(self.account, symbol, side, lots, price, tif)
        except VenueReject:
            return
        self.scene.after(700, {symbol: float(price) * self.random.uniform(0.999, 1.001)})

    def truth(self) -> tuple[dict[str, tuple[bool, Decimal]], set[str]]:
        orders = {
            str(k): (not o.status.open, o.filled_quantity) for k, o in self.account.orders.items()
        }
        return orders, {str(t.trade_id) for t in self.account.trades}

    def reconcile(self, between: bool) -> None:
        """By REST; ``between``: the stream breaks and stands again while it is asked."""
        token = self.inbox.reconciling()
        orders, trades = self.truth()
        if between:
            self.cut()
            self.trade()
            self.connect()
            self.trade()
        self.flush()
        for key, value in orders.items():
            self.orders[key] = max(value, self.orders.get(key, value))
        self.trades |= trades
        self.read |= trades
        self.inbox.reconciled(token)

    def connect(self) -> None:
        self.up = True
        self.inbox.connected(self.now_ms)

    def cut(self) -> None:
        self.up = False
        self.delayed.clear()
        self.inbox.disconnected(self.now_ms, "cut")


STEPS = st.lists(
    st.sampled_from(["trade", "trade", "trade", "connect", "cut", "reconcile", "overlap", "flush"]),
    min_size=5,
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(0, 10_000))
def test_a_live_stream_with_its_reconciliations_misses_nothing(steps: list[str], seed: int) -> None:
    line = Line(seed)
    for step in steps:
        if step in ("reconcile", "overlap"):
            line.reconcile(between=step == "overlap" and line.up)
        elif step != "connect" or not line.up:
            getattr(line, step)()
    line.flush()
    if line.inbox.health(line.now_ms) is Health.LIVE:
        assert (line.orders, line.trades) == line.truth()
    else:
        assert line.inbox.must_reconcile(line.now_ms)
    distinct = {(one.symbol, one.trade_id) for one in line.told if isinstance(one, TradeNews)}
    told = [one for one in line.told if isinstance(one, TradeNews)]
    assert line.inbox.counts.duplicates >= len(told) - len(distinct)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_what_is_lost_without_a_sign_shows_as_muteness_once_rest_tells(seed: int) -> None:
    line = Line(seed)
    line.connect()
    line.reconcile(between=False)
    line.lossy = True
    for _ in range(6):
        line.trade()
        line.flush()
        for client_id in {order.client_id for order in line.account.orders.values()}:
            line.inbox.expect(client_id, line.now_ms)
        for one in line.account.trades:
            line.inbox.expect(trade_key(one.symbol, str(one.trade_id)), line.now_ms)
    line.flush()
    complete = line.truth()[1] == line.trades
    line.inbox.health(line.now_ms + MUTE_MS + 1)
    later_ms = line.now_ms + MUTE_MS + 1 + CONFIRM_MS
    if line.inbox.health(later_ms) is Health.LIVE:
        assert complete
    assert complete or line.inbox.must_reconcile(later_ms)
