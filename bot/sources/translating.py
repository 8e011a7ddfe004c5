"""What all sources tell, in symbols that can be measured: done once, for every source. Pure.

That is the hedge venue's contract of the same token or, where the data of the bot's own exchange
are at hand, that exchange's own contract.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from bot.elsewhere import parted
from bot.ports import ReportedPosition, SourceSnapshot
from bot.sources.symbols import Elsewhere, Mapped, SymbolMap, Unmapped
from config.aliases import Aliases, exchange_family
from risk.errors import DataError
from risk.instrument import Instrument
from risk.quick_init import quick_replace

_NO_ALIASES = Aliases({}, {})
Listings = Mapping[str, Mapping[str, Instrument]]
"""What other exchanges list, by ccxt's id and by their own symbols."""
_NO_LISTINGS: Listings = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A position that the hedge venue has no contract for, so that nothing is known of its risk.

    Attributes:
        symbol: as the source reports it.
        base_quantity: as reported, signed base units.
    """

    source: str
    symbol: str
    position_side: str
    base_quantity: Decimal
    reason: str

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "source": self.source,
            "symbol": self.symbol,
            "position_side": self.position_side,
            "base_quantity": str(self.base_quantity),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """How one reported symbol was mapped.

    Attributes:
        exchange: on which the bot trades; None: that of the hedges.
        mapped: None where it was left out.
        how: what differs, or why it was left out; empty where nothing differs.
    """

    source: str
    exchange: str | None
    symbol: str
    mapped: str | None
    how: str

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "source": self.source,
            "exchange": self.exchange,
            "symbol": self.symbol,
            "mapped": self.mapped,
            "how": self.how,
        }


@dataclass(frozen=True, slots=True)
class Translation:
    """How everything was mapped at one moment.

    Attributes:
        rows: of every symbol that a source holds.
        names: by source, what its exchange may call a contract and the hedge venue's symbol for
            it, where the two differ; empty where it means another asset.
        left_out: positions that are in no figure.
        kin: symbols of the hedge venue that are of a token that some bot holds; of one that it
            holds on another exchange only where hedges must leave those alone too.
        elsewhere: what bots hold on other exchanges and is measured there, by its name here.
        tokens: what each symbol of the hedge venue stands for, where anything is held elsewhere.
    """

    rows: tuple[Row, ...] = ()
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    kin: frozenset[str] = frozenset()
    elsewhere: Mapping[str, Elsewhere] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)

    @property
    def homes(self) -> dict[str, str]:
        """The hedge venue's contract of the same token, by what is measured elsewhere."""
        return {name: one.home for name, one in self.elsewhere.items() if one.home is not None}

    def token_of(self, symbol: str) -> str:
        """What is counted together under a cap on one token."""
        far = self.elsewhere.get(symbol)
        return far.token if far is not None else self.tokens.get(symbol, symbol)

    def with_kin_of(self, held: Collection[str], symbols: SymbolMap | None) -> "Translation":
        """Also of the tokens behind these symbols of the hedge venue."""
        if symbols is None or not held:
            return self
        more = frozenset().union(*(symbols.kin(symbols.token_of(s)) for s in held))
        return quick_replace(self, kin=self.kin | more)


@dataclass(frozen=True, slots=True)
class Translated:
    """What the sources tell, in symbols that can be measured, and how it was mapped.

    Attributes:
        instruments: of what is held elsewhere, by its name here.
    """

    snapshots: tuple[SourceSnapshot, ...]
    translation: Translation
    instruments: Mapping[str, Instrument] = field(default_factory=dict)


