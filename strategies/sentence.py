"""One plain sentence for one decision."""

import numpy as np

from risk.book import FloatArray
from strategies.inputs import HedgeFacts
from strategies.proposal import Conflict, CostEstimate, RiskState


def proposal_sentence(
    facts: HedgeFacts,
    target_usd: FloatArray,
    *,
    before: RiskState,
    after: RiskState,
    cost: CostEstimate,
    slacks_usd: dict[str, float],
    conflict: Conflict | None = None,
) -> str:
    """What is traded, what it does to the risk, what it costs, and what it does to the caps.

    Args:
        target_usd: (N,) hedges after the trades, USD signed.
        slacks_usd: caps that cannot be met, by name.
        conflict: why they cannot.
    """
    trade = target_usd - facts.hedge_usd
    parts = [
        text
        for text in (
            _side("sell", facts.symbols, np.maximum(-trade, 0.0)),
            _side(_buying(facts, trade), facts.symbols, np.maximum(trade, 0.0)),
        )
        if text
    ]
    first = " and ".join(parts)
    return (
        f"{first[:1].upper()}{first[1:]}: daily volatility goes from "
        f"{_usd(before.volatility_daily_usd)} to {_usd(after.volatility_daily_usd)} USD "
        f"for {cost.trade_usd:,.2f} USD of trading cost{_carry(cost)}; "
        f"{_caps(before, after, slacks_usd)}{_conflict(conflict)}."
    )


def _buying(facts: HedgeFacts, trade_usd: FloatArray) -> str:
    """Shorts are bought back, longs are bought."""
    back = facts.hedge_usd[trade_usd > 0] < 0
    return "buy back" if np.all(back) else "buy"


def _side(verb: str, symbols: tuple[str, ...], size: FloatArray) -> str:
    count = int(np.count_nonzero(size))
    if count == 0:
        return ""
    largest = int(np.argmax(size))
    if count == 1:
        return f"{verb} {_usd(float(size[largest]))} USD of {symbols[largest]}"
    return (
        f"{verb} {_usd(float(np.sum(size)))} USD of {count} symbols "
        f"(most {symbols[largest]}, {_usd(float(size[largest]))})"
    )


def _carry(cost: CostEstimate) -> str:
    carry = cost.carry_usd_per_day
    if round(carry, 2) == 0:
        return ""
    return f" and {abs(carry):,.2f} USD a day of funding {'paid' if carry > 0 else 'received'}"


def _caps(before: RiskState, after: RiskState, slacks_usd: dict[str, float]) -> str:
    over = dict.fromkeys(b.cap for b in after.breaches if b.curable)
    bots_own = dict.fromkeys(b.cap for b in after.breaches if not b.curable and b.cap not in over)
    eased = [cap for cap in slacks_usd if cap not in over and cap not in bots_own]
    parts = []
    if over:
        parts.append(f"still over: {', '.join(over)}")
    if bots_own:
        parts.append(f"over, and only the bot can lower it: {', '.join(bots_own)}")
    if not parts:
        parts.append(f"every cap on the book holds{' again' if before.breaches else ''}")
    if eased:
        parts.append(f"traded beyond {', '.join(eased)} to get there")
    return "; ".join(parts)


def _conflict(conflict: Conflict | None) -> str:
    names = [] if conflict is None else list(dict.fromkeys(one.cap for one in conflict.caps))
    if not names:
        return ""
    if len(names) == 1:
        return f"; no allowed hedge meets {names[0]}"
    return f"; {', '.join(names[:-1])} and {names[-1]} exclude each other"


def _usd(amount: float) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 100 else f"{amount:,.2f}"
