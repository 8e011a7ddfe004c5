"""The event bus: every change is told once, in order, and what is told adds up to what is true."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.trading.orders import Side
from bot.venues.sim.account import SimAccount
from bot.venues.sim.errors import VenueReject
from bot.venues.sim.events import (
    AccountChanged,
    Execution,
    LeverageChanged,
    MarginCalled,
    MarketMoved,
    OrderChanged,
    Reason,
    SimEvent,
)
from bot.venues.sim.records import MarginType, OrderStatus, PositionSide, TimeInForce
from tests.sim_scene import BTC, FET, HOUR_MS, TAO, Scene


class Heard(list[SimEvent]):
    """A scene whose exchange is listened to from the start."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene()
        self.stop: Callable[[], None] = self.scene.exchange.bus.listen(self.append)

    def orders(self) -> list[tuple[Execution, OrderStatus]]:
        """Executions and states, in order."""
        return [(e.execution, e.order.status) for e in self if isinstance(e, OrderChanged)]

    def accounts(self) -> list[AccountChanged]:
        """Changes of accounts, in order."""
        return [e for e in self if isinstance(e, AccountChanged)]


def test_a_taker_is_told_as_new_then_filled_then_over() -> None:
    heard = Heard()
    account = heard.scene.account()
    heard.scene.limit(account, FET, Side.BUY, "500", "1.0100", TimeInForce.IOC)
    told = heard.orders()
    assert told[0] == (Execution.NEW, OrderStatus.NEW)
    assert {execution for execution, _ in told[1:]} == {Execution.TRADE}
    assert told[-1][1] is OrderStatus.FILLED
    trades = [e.trade for e in heard if isinstance(e, OrderChanged) and e.trade is not None]
    assert trades == account.trades
    assert sum(t.quantity for t in trades) == 500
    last = heard.accounts()[-1]
    assert last.reason is Reason.ORDER
    assert last.wallet_usd == account.wallet_usd
    assert [(p.symbol, p.quantity) for p in last.positions] == [(FET, Decimal(500))]


def test_a_trade_bears_one_time_however_long_it_takes_to_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a clock that moves each time it is read, as a slow machine's does."""
    heard = Heard()
    account, clock = heard.scene.account(), heard.scene.clock
    still = clock.now_ms

    def moving() -> int:
        clock.advance_to(still() + 1)
        return still()

    monkeypatch.setattr(clock, "now_ms", moving)
    heard.scene.limit(account, FET, Side.BUY, "500", "1.0100", TimeInForce.IOC)
    told = {e.order.updated_ms: e for e in heard if isinstance(e, OrderChanged) and e.trade}
    assert told
    assert [e.stamp.transaction_ms for e in heard.accounts()] == list(told)
    for at_ms, event in told.items():
        assert event.trade is not None
        assert event.stamp.transaction_ms == event.trade.timestamp_ms == at_ms
        assert event.stamp.event_ms > at_ms


def test_what_an_ioc_leaves_expires_and_what_rests_is_cancelled() -> None:
    heard = Heard()
    scene = heard.scene
    account = scene.account()
    scene.limit(account, FET, Side.BUY, "500", "0.9500", TimeInForce.IOC)
    assert heard.orders() == [
        (Execution.NEW, OrderStatus.NEW),
        (Execution.EXPIRED, OrderStatus.EXPIRED),
    ]
    heard.clear()
    resting = scene.limit(account, FET, Side.BUY, "500", "0.9500")
    scene.exchange.amend(
        account, FET, order_id=resting.order_id, side=Side.BUY,
        quantity=Decimal(400), price=Decimal("0.96"),
    )  # fmt: skip
    scene.exchange.cancel(account, FET, order_id=resting.order_id)
    assert [execution for execution, _ in heard.orders()] == [
        Execution.NEW,
        Execution.AMENDMENT,
        Execution.CANCELED,
    ]


def test_a_maker_is_told_of_its_fill_by_another_account() -> None:
    heard = Heard()
    scene = heard.scene
    maker, taker = scene.account("maker"), scene.account("taker")
    resting = scene.limit(maker, FET, Side.BUY, "300", "1.0000")
    heard.clear()
    scene.limit(taker, FET, Side.SELL, "300", "1.0000", TimeInForce.IOC)
    mine = [e for e in heard if isinstance(e, OrderChanged) and e.account == "maker"]
    assert [e.order.client_id for e in mine if e.trade] == [resting.client_id]


def test_funding_is_told_with_the_time_of_the_payment() -> None:
    heard = Heard()
    scene = heard.scene
    account = scene.account()
    scene.rate = 0.001
    scene.update()
    scene.market(account, FET, Side.BUY, "1000")
    heard.clear()
    due_ms = scene.quote(FET).next_funding_ms
    scene.after(due_ms - scene.clock.now_ms() + 1500)
    paid = [e for e in heard.accounts() if e.reason is Reason.FUNDING_FEE]
    assert [(e.stamp.transaction_ms, e.stamp.event_ms) for e in paid] == [(due_ms, due_ms + 1500)]
    assert paid[0].change_usd == account.income[-1].amount_usd < 0
    assert paid[0].positions == ()  # cross margin: the money alone is told


