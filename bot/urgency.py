"""Whether a cap that is exceeded cannot wait until the next decision is due. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from risk.limits.caps import LimitBreach
from strategies.inputs import HedgeFacts
from strategies.proposal import HedgeProposal, NoHedge

WORSE = 0.01
"""What was left over its cap is news again when it is worse by a hundredth."""
LESS = 0.5
"""Or when only half of it is left: what could not be cured then may be curable now."""
RICHER = 0.1
"""So much more equity is another situation: there is more room for hedges."""

LeftOver = Mapping[tuple[str, str], float]  # value by cap and scope


def left_over(decision: HedgeProposal | NoHedge) -> LeftOver:
    """What a decision leaves over its cap, knowing that it does, once it is carried out."""
    state = decision.after if isinstance(decision, HedgeProposal) else decision.state
    breaches = () if state is None else state.breaches
    return {(breach.cap, breach.scope): breach.value for breach in breaches}


def is_urgent(breaches: Iterable[LimitBreach], left: LeftOver) -> bool:
    """A cap is exceeded that the last decision did not leave so, or it has become worse since.

    A cap that no hedge can meet would otherwise ask for a decision at every look, each of which
    trades a little and cures nothing. One that has become far smaller by itself was left under
    other circumstances, wrong prices for instance, and is looked at anew.
    """
    return any(
        not LESS * was < breach.value <= (1 + WORSE) * was
        for breach in breaches
        for was in (left.get((breach.cap, breach.scope), 0.0),)
    )


@dataclass(frozen=True, slots=True)
class Means:
    """What a decision had to hedge with: equity in USD, and the symbols that may carry a hedge."""

    equity_usd: float
    carriers: frozenset[str]

    @classmethod
    def of(cls, facts: HedgeFacts) -> "Means":
        """Those of a moment."""
        allowed = zip(facts.symbols, facts.may_hedge.tolist(), strict=True)
        return cls(facts.equity_usd, frozenset(symbol for symbol, may in allowed if may))

    def more_than(self, before: "Means") -> bool:
        """What could not be cured with the means of ``before`` may be curable with these."""
        richer = self.equity_usd > (1 + RICHER) * before.equity_usd
        return richer or bool(self.carriers - before.carriers)