class Translator:
    """Maps what sources tell; keeps the map of the venue's instruments of the day."""

    def __init__(
        self,
        aliases: Aliases = _NO_ALIASES,
        *,
        leave_out: bool = False,
        same_token_elsewhere: bool = False,
    ) -> None:
        """Knows no instruments yet.

        Args:
            leave_out: what cannot be mapped is left out and told, and does not hold.
            same_token_elsewhere: a token that bots hold on other exchanges only may be hedged in.
        """
        self._aliases = aliases
        self._leave_out = leave_out
        self._same_token_elsewhere = same_token_elsewhere
        self._of: tuple[Mapping[str, Instrument], date] | None = None
        self._known: frozenset[tuple[str, str]] = frozenset()
        self.symbols: SymbolMap | None = None

    def unknown(
        self,
        told: Sequence[SourceSnapshot],
        instruments: Mapping[str, Instrument],
        now_ms: int,
        listings: Listings = _NO_LISTINGS,
    ) -> bool:
        """Whether something held has no contract that was not left out for that before."""
        symbols = self._map(instruments, now_ms)
        missing = {
            (one.source, position.symbol)
            for one in told
            for position in one.positions
            if isinstance(_found(symbols, listings, one, position.symbol), Unmapped)
        }
        return bool(missing - self._known)

    def translate(
        self,
        told: Sequence[SourceSnapshot],
        instruments: Mapping[str, Instrument],
        now_ms: int,
        listings: Listings = _NO_LISTINGS,
    ) -> Translated:
        """Everything in symbols that can be measured.

        Args:
            instruments: of the hedge venue.
            listings: of the exchanges whose own data are to be used; what one does not list is
                mapped to the hedge venue's contract.

        Raises:
            DataError: a position has no contract there and must not be left out.
        """
        symbols = self._map(instruments, now_ms)
        snapshots: list[SourceSnapshot] = []
        rows: dict[tuple[str, str], Row] = {}
        left_out: list[LeftOut] = []
        names: dict[str, Mapping[str, str]] = {}
        kin: set[str] = set()
        far: dict[str, Elsewhere] = {}
        for one in told:
            positions: list[ReportedPosition] = []
            for position in one.positions:
                found = _found(symbols, listings, one, position.symbol)
                rows[one.source, position.symbol] = _row(one, position.symbol, found)
                if isinstance(found, Unmapped):
                    kin |= symbols.kin(found.token)
                    left_out.append(self._left_out(one, position, found))
                    continue
                positions.append(found.position(position))
                if found.elsewhere is not None:
                    far[found.symbol] = found.elsewhere
                if found.elsewhere is None or not self._same_token_elsewhere:
                    kin |= symbols.kin(found.token)
            names[one.source] = symbols.names(one.exchange)
            listed = one.listed | _listed_here(one, symbols)
            snapshots.append(quick_replace(one, positions=tuple(positions), listed=listed))
        self._known = frozenset((one.source, one.symbol) for one in left_out)
        translation = Translation(
            tuple(rows.values()),
            _with_far(names, told, far) if far else names,
            tuple(left_out),
            frozenset(kin),
            far,
            symbols.tokens if far else {},
        )
        return Translated(tuple(snapshots), translation)

    def _map(self, instruments: Mapping[str, Instrument], now_ms: int) -> SymbolMap:
        on = datetime.fromtimestamp(now_ms / 1000, tz=UTC).date()
        if (
            self.symbols is None
            or self._of is None
            or self._of[1] != on
            or self._of[0] != instruments  # read anew every hour, and mostly the same
        ):
            self.symbols = SymbolMap(self._aliases, instruments, on)
        self._of = instruments, on  # the newest: the same object is compared at once
        return self.symbols

    def _left_out(self, told: SourceSnapshot, position: ReportedPosition, why: Unmapped) -> LeftOut:
        if not self._leave_out:
            raise DataError(
                f"source {told.source}: holds {position.symbol}, but {why.reason}, so its risk is "
                "not known"
            )
        return LeftOut(
            told.source,
            position.symbol,
            position.position_side,
            position.base_quantity,
            why.reason,
        )


def _found(
    symbols: SymbolMap, listings: Listings, told: SourceSnapshot, symbol: str
) -> Mapped | Unmapped:
    """The bot's own contract where its exchange's data are used and list it, else the mapped."""
    venue = None if told.exchange is None else exchange_family(told.exchange)
    if venue is not None and symbol in listings.get(venue, ()):
        return symbols.elsewhere(venue, symbol)
    return symbols.find(told.exchange, symbol)


def _with_far(
    names: Mapping[str, Mapping[str, str]],
    told: Sequence[SourceSnapshot],
    far: Mapping[str, Elsewhere],
) -> dict[str, Mapping[str, str]]:
    """Also what each exchange calls its contracts that are measured by its own data."""
    called: dict[str, dict[str, str]] = {}
    for name, one in far.items():
        called.setdefault(one.venue, {})[parted(name)[0]] = name
    return {
        one.source: {**names[one.source], **called.get(exchange_family(one.exchange or ""), {})}
        for one in told
    }


def _row(told: SourceSnapshot, symbol: str, found: Mapped | Unmapped) -> Row:
    if isinstance(found, Mapped):
        return Row(told.source, told.exchange, symbol, found.symbol, found.how)
    return Row(told.source, told.exchange, symbol, None, found.reason)


def _listed_here(told: SourceSnapshot, symbols: SymbolMap) -> frozenset[str]:
    """The hedge venue's own symbols for what a bot may trade."""
    here = (symbols.find(told.exchange, symbol) for symbol in told.listed)
    return frozenset(one.symbol for one in here if isinstance(one, Mapped))
