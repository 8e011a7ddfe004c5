"""Signals that a person acts on: when one begins, when it ends, and what it says."""

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError, EstimationError
from risk.quick_init import quick_init
from risk.returns import utc

NEVER_MS = -1
"""Stands for no time in the arrays of a state."""


class SignalKind(StrEnum):
    """What is signalled."""

    DUPLICATE_EXPOSURE = "duplicate_exposure"
    HIGH_CORRELATION = "high_correlation"
    DECOUPLING = "decoupling"
    REGIME_CHANGE = "regime_change"
    CORRELATION_SPIKE = "correlation_spike"
    ABSORPTION = "absorption"
    BREADTH = "breadth_does_not_confirm"
    VOLUME_SPIKE = "volume_spike"
    FUNDING_SPIKE = "funding_spike"
    NEW_LISTING = "new_listing"
    DELISTING = "delisting"
    MACRO = "macro"
    CALENDAR = "calendar"


class Severity(StrEnum):
    """How soon somebody should look."""

    NOTE = "note"
    WARNING = "warning"
    ALARM = "alarm"


@quick_init
@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that is going on now.

    Attributes:
        kind: what.
        symbols: whom it is about; one, a pair or many. For macro and calendar the name of the
            series or event.
        value: the figure last seen, in the unit of the threshold.
        threshold: what it crossed.
        since_ms: the first bar from which it held without a break, UTC milliseconds.
        severity: how soon somebody should look.
        sentence: the same in one plain sentence.
        since_earlier: what is remembered begins at ``since_ms``; it may have held before.
    """

    kind: SignalKind
    symbols: tuple[str, ...]
    value: float
    threshold: float
    since_ms: int
    severity: Severity
    sentence: str
    since_earlier: bool = False


@dataclass(frozen=True, slots=True)
class SignalRule:
    """When a signal begins and ends.

    It rises when the value is beyond ``enter`` for ``enter_bars`` observations in a row and falls
    when it is back behind ``leave`` for ``leave_bars`` in a row, so it never changes twice within
    fewer than the smaller of the two. Above is beyond when ``enter`` is at least ``leave``, below
    when it is less. Exactly at a threshold is neither beyond ``enter`` nor behind ``leave``.

    Attributes:
        enter, leave: thresholds.
        enter_bars, leave_bars: at least 1.
        arm: it can rise only when the value was beyond this, on the other side of ``leave``, at
            some time within ``arm_ms`` before; rising uses that up. None: always.
        arm_ms: how long having been beyond ``arm`` counts.
    """

    enter: float
    leave: float
    enter_bars: int = 3
    leave_bars: int = 3
    arm: float | None = None
    arm_ms: int | None = None

    def __post_init__(self) -> None:
        numbers = [self.enter, self.leave, 0.0 if self.arm is None else self.arm]
        if not all(math.isfinite(number) for number in numbers):
            raise EstimationError(f"signal thresholds {numbers} must be finite")
        if self.enter_bars < 1 or self.leave_bars < 1:
            raise EstimationError(
                f"signal needs {self.enter_bars} bars to begin and {self.leave_bars} to end, "
                "each must be at least 1"
            )
        if self.arm is not None and (self.arm - self.leave) * (self.leave - self.enter) < 0:
            raise EstimationError(
                f"signal arms at {self.arm:g}, which must lie on the far side of "
                f"{self.leave:g} from {self.enter:g}"
            )

    @property
    def above(self) -> bool:
        """Beyond means above."""
        return self.enter >= self.leave


@dataclass(frozen=True, slots=True)
class SignalState:
    """Where n watched things stand under one rule, after the observation at ``time_ms``.

    Attributes:
        time_ms: of the last observation, UTC milliseconds; None before the first.
        active: (n,) the signal is up.
        run: (n,) observations in a row that speak for a change.
        run_ms: (n,) time of the first of them, -1 for none.
        since_ms: (n,) first bar of the run that raised it, -1 where it is down.
        armed_ms: (n,) when the value was last beyond ``arm``, -1 for never or used up.
        value: (n,) last known value, NaN for none yet.
    """

    time_ms: int | None
    active: NDArray[np.bool_]
    run: NDArray[np.int64]
    run_ms: NDArray[np.int64]
    since_ms: NDArray[np.int64]
    armed_ms: NDArray[np.int64]
    value: FloatArray


def initial_state(count: int) -> SignalState:
    """The state of n things of which nothing was seen yet."""
    never = np.full(count, NEVER_MS, dtype=np.int64)
    return SignalState(
        time_ms=None,
        active=np.zeros(count, dtype=np.bool_),
        run=np.zeros(count, dtype=np.int64),
        run_ms=never,
        since_ms=never,
        armed_ms=never,
        value=np.full(count, np.nan),
    )


def observe(rule: SignalRule, state: SignalState, values: FloatArray, time_ms: int) -> SignalState:
    """The state after one more observation; ``state`` itself is not changed.

    A value of NaN is unknown: it speaks neither for a change nor against one, so everything about
    that thing stays as it was. The same time again changes nothing, so that looking every minute
    at hourly bars counts bars and not looks.

    Args:
        values: (n,), NaN where unknown.
        time_ms: of the bar, UTC milliseconds, not before the last observation.

    Raises:
        DataError: the shape does not fit, a value is infinite, or the time goes back.
    """
    value = np.asarray(values, dtype=np.float64)
    if value.shape != state.active.shape:
        raise DataError(f"signal values have shape {value.shape}, must be {state.active.shape}")
    if np.isinf(value).any():
        raise DataError(f"signal value at {utc(time_ms)} is infinite; NaN means unknown")
    if state.time_ms is not None:
        if time_ms < state.time_ms:
            raise DataError(f"signal at {utc(time_ms)} after one at {utc(state.time_ms)}")
        if time_ms == state.time_ms:
            return state
    known = ~np.isnan(value)
    sign = 1.0 if rule.above else -1.0
    beyond = sign * (value - rule.enter) > 0
    behind = sign * (value - rule.leave) < 0
    armed_ms = state.armed_ms
    if rule.arm is not None:
        armed_ms = np.where(sign * (value - rule.arm) < 0, time_ms, armed_ms)
        life_ms = time_ms if rule.arm_ms is None else rule.arm_ms
        beyond = beyond & (armed_ms != NEVER_MS) & (time_ms - armed_ms <= life_ms)
    for_change = np.where(state.active, behind, beyond)
    run = np.where(known, np.where(for_change, state.run + 1, 0), state.run)
    started = np.where(state.run_ms == NEVER_MS, time_ms, state.run_ms)
    run_ms = np.where(known, np.where(for_change, started, NEVER_MS), state.run_ms)
    change = run >= np.where(state.active, rule.leave_bars, rule.enter_bars)
    rises, falls = change & ~state.active, change & state.active
    since_ms = np.where(rises, run_ms, np.where(falls, NEVER_MS, state.since_ms))
    return SignalState(
        time_ms=time_ms,
        active=state.active ^ change,
        run=np.where(change, 0, run),
        run_ms=np.where(change, NEVER_MS, run_ms),
        since_ms=since_ms,
        armed_ms=np.where(rises, NEVER_MS, armed_ms),
        value=np.where(known, value, state.value),
    )


def replay(rule: SignalRule, values: FloatArray, time_ms: NDArray[np.int64]) -> SignalState:
    """The state after (T, n) observations in order of time, from nothing.

    Raises:
        DataError: as ``observe``, or the lengths differ.
    """
    if np.ndim(values) != 2 or len(values) != len(time_ms):
        raise DataError(
            f"signal history has shape {np.shape(values)} for {len(time_ms)} times, "
            "must be (times, things)"
        )
    history = np.asarray(values, dtype=np.float64)
    times, count = time_ms.tolist(), history.shape[1]
    plain = rule.arm is None and not np.isinf(history).any() and _rising(times)
    if not plain or not times:
        state = initial_state(count)
        for row, time in zip(history, times, strict=True):
            state = observe(rule, state, row, time)
        return state
    return _replayed(rule, history, times)


def _rising(times: list[int]) -> bool:
    return all(map(operator.lt, times, times[1:]))


def _replayed(rule: SignalRule, history: FloatArray, times: list[int]) -> SignalState:
    """The same, thing by thing, and only of those that were beyond at all; most never are."""
    sign = 1.0 if rule.above else -1.0
    known = ~np.isnan(history)
    last = np.maximum.accumulate(np.where(known, np.arange(len(times))[:, None], -1), axis=0)[-1]
    columns = np.arange(history.shape[1])
    state = replace(
        initial_state(history.shape[1]),
        time_ms=times[-1],
        active=np.zeros(len(columns), dtype=np.bool_),
        run=np.zeros(len(columns), dtype=np.int64),
        run_ms=np.full(len(columns), NEVER_MS, dtype=np.int64),
        since_ms=np.full(len(columns), NEVER_MS, dtype=np.int64),
        value=np.where(last >= 0, history[last, columns], np.nan),
    )
    beyond = sign * (history - rule.enter) > 0
    behind = sign * (history - rule.leave) < 0
    for column in np.flatnonzero(beyond.any(axis=0)).tolist():
        found = _one_replayed(
            rule,
            zip(
                times,
                known[:, column].tolist(),
                beyond[:, column].tolist(),
                behind[:, column].tolist(),
                strict=True,
            ),
        )
        state.active[column], state.run[column] = found[:2]
        state.run_ms[column], state.since_ms[column] = found[2:]
    return state


def _one_replayed(
    rule: SignalRule, seen: Iterable[tuple[int, bool, bool, bool]]
) -> tuple[bool, int, int, int]:
    """Active, run, its start and since when, of one thing; as ``observe`` has them."""
    active, run, run_ms, since_ms = False, 0, NEVER_MS, NEVER_MS
    for time_ms, known, beyond, behind in seen:
        if not known:
            continue
        if not (behind if active else beyond):
            run, run_ms = 0, NEVER_MS
            continue
        run += 1
        run_ms = time_ms if run_ms == NEVER_MS else run_ms
        if run >= (rule.leave_bars if active else rule.enter_bars):
            since_ms = NEVER_MS if active else run_ms
            active, run, run_ms = not active, 0, NEVER_MS
    return active, run, run_ms, since_ms
