"""Counts over the cycles of a replay, one document after another. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def decided(latency_ms: Mapping[str, float] | None) -> bool:
    """Whether the strategy was asked in a cycle that took this long in its parts."""
    return "deciding" in (latency_ms or {})


class Tally:
    """What the cycles added up to.

    Attributes:
        statuses: cycles by how they ended.
        decisions: cycles in which the strategy was asked.
        slippage_usd: what all orders cost against the price of their decision, fees aside; None
            as soon as one order's is not known.
        breaches: by cap, cycles that found it exceeded and cycles that left it so.
    """

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        self.statuses: Counter[str] = Counter()
        self.decisions = 0
        self.slippage_usd: float | None = 0.0
        self.breaches: dict[str, dict[str, int]] = {}
        for document in documents:
            self._add(document)

    def _add(self, document: Mapping[str, Any]) -> None:
        self.statuses[str(document["status"])] += 1
        self.decisions += decided(document.get("latency_ms"))
        for key, when in (("breaches_before", "found"), ("breaches_after", "left")):
            for cap in dict.fromkeys(str(b["cap"]) for b in document.get(key) or ()):
                self.breaches.setdefault(cap, {"found": 0, "left": 0})[when] += 1
        for order in document.get("costs") or ():
            usd = order.get("shortfall_usd")
            if usd is None or self.slippage_usd is None:
                self.slippage_usd = None
            else:
                self.slippage_usd += float(usd)
