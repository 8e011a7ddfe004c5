"""Which symbols belong to the sector, and which of them may carry a hedge now."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from risk.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Universe:
    """Symbols of the sector and the benchmarks as the venue lists them.

    Attributes:
        sector: unified symbols of the sector's tokens, sorted.
        benchmarks: unified symbols, the first one is the reference of beta and CAE (BTC).
        unlisted: tokens of the sector that the venue does not list.
    """

    sector: tuple[str, ...]
    benchmarks: tuple[str, ...]
    unlisted: tuple[str, ...]
    _tokens: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Notes the tokens, which are asked for with every symbol."""
        object.__setattr__(self, "_tokens", bases_of(self.sector))

    @property
    def symbols(self) -> tuple[str, ...]:
        """All of them, sorted."""
        return tuple(sorted({*self.sector, *self.benchmarks}))

    def in_sector(self, symbol: str) -> bool:
        """Whether this is one of the sector's tokens, in whatever currency it is quoted.

        Benchmarks are not, nor is whatever else a bot may hold.
        """
        if symbol in self.benchmarks:
            return False
        return base_of(symbol) in self._tokens


def base_of(symbol: str) -> str:
    """``FET`` of ``FET/USDT:USDT``."""
    return symbol.partition("/")[0]


def bases_of(symbols: Iterable[str]) -> frozenset[str]:
    """The tokens of symbols."""
    return frozenset(map(base_of, symbols))


def build_universe(
    bases: Iterable[str],
    benchmarks: Iterable[str],
    instruments: Mapping[str, Instrument],
    *,
    exclude: Collection[str] = (),
) -> Universe:
    """The sector's tokens among the venue's instruments; USDT contracts before USDC ones.

    Args:
        bases: base currencies of the sector.
        benchmarks: unified symbols in order of importance; unlisted ones are left out.
        instruments: the venue's instruments by unified symbol.
        exclude: unified symbols or bases that the owner never wants.
    """
    wanted = sorted({base for base in bases if base not in exclude})
    sector, unlisted = [], []
    for base in wanted:
        listed = [s for s in (f"{base}/USDT:USDT", f"{base}/USDC:USDC") if s in instruments]
        if not listed:
            unlisted.append(base)
        elif listed[0] not in exclude:
            sector.append(listed[0])
    return Universe(
        sector=tuple(sector),
        benchmarks=tuple(
            s for s in benchmarks if s in instruments and not {s, base_of(s)} & set(exclude)
        ),
        unlisted=tuple(unlisted),
    )


def of_a_bot(
    symbol: str, bases_of_bot: Collection[str], listed_by_bot: Collection[str]
) -> str | None:
    """Why this symbol is a bot's own business, where no hedge may be; None where it is not.

    ``bases_of_bot``: tokens that a bot holds.
    """
    if base_of(symbol) in bases_of_bot:
        return "hands off: held by a bot"
    if symbol in listed_by_bot:
        return "hands off: a bot lists it or has an order in it"
    return None


def excluded_from_hedging(
    symbols: Iterable[str],
    *,
    held_by_bot: Collection[str],
    listed_by_bot: Collection[str],
    history_days: Mapping[str, float],
    min_history_days: float,
    adv_usd: Mapping[str, float],
    min_daily_volume_usd: float,
    priced: Collection[str],
    unusable: Mapping[str, str],
) -> dict[str, str]:
    """Why each of ``symbols`` that may not carry a new hedge may not, by symbol.

    A short in a token that a bot holds takes the bot's own bet away, even where the two are quoted
    in different currencies; so what is held is compared by token. A symbol without a known volume
    or history counts as having too little: unknown is never taken for enough.
    """
    reasons: dict[str, str] = {}
    bases_of_bot = bases_of(held_by_bot)
    for symbol in symbols:
        days = history_days.get(symbol, 0.0)
        volume_usd = adv_usd.get(symbol)
        bots = of_a_bot(symbol, bases_of_bot, listed_by_bot)
        if bots is not None:
            reasons[symbol] = bots
        elif symbol in unusable:
            reasons[symbol] = unusable[symbol]
        elif symbol not in priced:
            reasons[symbol] = "no price now"
        elif days < min_history_days:
            reasons[symbol] = f"{days:.1f} days of bars, at least {min_history_days:g} needed"
        elif volume_usd is None:
            reasons[symbol] = "average daily volume unknown"
        elif volume_usd < min_daily_volume_usd:
            reasons[symbol] = (
                f"average daily volume ${volume_usd:,.0f} below the floor of "
                f"${min_daily_volume_usd:,.0f}"
            )
    return reasons
