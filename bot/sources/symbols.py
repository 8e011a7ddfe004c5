"""What a bot calls a contract, and what the hedge venue calls the same token. Pure.

Two contracts are of one token where the table of aliases brings both to the same token. They may be
quoted in another dollar, count the token by the thousand, or carry a name from before a rename; the
quantity is converted by the exact ratio. A ticker alone proves nothing: the table tells which
exchange means another asset by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, localcontext
from typing import Final

from bot.elsewhere import at_venue
from bot.ports import ReportedPosition
from config.aliases import Aliases, exchange_family
from risk.instrument import Instrument

DOLLARS: Final = ("USDT", "USDC", "USD")
"""Quotes that count as USD; an earlier one is preferred where the bot's own is not listed."""
_DIGITS: Final = 60  # of a ratio that has no end, such as one through 0.43335
NOT_LISTED: Final = "the venue lists no such active perpetual"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A contract of another exchange, measured by that exchange's own data.

    Attributes:
        symbol: with the exchange behind it, ``FET/USDT:USDT@bybit``.
        venue: ccxt's id of the exchange.
        token: that it stands for; a name of its own where it is an asset of its own.
        home: the hedge venue's contract of the same token; None where there is none.
        ratio: base units of ``home`` for one of ``symbol``.
    """

    symbol: str
    venue: str
    token: str
    home: str | None
    ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class Mapped:
    """A contract of the hedge venue that is of the same token.

    Attributes:
        symbol: of the hedge venue.
        ratio: base units of ``symbol`` for one of the reported contract, exact.
        how: what differs, in words; empty where it is the contract itself.
        token: that both stand for.
        other_quote: it is quoted in another dollar.
        elsewhere: it is not the hedge venue's but measured by its own exchange's data.
    """

    symbol: str
    ratio: Decimal
    how: str
    token: str
    other_quote: bool = False
    elsewhere: "Elsewhere | None" = None

    def quantity(self, reported: Decimal) -> Decimal:
        """Base units of ``symbol``, signed like ``reported``."""
        if self.ratio == 1:
            return reported
        with localcontext(prec=_DIGITS):
            return reported * self.ratio

    def position(self, reported: ReportedPosition) -> ReportedPosition:
        """The same position in the hedge venue's contract; what it is worth stays as it was."""
        if self.symbol == reported.symbol and self.ratio == 1:
            return reported
        return replace(
            reported,
            symbol=self.symbol,
            base_quantity=self.quantity(reported.base_quantity),
            entry_price=self._price(reported.entry_price),
            liquidation_price=self._price(reported.liquidation_price),
        )

    def _price(self, price: float | None) -> float | None:
        return None if price is None else price / float(self.ratio)


@dataclass(frozen=True, slots=True)
class Unmapped:
    """What the hedge venue has no contract for.

    Attributes:
        reason: goes on after "holds this symbol, but".
        token: that it stands for; None where it is an asset of its own.
    """

    reason: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class _Contract:
    base: str
    quote: str
    token: str
    units: Decimal


