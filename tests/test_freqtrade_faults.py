"""Whatever goes wrong on the way to a freqtrade bot, it is never read as flat, nor as other than it
is: the reply is whole, or there is none."""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import UnreachableError
from bot.ports import SourceSnapshot
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.freqtrade.source import FreqtradeSource
from bot.sources.freqtrade.trades import positions_of, read_trades
from bot.sources.interface import LARGEST_REPLY_BYTES
from bot.sources.json_file import parse_json
from config.passwords import Login
from risk.errors import DataError
from tests.bot_server_scene import Fault, cut, redirected, replied, silent
from tests.freqtrade_scene import (
    FET,
    LOGIN,
    TAO,
    FakeBot,
    opened,
    served_bot,
)

HELD = {FET: Decimal(100), TAO: Decimal("-2.5")}
PATHS = ("show_config", "health", "whitelist", "status", "count")
HTML = "<html><body>Please log in</body></html>"
FAULTS: list[tuple[str, Fault, type[Exception], str]] = [
    ("error 500", replied("oops", 500), UnreachableError, "HTTP status 500"),
    ("not ready", replied("{}", 503), UnreachableError, "503 .it cannot answer now"),
    ("unauthorised", replied("{}", 401), UnreachableError, "user name or password is wrong"),
    ("forbidden", replied("[]", 403), UnreachableError, "403"),
    ("no such path", replied("[]", 404), UnreachableError, "is this freqtrade's API server"),
    ("created", replied("[]", 201), UnreachableError, "HTTP status 201"),
    ("no content", replied("", 204), UnreachableError, "HTTP status 204"),
    ("redirect", redirected, UnreachableError, "a redirect, which is not followed"),
    ("html page", replied(HTML, content_type="text/html"), DataError, "answers with text/html"),
    ("html as json", replied(HTML), DataError, "not JSON"),
    ("empty body", replied(""), DataError, "not JSON"),
    ("null", replied("null"), DataError, "must be"),
    ("text", replied('"flat"'), DataError, "must be"),
    ("not a number", replied('[{"amount": NaN}]'), DataError, "NaN is no number"),
    ("truncated", replied('[{"trade_id": 1, "pair'), DataError, "not JSON"),
    ("not UTF-8", replied(b'["\xff"]'), DataError, "not UTF-8"),
    ("other type", replied("[]", content_type="text/plain"), DataError, "answers with text/plain"),
    ("cut off", cut, UnreachableError, "no answer"),
]


