"""What replies to an order mean: by hand, and from a server that makes all kinds of trouble."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.trading.orders import NotAccepted, Rejected, UnknownOutcome
from bot.venues.outcomes import Meaning, Reply, classify, clean_text, meaning_of
from tests.outcome_scene import SECRET


def reply(body: str, status: int | None = 400, *, sent: bool = True) -> Reply:
    return Reply(sent, status, body, "ExchangeError")


def code(number: int, message: str = "words") -> str:
    return json.dumps({"code": number, "msg": message})


@pytest.mark.parametrize("number", [-2019, -2022, -4164, -1111, -2015, -5022, -4061, -1121])
def test_listed_refusals_are_rejections(number: int) -> None:
    outcome = classify("binanceusdm", "h1", reply(code(number)))
    assert outcome == Rejected("h1", str(number), "words")


@pytest.mark.parametrize("number", [-1003, -1015, -1021, -5028])
def test_slow_down_and_clock_codes_are_not_accepted(number: int) -> None:
    assert isinstance(classify("binanceusdm", "h1", reply(code(number))), NotAccepted)


@pytest.mark.parametrize("status", [418, 429])
@pytest.mark.parametrize("body", ["", "<html>", code(-99999)])
def test_slow_down_statuses_are_not_accepted(status: int, body: str) -> None:
    outcome = classify("binanceusdm", "h1", reply(body, status))
    assert isinstance(outcome, NotAccepted)
    assert outcome.code == str(status)


@pytest.mark.parametrize("number", [-1000, -1001, -1006, -1007, -1008, -99999, -4116, -2013, 0])
def test_everything_else_is_unknown(number: int) -> None:
    assert isinstance(classify("binanceusdm", "h1", reply(code(number), 503)), UnknownOutcome)


@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[]", "null", '{"code": true}', '{"code": null}', '{"code": -2019', '"-2019"'],
)
@pytest.mark.parametrize("status", [None, 200, 400, 403, 404, 502, 503])
def test_what_cannot_be_read_is_unknown(body: str, status: int | None) -> None:
    assert isinstance(classify("binanceusdm", "h1", reply(body, status)), UnknownOutcome)


def test_a_venue_without_a_table_leaves_all_unknown() -> None:
    assert isinstance(classify("someplace", "h1", reply(code(-2019))), UnknownOutcome)
    assert meaning_of("binanceusdm", "-4116") is Meaning.EXISTS


def test_what_never_left_was_surely_not_taken() -> None:
    outcome = classify("binanceusdm", "h1", reply("", None, sent=False))
    assert isinstance(outcome, Rejected)


@given(st.text(max_size=300))
def test_texts_are_one_short_line_without_addresses_or_secrets(text: str) -> None:
    cleaned = clean_text(f"{text} https://x.example/fapi?signature=abc {SECRET} 10.0.0.7")
    assert len(cleaned) <= 160
    assert len(cleaned.splitlines()) <= 1
    for leak in ("signature", SECRET, "10.0.0.7", "x.example"):
        assert leak not in cleaned
