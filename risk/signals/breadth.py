"""Breadth: how many of the sector's tokens take part in a move, as a cross-check of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError, EstimationError
from risk.returns import BARS_PER_DAY, BarPanel, faulty_closes
from risk.signals.episodes import Severity, Signal, SignalKind, SignalRule, SignalState

MEAN_BARS = 7 * BARS_PER_DAY
MOVE_BARS = BARS_PER_DAY
MIN_MOVE = 0.03
"""Moves of the sector smaller than this need no confirmation; its day is about 4 to 6 %."""

BREADTH_RULE = SignalRule(enter=0.1, leave=0.05, enter_bars=3, leave_bars=3)
"""On the divergence; it leaves above 0, which is what a move too small to confirm has."""

MIN_SHARE = 0.8
MIN_TOKENS = 3


@dataclass(frozen=True, slots=True)
class Breadth:
    """How the tokens of a sector stand at the last bar.

    Attributes:
        tokens: how many are known; the figures are over these.
        above_mean: share whose close is above their mean close of the last 7 days.
        advancing, declining: share that rose, fell, over the last 24 hours.
        advance_decline: advancing - declining, each token with equal weight, -1 to 1.
        move: return of the sector over the last 24 hours, each token weighted by what it trades.
        unknown: symbols left out for want of bars.
    """

    tokens: int
    above_mean: float
    advancing: float
    declining: float
    advance_decline: float
    move: float
    unknown: tuple[str, ...]

    @property
    def divergence(self) -> float:
        """-sign(move) · ½ (advance_decline + 2 above_mean - 1) for a move of at least 3 %, else 0.

        From -1 (every token takes part) to 1 (all the others go the other way). What BREADTH_RULE
        watches.
        """
        if abs(self.move) < MIN_MOVE:
            return 0.0
        return -math.copysign(1.0, self.move) * self._breadth

    @property
    def _breadth(self) -> float:
        return (self.advance_decline + 2 * self.above_mean - 1) / 2


def breadth(panel: BarPanel, at: int = -1) -> Breadth | None:
    """Breadth of the panel's tokens at one bar, from closes until then.

    A token counts with at least 80 % of the 168 closes to the bar, and a close at the bar and 24
    hours before. An unchanged close neither advances nor declines. Weights of the move are the
    quote volumes of the 7 days (equal where no volume is known); an index weighted so is what the
    headlines report, and a few large tokens may make it.

    Args:
        panel: hourly bars of the sector's tokens, without benchmarks.
        at: row of the bar; the last by default.

    Returns None with fewer than three known tokens or with less than 25 bars: too few to speak of
    breadth.

    Raises:
        DataError: a close that cannot be used, named with its time, or a volume that is negative or
            infinite.
        EstimationError: the panel has no such row.
    """
    rows = len(panel.open_ms)
    if not -rows <= at < rows:
        if not rows:
            return None
        raise EstimationError(f"breadth at bar {at} of {rows}")
    end = at % rows + 1
    if end <= MOVE_BARS:
        return None
    faults = faulty_closes(panel)
    if faults:
        raise DataError("; ".join(f"{fault.symbol}: {fault.reason}" for fault in faults))
    close = panel.close[max(end - MEAN_BARS, 0) : end]
    there = ~np.isnan(close)
    last, before = close[-1], panel.close[end - 1 - MOVE_BARS]
    known = (there.sum(axis=0) >= MIN_SHARE * MEAN_BARS) & there[-1] & ~np.isnan(before)
    unknown = tuple(s for s, ok in zip(panel.symbols, known.tolist(), strict=True) if not ok)
    count = int(known.sum())
    if count < MIN_TOKENS:
        return None
    mean = np.where(there, close, 0.0).sum(axis=0)[known] / there.sum(axis=0)[known]
    change = last[known] / before[known] - 1
    weight = _weights(panel, known_columns=known, start=max(end - MEAN_BARS, 0), end=end)
    advancing, declining = float((change > 0).mean()), float((change < 0).mean())
    return Breadth(
        tokens=count,
        above_mean=float((last[known] > mean).mean()),
        advancing=advancing,
        declining=declining,
        advance_decline=advancing - declining,
        move=float(weight @ change),
        unknown=unknown,
    )


def breadth_signal(state: SignalState, now: Breadth, symbols: Sequence[str]) -> Signal | None:
    """The signal of a state of one thing that watched ``Breadth.divergence``, if it is up."""
    if not state.active[0]:
        return None
    sentence = (
        f"Breadth does not confirm the sector's move of {now.move:+.1%} in 24 hours: "
        f"{now.advancing:.0%} of its {now.tokens} tokens rose, {now.declining:.0%} fell, and "
        f"{now.above_mean:.0%} stand above their 7-day mean."
    )
    return Signal(
        SignalKind.BREADTH,
        tuple(symbols),
        float(state.value[0]),
        BREADTH_RULE.enter,
        int(state.since_ms[0]),
        Severity.NOTE,
        sentence,
    )


def _weights(
    panel: BarPanel,
    *,
    known_columns: NDArray[np.bool_],
    start: int,
    end: int,
) -> FloatArray:
    volume = panel.quote_volume_usd[start:end, known_columns]
    if np.any(volume < 0) or np.isinf(volume).any():
        raise DataError("a volume is negative or infinite")
    there = ~np.isnan(volume)
    traded = np.where(there, volume, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    if not there.any(axis=0).all() or traded.sum() <= 0:
        traded = np.ones(len(traded))
    weights: FloatArray = traded / traded.sum()
    return weights