class SymbolMap:
    """From reported contracts to those of one hedge venue, on one day."""

    def __init__(self, aliases: Aliases, instruments: Mapping[str, Instrument], on: date) -> None:
        self._aliases = aliases
        self._on = on
        self._listed: dict[str, _Contract] = {}
        self._of_token: dict[str, list[str]] = {}
        self._venue: str | None = None
        for symbol, one in sorted(instruments.items()):
            self._venue = exchange_family(one.venue)
            stands = aliases.stands_for(one.venue, one.base, on)
            if stands is not None:
                self._listed[symbol] = _Contract(one.base, one.quote, *stands)
                self._of_token.setdefault(stands[0], []).append(symbol)
            else:
                self._listed[symbol] = _Contract(one.base, one.quote, "", Decimal(1))
        self._tokens = {symbol: one.token for symbol, one in self._listed.items() if one.token}
        self._names: dict[str | None, Mapping[str, str]] = {}
        self._found: dict[tuple[str | None, str], Mapped | Unmapped] = {}

    def find(self, exchange: str | None, symbol: str) -> Mapped | Unmapped:
        """The hedge venue's contract for one of another exchange.

        Args:
            exchange: ccxt's id; None: the hedge venue itself.
            symbol: ccxt's unified symbol, as that exchange has it.
        """
        key = exchange, symbol
        if key not in self._found:
            self._found[key] = self._find(*key)
        return self._found[key]

    def elsewhere(self, venue: str, symbol: str) -> Mapped:
        """A contract that another exchange lists, as itself.

        Args:
            venue: ccxt's id of that exchange.
            symbol: ccxt's unified symbol, as that exchange has it.
        """
        name, here = at_venue(symbol, venue), self.find(venue, symbol)
        token = here.token or name
        home, ratio = (here.symbol, here.ratio) if isinstance(here, Mapped) else (None, Decimal(1))
        far = Elsewhere(name, venue, token, home, float(ratio))
        return Mapped(name, Decimal(1), f"by {venue}'s own prices", token, elsewhere=far)

    @property
    def tokens(self) -> Mapping[str, str]:
        """What each symbol of the hedge venue stands for; those of no known token are left out."""
        return self._tokens

    def kin(self, token: str | None) -> frozenset[str]:
        """Symbols of the hedge venue that are of this token, under whatever name."""
        return frozenset(self._of_token.get(token or "", ()))

    def token_of(self, symbol: str) -> str | None:
        """What a symbol of the hedge venue stands for; None where it is not listed."""
        contract = self._listed.get(symbol)
        return None if contract is None else contract.token or None

    def names(self, exchange: str | None) -> Mapping[str, str]:
        """What an exchange may call the tokens that are listed here, and the symbols of here.

        Only names that differ; empty for one that means another asset by a symbol of here.
        """
        if exchange not in self._names:
            known, table = {one.base for one in self._listed.values()}, self._aliases
            known |= {*self._of_token, *table.multipliers, *table.renames}
            known |= {base for _, base in table.names}
            called = {f"{base}/{quote}:{quote}" for base in known for quote in DOLLARS}
            found = {symbol: self.find(exchange, symbol) for symbol in sorted(called)}
            self._names[exchange] = {
                symbol: one.symbol if isinstance(one, Mapped) else ""
                for symbol, one in found.items()
                if (one.symbol != symbol if isinstance(one, Mapped) else symbol in self._listed)
            }
        return self._names[exchange]

    def _find(self, exchange: str | None, symbol: str) -> Mapped | Unmapped:
        at_home = exchange is None or exchange_family(exchange) == self._venue
        if at_home and symbol in self._listed:
            return Mapped(symbol, Decimal(1), "", self._listed[symbol].token)
        base, _, rest = symbol.partition("/")
        quote, _, settled = rest.partition(":")
        stands = self._aliases.stands_for(exchange or self._venue or "", base, self._on)
        if stands is None:
            return Unmapped(f"on {exchange or self._venue} that is an asset of its own")
        token, units = stands
        if quote not in DOLLARS or settled not in DOLLARS:
            return Unmapped("that is no linear perpetual in USD", token)
        chosen = min(
            self.kin(token), key=lambda other: self._distance(other, base, quote), default=None
        )
        if chosen is None:
            return Unmapped(self._why_not(symbol, base), token)
        target = self._listed[chosen]
        with localcontext(prec=_DIGITS):
            ratio = units / target.units
        how = _how(base, quote, target, ratio)
        return Mapped(chosen, ratio, how, token, other_quote=target.quote != quote)

    def _distance(self, symbol: str, base: str, quote: str) -> tuple[bool, bool, int, str]:
        """The same contract first, then the same base in another quote."""
        one = self._listed[symbol]
        order = DOLLARS.index(one.quote) if one.quote in DOLLARS else len(DOLLARS)
        return one.base != base, one.quote != quote, order, symbol

    def _why_not(self, symbol: str, base: str) -> str:
        other = symbol in self._listed or any(one.base == base for one in self._listed.values())
        return f"the venue's {base} is another asset" if other else NOT_LISTED


def _how(base: str, quote: str, target: _Contract, ratio: Decimal) -> str:
    parts = []
    if ratio != 1:
        parts.append(f"1 {base} = {round(ratio, 12).normalize():f} {target.base}")
    elif base != target.base:
        parts.append(f"{base} is {target.base}")
    if quote != target.quote:
        parts.append(f"quoted in {target.quote}")
    return ", ".join(parts) or "the same contract on another exchange"
