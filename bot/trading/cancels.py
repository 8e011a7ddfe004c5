"""Cancels of our own orders, on a track of their own beside the life of the order.

A cancel is durable as ``cancel_sending`` before it leaves, and ends as one of three events:
``cancel_confirmed``, ``cancel_too_late`` (the order had ended otherwise), or ``cancel_unknown``.
The last one says nothing of the order, which stays unresolved until the venue tells its end. To
cancel again is harmless: an order ends once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from functools import partial

from bot.controls.venue_ports import Canceller
from bot.errors import JournalError, SafetyError, UnreachableError, VenueError
from bot.journal.journal import Journal
from bot.journal.rows import OrderRow
from bot.ports import Clock, Venue
from bot.trading.orders import Acknowledged, OrderState
from bot.trading.reconcile import book_fills
from risk.errors import DataError

AT_A_TIME = 16
"""Cancels under way: 200, each of two requests over 100 ms, so take 2.5 s instead of 40."""

_RESTING = (OrderState.LIVE, OrderState.PARTIAL)


class CancelOutcome(StrEnum):
    """What is known of an order after a cancel."""

    CONFIRMED = "confirmed"  # cancelled, with what it had filled by then
    TOO_LATE = "too_late"  # it had ended otherwise before
    UNKNOWN = "unknown"  # it may be open, filled or cancelled


class Cancels:
    """Cancels orders of one account by their own ids."""

    def __init__(self, venue: Venue, journal: Journal) -> None:
        self._venue = venue
        self._journal = journal

    async def cancel(self, symbol: str, client_id: str, why: str) -> CancelOutcome:
        """Cancels one order and finds out what became of it.

        Raises:
            SafetyError: the journal knows no such order of ours; nothing is sent.
            JournalError: the journal failed; the cancel was sent.
        """
        outcome, broken = await self.attempt(symbol, client_id, why)
        if broken is not None:
            raise broken
        return outcome

    async def attempt(
        self, symbol: str, client_id: str, why: str
    ) -> tuple[CancelOutcome, JournalError | None]:
        """The same, and what failed in the journal: it keeps no cancel back.

        Raises:
            SafetyError: the journal knows no such order of ours; nothing is sent.
        """
        if not isinstance(self._venue, Canceller):
            return CancelOutcome.UNKNOWN, None
        broken = self._note_sending(symbol, client_id, why)
        try:
            found = await self._sent(self._venue, symbol, client_id)
        except (asyncio.CancelledError, Exception):
            # Cut short or broken in the middle of it: it may have arrived.
            self._note(CancelOutcome.UNKNOWN, symbol, client_id)
            raise
        outcome, failed = self._note_end(symbol, client_id, found)
        return outcome, failed or broken

    async def cancel_all(self, rows: Sequence[OrderRow], why: str) -> None:
        """Cancels some at a time; the disk is waited for before the first and after the last.

        A crash in between leaves cancels of which nothing is known, and orders that are looked for.

        Raises:
            JournalError: the journal failed; the cancels were sent.
        """
        venue = self._venue
        if not rows or not isinstance(venue, Canceller):
            return
        broken = self._together(
            "record cancels before sending",
            [partial(self._note_sending, row.symbol, row.client_id, why) for row in rows],
        )
        ended: dict[str, Callable[[], JournalError | None]] = {}

        async def end(row: OrderRow) -> None:
            symbol, client_id = row.symbol, row.client_id
            ended[client_id] = partial(self._note, CancelOutcome.UNKNOWN, symbol, client_id)
            found = await self._sent(venue, symbol, client_id)
            ended[client_id] = partial(self._broken_end, symbol, client_id, found)

        try:
            await _some_at_a_time(rows, end)
        finally:
            broken = self._together("record how cancels ended", list(ended.values())) or broken
        if broken is not None:
            raise broken

    def _together(
        self, doing: str, notes: Sequence[Callable[[], JournalError | None]]
    ) -> JournalError | None:
        """Writes with one wait for the disk; why something could not be written."""
        try:
            with self._journal.together(doing):
                failed = [error for note in notes if (error := note()) is not None]
        except JournalError as error:
            return error
        return failed[0] if failed else None

    async def _sent(self, venue: Canceller, symbol: str, client_id: str) -> Acknowledged | None:
        """Sends it; how the order ended, None where that is not known."""
        over = await venue.cancel(symbol, client_id)
        return await self._end_of(symbol, client_id) if over else None

    def _note_end(
        self, symbol: str, client_id: str, found: Acknowledged | None
    ) -> tuple[CancelOutcome, JournalError | None]:
        outcome, broken = CancelOutcome.UNKNOWN, None
        if found is not None:
            cancelled = found.state is OrderState.CANCELED
            outcome = CancelOutcome.CONFIRMED if cancelled else CancelOutcome.TOO_LATE
            broken = self._learn(found)
        return outcome, self._note(outcome, symbol, client_id) or broken

    def _broken_end(
        self, symbol: str, client_id: str, found: Acknowledged | None
    ) -> JournalError | None:
        return self._note_end(symbol, client_id, found)[1]

    def _note_sending(self, symbol: str, client_id: str, why: str) -> JournalError | None:
        """Makes the cancel durable; why that failed, if it did."""
        try:
            row = self._journal.order(client_id)
            if row is None or row.account != self._venue.account_name:
                raise SafetyError(f"{symbol}: {client_id} is no order of ours; not cancelled")
            document = {"symbol": symbol, "reason": why, "state": row.state.value}
            self._journal.record_event("cancel_sending", document, client_id=client_id)
        except JournalError as error:
            return error
        return None

    def _note(self, outcome: CancelOutcome, symbol: str, client_id: str) -> JournalError | None:
        document = {"symbol": symbol}
        try:
            self._journal.record_event(f"cancel_{outcome}", document, client_id=client_id)
        except JournalError as error:
            return error  # cancel_sending without an end says that it is unknown
        return None

    async def _end_of(self, symbol: str, client_id: str) -> Acknowledged | None:
        """How an order ended that is said to be over; None where that is not to be had."""
        try:
            found = await self._venue.find(symbol, client_id)
        except (UnreachableError, VenueError, DataError):
            return None
        return found if isinstance(found, Acknowledged) and found.state.final else None

    def _learn(self, found: Acknowledged) -> JournalError | None:
        """Takes the end of an order into the journal; why that failed, if it did."""
        try:
            row = self._journal.order(found.client_id)
            # Of an order that is being sent just now its sender hears.
            if row is not None and row.state is not OrderState.SENDING:
                self._journal.record_answer(found)
        except JournalError as error:
            return error
        return None


async def _some_at_a_time(
    rows: Sequence[OrderRow], one: Callable[[OrderRow], Awaitable[None]]
) -> None:
    """Each in its turn, ``AT_A_TIME`` of them under way; the first failure is told at the end."""
    waiting = iter(rows)
    failures: list[Exception] = []

    async def in_turn() -> None:
        for row in waiting:
            try:
                await one(row)
            except Exception as error:  # noqa: BLE001 - no order keeps the others open
                failures.append(error)

    lanes = [asyncio.create_task(in_turn()) for _ in range(min(AT_A_TIME, len(rows)))]
    try:
        await asyncio.gather(*lanes)
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
    if failures:
        raise failures[0]


async def cancel_resting(
    journal: Journal, venue: Venue, clock: Clock, why: str
) -> tuple[OrderRow, ...]:
    """Cancels every order of ours that rests at the venue, and books what it filled.

    Between cycles nothing is to rest: what does was left by a crash, or by a cancel of which
    nobody heard. Those that are still open afterwards are returned.

    Raises:
        JournalError: the journal cannot be read or written.
    """
    resting = [
        row for row in journal.unresolved_orders(venue.account_name) if row.state in _RESTING
    ]
    if resting and isinstance(venue, Canceller):
        await Cancels(venue, journal).cancel_all(resting, why)
    for row in resting:
        known = journal.order(row.client_id)
        if known is not None and not known.unresolved:
            continue  # it has ended, and all that it filled is booked
        try:
            await book_fills(journal, venue, row.symbol, clock)
        except (UnreachableError, VenueError, DataError):
            continue  # what it filled stays unresolved, and is looked for again
    left = journal.unresolved_orders(venue.account_name)
    return tuple(row for row in left if row.state in _RESTING)
