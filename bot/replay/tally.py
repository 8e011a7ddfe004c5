"""Counts over the cycles of a replay, one document after another. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_BREACHES = {
    "breaches_unhedged": "alone",
    "breaches_before": "found",
    "breaches_after": "left",
}
_COUNTS = ("alone", "found", "left", "avoided")


def decided(latency_ms: Mapping[str, float] | None) -> bool:
    """Whether the strategy was asked in a cycle that took this long in its parts."""
    return "deciding" in (latency_ms or {})


class Tally:
    """What the cycles added up to.

    Attributes:
        statuses: cycles by how they ended.
        decisions: cycles in which the strategy was asked.
        unmeasured: cycles that ended before the account was measured; their breaches are unknown.
        slippage_usd: what all orders cost against the price of their decision, fees aside; None
            as soon as one order's is not known.
        breaches: by cap, cycles in which the bot alone exceeds it, that found it exceeded, that
            left it so, and in which hedges kept what the bot alone exceeds.
        breach_hours: the same of any cap; a cycle counts once, however many caps it exceeds.
    """

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        self.statuses: Counter[str] = Counter()
        self.decisions = 0
        self.unmeasured = 0
        self.slippage_usd: float | None = 0.0
        self.breaches: dict[str, dict[str, int]] = {}
        self.breach_hours = dict.fromkeys(_COUNTS, 0)
        for document in documents:
            self._add(document)

    def _add(self, document: Mapping[str, Any]) -> None:
        self.statuses[str(document["status"])] += 1
        self.decisions += decided(document.get("latency_ms"))
        self.unmeasured += document.get("hedge_gross_usd") is None
        exceeded = {when: _caps(document, key) for key, when in _BREACHES.items()}
        if document.get("volatility_after_daily_usd") is not None:  # else nobody knows the end
            exceeded["avoided"] = exceeded["alone"] - exceeded["left"]
        for when, caps in exceeded.items():
            self.breach_hours[when] += bool(caps)
            for cap in caps:
                self.breaches.setdefault(cap, dict.fromkeys(_COUNTS, 0))[when] += 1
        for order in document.get("costs") or ():
            usd = order.get("shortfall_usd")
            if usd is None or self.slippage_usd is None:
                self.slippage_usd = None
            else:
                self.slippage_usd += float(usd)


def _caps(document: Mapping[str, Any], key: str) -> set[str]:
    return {str(breach["cap"]) for breach in document.get(key) or ()}
