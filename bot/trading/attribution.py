"""Which part of an account is our hedge and which part is somebody else's. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from risk.quick_init import quick_init

_ZERO = Decimal(0)

Held = Mapping[tuple[str, str], Decimal]  # signed base units by (symbol, position side)


@dataclass(frozen=True, slots=True)
class HedgeClosedExternally:
    """A hedge of ours is smaller at the venue than our own fills say: others closed a part.

    Attributes:
        own_quantity: by the journal, signed base units.
        venue_quantity: the whole position at the venue, signed base units.
    """

    symbol: str
    position_side: str
    own_quantity: Decimal
    venue_quantity: Decimal

    @property
    def quantity_change(self) -> Decimal:
        """What to add to our position: it then equals the venue's, or is flat."""
        if self.venue_quantity * self.own_quantity > 0:
            return self.venue_quantity - self.own_quantity
        return -self.own_quantity


@quick_init
@dataclass(frozen=True, slots=True)
class Attribution:
    """One account, told apart.

    Attributes:
        own: our hedges by the journal.
        external: the rest, venue less own; only what is not zero.
        closed_externally: hedges that shrank without us. While there are any, ``external`` holds
            the difference and must not be taken for anybody's position.
        unsure: symbols left out of ``closed_externally`` because an order of ours is not resolved.
        unresolved: symbols with an order of ours that is not resolved.
    """

    own: Held
    external: Held
    closed_externally: tuple[HedgeClosedExternally, ...]
    unsure: frozenset[str] = frozenset()
    unresolved: frozenset[str] = frozenset()


def attribute(own: Held, venue: Held, unresolved: Collection[str] = ()) -> Attribution:
    """Splits what the venue holds into ours and the rest.

    A rest that points against our own hedge means that the hedge shrank without our fills:
    auto-deleveraging, a liquidation, or somebody's hand. One look is no proof, since a fill may
    not have been reported yet: act only when two looks agree.

    Args:
        own: our hedges by the journal.
        venue: all positions of the account.
        unresolved: symbols with an order whose effect is not known yet.
    """
    external: dict[tuple[str, str], Decimal] = {}
    closed = []
    unsure = set()
    for key in sorted(own.keys() | venue.keys()):
        ours, held = own.get(key, _ZERO), venue.get(key, _ZERO)
        rest = held - ours
        if rest:
            external[key] = rest
        if rest * ours >= 0:
            continue
        if key[0] in unresolved:
            unsure.add(key[0])
        else:
            closed.append(HedgeClosedExternally(*key, own_quantity=ours, venue_quantity=held))
    return Attribution(
        {key: quantity for key, quantity in own.items() if quantity},
        external,
        tuple(closed),
        frozenset(unsure),
        frozenset(unresolved),
    )
