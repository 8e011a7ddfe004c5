"""Accounts of the simulated exchange: legs, entry prices, histories, transfers, delisting."""

from decimal import Decimal

import pytest

from bot.trading.orders import Side
from bot.venues.sim.records import IncomeType
from tests.sim_scene import FET, TAO, Scene

BUY, SELL = Side.BUY, Side.SELL
D = Decimal


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
