"""Plans: whole lots, whole ticks, inside the collar, never more than the leg, never a flip."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.trading.client_ids import derive_client_id
from bot.trading.orders import Side
from bot.trading.planner import (
    PlanIdentity,
    PlannedOrder,
    PlanSettings,
    limit_price,
    plan_orders,
    split_quantity,
)
from tests.execute_scene import (
    ACCOUNT,
    BTC,
    FET,
    INSTRUMENTS,
    KEY,
    QUOTES,
    TAO,
    instrument,
    leg,
    plan_of,
    proposal,
    quote,
)

SETTINGS = PlanSettings(max_order_usd=Decimal(2000))
lots = st.sampled_from(["1", "0.001", "0.5", "10", "0.1"]).map(Decimal)
ticks = st.sampled_from(["0.0001", "0.01", "0.1", "0.5", "0.000001"]).map(Decimal)
marks = st.floats(0.01, 90_000, allow_nan=False)


def signed(orders: Sequence[PlannedOrder]) -> Decimal:
    return sum((o.request.side.sign * o.request.quantity for o in orders), Decimal(0))


@given(
    lot=lots,
    tick=ticks,
    mark=marks,
    held_lots=st.integers(-3000, 3000),
    trade_lots=st.integers(-3000, 3000).filter(bool),
    cap=st.integers(50, 20_000),
)
def test_orders_add_up_to_the_leg_and_break_no_limit(
    *, lot: Decimal, tick: Decimal, mark: float, held_lots: int, trade_lots: int, cap: int
) -> None:
    held, trade = held_lots * lot, trade_lots * lot
    one = instrument(FET, tick=str(tick), lot=str(lot))
    own = {(FET, "BOTH"): held} if held else {}
    settings = PlanSettings(max_order_usd=Decimal(cap))
    plan = plan_orders(
        proposal(leg(FET, held, trade, mark)),
        {FET: one},
        {FET: quote(FET, mark)},
        own,
        identity=PlanIdentity(ACCOUNT, "c", KEY),
        settings=settings,
    )
    exact_mark = Decimal(repr(mark))
    left = held
    for planned in plan.orders:
        order = planned.request
        assert order.quantity > 0
        assert order.quantity % lot == 0
        assert order.limit_price % tick == 0
        assert abs(order.limit_price - exact_mark) <= exact_mark * settings.collar
        assert order.quantity * max(order.limit_price, exact_mark) <= cap
        before, left = left, left + order.side.sign * order.quantity
        if order.reduce_only:
            assert before * left >= 0, "a close never flips"
            assert abs(left) < abs(before)
        else:
            assert before * left >= 0, "an opening starts from flat or the same side"
            assert order.quantity * exact_mark >= one.min_notional_usd * Decimal("0.98")
    if not plan.skipped:
        assert signed([*plan.orders]) == trade
        assert plan.intents[0].trade_quantity == trade
    assert abs(signed([*plan.orders])) <= abs(trade)
    closes = [o.request.reduce_only for o in plan.orders]
    assert closes == sorted(closes, reverse=True)
    assert len({o.request.client_id for o in plan.orders}) == len(plan.orders)


@given(mark=marks, spread=st.floats(0, 0.05), tick=ticks, side=st.sampled_from(list(Side)))
def test_a_limit_is_a_tick_inside_the_collar_rounded_away_from_the_market(
    mark: float, spread: float, tick: Decimal, side: Side
) -> None:
    seen = quote(FET, mark, spread=spread)
    price = limit_price(side, seen, tick, SETTINGS)
    exact = Decimal(repr(mark))
    if price is None:
        first = (exact * Decimal("0.99") / tick).to_integral_value(ROUND_CEILING) * tick
        assert first > exact * Decimal("1.01") or first <= 0
        return
    assert price % tick == 0
    assert price > 0
    assert abs(price - exact) <= exact * SETTINGS.collar
    if side is Side.BUY:
        assert price <= max(
            Decimal(repr(seen.ask)) * Decimal("1.003"), exact * Decimal("0.99") + tick
        )
    else:
        assert price >= min(
            Decimal(repr(seen.bid)) * Decimal("0.997"), exact * Decimal("1.01") - tick
        )


def test_prices_by_hand() -> None:
    seen = replace(QUOTES[TAO], bid=399.8, ask=400.2)
    tick = Decimal("0.01")
    assert limit_price(Side.SELL, seen, tick, SETTINGS) == Decimal("398.61")  # 398.6006 up
    assert limit_price(Side.BUY, seen, tick, SETTINGS) == Decimal("401.40")  # 401.4006 down
    wide = replace(seen, bid=390.0, ask=410.0)
    assert limit_price(Side.SELL, wide, tick, SETTINGS) == Decimal("396.00")  # the collar
    assert limit_price(Side.BUY, wide, tick, SETTINGS) == Decimal("404.00")


@pytest.mark.parametrize(
    "change",
    [
        {"bid": 401.0, "ask": 400.0},
        {"mark": float("nan")},
        {"bid": 0.0},
        {"ask": float("inf")},
        {"mark": -1.0},
    ],
)
def test_an_unusable_quote_gives_no_price(change: dict[str, float]) -> None:
    seen = replace(QUOTES[TAO], **change)
    assert limit_price(Side.SELL, seen, Decimal("0.01"), SETTINGS) is None
    plan = plan_of(leg(TAO, Decimal(0), Decimal(-1), 400.0), quotes={TAO: seen})
    assert (plan.orders, plan.skipped[0].symbol) == ((), TAO)


def test_closing_everything_sends_exactly_what_is_held_even_off_the_lot() -> None:
    held = Decimal("-7.0005")  # the lot was finer once
    plan = plan_of(leg(TAO, held, -held, 400.0), own={(TAO, "BOTH"): held})
    assert signed(plan.orders) == Decimal("7.0005")
    assert all(o.request.reduce_only for o in plan.orders)
    assert [o.request.quantity for o in plan.orders] == [Decimal("3.5"), Decimal("3.5005")]


def test_a_trade_across_zero_closes_first_and_opens_what_is_left() -> None:
    held, trade = Decimal(1000), Decimal(-1500)
    plan = plan_of(leg(FET, held, trade, 0.5), own={(FET, "BOTH"): held})
    assert [(o.request.reduce_only, o.request.quantity, o.leg) for o in plan.orders] == [
        (True, Decimal(1000), "close-0"),
        (False, Decimal(500), "open-1"),
    ]


def test_all_closes_come_before_all_openings() -> None:
    own = {(TAO, "BOTH"): Decimal(-2)}
    plan = plan_of(
        leg(FET, Decimal(0), Decimal(-2000), 0.5),
        leg(TAO, Decimal(-2), Decimal(1), 400.0),
        own=own,
    )
    assert [(o.request.symbol, o.request.reduce_only) for o in plan.orders] == [
        (TAO, True),
        (FET, False),
    ]


def test_hedge_mode_names_its_position_sides() -> None:
    own = {(FET, "SHORT"): Decimal(-1000), (FET, "LONG"): Decimal(0)}
    settings = replace(SETTINGS, hedge_mode=True)
    plan = plan_of(leg(FET, Decimal(-1000), Decimal(1500), 0.5), own=own, settings=settings)
    assert [
        (o.request.side, o.request.position_side, o.request.reduce_only) for o in plan.orders
    ] == [(Side.BUY, "SHORT", True), (Side.BUY, "LONG", False)]
    deeper = plan_of(leg(FET, Decimal(-1000), Decimal(-500), 0.5), own=own, settings=settings)
    assert [(o.request.position_side, o.request.reduce_only) for o in deeper.orders] == [
        ("SHORT", False)
    ]


@pytest.mark.parametrize(("trade", "sides"), [("-500", ["SHORT"]), ("1000", ["SHORT"])])
def test_a_rest_below_one_lot_on_the_other_side_is_left_alone(trade: str, sides: list[str]) -> None:
    """The lot of FET became larger, say; no order can close it, and it must not block the rest."""
    own = {(FET, "SHORT"): Decimal(-1000), (FET, "LONG"): Decimal("0.4")}
    one = leg(FET, Decimal("-999.6"), Decimal(trade), 0.5)
    plan = plan_of(one, own=own, settings=replace(SETTINGS, hedge_mode=True))
    assert [o.request.position_side for o in plan.orders] == sides
    assert [o.request.quantity for o in plan.orders] == [abs(Decimal(trade))]


def test_a_hedge_that_goes_flat_beside_such_a_rest_is_closed_whole() -> None:
    own = {(FET, "SHORT"): Decimal(-1000), (FET, "LONG"): Decimal("0.4")}
    one = leg(FET, Decimal("-999.6"), Decimal("999.6"), 0.5)
    plan = plan_of(one, own=own, settings=replace(SETTINGS, hedge_mode=True))
    assert [(o.request.quantity, o.request.reduce_only) for o in plan.orders] == [(1000, True)]


@pytest.mark.parametrize(
    ("symbol", "held", "trade", "price", "own", "word"),
    [
        (FET, "0", "-4", 0.5, "0", "smallest order"),
        (FET, "-100", "100", 0.5, "-60", "the proposal was made for"),
        (BTC, "0", "-0.0004", 60_000.0, "0", "less than one lot"),
        ("NEW/USDT:USDT", "0", "-1", 1.0, "0", "not listed"),
    ],
)
def test_what_cannot_be_ordered_is_left_out_with_a_reason(
    *, symbol: str, held: str, trade: str, price: float, own: str, word: str
) -> None:
    plan = plan_of(
        leg(symbol, Decimal(held), Decimal(trade), price), own={(symbol, "BOTH"): Decimal(own)}
    )
    assert plan.orders == ()
    assert word in plan.skipped[0].reason


def test_one_lot_above_the_cap_is_left_out() -> None:
    plan = plan_of(
        leg(BTC, Decimal(0), Decimal("-0.002"), 60_000.0),
        settings=PlanSettings(max_order_usd=Decimal(50)),
    )
    assert "above the largest order" in plan.skipped[0].reason


def test_float_noise_of_a_proposal_does_not_lose_a_lot() -> None:
    noisy = replace(leg(TAO, Decimal(0), Decimal("-1.234"), 400.0), trade_usd=-1.234 * 400.0 + 1e-9)
    assert signed(plan_of(noisy).orders) == Decimal("-1.234")
    short = replace(noisy, trade_usd=-1.2339 * 400.0)
    assert signed(plan_of(short).orders) == Decimal("-1.233"), "never rounded up"


@given(
    lot=lots,
    whole=st.integers(0, 5000),
    rest=st.integers(0, 99),
    most=st.integers(1, 400),
)
def test_pieces_add_up_exactly(lot: Decimal, whole: int, rest: int, most: int) -> None:
    quantity = whole * lot + lot * rest / 100
    if not quantity:
        return
    pieces = split_quantity(quantity, most * lot, lot)
    assert sum(pieces, Decimal(0)) == quantity
    assert all(0 < piece <= most * lot for piece in pieces)
    assert all(piece % lot == 0 for piece in pieces[:-1])
    assert len(pieces) <= -(-quantity // (most * lot)) + 1


def test_the_venues_largest_quantity_is_kept() -> None:
    one = instrument(FET, max_quantity="700")
    plan = plan_orders(
        proposal(leg(FET, Decimal(0), Decimal(-2000), 0.5)),
        {FET: one},
        QUOTES,
        {},
        identity=PlanIdentity(ACCOUNT, "c", KEY),
        settings=SETTINGS,
    )
    assert [o.request.quantity for o in plan.orders] == [667, 667, 666]


def test_client_ids_are_derived_short_and_alphanumeric() -> None:
    facts = {"account": ACCOUNT, "symbol": FET, "intent_id": "c:FET", "leg": "open-0", "attempt": 0}
    one = derive_client_id(KEY, **facts)
    assert one == derive_client_id(KEY, **facts)
    assert len(one) == 26
    assert one.startswith("h1")
    assert one.isalnum()
    others = [
        derive_client_id(KEY, **{**facts, name: value})
        for name, value in [
            ("account", "x"),
            ("symbol", TAO),
            ("intent_id", "c:TAO"),
            ("leg", "open-1"),
            ("attempt", 1),
        ]
    ]
    assert len({one, *others, derive_client_id(KEY[::-1], **facts)}) == 7
    with pytest.raises(ValueError, match="too short"):
        derive_client_id(b"short", **facts)


def test_the_plan_is_the_same_every_time() -> None:
    legs = [leg(s, Decimal(0), -5 * INSTRUMENTS[s].lot * 1000, QUOTES[s].mark) for s in (FET, TAO)]
    assert plan_of(*legs) == plan_of(*legs)
