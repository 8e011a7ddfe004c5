"""Somebody's decision on a proposal, from the command line, a page or a link: one door for all."""

from dataclasses import dataclass
from pathlib import Path

from bot.approval.asking import Word, leave_word, words
from bot.approval.proposal import Action, PendingProposal, ProposalState
from bot.approval.reading import ENDS, ended, every_newest
from bot.controls.state import recall_all
from bot.errors import HaltedError, SafetyError, UsageError
from bot.halt import HaltSwitch
from bot.journal.reader import JournalReader
from bot.lock import lock_holder
from bot.records.cycle import iso_utc
from bot.requests import Asked

_DONE = {Action.APPROVE: "approved", Action.REJECT: "rejected"}
_AS_APPROVED = (ProposalState.APPROVED, ProposalState.EXECUTING, ProposalState.EXECUTED)


@dataclass(frozen=True, slots=True)
class Decision:
    """What came of it.

    Attributes:
        repeated: somebody had decided so before; nothing was changed.
        text: one line for whoever decided.
    """

    proposal_id: str
    action: Action
    repeated: bool
    text: str


def decide(
    journal: JournalReader,
    state_dir: Path,
    proposal_id: str,
    action: Action,
    asked: Asked,
    *,
    now_ms: int,
) -> Decision:
    """Leaves the decision for the engine, durably, if there is anything left to decide.

    The engine looks anew before it sends anything: an approval is a permission, not an order.

    Raises:
        UsageError: no such proposal was ever made.
        HaltedError: trading is halted, so that nothing can be approved.
        SafetyError: it has expired, or its end has come otherwise; the line says how.
        JournalError: the journal cannot be read.
        DataError, OSError: the decision cannot be written.
    """
    found = {one.proposal_id: one for one in every_newest(journal)}.get(proposal_id)
    if found is None or found.state.final:
        return _too_late(journal, proposal_id, action)
    if found.state in _AS_APPROVED and action is Action.APPROVE:
        return _again(proposal_id, action, found.by)
    if found.state is ProposalState.EXECUTING:
        raise SafetyError(f"proposal {proposal_id}: is being carried out; halt stops what is left")
    if now_ms >= found.expires_ms:
        raise SafetyError(f"proposal {proposal_id}: has expired at {iso_utc(found.expires_ms)}")
    if action is Action.APPROVE and (halted := _halted(journal, state_dir)) is not None:
        raise HaltedError(f"proposal {proposal_id}: trading is halted ({halted}); resume first")
    for word in words(state_dir):
        if word.proposal_id == proposal_id and word.asked is not None:
            if word.action is action:
                return _again(proposal_id, action, word.asked.by)
            if word.action is Action.REJECT:
                raise SafetyError(f"proposal {proposal_id}: {word.asked.by} has rejected it")
    leave_word(state_dir, Word(proposal_id, action, asked))
    if action is Action.REJECT:
        _require_in_time(journal, proposal_id)
    running = lock_holder(state_dir) is not None
    return Decision(proposal_id, action, repeated=False, text=_left(found, action, running=running))


def _require_in_time(journal: JournalReader, proposal_id: str) -> None:
    """Looked for after the word was left; see ``ApprovalDesk.begin``.

    Raises:
        SafetyError: the engine began to carry it out meanwhile, and may not have seen the word.
    """
    for one in every_newest(journal):
        begun = one.state in (ProposalState.EXECUTING, ProposalState.EXECUTED)
        if one.proposal_id == proposal_id and begun:
            raise SafetyError(
                f"proposal {proposal_id}: the engine has just begun to carry it out; "
                "halt stops what is left"
            )


def _left(found: PendingProposal, action: Action, *, running: bool) -> str:
    if action is Action.REJECT:
        return f"Rejected: {found.proposal_id}; nothing of it is sent"
    until = iso_utc(found.expires_ms)
    if not running:
        return f"Approved: {found.proposal_id}; no engine runs, one has to start before {until}"
    return (
        f"Approved: {found.proposal_id}; the engine looks anew and carries it out if it still "
        f"holds, until {until}"
    )


def _again(proposal_id: str, action: Action, by: str) -> Decision:
    text = f"Proposal {proposal_id} was {_DONE[action]} already ({by}); nothing was changed"
    return Decision(proposal_id, action, repeated=True, text=text)


def _too_late(journal: JournalReader, proposal_id: str, action: Action) -> Decision:
    """What to say of one that has ended.

    Raises:
        UsageError: it was never made.
        SafetyError: nothing can be decided any more.
    """
    for row in reversed(ended(journal)):
        if row.document.get("proposal_id") != proposal_id:
            continue
        state, by = ENDS[row.kind], str(row.document.get("by", ""))
        as_before = {Action.APPROVE: ProposalState.EXECUTED, Action.REJECT: ProposalState.REJECTED}
        if state is as_before[action]:
            return _again(proposal_id, action, by)
        reason = row.document.get("reason", "")
        raise SafetyError(f"proposal {proposal_id}: it is {state.value}: {reason}")
    raise UsageError(f"proposal {proposal_id}: there is none; perphedge proposals lists them")


def _halted(journal: JournalReader, state_dir: Path) -> str | None:
    latched = (one.everything for one in recall_all(journal).values())
    return HaltSwitch(state_dir).reason or next((one.reason for one in latched if one), None)
