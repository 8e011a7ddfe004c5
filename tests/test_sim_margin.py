"""Margin of the simulated exchange, against arithmetic done by hand."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.trading.orders import Side
from bot.venues.sim.brackets import (
    bracket_of,
    brackets_by_volume,
    maintenance_margin_usd,
    max_leverage,
    max_notional_usd,
)
from bot.venues.sim.exchange import SimulatedExchange
from bot.venues.sim.records import MarginType, PositionSide, SimPosition
from tests.sim_scene import BTC, FET, INSTRUMENTS, TAO, Scene

BUY, SELL = Side.BUY, Side.SELL
D = Decimal
VOLUMES = (1e3, 5e7, 5e8, 5e9)


@pytest.mark.parametrize("volume", VOLUMES)
def test_brackets_are_ordered_and_continuous(volume: float) -> None:
    brackets = brackets_by_volume(volume)
    assert brackets[0].notional_floor_usd == brackets[0].cumulative_usd == 0
    for lower, upper in pairwise(brackets):
        edge = lower.notional_cap_usd
        assert upper.notional_floor_usd == edge
        assert upper.bracket == lower.bracket + 1
        assert upper.initial_leverage < lower.initial_leverage
        assert edge * lower.maintenance_margin_ratio - lower.cumulative_usd == (
            edge * upper.maintenance_margin_ratio - upper.cumulative_usd
        )
    for bracket in brackets:  # a position at full leverage starts above its maintenance margin
        assert 1 / D(bracket.initial_leverage) > bracket.maintenance_margin_ratio


def test_deeper_markets_allow_more() -> None:
    classes = [brackets_by_volume(v) for v in VOLUMES]
    leverages = [max_leverage(c) for c in classes]
    assert leverages == sorted(leverages)
    caps = [max_notional_usd(c, 20) for c in classes]
    assert caps == sorted(caps)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from(VOLUMES))
def test_maintenance_margin_grows_with_the_position(one: int, other: int, volume: float) -> None:
    brackets = brackets_by_volume(volume)
    small, large = sorted((D(one), D(other)))
    assert maintenance_margin_usd(brackets, small) <= maintenance_margin_usd(brackets, large)
    assert maintenance_margin_usd(brackets, D(0)) == 0
    assert bracket_of(brackets, small).notional_floor_usd <= small


def held(scene: Scene, quantity: str, entry: str, wallet: str = "1000", side: str = "BOTH") -> None:
    """An account ``bot`` that holds FET from an entry price."""
    scene.account(wallet=wallet)
    scene.exchange.restore_account("bot", D(wallet), {(FET, side): (D(quantity), D(entry))})


def row(scene: Scene, symbol: str = FET) -> SimPosition:
    """The account's only position in the symbol."""
    account = scene.exchange.account_by_key("bot-key")
    assert account is not None
    (position,) = [p for p in scene.exchange.positions(account) if p.symbol == symbol]
    return position


def test_a_long_by_hand() -> None:
    scene = Scene()
    held(scene, "10000", "1.02")
    account = scene.exchange.account_by_key("bot-key")
    assert account is not None
    position, money = row(scene), scene.exchange.margin(account)
    assert position.notional_usd == 10_000
    assert position.unrealised_pnl_usd == -200
    assert position.position_initial_margin_usd == 500  # leverage 20
    assert position.maintenance_margin_usd == 150  # 1.5 % up to 25,000 USD
    assert position.max_notional_usd == 250_000
    assert money.margin_balance_usd == 800
    assert money.available_usd == money.max_withdraw_usd == 300
    # 1000 + 10000 (p - 1.02) = 0.015 * 10000 p
    assert position.liquidation_price == (D(9200) / D(9850)).quantize(D("1e-8"))


def test_a_short_by_hand() -> None:
    scene = Scene()
    held(scene, "-10000", "1.02")
    account = scene.exchange.account_by_key("bot-key")
    assert account is not None
    position, money = row(scene), scene.exchange.margin(account)
    assert (position.notional_usd, position.unrealised_pnl_usd) == (-10_000, 200)
    assert (money.available_usd, money.max_withdraw_usd) == (700, 500)
    # 1000 - 10000 (p - 1.02) = 0.015 * 10000 p
    assert position.liquidation_price == (D(11200) / D(10150)).quantize(D("1e-8"))


def test_a_higher_bracket_by_hand() -> None:
    scene = Scene()
    held(scene, "60000", "1", wallet="10000")
    # 25,000 at 1.5 % and the rest at 2 %
    assert row(scene).maintenance_margin_usd == 25_000 * D("0.015") + 35_000 * D("0.02")


def test_other_positions_move_the_liquidation_price() -> None:
    scene = Scene()
    held(scene, "10000", "1")
    alone = row(scene).liquidation_price
    account = scene.exchange.account_by_key("bot-key")
    assert account is not None
    scene.exchange.set_leverage(account, TAO, 25)
    scene.market(account, TAO, BUY, "5")
    before = row(scene).liquidation_price
    assert before > alone
    scene.update({TAO: 420.0})
    assert row(scene).liquidation_price < before


