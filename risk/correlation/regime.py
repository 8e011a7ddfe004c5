"""Has correlation changed? Fisher z of two windows, with a moving-block-bootstrap error."""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.correlation.rolling import pair_indices
from risk.covariance.usable import require_returns
from risk.errors import DataError, EstimationError
from risk.returns import BARS_PER_DAY
from risk.signals.episodes import Severity, Signal, SignalKind, SignalRule, SignalState

RECENT_BARS = 7 * BARS_PER_DAY
BEFORE_BARS = 30 * BARS_PER_DAY
BLOCK_BARS = 24
"""A day: longer than hours depend on each other in sign, and it keeps the day's pattern whole."""

REPLICATIONS = 500
MIN_SHARE = 0.8
"""A pair needs both returns in this share of each window."""

REGIME_RULE = SignalRule(enter=4.0, leave=2.5, enter_bars=3, leave_bars=6)
"""On |z|. Correlations of tokens do change: above 3 stands a sixth of all pairs on any day."""

_CLOSEST = 1 - 1e-12  # keeps the Fisher transform of a perfect correlation finite
_NO_ERROR = 1e-9
_CHUNK = 2_000_000  # numbers held at a time for one product of all pairs


@dataclass(frozen=True, slots=True)
class CorrelationChange:
    """Correlation of the last week against the 30 days before it, N symbols.

    Attributes:
        symbols: N symbols.
        recent, before: (N, N) Pearson correlation of the two windows, NaN where either window has
            too few bars of the pair; unit diagonal where known.
        z: (N, N) change in standard errors, positive: closer now; NaN where unknown, 0 on the
            diagonal.
        mean_z: the same for the mean over all pairs, None without any.
        mean_recent, mean_before: means over the known pairs, None without any.
    """

    symbols: tuple[str, ...]
    recent: FloatArray
    before: FloatArray
    z: FloatArray
    mean_z: float | None
    mean_recent: float | None
    mean_before: float | None


