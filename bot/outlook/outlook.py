"""What goes on around the book: signals of the market, series and dates from outside it."""

from collections.abc import Sequence

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
from risk.signals.episodes import Signal


class Outlook:
    """Looks up from the book, once a cycle."""

    def __init__(
        self,
        board: SignalBoard | None = None,
        macro: Sequence[MacroWatch] = (),
        calendar: CalendarWatch | None = None,
    ) -> None:
        """By default nothing from outside the market."""
        self.board = board or SignalBoard()
        self._macro = tuple(macro)
        self._calendar = calendar or CalendarWatch(Calendar())

    async def outside(self, universe: Universe, now_ms: int) -> Outside:
        """Series and dates at ``now_ms``; the listing is compared with the one before."""
        self.board.take_listing(universe.sector, now_ms)
        return joined([self._calendar.look(now_ms), await look_at_all(self._macro, now_ms)])

    def signals(self, view: MarketView, universe: Universe, book: Book) -> tuple[Signal, ...]:
        """Signals of the market for the holder of this book."""
        self.board.advance(view, universe, book.symbols())
        return self.board.signals(book)


def outlook_of(settings: Settings, clock: Clock) -> Outlook:
    """As the owner has set it."""
    shown_ms = round(settings.universe.listing_news.total_seconds() * 1000)
    return Outlook(
        SignalBoard(listing_shown_ms=shown_ms),
        macro_watches(settings.macro, clock),
        CalendarWatch(settings.calendar),
    )
