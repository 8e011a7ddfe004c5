"""Life of orders on the simulated exchange: each type, by hand."""

from decimal import Decimal

import pytest

from bot.trading.orders import Side
from bot.venues.sim.records import IncomeType, OrderStatus, SimOrder, TimeInForce
from tests.sim_scene import BTC, FET, TAO, Scene, refused

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


def test_hedge_mode_holds_two_legs() -> None:
    scene = Scene()
    account = scene.account()
    scene.exchange.set_position_mode(account, hedge=True)
    scene.market(account, FET, BUY, "100", position_side="LONG")
    scene.market(account, FET, SELL, "40", position_side="SHORT")
    assert {(p.position_side.value, p.quantity) for p in scene.exchange.positions(account)} == {
        ("LONG", D(100)),
        ("SHORT", D(-40)),
    }
    scene.market(account, FET, SELL, "100", position_side="LONG")
    scene.market(account, FET, BUY, "15", position_side="SHORT")
    rows = scene.exchange.positions(account)
    assert [(p.position_side.value, p.quantity) for p in rows] == [("SHORT", D(-25))]


def test_realised_pnl_of_a_round_trip_and_a_flip() -> None:
    scene = Scene()
    maker, account = scene.account("maker"), scene.account()
    scene.limit(maker, TAO, SELL, "10", "400")
    scene.limit(account, TAO, BUY, "10", "400")
    scene.update({TAO: 402.0})
    scene.limit(maker, TAO, BUY, "15", "402")
    scene.limit(account, TAO, SELL, "15", "402")
    (position,) = scene.exchange.positions(account)
    assert (position.quantity, position.entry_price) == (D(-5), D(402))
    entries = scene.exchange.income(account, TAO, IncomeType.REALIZED_PNL)
    assert [e.amount_usd for e in entries] == [D(20)]
    fees = D("0.0005") * (10 * 400 + 15 * 402)
    assert account.wallet_usd == D(100000) + 20 - fees
    assert maker.wallet_usd == D(100000) - 20 - D("0.0002") * (10 * 400 + 15 * 402)


def test_entry_and_break_even_price_average_what_is_held() -> None:
    scene = Scene()
    maker, account = scene.account("maker"), scene.account()
    for quantity, price in (("10", "400"), ("30", "402")):
        scene.limit(maker, TAO, SELL, quantity, price)
        scene.limit(account, TAO, BUY, quantity, price, self_trade_prevention="NONE")
    (position,) = scene.exchange.positions(account)
    costs = [t.quote_usd for t in account.trades]
    fees = [t.fee_usd for t in account.trades]
    assert position.entry_price == (sum(costs) / 40).quantize(D("1e-12"))
    assert position.break_even_price == ((sum(costs) + sum(fees)) / 40).quantize(D("1e-12"))


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


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_histories_are_paged(limit: int) -> None:
    scene = Scene()
    account = scene.account()
    for _ in range(3):
        scene.after(1_000)
        scene.limit(account, FET, BUY, "10", "0.9")
        scene.limit(account, TAO, BUY, "0.02", "401")
    start = scene.clock.now_ms() - 1_000
    orders = [o for o in account.orders.values() if o.symbol == FET]
    trades = account.trades
    exchange = scene.exchange
    assert exchange.all_orders(account, FET, limit=limit) == orders[-limit:]
    assert exchange.all_orders(account, FET, start_ms=start, limit=limit) == orders[1:][:limit]
    newest = exchange.all_orders(account, FET, order_id=orders[1].order_id, limit=limit)
    assert newest == orders[1:][:limit]
    assert exchange.trades(account, TAO, limit=limit) == trades[-limit:]
    later = [t for t in trades if t.trade_id >= trades[1].trade_id]
    assert exchange.trades(account, TAO, from_id=trades[1].trade_id, limit=limit) == later[:limit]
    assert exchange.trades(account, TAO, order_id=trades[0].order_id)[0] == trades[0]
    assert exchange.trades(account, FET) == []
    assert (
        exchange.income(account, end_ms=start - 1_000, limit=limit)
        == [e for e in account.income if e.timestamp_ms <= start - 1_000][-limit:]
    )


def test_transfer_changes_the_wallet() -> None:
    scene = Scene()
    account = scene.account()
    scene.exchange.transfer(account, D(-250))
    assert account.wallet_usd == D(99750)
    assert [(e.type, e.symbol) for e in account.income] == [(IncomeType.TRANSFER, "")]


def test_a_delisted_symbol_is_settled_at_mark() -> None:
    scene = Scene()
    account = scene.account()
    bought = scene.market(account, FET, BUY, "100")
    scene.limit(account, FET, BUY, "100", "0.9")
    scene.update({FET: 1.2})
    scene.exchange.delist(FET)
    assert scene.exchange.positions(account) == []
    settled = scene.exchange.income(account, FET, IncomeType.DELIVERED_SETTLEMENT)
    assert [e.amount_usd for e in settled] == [D(120) - bought.filled_quote_usd]


def test_accounts_are_told_apart_by_key() -> None:
    scene = Scene()
    account = scene.account()
    assert scene.exchange.account_by_key("bot-key") is account
    assert scene.exchange.account_by_key("other") is None
    assert "bot-secret" not in repr(account)
    with pytest.raises(ValueError, match="exists already"):
        scene.account()