def correlation_change(
    log_returns: FloatArray,
    symbols: Sequence[str],
    *,
    seed: int,
    recent_bars: int = RECENT_BARS,
    before_bars: int = BEFORE_BARS,
    block_bars: int = BLOCK_BARS,
    replications: int = REPLICATIONS,
) -> CorrelationChange:
    """Compare the last week of hourly returns with the 30 days before it, which do not overlap.

        z = (artanh ρ_recent - artanh ρ_before) / se

    where se is the standard deviation of that difference over replications in which each window
    is put together anew from blocks of ``block_bars`` hours in a row, drawn with replacement from
    all its starts. (Fisher 1915; moving blocks: Künsch 1989, Liu, Singh 1992.) Hours follow one
    another in volatility, so that Fisher's own error, √(Σ 1/(n - 3)), is only 0.6 of it (measured).
    All tokens are drawn from the same hours. The same seed gives the same answer.

    Args:
        log_returns: (T, N), oldest first, NaN where missing; T at least the sum of the windows.
        symbols: N symbols.
        seed: of the bootstrap, at least 0.
        recent_bars, before_bars: lengths of the windows, at least ``block_bars``.
        replications: at least 2.

    Raises:
        DataError: the shape does not fit or a return is infinite.
        EstimationError: too few bars or an argument out of range.
    """
    returns = require_returns(log_returns, symbols, bars=-1)
    if block_bars < 1 or min(recent_bars, before_bars) < block_bars or replications < 2:
        raise EstimationError(
            f"windows of {recent_bars} and {before_bars} bars with blocks of {block_bars}, "
            f"{replications} replications: blocks must fit and replications be at least 2"
        )
    if len(returns) < recent_bars + before_bars:
        raise EstimationError(
            f"only {len(returns)} bars to compare {recent_bars} with the {before_bars} before them"
        )
    n = len(symbols)
    recent = _Window(returns[-recent_bars:])
    before = _Window(returns[-recent_bars - before_bars : -recent_bars])
    rng = np.random.default_rng(seed)
    draws_recent = _draws(recent_bars, block_bars, replications, rng)
    draws_before = _draws(before_bars, block_bars, replications, rng)
    one, other = pair_indices(n)
    found = np.full((3, len(one)), np.nan)
    mean_draws, known = np.zeros(replications), 0
    step = max(1, _CHUNK // max(before_bars, recent_bars, replications))
    for start in range(0, len(one), step):
        i, j = one[start : start + step], other[start : start + step]
        rho_recent, rho_before = recent.plain(i, j), before.plain(i, j)
        drawn = _fisher(recent.drawn(draws_recent, i, j)) - _fisher(
            before.drawn(draws_before, i, j)
        )
        difference = _fisher(rho_recent) - _fisher(rho_before)
        z = _ratio(difference, drawn)
        found[:, start : start + step] = rho_recent, rho_before, z
        usable = ~np.isnan(z)
        mean_draws += drawn[:, usable].sum(axis=1)
        known += int(usable.sum())
    matrices = [np.eye(n) * diagonal for diagonal in (1.0, 1.0, 0.0)]
    for matrix, values in zip(matrices, found, strict=True):
        matrix[one, other] = matrix[other, one] = values
    there = ~np.isnan(found).any(axis=0)
    fisher = float((_fisher(found[0, there]) - _fisher(found[1, there])).mean()) if known else 0.0
    mean_z = _ratio(np.array([fisher]), mean_draws[:, None] / known)[0] if known else math.nan
    return CorrelationChange(
        symbols=tuple(symbols),
        recent=matrices[0],
        before=matrices[1],
        z=matrices[2],
        mean_z=None if math.isnan(mean_z) else float(mean_z),
        mean_recent=float(found[0, there].mean()) if there.any() else None,
        mean_before=float(found[1, there].mean()) if there.any() else None,
    )


def regime_values(change: CorrelationChange) -> FloatArray:
    """What REGIME_RULE watches: |z| of the mean first, then of every pair in the order of
    ``pair_indices``, shape (1 + N (N - 1) / 2,); NaN where unknown."""
    mean = math.nan if change.mean_z is None else change.mean_z
    one, other = pair_indices(len(change.symbols))
    values: FloatArray = np.abs(np.concatenate([[mean], change.z[one, other]]))
    return values


def regime_signals(
    state: SignalState, change: CorrelationChange, held: AbstractSet[str]
) -> tuple[Signal, ...]:
    """Signals of a state that watched ``regime_values``: the whole first, then pairs by strength.

    Only pairs with a token of ``held`` are told. One that has become unknown is left out.

    Raises:
        DataError: the state watches another number of pairs.
    """
    values = regime_values(change)
    if state.active.shape != values.shape:
        raise DataError(f"regime state has shape {state.active.shape}, must be {values.shape}")
    found: list[Signal] = []
    one, other = pair_indices(len(change.symbols))
    for k in np.argsort(-np.nan_to_num(values[1:]), kind="stable").tolist():
        i, j = int(one[k]), int(other[k])
        pair = (change.symbols[i], change.symbols[j])
        if state.active[k + 1] and not np.isnan(values[k + 1]) and not held.isdisjoint(pair):
            moved = (float(change.before[i, j]), float(change.recent[i, j]))
            since_ms = int(state.since_ms[k + 1])
            found.append(_signal(pair, " and ".join(pair), float(change.z[i, j]), moved, since_ms))
    before, recent, mean_z = change.mean_before, change.mean_recent, change.mean_z
    if state.active[0] and mean_z is not None and before is not None and recent is not None:
        everyone = f"all {len(change.symbols)} tokens on average"
        whole = _signal(change.symbols, everyone, mean_z, (before, recent), int(state.since_ms[0]))
        found.insert(0, whole)
    return tuple(found)


def _signal(
    symbols: tuple[str, ...], who: str, z: float, moved: tuple[float, float], since_ms: int
) -> Signal:
    sentence = (
        f"Correlation of {who} went from {moved[0]:.2f} over 30 days to {moved[1]:.2f} in the last "
        f"7, {abs(z):.1f} standard errors."
    )
    return Signal(
        SignalKind.REGIME_CHANGE,
        symbols,
        z,
        math.copysign(REGIME_RULE.enter, z),
        since_ms,
        Severity.WARNING,
        sentence,
    )


class _Window:
    """One window of returns, and its pairs' correlations with any weights of its bars."""

    def __init__(self, returns: FloatArray) -> None:
        there = ~np.isnan(returns)
        count = np.maximum(there.sum(axis=0), 1)
        mean = np.where(there, returns, 0.0).sum(axis=0) / count
        centred = np.where(there, returns - mean, 0.0)
        # Scaled so that tokens of any volatility round alike; a constant price stays 0.
        scale = np.sqrt((centred**2).sum(axis=0) / count)
        self._z = np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 0)
        self._there = there
        self._complete = bool(there.all())

    def plain(self, i: NDArray[np.intp], j: NDArray[np.intp]) -> FloatArray:
        """(P,) Pearson correlations; NaN where too few bars or a constant price."""
        found = self.drawn(np.ones((1, len(self._z))), i, j)[0]
        share = (self._there[:, i] & self._there[:, j]).mean(axis=0)
        return np.where(share >= MIN_SHARE, found, np.nan)

    def drawn(self, counts: FloatArray, i: NDArray[np.intp], j: NDArray[np.intp]) -> FloatArray:
        """(B, P) correlations when bar t counts ``counts[b, t]`` times, counts (B, T)."""
        z = self._z
        if self._complete:
            number = counts.sum(axis=1, keepdims=True)
            sums, squares = counts @ z, counts @ z**2
            sum_i, sum_j, square_i, square_j = sums[:, i], sums[:, j], squares[:, i], squares[:, j]
            product = counts @ (z[:, i] * z[:, j])
        else:
            both = (self._there[:, i] & self._there[:, j]).astype(np.float64)
            a, b = z[:, i] * both, z[:, j] * both
            number = counts @ both
            sum_i, sum_j, product = counts @ a, counts @ b, counts @ (a * b)
            square_i, square_j = counts @ a**2, counts @ b**2
        variance_i = number * square_i - sum_i**2
        variance_j = number * square_j - sum_j**2
        moves = (variance_i > _NO_ERROR * number**2) & (variance_j > _NO_ERROR * number**2)
        root = np.sqrt(np.where(moves, variance_i * variance_j, 1.0))
        return np.where(moves, np.clip((number * product - sum_i * sum_j) / root, -1, 1), np.nan)


def _draws(bars: int, block: int, replications: int, rng: np.random.Generator) -> FloatArray:
    """(B, T) how often each bar is drawn; every row sums to T."""
    starts = rng.integers(0, bars - block + 1, size=(replications, -(-bars // block)))
    drawn = (starts[:, :, None] + np.arange(block)).reshape(replications, -1)[:, :bars]
    flat = (drawn + bars * np.arange(replications)[:, None]).ravel()
    counts = np.bincount(flat, minlength=replications * bars)
    weights: FloatArray = counts.reshape(replications, bars).astype(np.float64)
    return weights


def _fisher(correlation: FloatArray) -> FloatArray:
    transformed: FloatArray = np.arctanh(np.clip(correlation, -_CLOSEST, _CLOSEST))
    return transformed


def _ratio(difference: FloatArray, drawn: FloatArray) -> FloatArray:
    """Difference (P,) over the standard deviation of its draws (B, P); NaN where that is 0."""
    error = drawn.std(axis=0, ddof=1)
    ratio = np.full(len(error), np.nan)
    np.divide(difference, error, out=ratio, where=error > _NO_ERROR)
    return ratio
