"""Entries that would make a cap worse that a decision has left exceeded. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from bot.measuring.universe import base_of
from bot.records.cycle import CycleRecord
from risk.correlation.clusters import Clustering
from risk.limits.caps import LimitBreach

TOKEN_CAP: Final = "token_usd"  # noqa: S105 - a cap's name
CLUSTER_CAP: Final = "cluster_net_usd"

Side = str
"""``long`` or ``short``."""


@dataclass(frozen=True, slots=True)
class Block:
    """One side of one token that must not be added to.

    Attributes:
        base: the token.
        side: ``long`` or ``short``.
        reason: the cap, what it is at, and where it is.
    """

    base: str
    side: Side
    reason: str


class EntryLocker(Protocol):
    """Keeps a bot from entering."""

    async def keep(self, blocks: Collection[Block], next_decision_ms: int) -> bool:
        """Lock these and nothing else; what fails is told, never raised, and False."""
        ...


def entry_blocks(
    record: CycleRecord, clusters: Clustering, symbols: Iterable[str]
) -> tuple[Block, ...]:
    """What a bot must not enter after a cycle: by token and side, each once.

    Args:
        record: of a cycle that came to figures; its legs are the book afterwards.
        clusters: over ``symbols``, in their order.

    The side is that of the excess itself: of the token for ``token_usd``, of the sum of its members
    for ``cluster_net_usd``. Other caps have no such side: what adds to them depends on correlation.
    """
    held = {leg.symbol: leg.bot_usd + leg.hedge_after_usd for leg in record.legs}
    listed = tuple(symbols)
    found: dict[tuple[str, Side], Block] = {}
    for breach in record.breaches_after:
        members = _members(breach, held, clusters, listed)
        total = sum(held.get(symbol, 0.0) for symbol in members)
        if not members or total == 0:
            continue
        side = "long" if total > 0 else "short"
        for symbol in members:
            base = base_of(symbol)
            found.setdefault((base, side), Block(base, side, _words(breach)))
    return tuple(found[key] for key in sorted(found))


def _members(
    breach: LimitBreach, held: Iterable[str], clusters: Clustering, symbols: tuple[str, ...]
) -> tuple[str, ...]:
    if breach.cap == TOKEN_CAP:
        return tuple(s for s in held if base_of(s) == base_of(breach.scope))
    if breach.cap != CLUSTER_CAP:
        return ()
    index = _cluster_names(clusters).get(breach.scope)
    labels = clusters.labels.tolist()
    return tuple(s for s, label in zip(symbols, labels, strict=True) if label == index)


def _cluster_names(clusters: Clustering) -> Mapping[str, int]:
    """As breaches call them."""
    return {f"cluster of {base_of(name)}": i for i, name in enumerate(clusters.names)}


def _words(breach: LimitBreach) -> str:
    where = f" of {breach.scope}" if breach.scope else ""
    return f"{breach.cap}{where} at {breach.value:,.0f} USD, cap {breach.limit:,.0f} USD"
