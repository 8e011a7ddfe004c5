"""What each rule watches at one bar. Pure; every value comes from a fixed number of bars before.

That is what makes a signal the same after a restart: the values do not depend on how far back the
bars happen to reach, once there are enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.correlation.regime import BEFORE_BARS, RECENT_BARS, CorrelationChange, correlation_change
from risk.correlation.rolling import window_correlation
from risk.covariance.mean_ewma import CovarianceEstimate
from risk.crowding.funding import FundingSeries
from risk.crowding.report import CrowdingMemory, CrowdingReport, crowding
from risk.errors import DataError
from risk.returns import BARS_PER_DAY, HOUR_MS, BarPanel
from risk.signals.activity import VOLUME_DAYS, volume_z
from risk.signals.breadth import MEAN_BARS, Breadth, breadth
from risk.signals.concentration import (
    WINDOW_BARS,
    CorrelationSpike,
    SpikeWindow,
    absorption_ratio,
    absorption_shift,
    spike_of,
    spike_window,
)

PAIR_BARS = 30 * BARS_PER_DAY
MIN_PAIR_BARS = PAIR_BARS // 2
REGIME_BARS = RECENT_BARS + BEFORE_BARS
SPIKE_WINDOWS = 50
SPIKE_BARS = SPIKE_WINDOWS * BARS_PER_DAY + WINDOW_BARS
FUNDING_DAYS = 42
"""Less than what is fetched, so that it is there at every bar looked back on."""

ABSORPTION_BARS = 14 * BARS_PER_DAY
SHIFT_DAYS = 5
SHIFT_LONG_DAYS = 35
SHIFT_KNOWN_DAYS = 28
"""With the bars of the first ratio these are 49 days, and what is fetched at the start is 60."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars and returns of the symbols that can be measured.

    Attributes:
        panel: (T, N) bars.
        returns: (T - 1, N) log returns; row k is of bar k + 1.
        sector: those of the sector, with its columns.
        benchmark: column of BTC.
    """

    panel: BarPanel
    returns: FloatArray
    sector: tuple[str, ...]
    sector_columns: tuple[int, ...]
    benchmark: int | None

    def known_ms(self, row: int) -> int:
        """When bar ``row`` was closed."""
        return int(self.panel.open_ms[row]) + HOUR_MS

    def until(self, row: int, bars: int) -> FloatArray:
        """At most ``bars`` returns up to bar ``row``."""
        return self.returns[max(row - bars, 0) : row]


def breadth_at(bars: Bars, row: int) -> Breadth | None:
    """Breadth of the sector at bar ``row``."""
    if not bars.sector:
        return None
    rows = slice(max(row + 1 - MEAN_BARS - BARS_PER_DAY, 0), row + 1)
    panel, columns = bars.panel, list(bars.sector_columns)
    return breadth(
        BarPanel(
            bars.sector,
            panel.open_ms[rows],
            panel.close[rows][:, columns],
            panel.quote_volume_usd[rows][:, columns],
        )
    )


def volume_at(bars: Bars, row: int) -> FloatArray:
    """(N,) robust z of the volume of bar ``row``."""
    start = max(row - VOLUME_DAYS * BARS_PER_DAY, 0)
    return volume_z(bars.panel.quote_volume_usd[start : row + 1])


def spike_at(bars: Bars, row: int, taken: dict[int, SpikeWindow]) -> CorrelationSpike | None:
    """Correlation of the sector in its last three days against the windows before.

    Args:
        taken: windows by when they end, of the same symbols; those that were not taken yet are
            added, and those that will not be asked for again are dropped.

    Raises:
        DataError: a return is infinite.
    """
    if bars.benchmark is None or len(bars.sector) < 2:
        return None
    oldest = max(row - SPIKE_BARS, 0) + WINDOW_BARS
    ends = range(row - SPIKE_WINDOWS * BARS_PER_DAY, row + 1, BARS_PER_DAY)
    found = []
    for end in ends:
        if end < oldest:
            continue
        known_ms = bars.known_ms(end)
        if known_ms not in taken:
            taken[known_ms] = _spike_window(bars, end, bars.benchmark)
        found.append(taken[known_ms])
    first_ms = bars.known_ms(max(ends[0], 0))
    for known_ms in [one for one in taken if one < first_ms]:
        del taken[known_ms]
    return spike_of(found)


def _spike_window(bars: Bars, row: int, benchmark: int) -> SpikeWindow:
    returns = bars.until(row, WINDOW_BARS)
    one = returns[:, benchmark]
    if np.isinf(one).any():
        raise DataError("benchmark: a return is infinite; NaN means missing")
    return spike_window(returns[:, list(bars.sector_columns)], one)


def regime_at(
    bars: Bars, row: int, symbols: Sequence[str], columns: Sequence[int]
) -> CorrelationChange | None:
    """Last week against the month before, None where history is too short.

    The draws of the bootstrap belong to the hour, so that it is the same whenever it is computed.
    """
    returns = bars.until(row, REGIME_BARS)
    if len(returns) < REGIME_BARS or len(symbols) < 2:
        return None
    seed = bars.known_ms(row) // HOUR_MS
    return correlation_change(returns[:, list(columns)], symbols, seed=seed)


class FundingMemory:
    """Payments of the last weeks and what they told: between two payments both are the same."""

    def __init__(self) -> None:
        """Start empty."""
        self._cut: dict[str, tuple[FundingSeries, slice, FundingSeries]] = {}
        self.crowding = CrowdingMemory()

    def cut(self, series: FundingSeries, start_ms: int, now_ms: int) -> FundingSeries:
        """Only what was settled between these; the same object as long as nothing changes."""
        chosen = series.between(start_ms, now_ms)
        known = self._cut.get(series.symbol)
        if known is None or known[0] is not series or known[1] != chosen:
            known = self._cut[series.symbol] = series, chosen, series.part(chosen)
        return known[2]


def funding_at(
    funding: Mapping[str, FundingSeries],
    estimate: CovarianceEstimate,
    sector: Sequence[str],
    now_ms: int,
    memory: FundingMemory,
) -> CrowdingReport:
    """Crowding as it was known at ``now_ms``, from the last weeks of payments.

    The answer does not depend on ``memory``.
    """
    start_ms = now_ms - FUNDING_DAYS * BARS_PER_DAY * HOUR_MS
    cut = {symbol: memory.cut(series, start_ms, now_ms) for symbol, series in funding.items()}
    members = frozenset(sector)
    return crowding(
        {symbol: series for symbol, series in cut.items() if len(series.time_ms)},
        estimate,
        in_sector=np.array([s in members for s in estimate.symbols]),
        now_ms=now_ms,
        memory=memory.crowding,
    )


def absorption_at(bars: Bars, row: int) -> float | None:
    """Share of variance in the sector's first factors over 14 days; None where it is unknown.

    Tokens that were there for less than half of the time, or whose price stood still, are left out.
    """
    returns = bars.until(row, ABSORPTION_BARS)
    if len(returns) < ABSORPTION_BARS:
        return None
    matrix, _ = window_correlation(returns[:, list(bars.sector_columns)], ABSORPTION_BARS // 2)
    while np.isnan(matrix).any():
        worst = int(np.argmax(np.isnan(matrix).sum(axis=0)))
        matrix = np.delete(np.delete(matrix, worst, axis=0), worst, axis=1)
    return absorption_ratio(matrix) if len(matrix) > 1 else None


def shifts(ratios: Sequence[float | None], days: int) -> FloatArray:
    """(K, 1) standardised shift of at most the last ``days`` days, NaN where unknown.

    Each against the 35 days to it, of which 28 must be known.
    """
    values = np.array([np.nan if r is None else r for r in ratios], dtype=np.float64)
    found: list[list[float]] = []
    for end in range(max(len(values) - days, 0) + 1, len(values) + 1):
        window = values[max(end - SHIFT_LONG_DAYS, 0) : end]
        shift = None
        if (~np.isnan(window)).sum() >= SHIFT_KNOWN_DAYS:
            shift = absorption_shift(window, SHIFT_DAYS, SHIFT_LONG_DAYS)
        found.append([np.nan if shift is None else shift])
    return np.array(found, dtype=np.float64).reshape(-1, 1)
