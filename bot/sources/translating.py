"""What all sources tell, in symbols of the hedge venue: done once, for every source. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from bot.ports import ReportedPosition, SourceSnapshot
from bot.sources.symbols import Mapped, SymbolMap, Unmapped
from config.aliases import Aliases
from risk.errors import DataError
from risk.instrument import Instrument

_NO_ALIASES = Aliases({}, {})


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
        kin: symbols of the hedge venue that are of a token that some bot holds.
    """

    rows: tuple[Row, ...] = ()
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    kin: frozenset[str] = frozenset()

    def with_kin_of(self, held: Collection[str], symbols: SymbolMap | None) -> "Translation":
        """Also of the tokens behind these symbols of the hedge venue."""
        if symbols is None or not held:
            return self
        more = frozenset().union(*(symbols.kin(symbols.token_of(s)) for s in held))
        return replace(self, kin=self.kin | more)


@dataclass(frozen=True, slots=True)
class Translated:
    """What the sources tell, in symbols of the hedge venue, and how it was mapped."""

    snapshots: tuple[SourceSnapshot, ...]
    translation: Translation


class Translator:
    """Maps what sources tell; keeps the map of the venue's instruments of the day."""

    def __init__(self, aliases: Aliases = _NO_ALIASES, *, leave_out: bool = False) -> None:
        """``leave_out``: what cannot be mapped is left out and told, and does not hold."""
        self._aliases = aliases
        self._leave_out = leave_out
        self._of: tuple[Mapping[str, Instrument], date] | None = None
        self._known: frozenset[tuple[str, str]] = frozenset()
        self.symbols: SymbolMap | None = None

    def unknown(
        self, told: Sequence[SourceSnapshot], instruments: Mapping[str, Instrument], now_ms: int
    ) -> bool:
        """Whether something held has no contract that was not left out for that before."""
        symbols = self._map(instruments, now_ms)
        missing = {
            (one.source, position.symbol)
            for one in told
            for position in one.positions
            if isinstance(symbols.find(one.exchange, position.symbol), Unmapped)
        }
        return bool(missing - self._known)

    def translate(
        self, told: Sequence[SourceSnapshot], instruments: Mapping[str, Instrument], now_ms: int
    ) -> Translated:
        """Everything in symbols of the hedge venue.

        Raises:
            DataError: a position has no contract there and must not be left out.
        """
        symbols = self._map(instruments, now_ms)
        snapshots: list[SourceSnapshot] = []
        rows: dict[tuple[str, str], Row] = {}
        left_out: list[LeftOut] = []
        names: dict[str, Mapping[str, str]] = {}
        kin: set[str] = set()
        for one in told:
            positions: list[ReportedPosition] = []
            for position in one.positions:
                found = symbols.find(one.exchange, position.symbol)
                rows[one.source, position.symbol] = _row(one, position.symbol, found)
                kin |= symbols.kin(found.token)
                if isinstance(found, Mapped):
                    positions.append(found.position(position))
                else:
                    left_out.append(self._left_out(one, position, found))
            names[one.source] = symbols.names(one.exchange)
            listed = one.listed | _listed_here(one, symbols)
            snapshots.append(replace(one, positions=tuple(positions), listed=listed))
        self._known = frozenset((one.source, one.symbol) for one in left_out)
        translation = Translation(tuple(rows.values()), names, tuple(left_out), frozenset(kin))
        return Translated(tuple(snapshots), translation)

    def _map(self, instruments: Mapping[str, Instrument], now_ms: int) -> SymbolMap:
        on = datetime.fromtimestamp(now_ms / 1000, tz=UTC).date()
        if (
            self.symbols is None
            or self._of is None
            or self._of[0] is not instruments
            or (self._of[1] != on)
        ):
            self.symbols = SymbolMap(self._aliases, instruments, on)
            self._of = instruments, on
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


def _row(told: SourceSnapshot, symbol: str, found: Mapped | Unmapped) -> Row:
    if isinstance(found, Mapped):
        return Row(told.source, told.exchange, symbol, found.symbol, found.how)
    return Row(told.source, told.exchange, symbol, None, found.reason)


def _listed_here(told: SourceSnapshot, symbols: SymbolMap) -> frozenset[str]:
    """The hedge venue's own symbols for what a bot may trade."""
    here = (symbols.find(told.exchange, symbol) for symbol in told.listed)
    return frozenset(one.symbol for one in here if isinstance(one, Mapped))
