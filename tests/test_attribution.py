"""Who earned and cost what: against cash flows by hand, the exchange's income, and its equity."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.attribution.bots import bot_results
from bot.attribution.course import moments_of, moves_of
from bot.attribution.hedges import Booked, hedge_results
from bot.attribution.income import Difference, differences
from bot.attribution.period import Attribution, attribution_of
from bot.controls.books import whole_income
from bot.trading.ledger import ExternalClose, FundingReceipt, OwnFill
from bot.trading.orders import Fill, Side
from tests.cycle_scene import ACCOUNT, FET, LONGS, NEAR, TAO, Scene, open_scene
from tests.test_explain_outcome import HOUR_MS, cycle


def fill(at_ms: int, side: str, quantity: str, price: str, fee: str | None = "0") -> OwnFill:
    return OwnFill(
        Fill(
            trade_id=f"{at_ms}",
            venue_order_id="1",
            client_id="c",
            symbol=FET,
            side=Side(side),
            quantity=Decimal(quantity),
            price=Decimal(price),
            fee_usd=None if fee is None else Decimal(fee),
            realised_pnl_usd=None,
            maker=False,
            timestamp_ms=at_ms,
        ),
        "BOTH",
    )


def test_a_short_that_is_half_closed_by_hand() -> None:
    """Sold 100 at 2.00 before the period; in it 50 bought at 1.80; the mark goes 1.90 to 1.70."""
    booked = Booked(
        [fill(10, "sell", "100", "2.00", "0.10"), fill(20, "buy", "50", "1.80", "0.05")],
        [FundingReceipt("a", FET, Decimal("0.30"), 15), FundingReceipt("b", FET, Decimal(-1), 5)],
    )
    (one,) = hedge_results(booked, 12, None, {FET: 1.90}, {FET: 1.70})
    assert one.realised_usd == Decimal("10.00"), "50 coins, 0.20 each"
    assert one.unrealised_usd == pytest.approx(50 * 0.30 - 100 * 0.10)
    assert (one.fees_usd, one.funding_usd) == (Decimal("0.05"), Decimal("0.30"))
    assert one.traded_usd == Decimal("90.00")
    # Worth before: -190 against 200 received; after: 110 received, -85 held.
    assert one.net_usd == pytest.approx((-50 * 1.70) - (-100 * 1.90) - 50 * 1.80 - 0.05 + 0.30)


def test_what_ended_before_or_began_after_is_not_of_the_period() -> None:
    booked = Booked(
        [fill(10, "sell", "1", "2"), fill(11, "buy", "1", "1"), fill(30, "buy", "1", "1")]
    )
    assert hedge_results(booked, 20, 30, {}, {}) == []


def test_an_open_position_without_a_mark_has_no_price_result() -> None:
    (one,) = hedge_results(Booked([fill(10, "sell", "1", "2")]), 0, None, {}, {})
    assert (one.unrealised_usd, one.net_usd) == (None, None)


def test_a_close_by_others_at_an_unknown_price_is_told() -> None:
    close = ExternalClose(FET, "BOTH", Decimal(40), 20, kind="others")
    booked = Booked([fill(10, "sell", "100", "2")], (), [close])
    (one,) = hedge_results(booked, 0, None, {}, {FET: 2.0})
    assert one.closed_unpriced == 40


def test_a_fee_nobody_told_is_counted_not_taken_for_none() -> None:
    (one,) = hedge_results(Booked([fill(10, "sell", "1", "2", None)]), 0, None, {}, {FET: 2.0})
    assert one.fees_usd == 0
    assert one.fees_unknown == 1


prices = st.decimals("0.01", "900", places=2)
trades = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.decimals("0.1", "50", places=1), prices),
    min_size=1,
    max_size=12,
)


@given(trades, st.integers(0, 12), prices, prices)
def test_price_results_are_the_cash_that_moved_and_what_is_held(
    moves: list[tuple[str, Decimal, Decimal]], cut: int, first: Decimal, last: Decimal
) -> None:
    """An identity that knows no entry price: sales less purchases, and worth at either end."""
    fills = [fill(k, side, str(q), str(p)) for k, (side, q, p) in enumerate(moves)]
    found = hedge_results(Booked(fills), cut, None, {FET: float(first)}, {FET: float(last)})
    signed = [one.signed_quantity for one in fills]
    held = sum(signed[:cut], Decimal(0))
    cash = -sum(q * one.fill.price for q, one in zip(signed[cut:], fills[cut:], strict=True))
    expected = cash + (held + sum(signed[cut:], Decimal(0))) * last - held * first
    total = sum(float(one.realised_usd) + (one.unrealised_usd or 0) for one in found)
    assert total == pytest.approx(float(expected), abs=1e-6)


def test_the_bot_is_told_by_symbol_and_what_is_not_known_is_time_not_money() -> None:
    both = {FET: (100.0, 0.0), TAO: (1.0, 0.0)}
    moments = moments_of(
        [
            cycle(0, {FET: 1.0, TAO: 400.0}, both),
            cycle(1, {FET: 1.5}, {FET: (100.0, 0.0)}),
            cycle(2, {FET: 1.4}, {FET: (100.0, 0.0)}),
        ]
    )
    fet, tao = bot_results(moments)
    assert (fet.symbol, fet.unmeasured_ms) == (FET, 0)
    assert fet.price_usd == pytest.approx(40.0)
    assert (tao.symbol, tao.price_usd, tao.unmeasured_ms) == (TAO, 0.0, HOUR_MS)


def test_income_that_either_side_does_not_know_is_a_difference() -> None:
    (hedge,) = hedge_results(Booked([fill(10, "sell", "1", "2", "0.01")]), 0, None, {}, {FET: 2.0})
    told = differences(
        [hedge],
        [("COMMISSION", FET, Decimal("-0.01")), ("INSURANCE_CLEAR", TAO, Decimal("-3"))],
    )
    assert [one for one in told if one.usd] == [
        Difference("INSURANCE_CLEAR", TAO, Decimal(0), Decimal(-3))
    ]
    assert Difference("COMMISSION", FET, Decimal("-0.01"), Decimal("-0.01")) in told


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as opened:
        yield opened


BOOKS: tuple[dict[str, str], ...] = (
    LONGS,
    LONGS,
    {**LONGS, NEAR: "6000"},
    {FET: "15000"},
    {FET: "15000"},
    {},
    {TAO: "60"},
)


async def a_week(scene: Scene) -> list[dict[str, Any]]:
    """Cycles while the bot turns its book over, long enough for funding to be paid."""
    for longs in BOOKS:
        scene.hold(longs)
        await scene.cycle()
        scene.advance(9, longs)
    return scene.journal.cycles()


def booked(scene: Scene) -> Booked:
    journal = scene.journal
    return Booked(
        journal.own_fills(ACCOUNT),
        journal.funding_receipts(ACCOUNT),
        journal.external_closes(ACCOUNT),
    )


def attributed(scene: Scene, documents: list[dict[str, Any]], **more: Any) -> Attribution:
    costs = [
        cost for one in scene.journal.kept_events("order_costs") for cost in one.document["costs"]
    ]
    found = attribution_of(documents, booked(scene), costs, **more)
    assert found is not None
    return found


async def test_it_is_the_exchange_s_income_to_the_last_digit(scene: Scene) -> None:
    found = attributed(scene, await a_week(scene))
    income = [
        (one.kind, one.symbol, Decimal(one.amount_usd))
        for one in await whole_income(scene.venue.inner, 0)
        if one.kind != "TRANSFER"
    ]
    told = differences(found.hedges, income)
    assert {one.kind for one in told if one.paid_usd} == {
        "REALIZED_PNL",
        "COMMISSION",
        "FUNDING_FEE",
    }
    assert [one for one in told if one.usd] == []


async def test_the_hedges_net_is_what_the_account_gained(scene: Scene) -> None:
    documents = await a_week(scene)
    scene.hold(BOOKS[-1])
    last = await scene.cycle()
    # Its equity is from before its own trades, and so is all that is counted here.
    found = attributed(scene, [*documents, last.document()], next_ms=last.timestamp_ms)
    started = float(scene.settings.venue.paper_wallet_usd)
    assert found.hedge_net_usd is not None
    assert abs(found.hedge_net_usd) > 1
    assert last.equity_usd == pytest.approx(started + found.hedge_net_usd, abs=1e-3)


async def test_parts_of_a_period_add_up_to_it(scene: Scene) -> None:
    documents = await a_week(scene)
    whole = attributed(scene, documents)
    cut = 3
    first = attributed(scene, documents[: cut + 1], next_ms=documents[cut]["timestamp_ms"])
    second = attributed(scene, documents[cut:])
    for key in ("fees_usd", "funding_usd", "traded_usd"):
        parts = [sum(getattr(h, key) for h in one.hedges) for one in (first, second)]
        assert sum(parts) == sum(getattr(h, key) for h in whole.hedges)
    assert first.hedge_net_usd is not None
    assert second.hedge_net_usd is not None
    assert whole.hedge_net_usd == pytest.approx(first.hedge_net_usd + second.hedge_net_usd)


async def test_every_hour_of_what_the_bot_held_is_measured_to_its_close(scene: Scene) -> None:
    """NEAR, then all, then FET and the rest are closed between two cycles of the week."""
    documents = await a_week(scene)
    closed = {symbol for one in documents for symbol in one["closed_marks"]}
    assert {NEAR, TAO, FET} <= closed
    assert [one for one in attributed(scene, documents).bots if one.unmeasured_ms] == []


async def test_risk_and_cost_of_a_week(scene: Scene) -> None:
    found = attributed(scene, await a_week(scene))
    assert found.risk is not None
    assert found.risk.expected_effectiveness is not None
    assert 0.3 < found.risk.expected_effectiveness < 1
    assert found.cost_usd is not None
    assert found.cost_per_risk is not None
    slips = [s for s in found.slippage_usd.values() if s is not None]
    assert len(slips) == len(found.slippage_usd) > 3
    document = found.document()
    assert document["total"]["cost_usd"] == found.cost_usd
    assert attribution_of([], booked(scene), ()) is None


def test_a_symbol_that_was_closed_between_two_cycles_is_measured_to_its_close() -> None:
    """TAO is gone at the second cycle, which tells its price: 400 to 440 on 1,000 USD is 100."""
    first = cycle(0, {FET: 1.0, TAO: 400.0}, {FET: (100.0, 0.0), TAO: (2.5, -0.5)})
    second = cycle(1, {FET: 1.5}, {FET: (100.0, 0.0)}) | {"closed_marks": {TAO: 440.0}}
    fet, tao = bot_results(moments_of([first, second]))
    assert (fet.price_usd, fet.unmeasured_ms) == (pytest.approx(50.0), 0)
    assert (tao.price_usd, tao.unmeasured_ms) == (pytest.approx(100.0), 0)
    (move,) = moves_of(moments_of([first, second]))
    assert move.unknown == ()
    assert move.hedge_usd == pytest.approx(-20.0)


def test_a_cycle_cut_short_after_its_look_has_no_book_to_measure_from() -> None:
    seen_only = {"timestamp_ms": 1, "bot_gross_usd": 100.0, "hedge_gross_usd": None, "legs": []}
    assert moments_of([seen_only]) == []
