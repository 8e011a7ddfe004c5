"""Funding of the simulated exchange: each symbol at its own interval, by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.trading.orders import Side
from bot.venues.sim.account import SimAccount
from bot.venues.sim.records import IncomeType, MarginType
from tests.sim_scene import BTC, FET, HOUR_MS, START_MS, TAO, Scene

D = Decimal
HELD = {FET: D(1000), BTC: D("-0.1"), TAO: D("2.5")}


def holder(scene: Scene) -> SimAccount:
    """An account with something in every symbol, in one-way mode."""
    scene.account()
    positions = {(s, "BOTH"): (q, D(str(scene.prices[s]))) for s, q in HELD.items()}
    return scene.exchange.restore_account("bot", D(100_000), positions)


def paid(scene: Scene, account: SimAccount, symbol: str) -> list[tuple[int, Decimal]]:
    """Hours since the start, and amounts."""
    entries = scene.exchange.income(account, symbol, IncomeType.FUNDING_FEE, limit=1000)
    return [((e.timestamp_ms - START_MS) // HOUR_MS, e.amount_usd) for e in entries]


def test_each_symbol_pays_at_its_own_interval() -> None:
    scene = Scene()
    account = holder(scene)
    scene.rate = 0.0001
    scene.update()
    for _ in range(16):
        scene.after(HOUR_MS)
    assert paid(scene, account, FET) == [(h, D("-0.1")) for h in (4, 8, 12, 16)]
    assert paid(scene, account, BTC) == [(h, D("0.5")) for h in (8, 16)]
    assert paid(scene, account, TAO) == [(h, D("-0.1")) for h in range(1, 17)]
    total = -4 * D("0.1") + 2 * D("0.5") - 16 * D("0.1")
    assert account.wallet_usd == 100_000 + total


def test_longs_receive_when_the_rate_is_negative() -> None:
    scene = Scene()
    account = holder(scene)
    scene.rate = -0.002
    scene.update()
    scene.after(8 * HOUR_MS)
    assert paid(scene, account, FET)[0] == (4, D(2))
    assert paid(scene, account, BTC) == [(8, D(-10))]


def test_nothing_is_paid_twice_or_before_it_is_due() -> None:
    scene = Scene()
    account = holder(scene)
    scene.rate = 0.0001
    scene.update()
    scene.after(HOUR_MS - 1)
    assert paid(scene, account, TAO) == []
    scene.after(1)
    for _ in range(5):
        scene.update()
        scene.after(1000)
    assert len(paid(scene, account, TAO)) == 1


def test_a_quote_that_still_names_the_payment_just_settled() -> None:
    scene = Scene()
    account = holder(scene)
    scene.rate = 0.0001
    scene.update()
    for hour in (1, 2):
        scene.clock.advance_to(START_MS + hour * HOUR_MS)
        stale = scene.quote(TAO, next_funding_ms=START_MS + hour * HOUR_MS)
        scene.exchange.update_market({TAO: stale})
    assert [hour for hour, _ in paid(scene, account, TAO)] == [1, 2]


def test_the_rate_is_that_of_the_interval_that_ends_and_the_mark_that_of_now() -> None:
    scene = Scene()
    account = holder(scene)
    scene.rate = 0.001
    scene.update()
    scene.rate = 0.5
    scene.after(HOUR_MS, {TAO: 500.0})
    assert paid(scene, account, TAO) == [(1, -D("2.5") * 500 * D("0.001"))]


def test_an_interval_that_changes() -> None:
    scene = Scene()
    account = holder(scene)
    scene.rate = 0.0001
    for hour in range(13):
        scene.clock.advance_to(START_MS + hour * HOUR_MS)
        quote = scene.quote(FET)
        if hour >= 4:
            nearest = START_MS + (hour + 1) * HOUR_MS
            quote = replace(quote, funding_interval_hours=1.0, next_funding_ms=nearest)
        scene.exchange.update_market({FET: quote})
    assert [hour for hour, _ in paid(scene, account, FET)] == [4, 5, 6, 7, 8, 9, 10, 11, 12]


def test_what_is_bought_after_the_payment_does_not_pay() -> None:
    scene = Scene()
    account = scene.account()
    scene.rate = 0.001
    scene.update()
    scene.after(HOUR_MS)
    scene.market(account, TAO, Side.BUY, "1")
    scene.update()
    assert paid(scene, account, TAO) == []
    scene.market(account, TAO, Side.SELL, "1")
    scene.after(HOUR_MS)
    assert paid(scene, account, TAO) == []


def test_a_resting_order_filled_by_the_price_of_the_payment_does_not_pay() -> None:
    scene = Scene()
    account = scene.account()
    scene.rate = 0.001
    scene.update()
    scene.limit(account, TAO, Side.BUY, "1", "390")
    scene.after(HOUR_MS, {TAO: 380.0})
    assert account.held(TAO)
    assert paid(scene, account, TAO) == []


def test_legs_of_hedge_mode_pay_each() -> None:
    scene = Scene()
    account = scene.account()
    legs = {(TAO, "LONG"): (D(2), D(400)), (TAO, "SHORT"): (D(-3), D(400))}
    scene.exchange.restore_account("bot", D(1000), legs)
    scene.rate = 0.001
    scene.update()
    scene.after(HOUR_MS)
    assert paid(scene, account, TAO) == [(1, D("-0.8")), (1, D("1.2"))]


def test_isolated_positions_pay_from_their_own_margin() -> None:
    scene = Scene()
    account = scene.account()
    scene.exchange.set_margin_type(account, TAO, MarginType.ISOLATED)
    scene.market(account, TAO, Side.BUY, "1")
    before, cross = account.isolated_wallets_usd, account.cross_wallet_usd
    scene.rate = 0.001
    scene.update()
    scene.after(HOUR_MS)
    assert account.isolated_wallets_usd == before - D("0.4")
    assert account.cross_wallet_usd == cross


@pytest.mark.parametrize("hours", [3, 24])
def test_missed_payments_are_made_up(hours: int) -> None:
    scene = Scene()
    account = holder(scene)
    scene.rate = 0.0001
    scene.update()
    scene.after(hours * HOUR_MS)
    assert [hour for hour, _ in paid(scene, account, TAO)] == list(range(1, hours + 1))