def test_a_margin_call_comes_once_and_before_the_liquidation() -> None:
    heard = Heard()
    scene = heard.scene
    account = scene.account(wallet="5000")
    scene.exchange.set_leverage(account, BTC, 20)
    scene.market(account, BTC, Side.BUY, "1.5")
    heard.clear()
    entry = 50_000.0
    for price in (48_800.0, 47_100.0, 47_050.0, 46_000.0):
        scene.after(60_000, {BTC: price})
        if not account.held():
            break
    calls = [k for k, e in enumerate(heard) if isinstance(e, MarginCalled)]
    forced = [
        k
        for k, e in enumerate(heard)
        if isinstance(e, OrderChanged) and e.execution is Execution.CALCULATED
    ]
    assert not account.held()
    assert entry > scene.prices[BTC]
    assert len(calls) == 1
    assert len(forced) == 1
    assert calls[0] < forced[0]
    event = heard[forced[0]]
    assert isinstance(event, OrderChanged)
    assert event.order.client_id.startswith("autoclose-")
    reasons = [e.reason for e in heard.accounts()]
    assert reasons[-1] is Reason.INSURANCE_CLEAR


def test_settings_and_transfers_are_told() -> None:
    heard = Heard()
    scene = heard.scene
    account = scene.account()
    scene.exchange.set_leverage(account, FET, 7)
    scene.exchange.set_margin_type(account, FET, MarginType.ISOLATED)
    scene.exchange.transfer(account, Decimal(-250))
    assert [type(e) for e in heard] == [LeverageChanged, AccountChanged, AccountChanged]
    assert heard.accounts()[-1].change_usd == -250
    assert heard.accounts()[-1].reason is Reason.WITHDRAW


def test_who_stops_listening_hears_no_more_and_the_market_comes_last() -> None:
    heard = Heard()
    scene = heard.scene
    account = scene.account()
    scene.limit(account, FET, Side.BUY, "300", "0.9990")
    heard.clear()
    scene.after(1000, {FET: 0.99})
    assert isinstance(heard[-1], MarketMoved)
    assert heard[-1].quotes[FET].mark == pytest.approx(0.99)
    assert any(isinstance(e, OrderChanged) and e.trade for e in heard)
    heard.stop()
    heard.clear()
    scene.after(1000, {FET: 0.98})
    assert heard == []
    assert not scene.exchange.bus.heard


def test_what_a_listener_causes_is_told_after_the_event_at_hand() -> None:
    scene = Scene()
    account = scene.account()
    first: list[int] = []
    second: list[int] = []

    def meddling(event: SimEvent) -> None:
        first.append(event.stamp.sequence)
        if isinstance(event, LeverageChanged) and event.leverage == 5:
            scene.exchange.set_leverage(account, FET, 6)

    scene.exchange.bus.listen(meddling)
    scene.exchange.bus.listen(lambda event: second.append(event.stamp.sequence))
    scene.exchange.set_leverage(account, FET, 5)
    assert first == second == [1, 2]


STEPS = st.lists(
    st.tuples(
        st.sampled_from([FET, TAO]),
        st.sampled_from([Side.BUY, Side.SELL]),
        st.integers(1, 60),
        st.floats(0.97, 1.03),
        st.sampled_from([TimeInForce.IOC, TimeInForce.GTC]),
        st.floats(0.96, 1.04),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_all_that_is_told_adds_up_to_what_is_true(
    steps: list[tuple[str, Side, int, float, TimeInForce, float]],
) -> None:
    heard = Heard()
    scene = heard.scene
    accounts = [scene.account("one"), scene.account("two")]
    for turn, (symbol, side, lots, limit, tif, move) in enumerate(steps):
        tick = Decimal("0.0001") if symbol == FET else Decimal("0.01")
        price = (Decimal(repr(scene.prices[symbol] * limit)) / tick).to_integral_value() * tick
        quantity = str(lots * 10 if symbol == FET else Decimal(lots) / 10)
        try:
            scene.limit(accounts[turn % 2], symbol, side, quantity, str(price), tif)
        except VenueReject:
            continue
        scene.after(HOUR_MS, {symbol: scene.prices[symbol] * move})
    assert [e.stamp.sequence for e in heard] == list(range(1, len(heard) + 1))
    assert [e.stamp.event_ms for e in heard] == sorted(e.stamp.event_ms for e in heard)
    for account in accounts:
        _adds_up(account, heard)


def _adds_up(account: SimAccount, heard: Heard) -> None:
    mine = [e for e in heard if isinstance(e, OrderChanged) and e.account == account.name]
    assert [e.trade for e in mine if e.trade is not None] == account.trades
    last = {e.order.order_id: e.order for e in mine}
    assert {k: (o.status, o.filled_quantity) for k, o in last.items()} == {
        k: (o.status, o.filled_quantity) for k, o in account.orders.items()
    }
    told = [e for e in heard.accounts() if e.account == account.name]
    if told:
        assert told[-1].wallet_usd == account.wallet_usd
    held: dict[tuple[str, PositionSide], Decimal] = {}
    for event in told:
        held |= {(p.symbol, p.position_side): p.quantity for p in event.positions}
    assert {k: q for k, q in held.items() if q} == {
        (p.symbol, p.side): p.quantity for p in account.held()
    }
