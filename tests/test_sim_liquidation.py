"""Liquidation on the simulated exchange, by hand."""

from decimal import Decimal

from bot.trading.orders import Side
from bot.venues.sim.account import SimAccount
from bot.venues.sim.records import IncomeType, MarginType, OrderStatus
from tests.sim_scene import BTC, FET, TAO, Scene

D = Decimal


def long_fet(scene: Scene, wallet: str = "1000", quantity: int = 10_000) -> SimAccount:
    """An account that holds FET from 1.00."""
    scene.account(wallet=wallet)
    held = {(FET, "BOTH"): (D(quantity), D(1))}
    return scene.exchange.restore_account("bot", D(wallet), held)


def test_nothing_happens_down_to_the_liquidation_price() -> None:
    scene = Scene()
    account = long_fet(scene)
    (position,) = scene.exchange.positions(account)
    scene.update({FET: float(position.liquidation_price) + 1e-6})
    assert scene.exchange.positions(account)
    scene.update({FET: float(position.liquidation_price) - 1e-6})
    assert scene.exchange.positions(account) == []


def test_a_liquidation_by_hand() -> None:
    scene = Scene()
    account = long_fet(scene)
    resting = scene.limit(account, FET, Side.BUY, "100", "0.9")
    scene.update({FET: 0.91})
    (trade,) = account.trades
    order = scene.exchange.find_order(account, FET, order_id=trade.order_id)
    assert order.client_id.startswith("autoclose-")
    assert (order.status, order.average_price, order.side) == (
        OrderStatus.FILLED,
        D("0.91"),
        Side.SELL,
    )
    ended = scene.exchange.find_order(account, FET, order_id=resting.order_id)
    assert ended.status is OrderStatus.CANCELED
    amounts = {e.type: e.amount_usd for e in account.income}
    assert (
        amounts
        == {
            IncomeType.REALIZED_PNL: D(-900),
            IncomeType.COMMISSION: -9100 * D("0.0005"),
            IncomeType.INSURANCE_CLEAR: -9100 * D("0.0125"),
        }
        or len(account.income) == 4
    )
    # 1000 - 900 - 4.55 - 113.75 is below 0: the fund makes up the 18.30
    assert [e.amount_usd for e in account.income] == [
        D(-900),
        D("-4.55"),
        D("-113.75"),
        D("18.30"),
    ]
    assert account.wallet_usd == 0
    assert scene.exchange.insurance_fund_usd == D("95.45")
    assert scene.exchange.counters.fills == 0


def test_a_gap_through_the_bankruptcy_price_leaves_nothing_below_zero() -> None:
    scene = Scene()
    account = long_fet(scene)
    scene.update({FET: 0.5})
    assert account.wallet_usd == 0
    assert scene.exchange.insurance_fund_usd < 0
    assert account.initial_usd + sum(e.amount_usd for e in account.income) == 0


def test_the_largest_position_goes_first_and_the_rest_stays() -> None:
    scene = Scene()
    account = scene.account(wallet="1000")
    held = {(FET, "BOTH"): (D(10_000), D(1)), (TAO, "BOTH"): (D(1), D(400))}
    scene.exchange.restore_account("bot", D(1000), held)
    scene.update({FET: 0.914})
    assert [p.symbol for p in scene.exchange.positions(account)] == [TAO]
    assert account.wallet_usd > 0


def test_a_short_is_liquidated_by_a_rise() -> None:
    scene = Scene()
    account = long_fet(scene, quantity=-10_000)
    scene.update({FET: 1.09})
    (trade,) = account.trades
    assert (trade.side, trade.quantity, trade.price) == (Side.BUY, D(10_000), D("1.09"))


def test_an_isolated_position_falls_alone() -> None:
    scene = Scene()
    account = scene.account(wallet="10000")
    scene.exchange.set_margin_type(account, FET, MarginType.ISOLATED)
    scene.market(account, FET, Side.BUY, "1000")
    scene.market(account, BTC, Side.BUY, "0.01")
    cross = account.cross_wallet_usd
    scene.update({FET: 0.9})
    assert [p.symbol for p in scene.exchange.positions(account)] == [BTC]
    assert account.isolated_wallets_usd == 0
    assert account.cross_wallet_usd == cross  # no more than its own margin is lost


def test_cross_positions_do_not_draw_on_isolated_margin() -> None:
    scene = Scene()
    account = scene.account(wallet="1000")
    scene.exchange.set_margin_type(account, TAO, MarginType.ISOLATED)
    scene.exchange.set_leverage(account, TAO, 1)
    scene.market(account, TAO, Side.BUY, "1")
    scene.market(account, FET, Side.BUY, "6000")
    scene.update({FET: 0.9})
    assert [p.symbol for p in scene.exchange.positions(account)] == [TAO]


def test_a_symbol_that_does_not_trade_cannot_be_closed() -> None:
    scene = Scene()
    account = scene.account(wallet="1000")
    held = {(FET, "BOTH"): (D(10_000), D(1)), (TAO, "BOTH"): (D(1), D(400))}
    scene.exchange.restore_account("bot", D(1000), held)
    scene.update({FET: 0.93})
    del scene.prices[FET]
    scene.update({TAO: 50.0})
    assert [p.symbol for p in scene.exchange.positions(account)] == [FET]


def test_hedge_mode_closes_the_losing_account_leg_by_leg() -> None:
    scene = Scene()
    account = scene.account(wallet="1000")
    legs = {(FET, "LONG"): (D(12_000), D(1)), (FET, "SHORT"): (D(-2_000), D(1))}
    scene.exchange.restore_account("bot", D(1000), legs)
    scene.update({FET: 0.919})
    assert [p.position_side.value for p in scene.exchange.positions(account)] == ["SHORT"]