@pytest.mark.parametrize(
    ("fault", "kind", "words"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
async def test_no_failure_is_read_as_flat(fault: Fault, kind: type[Exception], words: str) -> None:
    bot = FakeBot()
    async with opened(bot) as (source, _):
        for path in ("show_config", "status", "count"):
            bot.faults = {path: fault}
            with pytest.raises(kind, match=words) as raised:
                await source.read()
            assert str(raised.value).startswith(f"source bot-a: freqtrade /{path}")
            assert LOGIN.password.get_secret_value() not in str(raised.value)
        bot.faults = {}
        assert held(await source.read()) == HELD


async def test_no_answer_in_time_is_none() -> None:
    bot = FakeBot(faults={"show_config": silent(30)})
    async with opened(bot, timeout_s=0.2) as (source, _):
        with pytest.raises(UnreachableError, match=r"/show_config: no answer in 0\.2 s"):
            await source.read()


async def test_an_object_is_no_list_and_the_other_way_round() -> None:
    bot = FakeBot()
    async with opened(bot) as (source, _):
        bot.faults["status"] = replied("{}")
        with pytest.raises(DataError, match=r"/status: \{\}, must be a list"):
            await source.read()
        bot.faults = {"show_config": replied("[]")}
        with pytest.raises(DataError, match=r"/show_config: \[\], must be an object"):
            await source.read()


async def test_a_flapping_bot_is_right_or_silent() -> None:
    bot, right, wrong = FakeBot(), 0, 0
    async with opened(bot) as (source, _):
        for turn in range(27):
            bot.faults = {PATHS[turn % 5]: FAULTS[turn % len(FAULTS)][1]} if turn % 3 else {}
            try:
                assert held(await source.read()) == HELD
            except (UnreachableError, DataError):
                wrong += 1
            else:
                right += 1
    assert (right, wrong) == (9, 18)


async def test_a_wrong_password_is_told_without_it() -> None:
    bot = FakeBot()
    async with served_bot(bot):
        login = Login("owner", LOGIN.password.__class__("another-secret"))
        client = FreqtradeClient("bot-a", bot.url, login, timeout_s=2)
        try:
            with pytest.raises(UnreachableError, match="password is wrong") as raised:
                await client.get("status")
            assert "another-secret" not in str(raised.value) + repr(client) + repr(login)
        finally:
            await client.close()


async def test_a_reply_without_end_is_cut() -> None:
    bot = FakeBot()
    async with opened(bot, timeout_s=10) as (source, _):
        bot.faults["status"] = replied(b" " * (LARGEST_REPLY_BYTES + 2))
        with pytest.raises(DataError, match="larger than 20 MB"):
            await source.read()


async def test_nobody_there() -> None:
    client = FreqtradeClient("bot-a", "http://127.0.0.1:9", LOGIN, timeout_s=2)
    try:
        with pytest.raises(UnreachableError, match=r"no answer \(ConnectError\)"):
            await client.get("status")
    finally:
        await client.close()


def held(snapshot: SourceSnapshot) -> dict[str, Decimal]:
    return {p.symbol: p.base_quantity for p in snapshot.positions}


# Replies that are spoilt in any way


class Stage:
    """One bot and one source for all examples of a property."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.bot = FakeBot()
        self._opened = opened(self.bot, timeout_s=5)
        self.source: FreqtradeSource
        self.source, _ = self.loop.run_until_complete(self._opened.__aenter__())

    def read(self, path: str, body: bytes) -> dict[str, Decimal] | None:
        """What is held when this is the answer at ``path``; None where the read is refused."""
        self.bot.faults = {path: replied(body)}
        try:
            return held(self.loop.run_until_complete(self.source.read()))
        except (UnreachableError, DataError):
            return None

    def close(self) -> None:
        self.loop.run_until_complete(self._opened.__aexit__(None, None, None))
        self.loop.close()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    one = Stage()
    yield one
    one.close()


TRADES = FakeBot().trades


def book(body: str) -> dict[str, Decimal] | None:
    """What is held by this reply; None where it is refused."""
    try:
        positions = positions_of(read_trades(parse_json(body, "status"), "status"))
    except DataError:
        return None
    return {p.symbol: p.base_quantity for p in positions}


NO_NUMBER = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
    st.sampled_from([-1, -0.5, 1e300]),
)
NO_FLAG = st.one_of(st.none(), st.integers(0, 1), st.sampled_from(["true", "", [], {}]))
NO_PAIR = st.sampled_from([None, "", "FET", "FET/USDT", "FET/USDT:", "/USDT:USDT", 5, [], {}])
NO_ROWS = st.sampled_from([None, {}, "", 0, [None], [[]], ["x"]])
SPOILT = st.one_of(
    st.tuples(st.just("amount"), NO_NUMBER),
    st.tuples(st.just("trade_id"), NO_NUMBER),
    st.tuples(st.sampled_from(["is_short", "is_open"]), NO_FLAG),
    st.tuples(st.just("pair"), NO_PAIR),
    st.tuples(st.just("orders"), NO_ROWS),
    st.tuples(st.just("exchange"), st.sampled_from([None, "", 1, []])),
    st.tuples(st.just("trading_mode"), st.sampled_from([None, "spot", "", 1])),
)


@settings(max_examples=80, deadline=None)
@given(number=st.integers(0, 1), spoilt=SPOILT, missing=st.booleans())
def test_a_trade_that_is_malformed_leaves_no_book(
    number: int, spoilt: tuple[str, Any], missing: bool
) -> None:
    rows = json.loads(json.dumps(TRADES))
    key, value = spoilt
    if missing:
        del rows[number][key]
    else:
        rows[number][key] = value
    assert book(json.dumps(rows)) is None


@settings(max_examples=120, deadline=None)
@given(
    cut_at=st.integers(0, 10_000), tail=st.sampled_from(["", "]", "}]", "}]}]", "null]", "\x00"])
)
def test_a_reply_cut_short_leaves_no_book(cut_at: int, tail: str) -> None:
    whole = json.dumps(TRADES)
    body = whole[: cut_at % len(whole)] + tail
    found = book(body)
    # A list that ends after a whole row is caught by what the bot counts, see below.
    assert found in (None, HELD) or len(json.loads(body)) < len(TRADES)


@settings(max_examples=6, deadline=None)
@given(gone=st.sets(st.integers(0, 1), min_size=1))
def test_trades_that_are_left_out_are_noticed(stage: Stage, gone: set[int]) -> None:
    rows = [row for i, row in enumerate(stage.bot.trades) if i not in gone]
    assert stage.read("status", json.dumps(rows).encode()) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(path=st.sampled_from(PATHS[:4]), document=JSON.map(json.dumps).map(str.encode) | st.binary())
def test_any_other_reply_leaves_no_book_but_the_right_one(
    stage: Stage, path: str, document: bytes
) -> None:
    # A list of pairs that is empty is one; nothing else here is an answer of freqtrade's.
    assert stage.read(path, document) in (None, HELD)
    if path == "status":
        assert stage.read(path, document) is None


def test_the_stage_itself_reads_what_is_there(stage: Stage) -> None:
    assert stage.read("status", json.dumps(stage.bot.trades).encode()) == HELD
