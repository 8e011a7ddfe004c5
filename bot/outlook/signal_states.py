"""Where every signal rule stands for one set of symbols, and what it took in to stand there."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.measuring.estimation import DAY_MS, MarketView
from bot.outlook.signal_values import (
    MIN_PAIR_BARS,
    PAIR_BARS,
    SHIFT_LONG_DAYS,
    Bars,
    FundingMemory,
    absorption_at,
    breadth_at,
    funding_at,
    regime_at,
    shifts,
    spike_at,
    volume_at,
)
from bot.outlook.silence import known_tokens, silences
from risk.book import Book, FloatArray
from risk.correlation.regime import REGIME_RULE, CorrelationChange, regime_signals, regime_values
from risk.correlation.rolling import (
    pair_indices,
    rolling_correlation,
    unpacked,
    window_correlation,
)
from risk.crowding.report import CrowdingReport
from risk.quick_init import quick_replace
from risk.signals.activity import (
    FUNDING_RULE,
    VOLUME_RULE,
    funding_signals,
    funding_values,
    volume_signals,
)
from risk.signals.breadth import BREADTH_RULE, Breadth, breadth_signal
from risk.signals.concentration import (
    ABSORPTION_RULE,
    SPIKE_RULE,
    CorrelationSpike,
    SpikeWindow,
    absorption_signal,
    spike_signal,
)
from risk.signals.episodes import Signal, SignalRule, SignalState, replay
from risk.signals.pairs import PairStates, initial_pairs, observe_pairs, pair_signals

MEMORY_BARS = 48
COSTLY_BARS = 24
"""How far a restart looks back for what takes a bootstrap or many windows."""

ABSORPTION_DAYS = 10


class RuleMemory:
    """The last values of one rule; its state is their replay and rests on nothing older."""

    def __init__(self, rule: SignalRule, count: int, bars: int) -> None:
        """Nothing seen yet of ``count`` things, of which the last ``bars`` values are kept."""
        self._rule = rule
        self._times: deque[int] = deque(maxlen=bars)
        self._values: deque[FloatArray] = deque(maxlen=bars)
        self._count = count
        self._state: SignalState | None = None  # of what is there now, once it was asked for

    def push(self, time_ms: int, values: FloatArray) -> None:
        """One more bar."""
        self._times.append(time_ms)
        self._values.append(values)
        self._state = None

    def state(self) -> SignalState:
        """Where it stands."""
        if self._state is None:
            values = np.array(self._values).reshape(-1, self._count)
            times_ms = np.array(self._times, dtype=np.int64)
            self._state = replay(self._rule, values, times_ms)
        return self._state

    @property
    def first_ms(self) -> int | None:
        """When what is remembered begins."""
        return self._times[0] if self._times else None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Of which things the last value is known."""
        if not self._values:
            return np.zeros(self._count, dtype=np.bool_)
        return ~np.isnan(self._values[-1])


@dataclass(frozen=True, slots=True)
class Scope:
    """What the states are about; another scope starts anew.

    Attributes:
        revision: of the market model's history.
        symbols: all that can be measured.
        paired: those watched pair by pair.
        sector, benchmark: as in the universe, among ``symbols``.
    """

    revision: int
    symbols: tuple[str, ...]
    paired: tuple[str, ...]
    sector: tuple[str, ...]
    benchmark: str | None


