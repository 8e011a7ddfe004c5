"""Correlation as traders read it: clusters, an order for heatmaps, and beta to a benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.errors import EstimationError

CLUSTER_THRESHOLD = 0.6
"""AI tokens correlate by 0.55 to 0.7 on average, so at 0.6 most of the sector is one cluster and
the tokens that go their own way stand apart."""


@dataclass(frozen=True, slots=True)
class Clustering:
    """Groups of tokens that move together, of N tokens in C clusters.

    Attributes:
        order: (N,) indices of the tokens as a heatmap shows them, similar ones side by side;
            every cluster is one run of it.
        labels: (N,) cluster of each token, 0 to C - 1, numbered by first appearance among the
            tokens; a token alone is a cluster of its own.
        names: (C,) each cluster is called after its most typical member, the symbol with the
            highest mean correlation to the others (the first by name of equals).
        threshold: lowest mean correlation between two groups that were still merged.
    """

    order: NDArray[np.int64]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    threshold: float


@dataclass(frozen=True, slots=True)
class Beta:
    """Sensitivity of N tokens to a benchmark.

    Attributes:
        benchmark: its symbol.
        value: (N,) β_i, the token's expected log return for one of the benchmark's.
        standard_error: (N,) of β_i; 0 for the benchmark itself.
        correlation: (N,) to the benchmark.
    """

    benchmark: str
    value: FloatArray
    standard_error: FloatArray
    correlation: FloatArray


def correlation_of(covariance: FloatArray) -> FloatArray:
    """ρ_ij = Σ_ij / √(Σ_ii Σ_jj), shape (N, N), diagonal exactly 1, within [-1, 1].

    NaN stays NaN, off the diagonal too.

    Raises:
        EstimationError: not square, or a variance that is not above 0.
    """
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise EstimationError(f"covariance has shape {covariance.shape}, must be square")
    variance = np.diag(covariance)
    if np.any(variance <= 0):
        raise EstimationError(f"variance {variance.min():g}, must be above 0")
    scale = np.sqrt(variance)
    correlation: FloatArray = np.clip(covariance / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(correlation, np.where(np.isnan(variance), np.nan, 1.0))
    return correlation


class ClusterMemory:
    """The clusters of the estimate asked for last, which change with it alone."""

    def __init__(self) -> None:
        self._last: tuple[CovarianceEstimate, Clustering] | None = None

    def of(self, estimate: CovarianceEstimate) -> Clustering:
        """As ``cluster`` finds them; the same object for the same estimate."""
        if self._last is None or self._last[0] is not estimate:
            self._last = estimate, cluster(estimate.correlation, estimate.symbols)
        return self._last[1]


def cluster(
    correlation: FloatArray, symbols: Sequence[str], threshold: float = CLUSTER_THRESHOLD
) -> Clustering:
    """Hierarchical clusters by average linkage on the distance 1 - ρ.

    With average linkage the distance of two groups is the mean over their pairs, so two groups
    are merged exactly while the mean correlation between them is at least ``threshold``. (Average
    linkage: Sokal, Michener 1958.) At each merge the two groups are turned so that those two of
    their ends meet that are closest (Gruvaeus, Wainer 1972): from neighbour to neighbour that is
    1 % longer than the best order of the tree, and shorter than the one that scipy finds in several
    times the time (measured).

    Args:
        correlation: (N, N), symmetric, finite.
        symbols: N symbols, for the names.
        threshold: a correlation, above -1 and at most 1.

    Raises:
        EstimationError: a shape does not fit, a correlation is not finite, or the threshold is
            out of range.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    n = len(symbols)
    if correlation.shape != (n, n) or not np.all(np.isfinite(correlation)):
        raise EstimationError(f"correlation must be a finite ({n}, {n}) matrix")
    if not -1 < threshold <= 1:
        raise EstimationError(f"cluster threshold is {threshold}, must be above -1 and at most 1")
    if n < 2:
        labels = np.zeros(n, dtype=np.int64)
        return Clustering(np.arange(n), labels, tuple(symbols), threshold)
    distance = np.clip(1.0 - (correlation + correlation.T) / 2, 0.0, 2.0)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average")
    # The margin lets a pair at exactly the threshold join in spite of rounding.
    order, raw = _leaves_and_groups(tree, distance.tolist(), 1.0 - threshold + 1e-12)
    if order[0] > order[-1]:
        order = order[::-1].copy()  # a tree reads the same from both ends; always take one
    labels = _by_first_appearance(raw)
    return Clustering(order, labels, _names(correlation, symbols, labels), threshold)


