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
from bot.advice.grants_file import GRANTS_NAME, GrantFile
from bot.advice.store import write_book
from risk.errors import DataError
from risk.limits.caps import RiskLimits
from strategies.entry_check import BotHolding, EntryBook, EntryRule, Verdict

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
        self.hold_each({("a", FET): usd, ("a", NEAR): near_usd})

    def hold_each(self, held: dict[tuple[str, str], float], price_usd: float = 2.0) -> None:
        """What each bot holds, base units at this price, told in USD at a price of 2."""
        assert self.book is not None
        holdings = {key: BotHolding(usd / 2.0, price_usd) for key, usd in held.items()}
        bot_usd = np.array(
            [
                sum(h.base * h.price_usd for (_, s), h in holdings.items() if s == symbol)
                for symbol in (FET, NEAR)
            ]
        )
        self.book = replace(self.book, bot_usd=bot_usd, holdings=holdings, timestamp_ms=self.now_ms)


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
    assert desk.ask(_ask(2, entry_id="7")).allowed_usd == 2, "no new one"


def test_another_bots_fill_and_a_price_that_rises_fill_nothing() -> None:
    books = _books()
    desk = books.desk()
    books.hold_each({("b", FET): 2_000})
    desk.ask(_ask(4_000, entry_id="1"))
    books.hold_each({("b", FET): 3_000})
    answer = desk.ask(_ask(10_000, entry_id="2"))
    assert answer.allowed_usd == pytest.approx(3_000), "3,000 of b's and 4,000 to come"
    desk.take_back("a", FET, "2")
    books.hold_each({("b", FET): 3_000}, price_usd=3.0)
    assert desk.ask(_ask(10_000, entry_id="2")).allowed_usd == pytest.approx(1_500)
    desk.take_back("a", FET, "2")
    books.hold_each({("b", FET): 3_000, ("a", FET): 1_000}, price_usd=2.0)
    assert desk.ask(_ask(10_000, entry_id="2")).allowed_usd == pytest.approx(3_000)


def test_a_position_that_goes_over_into_another_contract_fills_nothing() -> None:
    """Of the same token, as where it is rolled, or told by another name from look to look."""
    books = _books()
    assert books.book is not None
    books.book = replace(books.book, token=np.array([0, 0]))
    desk = books.desk()
    books.hold_each({("a", FET): 5_000})
    desk.ask(_ask(4_000, entry_id="1"))
    books.hold_each({("a", NEAR): 5_000})
    assert desk.ask(_ask(10_000, entry_id="2")).allowed_usd == pytest.approx(1_000)


def test_a_fill_of_an_earlier_entry_is_not_a_later_ones() -> None:
    """Both were asked about before any book showed the first."""
    books = _books()
    desk = books.desk()
    desk.ask(_ask(4_000, entry_id="1"))
    books.now_ms += books.policy.grant_ms - 51_000
    books.hold(0.0)
    books.now_ms += 50_000
    assert desk.ask(_ask(5_000, entry_id="2")).allowed_usd == 5_000
    books.now_ms += 2_000
    books.hold(4_000)  # the first filled, and is forgotten
    answer = desk.ask(_ask(10_000, entry_id="3"))
    assert answer.allowed_usd == pytest.approx(1_000), "5,000 may still come"


def test_who_stops_while_holding_the_grants_stops_nobody_else(tmp_path: Path) -> None:
    books = _books()
    kept = GrantFile(tmp_path, books.policy.grant_ms)
    desk = EntryDesk(books, books.policy, lambda: books.now_ms, kept)
    with GrantFile(tmp_path, books.policy.grant_ms).locked():
        began = time.monotonic()
        answer = desk.ask(_ask(100))
        assert time.monotonic() - began < 5
    assert answer.verdict is Verdict.REFUSED
    assert "grants cannot be kept" in answer.reason
    assert desk.ask(_ask(100)).verdict is Verdict.ALLOWED


