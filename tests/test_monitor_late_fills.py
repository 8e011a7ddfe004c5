"""What looks like somebody else's doing may be a fill of ours that nobody told."""

from decimal import Decimal
from pathlib import Path

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.measuring.monitor import Ages, Monitor
from bot.trading.reconcile import book_fills
from tests.execute_scene import (
    ACCOUNT,
    FET,
    INSTRUMENTS,
    NOW_MS,
    QUOTES,
    ScriptedVenue,
    order,
    send,
)


class Market:
    async def instruments(self) -> object:
        return INSTRUMENTS

    async def quotes(self, symbols: object) -> object:
        return QUOTES


async def test_a_copy_of_an_order_is_booked_and_not_taken_for_somebody_elses(
    tmp_path: Path,
) -> None:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        venue = ScriptedVenue(clock)
        copied = order(quantity="900")
        send(journal, copied)
        journal.record_outcome(venue.execute(copied, copied.quantity))
        await book_fills(journal, venue, FET, clock)
        monitor = Monitor(
            venue=venue,
            sources=[],
            market=Market(),  # type: ignore[arg-type]  # the half of it that is asked
            journal=journal,
            clock=clock,
            ages=Ages(mark_ms=3_000, balance_ms=30_000),
            shared_account=False,
        )
        assert (await monitor.observe([FET])).external == {}
        venue.execute(copied, copied.quantity)  # the network sent it once more
        seen = await monitor.observe([FET])
        assert seen.external == {}
        assert journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(-1800)}
        assert journal.external_closes(ACCOUNT) == []
