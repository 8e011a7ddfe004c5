"""Signals of one moment, found by replaying the bars before it. Pure.

A signal has hysteresis and a minimum duration, so whether it is up depends on the past. Each
function here starts from nothing and observes as much of the past as its rule can remember.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.activity import (
    FUNDING_RULE,
    VOLUME_DAYS,
    VOLUME_RULE,
    funding_signals,
    funding_values,
    listing_signals,
    volume_signals,
    volume_z,
)
from risk.book import FloatArray
from risk.breadth import BREADTH_RULE, MEAN_BARS, breadth, breadth_signal
from risk.concentration import (
    ABSORPTION_RULE,
    SPIKE_RULE,
    absorption_ratio,
    absorption_shift,
    absorption_signal,
    correlation_spike,
    spike_signal,
)
from risk.correlation_report import LEAST_SHARE, LONG_DAYS
from risk.crowding import FundingSeries, crowding
from risk.estimate import CovarianceEstimate
from risk.pairs import initial_pairs, observe_pairs, pair_signals
from risk.regime import (
    BEFORE_BARS,
    RECENT_BARS,
    REGIME_RULE,
    correlation_change,
    regime_signals,
    regime_values,
)
from risk.returns import BARS_PER_DAY, HOUR_MS, BarPanel, log_returns
from risk.rolling import rolling_correlation, unpacked, window_correlation
from risk.signals import Signal, SignalRule, SignalState, replay
from risk.usable import filled_with_mean

LONG_BARS = LONG_DAYS * BARS_PER_DAY
LEAST_BARS = round(LEAST_SHARE * LONG_BARS)
REPLAYED_HOURS = 72
REGIME_STEP_HOURS, REGIME_STEPS = 1, 12
"""A bootstrap for each bar is slow; twelve are twice what the rule needs to change its mind."""

FUNDING_HOURS = 48
NEW_DAYS = 7
SEED = 1  # of the bootstrap, so that the same data give the same signals


@dataclass(frozen=True, slots=True)
class SignalInputs:
    """What signals are found from.

    Attributes:
        panel: closed hourly bars until now of all symbols, without unusable closes.
        symbols: those that correlations are told of, among the panel's.
        sector: the sector's symbols among the panel's.
        benchmark: among the panel's symbols.
        x_usd: signed notional by symbol; a symbol without a position may be missing.
        estimate: covariance of the symbols whose funding is watched.
        funding: settled payments by symbol.
        now_ms: the moment, UTC milliseconds.
    """

    panel: BarPanel
    symbols: tuple[str, ...]
    sector: tuple[str, ...]
    benchmark: str
    x_usd: Mapping[str, float]
    estimate: CovarianceEstimate
    funding: Mapping[str, FundingSeries]
    now_ms: int

    def positions(self, symbols: Sequence[str]) -> FloatArray:
        """(N,) notionals, 0 where nothing is held."""
        return np.array([self.x_usd.get(symbol, 0.0) for symbol in symbols])

    def held(self) -> frozenset[str]:
        """Symbols with a position."""
        return frozenset(symbol for symbol, usd in self.x_usd.items() if usd)


def replayed_signals(inputs: SignalInputs) -> tuple[Signal, ...]:
    """Everything that is going on now, the most urgent first.

    What the history is too short for is not signalled.
    """
    found: list[Signal] = []
    for part in (
        pair_part,
        regime_part,
        spike_part,
        absorption_part,
        breadth_part,
        volume_part,
        funding_part,
        listing_part,
    ):
        found += part(inputs)
    rank = {"alarm": 0, "warning": 1, "note": 2}
    return tuple(sorted(found, key=lambda signal: rank[signal.severity.value]))


def pair_part(inputs: SignalInputs) -> tuple[Signal, ...]:
    """Duplicate exposure, high correlation, decoupling: 30 days replayed over 30-day windows."""
    if len(inputs.symbols) < 2:
        return ()
    panel = _last(inputs.panel.subset(inputs.symbols), 2 * LONG_BARS + 1)
    packed = rolling_correlation(log_returns(panel), LONG_BARS, LEAST_BARS)[-LONG_BARS:]
    states = initial_pairs(inputs.symbols)
    for row, open_ms in zip(packed, panel.open_ms[1:][-LONG_BARS:].tolist(), strict=True):
        states = observe_pairs(states, unpacked(row, len(inputs.symbols)), open_ms)
    return pair_signals(states, inputs.positions(inputs.symbols))


def regime_part(inputs: SignalInputs) -> tuple[Signal, ...]:
    """The last 7 days against the 30 before, by the hour."""
    needed = RECENT_BARS + BEFORE_BARS
    if len(inputs.symbols) < 2 or len(inputs.panel.open_ms) <= needed:
        return ()
    panel = _last(inputs.panel.subset(inputs.symbols), needed + REGIME_STEPS)
    returns, open_ms = log_returns(panel), panel.open_ms[1:]
    ends = range(needed, len(returns) + 1, REGIME_STEP_HOURS)
    changes = [
        correlation_change(returns[end - needed : end], inputs.symbols, seed=SEED) for end in ends
    ]
    values = np.array([regime_values(change) for change in changes])
    state = replay(REGIME_RULE, values, open_ms[[end - 1 for end in ends]])
    return regime_signals(state, changes[-1], inputs.held())


def spike_part(inputs: SignalInputs) -> tuple[Signal, ...]:
    """The sector's correlation under stress."""
    if len(inputs.sector) < 2 or len(inputs.panel.open_ms) < 2:
        return ()
    sector = log_returns(inputs.panel.subset(inputs.sector))
    benchmark = log_returns(inputs.panel.subset([inputs.benchmark]))[:, 0]

    def value(end: int) -> float:
        spike = correlation_spike(sector[:end], benchmark[:end])
        return np.nan if spike is None else spike.value

    now = correlation_spike(sector, benchmark)
    if now is None:
        return ()
    hours = REPLAYED_HOURS // 2  # a look at 61 windows each
    state = _replayed(SPIKE_RULE, inputs.panel.open_ms[1:], value, hours)
    found = spike_signal(state, now, inputs.sector)
    return () if found is None else (found,)


