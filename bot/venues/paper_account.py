"""The paper account as the journal left it; its exchange lives in this process."""

from decimal import Decimal

from bot.journal.journal import Journal
from bot.logs import Logger
from bot.ports import Clock, MarketData, Venue
from bot.venues.paper import open_paper_venue
from bot.venues.paper_funding import settle_missed_funding
from bot.venues.paper_market import PaperMarket
from config.settings import Settings
from risk.errors import DataError


async def open_paper_account(
    settings: Settings, clock: Clock, journal: Journal, feed: MarketData, log: Logger
) -> tuple[MarketData, Venue]:
    """Market data and venue of the paper account.

    Raises:
        DataError: it holds what the venue lists no more.
        UnreachableError, VenueError: the feed cannot be read.
    """
    name = settings.venue.account
    instruments = await feed.instruments()
    gone = sorted({symbol for symbol, _ in journal.own_positions(name)} - set(instruments))
    if gone:
        raise DataError(
            f"paper account {name}: holds {gone[0]}, which the venue lists no more; "
            "start again with another state_dir"
        )
    await settle_missed_funding(journal, feed, clock, name, log)
    start_usd = Decimal(str(settings.venue.paper_wallet_usd))
    start_usd = Decimal(journal.meta_once(f"paper_wallet_usd:{name}", str(start_usd)))
    ledger = journal.ledger(name)
    venue = open_paper_venue(
        instruments.values(),
        clock,
        name,
        ledger.wallet_usd(start_usd),
        {
            key: (one.base_quantity, one.entry_price)
            for key, one in ledger.positions.items()
            if one.entry_price is not None
        },
        first_id=journal.epoch * 1_000_000_000,
    )
    market = PaperMarket(feed, venue)
    if ledger.open_quantity:  # what is held has no worth before it has a price
        await market.quotes(sorted({symbol for symbol, _ in ledger.open_quantity}))
    return market, venue
