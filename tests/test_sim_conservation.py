"""Whatever is asked of the simulated exchange, nothing is lost and nothing is random."""

from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.trading.orders import Side
from bot.venues.sim.account import SimAccount
from bot.venues.sim.errors import VenueReject
from bot.venues.sim.records import (
    IncomeType,
    MarginType,
    OrderStatus,
    PositionSide,
    SelfTradePrevention,
    TimeInForce,
)
from bot.venues.sim.settings import ExchangeSettings
from tests.sim_scene import BTC, FET, HOUR_MS, TAO, Scene

D = Decimal
SYMBOLS = (FET, BTC, TAO)
NAMES = ("one", "two", "hedged", "isolated")
STEPS = {FET: ("0.0001", 4000), BTC: ("0.1", 100), TAO: ("0.01", 1000)}
LOTS = {FET: D(1), BTC: D("0.001"), TAO: D("0.01")}


@dataclass(frozen=True)
class Act:
    """One thing that somebody does; which fields matter depends on ``kind``."""

    kind: str
    who: int
    symbol: str
    buy: bool
    size: int
    offset: float
    tif: TimeInForce
    closing: bool
    prevention: SelfTradePrevention


acts = st.builds(
    Act,
    kind=st.sampled_from(
        ["limit"] * 6 + ["market"] * 3 + ["move", "wait", "cancel", "cancel_all", "amend"]
    ),
    who=st.integers(0, len(NAMES) - 1),
    symbol=st.sampled_from(SYMBOLS),
    buy=st.booleans(),
    size=st.integers(0, 200),
    offset=st.floats(-0.03, 0.03),
    tif=st.sampled_from(TimeInForce),
    closing=st.booleans(),
    prevention=st.sampled_from(SelfTradePrevention),
)


def run(sequence: list[Act]) -> tuple[Scene, dict[str, SimAccount]]:
    """Play a sequence on a new exchange; refusals are part of it."""
    scene = Scene(ExchangeSettings(depth_jitter=0.1), seed=3)
    accounts = {name: scene.account(name, "20000") for name in NAMES}
    scene.exchange.set_position_mode(accounts["hedged"], hedge=True)
    for symbol in SYMBOLS:
        scene.exchange.set_margin_type(accounts["isolated"], symbol, MarginType.ISOLATED)
    scene.rate = 0.0003
    scene.update()
    for act in sequence:
        with suppress(VenueReject):
            play(scene, accounts[NAMES[act.who]], act)
    return scene, accounts


def play(scene: Scene, account: SimAccount, act: Act) -> None:
    """Do one thing."""
    tick = D(STEPS[act.symbol][0])
    price = str((D(str(scene.prices[act.symbol] * (1 + act.offset))) / tick).to_integral() * tick)
    quantity = LOTS[act.symbol] * act.size * STEPS[act.symbol][1] / 100
    quantity -= quantity % LOTS[act.symbol]
    side = Side.BUY if act.buy else Side.SELL
    if act.kind in ("limit", "market"):
        more: dict[str, object] = {"self_trade_prevention": act.prevention}
        if account.hedge_mode:
            more["position_side"] = "LONG" if act.buy != act.closing else "SHORT"
        else:
            more["reduce_only"] = act.closing
        if act.kind == "limit":
            scene.limit(account, act.symbol, side, str(quantity), price, act.tif, **more)
        else:
            scene.market(account, act.symbol, side, str(quantity), **more)
    elif act.kind == "move":
        scene.after(60_000, {act.symbol: scene.prices[act.symbol] * (1 + 3 * act.offset)})
    elif act.kind == "wait":
        scene.after(HOUR_MS)
    elif act.kind == "cancel_all":
        scene.exchange.cancel_all(account, act.symbol)
    elif orders := scene.exchange.open_orders(account, act.symbol):
        chosen = orders[act.size % len(orders)].order_id
        if act.kind == "cancel":
            scene.exchange.cancel(account, act.symbol, order_id=chosen)
        else:
            scene.exchange.amend(
                account,
                act.symbol,
                order_id=chosen,
                side=orders[act.size % len(orders)].side,
                quantity=quantity,
                price=D(price),
            )