def beta(estimate: CovarianceEstimate, benchmark: str) -> Beta:
    """β_i = Σ_ib / Σ_bb with its standard error, for all N symbols of the estimate.

    With n effective observations of the benchmark, and n_i of the two together (the fewer of both),

        se_i² = ((1 - ρ²/2) / (n_i - 1) - ρ²/2 / (n - 1)) σ_i² / σ_b²

    by the delta method for β = ρ_ib σ_i / σ_b, where ρ and σ_i rest on n_i bars and σ_b on n; for
    equal histories that of least squares, √((1 - ρ²)/(n - 1)) σ_i/σ_b. A young token's is larger.
    It takes hours as independent and evenly volatile within the weights, so in turbulent times it
    is a lower bound; ``risk.exposure.beta_error`` is not. β comes from the same shrunk
    covariance as every other figure, so it is a little closer to the mean token than a plain
    regression.

    Raises:
        MissingDataError: the benchmark is not in the estimate.
        EstimationError: fewer than two effective observations.
    """
    b = estimate.column(benchmark)
    sigma, rho = estimate.volatility_daily, estimate.correlation[b]
    bars = np.minimum(estimate.effective_bars, estimate.effective_bars[b])
    if bars.min() < 2:
        short = estimate.symbols[int(bars.argmin())]
        raise EstimationError(f"{short}: fewer than two effective observations for a beta")
    value = estimate.covariance_daily[b] / estimate.covariance_daily[b, b]
    half = rho * rho / 2
    share = (1 - half) / (bars - 1) - half / (bars[b] - 1)
    error = np.sqrt(np.maximum(share, 0.0)) * (sigma / sigma[b])
    error[b] = 0.0
    value[b] = 1.0
    return Beta(benchmark, value, error, rho.copy())


def _leaves_and_groups(
    tree: FloatArray, distance: list[list[float]], highest: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) leaves from left to right, and for each token a number of its group below ``highest``.

    Read off the merges in one pass: with average linkage no merge is lower than one before it, so
    what was merged up to that height is one group.
    """
    n = len(tree) + 1
    under: list[list[int]] = [[i] for i in range(n)]
    group = list(range(n))
    for left, right, height in zip(*tree[:, :3].T.tolist(), strict=True):
        merged = _joined(under[int(left)], under[int(right)], distance)
        under.append(merged)
        if height <= highest:
            for i in merged:
                group[i] = merged[0]
    return np.array(under[-1], dtype=np.int64), np.array(group, dtype=np.int64)


def _joined(one: list[int], other: list[int], distance: list[list[float]]) -> list[int]:
    """Two rows of leaves side by side, turned so that the closest of their ends meet."""
    last, first = distance[one[-1]], distance[one[0]]
    gaps = (last[other[0]], last[other[-1]], first[other[0]], first[other[-1]])
    best = gaps.index(min(gaps))
    return (one if best < 2 else one[::-1]) + (other[::-1] if best % 2 else other)


def _by_first_appearance(raw: NDArray[np.int64]) -> NDArray[np.int64]:
    number: dict[int, int] = {}
    return np.array([number.setdefault(int(k), len(number)) for k in raw], dtype=np.int64)


def _names(
    correlation: FloatArray, symbols: Sequence[str], labels: NDArray[np.int64]
) -> tuple[str, ...]:
    names = []
    for k in range(int(labels.max()) + 1):
        members = np.flatnonzero(labels == k)
        typical = correlation[np.ix_(members, members)].sum(axis=1)
        # Two members are equally typical of a pair: then the first by name, in whatever order.
        best = members[typical >= typical.max() - 1e-12]
        names.append(min(symbols[i] for i in best.tolist()))
    return tuple(names)
