"""Everything a trader asks of correlation at one moment, in one value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from risk.book import FloatArray
from risk.correlation.benchmark_beta import BenchmarkBeta, benchmark_beta
from risk.correlation.clusters import CLUSTER_THRESHOLD, Clustering, cluster
from risk.correlation.pair_history import Bar, BarReturns, daily_returns, hourly_returns
from risk.correlation.rolling import window_correlation
from risk.correlation.volume_weighted import VolumeWeighted, volume_weighted_correlation
from risk.covariance.usable import filled_with_mean
from risk.errors import DataError
from risk.exclusion import Excluded, selection
from risk.liquidity import MIN_DAILY_VOLUME_USD, liquidity_filter
from risk.returns import BARS_PER_DAY, BarPanel, utc, without_faults

LONG_DAYS, SHORT_DAYS = 30, 7
BENCHMARKS = ("BTC/USDT:USDT", "ETH/USDT:USDT")

LEAST_SHARE = 14 / 30
"""A correlation over a window rests on at least this share of its bars, or it is unknown: of 30
days the 14 that a token needs before it may carry a hedge."""


@dataclass(frozen=True, slots=True)
class CorrelationMatrix:
    """Pearson correlation of log returns over one window.

    Attributes:
        symbols: N symbols.
        window_days, bar: of the window.
        matrix: (N, N), diagonal 1; NaN for a pair that shares less than 14/30 of the window's bars
            or of which one price did not move; the diagonal too where that holds for the token.
        observations: (N, N) bars that each pair shares.
    """

    symbols: tuple[str, ...]
    window_days: int
    bar: Bar
    matrix: FloatArray
    observations: FloatArray


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A pair whose volume-weighted correlation is further from the plain one than its error."""

    one: str
    other: str
    plain: float
    weighted: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class CorrelationReport:
    """Correlation of the liquid tokens of a panel at its last bar.

    Attributes:
        symbols: N symbols, the order of every matrix.
        time_ms: when the last bar closed, UTC milliseconds.
        hourly_30d, hourly_7d, daily_30d: the matrices.
        clusters: of the 30-day hourly matrix, where unknown pairs count as the mean of the known.
        volume_weighted: over the same 30 days of hours.
        disagreements: its flagged pairs, the most different first.
        betas: to each benchmark that is there, over 30 and over 7 days, keyed by
            ``(benchmark, days)``.
        excluded: who was left out and why, benchmarks that are missing too.
    """

    symbols: tuple[str, ...]
    time_ms: int
    hourly_30d: CorrelationMatrix
    hourly_7d: CorrelationMatrix
    daily_30d: CorrelationMatrix
    clusters: Clustering
    volume_weighted: VolumeWeighted
    disagreements: tuple[Disagreement, ...]
    betas: Mapping[tuple[str, int], BenchmarkBeta]
    excluded: tuple[Excluded, ...]

    def cluster_members(self) -> tuple[tuple[str, ...], ...]:
        """The symbols of each cluster, clusters in the order of their names' indices."""
        labels = self.clusters.labels.tolist()
        return tuple(
            tuple(s for s, label in zip(self.symbols, labels, strict=True) if label == k)
            for k in range(len(self.clusters.names))
        )


def correlation_report(
    panel: BarPanel,
    *,
    benchmarks: Sequence[str] = BENCHMARKS,
    min_daily_volume_usd: float = MIN_DAILY_VOLUME_USD,
    cluster_threshold: float = CLUSTER_THRESHOLD,
) -> CorrelationReport:
    """The report over the last 30 days of a panel of closed hourly bars.

    Left out, each with a reason, are symbols with a close or a volume that cannot be used, with
    less average daily volume over the 30 days than the floor (benchmarks excepted, which are
    there to be compared with), with less than 14 days of returns in the 30, and those whose price
    did not move. If nothing is left the report is empty, with matrices of shape (0, 0), and
    ``excluded`` tells why.

    Args:
        panel: closed hourly bars up to the moment of the report; only the last 31 days matter.
        benchmarks: symbols for betas.
        min_daily_volume_usd: floor of average daily quote volume.
        cluster_threshold: as ``cluster``.

    Raises:
        DataError: the panel has no bars at all.
        EstimationError: the cluster threshold is out of range.
    """
    if not len(panel.open_ms):
        raise DataError("no bars to report correlation from")
    # One bar more than the window gives its first return, and a whole day the first daily one.
    recent = _last_bars(panel, (LONG_DAYS + 2) * BARS_PER_DAY)
    clean, excluded = _screened(recent, benchmarks, min_daily_volume_usd)
    symbols = clean.symbols
    hourly, daily = hourly_returns(clean), daily_returns(clean)
    long = _matrix(hourly, LONG_DAYS)
    weighted = _weighted(clean, hourly)
    absent = tuple(
        Excluded(benchmark, "benchmark without bars")
        for benchmark in benchmarks
        if benchmark not in panel.symbols
    )
    return CorrelationReport(
        symbols=symbols,
        time_ms=int(panel.open_ms[-1]) + Bar.HOURLY.length_ms,
        hourly_30d=long,
        hourly_7d=_matrix(hourly, SHORT_DAYS),
        daily_30d=_matrix(daily, LONG_DAYS),
        clusters=_clusters(long.matrix, symbols, cluster_threshold),
        volume_weighted=weighted,
        disagreements=_disagreements(weighted),
        betas=_betas(hourly, [b for b in benchmarks if b in symbols]),
        excluded=excluded + absent,
    )