@settings(max_examples=120, deadline=None)
@given(st.lists(acts, max_size=60))
def test_cash_and_positions_are_conserved(sequence: list[Act]) -> None:
    scene, accounts = run(sequence)
    for account in accounts.values():
        income, trades = account.income, account.trades
        assert account.wallet_usd == account.initial_usd + sum(e.amount_usd for e in income)
        fees = sum((e.amount_usd for e in income if e.type is IncomeType.COMMISSION), D(0))
        assert fees == -sum(t.fee_usd for t in trades)
        won = sum((e.amount_usd for e in income if e.type is IncomeType.REALIZED_PNL), D(0))
        assert won == sum(t.realised_pnl_usd for t in trades)
        positions_and_cash_follow_from_trades(account)
        orders_follow_from_trades(account)
        reserves_are_sound(scene, account)
    filled = sum(len(a.trades) for a in accounts.values())
    closed_by_force = sum(
        o.client_id.startswith("autoclose-") for a in accounts.values() for o in a.orders.values()
    )
    assert scene.exchange.counters.fills == filled - closed_by_force
    fund = sum(
        e.amount_usd
        for a in accounts.values()
        for e in a.income
        if e.type is IncomeType.INSURANCE_CLEAR
    )
    assert scene.exchange.insurance_fund_usd == -fund


def positions_and_cash_follow_from_trades(account: SimAccount) -> None:
    """What is held is the sum of fills; its cost is what was paid for it, net of what was won."""
    for symbol in SYMBOLS:
        for side in PositionSide:
            position = account.position(symbol, side)
            mine = [t for t in account.trades if (t.symbol, t.position_side) == (symbol, side)]
            held = sum((t.side.sign * t.quantity for t in mine), D(0))
            cash = sum((-t.side.sign * t.quote_usd for t in mine), D(0))
            won = sum((t.realised_pnl_usd for t in mine), D(0))
            assert position.quantity == held
            assert position.cost_usd == won - cash
            if side is PositionSide.LONG:
                assert position.quantity >= 0
            if side is PositionSide.SHORT:
                assert position.quantity <= 0
            if not held or not account.isolated(symbol):
                assert position.isolated_wallet_usd == 0


def orders_follow_from_trades(account: SimAccount) -> None:
    """Orders have executed what their trades say, within limit and quantity."""
    for order in account.orders.values():
        mine = [t for t in account.trades if t.order_id == order.order_id]
        assert order.filled_quantity == sum(t.quantity for t in mine) <= order.quantity
        assert order.filled_quote_usd == sum(t.quote_usd for t in mine)
        assert (order.order_id in account.open_ids) == order.status.open
        assert (order.status is OrderStatus.FILLED) == (order.remaining == 0)
        if order.price:
            assert all(order.side.sign * (order.price - t.price) >= 0 for t in mine)
        if order.time_in_force is TimeInForce.GTX:
            amended = order.amendments > 0
            assert amended or all(t.maker for t in mine)
        if order.time_in_force is TimeInForce.FOK:
            assert order.status is OrderStatus.FILLED


def reserves_are_sound(scene: Scene, account: SimAccount) -> None:
    """Margins and books are never negative, and best prices never cross."""
    money = scene.exchange.margin(account)
    assert min(money.available_usd, money.initial_margin_usd, money.maintenance_margin_usd) >= 0
    assert money.max_withdraw_usd <= max(money.available_usd, D(0))
    for symbol in SYMBOLS:
        depth = scene.exchange.depth(symbol, 1000)
        assert all(p > 0 and q > 0 for p, q in (*depth.bids, *depth.asks))
        assert list(depth.bids) == sorted(depth.bids, reverse=True)
        assert list(depth.asks) == sorted(depth.asks)


@settings(max_examples=25, deadline=None)
@given(st.lists(acts, max_size=40))
def test_the_same_calls_give_the_same_state(sequence: list[Act]) -> None:
    (scene, accounts), (again, others) = run(sequence), run(sequence)
    for name in NAMES:
        assert accounts[name] == others[name]
        assert repr(accounts[name].trades) == repr(others[name].trades)
        assert scene.exchange.positions(accounts[name]) == again.exchange.positions(others[name])
    assert scene.exchange.counters == again.exchange.counters
    for symbol in SYMBOLS:
        assert scene.exchange.depth(symbol, 50) == again.exchange.depth(symbol, 50)


@pytest.mark.parametrize("entry", ["0.3333333333333333333333333333", "1e-9", "123456.789"])
def test_cost_and_wallet_stay_on_the_money_step(entry: str) -> None:
    scene = Scene()
    account = scene.account()
    scene.exchange.restore_account("bot", D(100_000), {(FET, "BOTH"): (D(7), D(entry))})
    for _ in range(6):
        scene.market(account, FET, Side.SELL, "1", reduce_only=True)
    scene.market(account, FET, Side.SELL, "1", reduce_only=True)
    start = (7 * D(entry)).quantize(D("1e-8"))
    sold = sum(t.quote_usd for t in account.trades)
    assert sum(t.realised_pnl_usd for t in account.trades) == sold - start
    assert account.wallet_usd == account.wallet_usd.quantize(D("1e-8"))
