"""The plan as a whole: it must lower risk or cure a breach, and turn no hedge round. Pure."""

from bot.controls.facts import Denied
from strategies.proposal import HedgeProposal, RiskState

_NOISE = 1e-9


def check_plan(proposal: HedgeProposal, lot_usd: dict[str, float]) -> Denied | None:
    """Why the plan is not carried out; None when it is good.

    Args:
        proposal: with the risk before and after it.
        lot_usd: one lot of each symbol that it trades.
    """
    for leg in proposal.trades:
        turned = leg.current_usd * leg.target_usd < 0
        if turned and abs(leg.target_usd) > lot_usd.get(leg.symbol, 0.0) * (1 + _NOISE):
            return Denied(
                "plan",
                f"{leg.symbol}: the hedge would turn from {leg.current_usd:.0f} to "
                f"{leg.target_usd:.0f} USD",
            )
    before, after = proposal.before, proposal.after
    if _lowers_risk(before, after) or _cures(before, after) or _only_closes(proposal):
        return None
    return Denied(
        "plan",
        f"the plan lowers no risk: volatility {before.volatility_daily_usd:.0f} before, "
        f"{after.volatility_daily_usd:.0f} USD a day after, and it cures no breach",
    )


def _lowers_risk(before: RiskState, after: RiskState) -> bool:
    return after.volatility_daily_usd < before.volatility_daily_usd


def _cures(before: RiskState, after: RiskState) -> bool:
    """One breach is smaller or gone, and none is new."""
    then = {(b.cap, b.scope): b.value for b in after.breaches}
    was = {(b.cap, b.scope): b.value for b in before.breaches}
    if then.keys() - was.keys():
        return False
    return any(key not in then or then[key] < value for key, value in was.items())


def _only_closes(proposal: HedgeProposal) -> bool:
    """Hedges only shrink, which is never a new risk of ours, unless a cap is broken by it."""
    shrinks = all(abs(leg.target_usd) <= abs(leg.current_usd) for leg in proposal.trades)
    was = {(b.cap, b.scope) for b in proposal.before.breaches}
    return shrinks and all((b.cap, b.scope) in was for b in proposal.after.breaches)
