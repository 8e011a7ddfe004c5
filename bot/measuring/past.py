"""What the past tells a decision beside the covariance: bad days, bad weeks, other windows.

All of it follows from closed bars, so it is made once a bar and kept; the worst weeks, which take
longest and change least, once a day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.elsewhere import is_elsewhere
from bot.measuring.estimation import DAY_MS, MarketView
from risk.book import FloatArray
from risk.covariance.basis import BasisCovariance
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.mean_ewma import SHRINKAGE, MeanEwmaCovariance, mean_ewma_covariance
from risk.errors import EstimationError
from risk.limits.stresses import (
    account_stress,
    funding_squeeze,
    gap_returns,
    worst_windows,
)
from risk.returns import BARS_PER_DAY, BarPanel, log_returns
from risk.tail.history import price_history
from risk.tail.scenario_memory import ScenarioMemory
from risk.tail.stand_in import with_stand_ins
from risk.tail.var_es import MIN_INDEPENDENT, day_returns
from strategies.inputs import HedgeFacts

_WEEK_BARS = 7 * BARS_PER_DAY


@dataclass(frozen=True, slots=True)
class PastSettings:
    """What is asked of the past.

    Attributes:
        sector_gap, benchmark_gap: jumps, simple returns.
        worst_weeks: how many of the sector's worst, and of its best.
        squeeze_days, squeeze_deviations, squeeze_funding_daily: see ``funding_squeeze``.
        maintenance_margin_rate: a fraction of notional.
        shared: the hedge account holds the bot's positions too.
        windows_days: half-lives of covariances beside the one of all figures, days.
        shrinkage: of those, towards the mean of correlations.
    """

    sector_gap: float = 0.3
    benchmark_gap: float = 0.1
    worst_weeks: int = 2
    squeeze_days: float = 2.0
    squeeze_deviations: float = 2.0
    squeeze_funding_daily: float = 0.02
    maintenance_margin_rate: float = 0.05
    shared: bool = False
    windows_days: tuple[float, ...] = ()
    shrinkage: float = SHRINKAGE


@dataclass(frozen=True, slots=True)
class _Told:
    """Of one bar and one set of symbols."""

    key: tuple[object, ...]
    tail_returns: FloatArray | None
    weeks: dict[str, FloatArray]
    windows: FloatArray | None


class Past:
    """Adds to the facts of a decision what the past tells."""

    def __init__(self, settings: PastSettings) -> None:
        self._settings = settings
        self._told: _Told | None = None
        self._scenarios = ScenarioMemory()
        self._day: tuple[object, ...] | None = None
        self._worst: dict[str, FloatArray] = {}

    def added(self, facts: HedgeFacts, view: MarketView) -> HedgeFacts:
        """The facts with scenarios, stresses and covariances of other windows.

        Scenarios are left out where some symbol has too short a past for them.
        """
        last_ms = int(view.panel.open_ms[-1]) if len(view.panel.open_ms) else None
        key = (view.revision, last_ms, facts.symbols)
        if self._told is None or self._told.key != key:
            self._told = self._tell(key, facts, view)
        told, s = self._told, self._settings
        volatility = np.sqrt(np.diag(facts.covariance_daily))
        squeeze = funding_squeeze(
            facts.in_sector,
            volatility,
            days=s.squeeze_days,
            deviations=s.squeeze_deviations,
            funding_daily=s.squeeze_funding_daily,
        )
        gaps = gap_returns(facts.in_sector, gap=s.sector_gap, benchmark_gap=s.benchmark_gap)
        margin = np.full(len(facts.symbols), s.maintenance_margin_rate)
        named = {**gaps, "funding squeeze": squeeze, **told.weeks}
        return replace(
            facts,
            tail_returns=told.tail_returns,
            stress=account_stress(*_of_the_account(named, margin, facts.symbols), shared=s.shared),
            covariance_windows_daily=told.windows,
        )

    def _tell(self, key: tuple[object, ...], facts: HedgeFacts, view: MarketView) -> _Told:
        known = tuple(s for s in facts.symbols if s in view.clean.symbols)
        return _Told(
            key,
            self._tail(facts, view) if known == facts.symbols else None,
            self._weeks_of_day(facts, view),
            self._windows(view.clean, view.homes, facts.symbols),
        )

    def _tail(self, facts: HedgeFacts, view: MarketView) -> FloatArray | None:
        if not len(view.panel.open_ms):
            return None
        returns, last_ms = view.returns_of(facts.symbols), int(view.panel.open_ms[-1])
        scenarios = with_stand_ins(
            self._scenarios.of(returns, facts.symbols, last_ms, view.revision),
            view.estimate,
            facts.in_sector,
        )
        try:
            days = day_returns(scenarios, facts.symbols)
        except EstimationError:  # a token that is too new: nothing is said of the tail
            return None
        independent = len(days) * scenarios.step_bars / scenarios.horizon_bars
        return days if independent >= MIN_INDEPENDENT else None

    def _weeks_of_day(self, facts: HedgeFacts, view: MarketView) -> dict[str, FloatArray]:
        days = int(view.panel.open_ms[-1]) // DAY_MS if len(view.panel.open_ms) else 0
        day = (view.revision, days, facts.symbols)
        if day != self._day:
            self._day, self._worst = day, self._weeks(facts, view)
        return self._worst

    def _weeks(self, facts: HedgeFacts, view: MarketView) -> dict[str, FloatArray]:
        count = self._settings.worst_weeks
        if not count or not set(facts.symbols) <= set(view.clean.symbols):
            return {}
        panel = view.clean.subset(facts.symbols)
        path = price_history(panel, view.estimate.subset(facts.symbols)).log_price
        sector = facts.in_sector.astype(float)
        named: dict[str, FloatArray] = {}
        for name, weights in (("sector's worst week", sector), ("sector's best week", -sector)):
            found = worst_windows(path, weights, window_bars=_WEEK_BARS, count=count)
            named |= {f"{name} {i + 1}": week for i, week in enumerate(found)}
        return named

    def _windows(
        self, clean: BarPanel, homes: Mapping[str, str], symbols: tuple[str, ...]
    ) -> FloatArray | None:
        days, shrinkage = self._settings.windows_days, self._settings.shrinkage
        if not days:
            return None
        pairs = {far: home for far, home in homes.items() if far in symbols}
        known = tuple(dict.fromkeys((*symbols, *pairs.values())))
        panel = clean.subset([s for s in known if s in clean.symbols])
        returns = log_returns(panel)
        estimates = [_one_window(returns, panel.symbols, pairs, d, shrinkage) for d in days]
        return np.array([one.subset(symbols).covariance_daily for one in estimates])


def _one_window(
    returns: FloatArray,
    symbols: Sequence[str],
    pairs: Mapping[str, str],
    half_life_days: float,
    shrinkage: float,
) -> CovarianceEstimate:
    if not pairs:
        return mean_ewma_covariance(returns, symbols, (half_life_days,), shrinkage)
    streamed = BasisCovariance(
        symbols, pairs, lambda home: MeanEwmaCovariance(home, (half_life_days,), shrinkage)
    )
    for row in returns:
        streamed.update(row)
    return streamed.estimate()


def _of_the_account(
    named: Mapping[str, FloatArray], margin: FloatArray, symbols: Sequence[str]
) -> tuple[Mapping[str, FloatArray], FloatArray]:
    """Returns and margins of what the hedge account may hold: not of other exchanges' contracts."""
    far = [is_elsewhere(symbol) for symbol in symbols]
    if not any(far):
        return named, margin
    return {name: np.where(far, 0.0, r) for name, r in named.items()}, np.where(far, 0.0, margin)
