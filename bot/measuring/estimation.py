"""What the engine believes about the market: kept up bar by bar, rebuilt when it must be."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np

from bot.feeds.panels import empty_panel, joined_panel
from bot.ports import MarketData
from risk.book import FloatArray
from risk.correlation.clusters import ClusterMemory
from risk.covariance.basis import FEWEST_BARS, BasisCovariance
from risk.covariance.estimators import DEFAULT_ESTIMATOR, new_estimator
from risk.covariance.mean_ewma import CovarianceEstimate, CovarianceEstimator
from risk.crowding.funding import CarryMemory
from risk.crowding.report import CrowdingMemory, FundingSeries
from risk.exclusion import Excluded
from risk.returns import (
    HOUR_MS,
    BarPanel,
    ReturnsMemory,
    log_returns,
    without_faults,
)

DAY_MS = 24 * HOUR_MS
REREAD_BARS = 4  # a bar that comes late is looked for this long
FUNDING_OVERLAP_MS = 9 * HOUR_MS  # a payment may be published after its time
FUNDING_DAYS = 45  # what a 30-day half-life still feels
FUNDING_KEPT_MS = 200 * DAY_MS  # longer than any measure of funding looks back; a run may be long
_MOST_ESTIMATES = 8  # kept at a time: what is measured changes with what is held
_NO_HOMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MarketView:
    """What was learned from closed bars and settled funding.

    Attributes:
        symbols: all that were asked for.
        estimate: covariance of those that have one; the rest is in ``unusable``.
        estimate_of: the same for chosen ones of these, as if there were no others; until the next
            refresh.
        unusable: why a symbol has none, by symbol.
        panel: the bars of all symbols.
        clean: those of the symbols whose closes can be used.
        funding: settled payments by symbol; a symbol without any is not in it.
        returns_of: hourly log returns of chosen symbols over these bars, worked out once for all.
        history: the bars of all symbols over so many days until now, read when asked for.
        revision: another number means that bars known before have changed.
        crowding_memory: what this funding told before, from one refresh to the next.
        carry_memory: what this funding cost a day, from one refresh to the next.
        cluster_memory: the clusters of the estimate before, from one refresh to the next.
        homes: the hedge venue's contract of the same token, by a contract of another exchange that
            is estimated as that one and a basis.
    """

    symbols: tuple[str, ...]
    estimate: CovarianceEstimate
    estimate_of: Callable[[Sequence[str]], CovarianceEstimate]
    unusable: Mapping[str, str]
    panel: BarPanel
    clean: BarPanel
    returns_of: Callable[[Sequence[str]], FloatArray]
    funding: Mapping[str, FundingSeries]
    history: Callable[[int], Awaitable[BarPanel]]
    revision: int = 0
    crowding_memory: CrowdingMemory = field(default_factory=CrowdingMemory)
    carry_memory: CarryMemory = field(default_factory=CarryMemory)
    cluster_memory: ClusterMemory = field(default_factory=ClusterMemory)
    homes: Mapping[str, str] = field(default_factory=dict)


class MarketModel:
    """Streaming covariance and funding for a set of symbols that may change."""

    def __init__(
        self,
        market: MarketData,
        *,
        backfill_days: int,
        shrinkage: float | None,
        estimator: str = DEFAULT_ESTIMATOR,
        on_backfill: Callable[[Sequence[str]], None] = lambda _symbols: None,
    ) -> None:
        self._market = market
        self._backfill_ms = backfill_days * DAY_MS
        self._shrinkage = shrinkage
        self._estimator = estimator
        self._on_backfill = on_backfill
        self._panel = self._clean = empty_panel(())
        self._covariance: CovarianceEstimator | None = None
        self._faulty: tuple[Excluded, ...] = ()
        self._funding: dict[str, FundingSeries] = {}
        self._funding_until_ms: int | None = None
        self._revision = 0
        self._returns_memory = ReturnsMemory()
        self._crowding_memory = CrowdingMemory()
        self._carry_memory = CarryMemory()
        self._cluster_memory = ClusterMemory()
        self._estimates: dict[tuple[str, ...] | None, CovarianceEstimate] = {}
        self._homes: Mapping[str, str] = {}
        self._paired: dict[str, str] = {}

    async def refresh(
        self, wanted: Collection[str], now_ms: int, homes: Mapping[str, str] = _NO_HOMES
    ) -> MarketView:
        """Everything that closed bars and payments tell by ``now_ms``.

        Args:
            wanted: symbols to know; the set may grow or shrink between calls.
            homes: the hedge venue's contract of the same token, by a contract of another exchange.
                Where the two have a week of bars in common, they differ by a basis alone.

        Raises:
            UnreachableError, VenueError, DataError: as the market data port says.
        """
        symbols = tuple(sorted({*wanted, *homes.values()}))
        hour_ms = now_ms - now_ms % HOUR_MS
        if self._covariance is None or symbols != self._panel.symbols or homes != self._homes:
            await self._rebuild(symbols, hour_ms, homes)
        else:
            await self._extend(symbols, hour_ms)
        estimate = self._estimate_of()
        return MarketView(
            symbols=symbols,
            estimate=estimate,
            estimate_of=self._estimate_of,
            unusable={item.symbol: item.reason for item in (*self._faulty, *estimate.excluded)},
            panel=self._panel,
            clean=self._clean,
            returns_of=partial(self._returns_memory.of, self._panel),
            funding=dict(self._funding),
            history=lambda days: self._market.bars(symbols, hour_ms - days * DAY_MS, hour_ms),
            revision=self._revision,
            crowding_memory=self._crowding_memory,
            carry_memory=self._carry_memory,
            cluster_memory=self._cluster_memory,
            homes=self._paired,
        )

    async def _rebuild(
        self, symbols: tuple[str, ...], hour_ms: int, homes: Mapping[str, str]
    ) -> None:
        self._on_backfill(symbols)
        panel = await self._market.bars(symbols, hour_ms - self._backfill_ms, hour_ms)
        funding_start_ms = hour_ms - FUNDING_DAYS * DAY_MS
        funding = await self._market.funding(symbols, funding_start_ms, hour_ms + 1)
        # Only now, with both: a model that is half of the new symbols would be taken for whole.
        self._homes = dict(homes)
        self._restart(panel)
        self._funding = dict(funding)
        self._funding_until_ms = hour_ms + 1

    def _estimate_of(self, symbols: Sequence[str] | None = None) -> CovarianceEstimate:
        """Of these alone or of all; asked for at every look, it is the same until a bar closes."""
        assert self._covariance is not None
        chosen = None if symbols is None else tuple(symbols)
        whole = self._estimates.get(None)
        if whole is not None and chosen == whole.symbols and not whole.excluded:
            return whole
        if chosen not in self._estimates:
            if len(self._estimates) >= _MOST_ESTIMATES:
                self._estimates.clear()
            self._estimates[chosen] = self._covariance.estimate(chosen)
        return self._estimates[chosen]

    def _restart(self, panel: BarPanel) -> None:
        self._estimates.clear()
        self._revision += 1
        clean, self._faulty = without_faults(panel)
        self._panel, self._clean = panel, clean
        returns = self._returns_memory.of(panel, clean.symbols)
        self._paired = _pairs(self._homes, clean.symbols, returns) if self._homes else {}
        self._covariance = self._new_covariance(clean.symbols)
        for row in returns:
            self._covariance.update(row)

    def _new_covariance(self, symbols: Sequence[str]) -> CovarianceEstimator:
        def new(chosen: Sequence[str]) -> CovarianceEstimator:
            return new_estimator(self._estimator, chosen, shrinkage=self._shrinkage)

        return BasisCovariance(symbols, self._paired, new) if self._paired else new(symbols)

    async def _extend(self, symbols: tuple[str, ...], hour_ms: int) -> None:
        known_ms = int(self._panel.open_ms[-1]) + HOUR_MS if len(self._panel.open_ms) else 0
        if hour_ms <= known_ms:
            return
        tail = await self._market.bars(symbols, known_ms - REREAD_BARS * HOUR_MS, hour_ms)
        assert self._funding_until_ms is not None
        funding_start_ms = self._funding_until_ms - FUNDING_OVERLAP_MS
        funding = await self._market.funding(symbols, funding_start_ms, hour_ms + 1)
        # Only now, with both: else the hour would count as known, its payments unread.
        self._append_funding(funding, hour_ms)
        joined = joined_panel(self._panel, tail, keep_from_ms=hour_ms - self._backfill_ms)
        clean, faulty = without_faults(joined)
        if faulty != self._faulty or _late_bars(self._panel, tail) or self._more_pairs(clean):
            self._restart(joined)
        else:
            self._panel, self._clean = joined, clean
            self._returns_memory.grow(joined, clean, known_ms - REREAD_BARS * HOUR_MS)
            self._advance(clean, known_ms)

    def _more_pairs(self, clean: BarPanel) -> bool:
        """Whether a contract estimated by itself has by now the bars to know its basis by."""
        alone = {far: home for far, home in self._homes.items() if far not in self._paired}
        return bool(alone and _pairs(alone, clean.symbols, log_returns(clean)))

    def _advance(self, clean: BarPanel, known_ms: int) -> None:
        assert self._covariance is not None
        self._estimates.clear()
        fresh = int((clean.open_ms[1:] >= known_ms).sum())
        returns = self._returns_memory.of(self._panel, clean.symbols)
        for row in returns[len(returns) - fresh :]:
            self._covariance.update(row)

    def _append_funding(self, fresh: Mapping[str, FundingSeries], hour_ms: int) -> None:
        for symbol, series in fresh.items():
            self._funding[symbol] = _appended(self._funding.get(symbol), series)
        self._funding_until_ms = hour_ms + 1


def _pairs(homes: Mapping[str, str], symbols: Sequence[str], returns: FloatArray) -> dict[str, str]:
    """Those of which both have bars, and enough of them in common to know the basis by."""
    at = {symbol: i for i, symbol in enumerate(symbols)}
    there = ~np.isnan(returns)
    return {
        far: home
        for far, home in homes.items()
        if far in at
        and home in at
        and int((there[:, at[far]] & there[:, at[home]]).sum()) >= FEWEST_BARS
    }


def _late_bars(known: BarPanel, tail: BarPanel) -> bool:
    """Whether ``tail`` has a price where ``known`` had none."""
    _, at_known, at_tail = np.intersect1d(known.open_ms, tail.open_ms, return_indices=True)
    was_missing = np.isnan(known.close[at_known])
    return bool((was_missing & ~np.isnan(tail.close[at_tail])).any())


def _appended(old: FundingSeries | None, new: FundingSeries) -> FundingSeries:
    if old is None:
        return new
    last_ms = int(old.time_ms[-1])
    if int(new.time_ms[-1]) <= last_ms and old.substitute >= new.substitute:
        return old  # the same object, so that what it told is remembered
    kept = old.since(int(new.time_ms[-1]) - FUNDING_KEPT_MS)
    return kept.then(new.since(last_ms + 1))
