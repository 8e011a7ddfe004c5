"""How much the sector moves as one, and whether it does so just when it hurts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.covariance.usable import require_unnamed_returns
from risk.crowding.report import robust_z
from risk.errors import DataError, EstimationError
from risk.returns import BARS_PER_DAY
from risk.signals.episodes import Severity, Signal, SignalKind, SignalRule, SignalState

SPIKE_RULE = SignalRule(enter=1.5, leave=0.75, enter_bars=3, leave_bars=6)
"""Up in one hour of twenty, the crashes of February and April 2025 among them (measured)."""

ABSORPTION_RULE = SignalRule(enter=1.5, leave=0.75, enter_bars=1, leave_bars=2)
"""On the standardised shift of days. Its authors take 1 against a year; of the last 5 days against
35, which move further, one day in twelve is above 1.5 (measured)."""

WINDOW_BARS = 3 * BARS_PER_DAY
HISTORY_WINDOWS = 60
STRESS_RANK = 0.8
"""Stress is volatility above four fifths of its own history."""

MIN_SHARE = 0.8
MIN_WINDOWS = 20
_CLOSEST = 1 - 1e-12  # keeps the Fisher transform of a perfect correlation finite


@dataclass(frozen=True, slots=True)
class CorrelationSpike:
    """Correlation of the sector in the last window against its own history.

    Attributes:
        correlation: mean over all pairs of the sector in the last window.
        usual: median over the windows before.
        z: robust z of artanh ``correlation`` against theirs.
        adjusted: ``correlation`` without what the higher volatility alone puts into it.
        benchmark_rank, sector_rank: share of the windows before that were less volatile.
        stressed: the benchmark or the sector is more volatile than in 80 % of them.
        value: what SPIKE_RULE watches: z under stress, otherwise z where it is below 0, else 0.
    """

    correlation: float
    usual: float
    z: float
    adjusted: float
    benchmark_rank: float
    sector_rank: float
    stressed: bool

    @property
    def value(self) -> float:
        """z under stress; without stress never above 0."""
        return self.z if self.stressed else min(self.z, 0.0)


def mean_correlation(log_returns: FloatArray, min_share: float = MIN_SHARE) -> float:
    """Mean Pearson correlation over all pairs of N tokens in (T, N) returns.

    Tokens with fewer than ``min_share`` of the bars, or whose price stands still, are left out;
    of the rest only bars that all of them have are counted. NaN with fewer than two tokens or
    three such bars: unknown, not 0.

    Raises:
        DataError: not two-dimensional, or a return is infinite.
    """
    returns = require_unnamed_returns(log_returns)
    there = ~np.isnan(returns)
    chosen = returns[:, there.mean(axis=0) >= min_share] if len(returns) else returns
    chosen = chosen[~np.isnan(chosen).any(axis=1)]
    centred = chosen - chosen.mean(axis=0) if len(chosen) else chosen
    length = np.sqrt((centred**2).sum(axis=0))
    moving = length > 1e-12
    n = int(moving.sum())
    if n < 2 or len(chosen) < 3:
        return math.nan
    unit = centred[:, moving] / length[moving]
    # The sum over all pairs is the squared length of the summed unit vectors.
    return float(((unit.sum(axis=1) ** 2).sum() - n) / (n * (n - 1)))


def correlation_spike(
    sector_returns: FloatArray,
    benchmark_returns: FloatArray,
    *,
    window_bars: int = WINDOW_BARS,
    step_bars: int = BARS_PER_DAY,
    windows: int = HISTORY_WINDOWS,
) -> CorrelationSpike | None:
    """Mean correlation of the sector now against the windows before, and whether this is stress.

    Windows of ``window_bars`` lie ``step_bars`` apart, counted back from the last bar. z is the
    robust z of artanh ρ against the earlier ones. Stress: the root mean square return of the
    benchmark or of the equal-weighted sector in the last window is above four fifths of its
    earlier values.

    Correlation rises with volatility even when nothing changes between the tokens, so beside it
    stands ρ / √(1 + δ (1 - ρ²)) with δ = (σ / usual σ)² - 1 of the sector and σ taken as it is
    where that is below 0 (Forbes, Rigobon 2002).

    Args:
        sector_returns: (T, N) hourly log returns, oldest first, NaN where missing.
        benchmark_returns: (T,) of BTC.

    Returns None when the last window or all but a few (20) of the earlier ones are unknown.

    Raises:
        DataError: a shape does not fit or a return is infinite.
        EstimationError: an argument below 1.
    """
    sector = require_unnamed_returns(sector_returns)
    benchmark = np.asarray(benchmark_returns, dtype=np.float64)
    if benchmark.shape != sector.shape[:1]:
        raise DataError(f"benchmark has shape {benchmark.shape}, must be {sector.shape[:1]}")
    if np.isinf(benchmark).any():
        raise DataError("benchmark: a return is infinite; NaN means missing")
    if min(window_bars, step_bars, windows) < 1:
        raise EstimationError("windows, their length and their step must be at least 1")
    ends = [
        end for k in range(windows, -1, -1) if (end := len(sector) - k * step_bars) >= window_bars
    ]
    parts = [slice(end - window_bars, end) for end in ends]
    return spike_of([spike_window(sector[part], benchmark[part]) for part in parts])


SpikeWindow = tuple[float, float, float]
"""Of one window: mean correlation of the sector, volatility of the benchmark and of the sector."""


def spike_window(sector_returns: FloatArray, benchmark_returns: FloatArray) -> SpikeWindow:
    """What ``correlation_spike`` compares of one window, NaN where it is unknown.

    It rests on the window's (T, N) and (T,) returns alone, so it is the same whenever it is taken.

    Raises:
        DataError: as ``mean_correlation``.
    """
    there = ~np.isnan(sector_returns)
    count = there.sum(axis=1)
    index = np.where(there, sector_returns, 0.0).sum(axis=1) / np.maximum(count, 1)
    index = np.where(count > 0, index, np.nan)
    return mean_correlation(sector_returns), _volatility(benchmark_returns), _volatility(index)


def spike_of(windows: Sequence[SpikeWindow]) -> CorrelationSpike | None:
    """The last of these windows, oldest first, against those before; as ``correlation_spike``."""
    table = np.array(windows, dtype=np.float64).reshape(-1, 3)
    if not len(table) or np.isnan(table[-1]).any():
        return None
    before = table[:-1][~np.isnan(table[:-1]).any(axis=1)]
    if len(before) < MIN_WINDOWS:
        return None
    rho, sigma_benchmark, sigma_sector = table[-1].tolist()
    # Correlations crowd below 1, so that no rise to it would be far out on their own scale.
    series = np.arctanh(np.minimum(np.append(before[:, 0], rho), _CLOSEST))
    earlier = np.arange(len(series)) < len(before)
    usual_sigma = float(np.median(before[:, 2]))
    delta = max((sigma_sector / usual_sigma) ** 2 - 1, 0.0) if usual_sigma > 0 else 0.0
    rank_benchmark = float((before[:, 1] < sigma_benchmark).mean())
    rank_sector = float((before[:, 2] < sigma_sector).mean())
    return CorrelationSpike(
        correlation=rho,
        usual=float(np.median(before[:, 0])),
        z=float(robust_z(series, earlier)[-1]),
        adjusted=rho / math.sqrt(1 + delta * (1 - rho**2)),
        benchmark_rank=rank_benchmark,
        sector_rank=rank_sector,
        stressed=max(rank_benchmark, rank_sector) > STRESS_RANK,
    )


def absorption_ratio(matrix: FloatArray, count: int | None = None) -> float:
    """Share of the variance that the first k eigenvectors absorb, between k/N and 1.

        AR = Σ_{i≤k} λ_i / Σ_i λ_i,   k = ⌈N / 5⌉ unless given

    (Kritzman, Li, Page, Rigobon 2011.) High: the tokens are one position.

    Args:
        matrix: (N, N) covariance of returns as in the paper, or correlation, where no token
            counts for more by being volatile; symmetric, finite, positive semidefinite.
        count: k, from 1 to N.

    Raises:
        EstimationError: an argument that does not fit, or no variance at all.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise EstimationError(f"matrix has shape {matrix.shape}, must be square and not empty")
    if not np.all(np.isfinite(matrix)):
        raise EstimationError("matrix holds a number that is not finite")
    n = len(matrix)
    k = -(-n // 5) if count is None else count
    if not 1 <= k <= n:
        raise EstimationError(f"{k} eigenvectors of {n} asked for")
    values = np.maximum(np.linalg.eigvalsh((matrix + matrix.T) / 2)[::-1], 0.0)
    if not values[0] > 0:
        raise EstimationError("matrix has no variance to absorb")
    return float(values[:k].sum() / values.sum())


def absorption_shift(ratios: FloatArray, recent: int = 15, long: int = 365) -> float | None:
    """(mean of the last ``recent`` ratios - mean of the last ``long``) / their standard deviation.

    The standardised shift of Kritzman et al. (2011): above 1, tokens have become more of one.

    Args:
        ratios: (K,) daily absorption ratios, oldest first, NaN where unknown.

    Returns None with fewer than four times ``recent`` known ratios or without any dispersion.

    Raises:
        EstimationError: ``recent`` below 1 or not below ``long``.
    """
    if not 1 <= recent < long:
        raise EstimationError(f"shift of {recent} against {long} days")
    known = np.asarray(ratios, dtype=np.float64)[-long:]
    last = known[-recent:]
    known, last = known[~np.isnan(known)], last[~np.isnan(last)]
    if len(known) < 4 * recent or not len(last):
        return None
    spread = float(known.std(ddof=1))
    return float(last.mean() - known.mean()) / spread if spread > 1e-12 else None


def spike_signal(
    state: SignalState, spike: CorrelationSpike, symbols: Sequence[str]
) -> Signal | None:
    """The signal of a state of one thing that watched ``CorrelationSpike.value``, if it is up."""
    if not state.active[0]:
        return None
    sentence = (
        f"The sector moves together under stress: mean correlation {spike.correlation:.2f} against "
        f"a usual {spike.usual:.2f}, while volatility is above "
        f"{max(spike.benchmark_rank, spike.sector_rank):.0%} of its history."
    )
    return Signal(
        SignalKind.CORRELATION_SPIKE,
        tuple(symbols),
        spike.value,
        SPIKE_RULE.enter,
        int(state.since_ms[0]),
        Severity.ALARM,
        sentence,
    )


def absorption_signal(
    state: SignalState, ratio: float, symbols: Sequence[str], long: int = 365
) -> Signal | None:
    """The signal of a state of one thing that watched ``absorption_shift``, if it is up.

    Args:
        ratio: the last absorption ratio.
        long: days that the shift was measured against.
    """
    if not state.active[0]:
        return None
    shift = float(state.value[0])
    sentence = (
        f"The market is becoming one position: its first common factors absorb {ratio:.0%} of all "
        f"variance, {shift:+.1f} standard deviations from the mean of {long} days."
    )
    return Signal(
        SignalKind.ABSORPTION,
        tuple(symbols),
        shift,
        ABSORPTION_RULE.enter,
        int(state.since_ms[0]),
        Severity.WARNING,
        sentence,
    )


def _volatility(returns: FloatArray) -> float:
    """Root mean square of the known returns; NaN with too few."""
    known = returns[~np.isnan(returns)]
    if len(known) < max(MIN_SHARE * len(returns), 1):
        return math.nan
    return math.sqrt(float(known @ known) / len(known))