def test_what_was_allowed_outlives_the_desk_and_is_seen_by_others(tmp_path: Path) -> None:
    books = _books()

    def desk() -> EntryDesk:
        kept = GrantFile(tmp_path, books.policy.grant_ms)
        return EntryDesk(books, books.policy, lambda: books.now_ms, kept)

    first, beside = desk(), desk()
    assert first.ask(_ask(6_000, entry_id="1")).allowed_usd == 6_000
    assert beside.ask(_ask(9_000, entry_id="2")).allowed_usd == pytest.approx(4_000)
    assert desk().ask(_ask(9_000, entry_id="3")).verdict is Verdict.REFUSED
    assert desk().take_back("a", FET, "1")
    assert first.ask(_ask(9_000, entry_id="3")).allowed_usd == pytest.approx(6_000)
    (tmp_path / GRANTS_NAME).write_text("[{")
    books.now_ms = round(time.time() * 1000)
    books.hold(0.0)
    assert "damaged" in first.ask(_ask(1, entry_id="4")).reason
    books.now_ms += books.policy.grant_ms + 1_000
    books.hold(0.0)
    assert first.ask(_ask(9_000, entry_id="4")).allowed_usd == 9_000
    books.now_ms -= 3_600_000  # the clock is set back
    books.hold(0.0)
    assert desk().ask(_ask(9_000, entry_id="5")).allowed_usd == pytest.approx(1_000)
    books.now_ms += books.policy.grant_ms
    books.hold(0.0)
    assert desk().ask(_ask(9_000, entry_id="6")).allowed_usd == 9_000


def test_where_nothing_can_be_kept_nothing_is_allowed(tmp_path: Path) -> None:
    books = _books()
    (tmp_path / "state").write_text("a file where a folder must be")
    kept = GrantFile(tmp_path / "state", books.policy.grant_ms)
    desk = EntryDesk(books, books.policy, lambda: books.now_ms, kept)
    answer = desk.ask(_ask(100))
    assert answer.verdict is Verdict.REFUSED
    assert "grants cannot be kept" in answer.reason
    assert not desk.take_back("a", FET, "long")


@pytest.mark.parametrize("known", [True, False])
def test_what_the_policy_allowed_counts_when_the_book_comes_back(known: bool) -> None:
    books = _books()
    books.policy = replace(books.policy, when_stale="allow")
    desk, book = books.desk(), books.book
    books.now_ms += 100_000
    books.book = book if known else None
    blind = desk.ask(_ask(7_000, entry_id="1"))
    assert (blind.allowed_usd, blind.advice) == (7_000, None)
    assert blind.granted_until_ms == books.now_ms + books.policy.grant_ms
    books.book = book
    books.hold(2_000)
    answer = desk.ask(_ask(9_000, entry_id="2"))
    assert answer.allowed_usd == pytest.approx(3_000 if known else 1_000)


def test_the_margin_that_an_entry_takes_is_not_free_for_hedges() -> None:
    books = _books(bot_margin_share=0.5)
    assert books.book is not None
    books.book = replace(books.book, hedge_margin_usd=1_000.0, bot_free_usd=5_000.0)
    desk = books.desk()
    blind = desk.ask(_ask(90_000, entry_id="1"))
    assert blind.advice is not None
    assert blind.allowed_usd == 90_000
    assert blind.advice.notes == (
        "bot_margin_share is not counted: the entry's leverage is not told",
    )
    desk.take_back("a", FET, "1")
    told = desk.ask(replace(_ask(90_000, entry_id="1"), leverage=3.0))
    assert told.allowed_usd == pytest.approx(9_000), "1,000 are half of 2,000, so 3,000 may go"
    again = desk.ask(replace(_ask(90_000, entry_id="2"), leverage=3.0))
    assert again.verdict is Verdict.REFUSED
    books.book = replace(books.book, bot_free_usd=-1.0)
    assert desk.ask(replace(_ask(1, entry_id="3"), leverage=3.0)).verdict is Verdict.REFUSED


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
    book = _books().book
    assert book is not None
    write_book(tmp_path / "state", replace(book, timestamp_ms=round(time.time() * 1000)))
    answer = desk.ask(_ask(20_000))
    assert answer.advice is not None
    assert answer.allowed_usd == pytest.approx(10_000)
