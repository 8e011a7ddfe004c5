"""A generated market with funding, and the figures that follow it bar by bar."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeVar

import numpy as np

from risk.book import FloatArray
from risk.correlation.clusters import beta, cluster
from risk.covariance.mean_ewma import CovarianceEstimate, MeanEwmaCovariance
from risk.crowding.report import CrowdingMemory, CrowdingReport, FundingSeries, crowding
from risk.exposure.report import ExposureReport, exposure
from risk.returns import HOUR_MS
from risk.tail.scenarios import FilteredScenarios
from risk.tail.var_es import TailRisk, tail_risk

INTERVAL_HOURS = 8
_PAYMENTS = 3 * 170
T = TypeVar("T")
Measured = tuple[ExposureReport, TailRisk, CrowdingReport]


class Market:
    """``n`` tokens on three factors; two benchmarks first. Every token is held."""

    def __init__(self, n: int, bars: int, more: int) -> None:
        rng = np.random.default_rng([0x51, n])
        common = rng.standard_t(4, (bars + more, 3)) @ rng.normal(0.004, 0.003, (3, n))
        self.returns: FloatArray = common + rng.normal(0.0, 0.006, (bars + more, n))
        self.volume_usd: FloatArray = np.exp(rng.normal(14.0, 1.0, (bars + more, n)))
        self.symbols = tuple(f"T{i}/USDT:USDT" for i in range(n))
        self.in_sector = np.arange(n) >= 2
        self.x_usd: FloatArray = rng.normal(0.0, 10_000.0, n)
        self.open_interest_usd = dict(zip(self.symbols, rng.uniform(1e6, 1e8, n), strict=True))
        self.adv_usd = dict(zip(self.symbols, rng.uniform(1e6, 1e8, n), strict=True))
        paid = _PAYMENTS + more // INTERVAL_HOURS + 1
        self._rates = rng.normal(1e-4, 2e-4, (paid, n))
        self._rates[rng.random((paid, n)) < 0.3] = 1e-4  # pinned to the fixed interest
        self._first_ms = (bars - INTERVAL_HOURS * _PAYMENTS) * HOUR_MS
        self.funding: dict[str, FundingSeries] = {}
        self._covariance = MeanEwmaCovariance(self.symbols)
        self._scenarios = FilteredScenarios(self.symbols)
        self._memory = CrowdingMemory()
        for row in self.returns[:bars]:
            self._covariance.update(row)
            self._scenarios.update(row)
        self.known, self._paid = bars, 0
        self.estimate: CovarianceEstimate = self._covariance.estimate()
        self._clusters = cluster(self.estimate.correlation, self.symbols)
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._settle()

    @property
    def now_ms(self) -> int:
        return self.known * HOUR_MS

    @property
    def so_far(self) -> FloatArray:
        return self.returns[: self.known]

    def step(self) -> None:
        """One hour later; every eighth hour funding is paid."""
        self.known += 1
        self._settle()

    def parts(self) -> Mapping[str, float]:
        """Median seconds of each part of the updates so far."""
        return {part: median(seconds) for part, seconds in self._seconds.items()}

    def update(self) -> Measured:
        """Take in the newest bar and measure the book by it."""
        row = self.returns[self.known - 1]
        self._timed("covariance", lambda: self._covariance.update(row))
        estimate = self._timed("estimate", self._covariance.estimate)
        report = self._timed("exposure", lambda: self._exposure(estimate))
        tail = self._timed("VaR and ES", lambda: self._tail(row))
        crowded = self._timed("crowding", lambda: self._crowding(estimate))
        self.estimate = estimate
        return report, tail, crowded

    def _exposure(self, estimate: CovarianceEstimate) -> ExposureReport:
        to_first = beta(estimate, self.symbols[0])
        return exposure(self.x_usd, estimate, to_first, self._clusters, self.in_sector)

    def _tail(self, row: FloatArray) -> TailRisk:
        self._scenarios.update(row)
        return tail_risk(self.x_usd, self._scenarios.scenarios())

    def _crowding(self, estimate: CovarianceEstimate) -> CrowdingReport:
        return crowding(
            self.funding,
            estimate,
            in_sector=self.in_sector,
            now_ms=self.now_ms,
            open_interest_usd=self.open_interest_usd,
            adv_usd=self.adv_usd,
            memory=self._memory,
        )

    def _settle(self) -> None:
        paid = (self.now_ms - self._first_ms) // (INTERVAL_HOURS * HOUR_MS)
        if paid == self._paid:
            return
        self._paid = paid
        time_ms = self._first_ms + INTERVAL_HOURS * HOUR_MS * np.arange(1, paid + 1, dtype=np.int64)
        hours = np.full(paid, float(INTERVAL_HOURS))
        for i, symbol in enumerate(self.symbols):
            self.funding[symbol] = FundingSeries(symbol, time_ms, self._rates[:paid, i], hours)

    def _timed(self, part: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        answer = work()
        self._seconds[part].append(time.perf_counter() - start)
        return answer


def figures_of(measured: Measured) -> dict[str, float]:
    """By name, as ``plain_figures`` has them."""
    report, tail, crowded = measured
    figures = {
        "volatility": report.volatility_daily_usd,
        "cae": report.cae_usd,
        "beta net": report.beta_net_usd,
        "VaR 95": tail.var95_usd,
        "ES 95": tail.es95_usd,
        "VaR 99": tail.var99_usd,
        "ES 99": tail.es99_usd,
    }
    for i, token in enumerate(crowded.tokens):
        figures[f"component of {token.symbol}"] = float(report.component_daily_usd[i])
        for what, value in (("C", token.crowding), ("around", token.cluster_crowding)):
            figures[f"{what} of {token.symbol}"] = float("nan") if value is None else value
    return figures
