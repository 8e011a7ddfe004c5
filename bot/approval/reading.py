"""Proposals out of the journal, for whoever shows them or decides on them."""

import json
from dataclasses import replace
from pathlib import Path

from bot.approval.asking import words
from bot.approval.proposal import Action, PendingProposal, ProposalState
from bot.journal.reader import JournalReader
from bot.journal.rows import EventRow
from bot.state_files import StateFolder

_PREFIX = "approval:"
ENDS = {
    "proposal_executed": ProposalState.EXECUTED,
    "proposal_refused": ProposalState.REFUSED,
    "proposal_rejected": ProposalState.REJECTED,
    "proposal_expired": ProposalState.EXPIRED,
    "proposal_superseded": ProposalState.SUPERSEDED,
    "proposal_lost": ProposalState.LOST,
}
"""Events with which a proposal ends."""


def state_key(account: str) -> str:
    """Under which the journal keeps the newest proposal of an account."""
    return f"{_PREFIX}{account}"


def newest(journal: JournalReader, account: str) -> PendingProposal | None:
    """The last proposal that was made, whatever became of it.

    Raises:
        JournalError: it cannot be read.
    """
    text = journal.meta(state_key(account))
    return None if text is None else PendingProposal.of(json.loads(text))


def every_newest(journal: JournalReader) -> tuple[PendingProposal, ...]:
    """The last one of each account that hedges were ever held in."""
    keys = journal.meta_keys(_PREFIX)
    found = (newest(journal, key.removeprefix(_PREFIX)) for key in keys)
    return tuple(one for one in found if one is not None)


def pending(
    journal: JournalReader, state_dir: Path | StateFolder, now_ms: int
) -> tuple[PendingProposal, ...]:
    """Proposals that somebody may decide on, or that are being carried out.

    One that is over its time is left out, also where no engine runs that would say so.

    Raises:
        JournalError: they cannot be read.
        OSError: the state directory cannot be read.
    """
    asked: dict[str, Action] = {}
    for word in words(state_dir):  # a rejection wins
        asked.setdefault(word.proposal_id, word.action)
    return tuple(
        replace(one, asked=asked.get(one.proposal_id))
        for one in every_newest(journal)
        if not one.state.final and (one.state is ProposalState.EXECUTING or now_ms < one.expires_ms)
    )


def ended(journal: JournalReader, limit: int | None = None) -> tuple[EventRow, ...]:
    """The ends of earlier proposals, oldest first; ``document`` has ``proposal_id``, ``reason``.

    With a limit, the newest of them.

    Raises:
        JournalError: they cannot be read.
    """
    return tuple(journal.proposal_ends(limit))
