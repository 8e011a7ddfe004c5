"""Life of orders on the simulated exchange: each type, by hand."""

from decimal import Decimal

from bot.trading.orders import Side
from bot.venues.sim.records import OrderStatus, SimOrder, TimeInForce
from tests.sim_scene import FET, Scene, refused

BUY, SELL = Side.BUY, Side.SELL
IOC, FOK, GTX = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTX
D = Decimal


def walk(levels: tuple[tuple[Decimal, Decimal], ...], quantity: Decimal) -> tuple[Decimal, Decimal]:
    """Cost of taking ``quantity`` from a side, and what is missing."""
    cost, left = D(0), quantity
    for price, offered in levels:
        part = min(left, offered)
        cost, left = cost + part * price, left - part
    return cost, left


def test_market_order_walks_the_book() -> None:
    scene = Scene()
    account = scene.account()
    asks = scene.exchange.depth(FET, 100).asks
    cost, _ = walk(asks, D(5000))
    bought = scene.market(account, FET, BUY, "5000")
    assert (bought.status, bought.filled_quantity, bought.filled_quote_usd) == (
        OrderStatus.FILLED,
        D(5000),
        cost,
    )
    trades = scene.exchange.trades(account, FET)
    assert [t.trade_id for t in trades] == sorted(t.trade_id for t in trades)
    assert sum(t.quote_usd for t in trades) == cost
    fee = sum(t.fee_usd for t in trades)
    assert fee == sum((t.quote_usd * D("0.0005")).quantize(D("1e-8")) for t in trades)
    assert account.wallet_usd == D(100000) - fee
    assert not any(t.maker for t in trades)
    assert scene.exchange.counters.fills == len(trades)


def test_market_order_larger_than_the_band_expires_with_the_rest() -> None:
    scene = Scene()
    account = scene.account(wallet="1000000")
    scene.exchange.set_leverage(account, FET, 1)
    scene.update(daily_volume_usd=1000.0)
    order = scene.market(account, FET, BUY, "50000")
    assert order.status is OrderStatus.EXPIRED
    assert 0 < order.filled_quantity < 50000
    assert max(t.price for t in account.trades) <= D("1.15")


def test_ioc_takes_up_to_its_limit_and_expires() -> None:
    scene = Scene()
    account = scene.account()
    asks = [a for a in scene.exchange.depth(FET, 100).asks if a[0] <= D("1.0005")]
    order = scene.limit(account, FET, BUY, "50000", "1.0005", IOC)
    assert order.status is OrderStatus.EXPIRED
    assert order.filled_quantity == sum(q for _, q in asks)
    assert order.average_price <= D("1.0005")
    untouched = scene.limit(account, FET, BUY, "100", "0.99", IOC)
    assert (untouched.status, untouched.filled_quantity) == (OrderStatus.EXPIRED, 0)
    assert untouched.average_price == 0


def test_fok_fills_whole_or_not_at_all() -> None:
    scene = Scene()
    account = scene.account()
    with refused(-5021):
        scene.limit(account, FET, BUY, "50000", "1.0005", FOK)
    assert (account.trades, account.orders) == ([], {})
    assert (scene.exchange.counters.orders_received, scene.exchange.counters.rejected) == (1, 1)
    whole = scene.limit(account, FET, BUY, "1000", "1.0015", FOK)
    assert (whole.status, whole.filled_quantity) == (OrderStatus.FILLED, D(1000))


def test_gtc_takes_what_crosses_and_rests() -> None:
    scene = Scene()
    account = scene.account()
    order = scene.limit(account, FET, BUY, "50000", "1.0005")
    assert order.status is OrderStatus.PARTIALLY_FILLED
    depth = scene.exchange.depth(FET, 100)
    assert depth.bids[0] == (D("1.0005"), order.remaining)
    assert depth.asks[0][0] > D("1.0005")
    assert scene.exchange.open_orders(account) == [order]


def test_resting_order_fills_as_maker_when_the_market_comes() -> None:
    scene = Scene()
    account = scene.account()
    order = scene.limit(account, FET, BUY, "1000", "0.99")
    scene.update({FET: 0.9902})
    assert scene.exchange.find_order(account, FET, order_id=order.order_id).filled_quantity == 0
    scene.update({FET: 0.98})
    order = scene.exchange.find_order(account, FET, order_id=order.order_id)
    assert (order.status, order.average_price) == (OrderStatus.FILLED, D("0.99"))
    trade = account.trades[0]
    assert trade.maker
    assert trade.fee_usd == D(1000) * D("0.99") * D("0.0002")


