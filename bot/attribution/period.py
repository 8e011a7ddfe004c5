"""Attribution of a period: who earned and cost what, and how well the hedges did. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from bot.attribution.bots import BotResult, bot_results
from bot.attribution.course import (
    DAY_MS,
    Moment,
    moments_of,
    moves_of,
    realised_volatility_daily_usd,
)
from bot.attribution.hedges import Booked, HedgeResult, hedge_results
from bot.report.words import number


@dataclass(frozen=True, slots=True)
class Risk:
    """How much the hedges took away, expected and realised.

    Attributes:
        days: time between measured cycles.
        expected_unhedged_daily_usd, expected_hedged_daily_usd: root of the time's mean of the
            variances that the cycles saw, USD a day.
        realised_unhedged_daily_usd, realised_hedged_daily_usd: root of the squared price gains over
            the time they took, USD a day.
        expected_effectiveness, realised_effectiveness: 1 less the ratio of variances with and
            without hedges; None where the bot held nothing or nothing is known.
    """

    days: float
    expected_unhedged_daily_usd: float | None
    expected_hedged_daily_usd: float | None
    realised_unhedged_daily_usd: float | None
    realised_hedged_daily_usd: float | None
    expected_effectiveness: float | None
    realised_effectiveness: float | None


@dataclass(frozen=True, slots=True)
class Attribution:
    """One period.

    Attributes:
        start_ms, end_ms: first and last measured cycle, UTC; the trades of the last are in it.
        booked_until_ms: what was booked before then is in it; None: all that was.
        bots, hedges: by symbol.
        slippage_usd: by symbol, what our orders cost against the price of their decision, fees
            aside; it is a part of the hedges' price result. None where an order's is not known.
        risk: what it was good for; None with fewer than two measured cycles.
    """

    start_ms: int
    end_ms: int
    bots: tuple[BotResult, ...]
    hedges: tuple[HedgeResult, ...]
    slippage_usd: Mapping[str, float | None]
    risk: Risk | None
    booked_until_ms: int | None = None

    @property
    def hedge_net_usd(self) -> float | None:
        """Of all hedges, price, fees and funding; None where a price is not known."""
        found = [one.net_usd for one in self.hedges]
        known = [one for one in found if one is not None]
        return sum(known) if len(known) == len(found) else None

    @property
    def cost_usd(self) -> float | None:
        """Fees and slippage less funding received: what the hedges cost whatever prices did."""
        slips = list(self.slippage_usd.values())
        known = [one for one in slips if one is not None]
        if len(known) < len(slips):
            return None
        fees = sum((one.fees_usd for one in self.hedges), Decimal(0))
        funding = sum((one.funding_usd for one in self.hedges), Decimal(0))
        return float(fees - funding) + sum(known)

    @property
    def cost_per_risk(self) -> float | None:
        """USD of cost for each USD of daily volatility taken away for a day; None without any."""
        risk, cost = self.risk, self.cost_usd
        if risk is None or cost is None:
            return None
        alone, hedged = risk.expected_unhedged_daily_usd, risk.expected_hedged_daily_usd
        if alone is None or hedged is None or alone <= hedged or risk.days == 0:
            return None
        return cost / ((alone - hedged) * risk.days)

    def document(self) -> dict[str, Any]:
        """As plain JSON types; exact sums as decimal text."""
        return {
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "booked_until_ms": self.booked_until_ms,
            "bots": [asdict(one) for one in self.bots],
            "hedges": [_plain(one) for one in self.hedges],
            "slippage_usd": dict(self.slippage_usd),
            "risk": None if self.risk is None else asdict(self.risk),
            "total": {
                "bot_price_usd": sum(one.price_usd for one in self.bots),
                "hedge_net_usd": self.hedge_net_usd,
                "fees_usd": str(sum((one.fees_usd for one in self.hedges), Decimal(0))),
                "funding_usd": str(sum((one.funding_usd for one in self.hedges), Decimal(0))),
                "cost_usd": self.cost_usd,
                "cost_per_risk": self.cost_per_risk,
            },
        }


def _plain(result: HedgeResult) -> dict[str, Any]:
    plain = {k: str(v) if isinstance(v, Decimal) else v for k, v in asdict(result).items()}
    return {**plain, "net_usd": result.net_usd}


def attribution_of(
    documents: Sequence[Mapping[str, Any]],
    booked: Booked,
    costs: Iterable[Mapping[str, Any]],
    *,
    next_ms: int | None = None,
) -> Attribution | None:
    """The period of these cycles; None where none of them could measure the book.

    Args:
        documents: of the period's cycles, oldest first.
        booked: everything that was ever booked in the account.
        costs: of the orders that ended in the period, as ``order_costs`` has them.
        next_ms: when the first cycle after the period began; what was booked until then belongs to
            the period. None: there is none.
    """
    moments = moments_of(documents)
    if not moments:
        return None
    first, last = moments[0], moments[-1]
    return Attribution(
        start_ms=first.timestamp_ms,
        end_ms=last.timestamp_ms,
        bots=tuple(bot_results(moments)),
        hedges=tuple(hedge_results(booked, first.timestamp_ms, next_ms, first.marks, last.marks)),
        slippage_usd=_slippage(costs),
        risk=_risk(documents, moments),
        booked_until_ms=next_ms,
    )


def _slippage(costs: Iterable[Mapping[str, Any]]) -> dict[str, float | None]:
    found: dict[str, list[float | None]] = defaultdict(list)
    for one in costs:
        found[str(one["symbol"])].append(number(one.get("shortfall_usd")))
    return {
        symbol: sum(known) if len(known := [u for u in usd if u is not None]) == len(usd) else None
        for symbol, usd in sorted(found.items())
    }


def _risk(documents: Sequence[Mapping[str, Any]], moments: Sequence[Moment]) -> Risk | None:
    moves = moves_of(moments)
    if not moves:
        return None
    known = [
        (m.end_ms - m.start_ms, m.bot_usd, m.hedge_usd)
        for m in moves
        if m.bot_usd is not None and m.hedge_usd is not None
    ]
    alone = realised_volatility_daily_usd([(ms, bot) for ms, bot, _ in known])
    both = realised_volatility_daily_usd([(ms, bot + hedge) for ms, bot, hedge in known])
    hoped_alone, hoped_both = (
        _mean_volatility(documents, f"volatility_{key}_daily_usd") for key in ("unhedged", "after")
    )
    return Risk(
        days=(moments[-1].timestamp_ms - moments[0].timestamp_ms) / DAY_MS,
        expected_unhedged_daily_usd=hoped_alone,
        expected_hedged_daily_usd=hoped_both,
        realised_unhedged_daily_usd=alone,
        realised_hedged_daily_usd=both,
        expected_effectiveness=effectiveness(hoped_alone, hoped_both),
        realised_effectiveness=effectiveness(alone, both),
    )


def _mean_volatility(documents: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """Root of the time's mean of variances; what a cycle saw holds until the next that saw it."""
    seen = [
        (int(one["timestamp_ms"]), value)
        for one in documents
        if (value := number(one.get(key))) is not None
    ]
    spans = [(after - at, value) for (at, value), (after, _) in pairwise(seen)]
    length = sum(ms for ms, _ in spans)
    if length <= 0:
        return None
    return float((sum(ms * value * value for ms, value in spans) / length) ** 0.5)


def effectiveness(alone: float | None, together: float | None) -> float | None:
    """1 less the ratio of variances; None where there was nothing to take away."""
    if not alone or together is None:
        return None
    return 1 - (together / alone) ** 2
