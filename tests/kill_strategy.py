"""A strategy that decides at once: equal shorts against what the bot holds, in three tokens."""

from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import (
    CostEstimate,
    HedgeLeg,
    HedgeProposal,
    NoHedge,
    NoHedgeReason,
    RiskState,
)
from strategies.state import risk_state

CARRIERS = ("NEAR/USDT:USDT", "RENDER/USDT:USDT", "WLD/USDT:USDT")
SHARE = 0.6
"""Of the bot's longs that is hedged."""
LEAST_USD = 50.0


class EqualShorts:
    """Shorts of equal worth in the carriers."""

    name = "equal_shorts"

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        """Towards them, unless they are held already but for trifles."""
        held = facts.hedge_usd
        before = risk_state(facts, choices, held)
        wanted = -SHARE * max(0.0, float(facts.bot_usd.sum())) / len(CARRIERS)
        target = held.copy()
        for i, symbol in enumerate(facts.symbols):
            if symbol in CARRIERS and abs(wanted - held[i]) > LEAST_USD:
                steps = round((wanted - held[i]) / facts.lot_usd[i])
                target[i] = held[i] + steps * facts.lot_usd[i]
        if (target == held).all():
            return NoHedge(
                self.name, facts.timestamp_ms, NoHedgeReason.NOT_WORTH_IT, "hedged", before
            )
        legs = tuple(
            HedgeLeg(s, float(held[i]), float(target[i]), float(target[i] - held[i]), price)
            for i, (s, price) in enumerate(
                zip(facts.symbols, facts.price_usd.tolist(), strict=True)
            )
        )
        return _proposal(self.name, facts, legs, before, risk_state(facts, choices, target))


def _proposal(
    name: str,
    facts: HedgeFacts,
    legs: tuple[HedgeLeg, ...],
    before: RiskState,
    after: RiskState,
) -> HedgeProposal:
    return HedgeProposal(
        strategy=name,
        timestamp_ms=facts.timestamp_ms,
        legs=legs,
        before=before,
        after=after,
        cost=CostEstimate(0.0, 0.0, 0.0, 0.0),
        shadow_prices={},
        slacks_usd={},
        objective_relaxed=0.0,
        objective_lots=0.0,
        solver_status="exact",
        sentence="Equal shorts.",
    )
