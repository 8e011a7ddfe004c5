"""Failures of hummingbot-api and of the network: none is read as flat, or as a smaller book."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.errors import UnreachableError
from bot.sources.hummingbot.client import HummingbotClient
from bot.sources.hummingbot.source import HummingbotSource
from config.passwords import Login
from risk.errors import DataError
from tests.bot_server_scene import Fault, cut, redirected, replied, silent
from tests.hummingbot_scene import (
    BOOK,
    CONNECTOR,
    LOGIN,
    MASTER,
    SECOND,
    held,
    opened,
    two_accounts,
)

POSITIONS, STATE = "trading/positions", "portfolio/state"
CREDENTIALS = f"accounts/{MASTER}/credentials"


FAULTS = {
    "HTTP status 401": replied('{"detail": "Incorrect username or password"}', 401),
    "HTTP status 422": replied('{"detail": []}', 422),
    "HTTP status 500": replied('{"detail": "Error fetching positions"}', 500),
    "it may still be starting": replied("", 503),
    "answers with text/html, not with JSON": replied("<html>", 200, "text/html"),
    "not JSON": replied(""),
    "no answer \\(": cut,
    "no answer in 1 s": silent(5),
    "a redirect": redirected,
}


@pytest.mark.parametrize("path", [POSITIONS, STATE, CREDENTIALS])
async def test_a_failure_is_an_error_and_the_next_read_is_right(path: str) -> None:
    server = two_accounts()
    async with opened(server, timeout_s=1) as source:
        for words, fault in FAULTS.items():
            server.faults = {path: fault}
            # Money is asked for where an account tells no position.
            server.skipped = {(SECOND, CONNECTOR)} if path == STATE else set()
            with pytest.raises((UnreachableError, DataError), match=words):
                await source.read()
        server.faults, server.skipped = {}, set()
        assert held(await source.read()) == BOOK


async def test_money_is_asked_for_at_each_read() -> None:
    # So that what hummingbot last knew of it, and tells when the exchange fails it, is of the last
    # read, and shows the margin of what was held then.
    server = two_accounts()
    async with opened(server) as source:
        await source.read()
        assert server.known_money == server.money


async def test_a_wrong_password_is_told_without_it() -> None:
    login = Login("admin", SecretStr("another-secret"))
    async with opened(two_accounts(), login=login) as source:
        with pytest.raises(UnreachableError, match="password is wrong") as raised:
            await source.read()
        assert "another-secret" not in str(raised.value) + repr(source)


async def test_which_version_answers_is_of_help_alone() -> None:
    server = two_accounts()
    server.faults[""] = replied("Not Found", 404, "text/plain")
    async with opened(server) as source:
        assert held(await source.read()) == BOOK
        assert source.described == f"hummingbot-api, {CONNECTOR} of {MASTER}, {SECOND}"


async def test_nobody_there() -> None:
    client = HummingbotClient("hb", "http://127.0.0.1:9", LOGIN, timeout_s=2)
    try:
        with pytest.raises(UnreachableError, match=r"source hb: hummingbot-api /x: no answer"):
            await client.get("x")
    finally:
        await client.close()


# Replies that are spoilt in any way


class Stage:
    """One server and one source for all examples of a property."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.server = two_accounts()
        self._opened = opened(self.server, timeout_s=5)
        self.source: HummingbotSource = self.loop.run_until_complete(self._opened.__aenter__())

    def read(self, **faults: Fault) -> Any:
        """What is held while these are the answers; None where the read is refused."""
        self.server.faults = {path.replace("__", "/"): fault for path, fault in faults.items()}
        try:
            return held(self.loop.run_until_complete(self.source.read()))
        except (UnreachableError, DataError):
            return None

    def right_reply(self) -> dict[str, Any]:
        """To the question about all positions."""
        question = {
            "account_names": [MASTER, SECOND],
            "connector_names": [CONNECTOR],
            "limit": 1000,
            "cursor": None,
        }
        reply: dict[str, Any] = json.loads(json.dumps(self.server.page(question)))
        return reply

    def close(self) -> None:
        self.loop.run_until_complete(self._opened.__aexit__(None, None, None))
        self.loop.close()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    one = Stage()
    yield one
    one.close()


