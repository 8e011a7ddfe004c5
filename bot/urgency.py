"""Whether a cap that is exceeded cannot wait until the next decision is due. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from risk.limits.caps import LimitBreach
from strategies.inputs import HedgeFacts
from strategies.proposal import HedgeProposal, NoHedge

WORSE = 0.01
"""What was left over its cap is news again when it is worse by a hundredth."""
LESS = 0.5
"""Or when only half of it is left: what could not be cured then may be curable now."""
RICHER = 0.1
"""So much more equity is another situation: there is more room for hedges."""
OTHER_BOOK = 0.5
"""So is a book of which this share was traded: what is over its cap may lie on the other side."""

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
    """What a decision had to hedge, and to hedge with.

    Attributes:
        carriers: symbols that may carry a hedge.
        bot_usd: what the bots hold by symbol, signed.
    """

    equity_usd: float
    carriers: frozenset[str]
    bot_usd: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: HedgeFacts) -> "Means":
        """Those of a moment."""
        allowed = zip(facts.symbols, facts.may_hedge.tolist(), strict=True)
        return cls(
            facts.equity_usd,
            frozenset(symbol for symbol, may in allowed if may),
            dict(zip(facts.symbols, facts.bot_usd.tolist(), strict=True)),
        )

    def more_than(self, before: "Means") -> bool:
        """What could not be cured as things stood ``before`` may be curable now."""
        richer = self.equity_usd > (1 + RICHER) * before.equity_usd
        return richer or bool(self.carriers - before.carriers) or self._other_book(before)

    def _other_book(self, before: "Means") -> bool:
        symbols = self.bot_usd.keys() | before.bot_usd.keys()
        traded_usd = sum(
            abs(self.bot_usd.get(s, 0.0) - before.bot_usd.get(s, 0.0)) for s in symbols
        )
        return traded_usd > OTHER_BOOK * sum(map(abs, before.bot_usd.values()))
