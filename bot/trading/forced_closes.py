"""Looks for the executions by which others closed a part of a hedge of ours."""

from bot.errors import UnreachableError, VenueError
from bot.journal.journal import Journal
from bot.ports import Clock, Venue
from bot.trading.attribution import HedgeClosedExternally
from bot.trading.orders import Fill
from bot.trading.venue_closes import (
    CloseKind,
    OriginReader,
    VenueTrade,
    explaining,
    kind_of_client_id,
)
from risk.errors import DataError

LOOKBACK_MS = 86_400_000


async def find_trades(
    journal: Journal, venue: Venue, change: HedgeClosedExternally, clock: Clock
) -> tuple[VenueTrade, ...]:
    """Trades by others that explain all of the change; none where the venue does not tell."""
    account = venue.account_name
    try:
        trades = await venue.fills(change.symbol, max(0, clock.now_ms() - LOOKBACK_MS))
    except (UnreachableError, VenueError, DataError):
        return ()  # then two reads of the position must agree
    foreign = [one for one in trades if not journal.is_own(account, one)]
    found = explaining(
        change, foreign, lambda trade_id: journal.closed_by(account, change.symbol, trade_id)
    )
    return await _with_kinds(venue, change.symbol, found)


async def _with_kinds(
    venue: Venue, symbol: str, trades: tuple[Fill, ...]
) -> tuple[VenueTrade, ...]:
    known = {
        one.trade_id: one.cause or kind_of_client_id(one.client_id)
        for one in trades
        if one.cause or kind_of_client_id(one.client_id)
    }
    silent = [one for one in trades if one.trade_id not in known]
    if silent and isinstance(venue, OriginReader):
        try:
            told = await venue.origins(symbol, silent)
        except (UnreachableError, VenueError, DataError):
            told = {}
        known |= {
            one.trade_id: told[one.venue_order_id] for one in silent if one.venue_order_id in told
        }
    return tuple(
        VenueTrade(one, CloseKind(known.get(one.trade_id) or CloseKind.OTHERS)) for one in trades
    )
