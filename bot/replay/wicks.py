"""What happens within an hour: wicks that liquidate a hedge account which the close would spare."""

from bot.clock import SimulatedClock
from bot.feeds.array_tape import ArrayTape
from bot.feeds.path import KNOTS
from bot.replay.market import ReplayMarket
from bot.venues.paper import PaperVenue
from risk.returns import HOUR_MS

WICKS_MS = tuple(round(knot * HOUR_MS) for knot in KNOTS[1:-1])
"""Into an hour: where a tape's prices have the lows and highs of all its bars."""


def pass_wicks(
    market: ReplayMarket, tape: ArrayTape, venue: PaperVenue, clock: SimulatedClock, hour_ms: int
) -> None:
    """Take the venue through the lows and highs of the hour that ends at ``hour_ms``.

    Only where these, each at its worst, could bring its account near liquidation: elsewhere they
    leave no trace.
    """
    open_ms = hour_ms - HOUR_MS
    ranges = {symbol: tape.range_of(symbol, open_ms) for symbol in venue.held_symbols()}
    if venue.outlives({symbol: found for symbol, found in ranges.items() if found is not None}):
        return
    for wick_ms in (open_ms + into_ms for into_ms in WICKS_MS):
        if wick_ms > clock.now_ms():
            clock.advance_to(wick_ms)
            market.move()