class SignalStates:
    """The states of all rules but that of listings; each method takes bars or tells signals."""

    def __init__(self, scope: Scope) -> None:
        """Nothing seen yet."""
        self.scope = scope
        n, pairs = len(scope.symbols), len(scope.paired) * (len(scope.paired) - 1) // 2
        self._pairs: PairStates = initial_pairs(scope.paired)
        self._pairs_first_ms: int | None = None
        self._breadth = RuleMemory(BREADTH_RULE, 1, MEMORY_BARS)
        self._volume = RuleMemory(VOLUME_RULE, n, MEMORY_BARS)
        self._funding = RuleMemory(FUNDING_RULE, n, MEMORY_BARS)
        self._spike = RuleMemory(SPIKE_RULE, 1, COSTLY_BARS)
        self._regime = RuleMemory(REGIME_RULE, 1 + pairs, COSTLY_BARS)
        self._funding_memory = FundingMemory()
        self._spike_windows: dict[int, SpikeWindow] = {}
        self._ratios: dict[int, float | None] = {}
        self._shifted: tuple[list[int], FloatArray] | None = None  # of the ratios as they are now
        self._now_breadth: Breadth | None = None
        self._now_spike: CorrelationSpike | None = None
        self._now_regime: CorrelationChange | None = None
        self._now_crowding: CrowdingReport | None = None
        self._correlation: FloatArray = np.zeros((n, n))

    def takes(self, view: MarketView, bars: Bars, rows: range) -> dict[str, Callable[[], None]]:
        """How each rule takes in these rows of ``bars``; each may raise and harms no other."""
        columns = [self.scope.symbols.index(s) for s in self.scope.paired]
        recent, costly = rows[-MEMORY_BARS:], rows[-COSTLY_BARS:]
        return {
            "pairs": lambda: self._take_pairs(bars, rows, columns),
            "breadth": lambda: self._take_breadth(bars, recent),
            "volume": lambda: self._take_volume(bars, recent),
            "funding": lambda: self._take_funding(view, bars, recent),
            "spike": lambda: self._take_spike(bars, costly),
            "regime": lambda: self._take_regime(bars, costly, columns),
            "absorption": lambda: self._take_absorption(bars, rows),
        }

    def tells(self, book: Book) -> dict[str, Callable[[], Iterable[Signal]]]:
        """How each rule tells its signals to the holder of this book, strongest first."""
        scope = self.scope
        x = book.notional_usd(scope.symbols)
        paired = x[[scope.symbols.index(s) for s in scope.paired]]
        held = frozenset(book.symbols())
        return {
            "pairs": lambda: _from(pair_signals(self._pairs, paired), self._pairs_first_ms),
            "regime": lambda: _from(self._regime_signals(held), self._regime.first_ms),
            "spike": lambda: _from(self._spike_signals(), self._spike.first_ms),
            "absorption": self._absorption_signals,
            "breadth": lambda: _from(self._breadth_signals(), self._breadth.first_ms),
            "volume": lambda: _from(self._volume_signals(), self._volume.first_ms),
            "funding": lambda: _from(self._funding_signals(x), self._funding.first_ms),
        }

    def silences(self, bars: Bars) -> dict[str, str]:
        """Which rules have no word at the last bar, about whom, and why."""
        symbols, paired = self.scope.symbols, self.scope.paired
        pairs = known_tokens(~np.isnan(self._pairs.high.value), len(paired))
        regime = known_tokens(self._regime.known[1:], len(paired))
        known = {
            "pairs": dict(zip(paired, pairs, strict=True)),
            "breadth": {"": bool(self._breadth.known[0])},
            "volume": dict(zip(symbols, self._volume.known.tolist(), strict=True)),
            "funding": dict(zip(symbols, self._funding.known.tolist(), strict=True)),
            "spike": {"": bool(self._spike.known[0])},
            "regime": dict(zip(paired, regime, strict=True)),
            "absorption": {"": bool((~np.isnan(self._shifts()[1][-1:])).any())},
        }
        return silences(known, bars)

    def _take_pairs(self, bars: Bars, rows: range, columns: list[int]) -> None:
        if len(columns) < 2:
            return
        if len(rows) == 1 and rows[0] > 0:  # one bar more needs no running sums
            returns = bars.until(rows[0], PAIR_BARS)[:, columns]
            self._see_pairs(bars, rows[0], window_correlation(returns, MIN_PAIR_BARS)[0])
            return
        returns = bars.returns[max(rows[0] - PAIR_BARS, 0) :, columns]
        packed = rolling_correlation(returns, PAIR_BARS, MIN_PAIR_BARS)
        for row in rows:
            if row > 0:  # the first bar has no return
                values = packed[row - len(bars.panel.open_ms)]
                self._see_pairs(bars, row, unpacked(values, len(columns)))

    def _see_pairs(self, bars: Bars, row: int, correlation: FloatArray) -> None:
        if self._pairs_first_ms is None:
            values = correlation[pair_indices(len(correlation))]
            if not np.isnan(values).all():
                self._pairs_first_ms = bars.known_ms(row)
        self._pairs = observe_pairs(self._pairs, correlation, bars.known_ms(row))

    def _take_breadth(self, bars: Bars, rows: range) -> None:
        for row in rows:
            now = self._now_breadth = breadth_at(bars, row)
            value = np.nan if now is None else now.divergence
            self._breadth.push(bars.known_ms(row), np.array([value]))

    def _take_volume(self, bars: Bars, rows: range) -> None:
        for row in rows:
            self._volume.push(bars.known_ms(row), volume_at(bars, row))

    def _take_funding(self, view: MarketView, bars: Bars, rows: range) -> None:
        estimate = view.estimate
        self._correlation = estimate.correlation
        for row in rows:
            now_ms = bars.known_ms(row)
            report = funding_at(view.funding, estimate, bars.sector, now_ms, self._funding_memory)
            self._now_crowding = report
            self._funding.push(now_ms, funding_values(report))

    def _take_spike(self, bars: Bars, rows: range) -> None:
        for row in rows:
            now = self._now_spike = spike_at(bars, row, self._spike_windows)
            value = np.nan if now is None else now.value
            self._spike.push(bars.known_ms(row), np.array([value]))

    def _take_regime(self, bars: Bars, rows: range, columns: list[int]) -> None:
        paired = self._pairs.symbols
        unknown = np.full(1 + len(paired) * (len(paired) - 1) // 2, np.nan)
        for row in rows:
            now = self._now_regime = regime_at(bars, row, paired, columns)
            values = unknown if now is None else regime_values(now)
            self._regime.push(bars.known_ms(row), values)

    def _take_absorption(self, bars: Bars, rows: range) -> None:
        if len(bars.sector) < 2:
            return
        for row in rows:
            time_ms = bars.known_ms(row)
            if time_ms % DAY_MS == 0:
                self._ratios[time_ms] = absorption_at(bars, row)
                self._shifted = None
        for old in sorted(self._ratios)[: -(SHIFT_LONG_DAYS + ABSORPTION_DAYS)]:
            del self._ratios[old]

    def _regime_signals(self, held: frozenset[str]) -> tuple[Signal, ...]:
        now = self._now_regime
        return () if now is None else regime_signals(self._regime.state(), now, held)

    def _spike_signals(self) -> Iterable[Signal]:
        now = self._now_spike
        if now is None:
            return ()
        return filter(None, [spike_signal(self._spike.state(), now, self.scope.sector)])

    def _absorption_signals(self) -> Iterable[Signal]:
        times, values = self._shifts()
        last = self._ratios[times[-1]] if times else None
        if last is None:
            return ()
        state = replay(ABSORPTION_RULE, values, np.array(times, dtype=np.int64))
        found = absorption_signal(state, last, self.scope.sector, SHIFT_LONG_DAYS)
        return _from(filter(None, [found]), times[0])

    def _shifts(self) -> tuple[list[int], FloatArray]:
        """Days and the shift at each of them."""
        if self._shifted is None:
            times = sorted(self._ratios)
            values = shifts([self._ratios[t] for t in times], ABSORPTION_DAYS)
            self._shifted = times[len(times) - len(values) :], values
        return self._shifted

    def _breadth_signals(self) -> Iterable[Signal]:
        now = self._now_breadth
        if now is None:
            return ()
        return filter(None, [breadth_signal(self._breadth.state(), now, self.scope.sector)])

    def _volume_signals(self) -> tuple[Signal, ...]:
        return volume_signals(self._volume.state(), self.scope.symbols)

    def _funding_signals(self, x_usd: FloatArray) -> tuple[Signal, ...]:
        now = self._now_crowding
        if now is None:
            return ()
        return funding_signals(self._funding.state(), now, self._correlation, x_usd)


def _from(signals: Iterable[Signal], first_ms: int | None) -> Iterable[Signal]:
    """Marked where they are as old as what is remembered, and so may be older."""
    for one in signals:
        earlier = first_ms is not None and one.since_ms <= first_ms
        yield one if one.since_earlier is earlier else quick_replace(one, since_earlier=earlier)
