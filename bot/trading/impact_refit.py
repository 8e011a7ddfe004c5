"""Follows own orders' costs in the journal, and what they say of the impact coefficient.

The law is of a trade that is taken at once. So what an intent took at once is one point, however
many orders it was cut into: by all that they took together, and with what each of them moved the
price away from the next. Slices over time are none: between them the book recovers, so that each
pays for its own size alone, and the market moves.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from bot.journal.journal import Journal
from bot.trading.styles import Style
from strategies.impact_fit import ImpactFit, ImpactPrior, fit_impact

_MOST = 2000
"""The newest orders that are looked at."""
_NEWS = 0.05
"""A change of the coefficient by so much is journaled."""


class ImpactRefit:
    """The estimate from one journal; ``used``: decisions are to reckon with it."""

    def __init__(self, journal: Journal, prior: ImpactPrior, *, used: bool) -> None:
        self._journal = journal
        self._prior = prior
        self._used = used
        self._seen = 0
        self._points: deque[tuple[float, float]] = deque(maxlen=_MOST)
        self._fit: ImpactFit | None = None
        told = journal.kept_events("impact_refit", limit=1)
        self._told: float | None = told[-1].document["coefficient"] if told else None

    @property
    def fit(self) -> ImpactFit | None:
        """The newest one; None before the first look, and while there are too few fills."""
        return None if self._fit is None or self._fit.raw is None else self._fit

    def impact(self, chosen: float) -> float:
        """What a decision reckons with where its owner chose this."""
        return self.fit.coefficient if self._used and self.fit is not None else chosen

    def update(self) -> None:
        """Takes in what was journaled since the last time.

        Raises:
            JournalError: it cannot be read or written.
        """
        newest = self._journal.newest_event()
        if newest == self._seen:
            return
        points = [
            point
            for event in self._journal.kept_events("order_costs", after_id=self._seen)
            for taken in _by_intent(event.document["costs"])
            if (point := _point(taken)) is not None
        ]
        self._seen = newest
        if not points:
            return
        self._points.extend(points)
        known = np.array(self._points)
        self._fit = fit_impact(known[:, 0], known[:, 1], self._prior)
        self._tell()

    def _tell(self) -> None:
        fit, told = self.fit, self._told
        if fit is None or (told is not None and abs(fit.coefficient / told - 1) <= _NEWS):
            return
        self._told = fit.coefficient
        self._journal.record_event("impact_refit", {**asdict(fit), "was": told, "used": self._used})


def _by_intent(costs: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The orders of each intent that one plan sent, in the order in which they left."""
    found: dict[str, list[dict[str, Any]]] = {}
    for cost in costs:
        found.setdefault(cost["intent_id"], []).append(cost)
    return list(found.values())


def _point(costs: Sequence[dict[str, Any]]) -> tuple[float, float] | None:
    """Participation and impact of what an intent took at once; None where that is not known.

    x = σ·√(taken/ADV), and y is what was paid beyond the best price before the first order, as a
    fraction: the impact of each order, and what the middle price had moved by when it left.
    """
    if any(one["style"] == Style.SLICED or one["impact_usd"] is None for one in costs):
        return None
    took = [one for one in costs if one["maker_share"] == 0 and one["notional_usd"]]
    if not took:
        return None
    first = took[0]
    root, intent_usd = first["participation_root"], first.get("intent_usd")
    if root is None or not intent_usd:
        return None
    taken_usd = sum(one["notional_usd"] for one in took)
    moved = first["drift_usd"] / first["notional_usd"]
    paid_usd = sum(
        one["impact_usd"] + one["drift_usd"] - moved * one["notional_usd"] for one in took
    )
    return float(root * (taken_usd / intent_usd) ** 0.5), float(paid_usd / taken_usd)
