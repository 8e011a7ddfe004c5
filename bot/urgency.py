"""Whether a cap that is exceeded cannot wait until the next decision is due. Pure."""

from collections.abc import Iterable, Mapping

from risk.limits.caps import LimitBreach
from strategies.proposal import HedgeProposal, NoHedge

WORSE = 0.01
"""What was left over its cap is news again when it is worse by a hundredth."""

LeftOver = Mapping[tuple[str, str], float]  # value by cap and scope


def left_over(decision: HedgeProposal | NoHedge) -> LeftOver:
    """What a decision leaves over its cap, knowing that it does, once it is carried out."""
    state = decision.after if isinstance(decision, HedgeProposal) else decision.state
    breaches = () if state is None else state.breaches
    return {(breach.cap, breach.scope): breach.value for breach in breaches}


def is_urgent(breaches: Iterable[LimitBreach], left: LeftOver) -> bool:
    """A cap is exceeded that the last decision did not leave so, or it has become worse since.

    A cap that no hedge can meet would otherwise ask for a decision at every look, each of which
    trades a little and cures nothing.
    """
    return any(
        breach.value > (1 + WORSE) * left.get((breach.cap, breach.scope), 0.0)
        for breach in breaches
    )
