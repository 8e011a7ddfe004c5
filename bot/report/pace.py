"""How long cycles took, phase by phase, as rows of text."""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any

from bot.report import words

PHASES: Mapping[str, str] = {
    "catching_up": "orders and payments of before",
    "looking": "reading and measuring",
    "recording": "writing down what was seen",
    "deciding": "deciding",
    "trading": "trading",
    "total": "the whole cycle",
}


def pace_rows(documents: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Phase, how many cycles came to it, median, slowest of twenty and slowest; milliseconds.

    None where no time went by at all, as in a simulation whose clock stands still in a cycle.
    """
    spent: dict[str, list[float]] = {phase: [] for phase in PHASES}
    for document in documents:
        for phase, value in (document.get("latency_ms") or {}).items():
            known = words.number(value)
            if phase in spent and known is not None:
                spent[phase].append(known)
    if not any(spent["total"]):
        return []
    return [
        (PHASES[phase], f"{len(times):,}", *(_ms(_quantile(times, q)) for q in (0.5, 0.95, 1.0)))
        for phase, times in spent.items()
        if times
    ]


def _quantile(times: Iterable[float], share: float) -> float:
    """The smallest that at least this share of them does not exceed."""
    ordered = sorted(times)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def _ms(value: float) -> str:
    return f"{value:,.0f}"
