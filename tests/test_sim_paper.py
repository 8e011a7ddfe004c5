"""Paper trading: the Venue port over the simulated exchange, in process."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.errors import VenueError
from bot.ports import Quote, Venue
from bot.trading.orders import Acknowledged, OrderRequest, OrderState, Rejected, Side
from bot.venues.paper import PAPER_LEVERAGE, PaperVenue, open_paper_venue
from bot.venues.sim.brackets import brackets_by_volume, max_notional_usd
from tests.sim_scene import BTC, FET, INSTRUMENTS, START_MS, Scene

D = Decimal


def prices(**changes: float) -> dict[str, Quote]:
    """Quotes of every symbol, in an account-less scene of the same instruments."""
    scene = Scene()
    return {i.symbol: scene.quote(i.symbol, **changes) for i in INSTRUMENTS}


def opened(**more: Any) -> PaperVenue:
    """A paper venue with prices."""
    venue = open_paper_venue(INSTRUMENTS, SimulatedClock(START_MS), "paper", D(10_000), **more)
    venue.refresh(prices())
    return venue


def short_fet(
    client_id: str = "h1abc", quantity: str = "1000", price: str = "0.99"
) -> OrderRequest:
    """An IOC sell."""
    return OrderRequest(
        client_id=client_id,
        intent_id="intent",
        symbol=FET,
        side=Side.SELL,
        quantity=D(quantity),
        limit_price=D(price),
        time_in_force="IOC",
        reduce_only=False,
    )


async def test_round_trip() -> None:
    venue: Venue = opened()
    assert venue.account_name == "paper"
    outcome = await venue.place(short_fet())
    assert isinstance(outcome, Acknowledged)
    assert (outcome.state, outcome.filled_quantity) == (OrderState.FILLED, D(1000))
    assert await venue.find(FET, "h1abc") == outcome
    fills = await venue.fills(FET, START_MS)
    assert sum(f.quantity for f in fills) == 1000
    assert {(f.client_id, f.side, f.maker) for f in fills} == {("h1abc", Side.SELL, False)}
    assert len({f.trade_id for f in fills}) == len(fills)
    account = await venue.account()
    assert account.base_quantity == {(FET, "BOTH"): D(-1000)}
    fee = sum(f.fee_usd or D(0) for f in fills)
    sold = sum(f.quantity * f.price for f in fills)
    assert account.state.equity_usd == pytest.approx(10_000 - float(fee) + float(sold) - 1000)
    assert account.state.initial_margin_usd == 200
    assert account.margin_rate[FET] == 0.2
    assert account.liquidation_price[FET, "BOTH"] > 10
    assert account.open_order_client_ids == frozenset()
    back = replace(
        short_fet("h1def", price="1.01"), side=Side.BUY, reduce_only=True, quantity=D(1000)
    )
    await venue.place(back)
    assert (await venue.account()).base_quantity == {}
    await venue.close()


async def test_refusals_are_outcomes() -> None:
    venue = opened()
    for order, code in (
        (short_fet(quantity="3"), "-4164"),
        (short_fet(price="0.5"), "-4024"),
        (short_fet(quantity="10000000"), "-2027"),
        (replace(short_fet(), reduce_only=True), "-2022"),
        (replace(short_fet(), position_side="SHORT"), "-4061"),
        (replace(short_fet(), position_side="UP"), "-4060"),
        (replace(short_fet(), time_in_force="DAY"), "-1115"),
        (replace(short_fet(), symbol="NOPE/USDT:USDT"), "-1121"),
    ):
        outcome = await venue.place(order)
        assert isinstance(outcome, Rejected)
        assert (outcome.client_id, outcome.code) == ("h1abc", code)
        assert outcome.reason
    assert venue.exchange.counters.fills == 0


async def test_one_per_cent_of_a_day_s_volume_fits_in_the_brackets() -> None:
    for volume in (1e6, 1.9e7, 1.9e8, 1.9e9, 1e10):
        brackets = brackets_by_volume(volume)
        assert max_notional_usd(brackets, PAPER_LEVERAGE) >= D(0.01 * volume)


async def test_a_partial_ioc_is_final() -> None:
    venue = opened(leverage=20)
    outcome = await venue.place(short_fet(quantity="50000", price="0.9995"))
    assert isinstance(outcome, Acknowledged)
    assert outcome.state is OrderState.EXPIRED
    assert 0 < outcome.filled_quantity < 50_000
    assert outcome.average_price is not None
    nothing = await venue.place(short_fet("h1none", price="1.1"))
    assert isinstance(nothing, Acknowledged)
    assert (nothing.state, nothing.average_price) == (OrderState.EXPIRED, None)


async def test_the_same_id_while_open_is_the_same_order() -> None:
    venue = opened()
    resting = replace(short_fet(price="1.1"), time_in_force="GTC")
    first = await venue.place(resting)
    assert await venue.place(resting) == first
    assert (await venue.account()).open_order_client_ids == {"h1abc"}


async def test_unknown_orders_and_symbols() -> None:
    venue = opened()
    assert await venue.find(FET, "never") is None
    for question in (venue.find("NOPE", "x"), venue.fills("NOPE", 0)):
        with pytest.raises(VenueError, match="Invalid symbol"):
            await question


async def test_restart_from_saved_state() -> None:
    venue = opened()
    await venue.place(short_fet())
    money = (await venue.account()).state
    held = venue.exchange.account_by_key("paper")
    assert held is not None
    (position,), wallet = venue.exchange.positions(held), held.wallet_usd
    again = open_paper_venue(
        INSTRUMENTS,
        SimulatedClock(START_MS),
        "paper",
        wallet,
        {(FET, "BOTH"): (position.quantity, position.entry_price)},
    )
    with pytest.raises(VenueError, match="no price yet for FET"):
        await again.account()
    again.refresh(prices())
    account = await again.account()
    assert account.base_quantity == {(FET, "BOTH"): D(-1000)}
    assert account.state.equity_usd == pytest.approx(money.equity_usd, abs=1e-6)


async def test_restored_hedge_mode_closes_by_its_side() -> None:
    saved = {(FET, "SHORT"): (D(-1000), D(1))}
    venue = opened(positions=saved)
    assert (await venue.account()).hedge_mode
    back = replace(short_fet(price="1.01"), side=Side.BUY, position_side="SHORT", reduce_only=True)
    outcome = await venue.place(back)
    assert isinstance(outcome, Acknowledged)
    assert (await venue.account()).base_quantity == {}


async def test_leverage_applies_within_the_brackets() -> None:
    account = await opened(leverage=3).account()
    assert account.margin_rate[BTC] == pytest.approx(1 / 3)
    most = await opened(leverage=1000).account()
    assert (most.margin_rate[BTC], most.margin_rate[FET]) == (1 / 125, 1 / 50)


async def test_quotes_of_other_symbols_are_left_aside() -> None:
    venue = opened()
    venue.refresh({"NOPE/USDT:USDT": prices()[FET]} | prices(mark=2.0, bid=1.9, ask=2.1))
    assert venue.exchange.quote(FET).mark == 2.0
