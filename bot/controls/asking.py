"""What controls ask the venue from time to time: its clock, and every change of its money."""

from bot.controls.books import IncomeRead, IncomeReader
from bot.controls.guard import Guard
from bot.controls.permissions import PermissionReader, require_harmless
from bot.controls.venue_ports import ClockTeller
from bot.errors import SafetyError, UnreachableError, VenueError
from bot.journal.journal import Journal
from bot.ports import Clock, Venue
from bot.trading.reconcile import FUNDING_OVERLAP_MS
from risk.errors import DataError

CLOCK_EVERY_MS = 60_000
INCOME_EVERY_MS = 600_000
INCOME_BACK_MS = FUNDING_OVERLAP_MS + 3_600_000
_INCOME_MOST_MS = 30 * 86_400_000
"""So far back after a stop: exchanges keep their lists for a limited time."""
INCOME_AGAIN_MS = 60_000
"""After a request that failed. No cycle decides by the list, so none waits for it."""
INCOME_LATE_MS = 3_600_000
"""Somebody is told that the books have not been checked for so long."""
INCOME_PAGES = 2
"""In one cycle: a month of a busy account takes many, and what is left is read in the next ones."""
_UNCHECKED = "books_unchecked"


class VenueQuestions:
    """Asks one venue, each question at its own pace."""

    def __init__(self, venue: Venue, guard: Guard, clock: Clock) -> None:
        # Once: what a venue offers takes Python long to find out.
        self._teller = venue if isinstance(venue, ClockTeller) else None
        self._guard = guard
        self._clock = clock
        self._clock_ms: int | None = None
        self._income = IncomeQuestion(venue, guard, clock)

    async def ask(self) -> None:
        """Whatever is due.

        Raises:
            UnreachableError, VenueError, DataError: the venue does not tell its time.
        """
        now_ms, teller = self._clock.now_ms(), self._teller
        if teller is not None and _due(self._clock_ms, now_ms, CLOCK_EVERY_MS):
            self._guard.clock_offset_ms = await teller.clock_offset_ms()
            self._clock_ms = now_ms
        await self._income.ask()


class IncomeQuestion:
    """Holds our books against the venue's list of income, some pages in a cycle."""

    def __init__(self, venue: Venue, guard: Guard, clock: Clock) -> None:
        self._reader = venue if isinstance(venue, IncomeReader) else None
        self._guard = guard
        self._clock = clock
        self._began_ms = clock.now_ms()
        self._checked_ms: int | None = None  # when the list that was checked last was begun
        self._failed_ms: int | None = None
        self._reading: tuple[IncomeRead, int, int] | None = None  # since when; when it was begun

    async def ask(self) -> None:
        """The next pages, if it is time; a list that cannot be read holds nothing."""
        now_ms = self._clock.now_ms()
        if self._reader is None or not _due(self._failed_ms, now_ms, INCOME_AGAIN_MS):
            return
        if self._reading is None:
            if not _due(self._checked_ms, now_ms, INCOME_EVERY_MS):
                return
            since_ms = self._since_ms(now_ms)
            self._reading = IncomeRead(since_ms), since_ms, now_ms
        read, since_ms, read_ms = self._reading
        try:
            await read.read_on(self._reader, INCOME_PAGES)
        except (UnreachableError, VenueError, DataError) as error:
            self._failed_ms = now_ms
            before_ms = self._checked_ms or self._guard.books_checked_ms() or self._began_ms
            self._tell(now_ms, min(now_ms, before_ms), str(error))
            return
        self._failed_ms = None
        if read.whole:
            self._check(read, since_ms, read_ms)
        else:
            # After a long stop that is no news before it has taken long.
            last_ms = self._checked_ms or self._began_ms
            self._tell(now_ms, last_ms, "the list is long and still being read")

    def _since_ms(self, now_ms: int) -> int:
        before_ms = min(self._guard.books_checked_ms() or now_ms, now_ms)
        return max(0, before_ms - INCOME_BACK_MS, now_ms - _INCOME_MOST_MS)

    def _check(self, read: IncomeRead, since_ms: int, read_ms: int) -> None:
        funding_ms = max(since_ms, (self._checked_ms or read_ms) - INCOME_BACK_MS)
        self._guard.check_books(read.rows, since_ms, read_ms, funding_from_ms=funding_ms)
        self._checked_ms, self._reading = read_ms, None
        self._guard.clear(f"{_UNCHECKED}:")

    def _tell(self, now_ms: int, last_ms: int, why: str) -> None:
        minutes = (now_ms - last_ms) // 60_000
        if now_ms - last_ms >= INCOME_LATE_MS:
            text = f"income not held against our books for {minutes} min: {why}"
            self._guard.alert(_UNCHECKED, "", text, clears=True)


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
