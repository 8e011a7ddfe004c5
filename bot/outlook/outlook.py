"""What goes on around the book: signals of the market, series and dates from outside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.journal.journal import Journal
from bot.measuring.estimation import MarketView
from bot.measuring.universe import Universe
from bot.outlook.events import CalendarWatch
from bot.outlook.macro import MacroWatch, look_at_all, macro_watches
from bot.outlook.signal_board import SignalBoard
from bot.outlook.tightening import Outside, joined
from bot.ports import Clock
from config.calendar import Calendar
from config.settings import Settings
from risk.book import Book
from risk.errors import DataError
from risk.signals.episodes import Signal


class Outlook:
    """Looks up from the book, once a cycle."""

    def __init__(
        self,
        board: SignalBoard | None = None,
        macro: Sequence[MacroWatch] = (),
        calendar: CalendarWatch | None = None,
        memory: "ListingMemory | None" = None,
        *,
        signals: bool = True,
    ) -> None:
        """By default nothing from outside the market, and nothing that outlasts this run.

        Without ``signals`` those of the market are not looked for, which takes a third of a cycle.
        """
        self._looks = signals
        self.board = board or SignalBoard()
        self._memory = memory
        self._remembered = "" if memory is None else memory.read()
        if self._remembered:
            try:
                self.board.listing.restore(self._remembered)
            except DataError as error:  # news of what came between are lost, and this is told
                self.board.listing.silence = str(error)
        self._macro = tuple(macro)
        self._calendar = calendar or CalendarWatch(Calendar())

    async def outside(self, universe: Universe, now_ms: int) -> Outside:
        """Series and dates at ``now_ms``; the listing is compared with the one before."""
        self.board.take_listing(universe.sector, now_ms, universe.unlisted)
        return joined([self._calendar.look(now_ms), await look_at_all(self._macro, now_ms)])

    def signals(self, view: MarketView, universe: Universe, book: Book) -> tuple[Signal, ...]:
        """Signals of the market for the holder of this book.

        The market has each token once: what is held on another exchange counts as the hedge
        venue's contract of the same token, where there is one.
        """
        if not self._looks:
            return ()
        if view.homes:
            here = [symbol for symbol in view.estimate.symbols if symbol not in view.homes]
            book = _brought_home(book, view.homes)
            view = replace(view, estimate=view.estimate_of(here))
        self.board.advance(view, universe, book.symbols())
        return self.board.signals(book)

    def remember(self) -> None:
        """Keep the last listing, once it has been told, for the next run.

        Raises:
            JournalError: it cannot be written.
        """
        text = self.board.listing.text()
        if self._memory is not None and text != self._remembered:
            self._memory.write(text)
            self._remembered = text


def _brought_home(book: Book, homes: Mapping[str, str]) -> Book:
    positions = (replace(p, symbol=homes.get(p.symbol, p.symbol)) for p in book.positions)
    return replace(book, positions=tuple(positions))


@dataclass(frozen=True, slots=True)
class ListingMemory:
    """Where the journal keeps the last listing of one exchange."""

    journal: Journal
    exchange: str

    def read(self) -> str:
        """What was written last; empty for nothing."""
        return self.journal.meta(f"listing:{self.exchange}") or ""

    def write(self, text: str) -> None:
        """In place of what was there."""
        self.journal.set_meta(f"listing:{self.exchange}", text)


def outlook_of(
    settings: Settings, clock: Clock, journal: Journal, *, signals: bool = True
) -> Outlook:
    """As the owner has set it; the journal knows what the last run has seen.

    Raises:
        JournalError: that cannot be read.
    """
    shown_ms = round(settings.universe.listing_news.total_seconds() * 1000)
    return Outlook(
        SignalBoard(listing_shown_ms=shown_ms),
        macro_watches(settings.macro, clock),
        CalendarWatch(settings.calendar),
        ListingMemory(journal, settings.venue.exchange),
        signals=signals,
    )
