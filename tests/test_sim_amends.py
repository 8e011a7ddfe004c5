"""Orders changed and cancelled on the simulated exchange: amend, cancel all, countdown."""

from decimal import Decimal

from bot.trading.orders import Side
from bot.venues.sim.records import OrderStatus, SimOrder, TimeInForce
from tests.sim_scene import BTC, FET, Scene, refused

BUY, SELL = Side.BUY, Side.SELL
GTX = TimeInForce.GTX
D = Decimal


def test_amend_moves_and_keeps_its_place_only_when_it_shrinks() -> None:
    scene = Scene()
    account = scene.account()
    first = scene.limit(account, FET, BUY, "100", "0.99")
    second = scene.limit(account, FET, BUY, "100", "0.99")
    change = scene.exchange.amend
    smaller = change(
        account, FET, order_id=first.order_id, side=BUY, quantity=D(90), price=D("0.99")
    )
    assert (smaller.quantity, smaller.amendments) == (90, 1)
    assert smaller.priority < second.priority
    larger = change(
        account, FET, order_id=first.order_id, side=BUY, quantity=D(95), price=D("0.99")
    )
    assert larger.priority > second.priority
    assert larger.order_id == first.order_id
    taking = change(
        account, FET, client_id=first.client_id, side=BUY, quantity=D(95), price=D("1.01")
    )
    assert taking.status is OrderStatus.FILLED


def test_amend_refusals() -> None:
    scene = Scene()
    account = scene.account(wallet="100")
    order = scene.limit(account, FET, BUY, "1000", "1")
    scene.limit(account, FET, BUY, "900", "1")

    def amend(
        quantity: str, price: str, side: Side = BUY, order_id: int = order.order_id
    ) -> SimOrder:
        return scene.exchange.amend(
            account, FET, order_id=order_id, side=side, quantity=D(quantity), price=D(price)
        )

    for code, wanted in (
        (-5027, ("1000", "1")),
        (-1117, ("900", "1", SELL)),
        (-2013, ("900", "1", BUY, 7)),
        (-2019, ("1200", "1")),
        (-4164, ("4", "1")),
        (-4003, ("0", "1")),
        (-1111, ("1000", "0.99999")),
    ):
        with refused(code):
            amend(*wanted)
    assert scene.exchange.open_orders(account)[0] == order
    assert amend("1100", "1").quantity == 1100
    scene.exchange.cancel(account, FET, order_id=order.order_id)
    with refused(-2013):
        amend("900", "1")


def test_amend_below_what_is_filled_cancels() -> None:
    scene = Scene()
    account = scene.account()
    order = scene.limit(account, FET, BUY, "50000", "1.0005")
    ended = scene.exchange.amend(
        account, FET, order_id=order.order_id, side=BUY, quantity=D(5), price=D("1.0005")
    )
    assert ended.status is OrderStatus.CANCELED


def test_amended_post_only_that_would_take_is_cancelled() -> None:
    scene = Scene()
    account = scene.account()
    order = scene.limit(account, FET, BUY, "100", "0.99", GTX)
    ended = scene.exchange.amend(
        account, FET, order_id=order.order_id, side=BUY, quantity=D(100), price=D("1.01")
    )
    assert (ended.status, account.trades) == (OrderStatus.CANCELED, [])


def test_cancel_all_touches_one_symbol_of_one_account() -> None:
    scene = Scene()
    account, other = scene.account(), scene.account("other")
    scene.limit(account, FET, BUY, "10", "0.9")
    scene.limit(account, FET, BUY, "10", "0.9")
    kept = [
        scene.limit(account, BTC, BUY, "0.001", "45000"),
        scene.limit(other, FET, BUY, "10", "0.9"),
    ]
    ended = scene.exchange.cancel_all(account, FET)
    assert [o.status for o in ended] == [OrderStatus.CANCELED] * 2
    assert scene.exchange.open_orders(account) + scene.exchange.open_orders(other) == kept


def test_countdown_cancels_unless_it_is_renewed() -> None:
    scene = Scene()
    account = scene.account()
    order = scene.limit(account, FET, BUY, "10", "0.9")
    scene.exchange.countdown(account, FET, 10_000)
    scene.clock.advance_to(scene.clock.now_ms() + 9_999)
    scene.exchange.countdown(account, FET, 10_000)
    scene.clock.advance_to(scene.clock.now_ms() + 9_999)
    assert scene.exchange.open_orders(account) == [order]
    scene.clock.advance_to(scene.clock.now_ms() + 1)
    assert scene.exchange.open_orders(account) == []
    scene.limit(account, FET, BUY, "10", "0.9")
    scene.exchange.countdown(account, FET, 10_000)
    scene.exchange.countdown(account, FET, 0)
    scene.after(60_000)
    assert len(scene.exchange.open_orders(account)) == 1


def test_an_expired_countdown_protects_from_later_prices() -> None:
    scene = Scene()
    account = scene.account()
    scene.limit(account, FET, BUY, "10", "0.9")
    scene.exchange.countdown(account, FET, 1_000)
    scene.after(1_000, {FET: 0.8})
    assert account.trades == []
