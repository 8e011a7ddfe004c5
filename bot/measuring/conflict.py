"""Where hedges and bots meet: what of ours stands in a bot's symbol, and what is left. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from bot.measuring.monitor import Observation
from bot.measuring.universe import bases_of, of_a_bot
from risk.book import Owner


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Of one moment.

    Attributes:
        hedges: why each symbol in which we hold a hedge is a bot's now; it may only shrink.
        nothing_left: every symbol of the universe is a bot's, so no hedge may be opened.
        lasting: that is so by what bots list alone, whatever they come to hold.
    """

    hedges: dict[str, str] = field(default_factory=dict)
    nothing_left: bool = False
    lasting: bool = False

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"hedges": dict(self.hedges), "nothing_left": self.nothing_left}


def find_conflicts(
    *,
    universe: Collection[str],
    hedges: Iterable[str],
    held_by_bot: Collection[str],
    listed_by_bot: Collection[str],
) -> Conflicts:
    """Of unified symbols.

    Args:
        universe: all that might carry a hedge.
        hedges: in which we hold one.
        listed_by_bot: in the account of the hedges itself; empty where they have their own.
    """
    bases = bases_of(held_by_bot)
    reasons = {symbol: of_a_bot(symbol, bases, listed_by_bot) for symbol in {*universe, *hedges}}
    return Conflicts(
        hedges={s: why for s in sorted(hedges) if (why := reasons[s]) is not None},
        nothing_left=bool(universe) and all(reasons[s] is not None for s in universe),
        lasting=bool(universe) and all(s in listed_by_bot for s in universe),
    )


def conflicts_of(observation: Observation, universe: Collection[str]) -> Conflicts:
    """Of one look."""
    book = observation.book
    return find_conflicts(
        universe=universe,
        hedges=book.symbols(Owner.HEDGE),
        held_by_bot=observation.of_bots,
        listed_by_bot=observation.bot_listed,
    )
