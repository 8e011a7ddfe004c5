"""What orders cost against what was expected: by hand, as properties, and through the journal."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.faults.errors import ProcessEndedError
from bot.trading.cancels import cancel_resting
from bot.trading.cost_book import CostBook
from bot.trading.order_costs import Arrival, OrderCost, SymbolCost, Touch, arrival_of, order_cost
from bot.trading.orders import Fill, Side
from bot.trading.reconcile import recover, resolve_unresolved
from bot.trading.styles import ExecutionStyles
from tests.cycle_scene import open_scene
from tests.execute_scene import ACCOUNT, FET, NOW_MS, fill, leg, plan_of
from tests.styles_scene import POST_ONLY, Street, StyleStage, open_styles

SHORT_FET = leg(FET, Decimal(0), Decimal(-2000), 0.5)
EXPECTED = SymbolCost(fee=0.0005, half_spread=0.0005, impact_per_root_usd=1e-5, impact_scale=2e-5)
ARRIVAL = Arrival(mark=0.5, mid=0.5, expected=EXPECTED)


def cost_of(*fills: Fill, touch: Touch | None, arrival: Arrival = ARRIVAL) -> OrderCost:
    found = order_cost(
        fills,
        arrival,
        touch,
        client_id="h1",
        intent_id="i1",
        intent_quantity=Decimal(-8000),
        style="ioc",
    )
    assert found is not None
    return found


def test_a_sale_by_hand() -> None:
    """Sold 2,000 from a middle of 0.5 that had fallen to 0.498, over a spread of 0.002."""
    touch = Touch(bid=Decimal("0.497"), ask=Decimal("0.499"))
    cost = cost_of(
        fill("1", quantity="1500", price="0.497", fee="0.37"),
        fill("2", quantity="500", price="0.495", fee="0.12"),
        touch=touch,
    )
    assert cost.notional_usd == 1000
    assert cost.drift_usd == pytest.approx(4.0), "0.002 on 2,000"
    assert cost.spread_usd == pytest.approx(2.0), "0.001 on 2,000"
    assert cost.impact_usd == pytest.approx(1.0), "0.002 on 500"
    assert cost.fee_usd == pytest.approx(0.49)
    assert cost.shortfall_usd == pytest.approx(7.0)
    assert cost.realised_usd == pytest.approx(7.49)
    assert cost.in_bp(cost.realised_usd) == pytest.approx(74.9)
    # 4,000 USD were meant: its root is 63.2, and this order bears a quarter of the intent.
    assert cost.expected_impact_usd == pytest.approx(1e-5 * 4000**0.5 * 1000)
    assert cost.expected_usd == pytest.approx(0.5 + 0.5 + 1e-2 * 4000**0.5)
    assert cost.participation_root == pytest.approx(2e-5 * 4000**0.5)


def test_a_maker_earns_the_half_spread_and_a_rebate() -> None:
    touch = Touch(bid=Decimal("0.499"), ask=Decimal("0.501"))
    earned = replace(fill("1", quantity="2000", price="0.501", fee="-0.1"), maker=True)
    cost = cost_of(earned, touch=touch)
    assert (cost.spread_usd, cost.impact_usd, cost.drift_usd) == (-2.0, 0.0, 0.0)
    assert cost.realised_usd == pytest.approx(-2.1)
    assert cost.maker_share == 1.0


def test_what_is_not_known_is_not_nought() -> None:
    cost = cost_of(
        fill("1", quantity="2000", price="0.499", fee=None),
        touch=None,
        arrival=replace(ARRIVAL, expected=None),
    )
    told = cost.document()
    assert told["shortfall_usd"] == 2.0
    nothing = {name for name, value in told.items() if value is None}
    assert nothing == {
        "fee_usd",
        "drift_usd",
        "spread_usd",
        "impact_usd",
        "realised_usd",
        "realised_bp",
        "expected_usd",
        "expected_bp",
        "expected_fee_usd",
        "expected_spread_usd",
        "expected_impact_usd",
        "participation_root",
    }


_price = st.decimals("0.4", "0.6", places=4)


@given(
    side=st.sampled_from(Side),
    parts=st.lists(st.tuples(st.integers(1, 5000), _price, st.booleans()), min_size=1, max_size=6),
    bid=_price,
    spread=st.decimals("0.0001", "0.01", places=4),
    mid=_price,
)
def test_the_parts_add_up_and_the_other_side_is_the_mirror(
    side: Side,
    parts: list[tuple[int, Decimal, bool]],
    bid: Decimal,
    spread: Decimal,
    mid: Decimal,
) -> None:
    arrival = Arrival(float(mid), float(mid), EXPECTED)
    touch = Touch(bid, bid + spread)

    def cost(of: Side) -> OrderCost:
        fills = [
            replace(fill(str(n), side=of, quantity=str(q), price=str(p)), maker=maker)
            for n, (q, p, maker) in enumerate(parts)
        ]
        return cost_of(*fills, touch=touch, arrival=arrival)

    one, other = cost(side), cost(Side.SELL if side is Side.BUY else Side.BUY)
    assert one.drift_usd is not None
    assert one.spread_usd is not None
    assert one.impact_usd is not None
    whole = one.drift_usd + one.spread_usd + one.impact_usd
    assert whole == pytest.approx(one.shortfall_usd, abs=1e-9)
    assert one.shortfall_usd == pytest.approx(-other.shortfall_usd, abs=1e-9)


def test_an_arrival_comes_back_from_its_document() -> None:
    assert arrival_of(ARRIVAL.document()) == ARRIVAL
    bare = replace(ARRIVAL, expected=None)
    assert arrival_of(bare.document()) == bare
    assert arrival_of(None) is None


def recorded(stage: StyleStage) -> list[dict[str, object]]:
    return [c for e in stage.journal.events(kind="order_costs") for c in e.document["costs"]]


async def test_each_style_leaves_its_costs_in_the_journal(tmp_path: Path) -> None:
    realised = {}
    for styles in (ExecutionStyles(), POST_ONLY):
        async with open_styles(tmp_path / styles.style, styles) as stage:
            stage.street.later(2, FET, 0.503)
            report = await stage.run(plan_of(SHORT_FET), expected={FET: EXPECTED})
            [cost] = report.costs
            assert recorded(stage) == [cost.document()]
            assert cost.style == styles.style
            assert cost.expected_usd is not None
            realised[styles.style] = cost.realised_usd
    assert realised["ioc"] is not None
    assert realised["post_only"] is not None
    assert realised["ioc"] > 1.0
    assert realised["post_only"] < 0.0


async def test_costs_that_a_crash_kept_back_are_stored_by_the_next_start(tmp_path: Path) -> None:
    async with open_styles(tmp_path, ExecutionStyles()) as stage:

        def die(_street: Street, what: str) -> None:
            if what == "fills":
                raise ProcessEndedError

        stage.street.at = die
        with pytest.raises(ProcessEndedError):
            await stage.run(plan_of(SHORT_FET))
        street = stage.street
    street.at = lambda _street, _what: None
    async with open_styles(tmp_path, ExecutionStyles(), street=street) as stage:
        await recover(stage.journal, stage.venue, stage.clock)
        book = CostBook(stage.journal, ACCOUNT)
        [cost] = book.record_missing(NOW_MS - 1)
        assert (cost.impact_usd, cost.notional_usd) == (None, 1000.0), "its best prices are gone"
        assert book.record_missing(NOW_MS - 1) == ()
        assert len(recorded(stage)) == 1


async def test_an_order_whose_end_is_learnt_late_has_its_cost_then(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        stage.venue.lose_cancels = 1
        stage.street.later(20, FET, 0.503)
        report = await stage.run(plan_of(SHORT_FET))
        assert report.costs == ()
        book = stage.executor().costs
        stage.clock.advance_to(NOW_MS + 21_000)
        stage.street.move()
        await resolve_unresolved(stage.journal, stage.venue, stage.clock)
        await cancel_resting(stage.journal, stage.venue, stage.clock, "test")
        [cost] = book.record([report.results[0].request.client_id])
        assert cost.maker_share == 1.0


async def test_the_cycle_record_tells_what_its_orders_cost(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        record = await scene.cycle()
        assert {c["client_id"] for c in record.costs} == {f.client_id for f in record.fills}
        assert record.proposal is not None
        fees = sum(float(f.fee_usd or 0) for f in record.fills)
        assert sum(c["fee_usd"] for c in record.costs) == pytest.approx(fees)
        expected = sum(c["expected_fee_usd"] + c["expected_spread_usd"] for c in record.costs)
        whole = record.proposal.fee_usd + record.proposal.spread_usd
        assert expected == pytest.approx(whole, rel=0.02)


async def test_costs_are_found_without_reading_all_events(tmp_path: Path) -> None:
    async with open_styles(tmp_path, ExecutionStyles()) as stage:
        await stage.run(plan_of(SHORT_FET))
        for kind in ("order_costs", "impact_refit"):
            plan = stage.journal._connection.execute(
                f"EXPLAIN QUERY PLAN SELECT * FROM events WHERE kind = '{kind}' AND id > ? "
                "AND +timestamp_ms >= ? ORDER BY id DESC LIMIT ?",
                (0, 0, -1),
            ).fetchall()
            assert [f"USING INDEX events_{kind}" in row["detail"] for row in plan] == [True]
        [event] = stage.journal.kept_events("order_costs")
        assert [event] == stage.journal.events(kind="order_costs")
        assert stage.journal.kept_events("order_costs", after_id=event.event_id) == []
        assert stage.journal.kept_events("order_costs", since_ms=NOW_MS + 1) == []