def test_a_long_that_the_wallet_covers_has_no_liquidation_price() -> None:
    scene = Scene()
    held(scene, "100", "1")
    assert row(scene).liquidation_price == 0


def test_open_orders_reserve_the_larger_side() -> None:
    scene = Scene()
    held(scene, "1000", "1")
    account = scene.exchange.account_by_key("bot-key")
    assert account is not None
    scene.limit(account, FET, BUY, "1000", "0.9")
    assert row(scene).open_order_initial_margin_usd == 45
    scene.limit(account, FET, SELL, "3000", "1.1")
    # after all sells: |1000 - 3300| = 2300, after all buys: 1900
    position = row(scene)
    assert position.open_order_initial_margin_usd == D(2300 - 1000) / 20
    assert (position.bid_notional_usd, position.ask_notional_usd) == (900, 3300)
    assert scene.exchange.margin(account).available_usd == 1000 - 50 - 65
    scene.limit(account, FET, SELL, "1000", "1.2", reduce_only=True)
    assert row(scene) == position


def test_legs_of_hedge_mode_need_margin_each() -> None:
    scene = Scene()
    account = scene.account(wallet="1000")
    legs = {(FET, "LONG"): (D(4000), D(1)), (FET, "SHORT"): (D(-3000), D(1))}
    scene.exchange.restore_account("bot", D(1000), legs)
    assert account.hedge_mode
    scene.limit(account, FET, BUY, "1000", "0.9", position_side="LONG")
    scene.limit(account, FET, BUY, "1000", "0.9", position_side="SHORT")
    money = scene.exchange.margin(account)
    assert money.position_initial_margin_usd == 350
    assert money.open_order_initial_margin_usd == 45
    assert money.maintenance_margin_usd == 105
    # 1000 + 1000 (p - 1) = 0.015 * 7000 p has no positive price
    assert {p.liquidation_price for p in scene.exchange.positions(account)} == {D(0)}


def test_isolated_margin_by_hand() -> None:
    scene = Scene()
    account = scene.account(wallet="1000")
    scene.exchange.set_margin_type(account, FET, MarginType.ISOLATED)
    maker = scene.account("maker")
    scene.limit(maker, FET, SELL, "1000", "1")
    scene.limit(account, FET, BUY, "1000", "1")
    position = row(scene)
    assert position.isolated_wallet_usd == D(50)
    scene.update({FET: 1.02})
    position, money = row(scene), scene.exchange.margin(account)
    assert (position.isolated_margin_usd, position.unrealised_pnl_usd) == (70, 20)
    assert money.cross_wallet_usd == account.wallet_usd - 50 == D("949.5")
    assert money.available_usd == money.cross_wallet_usd
    # 50 + 1000 (p - 1) = 0.015 * 1000 p
    assert position.liquidation_price == (D(950) / D(985)).quantize(D("1e-8"))
    scene.limit(maker, FET, BUY, "400", "1.02")
    scene.limit(account, FET, SELL, "400", "1.02")
    assert row(scene).isolated_wallet_usd == 30
    scene.limit(maker, FET, BUY, "900", "1.02")
    scene.limit(account, FET, SELL, "900", "1.02")
    assert row(scene).quantity == -300
    assert row(scene).isolated_wallet_usd == D("15.3")


def test_default_leverage_stays_within_the_symbol() -> None:
    scene = Scene()
    account = scene.account()
    assert scene.exchange.symbol_config(account, BTC).leverage == 20
    assert scene.exchange.set_leverage(account, BTC, 125).max_notional_usd == 300_000
    assert scene.exchange.set_leverage(account, BTC, 1).max_notional_usd == 1_800_000_000


def test_brackets_stay_as_they_were_at_the_first_quote() -> None:
    scene = Scene()
    before = scene.exchange.brackets(FET)
    scene.update(daily_volume_usd=5e9)
    assert scene.exchange.brackets(FET) == before


def test_a_restored_position_without_a_price_is_worth_what_it_cost() -> None:
    scene = Scene()
    exchange = SimulatedExchange(INSTRUMENTS, scene.clock)
    account = exchange.open_account("bot", "k", "s", D(1000))
    exchange.restore_account("bot", D(1000), {(FET, "BOTH"): (D(-1000), D(1))})
    exchange.update_market({BTC: scene.quote(BTC)})
    (position,) = exchange.positions(account)
    assert (position.unrealised_pnl_usd, position.notional_usd) == (0, -1000)
    assert (position.position_side, position.mark_price) == (PositionSide.BOTH, 0)
    assert exchange.margin(account).available_usd == 950


def test_restore_refuses_a_history_and_mixed_modes() -> None:
    scene = Scene()
    account = scene.account()
    mixed = {(FET, "LONG"): (D(1), D(1)), (BTC, "BOTH"): (D(1), D(1))}
    with pytest.raises(ValueError, match="both position modes"):
        scene.exchange.restore_account("bot", D(1), mixed)
    scene.market(account, FET, BUY, "100")
    with pytest.raises(ValueError, match="history"):
        scene.exchange.restore_account("bot", D(1), {})
    with pytest.raises(ValueError, match="unknown"):
        scene.exchange.restore_account("nobody", D(1), {})
