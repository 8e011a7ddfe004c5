"""A hedge that the exchange closes itself: recognised, booked to the last digit, and answered."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from bot.journal.reader import JournalReader
from bot.trading.orders import OrderState, Side
from bot.venues.close_causes import cause_of
from bot.venues.sim.records import NewOrder, OrderType
from tests.cycle_scene import ACCOUNT, Scene, open_scene, paper_settings


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, settings=paper_settings(tmp_path)) as one:
        one.hold()
        yield one


async def hedged(scene: Scene) -> str:
    """A first cycle; the symbol of the largest hedge."""
    await scene.cycle()
    own = scene.journal.own_positions(ACCOUNT)
    quotes = scene.venue.inner.exchange
    return max(own, key=lambda key: abs(float(own[key])) * quotes.quote(key[0]).mark)[0]


def equal_to_the_last_digit(scene: Scene) -> None:
    """Positions and wallet by the journal are the exchange's."""
    account, exchange = scene.venue.inner._account, scene.venue.inner.exchange
    held = {(p.symbol, "BOTH"): p.quantity for p in account.held()}
    ledger = scene.journal.ledger(ACCOUNT)
    assert ledger.open_quantity == held == scene.journal.own_positions(ACCOUNT)
    assert ledger.wallet_usd(account.initial_usd) == exchange.margin(account).wallet_usd


async def test_a_deleveraged_hedge_is_booked_told_and_planned_anew_at_once(scene: Scene) -> None:
    symbol = await hedged(scene)
    before = scene.journal.own_positions(ACCOUNT)[symbol, "BOTH"]
    exchange, account = scene.venue.inner.exchange, scene.venue.inner._account
    exchange.deleverage(account, symbol, Decimal("0.5"))
    [trade] = [t for t in account.trades if t.client_id == "adl_autoclose"]
    scene.clock.advance_to(scene.clock.now_ms() + 60_000)
    scene.hold()
    record = await scene.cycle()
    [close] = scene.journal.external_closes(ACCOUNT)
    assert (close.kind, close.price) == ("adl", trade.price)
    assert (close.fee_usd, close.realised_pnl_usd) == (trade.fee_usd, trade.realised_pnl_usd)
    assert close.quantity_change == trade.quantity
    [event] = scene.journal.events(kind="hedge_closed_externally")
    assert event.document["kind"] == "adl"
    [alert] = [a for a in scene.engine.guard.alerts if a.control == "closed_by_others"]
    assert "deleveraged by the exchange" in alert.text
    assert record.proposal is not None, "what is missing is planned anew at once"
    assert "until" in record.excluded[symbol], "yet not in this symbol"
    after = scene.journal.own_positions(ACCOUNT)[symbol, "BOTH"]
    assert before < before + trade.quantity <= after < 0, "it may shrink, and does not grow"
    equal_to_the_last_digit(scene)


async def test_the_pause_after_deleveraging_ends_and_outlives_a_restart(scene: Scene) -> None:
    symbol = await hedged(scene)
    scene.venue.inner.exchange.deleverage(scene.venue.inner._account, symbol, Decimal(1))
    scene.advance(0.1)
    assert symbol in (await scene.cycle()).excluded
    with JournalReader.open_reader(scene.journal.path) as anew:
        assert [one.kind for one in anew.external_closes(ACCOUNT)] == ["adl"]
    scene.advance(1.0)
    assert symbol not in (await scene.cycle()).excluded
    equal_to_the_last_digit(scene)


async def test_a_liquidation_halts_its_symbol(scene: Scene) -> None:
    symbol = await hedged(scene)
    venue = scene.venue.inner
    money = venue.exchange.margin(venue._account)
    keep = money.maintenance_margin_usd / 2 - money.unrealised_pnl_usd
    venue.exchange.transfer(venue._account, keep - venue._account.wallet_usd)
    scene.advance(0.05)
    await scene.cycle()
    closes = scene.journal.external_closes(ACCOUNT)
    assert {one.kind for one in closes} == {"liquidation"}
    assert all(one.price is not None for one in closes)
    halted = scene.engine.guard.halted_symbols
    assert {one.symbol for one in closes} == set(halted)
    assert "liquidated by the exchange" in halted[closes[0].symbol]
    assert symbol in halted, "the largest goes first"
    assert scene.journal.unresolved_orders(ACCOUNT) == ()


async def test_a_hand_that_closes_a_hedge_is_priced_and_pauses_nothing(scene: Scene) -> None:
    symbol = await hedged(scene)
    venue = scene.venue.inner
    half = abs(scene.journal.own_positions(ACCOUNT)[symbol, "BOTH"]) / 2
    step = venue.exchange.filters(symbol).step
    amount = (half / step).to_integral_value() * step
    order = NewOrder(
        symbol, Side.BUY, OrderType.MARKET, amount, client_id="web_1", reduce_only=True
    )
    venue.exchange.place(venue._account, order)
    scene.advance(0.05)
    record = await scene.cycle()
    closes = scene.journal.external_closes(ACCOUNT)
    assert {one.kind for one in closes} == {"others"}
    assert sum(one.quantity_change for one in closes) == amount
    assert symbol not in record.excluded
    equal_to_the_last_digit(scene)


async def test_no_order_of_ours_is_ever_taken_for_a_close(scene: Scene) -> None:
    await hedged(scene)
    scene.advance(5.0, {})
    await scene.cycle()  # the bot is flat, so our own orders close the hedges
    assert scene.journal.external_closes(ACCOUNT) == []
    states = {row.state for row in scene.journal.orders(scene.events[-1]["cycle_id"])}
    assert states <= {OrderState.FILLED, OrderState.EXPIRED}


@pytest.mark.parametrize(
    ("venue", "info", "cause"),
    [
        ("bybit", {"execType": "AdlTrade"}, "adl"),
        ("bybit", {"execType": "BustTrade"}, "liquidation"),
        ("bybit", {"execType": "Trade"}, ""),
        ("okx", {"subType": "125"}, "adl"),
        ("okx", {"subType": "104"}, "liquidation"),
        ("okx", {"subType": "2"}, ""),
        ("bitget", {"tradeSide": "burst_close_short"}, "liquidation"),
        ("bitget", {"tradeSide": "dte_sys_adl_close_short"}, "adl"),
        ("bitget", {"tradeSide": "close"}, ""),
        ("gate", {"text": "auto_deleveraging"}, "adl"),
        ("gate", {"text": "liq-12"}, "liquidation"),
        ("gate", {"text": "t-h1abc"}, ""),
        ("hyperliquid", {"dir": "Auto-Deleveraging"}, "adl"),
        ("hyperliquid", {"dir": "Liquidated Cross Short"}, "liquidation"),
        ("hyperliquid", {"dir": "Close Short"}, ""),
        ("binanceusdm", {"side": "BUY"}, ""),
        ("kraken", {"execType": "AdlTrade"}, ""),
    ],
)
def test_what_exchanges_say_of_their_own_executions(
    venue: str, info: dict[str, str], cause: str
) -> None:
    assert cause_of(venue, info) == cause