def absorption_part(inputs: SignalInputs) -> tuple[Signal, ...]:
    """How much of all variance the first common factors take, day by day over the history."""
    if len(inputs.panel.open_ms) <= LONG_BARS:
        return ()
    returns = log_returns(inputs.panel)
    ends = np.arange(len(returns), LONG_BARS - 1, -BARS_PER_DAY)[::-1]
    known = [~np.isnan(np.diag(_window(returns, int(ends[k])))) for k in (0, -1)]
    chosen = np.flatnonzero(known[0] & known[1])  # the same tokens throughout
    if len(chosen) < 2:
        return ()
    ratios = np.array(
        [absorption_ratio(filled_with_mean(_window(returns[:, chosen], int(e)))) for e in ends]
    )
    shifts = [absorption_shift(ratios[: k + 1]) for k in range(len(ends))]
    values = np.array([np.nan if shift is None else shift for shift in shifts])
    state = replay(ABSORPTION_RULE, values[:, None], inputs.panel.open_ms[1:][ends - 1])
    names = [inputs.panel.symbols[i] for i in chosen.tolist()]
    found = absorption_signal(state, float(ratios[-1]), names)
    return () if found is None else (found,)


def breadth_part(inputs: SignalInputs) -> tuple[Signal, ...]:
    """A move of the sector that most of its tokens do not make."""
    panel = _last(inputs.panel.subset(inputs.sector), MEAN_BARS + REPLAYED_HOURS)
    now = breadth(panel)
    if now is None:
        return ()

    def value(end: int) -> float:
        one = breadth(panel, end - 1)
        return np.nan if one is None else one.divergence

    state = _replayed(BREADTH_RULE, panel.open_ms, value, REPLAYED_HOURS)
    found = breadth_signal(state, now, inputs.sector)
    return () if found is None else (found,)


def volume_part(inputs: SignalInputs) -> tuple[Signal, ...]:
    """Volume out of the usual, of the sector's tokens and the held ones."""
    watched = [s for s in inputs.panel.symbols if s in inputs.sector or s in inputs.held()]
    bars = (VOLUME_DAYS + 1) * BARS_PER_DAY + REPLAYED_HOURS
    panel = _last(inputs.panel.subset(watched), bars)
    ends = _ends(len(panel.open_ms), REPLAYED_HOURS)
    if not len(ends) or not watched:
        return ()
    values = np.array([volume_z(panel.quote_volume_usd[:end]) for end in ends])
    return volume_signals(replay(VOLUME_RULE, values, panel.open_ms[ends - 1]), watched)


def funding_part(inputs: SignalInputs) -> tuple[Signal, ...]:
    """Funding spikes on correlated positions, with today's correlations."""
    symbols = inputs.estimate.symbols
    in_sector = np.array([symbol in inputs.sector for symbol in symbols])
    hour_ms = inputs.now_ms - inputs.now_ms % HOUR_MS
    times = hour_ms - HOUR_MS * np.arange(FUNDING_HOURS - 1, -1, -1, dtype=np.int64)
    # In hours without a payment nothing changes.
    reports = [
        crowding(inputs.funding, inputs.estimate, in_sector=in_sector, now_ms=time)
        for time in times.tolist()
    ]
    values = np.array([funding_values(report) for report in reports])
    state = replay(FUNDING_RULE, values, times)
    return funding_signals(
        state, reports[-1], inputs.estimate.correlation, inputs.positions(symbols)
    )


def listing_part(inputs: SignalInputs) -> tuple[Signal, ...]:
    """Tokens of the sector whose bars began within a week, or ended more than a day ago."""
    there = ~np.isnan(inputs.panel.subset(inputs.sector).close)
    early, recent = there[: -NEW_DAYS * BARS_PER_DAY], there[-BARS_PER_DAY:]
    before = {symbol for i, symbol in enumerate(inputs.sector) if early[:, i].any()}
    now = {symbol for i, symbol in enumerate(inputs.sector) if recent[:, i].any()}
    return listing_signals(before, now, inputs.now_ms, inputs.held()) if now else ()


def _window(returns: FloatArray, end: int) -> FloatArray:
    return window_correlation(returns[end - LONG_BARS : end], LEAST_BARS)[0]


def _last(panel: BarPanel, bars: int) -> BarPanel:
    return BarPanel(
        panel.symbols, panel.open_ms[-bars:], panel.close[-bars:], panel.quote_volume_usd[-bars:]
    )


def _ends(rows: int, hours: int) -> NDArray[np.int64]:
    return np.arange(max(rows - hours, 0) + 1, rows + 1, dtype=np.int64)


def _replayed(
    rule: SignalRule,
    open_ms: NDArray[np.int64],
    value: Callable[[int], float],
    hours: int,
) -> SignalState:
    """One thing observed over the last hours; ``value`` is given the number of bars until then."""
    ends = _ends(len(open_ms), hours)
    values = np.array([[value(end)] for end in ends.tolist()])
    return replay(rule, values, open_ms[ends - 1])
