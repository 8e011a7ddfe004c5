"""Finding out what became of orders, and telling our hedges from everybody else's positions."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SimulatedClock
from bot.errors import UnreachableError
from bot.journal.journal import Journal
from bot.trading.orders import OrderState, Side, UnknownOutcome
from bot.trading.reconcile import (
    HedgeClosedExternally,
    attribute,
    book_fills,
    recover,
    resolve_unresolved,
    resolve_until_settled,
)
from tests.execute_scene import (
    ACCOUNT,
    FET,
    NOW_MS,
    TAO,
    ScriptedVenue,
    acknowledged,
    fill,
    order,
    send,
)

ORDER = order()


class Scene:
    """A venue and a journal with one order sent."""

    def __init__(self, journal: Journal) -> None:
        self.clock = SimulatedClock(NOW_MS)
        self.journal = journal
        self.venue = ScriptedVenue(self.clock)
        send(journal, ORDER)

    def lose(self) -> None:
        self.journal.record_outcome(UnknownOutcome(ORDER.client_id, "lost"))

    async def look(self, after_s: float = 0) -> OrderState:
        self.clock.advance_to(self.clock.now_ms() + round(after_s * 1000))
        await resolve_unresolved(self.journal, self.venue, self.clock)
        return self.state

    @property
    def state(self) -> OrderState:
        row = self.journal.order(ORDER.client_id)
        assert row is not None
        return row.state


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        one = Scene(journal)
        journal._clock = one.clock
        yield one


async def test_absent_needs_three_looks_far_enough_apart_and_a_minute(scene: Scene) -> None:
    scene.lose()
    assert await scene.look() is OrderState.UNKNOWN
    assert await scene.look(9) is OrderState.UNKNOWN  # too close to count
    assert await scene.look(1) is OrderState.UNKNOWN
    assert await scene.look(10) is OrderState.UNKNOWN  # three, but after 20 s only
    row = scene.journal.order(ORDER.client_id)
    assert row is not None
    assert row.negative_rounds == 3
    assert await scene.look(39) is OrderState.UNKNOWN  # four, but after 59 s only
    assert await scene.look(10) is OrderState.ABSENT
    assert scene.journal.unresolved_orders(ACCOUNT) == ()


async def test_a_minute_alone_is_not_enough(scene: Scene) -> None:
    scene.lose()
    assert await scene.look(3600) is OrderState.UNKNOWN
    assert await scene.look(10) is OrderState.UNKNOWN
    assert await scene.look(10) is OrderState.ABSENT


async def test_looks_that_fail_do_not_count(scene: Scene) -> None:
    scene.lose()
    scene.venue.find_fails = True
    for _ in range(5):
        assert await scene.look(60) is OrderState.UNKNOWN
    scene.venue.find_fails = False
    scene.venue.account_error = UnreachableError("the venue does not answer")
    for _ in range(5):
        assert await scene.look(60) is OrderState.UNKNOWN
    resolution = await resolve_unresolved(scene.journal, scene.venue, scene.clock)
    assert resolution.problems == (f"order {ORDER.client_id}: the venue does not answer",)
    row = scene.journal.order(ORDER.client_id)
    assert row is not None
    assert row.negative_rounds == 0


@pytest.mark.parametrize("listed", [False, True])
async def test_an_answer_from_before_somebody_cancelled_it_is_too_old(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    """The kill switch cancels beside the cycle, while a look at the order is under way."""
    others = [order(f"h1{n}", symbol=f"{n}/USDT:USDT", intent_id=f"i-{n}") for n in "ab"]
    rows = [ORDER, *others] if listed else [ORDER]
    for one in others if listed else []:
        send(scene.journal, one)
    for one in rows:
        scene.journal.record_outcome(acknowledged(one, OrderState.LIVE, "0"))

    async def shown(*_: str) -> object:
        for one in rows:
            scene.journal.record_outcome(acknowledged(one, OrderState.CANCELED, "0"))
        live = {one.client_id: acknowledged(one, OrderState.LIVE, "0") for one in rows}
        return live if listed else live[ORDER.client_id]

    monkeypatch.setattr(scene.venue, "open_orders" if listed else "find", shown, raising=False)
    resolution = await resolve_unresolved(scene.journal, scene.venue, scene.clock)
    assert (resolution.problems, resolution.unresolved) == ((), ())
    assert {row.state for row in resolution.settled} == {OrderState.CANCELED}


@pytest.mark.parametrize("listed", [False, True])
async def test_what_filled_beyond_a_known_end_is_told_and_booked_in_the_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    """The cancel beside the look was told of nothing filled; the look hears of 300."""
    others = [order(f"h1{n}", symbol=f"{n}/USDT:USDT", intent_id=f"i-{n}") for n in "ab"]
    for one in others if listed else []:
        send(scene.journal, one)
        scene.journal.record_outcome(acknowledged(one, OrderState.LIVE, "0"))
    scene.journal.record_outcome(acknowledged(ORDER, OrderState.LIVE, "0"))
    told = acknowledged(ORDER, OrderState.PARTIAL, "300")

    async def shown(*_: str) -> object:
        scene.journal.record_outcome(acknowledged(ORDER, OrderState.CANCELED, "0"))
        return {ORDER.client_id: told} if listed else told

    asked = "open_orders" if listed else "find"
    with monkeypatch.context() as patch:
        patch.setattr(scene.venue, asked, shown, raising=False)
        resolution = await resolve_unresolved(scene.journal, scene.venue, scene.clock)
    assert ORDER.client_id in {row.client_id for row in resolution.unresolved}
    [event] = scene.journal.events(kind="order_filled_late")
    assert (event.client_id, event.document["state"]) == (ORDER.client_id, "canceled")
    assert (event.document["was"], event.document["filled_quantity"]) == ("0", "300")
    scene.venue.execute(ORDER, Decimal(300))
    await resolve_unresolved(scene.journal, scene.venue, scene.clock)
    row = scene.journal.order(ORDER.client_id)
    assert row is not None
    assert (row.state, row.unresolved) == (OrderState.CANCELED, False)
    assert scene.journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(-300)}


async def test_an_order_that_shows_up_late_is_taken_as_it_is(scene: Scene) -> None:
    scene.lose()
    await scene.look()
    await scene.look(20)
    scene.venue.execute(ORDER, Decimal(300))
    assert await scene.look(15) is OrderState.EXPIRED
    assert scene.journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(-300)}
    assert scene.journal.unresolved_orders(ACCOUNT) == ()


async def test_fills_seen_before_the_order_was_known_are_not_lost(scene: Scene) -> None:
    """Its venue id comes late; by then the watermark has passed its executions."""
    scene.lose()
    scene.venue.execute(ORDER, ORDER.quantity)
    outcome = scene.venue.known.pop(ORDER.client_id)
    await scene.look(5)
    assert scene.journal.own_positions(ACCOUNT) == {}
    scene.venue.known[ORDER.client_id] = outcome
    scene.clock.advance_to(NOW_MS + 600_000)
    assert await scene.look() is OrderState.FILLED
    assert scene.journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(-1000)}


async def test_a_position_that_moved_forbids_absent_and_ends_in_quarantine(scene: Scene) -> None:
    scene.lose()
    scene.venue.held[FET, "BOTH"] = Decimal(-1000)
    for _ in range(30):
        assert await scene.look(10) is OrderState.UNKNOWN
    assert await scene.look(10) is OrderState.QUARANTINED
    blocked = scene.journal.unresolved_orders(ACCOUNT)
    assert [r.open_quantity for r in blocked] == [ORDER.quantity], "it still blocks and counts"


@pytest.mark.parametrize(
    ("filled", "state"), [("1000", OrderState.FILLED), ("300", OrderState.EXPIRED)]
)
async def test_executions_settle_an_order_that_the_venue_has_forgotten(
    scene: Scene, filled: str, state: OrderState
) -> None:
    """Its list of orders reaches less far back than its list of trades."""
    scene.lose()
    scene.venue.trades.append(fill("t1", quantity=filled, client_id=ORDER.client_id))
    scene.venue.held[FET, "BOTH"] = -Decimal(filled)
    for _ in range(5):
        assert await scene.look(11) is OrderState.UNKNOWN
    assert await scene.look(11) is state
    row = scene.journal.order(ORDER.client_id)
    assert row is not None
    assert (row.filled_quantity, row.booked_quantity) == (Decimal(filled), Decimal(filled))
    assert scene.journal.unresolved_orders(ACCOUNT) == ()


async def test_a_venue_that_takes_requests_late_is_given_more_time(scene: Scene) -> None:
    scene.venue.receive_window_ms = 40_000  # type: ignore[attr-defined]  # some venues tell it
    scene.lose()
    for _ in range(7):
        assert await scene.look(11) is OrderState.UNKNOWN
    assert await scene.look(11) is OrderState.ABSENT


async def test_recovery_proves_both_sides_of_every_position(scene: Scene) -> None:
    scene.venue.execute(ORDER, ORDER.quantity)
    scene.venue.held[TAO, "BOTH"] = Decimal(3)
    await recover(scene.journal, scene.venue, scene.clock)
    [told] = scene.journal.events(kind="recovered")
    rows = {row.pop("symbol"): row for row in told.document["proof"]["positions"]}
    assert told.document["proof"]["equal"] is True
    assert rows[FET] == {
        "position_side": "BOTH", "own": "-1000", "others": "0", "venue": "-1000"
    }  # fmt: skip
    assert (rows[TAO]["own"], rows[TAO]["others"]) == ("0", "3")


async def test_an_open_order_with_our_id_forbids_absent(scene: Scene) -> None:
    scene.lose()
    scene.venue.open_ids.add(ORDER.client_id)
    for _ in range(10):
        assert await scene.look(20) is OrderState.UNKNOWN


async def test_a_live_order_that_the_venue_forgot_ends_with_its_fills(scene: Scene) -> None:
    scene.journal.record_outcome(acknowledged(ORDER, OrderState.PARTIAL, "300"))
    scene.venue.trades.append(
        fill("t1", quantity="300", client_id="", venue_order_id=f"v-{ORDER.client_id}")
    )
    for _ in range(3):
        await scene.look(30)
    assert scene.state is OrderState.EXPIRED
    assert scene.journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(-300)}
    assert scene.journal.unresolved_orders(ACCOUNT) == ()


async def test_an_order_on_its_way_is_left_alone(scene: Scene) -> None:
    assert await scene.look(100) is OrderState.SENDING


async def test_recovery_after_a_crash_in_the_send(scene: Scene) -> None:
    scene.venue.execute(ORDER, ORDER.quantity)  # it had arrived
    scene.clock.advance_to(NOW_MS + 5_000)
    recovery = await recover(scene.journal, scene.venue, scene.clock)
    assert [r.client_id for r in recovery.interrupted] == [ORDER.client_id]
    assert scene.state is OrderState.FILLED
    assert recovery.ready
    assert recovery.attribution.own == {(FET, "BOTH"): Decimal(-1000)}
    assert recovery.attribution.external == {}
    assert scene.venue.placed == [], "recovery sends nothing"
    again = await recover(scene.journal, scene.venue, scene.clock)
    assert again.ready
    assert again.resolution.booked == ()
    assert len(scene.journal.own_fills(ACCOUNT)) == 1


async def test_recovery_that_does_not_find_it_is_not_ready(scene: Scene) -> None:
    recovery = await recover(scene.journal, scene.venue, scene.clock)
    assert not recovery.ready
    assert [r.state for r in recovery.resolution.unresolved] == [OrderState.UNKNOWN]
    resolution = await resolve_until_settled(scene.journal, scene.venue, scene.clock)
    assert [r.state for r in resolution.settled] == [OrderState.ABSENT]
    assert scene.clock.now_ms() - NOW_MS == 60_000
    assert (await recover(scene.journal, scene.venue, scene.clock)).ready


async def test_recovery_tells_of_a_hedge_that_is_gone(scene: Scene) -> None:
    scene.venue.execute(ORDER, ORDER.quantity)
    await recover(scene.journal, scene.venue, scene.clock)
    scene.venue.held.clear()
    recovery = await recover(scene.journal, scene.venue, scene.clock)
    assert not recovery.ready
    (gone,) = recovery.attribution.closed_externally
    assert (gone.own_quantity, gone.venue_quantity) == (Decimal(-1000), Decimal(0))


async def test_fills_of_a_symbol_never_traded_are_not_asked_for(scene: Scene) -> None:
    assert await book_fills(scene.journal, scene.venue, TAO, scene.clock) == ()


@pytest.mark.parametrize(
    ("own", "venue", "external", "change"),
    [
        ("-10", "-10", "0", None),
        ("-10", "-15", "-5", None),  # somebody is short beside us
        ("0", "7", "7", None),
        ("-10", "-6", "4", "4"),  # a part was closed
        ("-10", "0", "10", "10"),
        ("-10", "3", "13", "10"),  # all was closed, and somebody is long
        ("10", "4", "-6", "-6"),
    ],
)
def test_ours_and_the_rest(own: str, venue: str, external: str, change: str | None) -> None:
    key = FET, "BOTH"
    split = attribute({key: Decimal(own)}, {key: Decimal(venue)})
    assert split.external.get(key, 0) == Decimal(external)
    assert [c.quantity_change for c in split.closed_externally] == (
        [] if change is None else [Decimal(change)]
    )


def test_an_unresolved_order_makes_us_unsure_instead() -> None:
    key = FET, "BOTH"
    split = attribute({key: Decimal(-10)}, {}, unresolved={FET})
    assert (split.closed_externally, split.unsure) == ((), frozenset({FET}))


@given(
    own=st.integers(-50, 50), venue=st.integers(-50, 50), side=st.sampled_from(["BOTH", "SHORT"])
)
def test_applying_a_close_leaves_nothing_against_us(own: int, venue: int, side: str) -> None:
    key = FET, side
    ours, held = {key: Decimal(own)}, {key: Decimal(venue)}
    split = attribute(ours, held)
    for change in split.closed_externally:
        assert isinstance(change, HedgeClosedExternally)
        ours[key] += change.quantity_change
        assert abs(ours[key]) < abs(own)
        assert ours[key] * own >= 0
    again = attribute(ours, held)
    assert again.closed_externally == ()
    assert again.own.get(key, 0) + again.external.get(key, 0) == venue


async def test_a_close_in_flight_is_never_taken_for_a_close_by_others(scene: Scene) -> None:
    scene.journal.record_outcome(scene.venue.execute(ORDER, ORDER.quantity))
    await book_fills(scene.journal, scene.venue, FET, scene.clock)
    closing = order("h1close", side=Side.BUY, reduce_only=True, intent_id="i2", price="0.502")
    send(scene.journal, closing)
    scene.venue.execute(closing, closing.quantity)
    scene.venue.known.clear()
    recovery = await recover(scene.journal, scene.venue, scene.clock)
    assert recovery.attribution.closed_externally == ()
    assert recovery.attribution.unsure == {FET}
    scene.venue.known[closing.client_id] = acknowledged(closing)
    recovery = await recover(scene.journal, scene.venue, scene.clock)
    assert recovery.ready
    assert scene.journal.own_positions(ACCOUNT) == {}
