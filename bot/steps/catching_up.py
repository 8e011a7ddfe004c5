"""Finds out what became of earlier orders, and lets none of them rest beyond its plan."""

from collections.abc import Collection

from bot.controls.guard import Guard
from bot.measuring.estimation import DAY_MS
from bot.steps.parts import EngineParts
from bot.trading.cancels import cancel_resting
from bot.trading.reconcile import Recovery, Resolution, recover, resolve_unresolved

_CONTROL = "unresolved"
_IN_DOUBT = "nobody knows for five minutes what became of an order of ours; nothing is sent there"


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
    if parts.refit is not None:
        parts.refit.update()
    before = journal.unresolved_orders(venue.account_name)
    if not before:
        _clear_doubt(parts.executor.guard, ())
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
    _tell_of_doubt(parts, resolution)
    open_ids = {row.client_id for row in journal.unresolved_orders(venue.account_name)}
    parts.executor.costs.record(row.client_id for row in before if row.client_id not in open_ids)


def _tell_of_doubt(parts: EngineParts, resolution: Resolution) -> None:
    """Halts the symbol of a quarantined order, and alerts while one stays without an answer."""
    guard = parts.executor.guard
    for row in resolution.quarantined:
        text = (
            f"{row.symbol}: order {row.client_id} is quarantined: {row.reason}; look at the "
            "exchange, then tell what it did by perphedge settle"
        )
        guard.halt_symbol(_CONTROL, row.symbol, text)
    doubtful = {
        row.symbol for row in resolution.unresolved if row.client_id in resolution.undecided
    }
    for symbol in sorted(doubtful):
        guard.alert(_CONTROL, symbol, f"{symbol}: {_IN_DOUBT}", clears=True)
    _clear_doubt(guard, doubtful)


def _clear_doubt(guard: Guard, doubtful: Collection[str]) -> None:
    for alert in guard.alerts:
        if alert.control == _CONTROL and alert.clears and alert.symbol not in doubtful:
            guard.clear(alert.key)
