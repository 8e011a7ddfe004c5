"""Who asks before entering: answers, what is remembered of them, and what is said blindly."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.advice import open_entry_desk
from bot.advice.desk import EntryDesk, EntryRequest, Policy
from bot.advice.grants import LONGEST
from bot.advice.store import write_book
from risk.errors import DataError
from risk.limits.caps import RiskLimits
from strategies.entry_check import EntryBook, EntryRule, Verdict

FET, NEAR = "FET/USDT:USDT", "NEAR/USDT:USDT"
NOW_MS = 1_750_000_000_000


@dataclass
class _Books:
    """One book and a clock that are set by hand."""

    book: EntryBook | None
    now_ms: int = NOW_MS
    policy: Policy = field(
        default_factory=lambda: Policy(EntryRule(least_share=0.0), max_age_ms=60_000)
    )

    def read(self) -> EntryBook:
        if self.book is None:
            raise DataError("no book yet: the engine has not looked")
        return self.book

    def desk(self) -> EntryDesk:
        return EntryDesk(self, self.policy, lambda: self.now_ms)

    def hold(self, usd: float, near_usd: float = 0.0) -> None:
        """What the bots hold, as of now."""
        assert self.book is not None
        held = np.array([usd, near_usd])
        self.book = replace(self.book, bot_usd=held, timestamp_ms=self.now_ms)


def _books(**caps: float) -> _Books:
    sigma = np.array([0.05, 0.06])
    return _Books(
        EntryBook(
            timestamp_ms=NOW_MS,
            symbols=(FET, NEAR),
            bot_usd=np.zeros(2),
            hedge_usd=np.zeros(2),
            covariance_daily=np.array([[1, 0.8], [0.8, 1]]) * np.outer(sigma, sigma),
            volatility_btc_daily=0.02,
            beta_btc=np.array([1.2, 1.4]),
            in_sector=np.array([True, True]),
            cluster=np.array([0, 0]),
            cluster_names=("cluster of FET",),
            crowding=np.array([np.nan, 0.0]),
            limits=RiskLimits(**(caps or {"net_usd": 10_000.0})),
            equity_usd=10_000.0,
        )
    )


def _ask(usd: float, *, bot: str = "a", entry_id: str = "", symbol: str = FET) -> EntryRequest:
    return EntryRequest(bot, symbol, "long", usd, entry_id)


def test_two_bots_that_ask_at_once_do_not_get_the_same_room() -> None:
    desk = _books().desk()
    first, second = desk.ask(_ask(8_000)), desk.ask(_ask(8_000, bot="b"))
    assert (first.allowed_usd, first.verdict) == (8_000, Verdict.ALLOWED)
    assert second.verdict is Verdict.REDUCED
    assert second.allowed_usd == pytest.approx(2_000)
    assert desk.ask(_ask(1_000, bot="c")).verdict is Verdict.REFUSED
    assert desk.pending == 2


def test_a_short_that_may_never_come_makes_no_room_for_a_long() -> None:
    desk = _books().desk()
    short = EntryRequest("a", NEAR, "short", 10_000.0)
    assert desk.ask(short).allowed_usd == 10_000
    assert desk.ask(_ask(20_000)).allowed_usd == pytest.approx(10_000)


def test_asking_again_about_the_same_entry_takes_the_place_of_the_first() -> None:
    desk = _books().desk()
    for _ in range(3):
        assert desk.ask(_ask(8_000, entry_id="7")).allowed_usd == 8_000
    assert desk.ask(_ask(8_000, entry_id="8")).allowed_usd == pytest.approx(2_000)


def test_what_the_book_shows_is_not_counted_twice() -> None:
    books = _books()
    desk = books.desk()
    desk.ask(_ask(4_000, entry_id="1"))
    books.now_ms += 10_000
    books.hold(1_500)
    answer = desk.ask(_ask(10_000, entry_id="2"))
    assert answer.allowed_usd == pytest.approx(6_000), "1,500 are held, 2,500 may still come"
    books.hold(4_200)
    assert desk.ask(_ask(10_000, entry_id="2")).allowed_usd == pytest.approx(5_800)


def test_a_grant_ends_with_its_time_or_when_the_bot_says_that_it_does_not_enter() -> None:
    books = _books()
    desk = books.desk()
    answer = desk.ask(_ask(10_000, entry_id="1"))
    assert answer.granted_until_ms == NOW_MS + books.policy.grant_ms
    assert desk.ask(_ask(10_000, entry_id="2")).verdict is Verdict.REFUSED
    assert desk.take_back("a", FET, "1")
    assert not desk.take_back("a", FET, "1")
    assert desk.ask(_ask(10_000, entry_id="2")).allowed_usd == 10_000
    books.now_ms += books.policy.grant_ms
    books.hold(0.0)
    assert desk.ask(_ask(10_000, entry_id="3")).allowed_usd == 10_000


def test_a_refusal_takes_the_earlier_grant_of_the_entry_away() -> None:
    books = _books()
    desk = books.desk()
    desk.ask(_ask(5_000, entry_id="1"))
    books.hold(20_000)
    assert desk.ask(_ask(5_000, entry_id="1")).verdict is Verdict.REFUSED
    assert desk.pending == 0


@pytest.mark.parametrize(("say", "verdict"), [("refuse", "refused"), ("allow", "allowed")])
def test_without_a_fresh_book_the_policy_answers(say: str, verdict: str) -> None:
    books = _books()
    books.policy = replace(books.policy, when_stale=say, when_unknown=say)  # type: ignore[arg-type] # one of the two words
    books.now_ms += 61_000
    stale = books.desk().ask(_ask(100))
    assert (stale.verdict, stale.advice) == (verdict, None)
    assert stale.allowed_usd == (100 if say == "allow" else 0)
    assert stale.reason == (f"{verdict} by policy: the book is 61 s old, at most 60 s is accepted")
    assert stale.age_ms == 61_000
    books.now_ms = NOW_MS - 6_000
    assert "the book is -6 s old" in books.desk().ask(_ask(100)).reason
    books.now_ms = NOW_MS
    unknown = books.desk().ask(_ask(100, symbol="XYZ/USDT:USDT"))
    assert (unknown.verdict, unknown.book_ms) == (verdict, NOW_MS)
    assert "XYZ/USDT:USDT: not measured" in unknown.reason
    books.book = None
    none = books.desk().ask(_ask(100))
    assert (none.verdict, none.book_ms) == (verdict, None)
    assert "no book yet" in none.reason


def test_grants_are_not_kept_without_end() -> None:
    desk = _books(net_usd=1e9).desk()
    for i in range(LONGEST):
        assert desk.ask(_ask(1, entry_id=str(i))).verdict is Verdict.ALLOWED
    assert "too many" in desk.ask(_ask(1, entry_id="more")).reason


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["1", "2", "3"]),
        st.floats(1, 9_000),
        st.floats(0, 1),
    ),
    max_size=12,
)


@settings(max_examples=100)
@given(_STEPS)
def test_however_bots_ask_and_fill_the_cap_holds(
    steps: list[tuple[str, str, float, float]],
) -> None:
    """Every bot fills some share of what it was allowed, never more; the book shows it later."""
    books = _books()
    desk = books.desk()
    filled: dict[tuple[str, str], float] = {}
    for number, (bot, entry, usd, share) in enumerate(steps):
        books.now_ms += 1_000
        # An entry that has begun to fill is another entry when more is wanted.
        answer = desk.ask(_ask(usd, bot=bot, entry_id=f"{entry}-{number}"))
        filled[bot, f"{entry}-{number}"] = answer.allowed_usd * share
        assert sum(filled.values()) <= 10_000 * (1 + 1e-6)
        if number % 3 == 2:
            books.hold(sum(filled.values()))


def test_a_bot_in_this_process_asks_without_a_server(tmp_path: Path) -> None:
    config = tmp_path / "perphedge.yaml"
    config.write_text(
        "mode: paper\nstate_dir: state\nvenue: {exchange: binanceusdm, account: hedge}\n"
        "sources: [{kind: pushed, name: a}]\nentry_check: {least_share: 0, when_stale: allow}\n"
    )
    desk = open_entry_desk(config)
    assert desk.ask(_ask(100)).verdict is Verdict.ALLOWED
    (tmp_path / "state").mkdir()
    book = _books().book
    assert book is not None
    write_book(tmp_path / "state", replace(book, timestamp_ms=round(time.time() * 1000)))
    answer = desk.ask(_ask(20_000))
    assert answer.advice is not None
    assert answer.allowed_usd == pytest.approx(10_000)
