"""The paper account as the journal left it; its exchange lives in this process."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from bot.journal.journal import Journal
from bot.logs import Logger
from bot.ports import Clock, MarketData, Venue
from bot.trading.orders import Fill
from bot.venues.paper import open_paper_venue
from bot.venues.paper_funding import settle_missed_funding
from bot.venues.paper_market import PaperMarket
from config.settings import Settings
from risk.errors import DataError
from risk.instrument import Instrument

_FEE_STEP: Final = Decimal("1e-8")


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
    _book_lost_fills(journal, instruments, clock, name)
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


def _book_lost_fills(
    journal: Journal, instruments: Mapping[str, Instrument], clock: Clock, name: str
) -> None:
    """Books what an order is known to have filled, where its executions were not read in time.

    They went with the process that was the exchange, so nobody can be asked for them; what the
    journal heard of the order is all that is left, with the fee of an order that takes.
    """
    for row in journal.unresolved_orders(name):
        quantity = row.filled_quantity - row.booked_quantity
        listed = instruments.get(row.symbol)
        if not row.state.final or quantity <= 0 or row.average_price is None or listed is None:
            continue
        rate = Decimal(repr(listed.taker_fee))
        lost = Fill(
            trade_id=f"{row.client_id}-lost",
            venue_order_id=row.venue_order_id or "",
            client_id=row.client_id,
            symbol=row.symbol,
            side=row.request.side,
            quantity=quantity,
            price=row.average_price,
            fee_usd=(quantity * row.average_price * rate).quantize(_FEE_STEP),
            realised_pnl_usd=None,
            maker=False,
            timestamp_ms=row.updated_ms,
        )
        journal.record_fills(name, row.symbol, [lost], read_ms=clock.now_ms())
