"""Paper trading under the executor, and the paper account as the journal brings it back."""

from decimal import Decimal
from pathlib import Path

from bot.clock import SimulatedClock
from bot.feeds.generated import generated_tape
from bot.feeds.tape import DAY_MS
from bot.journal.journal import Journal
from bot.ports import Venue
from bot.trading.reconcile import FundingReader, attribute, book_fills, book_funding, recover
from bot.venues.paper import PaperVenue, open_paper_venue
from tests.execute_scene import FET, intent, order

WALLET = Decimal(50_000)


async def trade(venue: Venue, journal: Journal, clock: SimulatedClock, name: str) -> None:
    """A sale of 500, sent and booked like any other."""
    assert isinstance(venue, PaperVenue)
    mark = Decimal(repr(venue.exchange.quote(FET).mark))
    price = str(round(mark * Decimal("0.995"), 4))
    request = order(f"h1{name}", quantity="500", price=price, intent_id=name)
    journal.record_intents([intent(name)])
    journal.mark_sending(request, account="hedge", leg="open-0", attempt=0)
    journal.record_outcome(await venue.place(request))
    assert len(await book_fills(journal, venue, FET, clock)) >= 1


async def test_a_restarted_paper_account_has_its_money_and_positions_back(tmp_path: Path) -> None:
    tape = generated_tape(5, 1_750_000_000_000)
    clock = SimulatedClock(tape.start_ms + 20 * DAY_MS)
    path = tmp_path / "journal.sqlite"
    wallet = WALLET
    for run in range(3):
        with Journal.open(path, clock) as journal:
            epoch = journal.start_epoch()
            ledger = journal.ledger("hedge")
            assert ledger.wallet_usd(WALLET) == wallet, "to the last digit"
            venue = open_paper_venue(
                tape.instruments.values(),
                clock,
                "hedge",
                ledger.wallet_usd(WALLET),
                {
                    key: (one.base_quantity, one.entry_price)
                    for key, one in ledger.positions.items()
                    if one.entry_price is not None
                },
                first_id=epoch * 1_000_000_000,
            )
            assert isinstance(venue, FundingReader)
            venue.refresh(tape.quotes(clock.now_ms()))
            recovery = await recover(journal, venue, clock)
            assert recovery.ready
            await trade(venue, journal, clock, f"run{run}")
            for _ in range(9):
                clock.advance_to(clock.now_ms() + 3_600_000)
                venue.refresh(tape.quotes(clock.now_ms()))
            assert await book_funding(journal, venue, clock) >= 1
            assert await book_funding(journal, venue, clock) == 0
            own = journal.own_positions("hedge")
            assert own == {(FET, "BOTH"): Decimal(-500) * (run + 1)}
            seen = await venue.account()
            assert attribute(own, seen.base_quantity).external == {}
            wallet = venue.exchange.margin(venue._account).wallet_usd