def _last_bars(panel: BarPanel, bars: int) -> BarPanel:
    return BarPanel(
        panel.symbols, panel.open_ms[-bars:], panel.close[-bars:], panel.quote_volume_usd[-bars:]
    )


def _screened(
    panel: BarPanel, benchmarks: Sequence[str], min_daily_volume_usd: float
) -> tuple[BarPanel, tuple[Excluded, ...]]:
    """The panel of those that can be reported on, and the others in the panel's order."""
    clean, faulty = without_faults(panel)
    reasons = [*faulty, *_faulty_volumes(clean)]
    clean = clean.subset(selection(clean.symbols, reasons).kept)
    thin = liquidity_filter(clean, min_daily_volume_usd, LONG_DAYS).excluded
    reasons += [item for item in thin if item.symbol not in benchmarks]
    reasons += _without_history(clean)
    kept = selection(clean.symbols, reasons).kept
    return clean.subset(kept), selection(panel.symbols, reasons).excluded


def _faulty_volumes(panel: BarPanel) -> Iterator[Excluded]:
    volume = panel.quote_volume_usd
    bad = (volume < 0) | np.isinf(volume)
    for column in np.flatnonzero(bad.any(axis=0)).tolist():
        row = int(bad[:, column].argmax())
        yield Excluded(
            panel.symbols[column],
            f"volume is {volume[row, column]:g} USD at {utc(panel.open_ms[row])}, "
            "must be at least 0",
        )


def _without_history(panel: BarPanel) -> Iterator[Excluded]:
    bars = LONG_DAYS * BARS_PER_DAY
    least = round(LEAST_SHARE * bars)
    matrix, count = window_correlation(hourly_returns(panel).log_return[-bars:])
    for column, symbol in enumerate(panel.symbols):
        if count[column, column] < least:
            reason = (
                f"only {count[column, column]:.0f} hourly returns in the last {LONG_DAYS} days, "
                f"needs {least}"
            )
            yield Excluded(symbol, reason)
        elif np.isnan(matrix[column, column]):
            yield Excluded(symbol, f"price did not move in the last {LONG_DAYS} days")


def _matrix(returns: BarReturns, days: int) -> CorrelationMatrix:
    bars = returns.window_bars(days)
    least = round(LEAST_SHARE * bars)
    matrix, count = window_correlation(returns.log_return[-bars:], least)
    return CorrelationMatrix(returns.symbols, days, returns.bar, matrix, count)


def _clusters(matrix: FloatArray, symbols: tuple[str, ...], threshold: float) -> Clustering:
    complete = filled_with_mean(matrix) if len(symbols) else matrix
    return cluster(complete, symbols, threshold)


def _weighted(panel: BarPanel, hourly: BarReturns) -> VolumeWeighted:
    bars = LONG_DAYS * BARS_PER_DAY
    return volume_weighted_correlation(
        hourly.log_return[-bars:],
        panel.quote_volume_usd[1:][-bars:],
        panel.symbols,
        round(LEAST_SHARE * bars),
    )


def _disagreements(weighted: VolumeWeighted) -> tuple[Disagreement, ...]:
    found = [
        Disagreement(
            weighted.symbols[i],
            weighted.symbols[j],
            float(weighted.plain[i, j]),
            float(weighted.correlation[i, j]),
            float(weighted.standard_error[i, j]),
        )
        for i, j in combinations(range(len(weighted.symbols)), 2)
        if weighted.disagrees[i, j]
    ]
    return tuple(sorted(found, key=lambda d: -abs(d.weighted - d.plain)))


def _betas(hourly: BarReturns, benchmarks: Sequence[str]) -> dict[tuple[str, int], BenchmarkBeta]:
    betas = {}
    for benchmark in benchmarks:
        for days in (LONG_DAYS, SHORT_DAYS):
            bars = hourly.window_bars(days)
            least = round(LEAST_SHARE * bars)
            rows = hourly.log_return[-bars:]
            betas[benchmark, days] = benchmark_beta(rows, hourly.symbols, benchmark, least)
    return betas
