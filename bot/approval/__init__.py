"""Proposals that wait for people (``autonomy: approve``), and people's decisions on them.

For command line, pages and alerts, which read and decide through these names alone::

    waiting = pending(journal, state_dir, now_ms)
    decision = decide(journal, state_dir, id, Action.APPROVE, Asked(by, reason), now_ms=now_ms)
    url = link(state_dir, waiting[0], Action.APPROVE, base_url)
    told = read_link(state_dir, token, now_ms)

A link opens ``LINK_PATH`` with ``?token=``. Getting it must change nothing, since mail programs
and scanners open links: show what ``read_link`` and ``pending`` say, and call ``decide`` only for
a POST that brings the token again. The token alone is the permission, so it needs no login, must
not be logged, and must not leave in a Referer. Links are only made and only served where the
owner has set ``approval.link_url``.
"""

from pathlib import Path

from bot.approval.deciding import Decision, decide
from bot.approval.link_key import link_key
from bot.approval.links import Link, read, sign
from bot.approval.proposal import Action, PendingProposal, ProposalState, ProposedLeg
from bot.approval.reading import ended, pending
from bot.requests import Asked

__all__ = [
    "LINK_PATH",
    "Action",
    "Asked",
    "Decision",
    "Link",
    "PendingProposal",
    "ProposalState",
    "ProposedLeg",
    "decide",
    "ended",
    "link",
    "pending",
    "read_link",
]

LINK_PATH = "/decide"


def link(state_dir: Path, proposal: PendingProposal, action: Action, base_url: str) -> str:
    """The address at which somebody decides on a proposal, good until it expires.

    Args:
        base_url: where the pages are reached, such as ``https://hedge.example:8844``.

    Raises:
        SafetyError, OSError: there is no key, and none can be made.
    """
    token = sign(link_key(state_dir), Link(proposal.proposal_id, action, proposal.expires_ms))
    return f"{base_url.rstrip('/')}{LINK_PATH}?token={token}"


def read_link(state_dir: Path, token: str, now_ms: int) -> Link:
    """What the token of a link allows; changes nothing.

    Raises:
        SafetyError: it was not made here, was changed, or has expired.
        OSError: the key cannot be read.
    """
    return read(link_key(state_dir), token, now_ms)
