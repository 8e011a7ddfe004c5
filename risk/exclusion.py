"""Symbols left out of a computation, each with its reason in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Excluded:
    """One symbol that is left out, and why, as one clause without a full stop."""

    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What is kept and what is not, both in the order given.

    Attributes:
        kept: symbols that passed.
        excluded: the others, each once.
    """

    kept: tuple[str, ...]
    excluded: tuple[Excluded, ...]


def selection(symbols: Sequence[str], excluded: Iterable[Excluded]) -> Selection:
    """Split ``symbols`` by a list of exclusions; the first reason given for a symbol stands.

    Exclusions of symbols that are not among ``symbols`` are left out of the answer.
    """
    reasons: dict[str, Excluded] = {}
    for item in excluded:
        reasons.setdefault(item.symbol, item)
    return Selection(
        kept=tuple(symbol for symbol in symbols if symbol not in reasons),
        excluded=tuple(reasons[symbol] for symbol in symbols if symbol in reasons),
    )
