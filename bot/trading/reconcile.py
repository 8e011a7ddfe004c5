"""Brings the journal and the venue together: unknown orders, missing fills, changed positions.

The same code runs after every cycle and at start-up. It never sends an order and never invents a
fill. That the venue does not find an order proves nothing by itself; only several complete looks,
far enough apart and long enough after the send, do.

One look asks in this order, and stops at what decides: the order by its id (with the venue's own
history of orders, where a lookup by id does not reach there), executions of the symbol, open
orders, and whether the position moved as the order would have moved it. Several looks that find
no order settle it by its executions if there are any, as absent if there is no trace of it, and
never while it is among the open orders or the position speaks for it: then it is quarantined.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any, Protocol, cast, runtime_checkable

from bot.errors import UnreachableError, VenueError
from bot.journal.journal import Journal
from bot.journal.rows import OrderRow
from bot.ports import Clock, Venue, VenueAccount
from bot.trading.attribution import Attribution, HedgeClosedExternally, attribute
from bot.trading.ledger import FundingReceipt
from bot.trading.listing import listed_orders, unproven_symbols
from bot.trading.orders import Acknowledged, Fill, OrderState
from risk.errors import DataError

__all__ = [
    "Attribution",
    "HedgeClosedExternally",
    "Recovery",
    "Resolution",
    "attribute",
    "book_fills",
    "book_funding",
    "recover",
    "resolve_unresolved",
    "resolve_until_settled",
]

NEGATIVE_ROUNDS = 3
ROUND_GAP_MS = 10_000
SETTLE_MS = 60_000  # a just-sent order can stay invisible for half a minute
QUARANTINE_MS = 300_000
FILL_OVERLAP_MS = 60_000  # the venue's clock is not ours
FUNDING_KEEP_MS = 60_000  # how far the watermark may fall behind while nothing is paid
FUNDING_OVERLAP_MS = 7_200_000  # a payment may be listed long after the time that it bears
_RECENT_MS = 86_400_000

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What one pass over the unresolved orders found.

    Attributes:
        settled: orders that are resolved now.
        unresolved: orders that are still not.
        booked: fills that were new.
        problems: why a look was not complete, one line each.
        undecided: client ids of those that nobody has known anything of for five minutes.
    """

    settled: tuple[OrderRow, ...]
    unresolved: tuple[OrderRow, ...]
    booked: tuple[Fill, ...]
    problems: tuple[str, ...]
    undecided: tuple[str, ...] = ()

    @property
    def quarantined(self) -> tuple[OrderRow, ...]:
        """Orders whose fate only people can find out."""
        return tuple(row for row in self.unresolved if row.state is OrderState.QUARANTINED)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What start-up found.

    Attributes:
        interrupted: orders that the last run was sending when it ended.
        resolution: what became of everything unresolved.
        attribution: our hedges and the rest of the account.
    """

    interrupted: tuple[OrderRow, ...]
    resolution: Resolution
    attribution: Attribution

    @property
    def ready(self) -> bool:
        """Everything is known and equal on both sides."""
        resolution = self.resolution
        return not (
            resolution.unresolved or resolution.problems or self.attribution.closed_externally
        )


async def book_fills(
    journal: Journal, venue: Venue, symbol: str, clock: Clock, *, waits: bool = True
) -> tuple[Fill, ...]:
    """Reads executions since the watermark, with overlap, and books ours; those that were new.

    Args:
        waits: for the disk; else the next commit outside does, before whatever is sent next.

    Raises:
        UnreachableError, VenueError, DataError: they cannot be read, or contradict the journal.
    """
    account = venue.account_name
    since_ms = journal.fills_wanted_since(account, symbol)
    if since_ms is None:
        return ()
    read_ms = clock.now_ms()
    fills = await venue.fills(symbol, max(0, since_ms - FILL_OVERLAP_MS))
    with nullcontext() if waits else journal.durable_with_next():
        return journal.record_fills(account, symbol, fills, read_ms=read_ms)


@runtime_checkable
class FundingReader(Protocol):
    """A venue that tells what funding was paid."""

    async def funding_receipts(self, since_ms: int) -> Sequence[FundingReceipt]:
        """Payments on all positions of the account since then, oldest first."""
        ...


async def book_funding(journal: Journal, venue: Venue, clock: Clock) -> int:
    """Books funding paid in the symbols that we trade, each payment once; how many were new.

    Nothing where the venue does not tell, or while we have never traded.

    Raises:
        UnreachableError, VenueError, DataError: it cannot be read.
    """
    account = venue.account_name
    since_ms = journal.funding_wanted_since(account)
    reader = _funding_reader(venue)
    if since_ms is None or reader is None:
        return 0
    read_ms = clock.now_ms()
    receipts = await reader.funding_receipts(max(0, since_ms - FUNDING_OVERLAP_MS))
    ours = set(journal.symbols_traded(account)) if receipts else ()
    mine = [receipt for receipt in receipts if receipt.symbol in ours]
    if not mine and read_ms - since_ms < FUNDING_KEEP_MS:
        return 0  # not worth a write: the next read begins a little earlier
    return journal.record_funding(account, mine, read_ms=read_ms)


def _funding_reader(venue: Venue) -> FundingReader | None:
    return cast("FundingReader", venue) if _tells_funding(type(venue)) else None


@cache
def _tells_funding(kind: type[Venue]) -> bool:
    """Asked in every cycle, and Python takes long to find out."""
    return issubclass(kind, FundingReader)


async def resolve_unresolved(journal: Journal, venue: Venue, clock: Clock) -> Resolution:
    """One look at the venue for every order that is not resolved.

    Raises:
        JournalError: the journal cannot be read or written.
    """
    before = journal.unresolved_orders(venue.account_name)
    booked: list[Fill] = []
    problems: list[str] = []
    listed = await listed_orders(venue, before)
    for row in before:
        try:
            booked += await _look(journal, venue, clock, row, listed.get(row.client_id))
        except (UnreachableError, VenueError, DataError) as error:
            problems.append(f"order {row.client_id}: {error}")
    after = journal.unresolved_orders(venue.account_name)
    open_ids = {row.client_id for row in after}
    settled = (journal.order(row.client_id) for row in before if row.client_id not in open_ids)
    return Resolution(
        settled=tuple(row for row in settled if row is not None),
        unresolved=after,
        booked=tuple(booked),
        problems=tuple(problems),
        undecided=_undecided(after, clock.now_ms()),
    )


def _undecided(rows: Iterable[OrderRow], now_ms: int) -> tuple[str, ...]:
    return tuple(
        row.client_id
        for row in rows
        if row.state is OrderState.UNKNOWN and now_ms - row.sent_ms >= QUARANTINE_MS
    )


async def _look(
    journal: Journal, venue: Venue, clock: Clock, row: OrderRow, listed: Acknowledged | None
) -> tuple[Fill, ...]:
    if row.state is OrderState.SENDING:
        return ()  # it is on its way just now
    if row.state.final:
        return await book_fills(journal, venue, row.symbol, clock)
    if listed is not None:
        known = journal.record_answer(listed)
        if known.filled_quantity == known.booked_quantity:
            return ()
        return await book_fills(journal, venue, row.symbol, clock)
    found = await venue.find(row.symbol, row.client_id)
    if isinstance(found, Acknowledged):
        journal.record_answer(found)
        return await book_fills(journal, venue, row.symbol, clock)
    booked = await book_fills(journal, venue, row.symbol, clock)
    account = await venue.account()
    current = journal.order(row.client_id)
    if found is None and current is not None and not current.state.final:
        _count_round(journal, clock, current, account, settle_ms=_settle_ms(venue))
    return booked


def _settle_ms(venue: Venue) -> int:
    """How long a request of ours may still be taken, with room; the venue may have been late."""
    return max(SETTLE_MS, 2 * int(getattr(venue, "receive_window_ms", 0)))


def _count_round(
    journal: Journal, clock: Clock, row: OrderRow, account: VenueAccount, *, settle_ms: int
) -> None:
    """A complete look that did not find the order: one more, or none if something speaks for it."""
    now_ms = clock.now_ms()
    if row.last_round_ms is not None and 0 <= now_ms - row.last_round_ms < ROUND_GAP_MS:
        return
    if _something_happened(journal, row, account):
        journal.record_negative_round(row.client_id, 0)
        if row.first_round_ms is not None and now_ms - row.first_round_ms >= QUARANTINE_MS:
            reason = "the venue does not find it, yet the account changed as if it had filled"
            if row.state is OrderState.UNKNOWN:
                journal.settle(row.client_id, OrderState.QUARANTINED, reason)
        return
    rounds = row.negative_rounds + 1
    journal.record_negative_round(row.client_id, rounds)
    if rounds < NEGATIVE_ROUNDS or now_ms - row.sent_ms < settle_ms:
        return
    if row.booked_quantity:
        _settle_by_trades(journal, row)
    elif row.state is OrderState.UNKNOWN:
        reason = f"not found in {rounds} complete looks"
        journal.settle(row.client_id, OrderState.ABSENT, reason)
    else:  # the venue had it and has forgotten it; what it filled is booked
        journal.settle(row.client_id, OrderState.EXPIRED, "no longer known to the venue")


def _settle_by_trades(journal: Journal, row: OrderRow) -> None:
    """The venue lists its executions and not the order, so those are all that became of it."""
    whole = row.booked_quantity >= row.request.quantity
    state = OrderState.FILLED if whole else OrderState.EXPIRED
    told = Acknowledged(
        row.client_id, row.venue_order_id or "", state, row.booked_quantity, row.average_price
    )
    journal.record_outcome(told)


def _something_happened(journal: Journal, row: OrderRow, account: VenueAccount) -> bool:
    """Signs that the order exists although it is not found."""
    if row.client_id in account.open_order_client_ids:
        return True
    if row.external_before is None:
        return False
    key = row.symbol, row.request.position_side
    own = journal.own_positions(row.account).get(key, _ZERO)
    external = account.base_quantity.get(key, _ZERO) - own
    return (external - row.external_before) * row.request.side.sign > 0


async def recover(journal: Journal, venue: Venue, clock: Clock) -> Recovery:
    """Start-up after a clean stop or a crash: nothing may be sent before this has returned.

    Raises:
        UnreachableError, VenueError, DataError: the venue cannot be read completely.
        JournalError: the journal cannot be read or written.
    """
    interrupted = journal.sending_to_unknown()
    resolution = await resolve_unresolved(journal, venue, clock)
    account_name = venue.account_name
    symbols = {symbol for symbol, _ in journal.own_positions(account_name)}
    symbols |= set(journal.symbols_traded(account_name, clock.now_ms() - _RECENT_MS))
    booked = list(resolution.booked)
    own, unresolved = journal.own_positions(account_name), journal.unresolved_orders(account_name)
    for symbol in unproven_symbols(symbols, own, await venue.account(), unresolved):
        booked += await book_fills(journal, venue, symbol, clock)
    await book_funding(journal, venue, clock)
    unresolved = journal.unresolved_orders(account_name)
    account = await venue.account()
    attribution = attribute(
        journal.own_positions(account_name), account.base_quantity, symbols_of(unresolved)
    )
    resolution = replace(resolution, unresolved=unresolved, booked=tuple(booked))
    document = {
        "epoch": journal.epoch,
        "interrupted": [row.client_id for row in interrupted],
        "unresolved": [row.client_id for row in unresolved],
        "booked": len(booked),
        "problems": list(resolution.problems),
        "proof": _proof(attribution, account),
    }
    journal.record_event("recovered", document)
    journal.note_positions(account_name)
    return Recovery(interrupted, resolution, attribution)


def _proof(attribution: Attribution, account: VenueAccount) -> dict[str, Any]:
    """Both sides of every position; equal where no hedge is smaller at the venue than we booked."""
    keys = sorted({*attribution.own, *account.base_quantity})
    return {
        "equal": not (attribution.closed_externally or attribution.unsure),
        "positions": [
            {
                "symbol": symbol,
                "position_side": side,
                "own": str(attribution.own.get((symbol, side), _ZERO)),
                "others": str(attribution.external.get((symbol, side), _ZERO)),
                "venue": str(account.base_quantity.get((symbol, side), _ZERO)),
            }
            for symbol, side in keys
        ],
    }


async def resolve_until_settled(
    journal: Journal, venue: Venue, clock: Clock, *, longest_wait_s: float = 90.0
) -> Resolution:
    """Looks again every ten seconds until every order is resolved or the time is up."""
    deadline_ms = clock.now_ms() + round(longest_wait_s * 1000)
    resolution = await resolve_unresolved(journal, venue, clock)
    while resolution.unresolved and clock.now_ms() < deadline_ms:
        await clock.sleep(ROUND_GAP_MS / 1000)
        resolution = await resolve_unresolved(journal, venue, clock)
    return resolution


def symbols_of(rows: Iterable[OrderRow]) -> frozenset[str]:
    """Their symbols."""
    return frozenset(row.symbol for row in rows)
