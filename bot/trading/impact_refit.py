"""Follows own orders' costs in the journal, and what they say of the impact coefficient."""

from collections import deque
from dataclasses import asdict
from typing import Any

import numpy as np

from bot.journal.journal import Journal
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
            for cost in event.document["costs"]
            if (point := _point(cost)) is not None
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


def _point(cost: dict[str, Any]) -> tuple[float, float] | None:
    """Participation and impact of an order that only took; None of any other."""
    root, impact, notional = (
        cost[name] for name in ("participation_root", "impact_usd", "notional_usd")
    )
    if root is None or impact is None or not notional or cost["maker_share"] > 0:
        return None
    return float(root), float(impact) / float(notional)
