"""Orders that rest: on the simulated exchange, in simulated time, through the real journal."""

import asyncio
import itertools
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.errors import JournalError, VenueError
from bot.faults.errors import ProcessEndedError
from bot.trading.cancels import cancel_resting
from bot.trading.orders import OrderState
from bot.trading.reconcile import recover, resolve_unresolved
from bot.trading.styles import Style
from tests.execute_scene import ACCOUNT, BTC, FET, NOW_MS, TAO, leg, plan_of
from tests.styles_scene import POST_ONLY, Street, StyleStage, open_styles

SHORT_FET = leg(FET, Decimal(0), Decimal(-2000), 0.5)  # 1000 USD
SHORT_TAO = leg(TAO, Decimal(0), Decimal(-2), 400.0)
SHORT_BTC = leg(BTC, Decimal(0), Decimal("-0.02"), 60_000.0)
WHOLE = {(FET, "BOTH"): Decimal(-2000)}


def styles_sent(stage: StyleStage) -> list[str]:
    return [order.time_in_force for order in stage.venue.placed]


async def test_an_order_that_rests_fills_as_maker_at_its_own_price(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        stage.street.later(3, FET, 0.503)
        report = await stage.run(plan_of(SHORT_FET))
        assert stage.own == WHOLE
        assert styles_sent(stage) == ["GTX"]
        [order] = stage.venue.placed
        assert order.limit_price == Decimal("0.5003"), "the ask 0.50025, rounded up to the tick"
        [fill] = report.fills
        assert (fill.maker, fill.price) == (True, order.limit_price)
        assert fill.fee_usd == Decimal("0.0002") * 2000 * order.limit_price
        assert (report.stopped, stage.cancels()) == ("", [])
        assert stage.clock.now_ms() - NOW_MS == 3_000, "seen with the next look after it"


async def test_the_price_goes_away_and_the_order_follows_then_takes(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        for second, mark in ((1.0, 0.499), (2.5, 0.498), (4.0, 0.497)):
            stage.street.later(second, FET, mark)
        report = await stage.run(plan_of(SHORT_FET))
        assert styles_sent(stage) == ["GTX", "GTX", "GTX", "IOC"]
        prices = [order.limit_price for order in stage.venue.placed]
        assert prices[:3] == [Decimal("0.5003"), Decimal("0.4993"), Decimal("0.4973")]
        assert len({order.client_id for order in stage.venue.placed}) == 4
        sent = [row.sent_ms for row in stage.journal.orders("c1")]
        assert all(b - a >= 2_000 for a, b in itertools.pairwise(sent))
        assert stage.own == WHOLE
        assert not report.fills[-1].maker
        assert stage.clock.now_ms() - NOW_MS == 15_000
        assert stage.cancels() == ["cancel_sending", "cancel_confirmed"] * 3
        assert [r.state for r in report.results] == [OrderState.CANCELED] * 3 + [OrderState.FILLED]


async def test_a_post_only_that_would_take_is_priced_anew(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:

        def jump(street: Street, what: str) -> None:
            if what == "place GTX" and not stage.venue.placed:
                street.later(0, FET, 0.502)  # the bid is above our ask now
                street.move()

        stage.street.at = jump
        stage.street.later(6, FET, 0.505)
        report = await stage.run(plan_of(SHORT_FET))
        assert [r.state for r in report.results] == [OrderState.REJECTED, OrderState.FILLED]
        assert stage.journal.orders("c1")[0].code == "-5022"
        assert styles_sent(stage) == ["GTX", "GTX"]
        assert stage.own == WHOLE
        assert report.denials == ()


async def test_what_filled_in_part_is_not_sold_again(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        # Little is offered where the price comes by, then it goes away.
        thin = replace(stage.street.all_quotes()[FET], mark=0.5006, bid=0.5003, ask=0.5012)

        def come_by(street: Street, what: str) -> None:
            if what == "quotes" and street.clock.now_ms() == NOW_MS + 3_000:
                poor = replace(thin, timestamp_ms=street.clock.now_ms(), daily_volume_usd=1e8)
                street.venue.refresh({**street.all_quotes(), FET: poor})

        stage.street.at = come_by
        stage.street.later(4, FET, 0.497)
        report = await stage.run(plan_of(SHORT_FET))
        first, second = stage.venue.placed[:2]
        part = first.quantity - second.quantity
        assert 0 < part < 2000
        assert report.results[0].filled_quantity == part
        assert report.results[0].state is OrderState.CANCELED
        assert stage.own == WHOLE
        assert sum(fill.quantity for fill in report.fills) == 2000


async def test_a_cancel_that_comes_too_late_is_harmless(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:

        def fills_first(street: Street, what: str) -> None:
            if what == "cancel":
                street.later(0, FET, 0.51)
                street.move()

        stage.street.at = fills_first
        stage.street.later(1, FET, 0.498)
        report = await stage.run(plan_of(SHORT_FET))
        assert stage.cancels() == ["cancel_sending", "cancel_too_late"]
        assert [r.state for r in report.results] == [OrderState.FILLED]
        assert stage.own == WHOLE
        assert len(stage.venue.placed) == 1


async def test_a_cancel_of_which_nobody_hears_blocks_its_symbol_alone(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        stage.venue.lose_cancels = 100
        stage.street.later(3, TAO, 405.0)
        report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        assert stage.own == {(TAO, "BOTH"): Decimal(-2)}
        assert [(r.request.symbol, r.state) for r in report.results] == [
            (TAO, OrderState.FILLED),
            (FET, OrderState.LIVE),
        ]
        assert stage.cancels() == ["cancel_sending", "cancel_unknown"]
        [row] = stage.journal.unresolved_orders(ACCOUNT)
        assert (row.symbol, row.open_quantity) == (FET, Decimal(2000))
        again = await stage.run(plan_of(SHORT_FET, cycle_id="c2"), "c2")
        assert {r.denied.control for r in again.denials if r.denied} == {"unresolved"}
        stage.venue.lose_cancels = 0
        await resolve_unresolved(stage.journal, stage.venue, stage.clock)
        assert await cancel_resting(stage.journal, stage.venue, stage.clock, "test") == ()
        assert stage.journal.unresolved_orders(ACCOUNT) == ()
        assert stage.account.open_orders() == []


async def test_the_kill_switch_ends_the_rest(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:

        def trip(street: Street, what: str) -> None:
            if what == "find" and street.clock.now_ms() >= NOW_MS + 4_000:
                stage.halted = "somebody said so"

        stage.street.at = trip
        report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        assert report.halted
        assert stage.account.open_orders() == []
        assert stage.own == {}
        assert styles_sent(stage) == ["GTX", "GTX"]
        assert stage.clock.now_ms() - NOW_MS <= 6_000


@pytest.mark.parametrize("moment", ["place GTX", "find", "cancel"])
async def test_a_process_that_dies_leaves_nothing_resting_for_long(
    tmp_path: Path, moment: str
) -> None:
    """As by SIGKILL: nothing of the process acts any more; another one starts on its journal."""
    async with open_styles(tmp_path) as stage:
        seen = Counter[str]()

        def die(_street: Street, what: str) -> None:
            seen[what] += 1
            if what == moment and seen[what] == 2:
                raise ProcessEndedError

        stage.street.at = die
        stage.street.later(2, FET, 0.499)
        stage.street.later(7, FET, 0.497)
        stage.street.later(2, TAO, 399.0)
        with pytest.raises(ProcessEndedError):
            await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        street = stage.street
    street.at = lambda _street, _what: None
    assert street.venue._account.open_orders(), "something rests at the exchange"
    async with open_styles(tmp_path, street=street) as stage:
        await recover(stage.journal, stage.venue, stage.clock)
        await cancel_resting(stage.journal, stage.venue, stage.clock, "it outlived its engine")
        assert stage.account.open_orders() == []
        assert not [r for r in stage.journal.unresolved_orders(ACCOUNT) if r.state != "unknown"]
        assert stage.own == {
            (p.symbol, "BOTH"): p.quantity for p in stage.account.held() if p.quantity
        }


async def test_more_symbols_take_no_longer(tmp_path: Path) -> None:
    took = []
    for number, legs in enumerate(((SHORT_FET,), (SHORT_FET, SHORT_TAO, SHORT_BTC))):
        async with open_styles(tmp_path / str(number)) as stage:
            await stage.run(plan_of(*legs))
            assert len(stage.own) == len(legs)
            took.append(stage.clock.now_ms() - NOW_MS)
    assert took == [15_000, 15_000]


async def test_a_plan_does_not_rest_beyond_its_age(tmp_path: Path) -> None:
    """Made on a look that is old already, it leaves time to take what is left."""
    async with open_styles(tmp_path) as stage:
        report = await stage.run(plan_of(SHORT_FET), looked_ms=NOW_MS - 20_000)
        assert styles_sent(stage) == ["GTX", "IOC"]
        assert stage.clock.now_ms() == NOW_MS + 4_000
        assert (stage.own, report.stopped) == (WHOLE, "")


async def test_a_breach_is_taken_at_once_unless_told_otherwise(tmp_path: Path) -> None:
    styles = replace(POST_ONLY, breach_style=Style.IOC)
    async with open_styles(tmp_path, styles) as stage:
        await stage.run(plan_of(SHORT_FET), breached=True)
        assert styles_sent(stage) == ["IOC"]
        assert stage.clock.now_ms() == NOW_MS


async def test_a_close_rests_reduce_only(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        stage.street.later(2, FET, 0.503)
        await stage.run(plan_of(SHORT_FET))
        close = leg(FET, Decimal(-2000), Decimal(2000), 0.503)
        stage.street.later(2, FET, 0.5)
        quotes = stage.street.all_quotes()
        await stage.run(plan_of(close, own=stage.own, cycle_id="c2", quotes=quotes), "c2")
        last = stage.venue.placed[-1]
        assert (last.time_in_force, last.reduce_only) == ("GTX", True)
        assert stage.own == {}


async def test_being_told_to_stop_takes_back_what_rests(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        task = asyncio.current_task()
        assert task is not None

        def stop(street: Street, what: str) -> None:
            if what == "find" and street.clock.now_ms() == NOW_MS + 3_000:
                street.at = lambda _street, _what: None
                task.cancel()

        stage.street.at = stop
        with pytest.raises(asyncio.CancelledError):
            await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        task.uncancel()
        assert stage.account.open_orders() == []
        assert stage.cancels() == ["cancel_sending", "cancel_confirmed"] * 2


async def test_a_journal_that_fails_takes_back_what_rests(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:

        def break_it(street: Street, what: str) -> None:
            if what == "find" and street.clock.now_ms() == NOW_MS + 3_000:
                stage.journal._broken = True

        stage.street.at = break_it
        stage.street.later(3, FET, 0.503)
        with pytest.raises(JournalError):
            await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        assert stage.account.open_orders() == []


async def test_a_symbol_that_is_halted_is_taken_back_and_the_others_go_on(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        executor = stage.executor()

        def halt(street: Street, what: str) -> None:
            if what == "find" and street.clock.now_ms() == NOW_MS + 3_000:
                executor.guard.halt_symbol("slippage", FET, "too dear")

        stage.street.at = halt
        stage.executor = lambda: executor  # type: ignore[method-assign]  # the one with the tap
        stage.street.later(6, TAO, 405.0)
        report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        assert stage.own == {(TAO, "BOTH"): Decimal(-2)}
        assert [r.denied.control for r in report.denials if r.denied] == ["symbol_halted"]
        assert stage.cancels() == ["cancel_sending", "cancel_confirmed"]
        assert stage.clock.now_ms() == NOW_MS + 6_000


async def test_a_venue_that_cannot_be_asked_is_asked_again(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:

        def silent(street: Street, what: str) -> None:
            if what == "find" and street.clock.now_ms() < NOW_MS + 5_000:
                raise VenueError("no such thing now")

        stage.street.at = silent
        stage.street.later(2, FET, 0.503)
        report = await stage.run(plan_of(SHORT_FET))
        assert (stage.own, report.stopped) == (WHOLE, "")
        assert stage.clock.now_ms() == NOW_MS + 5_000
