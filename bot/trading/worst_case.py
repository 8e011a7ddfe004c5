"""Whether an opening could make a cap worse, if orders that are not resolved turn out badly. Pure.

Only asked while something did not go as planned: what is left of a plan was made for orders that
fill. Each may have filled, or not; which of them is not known, and one sell may cure what another
one would make worse. So every mixture is thought of. Of many orders there are too many mixtures;
then a bound must do, which holds for whatever is convex in the hedges, as caps are. Where it says
that a cap could be exceeded, nothing is opened until fewer are waited for: not even what would
lower an exceeded cap in every mixture, because bounds of the use with and without an opening say
nothing of their difference in any one of them.
"""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal

from bot.trading.orders import OrderRequest, Side
from bot.trading.pretrade import OpenOrder

CapUse = Callable[[Mapping[str, float]], Mapping[str, float]]
"""Use of each cap on what is held, for hedges in USD by symbol, signed; 1 is exactly at the cap."""

_NOISE = 1e-6
_IN_ANY_MIXTURE = 8
"""Of so many orders every mixture is thought of: 256, which is 0.1 s at most, as long as the
event loop may stand still. More seldom wait at a time."""
_ZERO = Decimal(0)


def worst_cap(
    order: OrderRequest,
    own: Mapping[tuple[str, str], Decimal],
    pending: Sequence[OpenOrder],
    mark_usd: Mapping[str, float],
    cap_use: CapUse,
) -> str | None:
    """The cap that the order may make worse than both the cap and what it was; None if none.

    Args:
        own: our hedges, signed base units by (symbol, position side).
        pending: orders that may still fill, or may have.
        mark_usd: of every symbol held, pending or ordered.
    """
    change = {order.symbol: order.side.sign * order.quantity}
    base = _by_symbol(own)
    waiting = _changes(pending)
    if waiting:
        bounds = _bounds(_sum(base, change), waiting, mark_usd, cap_use)
        exceeded = {cap: bound for cap, bound in bounds.items() if not bound <= 1 + _NOISE}
        if not exceeded:
            return None  # neither is it then where some of them filled in part
        if len(waiting) > _IN_ANY_MIXTURE:
            cap = max(exceeded, key=lambda one: exceeded[one])
            return (
                f"{cap} at up to {exceeded[cap]:.2f} of its cap if some of {len(waiting)} "
                "unresolved orders turn out badly, too many to think of every mixture"
            )
    for filled in _mixtures(waiting):
        held = _sum(base, filled)
        use = cap_use(_in_usd(_sum(held, change), mark_usd))
        over = [cap for cap in use if not use[cap] <= 1 + _NOISE]  # also where it is no number
        if not over:
            continue
        before = cap_use(_in_usd(held, mark_usd))
        for cap in over:
            if not use[cap] <= before[cap] * (1 + _NOISE):
                return f"{cap} at {use[cap]:.2f} of its cap if unresolved orders turn out badly"
    return None


def moved_otherwise(
    before: Mapping[tuple[str, str], Decimal],
    now: Mapping[tuple[str, str], Decimal],
    unresolved: Collection[str],
) -> tuple[OpenOrder, ...]:
    """What changed beside our fills, as orders that may have filled: a copy of ours, or a bot's.

    It may be undone by the next read, so both must be borne.

    Args:
        before, now: what the account holds beyond our booked fills, signed base units by (symbol,
            position side).
        unresolved: symbols in which an order of ours may be the cause; it counts already.
    """
    changes = {key: now.get(key, _ZERO) - before.get(key, _ZERO) for key in {**before, **now}}
    return tuple(
        OpenOrder(symbol, Side.BUY if change > 0 else Side.SELL, side, abs(change), False)
        for (symbol, side), change in sorted(changes.items())
        if change and symbol not in unresolved
    )


def _changes(pending: Sequence[OpenOrder]) -> list[tuple[str, Decimal]]:
    """What they change if they fill, by symbol and side."""
    found: dict[tuple[str, Side], Decimal] = {}
    for one in pending:
        key = one.symbol, one.side
        found[key] = found.get(key, _ZERO) + one.side.sign * one.quantity
    return [(symbol, change) for (symbol, _), change in found.items()]


def _mixtures(waiting: Sequence[tuple[str, Decimal]]) -> Iterator[dict[str, Decimal]]:
    """What changes by symbol if none, some or all of them fill."""
    for size in range(len(waiting) + 1):
        for some in itertools.combinations(waiting, size):
            filled: dict[str, Decimal] = {}
            for symbol, change in some:
                filled[symbol] = filled.get(symbol, _ZERO) + change
            yield filled


def _bounds(
    held: Mapping[str, Decimal],
    waiting: Sequence[tuple[str, Decimal]],
    mark_usd: Mapping[str, float],
    cap_use: CapUse,
) -> dict[str, float]:
    """What each cap's use cannot exceed, whatever part of each of them fills.

    With n changes eᵢ of which parts fᵢ in [0, 1] fill, h + Σ fᵢeᵢ is the mean of the n points
    h + n·fᵢeᵢ. So a convex φ is there at most the mean of max(φ(h), φ(h + n·eᵢ)) (Jensen), and
    exactly that in the worst case where φ is linear between them.
    """
    start = cap_use(_in_usd(held, mark_usd))
    total = dict.fromkeys(start, 0.0)
    for symbol, change in waiting:
        use = cap_use(_in_usd(_sum(held, {symbol: len(waiting) * change}), mark_usd))
        for cap in total:
            worse = not use[cap] <= start[cap]  # also where it is no number
            total[cap] += use[cap] if worse else start[cap]
    return {cap: value / len(waiting) for cap, value in total.items()}


def _by_symbol(own: Mapping[tuple[str, str], Decimal]) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for (symbol, _), quantity in own.items():
        held[symbol] = held.get(symbol, _ZERO) + quantity
    return held


def _sum(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {s: one.get(s, _ZERO) + other.get(s, _ZERO) for s in {**one, **other}}


def _in_usd(held: Mapping[str, Decimal], mark_usd: Mapping[str, float]) -> dict[str, float]:
    return {symbol: float(quantity) * mark_usd[symbol] for symbol, quantity in held.items()}
