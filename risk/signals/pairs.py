"""Signals of pairs: too alike, alike, and no longer alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray, require_notional
from risk.correlation.rolling import pair_indices
from risk.errors import DataError
from risk.returns import BARS_PER_DAY, HOUR_MS
from risk.signals.episodes import (
    Severity,
    Signal,
    SignalKind,
    SignalRule,
    SignalState,
    initial_state,
    observe,
)

DUPLICATE_RULE = SignalRule(enter=0.8, leave=0.75, enter_bars=6, leave_bars=6)
HIGH_RULE = SignalRule(enter=0.7, leave=0.65, enter_bars=6, leave_bars=6)
DECOUPLING_RULE = SignalRule(
    enter=0.2,
    leave=0.3,
    enter_bars=6,
    leave_bars=6,
    arm=0.5,
    arm_ms=30 * BARS_PER_DAY * HOUR_MS,
)


@dataclass(frozen=True, slots=True)
class PairStates:
    """Where every pair of N symbols stands; N (N - 1) / 2 in the order of ``pair_indices``.

    A change of the symbols starts anew, by replaying the history of the new ones.
    """

    symbols: tuple[str, ...]
    duplicate: SignalState
    high: SignalState
    decoupling: SignalState


def initial_pairs(symbols: Sequence[str]) -> PairStates:
    """All pairs of N symbols, of which nothing was seen yet."""
    state = initial_state(len(symbols) * (len(symbols) - 1) // 2)
    return PairStates(tuple(symbols), state, state, state)


def observe_pairs(states: PairStates, correlation: FloatArray, time_ms: int) -> PairStates:
    """The states after one more correlation matrix; only what the market does is remembered.

    Args:
        correlation: (N, N) rolling correlation known at ``time_ms``, in the order of the symbols;
            NaN where unknown, which changes nothing for that pair.
        time_ms: of the bar, UTC milliseconds.

    Raises:
        DataError: the shape does not fit, a correlation lies outside [-1, 1], or the time goes
            back.
    """
    n = len(states.symbols)
    if np.shape(correlation) != (n, n):
        raise DataError(f"correlation has shape {np.shape(correlation)}, must be ({n}, {n})")
    one, other = pair_indices(n)
    values = np.asarray(correlation, dtype=np.float64)[one, other]
    outside = np.abs(values) > 1 + 1e-9
    if outside.any():
        k = int(np.argmax(outside))
        pair = f"{states.symbols[one[k]]} and {states.symbols[other[k]]}"
        raise DataError(f"{pair}: correlation is {values[k]}, must be between -1 and 1")
    return PairStates(
        states.symbols,
        observe(DUPLICATE_RULE, states.duplicate, values, time_ms),
        observe(HIGH_RULE, states.high, values, time_ms),
        observe(DECOUPLING_RULE, states.decoupling, values, time_ms),
    )


def pair_signals(states: PairStates, x_usd: FloatArray) -> tuple[Signal, ...]:
    """What the pairs say to the holder of the book x, strongest first within each kind.

    Duplicate exposure: a pair above 0.8 with the book on the same side in both. High: a pair above
    0.7 of which the book holds at least one and which is not told as duplicate. Decoupling: any
    pair that fell below 0.2 from above 0.5. Hysteresis and duration are the correlation's; the
    book is taken as it is now, so closing one side ends a duplicate at once.

    Args:
        x_usd: (N,) signed notionals in the order of the states' symbols.

    Raises:
        DataError: the shape does not fit or a notional is not finite.
    """
    symbols = states.symbols
    x = require_notional(x_usd, symbols)
    one, other = pair_indices(len(symbols))
    same = np.sign(x[one]) * np.sign(x[other]) > 0
    held = (x[one] != 0) | (x[other] != 0)
    duplicate = states.duplicate.active & same
    found: list[Signal] = []
    for kind, state, chosen in (
        (SignalKind.DUPLICATE_EXPOSURE, states.duplicate, duplicate),
        (SignalKind.HIGH_CORRELATION, states.high, states.high.active & held & ~duplicate),
        (SignalKind.DECOUPLING, states.decoupling, states.decoupling.active),
    ):
        rising = kind is not SignalKind.DECOUPLING
        order = np.flatnonzero(chosen)
        order = order[
            np.argsort(-state.value[order] if rising else state.value[order], kind="stable")
        ]
        first, second = one[order], other[order]
        told = zip(
            first.tolist(),
            second.tolist(),
            x[first].tolist(),
            x[second].tolist(),
            state.value[order].tolist(),
            state.since_ms[order].tolist(),
            strict=True,
        )
        found += [
            _signal(kind, (symbols[i], symbols[j]), (x_i, x_j), rho, since_ms)
            for i, j, x_i, x_j, rho, since_ms in told
        ]
    return tuple(found)


def _signal(
    kind: SignalKind, pair: tuple[str, str], x: tuple[float, float], rho: float, since_ms: int
) -> Signal:
    names = f"{pair[0]} and {pair[1]}"
    if kind is SignalKind.DUPLICATE_EXPOSURE:
        side = "long" if x[0] > 0 else "short"
        sentence = (
            f"{names} move as one (correlation {rho:.2f}) and the book is {side} both, "
            f"{abs(x[0]):,.0f} and {abs(x[1]):,.0f} USD: that is one bet, not two."
        )
        return Signal(kind, pair, rho, DUPLICATE_RULE.enter, since_ms, Severity.WARNING, sentence)
    if kind is SignalKind.HIGH_CORRELATION:
        sentence = f"{names} are highly correlated ({rho:.2f})."
        return Signal(kind, pair, rho, HIGH_RULE.enter, since_ms, Severity.NOTE, sentence)
    hedged = x[0] * x[1] < 0
    consequence = (
        "the one no longer hedges the other" if hedged else "neither can hedge the other for now"
    )
    sentence = f"{names} have come apart (correlation {rho:.2f}, above 0.50 before): {consequence}."
    severity = Severity.ALARM if hedged else Severity.NOTE
    return Signal(kind, pair, rho, DECOUPLING_RULE.enter, since_ms, severity, sentence)
