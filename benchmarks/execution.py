"""What the styles of execution cost on the simulated exchange: ``python -m benchmarks.execution``.

One hedge is sold in each style over the same paths of prices, seeded random walks at the volatility
that the exchange's book is made for. Costs are what the engine itself records: fees and shortfall
against the middle price at the decision, in basis points of what was filled, positive is a cost.
"""

import argparse
import asyncio
import json
import math
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.ports import Quote
from bot.trading.execution import ExecutionContext, Executor
from bot.trading.order_costs import OrderCost
from bot.trading.planner import Plan, PlanIdentity, PlanSettings, plan_orders
from bot.trading.pretrade import PretradeLimits
from bot.trading.styles import ExecutionStyles, Style
from bot.venues.paper import PaperVenue, open_paper_venue
from risk.instrument import Instrument
from strategies.proposal import CostEstimate, HedgeLeg, HedgeProposal, RiskState

SYMBOL, ACCOUNT = "FET/USDT:USDT", "hedge"
START_MS = 1_750_000_000_000
PRICE, HALF_SPREAD = 0.5, 2e-4
ADV_USD, VOLATILITY_DAILY = 5e6, 0.05
DAY_S = 86_400
SLICE_S = 60
INSTRUMENT = Instrument(
    symbol=SYMBOL,
    base="FET",
    quote="USDT",
    venue="binanceusdm",
    contract_size=Decimal(1),
    tick=Decimal("0.00001"),
    lot=Decimal(1),
    min_quantity=Decimal(1),
    min_notional_usd=Decimal(5),
    maker_fee=0.0002,
    taker_fee=0.0005,
    funding_interval_hours=8.0,
)
STATE = RiskState(0.0, 0.0, 0.0, {}, ())


@dataclass
class Walk:
    """A seeded path of the mark, a step a second, and the exchange that follows it."""

    clock: SimulatedClock
    seed: int

    def __post_init__(self) -> None:
        die = random.Random(self.seed // 2)  # noqa: S311 - a path of prices is no secret
        # Each path is walked upwards and downwards, so that drift is noise and no more.
        step = (1 - 2 * (self.seed % 2)) * VOLATILITY_DAILY / math.sqrt(DAY_S)
        self._logs = [0.0]
        for _ in range(SLICE_S * 20):
            self._logs.append(self._logs[-1] + step * die.gauss(0.0, 1.0))
        self.venue: PaperVenue = open_paper_venue(
            [INSTRUMENT], self.clock, ACCOUNT, Decimal(100_000), leverage=5
        )

    def quote(self) -> Quote:
        """Of now."""
        now_ms = self.clock.now_ms()
        second = min((now_ms - START_MS) // 1000, len(self._logs) - 1)
        mark = PRICE * math.exp(self._logs[second])
        return Quote(
            symbol=SYMBOL,
            timestamp_ms=now_ms,
            mark=mark,
            index=mark,
            last=mark,
            bid=mark * (1 - HALF_SPREAD),
            ask=mark * (1 + HALF_SPREAD),
            daily_volume_usd=ADV_USD,
            funding_rate=0.0,
            funding_interval_hours=8.0,
            next_funding_ms=START_MS + 8 * 3_600_000,
            volatility_daily=VOLATILITY_DAILY,
        )

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Of now; the exchange has them too."""
        del symbols
        found = {SYMBOL: self.quote()}
        self.venue.refresh(found)
        return found

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Any, float]:
        """By the law of the exchange's book."""
        del symbol
        usd = ADV_USD * ((within - HALF_SPREAD) / VOLATILITY_DAILY) ** 2
        return {"buy": usd, "sell": usd}


async def sold(style: Style, usd: float, seed: int, folder: Path) -> tuple[OrderCost, ...]:
    """The costs of selling so much in one style, to the end."""
    walk = Walk(SimulatedClock(START_MS), seed)
    styles = ExecutionStyles(style=style, slice_every_ms=SLICE_S * 1000, slice_depth_share=0.01)
    limits = PretradeLimits(styles=styles.times_in_force)
    quotes = await walk.quotes([SYMBOL])
    trade = -round(usd / PRICE) * PRICE
    leg = HedgeLeg(SYMBOL, 0.0, trade, trade, PRICE)
    proposal = HedgeProposal(
        "bench", START_MS, (leg,), STATE, STATE, CostEstimate(0, 0, 0, 0), {}, {}, 0, 0, "", ""
    )
    identity = PlanIdentity(ACCOUNT, "c0", b"benchmark" * 2)
    settings = PlanSettings(max_order_usd=Decimal(2000))
    plan = plan_orders(
        proposal, {SYMBOL: INSTRUMENT}, quotes, {}, identity=identity, settings=settings
    )
    costs: list[OrderCost] = []
    with Journal.open(folder / f"{style}-{seed}-{usd:.0f}.sqlite", walk.clock) as journal:
        executor = Executor(
            venue=walk.venue,
            market=walk,  # type: ignore[arg-type]  # an executor asks for no more
            journal=journal,
            clock=walk.clock,
            limits=limits,
            styles=styles,
        )
        for number in range(15):
            now_ms = walk.clock.now_ms()
            context = ExecutionContext(
                f"c{number}",
                {SYMBOL: INSTRUMENT},
                await walk.quotes([SYMBOL]),
                await walk.venue.account(),
                frozenset({SYMBOL}),
                instruments_ms=now_ms,
                looked_ms=now_ms,
                continuing=number > 0,
            )
            report = await executor.execute(plan if number == 0 else Plan((), (), ()), context)
            costs += report.costs
            if not report.waiting:
                break
            await walk.clock.sleep(SLICE_S)
    return tuple(costs)


def figures(costs: Sequence[OrderCost], usd: float) -> dict[str, float]:
    """Basis points of what was filled, and how much that was."""
    filled = sum(one.notional_usd for one in costs)
    parts = {
        "total": [one.realised_usd for one in costs],
        "fee": [one.fee_usd for one in costs],
        "spread": [one.spread_usd for one in costs],
        "impact": [one.impact_usd for one in costs],
        "drift": [one.drift_usd for one in costs],
    }
    found = {name: 1e4 * sum(v or 0.0 for v in values) / filled for name, values in parts.items()}
    maker = sum(one.notional_usd * one.maker_share for one in costs) / filled
    return {**found, "filled": filled / usd, "maker": maker}


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    seeds = range(parser.parse_args().seeds)
    document: dict[str, Any] = {"seeds": len(seeds)}
    shm = Path("/dev/shm")  # noqa: S108 - figures of money, not of time: the disk may be memory
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        for usd in (1_000.0, 16_000.0):
            rows = {}
            for style in Style:
                runs = [
                    figures(asyncio.run(sold(style, usd, seed, Path(folder))), usd)
                    for seed in seeds
                ]
                rows[style.value] = {
                    name: round(fmean(run[name] for run in runs), 2) for name in runs[0]
                }
                totals = [run["total"] for run in runs]
                rows[style.value]["total_error"] = round(stdev(totals) / len(runs) ** 0.5, 2)
                rows[style.value]["total_scatter"] = round(stdev(totals), 2)
            document[f"{usd:.0f}_usd"] = rows
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
