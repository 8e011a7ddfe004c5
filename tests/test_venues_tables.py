"""The tables of codes and of client ids as data, and the page that is printed from them."""

import json
import re
from pathlib import Path

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.trading.client_ids import derive_client_id
from bot.trading.orders import NotAccepted, Rejected, UnknownOutcome
from bot.venues.outcomes import MEANINGS, TABLES, Meaning, Reply, classify, reply_code
from bot.venues.reference import venues_page
from bot.venues.wire_ids import own_id, wire_id
from risk.errors import DataError
from tests.venue_scene import VENUES

OURS = "h1abcdefghijklmnopqrstuvwx"


def test_the_page_is_the_tables() -> None:
    page = Path(__file__).parents[1] / "docs" / "venues.md"
    assert page.read_text() == venues_page(), "run: python -m bot.venues.reference > docs/venues.md"


def test_six_exchanges_have_a_table() -> None:
    assert tuple(TABLES) == ("binanceusdm", "bybit", "okx", "hyperliquid", "bitget", "gate")


@pytest.mark.parametrize("venue", VENUES)
def test_a_code_means_one_thing_and_says_why(venue: str) -> None:
    table = TABLES[venue]
    groups = [
        *(table.rejected, table.not_accepted, table.exists, table.absent, table.over),
        table.left_unknown,
    ]
    codes = [code for group in groups for code in group]
    assert len(codes) == len(set(codes))
    assert all(words and words[-1] != "." for group in groups for words in group.values())
    assert not set(table.left_unknown) & set(MEANINGS[venue])


@pytest.mark.parametrize("venue", [v for v in VENUES if v not in ("hyperliquid", "binanceusdm")])
def test_the_client_knows_almost_every_code_and_its_class_decides_nothing(venue: str) -> None:
    """What ccxt has not heard of either would be a slip of the pen."""
    known = set(getattr(ccxt, venue)().exceptions["exact"])
    ours = set(MEANINGS[venue])
    assert len(ours & known) >= 0.9 * len(ours), sorted(ours - known)
    lie = {"gate": "TOO_BUSY", "bybit": "10014", "okx": "51011", "bitget": "40010"}[venue]
    assert lie in known
    assert lie not in ours, "of a class that stands for refusals, and no refusal"


BODIES = {
    "binanceusdm": lambda code: {"code": int(code), "msg": "words"},
    "bybit": lambda code: {"retCode": int(code), "retMsg": "words", "result": {}},
    "okx": lambda code: {"code": "1", "msg": "", "data": [{"sCode": code, "sMsg": "words"}]},
    "bitget": lambda code: {"code": code, "msg": "words", "data": None},
    "gate": lambda code: {"label": code, "message": "words"},
}


@pytest.mark.parametrize("venue", sorted(BODIES))
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 500, 502, 503])
def test_every_listed_code_has_its_outcome_and_no_other(venue: str, status: int) -> None:
    for code, meaning in MEANINGS[venue].items():
        body = json.dumps(BODIES[venue](code))
        assert reply_code(body, venue) == (code, "words")
        outcome = classify(venue, OURS, Reply(True, status, body, "SomeError", venue))
        if meaning is Meaning.NOT_ACCEPTED:
            assert isinstance(outcome, NotAccepted)
        elif meaning is Meaning.REJECTED and status in (200, 400, 401, 403):
            assert outcome == Rejected(OURS, code, "words")
        else:
            assert isinstance(outcome, UnknownOutcome), (code, status)


@pytest.mark.parametrize("venue", VENUES)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("51008"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "code",
                        "msg",
                        "data",
                        "sCode",
                        "retCode",
                        "label",
                        "status",
                        "response",
                        "statuses",
                        "error",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_comes_is_classified_and_only_listed_codes_reject(
    venue: str, document: object
) -> None:
    outcome = classify(venue, OURS, Reply(True, 200, json.dumps(document), "SomeError", venue))
    if isinstance(outcome, Rejected):
        assert MEANINGS[venue][outcome.code] is Meaning.REJECTED
    else:
        assert isinstance(outcome, UnknownOutcome | NotAccepted)


@pytest.mark.parametrize("venue", VENUES)
@given(key=st.binary(min_size=16, max_size=32), attempt=st.integers(0, 10_000))
def test_our_ids_fit_every_exchange_and_come_back(venue: str, key: bytes, attempt: int) -> None:
    ours = derive_client_id(
        key, account="hedge", symbol="FET/USDT:USDT", intent_id="i1", leg="open-0", attempt=attempt
    )
    written = wire_id(venue, ours)
    rules = {
        "binanceusdm": r"[.A-Z:/a-z0-9_-]{1,36}",
        "bybit": r"[A-Za-z0-9_-]{1,36}",
        "okx": r"[A-Za-z0-9]{1,32}",
        "hyperliquid": r"0x[0-9a-f]{32}",
        "bitget": r"[A-Za-z0-9]{1,32}",
        "gate": r"t-[A-Za-z0-9._-]{1,26}",
    }
    assert re.fullmatch(rules[venue], written)
    assert own_id(venue, written) == ours


def test_two_ids_of_ours_are_two_on_the_wire() -> None:
    ids = [
        derive_client_id(b"k" * 16, account="a", symbol="s", intent_id="i", leg="l", attempt=n)
        for n in range(500)
    ]
    for venue in VENUES:
        assert len({wire_id(venue, one) for one in ids}) == 500


@pytest.mark.parametrize("venue", VENUES)
def test_an_id_that_would_be_changed_is_refused(venue: str) -> None:
    for wrong in ("", "with space", "é", "x" * 40):
        with pytest.raises(DataError):
            wire_id(venue, wrong)


def test_other_peoples_ids_stay_theirs() -> None:
    assert own_id("hyperliquid", "0x" + "12" * 16) == "0x" + "12" * 16
    assert own_id("hyperliquid", None) == own_id("gate", "") == ""
    assert own_id("gate", "web") == "web"
    assert own_id("someplace", "abc") == wire_id("someplace", "abc") == "abc"
