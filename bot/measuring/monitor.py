"""Reads everything that is held into one Book, or says why it cannot.

Nothing is guessed: what is stale, missing or contradictory raises, and the cycle is held.
"""

import contextlib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.elsewhere import is_elsewhere, parted
from bot.feeds.other_venues import OtherVenues, renamed
from bot.journal.journal import Journal
from bot.measuring.agreement import Agreement, AgreementRule
from bot.measuring.belief import Quantities
from bot.measuring.doubts import Doubts
from bot.measuring.hedge_account import ClosedHedge, HedgeAccount
from bot.measuring.source_reads import SourceReads
from bot.ports import (
    Clock,
    MarketData,
    PositionSource,
    Quote,
    ReportedPosition,
    SourceAccount,
    SourceSnapshot,
    Venue,
    VenueAccount,
)
from bot.sources.health import SourcesHealth
from bot.sources.translating import LeftOut, Listings, Translated, Translation, Translator
from bot.trading.attribution import attribute
from risk.book import Book, Owner, Position
from risk.errors import DataError, MissingDataError, StaleDataError
from risk.instrument import Instrument
from risk.quick_init import quick_init

Held = Quantities

IMPLAUSIBLE = 0.5
"""A mark price so far from both the index and the last price is an error of somebody's."""
_EARLIEST_MS = -60_000
"""What is said to be true so far in the future is an error of somebody's."""
INSTRUMENTS_MAX_AGE_MS = 3_300_000  # orders on filters older than an hour are denied


@dataclass(frozen=True, slots=True)
class Ages:
    """How old each kind of data may be, milliseconds."""

    mark_ms: int
    balance_ms: int