def test_resting_order_fills_only_with_what_the_market_offers() -> None:
    scene = Scene()
    account = scene.account(wallet="1000000")
    order = scene.limit(account, FET, SELL, "100000", "1.001")
    scene.update({FET: 1.0015})
    part = scene.exchange.find_order(account, FET, order_id=order.order_id)
    assert part.status is OrderStatus.PARTIALLY_FILLED
    scene.update()
    assert scene.exchange.find_order(account, FET, order_id=order.order_id) == part
    scene.after(600_000)
    later = scene.exchange.find_order(account, FET, order_id=order.order_id)
    assert later.filled_quantity > part.filled_quantity


def test_takers_meet_resting_orders_of_others_by_price_then_time() -> None:
    scene = Scene()
    maker, second, taker = scene.account("maker"), scene.account("second"), scene.account("taker")
    best = scene.limit(maker, FET, SELL, "100", "1")
    first = scene.limit(maker, FET, SELL, "60", "1")
    after = scene.limit(second, FET, SELL, "60", "1")
    bought = scene.market(taker, FET, BUY, "150")
    assert bought.average_price == 1

    def state(account: object, order: SimOrder) -> Decimal:
        owner = maker if account is maker else second
        return scene.exchange.find_order(owner, FET, order_id=order.order_id).filled_quantity

    assert (state(maker, best), state(maker, first), state(second, after)) == (100, 50, 0)
    assert taker.position(FET, bought.position_side).quantity == 150
    assert maker.position(FET, bought.position_side).quantity == -150


def test_market_liquidity_stands_before_resting_orders_at_one_price() -> None:
    scene = Scene()
    maker, taker = scene.account("maker"), scene.account("taker")
    price, offered = scene.exchange.depth(FET, 3).asks[2]
    scene.limit(maker, FET, SELL, "500", str(price))
    assert dict(scene.exchange.depth(FET, 3).asks)[price] == offered + 500
    cheaper = sum(q for p, q in scene.exchange.depth(FET, 3).asks if p < price)
    scene.limit(taker, FET, BUY, str(cheaper + offered), str(price), IOC)
    assert maker.trades == []
    scene.limit(taker, FET, BUY, "500", str(price), IOC)
    assert sum(t.quantity for t in maker.trades) == 500


def test_reduce_only_is_cut_to_the_position_and_expires_with_it() -> None:
    scene = Scene()
    account = scene.account()
    scene.market(account, FET, BUY, "100")
    closing = scene.limit(account, FET, SELL, "250", "1.05", reduce_only=True)
    assert closing.quantity == 100
    scene.market(account, FET, SELL, "100")
    closing = scene.exchange.find_order(account, FET, order_id=closing.order_id)
    assert (closing.status, closing.filled_quantity) == (OrderStatus.EXPIRED, 0)


def test_resting_reduce_only_never_opens_the_other_side() -> None:
    scene = Scene()
    account = scene.account()
    scene.market(account, FET, BUY, "100")
    closing = scene.limit(account, FET, SELL, "100", "1.05", reduce_only=True)
    scene.market(account, FET, SELL, "70")
    scene.update({FET: 1.1})
    closing = scene.exchange.find_order(account, FET, order_id=closing.order_id)
    assert (closing.status, closing.filled_quantity) == (OrderStatus.EXPIRED, D(30))
    assert account.held() == []


def test_taker_against_resting_reduce_only_of_another() -> None:
    scene = Scene()
    maker, taker = scene.account("maker"), scene.account("taker")
    scene.market(maker, FET, BUY, "100")
    first = scene.limit(maker, FET, SELL, "60", "1", reduce_only=True)
    scene.limit(maker, FET, SELL, "40", "1", reduce_only=True)
    scene.limit(maker, FET, SELL, "50", "1")
    scene.market(taker, FET, BUY, "150")
    assert maker.position(FET, first.position_side).quantity == -50


def test_small_reduce_only_is_free_of_the_minimum() -> None:
    scene = Scene()
    account = scene.account()
    scene.market(account, FET, BUY, "10")
    assert scene.market(account, FET, SELL, "3", reduce_only=True).status is OrderStatus.FILLED
