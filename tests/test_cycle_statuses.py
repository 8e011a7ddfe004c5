"""How a cycle ends: each status, and for held every reason that there is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot import requests
from bot.errors import UnreachableError
from bot.records.cycle import CycleStatus
from bot.records.ending import outcome
from bot.trading.execution import ExecutionReport
from bot.trading.orders import Acknowledged, NotAccepted, OrderState, Rejected, UnknownOutcome
from bot.trading.planner import Skipped
from tests.cycle_scene import (
    BTC,
    FET,
    LONGS,
    NEAR,
    TAO,
    WLD,
    Scene,
    open_scene,
    own_positions,
    paper_settings,
)
from tests.execute_scene import proposal

GoOn = Callable[[], Awaitable[Any]]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as opened:
        yield opened


async def test_hedged_books_what_was_filled_and_nothing_else(scene: Scene) -> None:
    record = await scene.cycle()
    assert record.status is CycleStatus.HEDGED
    assert len(record.orders) == len(scene.venue.placed) >= 3
    booked: dict[str, Decimal] = {}
    for fill in record.fills:
        sign = 1 if fill.side == "buy" else -1
        booked[fill.symbol] = booked.get(fill.symbol, Decimal(0)) + sign * Decimal(fill.quantity)
    assert {(s, "BOTH"): q for s, q in booked.items()} == own_positions(scene)
    assert own_positions(scene) == (await scene.venue.account()).base_quantity
    before, after = record.volatility_before_daily_usd, record.volatility_after_daily_usd
    assert before is not None
    assert after is not None
    assert after < before == record.volatility_unhedged_daily_usd
    assert record.breaches_before != ()
    assert record.breaches_after == ()
    held = sum(float(b) * record_mark(record, s) for s, b in LONGS.items())
    assert record.bot_gross_usd == pytest.approx(held, rel=1e-9)


def record_mark(record: Any, symbol: str) -> float:
    """The mark price that the record holds."""
    return next(float(leg.mark_price) for leg in record.legs if leg.symbol == symbol)


async def test_every_order_event_carries_the_cycle_and_is_in_the_journal(scene: Scene) -> None:
    record = await scene.cycle()
    orders = [e for e in scene.events if e["event"].startswith("order_")]
    assert [e["client_id"] for e in orders] == [o.client_id for o in record.orders]
    assert {e["cycle_id"] for e in orders} == {record.cycle_id}
    kinds = [e.kind for e in scene.journal.events(cycle_id=record.cycle_id)]
    assert kinds == [*["order_sending", "order_filled"] * len(record.orders), "order_costs"]


async def test_proposed_sends_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=paper_settings(tmp_path, autonomy="propose")) as scene:
        record = await scene.cycle()
        assert record.status is CycleStatus.PROPOSED
        assert record.proposal is not None
        assert record.reason == record.proposal.sentence
        assert any(leg.trade_usd for leg in record.legs)
        assert (scene.venue.placed, record.orders, own_positions(scene)) == ([], (), {})
        assert record.hedge_gross_usd == 0.0


async def test_not_due_until_the_time_has_come_or_a_cap_is_broken(scene: Scene) -> None:
    await scene.cycle()
    scene.advance(1)
    waiting = await scene.cycle()
    assert waiting.status is CycleStatus.NO_HEDGE
    assert "the next decision is due at 2025-07-05T04:17" in waiting.reason
    scene.advance(1, longs={FET: "22000", **LONGS})
    scene.hold({**LONGS, FET: "26000"})
    broken = await scene.cycle()
    assert broken.breaches_before != ()
    assert broken.status is CycleStatus.HEDGED, "a breach does not wait"


async def test_due_again_after_the_interval_and_after_the_clock_was_set_back(scene: Scene) -> None:
    await scene.cycle()
    scene.advance(4)
    assert "due at" not in (await scene.cycle()).reason
    engine = scene.engine
    assert engine._decided_ms == scene.clock.now_ms()
    engine._decided_ms += 40 * 86_400_000
    assert "due at" not in (await scene.cycle()).reason


async def test_not_worth_it_is_no_hedge(scene: Scene) -> None:
    scene.hold({FET: "1"})
    record = await scene.cycle()
    assert record.status is CycleStatus.NO_HEDGE
    assert record.proposal is None
    assert record.reason
    assert scene.venue.placed == []


async def test_a_flat_bot_has_its_hedges_closed(scene: Scene) -> None:
    await scene.cycle()
    assert own_positions(scene)
    scene.advance(5, longs={})
    record = await scene.cycle()
    assert record.bot_gross_usd == 0.0
    assert record.status is CycleStatus.HEDGED
    assert all(order.reduce_only and order.side == "buy" for order in record.orders)


async def test_denied_when_the_controls_refuse_every_order(scene: Scene) -> None:
    async def apart(go_on: GoOn) -> Any:
        return {s: replace(q, index=q.mark * 1.05) for s, q in (await go_on()).items()}

    scene.faults.by_call["quotes"] = apart
    record = await scene.cycle()
    assert record.status is CycleStatus.DENIED
    assert "index price" in record.reason
    assert "at most 1.0% is accepted" in record.reason
    assert (scene.venue.placed, record.orders) == ([], ())
    denials = [e for e in scene.events if e["event"] == "order_denied"]
    assert {e["control"] for e in denials} == {"divergence"}
    kinds = {e.kind for e in scene.journal.events(cycle_id=record.cycle_id)}
    assert kinds == {"order_denied"}


async def test_a_denied_plan_is_decided_anew_long_before_it_is_due(scene: Scene) -> None:
    """Without a breach, so that nothing else makes it urgent."""

    async def apart(go_on: GoOn) -> Any:
        return {s: replace(q, index=q.mark * 1.05) for s, q in (await go_on()).items()}

    few = {FET: "2500", TAO: "4", WLD: "1000"}
    scene.hold(few)
    scene.faults.by_call["quotes"] = apart
    denied = await scene.cycle()
    assert (denied.status, denied.breaches_before) == (CycleStatus.DENIED, ())
    scene.faults.by_call.clear()
    scene.advance(0.02, longs=few)
    assert (await scene.cycle()).status is CycleStatus.HEDGED


async def test_halted_looks_but_sends_nothing_and_goes_on_when_somebody_resumes(
    scene: Scene,
) -> None:
    scene.halt_file.write_text("too much news\ntoday\n")
    record = await scene.cycle()
    assert (record.status, record.reason) == (CycleStatus.HALTED, "halted: too much news today")
    assert record.bot_gross_usd
    assert scene.venue.placed == []
    scene.halt_file.unlink()
    record = await scene.cycle()
    assert record.status is CycleStatus.HALTED, "seen once, it is latched"
    assert scene.venue.placed == []
    requests.ask(scene.folder, requests.RESUME_NAME, requests.Asked("ann", "read the news"))
    assert (await scene.cycle()).status is CycleStatus.HEDGED


async def test_a_switch_that_cannot_be_read_is_on(scene: Scene) -> None:
    scene.halt_file.mkdir()
    record = await scene.cycle()
    assert record.status is CycleStatus.HALTED
    assert record.reason == f"halted: {scene.halt_file} cannot be read: Is a directory"


async def test_halted_is_told_even_when_nothing_can_be_seen(scene: Scene) -> None:
    scene.halt_file.touch()
    scene.faults.by_call["account"] = UnreachableError("the venue does not answer")
    record = await scene.cycle()
    assert record.status is CycleStatus.HALTED
    assert record.reason.startswith(f"halted: {scene.halt_file} exists")
    assert "the venue does not answer" in record.reason
    assert record.bot_gross_usd is None


async def test_the_switch_stops_a_plan_in_the_middle(scene: Scene) -> None:
    async def halting(go_on: GoOn) -> Any:
        outcome = await go_on()
        if len(scene.venue.placed) == 2:
            scene.halt_file.write_text("stop now")
        return outcome

    scene.faults.by_call["place"] = halting
    record = await scene.cycle()
    assert len(scene.venue.placed) == len(record.orders) == 2
    assert record.status is CycleStatus.HEDGED, "two orders were filled"
    assert "Not all of it was done: not sent: halted: stop now" in record.reason
    after = await scene.cycle()
    assert after.status is CycleStatus.HALTED
    assert len(scene.venue.placed) == 2


async def test_the_switch_stops_a_plan_before_its_first_order(scene: Scene) -> None:
    async def halting(go_on: GoOn) -> Any:
        scene.halt_file.write_text("stop now")
        return await go_on()

    scene.faults.by_call["depth_usd"] = halting
    record = await scene.cycle()
    assert (record.status, record.reason) == (CycleStatus.HALTED, "halted: stop now")
    assert scene.venue.placed == []


async def test_nothing_filled_is_held_and_tried_again(scene: Scene) -> None:
    async def none(go_on: GoOn) -> Any:
        request = scene.venue.placed[-1]
        return Rejected(request.client_id, "-2019", "Margin is insufficient.")

    scene.faults.by_call["place"] = none
    record = await scene.cycle()
    assert (record.status, record.reason) == (CycleStatus.HELD, "-2019 Margin is insufficient.")
    assert {o.state for o in record.orders} == {"rejected"}
    assert own_positions(scene) == {}


async def test_a_venue_that_asks_for_fewer_requests_is_left_alone_and_asked_again(
    scene: Scene,
) -> None:
    async def busy(go_on: GoOn) -> Any:
        return NotAccepted(scene.venue.placed[-1].client_id, "-1003", "Too many requests")

    scene.faults.by_call["place"] = busy
    record = await scene.cycle()
    assert record.status is CycleStatus.HELD
    assert record.reason.startswith("stopped: the venue asks for fewer requests (-1003")
    assert len(scene.venue.placed) == 1
    scene.faults.by_call.clear()
    scene.hold()
    assert (await scene.cycle()).status is CycleStatus.HEDGED, "it was not carried out"


async def test_a_venue_lost_in_the_middle_keeps_what_was_done(scene: Scene) -> None:
    async def lost(go_on: GoOn) -> Any:
        if len(scene.venue.placed) == 3:
            raise UnreachableError("positions: no reply")
        return await go_on()

    scene.faults.by_call["account"] = lost
    record = await scene.cycle()
    assert record.status is CycleStatus.HEDGED
    assert "positions: no reply" in record.reason
    assert len(scene.venue.placed) == len(record.orders) == 3
    scene.faults.by_call.clear()
    done = own_positions(scene)
    assert done == (await scene.venue.account()).base_quantity
    scene.hold()
    again = await scene.cycle()
    assert again.status is CycleStatus.HEDGED
    assert again.breaches_after == ()


async def test_an_unknown_order_is_looked_for_told_and_not_doubled(scene: Scene) -> None:
    """The first order fills, but nobody hears of it until later."""

    async def lost_reply(go_on: GoOn) -> Any:
        outcome = await go_on()
        if len(scene.venue.placed) > 1:
            return outcome
        return UnknownOutcome(scene.venue.placed[0].client_id, "no reply (RequestTimeout)")

    scene.faults.by_call["place"] = lost_reply
    first = await scene.cycle()
    lost = scene.venue.placed[0]
    assert first.orders[0].state == "unknown"
    assert [o for o in scene.venue.placed if o.symbol == lost.symbol] == [lost]
    scene.faults.by_call.clear()
    scene.advance(0.01)
    second = await scene.cycle()
    settled = [
        e for e in scene.events if e["event"] == "order_filled" and e["cycle_id"] == second.cycle_id
    ]
    assert lost.client_id in {e["client_id"] for e in settled}
    assert own_positions(scene) == (await scene.venue.account()).base_quantity
    total = sum(abs(q) for (s, _), q in own_positions(scene).items() if s == lost.symbol)
    intents = {o.intent_id: o for o in scene.venue.placed if o.symbol == lost.symbol}
    assert total >= lost.quantity
    assert len(intents) <= 2


async def test_while_nobody_knows_the_symbol_is_left_alone(scene: Scene) -> None:
    async def swallowed(go_on: GoOn) -> Any:
        return UnknownOutcome(scene.venue.placed[-1].client_id, "no reply")

    scene.faults.by_call["place"] = swallowed
    await scene.cycle()
    tried = {o.symbol for o in scene.venue.placed}
    count = len(scene.venue.placed)
    assert count == len(tried), "one order a symbol"
    scene.faults.by_call["find"] = UnreachableError("no reply")
    scene.advance(0.001)
    record = await scene.cycle()
    warned = [e for e in scene.events if e["event"] == "orders_unresolved"]
    assert set(warned[-1]["symbols"]) == tried
    assert "no reply" in warned[-1]["problems"][0]
    assert not {o.symbol for o in scene.venue.placed[count:]} & tried
    assert record.status in (CycleStatus.DENIED, CycleStatus.HELD)


async def test_a_plan_of_which_nothing_can_be_ordered_says_why(scene: Scene) -> None:
    report = ExecutionReport((), (), (), "", await scene.venue.account())
    left_out = [Skipped(BTC, "one lot is 65.00 USD, above the largest order allowed")]
    assert outcome(report, proposal(), left_out) == (
        CycleStatus.HELD,
        f"nothing could be ordered: {BTC}: one lot is 65.00 USD, above the largest order allowed",
    )


async def test_positions_of_others_are_told_once(scene: Scene) -> None:
    inner = scene.venue.inner
    by_hand = replace(_order(scene, NEAR), client_id="by-hand", intent_id="", quantity=Decimal(100))
    await scene.cycle()
    outcome = await inner.place(by_hand)
    assert isinstance(outcome, Acknowledged)
    assert outcome.state is OrderState.FILLED
    scene.advance(0.01)
    await scene.cycle()
    scene.advance(0.01)
    await scene.cycle()
    told = [e for e in scene.events if e["event"] == "positions_of_others"]
    assert [e["held"] for e in told] == [{NEAR: "-100"}]


def _order(scene: Scene, symbol: str) -> Any:
    from bot.trading.orders import OrderRequest, Side

    quote = scene.tape.quote(symbol, scene.clock.now_ms())
    assert quote is not None
    price = Decimal(str(round(quote.mark * 0.99, 3)))
    return OrderRequest("x", "", symbol, Side.SELL, Decimal(1), price, "IOC", reduce_only=False)


async def test_ids_sort_by_time_and_never_repeat(scene: Scene) -> None:
    began = datetime.fromtimestamp(scene.clock.now_ms() / 1000, UTC)
    ids = [(await scene.cycle()).cycle_id for _ in range(4)]
    assert ids == sorted(set(ids))
    assert ids[0] == f"{began:%Y%m%dT%H%M%S}-000001"


async def test_a_rehearsal_writes_and_sends_nothing(scene: Scene) -> None:
    seen = await scene.engine.rehearse(propose=True)
    assert seen.status is CycleStatus.PROPOSED
    looked = await scene.engine.rehearse(propose=False)
    assert looked.status is CycleStatus.NO_HEDGE
    assert looked.volatility_unhedged_daily_usd == seen.volatility_unhedged_daily_usd
    assert (scene.journal.cycle_count(), scene.venue.placed) == (0, [])
