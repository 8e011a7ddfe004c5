"""What people are told of: open alerts, and proposals that wait for somebody. Pure."""

from dataclasses import dataclass

from bot.alerts import Alert, alert_id
from bot.approval.proposal import PendingProposal, ProposalState
from bot.controls.table import BY_NAME, Effect
from bot.records.cycle import iso_utc
from bot.records.event_kinds import Weight

_URGENT = ("liquidation_near", "alert_undelivered")
"""They halt nothing, and cannot wait for the morning."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that somebody should know.

    Attributes:
        key: the same for the same trouble, also when it comes back.
        since_ms: when it came up, this time.
        text: one line, without secrets.
        ident: by which somebody says that it is seen; empty where that is done in another way.
        afresh: somebody ended it, so when it is there again that is news at once.
    """

    key: str
    weight: Weight
    since_ms: int
    text: str
    ident: str = ""
    afresh: bool = False


def weight_of_alert(alert: Alert) -> Weight:
    """What halts, or threatens to, is an alarm; all else a warning."""
    _, effect = BY_NAME.get(alert.control, (None, Effect.ALERT))
    halts = effect in (Effect.HALT_ALL, Effect.HALT_SYMBOL)
    return Weight.ALARM if halts or alert.control in _URGENT else Weight.WARNING


def subject_of_alert(alert: Alert) -> Subject:
    """An open alert."""
    about = f" {alert.symbol}" if alert.symbol and alert.symbol not in alert.text else ""
    control = f"control {alert.number} ({alert.control})" if alert.number else alert.control
    text, weight = f"{control}{about}: {alert.text}", weight_of_alert(alert)
    afresh = weight is Weight.ALARM and not alert.clears
    return Subject(alert.key, weight, alert.raised_ms, text, alert_id(alert), afresh)


def subject_of_proposal(proposal: PendingProposal) -> Subject | None:
    """A proposal that nobody has decided on; None once somebody has."""
    if proposal.state is not ProposalState.PENDING or proposal.asked is not None:
        return None
    until = iso_utc(proposal.expires_ms)
    text = f"proposal {proposal.proposal_id} waits until {until}: {proposal.sentence}"
    return Subject(f"proposal:{proposal.proposal_id}", Weight.WARNING, proposal.made_ms, text)
