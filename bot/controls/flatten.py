"""The proposal that closes every hedge of ours, for when an operator says so. Pure."""

from bot.records.ending import Look
from strategies.proposal import CostEstimate, HedgeLeg, HedgeProposal


def flattening(look: Look) -> HedgeProposal | None:
    """Closes all hedges that have a price; None where there are none."""
    facts = look.assessment.facts
    held = zip(facts.symbols, facts.hedge_usd.tolist(), facts.price_usd.tolist(), strict=True)
    legs = tuple(HedgeLeg(s, usd, 0.0, -usd, price) for s, usd, price in held if usd)
    if not legs:
        return None
    return HedgeProposal(
        strategy="flatten",
        timestamp_ms=facts.timestamp_ms,
        legs=legs,
        before=look.before,
        after=look.unhedged,
        cost=CostEstimate(0.0, 0.0, 0.0, 0.0),
        shadow_prices={},
        slacks_usd={},
        objective_relaxed=0.0,
        objective_lots=0.0,
        solver_status="none",
        sentence="Every hedge is closed, as the operator asked.",
    )