NO_NUMBER = st.sampled_from([None, True, "", "4", [], {}, 1e300])
NO_TEXT = st.sampled_from([None, "", 5, [], {}, "other"])
SPOILT_ROW = st.one_of(
    st.tuples(st.just("amount"), NO_NUMBER),
    st.tuples(st.sampled_from(["account_name", "connector_name", "side", "trading_pair"]), NO_TEXT),
)
SPOILT_PAGE = st.one_of(
    st.tuples(st.just("total_count"), st.sampled_from([None, 0, 1, 2, 4, -1, "3", 2.5, True])),
    st.tuples(st.just("has_more"), st.sampled_from([None, 0, 1, "", "false", True])),
    st.tuples(st.just("next_cursor"), st.sampled_from(["x", 0, [], {}])),
)


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, 2), spoilt=SPOILT_ROW, missing=st.booleans())
def test_a_malformed_row_leaves_no_book(
    stage: Stage, number: int, spoilt: tuple[str, Any], missing: bool
) -> None:
    reply = stage.right_reply()
    reply["data"][number][spoilt[0]] = spoilt[1]
    if missing:
        del reply["data"][number][spoilt[0]]
    assert stage.read(trading__positions=replied(json.dumps(reply))) is None


@settings(max_examples=40, deadline=None)
@given(spoilt=SPOILT_PAGE)
def test_a_malformed_page_leaves_no_book(stage: Stage, spoilt: tuple[str, Any]) -> None:
    reply = stage.right_reply()
    reply["pagination"][spoilt[0]] = spoilt[1]
    assert stage.read(trading__positions=replied(json.dumps(reply))) is None


@settings(max_examples=60, deadline=None)
@given(cut_at=st.integers(0, 10_000), tail=st.sampled_from(["", "]", "}]}", "}}", "null}", "\x00"]))
def test_a_reply_cut_short_leaves_no_book(stage: Stage, cut_at: int, tail: str) -> None:
    whole = json.dumps(stage.right_reply())
    body = whole[: cut_at % len(whole)] + tail
    found = stage.read(trading__positions=replied(body))
    assert found is None or (found == BOOK and json.loads(body) == json.loads(whole))


@settings(max_examples=30, deadline=None)
@given(gone=st.sets(st.integers(0, 2), min_size=1), honest=st.booleans())
def test_rows_that_are_left_out_are_noticed(stage: Stage, gone: set[int], honest: bool) -> None:
    # A server that leaves out a whole connector counts what it tells, and the account is silent;
    # one that loses single rows counts them all.
    reply = stage.right_reply()
    reply["data"] = [one for i, one in enumerate(reply["data"]) if i not in gone]
    whole_accounts = {0, 1} <= gone or not gone & {0, 1}
    if honest and whole_accounts:
        reply["pagination"]["total_count"] = len(reply["data"])
    assert stage.read(trading__positions=replied(json.dumps(reply))) is None


@settings(max_examples=60, deadline=None)
@given(
    skipped=st.sets(st.sampled_from([MASTER, SECOND])),
    flat=st.sets(st.sampled_from([MASTER, SECOND])),
    refreshed=st.booleans(),
    rows_a_page=st.integers(1, 4),
)
def test_what_is_read_is_what_is_held_or_nothing(
    stage: Stage, skipped: set[str], flat: set[str], refreshed: bool, rows_a_page: int
) -> None:
    server = stage.server
    fresh = two_accounts()
    server.skipped, server.held, server.money = set(), fresh.held, fresh.money
    assert stage.read() == BOOK
    for account in flat:
        server.holds(account)
    if refreshed:
        server.known_money = dict(server.money)
    server.skipped = {(account, CONNECTOR) for account in skipped}
    server.largest_page = rows_a_page
    try:
        found = stage.read()
    finally:
        server.largest_page = 1000
        server.skipped, server.held, server.money = set(), fresh.held, fresh.money
        for account, told in two_accounts().held.items():
            server.holds(account[0], *told)
    true = {key: size for key, size in BOOK.items() if key[0] not in flat}
    assert found in (None, true)
    # Nobody is refused who answers, and who fails is believed only where all its money is idle.
    assert (found is None) == bool(skipped - (flat if refreshed else set()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(
    path=st.sampled_from([POSITIONS, CREDENTIALS]),
    document=JSON.map(json.dumps).map(str.encode) | st.binary(),
)
def test_any_other_reply_leaves_no_book(stage: Stage, path: str, document: bytes) -> None:
    assert stage.read(**{path: replied(document)}) is None


@settings(max_examples=30, deadline=None)
@given(document=JSON.map(json.dumps).map(str.encode) | st.binary())
def test_any_other_reply_about_money_shows_no_account_flat(stage: Stage, document: bytes) -> None:
    stage.server.skipped = {(SECOND, CONNECTOR)}
    try:
        assert stage.read(**{STATE: replied(document)}) is None
    finally:
        stage.server.skipped = set()


def test_the_stage_itself_reads_what_is_there(stage: Stage) -> None:
    assert stage.read() == BOOK
    assert stage.read(trading__positions=replied(json.dumps(stage.right_reply()))) == BOOK
