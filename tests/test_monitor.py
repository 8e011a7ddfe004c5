"""The monitor: whose a position is, in which account, and when it says that it cannot know."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.ports import ReportedPosition
from bot.trading.orders import UnknownOutcome
from risk.book import Owner
from risk.errors import DataError
from tests.execute_scene import ACCOUNT, BTC, FET, NOW_MS, TAO, fill, order, send
from tests.monitor_scene import Scene, Source, rows


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        yield Scene(journal, clock)


async def test_a_dedicated_account_holds_our_hedges(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="-100")
    scene.sources.append(Source(scene.clock, (ReportedPosition(TAO, Decimal(2)),)))
    seen = await scene.look()
    assert rows(seen) == {
        ("hedge", ACCOUNT, FET, "BOTH"): -100,
        ("bot", "bot-a", TAO, "BOTH"): 2,
    }
    assert seen.own == {(FET, "BOTH"): Decimal(-100)}
    assert seen.book.notional_usd((FET, TAO), Owner.HEDGE).tolist() == [-50.0, 0.0]
    assert seen.book.timestamp_ms == NOW_MS
    assert (seen.external, seen.bot_listed) == ({}, frozenset())


async def test_more_of_the_same_is_somebody_elses(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="-130", TAO="3")
    seen = await scene.look()
    external = f"external:{ACCOUNT}"
    assert rows(seen) == {
        ("hedge", ACCOUNT, FET, "BOTH"): -100,
        ("bot", external, FET, "BOTH"): -30,
        ("bot", external, TAO, "BOTH"): 3,
    }
    assert seen.external == {(FET, "BOTH"): Decimal(-30), (TAO, "BOTH"): Decimal(3)}


async def test_in_a_shared_account_the_rest_is_the_bots(scene: Scene) -> None:
    scene.shared = True
    scene.fill("-100")
    scene.venue_holds(FET="-100", TAO="3")
    scene.account_change = {"open_order_symbols": frozenset({BTC})}
    scene.sources.append(Source(scene.clock, listed=frozenset({"WLD/USDT:USDT"})))
    seen = await scene.look()
    assert rows(seen) == {
        ("hedge", ACCOUNT, FET, "BOTH"): -100,
        ("bot", ACCOUNT, TAO, "BOTH"): 3,
    }
    assert seen.bot_listed == {BTC, "WLD/USDT:USDT"}


async def test_in_a_sub_account_whatever_is_not_ours_holds_the_cycle(scene: Scene) -> None:
    scene.exclusive = True
    scene.fill("-100")
    scene.venue_holds(FET="-100")
    await scene.look()
    scene.venue_holds(FET="-130")
    line = f"FET/USDT:USDT: -30 in the hedge sub-account {ACCOUNT} is not ours; close it, or set"
    with pytest.raises(DataError, match=f"^{line} venue.ownership to shared$"):
        await scene.look()
    scene.venue_holds(FET="-100")
    scene.account_change = {"open_order_client_ids": frozenset({"web_1"})}
    with pytest.raises(DataError, match=r"^order web_1 is open in the hedge sub-account"):
        await scene.look()
    scene.account_change = {"open_order_client_ids": frozenset({"h11"})}  # of ours, just ended
    assert rows(await scene.look()) == {("hedge", ACCOUNT, FET, "BOTH"): -100}


async def test_in_hedge_mode_a_bots_orders_do_not_meet_ours(scene: Scene) -> None:
    scene.shared = scene.legs_apart = True
    scene.venue_holds(TAO_LONG="3")
    scene.account_change = {"hedge_mode": True, "open_order_symbols": frozenset({BTC})}
    seen = await scene.look()
    assert rows(seen) == {("bot", ACCOUNT, TAO, "LONG"): 3}
    assert seen.bot_listed == frozenset()


async def test_rows_of_hedge_mode_are_told_apart_by_their_side(scene: Scene) -> None:
    scene.shared = True
    scene.fill("-100", side="SHORT")
    scene.venue_holds(FET_LONG="250", FET_SHORT="-140")
    prices = {(FET, "LONG"): 0.2, (FET, "SHORT"): 1.4}
    scene.account_change = {"hedge_mode": True, "liquidation_price": prices}
    seen = await scene.look()
    assert rows(seen) == {
        ("hedge", ACCOUNT, FET, "SHORT"): -100,
        ("bot", ACCOUNT, FET, "LONG"): 250,
        ("bot", ACCOUNT, FET, "SHORT"): -40,
    }
    assert {(p.position_side, p.liquidation_price) for p in seen.book.positions} == {
        ("LONG", 0.2),
        ("SHORT", 1.4),
    }
    assert {p.leverage for p in seen.book.positions} == {20.0}
    assert seen.book.notional_usd((FET,)).tolist() == [pytest.approx(55.0)]


async def test_a_hedge_closed_by_others_needs_two_reads_that_agree(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="-60")
    with pytest.raises(DataError, match=r"a hedge of -100 but the account holds -60; waiting"):
        await scene.look()
    scene.venue_holds(FET="-50")
    with pytest.raises(DataError, match="holds -50; waiting for a second read"):
        await scene.look()
    assert scene.journal.external_closes(ACCOUNT) == []
    seen = await scene.look()
    assert rows(seen) == {("hedge", ACCOUNT, FET, "BOTH"): -50}
    assert [c.change.venue_quantity for c in seen.closed_externally] == [Decimal(-50)]
    assert scene.journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(-50)}
    assert (await scene.look()).closed_externally == ()


async def test_a_fill_that_the_account_does_not_show_yet_is_no_close_by_others(
    scene: Scene,
) -> None:
    scene.fill("-100", at=NOW_MS)
    scene.venue_holds()  # however often it is read: positions lag behind fills
    for _ in range(3):
        with pytest.raises(DataError, match="waiting for a second read"):
            await scene.look()
    assert scene.journal.external_closes(ACCOUNT) == []
    scene.venue_holds(FET="-100")
    assert rows(await scene.look()) == {("hedge", ACCOUNT, FET, "BOTH"): -100}


@pytest.mark.parametrize(("after_ms", "closed"), [(-3_600_000, False), (-1, False), (1, True)])
async def test_a_trade_of_others_from_before_our_fill_did_not_close_it(
    scene: Scene, after_ms: int, closed: bool
) -> None:
    """They bought as much an hour ago; the account does not show yet that we have sold again."""
    scene.fill("-100", at=NOW_MS)
    scene.venue_holds()
    theirs = fill("theirs", side=order().side.BUY, quantity="100", at=NOW_MS + after_ms)
    scene.venue.trades.append(replace(theirs, client_id="web_1", venue_order_id="v9"))
    if closed:
        assert [len(one.trades) for one in (await scene.look()).closed_externally] == [1]
        return
    for _ in range(3):
        with pytest.raises(DataError, match="waiting for a second read"):
            await scene.look()
    assert scene.journal.external_closes(ACCOUNT) == []
    scene.venue_holds(FET="-100")
    assert rows(await scene.look()) == {("hedge", ACCOUNT, FET, "BOTH"): -100}


@pytest.mark.parametrize("ahead_ms", [0, 9_000, 11_000, 3_600_000])
async def test_a_clock_that_is_behind_the_exchanges_hides_no_fill(
    scene: Scene, ahead_ms: int
) -> None:
    """However far the fill's time is ahead of ours, it was booked just now, and not for long."""
    scene.fill("-100", at=NOW_MS + ahead_ms)
    scene.venue_holds()
    for _ in range(3):
        with pytest.raises(DataError, match="waiting for a second read"):
            await scene.look()
        scene.clock.advance_to(scene.clock.now_ms() + 3_000)
    assert scene.journal.external_closes(ACCOUNT) == []
    scene.clock.advance_to(NOW_MS + 10_001)
    assert [c.change.own_quantity for c in (await scene.look()).closed_externally] == [-100]


