"""Whether an opening could make a cap worse, if orders that are not resolved turn out badly. Pure.

Only asked while something did not go as planned: what is left of a plan was made for orders that
fill. Caps are convex in the hedges, so the worst lies where each order has filled, or has not.
Which of them is not known: one sell may cure what another one would make worse.
"""

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

from bot.trading.orders import OrderRequest, Side
from bot.trading.pretrade import OpenOrder

CapUse = Callable[[Mapping[str, float]], Mapping[str, float]]
"""Use of each cap on what is held, for hedges in USD by symbol, signed; 1 is exactly at the cap."""

_NOISE = 1e-6
_IN_ANY_MIXTURE = 4
"""Of so many orders every mixture is thought of: 16. More seldom wait at a time."""
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
    for filled in _scenarios(pending):
        held = _sum(_by_symbol(own), filled)
        before = cap_use(_in_usd(held, mark_usd))
        after = cap_use(_in_usd(_sum(held, change), mark_usd))
        for cap, use in after.items():
            if not use <= max(1.0, before[cap]) * (1 + _NOISE):  # also where it is no number
                return f"{cap} at {use:.2f} of its cap if unresolved orders turn out badly"
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


def _scenarios(pending: Sequence[OpenOrder]) -> list[dict[str, Decimal]]:
    """What they change by symbol if none, some or all of them fill."""
    changes: dict[tuple[str, Side], Decimal] = {}
    for one in pending:
        key = one.symbol, one.side
        changes[key] = changes.get(key, _ZERO) + one.side.sign * one.quantity
    found: list[dict[str, Decimal]] = []
    for which in _mixtures(list(changes)):
        filled: dict[str, Decimal] = {}
        for symbol, side in which:
            filled[symbol] = filled.get(symbol, _ZERO) + changes[symbol, side]
        found.append(filled)
    return found


def _mixtures(orders: Sequence[tuple[str, Side]]) -> list[tuple[tuple[str, Side], ...]]:
    """Which of them fill: any of a few; of many none, all, one side, one alone, all but one."""
    if len(orders) <= _IN_ANY_MIXTURE:
        sizes = range(len(orders) + 1)
        return [some for size in sizes for some in itertools.combinations(orders, size)]
    count = len(orders)
    sides = [tuple(one for one in orders if one[1] is side) for side in Side]
    alone_or_not = [*itertools.combinations(orders, 1), *itertools.combinations(orders, count - 1)]
    return [(), tuple(orders), *sides, *alone_or_not]


def _by_symbol(own: Mapping[tuple[str, str], Decimal]) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for (symbol, _), quantity in own.items():
        held[symbol] = held.get(symbol, _ZERO) + quantity
    return held


def _sum(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {s: one.get(s, _ZERO) + other.get(s, _ZERO) for s in {**one, **other}}


def _in_usd(held: Mapping[str, Decimal], mark_usd: Mapping[str, float]) -> dict[str, float]:
    return {symbol: float(quantity) * mark_usd[symbol] for symbol, quantity in held.items()}
