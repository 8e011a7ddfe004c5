"""Closes by others whose executions are known: each takes from what we held, whenever it was."""

from decimal import Decimal
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.journal.reader import JournalReader
from bot.journal.rows import IntentRecord
from bot.trading.attribution import HedgeClosedExternally, attribute
from bot.trading.orders import Acknowledged, Fill, OrderRequest, OrderState, Side
from bot.trading.venue_closes import CloseKind, VenueTrade

NEAR, ACCOUNT, NOW_MS = "NEAR/USDT:USDT", "hedge", 1_750_000_000_000


def _fill(trade_id: str, side: Side, quantity: int, at_ms: int, client_id: str) -> Fill:
    return Fill(
        trade_id,
        "1",
        client_id,
        NEAR,
        side,
        Decimal(quantity),
        Decimal(5),
        None,
        None,
        False,
        at_ms,
    )


def _sold_ten(journal: Journal, *, at_ms: int) -> None:
    """By an order of ours that filled at that time of the exchange's."""
    journal.record_intents([IntentRecord("i", "c", ACCOUNT, NEAR, Decimal(-10), "h", {})])
    order = OrderRequest("h1a", "i", NEAR, Side.SELL, Decimal(10), Decimal(5), "IOC", False)
    journal.mark_sending(order, account=ACCOUNT, leg="open", attempt=0)
    journal.record_outcome(Acknowledged("h1a", "1", OrderState.FILLED, Decimal(10), Decimal(5)))
    ours = _fill("t1", Side.SELL, 10, at_ms, "h1a")
    journal.record_fills(ACCOUNT, NEAR, [ours], read_ms=NOW_MS)


@pytest.mark.parametrize("before_us_ms", [-1000, 1000])
def test_a_trade_by_others_from_before_ours_takes_from_our_hedge_once(
    tmp_path: Path, before_us_ms: int
) -> None:
    """They bought 2 and we sold 10, in whatever order: the account is short 8, and so are we."""
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        _sold_ten(journal, at_ms=NOW_MS)
        theirs = _fill("t0", Side.BUY, 2, NOW_MS + before_us_ms, "somebody")
        change = HedgeClosedExternally(NEAR, "BOTH", Decimal(-10), Decimal(-8))
        journal.record_external_close(
            ACCOUNT, change, timestamp_ms=NOW_MS, trades=[VenueTrade(theirs, CloseKind.OTHERS)]
        )
        assert journal.own_positions(ACCOUNT) == {(NEAR, "BOTH"): Decimal(-8)}
        replayed = journal.ledger(ACCOUNT).positions[NEAR, "BOTH"]
        assert replayed.base_quantity == Decimal(-8)


@pytest.mark.parametrize("behind_ms", [1, 30_000, 86_400_000])
def test_a_close_seen_by_a_clock_that_runs_behind_takes_what_is_held(
    tmp_path: Path, behind_ms: int
) -> None:
    """Else it is seen again at every look, and booked each time: closes that never happened."""
    path, close_ms = tmp_path / "journal.sqlite", NOW_MS + 60_000 - behind_ms
    with Journal.open(path, SimulatedClock(NOW_MS)) as journal:
        _sold_ten(journal, at_ms=NOW_MS + 60_000)
        for venue in (Decimal(-4), Decimal(0)):
            own = journal.own_positions(ACCOUNT)
            (change,) = attribute(own, {(NEAR, "BOTH"): venue}).closed_externally
            journal.record_external_close(ACCOUNT, change, timestamp_ms=close_ms)
            held = {(NEAR, "BOTH"): venue} if venue else {}
            assert journal.own_positions(ACCOUNT) == held
            assert not attribute(held, {(NEAR, "BOTH"): venue}).closed_externally
            with JournalReader.open_reader(path) as fresh:
                assert fresh.own_positions(ACCOUNT) == held
        ledger = journal.ledger(ACCOUNT)
        assert ledger.open_quantity == {}
        assert ledger.positions[NEAR, "BOTH"].closed_unpriced == Decimal(10)
        assert [c.quantity_change for c in journal.external_closes(ACCOUNT)] == [6, 4]


@pytest.mark.parametrize("ahead_ms", [0, 500])
def test_a_close_seen_by_a_clock_that_runs_ahead_takes_nothing_of_what_came_later(
    tmp_path: Path, ahead_ms: int
) -> None:
    """Ten short were closed, then we bought five: they are ours, not somebody else's."""
    closed_ms = NOW_MS + 60_000
    with Journal.open(tmp_path / "journal.sqlite", SimulatedClock(NOW_MS)) as journal:
        _sold_ten(journal, at_ms=NOW_MS)
        change = HedgeClosedExternally(NEAR, "BOTH", Decimal(-10), Decimal(0))
        journal.record_external_close(ACCOUNT, change, timestamp_ms=closed_ms + ahead_ms)
        journal.record_intents([IntentRecord("j", "c", ACCOUNT, NEAR, Decimal(5), "h", {})])
        order = OrderRequest("h1b", "j", NEAR, Side.BUY, Decimal(5), Decimal(5), "IOC", False)
        journal.mark_sending(order, account=ACCOUNT, leg="open", attempt=0)
        journal.record_outcome(Acknowledged("h1b", "2", OrderState.FILLED, Decimal(5), Decimal(5)))
        bought = _fill("t2", Side.BUY, 5, closed_ms + 50, "h1b")
        journal.record_fills(ACCOUNT, NEAR, [bought], read_ms=closed_ms)
        assert journal.own_positions(ACCOUNT) == {(NEAR, "BOTH"): Decimal(5)}
        assert journal.ledger(ACCOUNT).open_quantity == {(NEAR, "BOTH"): Decimal(5)}
