"""What earlier decisions still mean to trade, looked at with the facts of now. Pure."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from bot.records.ending import Look
from strategies.proposal import CostEstimate, HedgeLeg, HedgeProposal
from strategies.state import risk_state


def continuation(look: Look, rest: Mapping[str, Decimal]) -> HedgeProposal | None:
    """The trades that are left, as a proposal that every check of proposals can judge.

    Args:
        rest: signed base units by symbol; what has no price now is left out.
    """
    facts = look.assessment.facts
    price = dict(zip(facts.symbols, facts.price_usd.tolist(), strict=True))
    held = dict(zip(facts.symbols, facts.hedge_usd.tolist(), strict=True))
    trade = rest_usd(look, rest)
    if not trade:
        return None
    legs = tuple(
        HedgeLeg(s, held[s], held[s] + trade.get(s, 0.0), trade.get(s, 0.0), price[s])
        for s in facts.symbols
        if held[s] or s in trade
    )
    after = facts.hedge_usd + np.array([trade.get(s, 0.0) for s in facts.symbols])
    return HedgeProposal(
        strategy="sliced",
        timestamp_ms=facts.timestamp_ms,
        legs=legs,
        before=look.before,
        after=risk_state(facts, look.choices, after),
        cost=CostEstimate(0.0, 0.0, 0.0, 0.0),
        shadow_prices={},
        slacks_usd={},
        objective_relaxed=0.0,
        objective_lots=0.0,
        solver_status="none",
        sentence=f"Slices of an earlier decision go on in {', '.join(sorted(trade))}.",
    )


def rest_usd(look: Look, rest: Mapping[str, Decimal]) -> dict[str, float]:
    """The trades that are left, USD signed, at the prices of now; without a price none."""
    facts = look.assessment.facts
    price = dict(zip(facts.symbols, facts.price_usd.tolist(), strict=True))
    return {s: float(q) * price[s] for s, q in rest.items() if q and s in price}
