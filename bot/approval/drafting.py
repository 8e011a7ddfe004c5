"""Makes of a decision what people are asked to approve. Pure."""

import hashlib
import json

from bot.approval.proposal import PendingProposal, ProposedLeg
from bot.records.summary import shares, usd
from risk.limits.caps import LimitBreach
from strategies.proposal import HedgeLeg, HedgeProposal, RiskState


def draft(
    decision: HedgeProposal, *, cycle_id: str, account: str, now_ms: int, expires_ms: int
) -> PendingProposal:
    """The proposal as it would be shown; its id says the cycle and what it trades."""
    legs = tuple(_leg(leg) for leg in decision.trades)
    before, after = _exceeded(decision.before), _exceeded(decision.after)
    said = json.dumps([(leg.symbol, leg.trade_usd, leg.target_usd) for leg in legs])
    digest = hashlib.sha256(f"{cycle_id} {account} {said}".encode()).hexdigest()[:6]
    return PendingProposal(
        proposal_id=f"{int(cycle_id.rpartition('-')[2])}-{digest}",
        cycle_id=cycle_id,
        account=account,
        made_ms=now_ms,
        expires_ms=expires_ms,
        sentence=decision.sentence,
        legs=legs,
        trade_cost_usd=usd(decision.cost.trade_usd),
        carry_usd_per_day=usd(decision.cost.carry_usd_per_day),
        volatility_before_daily_usd=usd(decision.before.volatility_daily_usd),
        volatility_after_daily_usd=usd(decision.after.volatility_daily_usd),
        cap_use_before=shares(decision.before.cap_use),
        cap_use_after=shares(decision.after.cap_use),
        cures=tuple(name for name in before if name not in after),
        leaves=tuple(after),
    )


def _leg(leg: HedgeLeg) -> ProposedLeg:
    target = leg.current_usd + leg.trade_usd
    through_zero = leg.current_usd * target < 0
    opens = abs(target) if through_zero else max(0.0, abs(target) - abs(leg.current_usd))
    return ProposedLeg(
        leg.symbol, usd(leg.trade_usd), usd(leg.current_usd), usd(target), usd(opens)
    )


def _exceeded(state: RiskState) -> list[str]:
    return list(dict.fromkeys(_name(breach) for breach in state.breaches))


def _name(breach: LimitBreach) -> str:
    return f"{breach.cap} {breach.scope}".strip()
