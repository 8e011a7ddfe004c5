"""Finds out what became of earlier orders, and lets none of them rest beyond its plan."""

from bot.measuring.estimation import DAY_MS
from bot.steps.parts import EngineParts
from bot.trading.cancels import cancel_resting
from bot.trading.reconcile import Recovery, recover, resolve_unresolved


async def start_up(parts: EngineParts) -> Recovery:
    """Recovers what the last run left behind; nothing may be sent before this has returned.

    Raises:
        UnreachableError, VenueError, DataError: the venue cannot be read completely.
    """
    journal, venue, clock = parts.journal, parts.venue, parts.clock
    recovery = await recover(journal, venue, clock)
    await cancel_resting(journal, venue, clock, "it outlived its engine")
    parts.executor.costs.record_missing(clock.now_ms() - DAY_MS)
    return recovery


async def catch_up(parts: EngineParts) -> None:
    """One look for everything that is not resolved, and a cancel for what still rests."""
    journal, venue, clock = parts.journal, parts.venue, parts.clock
    before = journal.unresolved_orders(venue.account_name)
    if not before:
        return
    resolution = await resolve_unresolved(journal, venue, clock)
    await cancel_resting(journal, venue, clock, "it outlived its plan")
    for row in resolution.settled:
        parts.log.info(
            f"order_{row.state.value}",
            client_id=row.client_id,
            symbol=row.symbol,
            filled_quantity=str(row.filled_quantity),
            detail=f"found out later {row.reason}".strip(),
        )
    if resolution.unresolved or resolution.problems:
        parts.log.warning(
            "orders_unresolved",
            client_ids=[row.client_id for row in resolution.unresolved],
            symbols=sorted({row.symbol for row in resolution.unresolved}),
            problems=list(resolution.problems),
        )
    open_ids = {row.client_id for row in journal.unresolved_orders(venue.account_name)}
    parts.executor.costs.record(row.client_id for row in before if row.client_id not in open_ids)
