"""Clusters, heatmap order and beta."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from risk.book import FloatArray
from risk.correlation.clusters import beta, cluster, correlation_of
from risk.covariance.estimate import CovarianceEstimate, estimate_from
from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.errors import EstimationError, MissingDataError


def blocks(sizes: list[int], inside: float, outside: float) -> FloatArray:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    same = labels[:, None] == labels
    matrix = np.where(same, inside, outside)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def estimate(
    volatility: list[float], correlation: FloatArray, bars: float = 101.0
) -> CovarianceEstimate:
    n = len(volatility)
    return estimate_from(
        [f"T{i}" for i in range(n)],
        np.array(volatility),
        correlation,
        observed_bars=np.full(n, bars),
    )


def test_correlation_from_covariance() -> None:
    covariance = np.array([[4.0, 1.0], [1.0, 1.0]])
    assert correlation_of(covariance).tolist() == [[1.0, 0.5], [0.5, 1.0]]
    with pytest.raises(EstimationError, match="variance 0"):
        correlation_of(np.array([[0.0, 0.0], [0.0, 1.0]]))
    with pytest.raises(EstimationError, match="square"):
        correlation_of(np.ones((2, 3)))


def test_correlation_of_the_unknown_is_unknown() -> None:
    found = correlation_of(np.array([[np.nan, np.nan], [np.nan, 1.0]]))
    assert np.isnan(found).tolist() == [[True, True], [True, False]]


def test_blocks_are_found_whatever_the_order() -> None:
    matrix = blocks([3, 2, 1], 0.9, 0.2)
    order = np.array([4, 0, 5, 1, 3, 2])
    found = cluster(matrix[np.ix_(order, order)], [f"T{i}" for i in order])
    assert found.labels.tolist() == [0, 1, 2, 1, 0, 1]
    # Each cluster is one run of the heatmap.
    runs = found.labels[found.order]
    assert 1 + (np.diff(runs) != 0).sum() == 3
    assert sorted(found.order.tolist()) == list(range(6))


def test_the_threshold_is_the_mean_correlation_between_groups() -> None:
    # 0-1 at 0.9; the mean correlation of 2 with them is (0.5 + 0.7) / 2 = 0.6.
    matrix = np.array([[1.0, 0.9, 0.5], [0.9, 1.0, 0.7], [0.5, 0.7, 1.0]])
    assert cluster(matrix, "abc", 0.60).labels.tolist() == [0, 0, 0]
    assert cluster(matrix, "abc", 0.61).labels.tolist() == [0, 0, 1]
    assert cluster(matrix, "abc", 0.91).labels.tolist() == [0, 1, 2]


def test_a_cluster_is_called_after_its_most_typical_member() -> None:
    matrix = np.array([[1.0, 0.9, 0.7], [0.9, 1.0, 0.8], [0.7, 0.8, 1.0]])
    assert cluster(matrix, ["A", "B", "C"]).names == ("B",)


def test_small_universes() -> None:
    assert cluster(np.zeros((0, 0)), []).names == ()
    one = cluster(np.ones((1, 1)), ["A"])
    assert (one.names, one.labels.tolist(), one.order.tolist()) == (("A",), [0], [0])


@pytest.mark.parametrize("threshold", [-1.0, 1.1, float("nan")])
def test_thresholds_out_of_range(threshold: float) -> None:
    with pytest.raises(EstimationError, match="threshold"):
        cluster(np.eye(2), ["A", "B"], threshold)


def test_an_unknown_correlation_is_refused() -> None:
    with pytest.raises(EstimationError, match="finite"):
        cluster(np.full((2, 2), np.nan), ["A", "B"])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 12))
def test_clusters_do_not_depend_on_the_order_of_symbols(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, 3)) + 1.0
    matrix = correlation_of(root @ root.T + 0.5 * np.eye(n))
    names = [f"T{i}" for i in range(n)]
    plain = cluster(matrix, names)
    order = rng.permutation(n)
    other = cluster(matrix[np.ix_(order, order)], [names[i] for i in order])
    together = plain.labels[:, None] == plain.labels
    assert (together[np.ix_(order, order)] == (other.labels[:, None] == other.labels)).all()
    assert set(plain.names) == set(other.names)
    assert sorted(plain.order.tolist()) == list(range(n))


def test_beta_by_hand() -> None:
    found = beta(estimate([0.04, 0.02], blocks([2], 0.5, 0)), "T1")
    assert found.value == pytest.approx([1.0, 1.0])
    assert found.standard_error == pytest.approx([np.sqrt(0.75 / 100) * 2, 0.0])
    assert found.correlation == pytest.approx([0.5, 1.0])
    assert found.benchmark == "T1"


def test_beta_of_an_opposite_token_is_negative() -> None:
    found = beta(estimate([0.06, 0.02], np.array([[1.0, -0.5], [-0.5, 1.0]])), "T1")
    assert found.value[0] == pytest.approx(-1.5)


def test_beta_needs_its_benchmark_and_observations() -> None:
    with pytest.raises(MissingDataError, match="BTC"):
        beta(estimate([0.04, 0.02], np.eye(2)), "BTC")
    with pytest.raises(EstimationError, match="fewer than two"):
        beta(estimate([0.04, 0.02], np.eye(2), bars=1.0), "T1")


def test_the_error_of_beta_covers_the_truth_on_independent_returns() -> None:
    """About 68 % of betas lie within one standard error, 95 % within two."""
    rng = np.random.default_rng(5)
    truth = np.array([0.5, 1.0, 1.5, 2.0])
    distances = []
    for _ in range(60):
        bitcoin = rng.standard_normal((500, 1)) * 0.01
        tokens = bitcoin * truth + rng.standard_normal((500, 4)) * 0.02
        found = beta(
            mean_ewma_covariance(np.hstack([bitcoin, tokens]), "bwxyz", shrinkage=0.0), "b"
        )
        distances.append(np.abs(found.value - [1.0, *truth])[1:] / found.standard_error[1:])
    within = np.array(distances)
    assert 0.60 < (within < 1).mean() < 0.76
    assert (within < 2).mean() > 0.92


@given(seed=st.integers(0, 10_000), n=st.integers(2, 12), threshold=st.floats(-0.5, 0.95))
def test_clusters_are_those_that_scipy_reads_off_the_tree_and_every_branch_is_one_run(
    seed: int, n: int, threshold: float
) -> None:
    matrix = _some_correlation(seed, n)
    found = cluster(matrix, [f"T{i:02}" for i in range(n)], threshold)
    tree = _tree(matrix)
    place = np.argsort(found.order)
    for leaves in _branches(tree, n):
        places = sorted(place[list(leaves)].tolist())
        assert places == list(range(places[0], places[0] + len(places)))
    assert found.order[0] < found.order[-1]
    groups = hierarchy.fcluster(tree, 1 - threshold + 1e-12, criterion="distance")
    same = groups[:, None] == groups[None, :]
    assert np.array_equal(found.labels[:, None] == found.labels[None, :], same)


def test_the_order_is_nearly_the_shortest_that_the_tree_allows() -> None:
    """Against all 128 orders of each tree of eight; scipy's own search comes out longer."""
    n, ours, theirs = 8, [], []
    for seed in range(40):
        matrix = _some_correlation(seed, n)
        tree = _tree(matrix)
        best = min(_length(matrix, order) for order in _orders(tree, n))
        found = cluster(matrix, [f"T{i}" for i in range(n)])
        ours.append(_length(matrix, found.order) / best)
        distance = squareform(1 - (matrix + matrix.T) / 2, checks=False)
        sought = hierarchy.leaves_list(hierarchy.optimal_leaf_ordering(tree, distance))
        theirs.append(_length(matrix, sought) / best)
    assert min(ours) >= 1 - 1e-12
    assert max(ours) < 1.1
    assert np.mean(ours) < 1.02
    assert np.mean(ours) <= np.mean(theirs)


def _some_correlation(seed: int, n: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    return correlation_of(np.cov(rng.standard_normal((n, 30)) + rng.standard_normal(30)))


def _tree(matrix: FloatArray) -> FloatArray:
    distance = squareform(np.clip(1 - (matrix + matrix.T) / 2, 0, 2), checks=False)
    tree: FloatArray = hierarchy.linkage(distance, method="average")
    return tree


def _branches(tree: FloatArray, n: int) -> list[set[int]]:
    under = [{i} for i in range(n)]
    for left, right in tree[:, :2].astype(int).tolist():
        under.append(under[left] | under[right])
    return under


def _orders(tree: FloatArray, n: int) -> list[list[int]]:
    under = [[[i]] for i in range(n)]
    for left, right in tree[:, :2].astype(int).tolist():
        pairs = [(a, b) for a in under[left] for b in under[right]]
        under.append([a + b for a, b in pairs] + [b + a for a, b in pairs])
    return under[-1]


def _length(matrix: FloatArray, order: Sequence[int] | NDArray[np.int64]) -> float:
    row = np.asarray(order)
    return float((1 - matrix[row[:-1], row[1:]]).sum())
