"""Signed links: what they allow is what was signed, and nothing is allowed by opening one."""

import base64
import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot.approval import LINK_PATH, Action, link, read_link
from bot.approval.link_key import KEY_NAME, link_key
from bot.approval.links import Link, read, sign
from bot.errors import SafetyError
from tests.approval_scene import shown

KEY = bytes(range(32))
WHEN_MS = 1_750_000_000_000
GOOD = Link("42-3fa9c1", Action.APPROVE, WHEN_MS)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

LINKS = st.builds(
    Link,
    st.from_regex(r"[0-9]{1,12}-[0-9a-f]{6}", fullmatch=True).filter(str.isascii),
    st.sampled_from(Action),
    st.integers(0, 10**15 - 1),
)


def test_a_token_is_an_hmac_over_what_it_says() -> None:
    said = f"1.42-3fa9c1.approve.{WHEN_MS}"
    digest = hmac.new(KEY, b"perphedge approval link\n" + said.encode(), hashlib.sha256).digest()
    expected = f"{said}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
    assert sign(KEY, GOOD) == expected
    assert set(expected) <= set(ALPHABET), "it needs no quoting in an address"


@given(LINKS)
def test_what_was_signed_is_read_until_it_ends(one: Link) -> None:
    assume(one.expires_ms > 0)
    token = sign(KEY, one)
    assert read(KEY, token, one.expires_ms - 1) == one
    with pytest.raises(SafetyError, match="has expired"):
        read(KEY, token, one.expires_ms)


@given(st.integers(0), st.sampled_from(ALPHABET))
def test_no_character_can_be_changed(place: int, character: str) -> None:
    token = sign(KEY, GOOD)
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    assume(changed != token)
    with pytest.raises(SafetyError, match="not made by this perphedge, or was changed"):
        read(KEY, changed, 0)


@given(st.text(max_size=400))
@example("")
@example("....")
@example("1.42-3fa9c1.approve.1.\ud800")
@example("x" * 10_000)
def test_whatever_is_sent_is_refused_in_one_line(token: str) -> None:
    with pytest.raises(SafetyError) as told:
        read(KEY, token, 0)
    assert "\n" not in str(told.value)


def test_another_key_or_none_opens_nothing() -> None:
    for key in (bytes(32), b"", KEY[:31]):
        with pytest.raises(SafetyError):
            read(key, sign(KEY, GOOD), 0)
    with pytest.raises(ValueError, match="31 bytes"):
        sign(KEY[:31], GOOD)
    with pytest.raises(ValueError, match="names no proposal"):
        sign(KEY, Link("42-3fa9c1.reject", Action.APPROVE, WHEN_MS))


def test_the_key_is_private_made_once_and_refused_where_others_read_it(tmp_path: Path) -> None:
    key, file = link_key(tmp_path), tmp_path / KEY_NAME
    assert len(key) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert link_key(tmp_path) == key
    assert [f.name for f in tmp_path.iterdir()] == [KEY_NAME], "nothing is left beside it"
    file.chmod(0o640)
    with pytest.raises(SafetyError, match="others may read it"):
        link_key(tmp_path)
    file.chmod(0o600)
    file.write_bytes(b"short")
    with pytest.raises(SafetyError, match="is damaged"):
        link_key(tmp_path)
    file.unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(KEY)
    file.symlink_to(elsewhere)
    with pytest.raises(OSError, match=os.strerror(40)):
        link_key(tmp_path)
    file.unlink()
    assert link_key(tmp_path) != key, "links that were out are worthless now"


def test_the_address_of_a_link_leads_back_to_what_it_allows(tmp_path: Path) -> None:
    proposal = shown(FET=-1000.0)
    url = link(tmp_path, proposal, Action.REJECT, "https://hedge.example:8844/")
    base, _, token = url.partition("?token=")
    assert base == f"https://hedge.example:8844{LINK_PATH}"
    before = sorted(tmp_path.iterdir())
    told = read_link(tmp_path, token, proposal.made_ms)
    assert told == Link(proposal.proposal_id, Action.REJECT, proposal.expires_ms)
    assert sorted(tmp_path.iterdir()) == before, "reading changes nothing"