async def test_a_clock_that_was_set_back_hides_no_fill(scene: Scene) -> None:
    scene.fill("-100", at=NOW_MS)
    scene.clock._now_ms = NOW_MS - 600_000
    scene.venue_holds()
    for _ in range(3):
        with pytest.raises(DataError, match="waiting for a second read"):
            await scene.look()
        scene.clock.advance_to(scene.clock.now_ms() + 3_000)
    assert scene.journal.external_closes(ACCOUNT) == []
    scene.clock.advance_to(scene.clock.now_ms() + 1_001)
    assert [c.change.own_quantity for c in (await scene.look()).closed_externally] == [-100]


async def test_a_hedge_that_was_turned_round_leaves_the_rest_to_others(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="30")
    with pytest.raises(DataError, match="waiting for a second read"):
        await scene.look()
    assert rows(await scene.look()) == {("bot", f"external:{ACCOUNT}", FET, "BOTH"): 30}
    assert scene.journal.own_positions(ACCOUNT) == {}


async def test_a_disagreement_that_goes_away_is_forgotten(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="-60")
    with pytest.raises(DataError):
        await scene.look()
    scene.venue_holds(FET="-100")
    await scene.look()
    scene.venue_holds(FET="-60")
    with pytest.raises(DataError, match="waiting for a second read"):
        await scene.look()


async def test_an_unresolved_order_is_waited_for_however_often_it_is_read(scene: Scene) -> None:
    scene.fill("-100")
    closing = order("h1close", side=order().side.BUY, quantity="40", intent_id="i9")
    send(scene.journal, closing)
    scene.journal.record_outcome(UnknownOutcome("h1close", "no reply"))
    scene.venue_holds(FET="-60")
    for _ in range(3):
        with pytest.raises(DataError, match=r"FET/USDT:USDT: an order of ours is not resolved"):
            await scene.look()
    assert scene.journal.external_closes(ACCOUNT) == []


async def test_an_unresolved_order_may_be_what_the_account_holds_more(scene: Scene) -> None:
    """It is in the book either way; until it is known whose it is, nothing is sent there."""
    send(scene.journal, order("h1open", quantity="40"))
    scene.journal.record_outcome(UnknownOutcome("h1open", "no reply"))
    scene.venue_holds(FET="-40")
    seen = await scene.look()
    assert seen.book.notional_usd((FET,)).tolist() == [-20.0]
    assert scene.journal.own_positions(ACCOUNT) == {}
