"""Scenarios of tokens too young to have their own: their peers' moves, and noise of their own."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate
from risk.errors import DataError
from risk.tail.scenarios import Scenarios
from risk.tail.var_es import own_scenarios_needed

_FEW_PEERS = 3
"""With fewer, what a peer does apart from the others cannot be told from what they share."""


def with_stand_ins(
    scenarios: Scenarios, estimate: CovarianceEstimate, in_sector: NDArray[np.bool_]
) -> Scenarios:
    """The scenarios, with those that young tokens lack made up, so that a book can be measured.

    A token with a covariance (24 bars or more) but less than a week of scenarios says too little of
    bad days. Leaving its position out would flatter the book, and no figure at all is no help. So
    in every scenario that it lacks it moves by

        y = b m + d u,    b = Σ_im / Σ_mm,    d = max(√(Σ_ii - b² Σ_mm), median_j d_j)

    m is the mean move of its peers in that scenario (the established tokens of the sector, or of
    all where the sector has none), with b from the covariance that every other figure uses. d is
    the volatility of its own, yet no less than what is usual among the peers: a calm first week is
    luck. u is what one peer did apart from the others, in units of its own deviation, so that tails
    are as fat as the sector's. It is taken from the peers in turn and half the history away, so
    that it has nothing to do with what they do in the scenario itself: a hedge in peers does not
    offset it. Nothing is random: the same bars give the same figures.

    It widens the loss of a long and of a short alike. What it cannot know: a listing's first crash
    that is worse than anything its peers went through.

    Args:
        scenarios: of N symbols.
        estimate: of today; symbols that it lacks stay as they are.
        in_sector: (N,) True for tokens of the sector, False for benchmarks.

    Returns:
        With the names of the filled tokens in ``stand_in``; the same object where there are none,
        or nobody to take the moves from.

    Raises:
        DataError: ``in_sector`` has another shape.
    """
    if np.shape(in_sector) != (len(scenarios.symbols),):
        raise DataError(f"in_sector has shape {np.shape(in_sector)}")
    known = np.array([symbol in estimate.symbols for symbol in scenarios.symbols], dtype=np.bool_)
    own = (~np.isnan(scenarios.standardised)).sum(axis=1)
    established = own >= own_scenarios_needed(scenarios)
    established &= ~np.isnan(scenarios.volatility_daily) & known
    young = np.flatnonzero(known & ~established)
    peers = np.flatnonzero(established & in_sector)
    if not len(peers):
        peers = np.flatnonzero(established)
    if not len(young) or not len(peers):
        return scenarios
    return _made_up(scenarios, estimate, young, peers)


def _made_up(
    scenarios: Scenarios,
    estimate: CovarianceEstimate,
    young: NDArray[np.intp],
    peers: NDArray[np.intp],
) -> Scenarios:
    sigma = scenarios.volatility_daily.copy()
    z = scenarios.standardised.copy()
    moves = z[peers] * sigma[peers, None]
    common = _mean(moves)
    shape = _shape(moves)
    symbols = scenarios.symbols
    among = [estimate.column(symbols[p]) for p in peers.tolist()]
    covariance = estimate.covariance_daily
    usual = _usual_deviation(covariance[np.ix_(among, among)])
    for i in young.tolist():
        k = estimate.column(symbols[i])
        slope, own = _regression(covariance, k, among)
        if np.isnan(sigma[i]):
            sigma[i] = estimate.volatility_daily[k]
        gaps = np.isnan(z[i])
        z[i, gaps] = (slope * common + max(own, usual) * shape)[gaps] / sigma[i]
    stand_in = tuple(symbols[i] for i in young.tolist())
    return replace(scenarios, standardised=z, volatility_daily=sigma, stand_in=stand_in)


def _mean(moves: FloatArray) -> FloatArray:
    """(S,) over the tokens that have the scenario; NaN where none has."""
    there = ~np.isnan(moves)
    count = there.sum(axis=0)
    total = np.where(there, moves, 0.0).sum(axis=0)
    mean: FloatArray = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return mean


def _regression(covariance: FloatArray, token: int, others: list[int]) -> tuple[float, float]:
    """Slope of a token on the mean of others, and the daily deviation of what is left."""
    along = float(covariance[token, others].mean())
    variance = float(covariance[np.ix_(others, others)].mean())
    slope = along / variance
    return slope, float(np.sqrt(max(covariance[token, token] - slope * along, 0.0)))


def _usual_deviation(covariance: FloatArray) -> float:
    """Median over P peers of the daily deviation apart from the others; 0 for a few."""
    n = len(covariance)
    if n < _FEW_PEERS:
        return 0.0
    left = [_regression(covariance, j, [k for k in range(n) if k != j])[1] for j in range(n)]
    return float(np.median(left))


def _shape(moves: FloatArray) -> FloatArray:
    """u, (S,), of mean square 1 over each peer's scenarios."""
    apart = moves - _mean(moves) if len(moves) >= _FEW_PEERS else moves
    there = ~np.isnan(apart)
    square = np.where(there, apart, 0.0) ** 2
    scale = np.sqrt(square.sum(axis=1) / there.sum(axis=1))
    unit = apart / np.where(scale > 0, scale, 1.0)[:, None]
    count = unit.shape[1]
    then = (np.arange(count) + count // 2) % count
    taken: FloatArray = unit[np.arange(count) % len(unit), then]
    # A peer that lacks that scenario is stood in for by the next one's.
    for step in range(1, len(unit)):
        gone = np.isnan(taken)
        taken[gone] = unit[(np.arange(count) + step) % len(unit), then][gone]
    return taken
