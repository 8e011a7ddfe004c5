"""What controls ask the venue from time to time: its clock, and every change of its money."""

from bot.controls.books import IncomeReader
from bot.controls.guard import Guard
from bot.controls.permissions import PermissionReader, require_harmless
from bot.controls.venue_ports import ClockTeller
from bot.errors import SafetyError
from bot.journal.journal import Journal
from bot.ports import Clock, Venue
from bot.trading.reconcile import FUNDING_OVERLAP_MS

CLOCK_EVERY_MS = 60_000
INCOME_EVERY_MS = 600_000
INCOME_BACK_MS = FUNDING_OVERLAP_MS + 3_600_000
_INCOME_MOST_MS = 30 * 86_400_000
"""So far back after a stop: exchanges keep their lists for a limited time."""


class VenueQuestions:
    """Asks one venue, each question at its own pace."""

    def __init__(self, venue: Venue, guard: Guard, clock: Clock) -> None:
        # Once: what a venue offers takes Python long to find out.
        self._teller = venue if isinstance(venue, ClockTeller) else None
        self._reader = venue if isinstance(venue, IncomeReader) else None
        self._guard = guard
        self._clock = clock
        self._clock_ms: int | None = None
        self._income_ms: int | None = None

    async def ask(self) -> None:
        """Whatever is due.

        Raises:
            UnreachableError, VenueError, DataError: the venue does not answer.
        """
        now_ms, teller, reader = self._clock.now_ms(), self._teller, self._reader
        if teller is not None and _due(self._clock_ms, now_ms, CLOCK_EVERY_MS):
            self._guard.clock_offset_ms = await teller.clock_offset_ms()
            self._clock_ms = now_ms
        if reader is not None and _due(self._income_ms, now_ms, INCOME_EVERY_MS):
            before_ms = min(self._guard.books_checked_ms() or now_ms, now_ms)
            since_ms = max(0, before_ms - INCOME_BACK_MS, now_ms - _INCOME_MOST_MS)
            rows = await reader.income(since_ms)
            funding_ms = max(since_ms, (self._income_ms or now_ms) - INCOME_BACK_MS)
            self._guard.check_books(rows, since_ms, now_ms, funding_from_ms=funding_ms)
            self._income_ms = now_ms


async def require_harmless_key(venue: Venue, journal: Journal) -> str:
    """Refuses a key that can do more than trade; what was not told, in one line.

    Raises:
        SafetyError: it can.
        UnreachableError, VenueError, DataError: the venue does not answer.
    """
    if not isinstance(venue, PermissionReader):
        return ""
    found = await venue.key_permissions()
    try:
        untold = require_harmless(venue.account_name, found)
    except SafetyError as error:
        document = {"control": "key_permissions", "number": 35, "reason": str(error)}
        journal.record_event("refused", document)
        raise
    if untold:
        journal.record_event("key_permissions_untold", {"reason": untold})
    return untold


def _due(last_ms: int | None, now_ms: int, every_ms: int) -> bool:
    return last_ms is None or not 0 <= now_ms - last_ms < every_ms
