"""The executor with a scripted venue: every outcome, and what it does to the orders after it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.errors import JournalError, UnreachableError
from bot.journal.journal import Journal
from bot.trading.execution import ExecutionContext, ExecutionReport, Executor
from bot.trading.orders import (
    Acknowledged,
    NotAccepted,
    OrderOutcome,
    OrderRequest,
    OrderState,
    Rejected,
    UnknownOutcome,
)
from bot.trading.planner import Plan
from bot.trading.pretrade import PretradeLimits
from bot.trading.reconcile import resolve_unresolved
from tests.execute_scene import (
    ACCOUNT,
    FET,
    INSTRUMENTS,
    NOW_MS,
    QUOTES,
    TAO,
    Script,
    ScriptedVenue,
    StillMarket,
    account,
    fills_all,
    leg,
    plan_of,
)

SHORT_FET = leg(FET, Decimal(0), Decimal(-6000), 0.5)  # 3000 USD: two orders
SHORT_TAO = leg(TAO, Decimal(0), Decimal(-2), 400.0)  # one order


class Stage:
    """An executor, its venue and its journal."""

    def __init__(self, journal: Journal, clock: SimulatedClock) -> None:
        self.journal = journal
        self.clock = clock
        self.venue = ScriptedVenue(clock)
        self.market = StillMarket(clock)
        self.told: list[tuple[str, str]] = []

    async def run(
        self, plan: Plan, *, limits: PretradeLimits | None = None, cycle_id: str = "c1"
    ) -> ExecutionReport:
        executor = Executor(
            venue=self.venue,
            market=self.market,
            journal=self.journal,
            clock=self.clock,
            limits=limits or PretradeLimits(),
            observe=self._observe,
        )
        context = ExecutionContext(
            cycle_id=cycle_id,
            instruments=INSTRUMENTS,
            quotes=QUOTES,
            account=await self.venue.account() if self.venue.account_error is None else account(),
            allowed=frozenset(INSTRUMENTS),
            instruments_ms=NOW_MS,
            limits_hash="hash",
        )
        return await executor.execute(plan, context)

    def _observe(self, kind: str, facts: Any) -> None:
        self.told.append((kind, facts["symbol"]))

    @property
    def own(self) -> dict[tuple[str, str], Decimal]:
        return self.journal.own_positions(ACCOUNT)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        journal.start_epoch()
        yield Stage(journal, clock)


def once(first: OrderOutcome | Script, then: Script = fills_all) -> Script:
    """One outcome for the first order, another script for the rest."""

    def script(venue: ScriptedVenue, request: OrderRequest) -> OrderOutcome:
        if len(venue.placed) > 1:
            return then(venue, request)
        if callable(first):
            return first(venue, request)
        return replace(first, client_id=request.client_id)

    return script


def states(report: ExecutionReport) -> list[tuple[str, OrderState]]:
    return [(r.request.symbol, r.state) for r in report.results]


async def test_a_plan_is_filled_booked_and_compared(stage: Stage) -> None:
    report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
    assert states(report) == [
        (FET, OrderState.FILLED),
        (FET, OrderState.FILLED),
        (TAO, OrderState.FILLED),
    ]
    assert stage.own == {(FET, "BOTH"): Decimal(-6000), (TAO, "BOTH"): Decimal(-2)}
    assert dict(report.account.base_quantity) == stage.own
    assert (len(report.fills), report.mismatches, report.stopped) == (3, (), "")
    assert [r.detail for r in report.results] == ["", "", ""]
    assert stage.told == [("order_filled", FET)] * 2 + [("order_filled", TAO)]
    assert [e.kind for e in stage.journal.events(cycle_id="c1")] == [
        *["order_sending", "order_filled"] * 3,
        "order_costs",
    ]
    assert {f.client_id for f in report.fills} == {r.request.client_id for r in report.results}
    lots = [stage.journal.fills_of_order(f.client_id)[1]["lot"] for f in report.fills]
    assert lots == ["1", "1", "0.001"], "by which an operator's word is judged"


async def test_each_order_is_durable_before_it_is_sent(stage: Stage) -> None:
    seen = []

    def script(venue: ScriptedVenue, request: OrderRequest) -> OrderOutcome:
        row = stage.journal.order(request.client_id)
        assert row is not None
        assert not stage.journal._connection.in_transaction
        seen.append((row.state, row.request))
        return venue.execute(request, request.quantity)

    stage.venue.script = script
    await stage.run(plan_of(SHORT_FET))
    assert seen == [(OrderState.SENDING, request) for request in stage.venue.placed]


async def test_a_journal_that_fails_sends_nothing(stage: Stage) -> None:
    stage.journal._connection.execute(
        "CREATE TRIGGER no BEFORE INSERT ON orders BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with pytest.raises(JournalError, match="before sending"):
        await stage.run(plan_of(SHORT_FET))
    assert stage.venue.placed == []


async def test_partly_filled_is_booked_as_far_as_it_went(stage: Stage) -> None:
    stage.venue.script = once(lambda venue, request: venue.execute(request, Decimal(1000)))
    report = await stage.run(plan_of(SHORT_FET))
    assert states(report) == [(FET, OrderState.EXPIRED), (FET, OrderState.FILLED)]
    assert report.results[0].filled_quantity == 1000
    assert stage.own == {(FET, "BOTH"): Decimal(-4000)}


async def test_nothing_filled_is_no_fault(stage: Stage) -> None:
    stage.venue.script = lambda venue, request: venue.execute(request, Decimal(0))
    report = await stage.run(plan_of(SHORT_TAO))
    assert states(report) == [(TAO, OrderState.EXPIRED)]
    assert (report.fills, stage.own, report.results[0].detail) == ((), {}, "")


async def test_rejected_goes_on_with_the_next(stage: Stage) -> None:
    stage.venue.script = once(Rejected("", "-2019", "Margin is insufficient."))
    report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
    assert states(report)[0] == (FET, OrderState.REJECTED)
    assert report.results[0].detail == "-2019 Margin is insufficient."
    assert len(stage.venue.placed) == 3
    assert stage.journal.unresolved_orders(ACCOUNT) == ()


async def test_not_accepted_stops_the_rest(stage: Stage) -> None:
    stage.venue.script = once(NotAccepted("", "-1003", "Too many requests"))
    report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
    assert states(report) == [
        (FET, OrderState.REJECTED),
        (FET, OrderState.PLANNED),
        (TAO, OrderState.PLANNED),
    ]
    assert len(stage.venue.placed) == 1
    assert "fewer requests" in report.stopped
    assert report.results[1].detail.startswith("not sent: the venue asks")


async def test_unknown_blocks_its_symbol_and_no_other(stage: Stage) -> None:
    stage.venue.script = once(UnknownOutcome("", "no reply"))
    report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
    assert states(report) == [
        (FET, OrderState.UNKNOWN),
        (FET, OrderState.PLANNED),
        (TAO, OrderState.FILLED),
    ]
    denied = report.results[1].denied
    assert denied is not None
    assert denied.control == "unresolved"
    assert [e.document["control"] for e in stage.journal.events(kind="order_denied")] == [
        "unresolved"
    ]
    assert len(report.unknown) == 1
    again = await stage.run(plan_of(SHORT_FET, cycle_id="c2"), cycle_id="c2")
    assert all(r.denied is not None for r in again.results)
    assert len(stage.venue.placed) == 2


async def test_an_unknown_order_counts_as_filled_for_the_caps(stage: Stage) -> None:
    stage.venue.script = once(UnknownOutcome("", "no reply"))
    limits = replace(PretradeLimits(), hedge_gross_equity_fraction=0.02)  # 2000 USD
    report = await stage.run(
        plan_of(leg(FET, Decimal(0), Decimal(-3000), 0.5), SHORT_TAO), limits=limits
    )
    assert report.results[1].denied is not None
    assert report.results[1].denied.control == "hedge_gross"


async def test_an_unknown_order_that_filled_is_found_and_booked_once(stage: Stage) -> None:
    def filled_but_silent(venue: ScriptedVenue, request: OrderRequest) -> OrderOutcome:
        venue.execute(request, request.quantity)
        return UnknownOutcome(request.client_id, "the reply was lost")

    stage.venue.script = once(filled_but_silent)
    report = await stage.run(plan_of(SHORT_TAO))
    assert report.unknown
    assert stage.own == {}
    resolution = await resolve_unresolved(stage.journal, stage.venue, stage.clock)
    assert [r.state for r in resolution.settled] == [OrderState.FILLED]
    assert stage.own == {(TAO, "BOTH"): Decimal(-2)}
    assert len(stage.venue.placed) == 1


async def test_a_close_that_filled_partly_denies_the_opening_behind_it(stage: Stage) -> None:
    """Crossing zero: the opening may only go out once the close has brought us flat."""
    stage.venue.script = fills_all
    await stage.run(plan_of(leg(FET, Decimal(0), Decimal(-1000), 0.5)))
    stage.venue.script = lambda venue, request: venue.execute(request, request.quantity // 2)
    across = leg(FET, Decimal(-1000), Decimal(1800), 0.5)
    report = await stage.run(plan_of(across, own=stage.own, cycle_id="c2"), cycle_id="c2")
    assert [r.request.reduce_only for r in report.results] == [True, False]
    assert report.results[1].denied is not None
    assert report.results[1].denied.control == "closes"
    assert stage.own == {(FET, "BOTH"): Decimal(-500)}


async def test_fills_that_are_late_block_the_symbol_until_they_come(stage: Stage) -> None:
    stage.venue.hide_fills = True
    report = await stage.run(plan_of(SHORT_TAO))
    assert report.results[0].detail == "not all of its fills are reported yet"
    assert [r.state for r in stage.journal.unresolved_orders(ACCOUNT)] == [OrderState.FILLED]
    stage.venue.hide_fills = False
    resolution = await resolve_unresolved(stage.journal, stage.venue, stage.clock)
    assert resolution.unresolved == ()
    assert stage.own == {(TAO, "BOTH"): Decimal(-2)}


async def test_a_position_that_moves_otherwise_blocks_its_symbol(stage: Stage) -> None:
    def somebody_else_too(venue: ScriptedVenue, request: OrderRequest) -> OrderOutcome:
        outcome = venue.execute(request, request.quantity)
        venue.held[FET, "BOTH"] += 77
        return outcome

    stage.venue.script = once(somebody_else_too)
    report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
    assert report.mismatches == (FET,)
    assert report.results[1].denied is not None
    assert report.results[1].denied.control == "position"
    assert states(report)[2] == (TAO, OrderState.FILLED)
    assert [e.document["symbol"] for e in stage.journal.events(kind="position_mismatch")] == [FET]


async def test_an_account_that_cannot_be_read_stops_the_rest(stage: Stage) -> None:
    def then_silence(venue: ScriptedVenue, request: OrderRequest) -> OrderOutcome:
        venue.account_error = UnreachableError("the venue does not answer")
        return venue.execute(request, request.quantity)

    stage.venue.script = once(then_silence)
    report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
    assert states(report)[1:] == [(FET, OrderState.PLANNED), (TAO, OrderState.PLANNED)]
    assert "does not answer" in report.stopped
    assert len(stage.venue.placed) == 1


async def test_old_prices_and_positions_are_read_again_before_each_order(stage: Stage) -> None:
    def slow(venue: ScriptedVenue, request: OrderRequest) -> OrderOutcome:
        outcome = venue.execute(request, request.quantity)
        stage.clock.advance_to(stage.clock.now_ms() + 2_000)
        return outcome

    stage.venue.script = slow
    report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
    assert [s for _, s in states(report)] == [OrderState.FILLED] * 3
    assert stage.market.asked == 2


async def test_a_send_that_is_cancelled_is_unknown_at_once(stage: Stage) -> None:
    class Hanging(ScriptedVenue):
        async def place(self, order: OrderRequest) -> OrderOutcome:
            left.set()
            await asyncio.sleep(3600)
            raise AssertionError

    left = asyncio.Event()
    stage.venue = Hanging(stage.clock)
    task = asyncio.create_task(stage.run(plan_of(SHORT_TAO)))
    await left.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    rows = stage.journal.unresolved_orders(ACCOUNT)
    assert [(r.state, r.reason) for r in rows] == [
        (OrderState.UNKNOWN, "the send was cut short (CancelledError)")
    ]


async def test_intents_carry_what_was_decided_and_the_limits(stage: Stage) -> None:
    await stage.run(plan_of(SHORT_FET))
    row = stage.journal._connection.execute("SELECT * FROM intents").fetchone()
    assert (row["cycle_id"], row["trade_quantity"], row["limits_hash"]) == ("c1", "-6000", "hash")


async def test_what_is_open_at_the_venue_stays_unresolved(stage: Stage) -> None:
    stage.venue.script = lambda venue, request: Acknowledged(
        request.client_id, "v1", OrderState.LIVE, Decimal(0), None
    )
    report = await stage.run(plan_of(SHORT_TAO))
    assert states(report) == [(TAO, OrderState.LIVE)]
    assert len(stage.journal.unresolved_orders(ACCOUNT)) == 1


async def test_a_price_that_is_gone_is_not_traded_on(stage: Stage) -> None:
    """It was there when the plan was made; a fresh look has none."""

    async def none(symbols: Any) -> Any:
        return {}

    stage.market.quotes = none  # type: ignore[method-assign]  # the feed as it is now
    plan = plan_of(SHORT_TAO)
    stage.clock.advance_to(NOW_MS + 2_000)
    report = await stage.run(plan)
    assert [r.denied.control for r in report.denials if r.denied] == ["market"]
    assert stage.venue.placed == []


async def test_the_journal_has_the_last_word_on_unresolved_orders(stage: Stage) -> None:
    """Even if the checks before it were wrong about them."""
    stage.venue.script = once(UnknownOutcome("", "no reply"))
    await stage.run(plan_of(SHORT_TAO))
    stage.clock.advance_to(NOW_MS + 2_500)
    executor = Executor(
        venue=stage.venue,
        market=stage.market,
        journal=stage.journal,
        clock=stage.clock,
        limits=PretradeLimits(),
    )
    executor._open_orders = tuple  # type: ignore[method-assign]  # blind to what is open
    context = ExecutionContext(
        "c2",
        INSTRUMENTS,
        QUOTES,
        await stage.venue.account(),
        frozenset(INSTRUMENTS),
        instruments_ms=NOW_MS,
    )
    report = await executor.execute(plan_of(SHORT_TAO, cycle_id="c2"), context)
    assert [r.denied.control for r in report.denials if r.denied] == ["unresolved"]
    assert len(stage.venue.placed) == 1


async def test_the_next_book_is_asked_for_while_the_fills_are(stage: Stage) -> None:
    said: list[str] = []
    depth_usd, fills, place = stage.market.depth_usd, stage.venue.fills, stage.venue.place

    async def depth(symbol: str, within: float) -> Any:
        said.append(f"book {symbol}")
        return await depth_usd(symbol, within)

    async def slow_fills(symbol: str, since_ms: int) -> Any:
        said.append(f"fills {symbol}")
        await asyncio.sleep(0.01)  # the way to the exchange and back
        said.append("answered")
        return await fills(symbol, since_ms)

    async def placed(order: OrderRequest) -> OrderOutcome:
        said.append(f"order {order.symbol}")
        return await place(order)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.market, "depth_usd", depth)
        patch.setattr(stage.venue, "fills", slow_fills)
        patch.setattr(stage.venue, "place", placed)
        report = await stage.run(plan_of(leg(FET, Decimal(0), Decimal(-2000), 0.5), SHORT_TAO))
    first, second = (one.request.symbol for one in report.results)
    assert said == [
        *(f"book {first}", f"order {first}", f"fills {first}", f"book {second}", "answered"),
        *(f"order {second}", f"fills {second}", "answered"),
    ]
    assert len(asyncio.all_tasks()) == 1
