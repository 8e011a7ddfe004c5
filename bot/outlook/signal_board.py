"""Keeps up what every signal rule has seen, bar by bar, and says what is signalled now.

States start by replaying the bars that are there, then take one bar after another; both ways give
the same. All rules but those of pairs remember a fixed number of values, so that a restart finds
them as they were. Pairs remember since the first bar: a restart may differ only in a pair that
has hovered between its two thresholds since before the bars begin, and knows of none of them when
it began if that was before.
"""

from collections.abc import Callable, Collection, Iterable

import numpy as np

from bot.measuring.estimation import DAY_MS, MarketView
from bot.measuring.universe import Universe
from bot.outlook.listings import ListingNews
from bot.outlook.signal_states import Scope, SignalStates
from bot.outlook.signal_values import Bars
from bot.outlook.silence import NEEDS
from risk.book import Book
from risk.errors import PerphedgeError
from risk.signals.episodes import Signal

LISTINGS = "listings"
LARGE = 30
"""Of more symbols than this only those held, and the benchmarks, are watched pair by pair."""


class SignalBoard:
    """All signals of the market itself; a rule that fails is told and stops nothing else."""

    def __init__(self, *, listing_shown_ms: int = 7 * DAY_MS) -> None:
        """Nothing seen yet; listings are shown for ``listing_shown_ms``."""
        self.listing = ListingNews(listing_shown_ms)
        self._problems: dict[str, str] = {}
        self._silences: dict[str, str] = {}
        self._states = SignalStates(Scope(0, (), (), (), None))
        self._until_ms: int | None = None
        self._behind = False

    @property
    def problems(self) -> dict[str, str]:
        """Why a rule cannot be followed at the moment, by its name."""
        return dict(self._problems)

    @property
    def unknown(self) -> dict[str, str]:
        """Which rules have no word, or not of every token, and why: failures and short history."""
        failed = {rule: f"failed: {reason}" for rule, reason in self._problems.items()}
        listings = {LISTINGS: self.listing.silence} if self.listing.silence else {}
        return {**self._silences, **listings, **failed}

    def take_listing(self, sector: Collection[str], now_ms: int, unlisted: Collection[str]) -> None:
        """What the venue lists of the sector now, and what not."""
        self._try(LISTINGS, lambda: self.listing.take(sector, unlisted, now_ms))

    def advance(self, view: MarketView, universe: Universe, held: Collection[str]) -> None:
        """Take in the bars that closed since; all of them when the scope is another one."""
        if not len(view.panel.open_ms) or not view.estimate.symbols:
            self._silences = dict.fromkeys(NEEDS, "no token has bars that can be measured")
            return
        last_ms = int(view.panel.open_ms[-1])
        scope = _scope(view, universe, held)
        same = scope == self._states.scope
        if same and self._until_ms is not None and last_ms <= self._until_ms:
            return
        if not same or self._behind:
            self._states, self._until_ms = SignalStates(scope), None
        bars = _bars(view, scope)
        first = 0
        if self._until_ms is not None:
            first = int(np.searchsorted(bars.panel.open_ms, self._until_ms, side="right"))
        rows = range(first, len(bars.panel.open_ms))
        for rule, take in self._states.takes(view, bars, rows).items():
            self._try(rule, take)
        self._until_ms = last_ms
        self._silences = self._states.silences(bars)
        # A rule that missed bars is made whole by a replay with the next one.
        self._behind = bool(self._problems.keys() - {LISTINGS})

    def signals(self, book: Book) -> tuple[Signal, ...]:
        """What all rules say to the holder of this book, by rule, strongest first within each.

        Args:
            book: everything held in it must have been in what ``advance`` took.
        """
        found: list[Signal] = []
        if self._states.scope.symbols:
            for rule, tell in self._states.tells(book).items():
                found += self._told(rule, tell)
        return (*found, *self.listing.signals(book.symbols()))

    def _try(self, rule: str, work: Callable[[], None]) -> None:
        try:
            work()
        except PerphedgeError as error:
            self._problems[rule] = str(error)
        else:
            self._problems.pop(rule, None)

    def _told(self, rule: str, work: Callable[[], Iterable[Signal]]) -> list[Signal]:
        if rule in self._problems:
            return []  # its states are behind, and old news would be taken for new
        found: list[Signal] = []
        self._try(rule, lambda: found.extend(work()))
        return found


def _scope(view: MarketView, universe: Universe, held: Collection[str]) -> Scope:
    symbols = view.estimate.symbols
    paired = symbols
    if len(symbols) > LARGE:
        chosen = {*held, *universe.benchmarks}
        paired = tuple(s for s in symbols if s in chosen)
    benchmark = universe.benchmarks[0] if universe.benchmarks else None
    return Scope(
        revision=view.revision,
        symbols=symbols,
        paired=paired,
        sector=tuple(s for s in symbols if universe.in_sector(s)),
        benchmark=benchmark if benchmark in symbols else None,
    )


def _bars(view: MarketView, scope: Scope) -> Bars:
    panel = view.panel.subset(scope.symbols)
    column = {symbol: i for i, symbol in enumerate(scope.symbols)}
    return Bars(
        panel=panel,
        returns=view.returns_of(scope.symbols),
        sector=scope.sector,
        sector_columns=tuple(column[s] for s in scope.sector),
        benchmark=None if scope.benchmark is None else column[scope.benchmark],
    )
