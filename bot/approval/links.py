"""Signed links: whoever holds one may decide on one proposal, until it expires. Pure.

A link is ``version.id.action.expiry.signature``. What it says can be read by everybody and changed
by nobody without the key. It is good for one decision, since a proposal takes only one.

Opening a link must change nothing: mail programs and scanners open links by themselves. Whoever
serves it shows what it is about, and decides only when the page is sent back with POST.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from bot.approval.proposal import Action
from bot.errors import SafetyError

KEY_BYTES = 32
_VERSION = "1"
_LONGEST = 256
_ID = re.compile(r"[0-9]{1,12}-[0-9a-f]{6}")
_WHEN = re.compile(r"[0-9]{1,15}")
_PURPOSE = b"perphedge approval link\n"  # so that no other use of the key signs a link


@dataclass(frozen=True, slots=True)
class Link:
    """What a link allows."""

    proposal_id: str
    action: Action
    expires_ms: int


def sign(key: bytes, link: Link) -> str:
    """The token of a link: letters, digits, ``.``, ``-`` and ``_`` only.

    Raises:
        ValueError: the key is too short to be one, or the id is none.
    """
    if len(key) < KEY_BYTES:
        raise ValueError(f"a key of {len(key)} bytes, at least {KEY_BYTES} are needed")
    if not _ID.fullmatch(link.proposal_id) or link.expires_ms < 0:
        raise ValueError("this names no proposal, or no time")
    said = f"{_VERSION}.{link.proposal_id}.{link.action.value}.{link.expires_ms}"
    return f"{said}.{_signature(key, said)}"


def read(key: bytes, token: str, now_ms: int) -> Link:
    """What the token allows, if it was signed with the key and still holds.

    Raises:
        SafetyError: it was not, or does no more.
    """
    said, _, signature = token[: _LONGEST + 1].rpartition(".")
    expected = _signature(key, said)
    genuine = hmac.compare_digest(signature.encode(errors="replace"), expected.encode())
    if not genuine or len(token) > _LONGEST or len(key) < KEY_BYTES:
        raise SafetyError("this link was not made by this perphedge, or was changed")
    version, proposal_id, action, expires = said.split(".")
    if version != _VERSION or not _ID.fullmatch(proposal_id) or not _WHEN.fullmatch(expires):
        raise SafetyError("this link is of another version of perphedge")
    link = Link(proposal_id, Action(action), int(expires))
    if now_ms >= link.expires_ms:
        raise SafetyError(f"this link has expired, as proposal {proposal_id} has")
    return link


def _signature(key: bytes, said: str) -> str:
    digest = hmac.new(key, _PURPOSE + said.encode(errors="replace"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