@quick_init
@dataclass(frozen=True, slots=True)
class Observation:
    """Everything read for one cycle.

    Attributes:
        book: positions of bot and hedges, priced at the marks.
        quotes: prices by symbol, for every symbol held and every candidate that has one.
        instruments: what the venue lists, and what is held elsewhere by its name here.
        account: the hedge account as the venue sees it.
        own: our hedges by (symbol, position side), base units, by the journal.
        bot_listed: symbols that a bot may trade in the hedge account itself.
        external: what the hedge account holds beside our hedges, signed base units.
        closed_externally: parts of our hedges that others closed, booked by this look.
        shared_account: the bot trades in the hedge account too.
        bot_accounts: the money of bots whose source tells it, by source.
        translation: how the sources' symbols were mapped, and what was left out.
    """

    book: Book
    quotes: Mapping[str, Quote]
    instruments: Mapping[str, Instrument]
    account: VenueAccount
    own: Held
    bot_listed: frozenset[str]
    external: Held = field(default_factory=dict)
    closed_externally: tuple[ClosedHedge, ...] = ()
    shared_account: bool = False
    bot_accounts: Mapping[str, SourceAccount] = field(default_factory=dict)
    translation: Translation = field(default_factory=Translation)

    @property
    def of_bots(self) -> frozenset[str]:
        """Symbols of the hedge venue in tokens that are a bot's own business."""
        return frozenset(_here(self.book.symbols(Owner.BOT))) | self.translation.kin

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Positions of bots that are in no figure, since the venue has no contract for them."""
        return self.translation.left_out


class Monitor:
    """The engine's eyes; keeps only the instruments, and which positions were believed last.

    Attributes:
        health: of every source.
    """

    def __init__(
        self,
        *,
        venue: Venue,
        sources: Sequence[PositionSource],
        market: MarketData,
        journal: Journal,
        clock: Clock,
        ages: Ages,
        shared_account: bool,
        agreement: AgreementRule | None = None,
        exclusive: bool = False,
        legs_apart: bool = False,
        health: SourcesHealth | None = None,
        translator: Translator | None = None,
        other_venues: OtherVenues | None = None,
    ) -> None:
        """Looks through these doors.

        Args:
            shared_account: the bot trades in the hedge account too.
            agreement: when changes of other people's positions are believed; None: at once.
            exclusive: nothing is done while somebody else holds something in the hedge account.
            legs_apart: long and short are held apart, so a bot's orders do not meet ours.
            health: kept of every source; None: told to the journal alone.
            translator: of the sources' symbols; None: without a table of aliases.
            other_venues: whose own data positions there are measured by; None: nobody's.
        """
        self._venue = venue
        self._doubts = Doubts()
        self._hedges = HedgeAccount(
            venue,
            journal,
            clock,
            rule=agreement,
            exclusive=exclusive,
            marks=self._marks,
            doubts=self._doubts,
        )
        agreements = {
            source.name: Agreement(
                f"source {source.name}",
                agreement,
                journal,
                clock,
                marks=self._marks,
                doubts=self._doubts,
            )
            for source in sources
            if agreement is not None
        }
        self.health = health or SourcesHealth(sources, journal, clock)
        self._reads = SourceReads(sources, agreements, self.health, clock, self._check_age)
        self._legs_apart = legs_apart
        self._translator = translator or Translator()
        self._other_venues = other_venues
        self._sources = sources
        self._market = market
        self._journal = journal
        self._clock = clock
        self._ages = ages
        self._shared_account = shared_account
        self._instruments: Mapping[str, Instrument] = {}
        self._instruments_read_ms: int | None = None

    def when_closed(self, answer: Callable[[Sequence[ClosedHedge]], None]) -> None:
        """``answer`` is told of hedges that others closed, before they are booked as closed."""
        self._hedges.on_closed = answer

    @property
    def sources(self) -> Sequence[PositionSource]:
        """Where bots are read."""
        return self._sources

    @property
    def instruments_ms(self) -> int | None:
        """When the instruments were read, UTC milliseconds."""
        return self._instruments_read_ms

    async def instruments(self) -> Mapping[str, Instrument]:
        """What the venue lists, read again well before it is an hour old."""
        now_ms = self._clock.now_ms()
        read_ms = self._instruments_read_ms
        if read_ms is None or now_ms - read_ms > INSTRUMENTS_MAX_AGE_MS:
            self._instruments = await self._market.instruments()
            self._instruments_read_ms = now_ms
        return self._instruments

    async def observe(self, candidates: Iterable[str]) -> Observation:
        """One consistent look at the world.

        Args:
            candidates: symbols that may be used for hedging; those without a price are left out.

        Raises:
            DataError: something needed is stale, missing or contradictory.
            UnreachableError, VenueError: a source or the venue does not answer.
        """
        self._doubts.begin()
        told = await self._reads.all()
        instruments, translated = await self._translated(told)
        snapshots = translated.snapshots
        wanted = {symbol for symbol, _ in self._journal.own_positions(self._venue.account_name)}
        wanted |= {*candidates, *(p.symbol for s in snapshots for p in s.positions)}
        wanted |= {*translated.translation.homes.values()}
        # Prices come late, so that they are not old by the time they are used.
        far = translated.instruments
        quotes = dict(await self._quotes(wanted, _joined(instruments, far)))
        read_ms = self._clock.now_ms()
        found = await self._hedges.look()
        account, split = found.account, found.split
        self._check_age("hedge account", account.state.timestamp_ms, self._ages.balance_ms)
        if self._clock.now_ms() - read_ms > self._ages.mark_ms // 2:  # it was read more than once
            quotes = dict(await self._quotes(wanted, _joined(instruments, far)))
        held = {symbol for symbol, _ in (*split.own, *split.external)}
        instruments = await self._listed(held)
        quotes |= await self._quotes(held - quotes.keys(), instruments)
        held |= {p.symbol for s in snapshots for p in s.positions}
        quotes = self._usable(quotes, held)
        self._reads.require_fresh(snapshots)  # the machine may have slept since they were read
        translation = translated.translation.with_kin_of(
            {symbol for symbol, _ in split.external}, self._translator.symbols
        )
        positions = (
            *_account_positions(split.own, account, quotes, Owner.HEDGE, account.state.name),
            *self._external_positions(split.external, account, quotes),
            *(p for s in snapshots for p in _priced(s, quotes)),
        )
        return Observation(
            book=Book(self._clock.now_ms(), positions, account.state),
            quotes=quotes,
            instruments=_joined(instruments, far),
            account=account,
            own=split.own,
            bot_listed=self._listed_beside_us(account, snapshots),
            external=split.external,
            closed_externally=found.closed,
            shared_account=self._shared_account,
            bot_accounts={s.source: s.account for s in snapshots if s.account is not None},
            translation=translation,
        )

    @property
    def minds_lists(self) -> bool:
        """No hedge may be where a bot lists a symbol or has an order: they share one account."""
        return self._shared_account and not self._legs_apart

    async def of_bots(self) -> tuple[frozenset[str], frozenset[str]]:
        """Symbols that bots hold, and those that they list or have orders in, by one plain look.

        Raises:
            DataError, UnreachableError, VenueError: a source or the venue cannot be read.
        """
        _, translated = await self._translated(await self._reads.plainly())
        account = await self._venue.account()
        own = self._journal.own_positions(self._venue.account_name)
        split = attribute(own, account.base_quantity)
        shrunk = {(one.symbol, one.position_side) for one in split.closed_externally}
        others = {key[0] for key in split.external if key not in shrunk}
        held = {*_here(p.symbol for s in translated.snapshots for p in s.positions), *others}
        kin = translated.translation.with_kin_of(others, self._translator.symbols).kin
        return frozenset(held) | kin, self._listed_beside_us(account, translated.snapshots)

    async def _translated(
        self, told: Sequence[SourceSnapshot]
    ) -> tuple[Mapping[str, Instrument], Translated]:
        """What the venue lists, and what the sources tell in its symbols.

        Raises:
            DataError: a source holds what has no contract there, so its risk cannot be known.
        """
        instruments, listings = await self.instruments(), await self._listings(told)
        now_ms = self._clock.now_ms()
        if self._translator.unknown(told, instruments, now_ms, listings):
            self._instruments_read_ms = None  # it may have been listed since
            instruments = await self.instruments()
        translated = self._translator.translate(told, instruments, now_ms, listings)
        if translated.translation.elsewhere:
            translated = replace(translated, instruments=_listed_elsewhere(translated, listings))
        return instruments, translated

    async def _listings(self, told: Sequence[SourceSnapshot]) -> Listings:
        """Of the other exchanges on which something is held, where their own data are used.

        Raises:
            DataError, UnreachableError, VenueError: one cannot be read; that is never as if
                nothing were held there, nor as if it listed nothing.
        """
        venues, wanted = self._other_venues, dict[str, set[str]]()
        if venues is None:
            return {}
        for one in told:
            venue = venues.venue_of(one.exchange)
            if venue is not None and one.positions:
                wanted.setdefault(venue, set()).update(p.symbol for p in one.positions)
        return await venues.listings(wanted)

    async def _listed(self, held: Collection[str]) -> Mapping[str, Instrument]:
        """What the venue lists; read anew where something held is not in it."""
        instruments = await self.instruments()
        if any(symbol not in instruments for symbol in held):
            self._instruments_read_ms = None  # it may have been listed since
            instruments = await self.instruments()
        return instruments

    async def _quotes(
        self, symbols: Iterable[str], instruments: Mapping[str, Instrument]
    ) -> Mapping[str, Quote]:
        listed = sorted(s for s in symbols if s in instruments)
        return await self._market.quotes(listed) if listed else {}

    async def _marks(self, symbols: Collection[str]) -> Mapping[str, float]:
        """What a doubt is worth; what has no usable price is left out."""
        quotes = await self._quotes(symbols, await self.instruments())
        return {symbol: quote.mark for symbol, quote in self._usable(quotes, ()).items()}

    def _check_age(self, what: str, timestamp_ms: int, max_age_ms: int) -> None:
        age_ms = self._clock.now_ms() - timestamp_ms
        if age_ms > max_age_ms:
            raise StaleDataError(
                f"{what}: {age_ms / 1000:.0f} s old, at most {max_age_ms / 1000:.0f} s is accepted"
            )
        if age_ms < _EARLIEST_MS:
            raise DataError(f"{what}: its timestamp lies {-age_ms / 1000:.0f} s in the future")

    def _usable(self, quotes: Mapping[str, Quote], held: Iterable[str]) -> dict[str, Quote]:
        """Fresh quotes; what is held must have one, of the candidates those without are left out.

        Raises:
            DataError: something is held whose price is missing, stale or no price.
        """
        for symbol in sorted(held):
            quote = quotes.get(symbol)
            if quote is None:
                raise MissingDataError(f"{symbol}: held, but the venue has no price for it")
            self._check_quote(quote)
        fresh = {}
        for symbol, quote in quotes.items():
            with contextlib.suppress(DataError):
                self._check_quote(quote)
                fresh[symbol] = quote
        return fresh

    def _check_quote(self, quote: Quote) -> None:
        age_ms = self._clock.now_ms() - quote.timestamp_ms
        if not _EARLIEST_MS <= age_ms <= self._ages.mark_ms:
            self._check_age(f"{quote.symbol}: mark price", quote.timestamp_ms, self._ages.mark_ms)
        if not (math.isfinite(quote.mark) and quote.mark > 0):
            raise DataError(f"{quote.symbol}: mark price {quote.mark}, must be above 0")
        beside = (quote.index, quote.last)
        if all(abs(quote.mark - price) > IMPLAUSIBLE * price for price in beside):
            raise DataError(
                f"{quote.symbol}: mark price {quote.mark:g} is not plausible beside index "
                f"{quote.index:g} and last {quote.last:g}"
            )

    def _external_positions(
        self, external: Held, account: VenueAccount, quotes: Mapping[str, Quote]
    ) -> tuple[Position, ...]:
        name = account.state.name if self._shared_account else f"external:{account.state.name}"
        return _account_positions(external, account, quotes, Owner.BOT, name)

    def _listed_beside_us(
        self, account: VenueAccount, snapshots: Sequence[SourceSnapshot]
    ) -> frozenset[str]:
        """In a shared account nobody may hedge in what a bot lists or has an order in."""
        if not self.minds_lists:
            return frozenset()
        listed = frozenset().union(*(s.listed for s in snapshots)) if snapshots else frozenset()
        return listed | account.open_order_symbols


def _joined(
    instruments: Mapping[str, Instrument], far: Mapping[str, Instrument]
) -> Mapping[str, Instrument]:
    return {**instruments, **far} if far else instruments


def _listed_elsewhere(translated: Translated, listings: Listings) -> dict[str, Instrument]:
    """Of what is held on other exchanges, by its name here."""
    return {
        name: renamed(listings[one.venue][parted(name)[0]], one.venue)
        for name, one in translated.translation.elsewhere.items()
    }


def _here(symbols: Iterable[str]) -> Iterator[str]:
    """Those of the hedge venue."""
    return (symbol for symbol in symbols if not is_elsewhere(symbol))


def _account_positions(
    quantities: Held,
    account: VenueAccount,
    quotes: Mapping[str, Quote],
    owner: Owner,
    source: str,
) -> tuple[Position, ...]:
    return tuple(
        Position(
            symbol=symbol,
            owner=owner,
            source=source,
            base_quantity=float(quantity),
            mark_price=quotes[symbol].mark,
            timestamp_ms=account.state.timestamp_ms,
            position_side=position_side,
            leverage=account.leverage(symbol),
            liquidation_price=account.liquidation_price.get((symbol, position_side)),
        )
        for (symbol, position_side), quantity in sorted(quantities.items())
        if quantity != 0
    )


def _priced(snapshot: SourceSnapshot, quotes: Mapping[str, Quote]) -> tuple[Position, ...]:
    return tuple(_bot_position(p, snapshot, quotes[p.symbol]) for p in snapshot.positions)


def _bot_position(reported: ReportedPosition, snapshot: SourceSnapshot, quote: Quote) -> Position:
    return Position(
        symbol=reported.symbol,
        owner=Owner.BOT,
        source=snapshot.source,
        base_quantity=float(reported.base_quantity),
        mark_price=quote.mark,
        timestamp_ms=snapshot.timestamp_ms,
        position_side=reported.position_side,
        entry_price=reported.entry_price,
        leverage=reported.leverage,
        liquidation_price=reported.liquidation_price,
        unrealised_pnl_usd=reported.unrealised_pnl_usd,
    )
