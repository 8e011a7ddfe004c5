"""Has correlation changed? Fisher z of two windows, with a moving-block-bootstrap error."""

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from risk.correlation.resampled import Drawn, ResampledWindow
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
REGIME_RULE = SignalRule(enter=4.0, leave=2.5, enter_bars=3, leave_bars=6)
"""On |z|. Correlations of tokens do change: above 3 stands a sixth of all pairs on any day."""

_CLOSEST = 1 - 1e-12  # keeps the Fisher transform of a perfect correlation finite
_CLOSEST_DRAWN = np.float32(1 - 1e-6)  # and that of one in single precision
_NO_ERROR = 1e-6
_PAIRS_AT_ONCE = 64  # what they take stays in the cache


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
    is put together anew from blocks of ``block_bars`` hours in a row, drawn with replacement; they
    start every fourth hour. (Fisher 1915; moving blocks: Künsch 1989, Liu, Singh 1992.) Hours
    follow one another in volatility, so that Fisher's own error, √(Σ 1/(n - 3)), is only 0.6 of it
    (measured). All tokens are drawn from the same hours. The same seed gives the same answer.

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
    rng = np.random.default_rng(seed)
    cut = len(returns) - recent_bars
    recent = ResampledWindow(returns[cut:], block_bars, replications, rng)
    before = ResampledWindow(returns[cut - before_bars : cut], block_bars, replications, rng)
    one, other = pair_indices(n)
    plain = recent.plain()[one, other], before.plain()[one, other]
    difference = _fisher(plain[0]) - _fisher(plain[1])
    found = np.array([*plain, difference])
    mean_draws, known = np.zeros(replications), 0
    for start in range(0, len(one), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        i, j = one[part], other[part]
        drawn = _fisher_difference(recent.drawn(i, j), before.drawn(i, j))
        z = found[2, part] = _ratio(difference[part], drawn)
        usable = ~np.isnan(z)
        mean_draws += drawn[usable].sum(axis=0)
        known += int(usable.sum())
    matrices = [np.eye(n) * diagonal for diagonal in (1.0, 1.0, 0.0)]
    for matrix, values in zip(matrices, found, strict=True):
        matrix[one, other] = matrix[other, one] = values
    there = ~np.isnan(found).any(axis=0)
    fisher = float((_fisher(found[0, there]) - _fisher(found[1, there])).mean()) if known else 0.0
    mean_z = _ratio(np.array([fisher]), mean_draws[None] / known)[0] if known else math.nan
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


def _fisher(correlation: FloatArray) -> FloatArray:
    transformed: FloatArray = np.arctanh(np.clip(correlation, -_CLOSEST, _CLOSEST))
    return transformed


def _fisher_difference(one: Drawn, other: Drawn) -> Drawn:
    """artanh ρ - artanh ρ' of many correlations at once, to six digits; both are overwritten.

    One logarithm, ½ ln((1 + ρ)(1 - ρ') / (1 - ρ)(1 + ρ')), takes a tenth of the time of two
    transforms. Nothing but a standard deviation is made of it.
    """
    np.clip(one, -_CLOSEST_DRAWN, _CLOSEST_DRAWN, out=one)
    np.clip(other, -_CLOSEST_DRAWN, _CLOSEST_DRAWN, out=other)
    ratio: Drawn = (1 + one) * (1 - other)
    ratio /= np.multiply(np.subtract(1, one, out=one), np.add(1, other, out=other), out=one)
    np.log(ratio, out=ratio)
    ratio *= np.float32(0.5)
    return ratio


def _ratio(difference: FloatArray, drawn: FloatArray | Drawn) -> FloatArray:
    """Difference (P,) over the standard deviation of its draws (P, B); NaN where that is 0."""
    error = drawn.std(axis=1, ddof=1)
    ratio = np.full(len(error), np.nan)
    np.divide(difference, error, out=ratio, where=error > _NO_ERROR)
    return ratio
