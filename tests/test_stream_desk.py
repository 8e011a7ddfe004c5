"""What the desk expects a stream to tell: nothing from before its line was cut."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.logs import silent_log
from bot.records.cycle import CycleRecord, CycleStatus, FillRecord, OrderRecord
from bot.records.summary import fill_records
from bot.trading.orders import OrderState, Side, UnknownOutcome
from bot.trading.settling import Settlement
from bot.trading.venue_closes import CloseKind
from bot.venues.streams.desk import CLOCKS_MS, StreamDesk
from bot.venues.streams.inbox import CONFIRM_MS, Health, StreamInbox
from bot.venues.streams.news import OrderNews, TradeNews
from bot.venues.streams.watched import WatchedAccount
from tests.execute_scene import ACCOUNT, FET, account, acknowledged, fill, order, send

NOW_MS, MUTE_MS = 1_767_225_600_000, 5_000
ORDER = OrderRecord("h1a", "FET/USDT:USDT", "sell", "1", "1", False, "filled", "1", "")
RECORD = CycleRecord("c1", "", NOW_MS, CycleStatus.HEDGED, "", equity_usd=1.0, orders=(ORDER,))


@pytest.mark.parametrize(("cut", "health"), [(False, Health.MUTE), (True, Health.LIVE)])
def test_an_order_from_before_a_cut_is_expected_of_no_stream(
    tmp_path: Path, cut: bool, health: Health
) -> None:
    clock, inbox = SimulatedClock(NOW_MS), StreamInbox("user", MUTE_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        desk = StreamDesk(journal, clock, silent_log(clock), spacing_ms=100)
        desk.add_account(WatchedAccount(inbox, lambda: None, journal))
        inbox.connected(NOW_MS)
        desk.cycle_begins()
        if cut:  # while the order filled
            inbox.disconnected(NOW_MS, "reset")
            inbox.connected(NOW_MS)
        desk.cycle_ended(RECORD)
        desk.cycle_begins()
        desk.cycle_ended(CycleRecord("c2", "", NOW_MS, CycleStatus.NO_HEDGE, "", equity_usd=1.0))
        assert inbox.health(NOW_MS) is Health.LIVE
        assert inbox.health(NOW_MS + MUTE_MS + 1) is Health.LIVE
        assert inbox.health(NOW_MS + MUTE_MS + 1 + CONFIRM_MS) is health


@dataclass
class Found:
    """A stream that stands since NOW_MS, and an order of whose fills only REST tells, later."""

    journal: Journal
    clock: SimulatedClock
    inbox: StreamInbox
    desk: StreamDesk

    def cycle(self, *fills: FillRecord) -> None:
        self.desk.cycle_begins()
        now_ms = self.clock.now_ms()
        quiet = CycleRecord("c", "", now_ms, CycleStatus.NO_HEDGE, "", equity_usd=1.0, fills=fills)
        self.desk.cycle_ended(quiet)

    def books(self, at_ms: int) -> None:
        """Reconciliation finds the execution that happened then."""
        send(self.journal, order())
        self.journal.record_outcome(acknowledged(order()))
        self.journal.record_fills(ACCOUNT, FET, [fill(at=at_ms)], read_ms=self.clock.now_ms())

    def tells(self, trade_id: str = "t1") -> bool:
        """The stream tells of it, or of another one."""
        now_ms, one = self.clock.now_ms(), Decimal(1)
        news = TradeNews(now_ms, now_ms, FET, trade_id, "h1order", "v1", Side.SELL, one, one)
        return self.inbox.take_in(news, now_ms)

    def after(self, milliseconds: int) -> Health:
        """The stream's health then, and confirmed; the exchange works, and pings are answered."""
        for step_ms in (milliseconds, CONFIRM_MS):
            self.clock.advance_to(self.clock.now_ms() + step_ms)
            self.inbox.heartbeat(self.clock.now_ms())
            self.inbox.exchange_moved(self.clock.now_ms())
        return self.inbox.health(self.clock.now_ms())


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Found]:
    clock, inbox = SimulatedClock(NOW_MS), StreamInbox("user", MUTE_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        journal.start_epoch()
        desk = StreamDesk(journal, clock, silent_log(clock), spacing_ms=100)
        desk.add_account(WatchedAccount(inbox, account, journal))
        inbox.connected(NOW_MS)
        scene = Found(journal, clock, inbox, desk)
        scene.cycle()
        scene.after(60_000)
        yield scene


def test_what_an_earlier_cycles_order_filled_is_expected_once_rest_tells_of_it(
    found: Found,
) -> None:
    found.books(NOW_MS + 30_000)
    found.cycle()
    assert found.after(MUTE_MS - CONFIRM_MS) is Health.LIVE
    assert found.after(1) is Health.MUTE


def test_what_the_stream_told_before_rest_found_it_is_not_expected(found: Found) -> None:
    assert found.tells()
    found.books(NOW_MS + 30_000)
    found.cycle()
    assert found.after(MUTE_MS + 1) is Health.LIVE


@pytest.mark.parametrize("again", [False, True])
def test_what_happened_before_it_stood_is_not_expected(found: Found, again: bool) -> None:
    at_ms = NOW_MS + (30_000 if again else CLOCKS_MS - 1)
    if again:
        found.inbox.disconnected(found.clock.now_ms(), "reset")
        found.inbox.connected(found.clock.now_ms())
        found.cycle()
    found.books(at_ms)
    found.cycle()
    assert found.after(MUTE_MS + 1) is Health.LIVE


@pytest.mark.parametrize(("at_ms", "health"), [(-60_000, Health.LIVE), (30_000, Health.MUTE)])
def test_of_what_a_cycle_booked_only_that_is_expected_which_happened_since(
    found: Found, at_ms: int, health: Health
) -> None:
    """Also where the cycle names an execution from long before it as its own."""
    found.books(NOW_MS + at_ms)
    found.cycle(*fill_records([fill()]))
    assert found.after(MUTE_MS + 1) is health


def test_what_an_operator_said_is_told_by_no_exchange(found: Found) -> None:
    """An order of a minute ago that was settled by hand: nothing is wrong with the stream."""
    send(found.journal, order())
    found.journal.record_outcome(UnknownOutcome("h1order", "no reply"))
    found.journal.settle("h1order", OrderState.QUARANTINED, "the account changed")
    found.journal.settle_by_hand(Settlement("h1order", Decimal(400), Decimal("0.5"), "ann", "seen"))
    assert found.journal.own_fills(ACCOUNT, NOW_MS + CLOCKS_MS)
    found.cycle()
    assert found.after(MUTE_MS + 1) is Health.LIVE


def test_a_mute_stream_is_believed_again_when_it_has_spoken_and_rest_has_looked(
    found: Found,
) -> None:
    """What it kept back once is not held against it for ever."""
    found.books(NOW_MS + 30_000)
    found.cycle()
    assert found.after(MUTE_MS + 1) is Health.MUTE
    found.cycle()
    assert found.tells("t2")
    found.cycle()
    assert [found.after(MUTE_MS + 1) for _ in range(3)] == [Health.LIVE] * 3


@pytest.mark.parametrize("client_id", ["adl_autoclose", ""])
def test_each_forced_order_is_told_once_whatever_it_is_called(found: Found, client_id: str) -> None:
    """Binance gives every deleveraging the same client id, and others give none."""
    watched = WatchedAccount(found.inbox, account, found.journal)

    def tell(number: int, state: OrderState) -> None:
        now_ms, kind = found.clock.now_ms() + number, CloseKind.ADL
        news = OrderNews(now_ms, now_ms, FET, client_id, f"v{number}", state, Decimal(0), kind)
        found.desk.told(watched, news)

    for number in (1, 2):
        tell(number, OrderState.LIVE)
        tell(number, OrderState.FILLED)
    told = [one.document for one in found.journal.events(kind="forced_order")]
    assert [one["symbol"] for one in told] == [FET, FET]
    assert [one["venue_order_id"] for one in told] == ["v1", "v2"]
