"""Many orders looked at by one request, and positions that prove that nothing is missing.

After a stop of an engine with hundreds of resting orders, a request or two for each would use up
what an exchange allows in a minute. So what its list of open orders shows is not asked for singly,
and executions are read only where the account does not already prove that all are booked.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, runtime_checkable

from bot.errors import UnreachableError, VenueError
from bot.journal.rows import UNSETTLED, OrderRow
from bot.ports import Venue, VenueAccount
from bot.trading.ledger import PositionKey
from bot.trading.orders import Acknowledged, OrderState
from risk.errors import DataError

WORTH_A_LIST = 3
"""So many orders at least: a list of all open orders costs as much as some single questions."""

_ZERO = Decimal(0)
_UNSURE = frozenset({OrderState.SENDING, OrderState.UNKNOWN, OrderState.QUARANTINED})


@runtime_checkable
class OpenOrderLister(Protocol):
    """A venue that shows all open orders of the account at once."""

    async def open_orders(self) -> Mapping[str, Acknowledged]:
        """Those that can be read, by client id; that one is not among them proves nothing."""
        ...


async def listed_orders(venue: Venue, rows: Sequence[OrderRow]) -> Mapping[str, Acknowledged]:
    """What the venue's list shows of these orders; nothing where they are few or it has no list."""
    asked = {row.client_id for row in rows if row.state in UNSETTLED - {OrderState.SENDING}}
    if len(asked) < WORTH_A_LIST or not isinstance(venue, OpenOrderLister):
        return {}
    try:
        shown = await venue.open_orders()
    except (UnreachableError, VenueError, DataError):
        return {}  # each is asked for singly then, and says itself what is wrong
    return {client_id: one for client_id, one in shown.items() if client_id in asked}


def unproven_symbols(
    symbols: Iterable[str],
    own: Mapping[PositionKey, Decimal],
    account: VenueAccount,
    unresolved: Iterable[OrderRow],
) -> list[str]:
    """Symbols whose executions must be read, sorted: of the others all are booked.

    That is so where the account holds just what we have booked, and no order of ours is without a
    known state or has filled more than was booked. What is final stays as it is.
    """
    held = account.base_quantity
    differing = {key[0] for key in {*own, *held} if own.get(key, _ZERO) != held.get(key, _ZERO)}
    unsure = {
        row.symbol
        for row in unresolved
        if row.state in _UNSURE or row.filled_quantity != row.booked_quantity
    }
    return sorted({*symbols} & (differing | unsure))
