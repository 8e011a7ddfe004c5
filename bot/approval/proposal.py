"""A proposal that waits for people: what it would do, until when, and what became of it. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Self

from bot.records.cycle import iso_utc


class Action(StrEnum):
    """What people can say to a proposal."""

    APPROVE = "approve"
    REJECT = "reject"


class ProposalState(StrEnum):
    """How far a proposal has come; all but the first three are its end."""

    PENDING = "pending"  # waits for somebody
    APPROVED = "approved"  # may be carried out once, until it expires
    EXECUTING = "executing"  # orders of it may be out
    EXECUTED = "executed"
    REFUSED = "refused"  # approved, but not what the book asks for any more, or denied
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"  # the book asks for something else, or for nothing
    LOST = "lost"  # the engine ended while it was carried out; the rest of it is not sent

    @property
    def final(self) -> bool:
        """Nothing can become of it any more."""
        return self not in OPEN


OPEN = (ProposalState.PENDING, ProposalState.APPROVED, ProposalState.EXECUTING)


@dataclass(frozen=True, slots=True)
class ProposedLeg:
    """One trade of it, USD signed.

    Attributes:
        hedge_usd, target_usd: our hedge before and after.
        opens_usd: by how much the hedge grows, never negative; the rest of the trade closes.
    """

    symbol: str
    trade_usd: float
    hedge_usd: float
    target_usd: float
    opens_usd: float


@dataclass(frozen=True, slots=True)
class PendingProposal:
    """What somebody is asked to approve.

    Attributes:
        proposal_id: the cycle's number and a digest of the trades: ``42-3fa9c1``.
        cycle_id: of the cycle that made it, later of the one that carries it out.
        made_ms, expires_ms: UTC; from ``expires_ms`` on nothing of it is carried out.
        cures, leaves: caps that are exceeded now and would not be, or would still be.
        trade_cost_usd: what trading costs once: fee, half-spread and impact.
        carry_usd_per_day: expected funding; positive is paid.
        by, decided_ms: who has decided, and when; empty and None before.
        reason: why it ended, or why it was decided so; empty while it waits.
        asked: what somebody has asked for that the engine has not taken up yet.
    """

    proposal_id: str
    cycle_id: str
    account: str
    made_ms: int
    expires_ms: int
    sentence: str
    legs: tuple[ProposedLeg, ...]
    trade_cost_usd: float
    carry_usd_per_day: float
    volatility_before_daily_usd: float
    volatility_after_daily_usd: float
    cap_use_before: Mapping[str, float]
    cap_use_after: Mapping[str, float]
    cures: tuple[str, ...]
    leaves: tuple[str, ...]
    state: ProposalState = ProposalState.PENDING
    by: str = ""
    reason: str = ""
    decided_ms: int | None = None
    asked: Action | None = None

    @property
    def notional_usd(self) -> float:
        """Of all its trades."""
        return sum(abs(leg.trade_usd) for leg in self.legs)

    @property
    def opens_usd(self) -> float:
        """By how much hedges grow."""
        return sum(leg.opens_usd for leg in self.legs)

    def now(self, state: ProposalState, *, reason: str, **more: Any) -> Self:
        """The same in another state."""
        return replace(self, state=state, reason=reason, **more)

    def document(self) -> dict[str, Any]:
        """As plain JSON types, with what is reckoned from it."""
        found = asdict(self)
        found |= {"state": self.state.value, "asked": self.asked and self.asked.value}
        found |= {"cap_use_before": dict(self.cap_use_before)}
        found |= {"cap_use_after": dict(self.cap_use_after)}
        found |= {"notional_usd": self.notional_usd, "opens_usd": self.opens_usd}
        found |= {"made": iso_utc(self.made_ms), "expires": iso_utc(self.expires_ms)}
        return found

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """From such a document.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        known = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        legs = tuple(ProposedLeg(**leg) for leg in known.pop("legs"))
        asked = known.pop("asked", None)
        known |= {"state": ProposalState(known.pop("state")), "asked": asked and Action(asked)}
        known |= {name: tuple(known.pop(name)) for name in ("cures", "leaves")}
        return cls(legs=legs, **known)
