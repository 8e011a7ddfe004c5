"""Hedges that are large against the depth: in slices over cycles, restarts and changes of mind."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.faults.errors import ProcessEndedError
from bot.records.cycle import CycleStatus
from bot.trading.execution import ExecutionReport
from bot.trading.orders import Side
from bot.trading.planner import Plan
from bot.trading.reconcile import recover
from bot.trading.slices import Program, program_of, slice_count, slice_times
from bot.trading.styles import ExecutionStyles, Style
from tests.cycle_scene import open_scene, own_positions, paper_settings
from tests.execute_scene import ACCOUNT, FET, NOW_MS, TAO, fill, leg, plan_of
from tests.styles_scene import Street, StyleStage, open_styles

SLICED = ExecutionStyles(style=Style.SLICED, breach_style=Style.SLICED, jitter=0.0)
SHORT_FET = leg(FET, Decimal(0), Decimal(-8000), 0.5)  # 4000 USD: two orders at once
SHORT_TAO = leg(TAO, Decimal(0), Decimal(-1), 400.0)
NOTHING = Plan((), (), ())


def short(rest: int, held: int = 0) -> Any:
    return leg(FET, Decimal(held), Decimal(-rest), 0.5)


async def later(stage: StyleStage, seconds: float = 60, cycle_id: str = "c") -> ExecutionReport:
    """A cycle without a decision, so many seconds later."""
    stage.clock.advance_to(stage.clock.now_ms() + round(seconds * 1000))
    return await stage.run(NOTHING, f"{cycle_id}{stage.clock.now_ms()}", continuing=True)


def sold(stage: StyleStage) -> Decimal:
    return -stage.own.get((FET, "BOTH"), Decimal(0))


async def test_a_large_hedge_goes_out_in_equal_slices_and_a_small_one_at_once(
    tmp_path: Path,
) -> None:
    async with open_styles(tmp_path, SLICED) as stage:
        stage.street.depth = 20_000.0  # a slice bears 1000 USD
        report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        assert report.waiting == f"hedges are sliced over time: {FET}"
        assert stage.own == {(FET, "BOTH"): Decimal(-2000), (TAO, "BOTH"): Decimal(-1)}
        seen = []
        for _ in range(4):
            await later(stage)
            seen.append(sold(stage))
        assert seen == [4000, 6000, 8000, 8000]
        assert await later(stage, 1) is not None
        assert stage.executor().programs.active == {}
        assert [e.kind for e in stage.journal.events() if e.kind.startswith("program")] == [
            "program_started",
            "program_ended",
        ]
        rows = [r for r in stage.venue.placed if r.symbol == FET]
        assert len({r.client_id for r in rows}) == len(rows) == 4
        assert len({r.intent_id for r in rows}) == 1
        assert stage.venue.inner.exchange.counters.rejected == 0


async def test_between_slices_nothing_is_sent(tmp_path: Path) -> None:
    async with open_styles(tmp_path, SLICED) as stage:
        stage.street.depth = 20_000.0
        await stage.run(plan_of(SHORT_FET))
        report = await later(stage, 20)
        assert (report.results, sold(stage)) == ((), 2000)


async def test_missed_cycles_are_caught_up_only_as_far_as_the_book_bears(tmp_path: Path) -> None:
    async with open_styles(tmp_path, SLICED) as stage:
        stage.street.depth = 8_000.0  # a slice bears 400 USD: ten slices
        await stage.run(plan_of(SHORT_FET))
        assert sold(stage) == 800
        await later(stage, 8 * 60)
        assert sold(stage) == 800 + 3200, "a fifth of the depth, 1600 USD"


async def test_it_goes_on_after_a_restart_and_never_beyond_its_intent(tmp_path: Path) -> None:
    async with open_styles(tmp_path, SLICED) as stage:
        stage.street.depth = 20_000.0
        await stage.run(plan_of(SHORT_FET))
        street = stage.street

        def die(_street: Street, what: str) -> None:
            if what == "fills":
                raise ProcessEndedError

        street.at = die
        with pytest.raises(ProcessEndedError):
            await later(stage)
    street.at = lambda _street, _what: None
    async with open_styles(tmp_path, SLICED, street=street) as stage:
        await recover(stage.journal, stage.venue, stage.clock)
        assert sold(stage) == 4000, "the slice that was not heard of is booked"
        for _ in range(5):
            await later(stage)
        assert sold(stage) == 8000


async def test_a_new_decision_of_the_same_side_goes_on_and_may_shrink_it(tmp_path: Path) -> None:
    async with open_styles(tmp_path, SLICED) as stage:
        stage.street.depth = 20_000.0
        await stage.run(plan_of(SHORT_FET))
        stage.clock.advance_to(stage.clock.now_ms() + 60_000)
        await stage.run(plan_of(short(3000, -2000), own=stage.own, cycle_id="c2"), "c2")
        assert sold(stage) == 2000 + 500, "half of 5000 is due"
        for _ in range(4):
            await later(stage)
        assert sold(stage) == 5000
        assert "c2" not in stage.venue.placed[-1].intent_id


async def test_what_a_slice_filled_beyond_its_answer_is_not_sold_again(tmp_path: Path) -> None:
    async with open_styles(tmp_path, SLICED) as stage:
        stage.street.depth = 20_000.0
        await stage.run(plan_of(SHORT_FET))
        [slice_] = stage.venue.placed
        again = fill("again", quantity="2000", client_id=slice_.client_id, at=stage.clock.now_ms())
        stage.journal.record_fills(ACCOUNT, FET, [again], read_ms=stage.clock.now_ms())
        programs = stage.executor().programs
        assert stage.own == {(FET, "BOTH"): Decimal(-4000)}
        assert programs.to_trade() == {FET: Decimal(-4000)}


@pytest.mark.parametrize("trade", [None, 1000])
async def test_a_new_decision_that_does_not_want_it_ends_it(
    tmp_path: Path, trade: int | None
) -> None:
    async with open_styles(tmp_path, SLICED) as stage:
        stage.street.depth = 20_000.0
        await stage.run(plan_of(SHORT_FET))
        stage.clock.advance_to(stage.clock.now_ms() + 60_000)
        legs = [SHORT_TAO] if trade is None else [leg(FET, Decimal(-2000), Decimal(trade), 0.5)]
        await stage.run(plan_of(*legs, own=stage.own, cycle_id="c2"), "c2")
        assert stage.executor().programs.active == {}
        for _ in range(3):
            await later(stage)
        assert sold(stage) == 2000 - (trade or 0)


async def test_a_symbol_that_becomes_hands_off_ends_it(tmp_path: Path) -> None:
    async with open_styles(tmp_path, SLICED) as stage:
        stage.street.depth = 20_000.0
        await stage.run(plan_of(SHORT_FET))
        stage.clock.advance_to(stage.clock.now_ms() + 60_000)
        await stage.run(NOTHING, "c2", continuing=True, allowed=frozenset({TAO}))
        assert (sold(stage), stage.executor().programs.active) == (2000, {})


async def test_a_slice_that_would_break_a_cap_is_not_sent(tmp_path: Path) -> None:
    """The caps are asked with the facts of now, also where everything filled as planned."""
    async with open_styles(tmp_path, SLICED) as stage:
        stage.street.depth = 20_000.0
        await stage.run(plan_of(SHORT_FET))
        stage.clock.advance_to(stage.clock.now_ms() + 60_000)

        def use(usd: Mapping[str, float]) -> dict[str, float]:
            return {"token": abs(usd.get(FET, 0.0)) / 1500.0}

        report = await stage.run(NOTHING, "c2", continuing=True, cap_use=use)
        assert [r.denied.control for r in report.denials if r.denied] == ["worst_case"]
        assert sold(stage) == 2000


async def test_a_breach_is_not_sliced_unless_told_so(tmp_path: Path) -> None:
    async with open_styles(tmp_path, replace(SLICED, breach_style=Style.IOC)) as stage:
        stage.street.depth = 20_000.0
        await stage.run(plan_of(SHORT_FET))
        assert sold(stage) == 2000
        stage.clock.advance_to(stage.clock.now_ms() + 60_000)
        again = plan_of(short(6000, -2000), own=stage.own, cycle_id="c2")
        await stage.run(again, "c2", breached=True)
        assert sold(stage) == 8000
        assert stage.executor().programs.active == {}


async def test_a_close_is_sliced_reduce_only(tmp_path: Path) -> None:
    async with open_styles(tmp_path, SLICED) as stage:
        await stage.run(plan_of(short(4000)))
        assert sold(stage) == 4000, "a deep book takes it at once"
        stage.street.depth = 20_000.0
        stage.clock.advance_to(stage.clock.now_ms() + 60_000)
        close = leg(FET, Decimal(-4000), Decimal(4000), 0.5)
        await stage.run(plan_of(close, own=stage.own, cycle_id="c2"), "c2")
        await later(stage)
        assert {(o.reduce_only, str(o.side)) for o in stage.venue.placed[-2:]} == {(True, "buy")}
        assert stage.own == {}


def test_slices_are_counted_by_depth_and_by_what_the_venue_takes() -> None:
    def count(usd: float, *, most: int = 10, least: int = 1) -> int:
        return slice_count(
            Decimal(8000), Decimal("0.5"), usd, share=0.05, most=most, least=Decimal(least)
        )

    assert [count(d) for d in (80_000, 79_999, 20_000, 100, 0)] == [1, 2, 4, 10, 10]
    assert count(100, least=3000) == 2
    assert count(100, least=9000) == 1


@settings(max_examples=40)
@given(
    count=st.integers(1, 30),
    every_ms=st.integers(1000, 3_600_000),
    jitter=st.floats(0, 0.9),
    name=st.text(max_size=5),
)
def test_times_rise_from_the_start_and_come_back_the_same(
    count: int, every_ms: int, jitter: float, name: str
) -> None:
    times = slice_times(name, count, NOW_MS, every_ms, jitter)
    assert times == slice_times(name, count, NOW_MS, every_ms, jitter)
    assert (times[0], len(times)) == (NOW_MS, count)
    assert list(times) == sorted(times)
    assert times[-1] <= NOW_MS + (count - 1 + jitter) * every_ms + 1
    program = Program(name, FET, Decimal(-10), "BOTH", False, Decimal(5), times, every_ms)
    assert program_of(program.document()) == program


@settings(max_examples=40)
@given(
    lots=st.integers(1, 10_000),
    count=st.integers(1, 50),
    moments=st.lists(st.integers(0, 60 * 60_000), min_size=1, max_size=20),
)
def test_what_is_due_rises_to_the_whole_and_never_beyond(
    lots: int, count: int, moments: list[int]
) -> None:
    lot = Decimal("0.1")
    times = slice_times("i", count, NOW_MS, 60_000, 0.25)
    program = Program("i", FET, -lots * lot, "BOTH", False, Decimal(5), times, 60_000)
    due = [program.due(NOW_MS + at_ms, lot) for at_ms in sorted(moments)]
    assert due == sorted(due)
    assert all(0 <= one <= lots * lot and one % lot == 0 for one in due)
    assert program.due(times[-1], lot) == lots * lot


async def test_cycles_go_on_with_what_a_decision_began(tmp_path: Path) -> None:
    """The whole engine on a generated market; without a new decision, slices still go out."""
    chosen = paper_settings(tmp_path)
    update = {
        "style": "sliced",
        "breach_style": "sliced",
        "slice_depth_share": 0.001,
        "max_slices": 4,
    }
    execution = chosen.execution.model_copy(update=update)
    chosen = chosen.model_copy(update={"execution": execution})
    async with open_scene(tmp_path, settings=chosen) as scene:

        async def thin(_go_on: object) -> dict[Side, float]:
            return {Side.BUY: 1e6, Side.SELL: 1e6}

        scene.faults.by_call["depth_usd"] = thin
        first = await scene.cycle()
        assert first.proposal is not None
        programs = scene.engine._parts.executor.programs
        begun = dict(programs.active)
        assert begun
        for _ in range(8):
            scene.advance(hours=1 / 60)
            record = await scene.cycle()
            assert record.status in (CycleStatus.HEDGED, CycleStatus.NO_HEDGE)
        assert programs.active == {}
        own = own_positions(scene)
        for symbol, program in begun.items():
            done = own[symbol, "BOTH"]
            assert 0 < abs(done) <= abs(program.trade_quantity)
        whole = {leg.symbol: leg.target_usd for leg in first.legs if leg.symbol in begun}
        last = {leg.symbol: leg.hedge_after_usd for leg in record.legs}
        assert {s: last[s] for s in whole} == pytest.approx(whole, rel=0.05)
