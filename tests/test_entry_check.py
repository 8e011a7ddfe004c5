"""A say before a bot enters: hand cases, and properties against the caps as they are measured."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.errors import DataError
from risk.limits.caps import CAP_TOLERANCE, RiskLimits
from risk.limits.measures import MEASURES
from risk.limits.stresses import AccountStress
from strategies.entry_check import EntryBook, EntryRule, Verdict, check_entry

SYMBOLS = ("BTC/USDT:USDT", "FET/USDT:USDT", "NEAR/USDT:USDT", "TAO/USDT:USDT")
VOLATILITY = np.array([0.02, 0.05, 0.06, 0.04])
CORRELATION = np.array(
    [[1.0, 0.6, 0.5, 0.5], [0.6, 1.0, 0.8, 0.7], [0.5, 0.8, 1.0, 0.6], [0.5, 0.7, 0.6, 1.0]]
)
COVARIANCE = CORRELATION * np.outer(VOLATILITY, VOLATILITY)
BETA = COVARIANCE[0] / COVARIANCE[0, 0]
ALL = EntryRule(least_share=0.0)


def _book(limits: RiskLimits, **changes: object) -> EntryBook:
    book = EntryBook(
        timestamp_ms=0,
        symbols=SYMBOLS,
        bot_usd=np.array([0.0, 10_000.0, 5_000.0, 0.0]),
        hedge_usd=np.array([0.0, 0.0, 0.0, -4_000.0]),
        covariance_daily=COVARIANCE,
        volatility_btc_daily=0.02,
        beta_btc=BETA,
        in_sector=np.array([False, True, True, True]),
        cluster=np.array([-1, 0, 0, 0]),
        cluster_names=("cluster of FET",),
        crowding=np.array([np.nan, 2.5, -1.5, 0.3]),
        limits=limits,
        equity_usd=20_000.0,
    )
    return replace(book, **changes)


def test_an_entry_under_every_cap_is_allowed_whole() -> None:
    advice = check_entry(_book(RiskLimits(net_usd=20_000)), "NEAR/USDT:USDT", 8_000, rule=ALL)
    assert advice.verdict is Verdict.ALLOWED
    assert advice.allowed_usd == 8_000
    assert (advice.before.net_usd, advice.after.net_usd) == (11_000, 19_000)
    assert advice.before.bot_gross_usd == 15_000


def test_it_is_reduced_to_what_the_tightest_cap_leaves() -> None:
    limits = RiskLimits(net_usd=20_000, token_usd=7_000)
    advice = check_entry(_book(limits), "NEAR/USDT:USDT", 12_000, rule=ALL)
    assert advice.verdict is Verdict.REDUCED
    assert advice.allowed_usd == pytest.approx(2_000, rel=1e-6)
    tightest, other = advice.caps
    assert (tightest.cap, tightest.binding) == ("token_usd", True)
    assert other.allowed_usd == pytest.approx(9_000, rel=1e-6)
    assert (tightest.value_before, tightest.value_asked) == (5_000, 17_000)
    assert tightest.value_allowed == pytest.approx(7_000, rel=1e-6)
    assert "reduced to 2,000 USD: token_usd would go from" in advice.reason


def test_correlation_adjusted_exposure_is_solved_for_exactly() -> None:
    book = _book(RiskLimits(cae_usd=45_000))
    x = book.bot_usd + book.hedge_usd
    advice = check_entry(book, SYMBOLS[3], 50_000, rule=ALL)
    slope = float((COVARIANCE @ x)[3])
    variance, target = float(x @ COVARIANCE @ x), (45_000 * 0.02) ** 2
    root = (-slope + (slope**2 - COVARIANCE[3, 3] * (variance - target)) ** 0.5) / COVARIANCE[3, 3]
    assert advice.before.cae_usd == pytest.approx(variance**0.5 / 0.02)
    assert advice.allowed_usd == pytest.approx(root, rel=1e-6)
    assert advice.after.cae_usd == pytest.approx(45_000, rel=1e-6)


def test_a_book_over_its_cap_refuses_more_of_the_same_and_allows_what_lowers_it() -> None:
    book = _book(RiskLimits(net_usd=9_000, cae_usd=10_000))
    more = check_entry(book, SYMBOLS[2], 1_000, rule=EntryRule())
    assert (more.verdict, more.allowed_usd) == (Verdict.REFUSED, 0)
    assert more.after == more.before
    less = check_entry(book, SYMBOLS[2], -3_000, rule=EntryRule())
    assert less.verdict is Verdict.ALLOWED
    beyond = check_entry(_book(RiskLimits(net_usd=9_000)), SYMBOLS[2], -40_000, rule=ALL)
    assert beyond.allowed_usd == pytest.approx(20_000, rel=1e-6), "to the cap on the other side"


def test_what_lowers_a_risk_over_its_cap_ends_where_it_begins_to_raise_it_again() -> None:
    turned = _book(RiskLimits(token_usd=10_000), bot_usd=np.array([0.0, 20_000.0, 0.0, 0.0]))
    advice = check_entry(turned, SYMBOLS[1], -40_000, rule=ALL)
    assert advice.verdict is Verdict.REDUCED
    assert advice.allowed_usd == pytest.approx(30_000, rel=1e-6), "from +20,000 to -10,000"
    # Of two tokens that move alike one cannot undo the other whole: the least is over the cap.
    book = _book(RiskLimits(cae_usd=1_000))
    x = book.bot_usd + book.hedge_usd
    least = float((COVARIANCE @ x)[2]) / COVARIANCE[2, 2]
    advice = check_entry(book, SYMBOLS[2], -10 * least, rule=ALL)
    assert advice.after.cae_usd > 1_000
    assert advice.allowed_usd == pytest.approx(least, rel=1e-3)


def test_a_rest_too_small_to_be_worth_an_order_is_refused() -> None:
    book = _book(RiskLimits(net_usd=11_500))
    assert check_entry(book, SYMBOLS[2], 10_000, rule=ALL).allowed_usd == pytest.approx(500)
    assert check_entry(book, SYMBOLS[2], 10_000, rule=EntryRule()).verdict is Verdict.REFUSED


def test_hedges_count_only_where_they_shall() -> None:
    book = _book(RiskLimits(net_usd=15_500))
    with_hedges = check_entry(book, SYMBOLS[2], 4_000, rule=ALL)
    assert with_hedges.verdict is Verdict.ALLOWED
    alone = check_entry(book, SYMBOLS[2], 4_000, rule=replace(ALL, count_hedges=False))
    assert alone.allowed_usd == pytest.approx(500)


def test_entries_allowed_before_count_although_the_book_does_not_show_them() -> None:
    book = _book(RiskLimits(net_usd=15_000))
    pending = np.array([0.0, 3_000.0, 0.0, 0.0])
    advice = check_entry(book, SYMBOLS[2], 4_000, rule=ALL, pending_usd=pending)
    assert advice.allowed_usd == pytest.approx(1_000)
    assert advice.before.net_usd == 14_000


def test_the_account_shared_with_the_bot_must_survive_its_stresses() -> None:
    stress = AccountStress(
        ("sector down",), np.array([[-0.1, -0.2, -0.2, -0.2]]), np.full(4, 0.05), shared=True
    )
    book = _book(RiskLimits(stress_use=0.5), stress=stress)
    y = book.bot_usd + book.hedge_usd
    before = (0.2 * y.sum() + 0.05 * np.abs(y).sum()) / 20_000
    advice = check_entry(book, SYMBOLS[2], 100_000, rule=ALL)
    assert advice.caps[0].value_before == pytest.approx(before)
    assert advice.allowed_usd == pytest.approx((0.5 - before) * 20_000 / 0.25, rel=1e-6)
    apart = replace(book, stress=replace(stress, shared=False))
    assert check_entry(apart, SYMBOLS[2], 100_000, rule=ALL).verdict is Verdict.ALLOWED


def test_it_tells_what_is_correlated_and_what_is_crowded() -> None:
    advice = check_entry(_book(RiskLimits()), SYMBOLS[1], 1_000, rule=ALL)
    assert [(c.symbol, round(c.correlation, 6), c.adds) for c in advice.correlated] == [
        (SYMBOLS[2], 0.8, True),
        (SYMBOLS[3], 0.7, False),
    ]
    assert [(c.bot_usd, c.hedge_usd) for c in advice.correlated] == [(5_000, 0), (0, -4_000)]
    assert (advice.crowding, advice.crowded) == (2.5, True)
    assert not check_entry(_book(RiskLimits()), SYMBOLS[1], -1_000, rule=ALL).crowded
    assert check_entry(_book(RiskLimits()), SYMBOLS[2], -1_000, rule=ALL).crowded
    assert check_entry(_book(RiskLimits()), SYMBOLS[0], 1_000, rule=ALL).crowding is None


def test_what_is_not_measured_is_not_judged() -> None:
    with pytest.raises(DataError, match="XYZ/USDT:USDT: not measured"):
        check_entry(_book(RiskLimits()), "XYZ/USDT:USDT", 1_000, rule=ALL)
    for size in (0.0, np.nan, np.inf):
        with pytest.raises(DataError, match="an entry of"):
            check_entry(_book(RiskLimits()), SYMBOLS[1], size, rule=ALL)
    with pytest.raises(DataError, match="not finite"):
        _book(RiskLimits(), bot_usd=np.array([0.0, np.nan, 0.0, 0.0]))


_USD = st.floats(-50_000, 50_000)
_CAP = st.none() | st.floats(0, 80_000)


@settings(max_examples=150, deadline=None)  # many books an example
@given(
    bot=st.lists(_USD, min_size=4, max_size=4),
    hedge=st.lists(_USD, min_size=4, max_size=4),
    caps=st.tuples(_CAP, _CAP, _CAP, _CAP, _CAP, _CAP),
    doubt=st.none() | st.lists(st.floats(0, 1), min_size=4, max_size=4),
    entry=st.tuples(st.integers(0, 3), _USD.filter(lambda usd: abs(usd) > 1)),
)
def test_what_is_allowed_holds_by_the_caps_own_measures_and_is_the_most_that_does(
    bot: list[float],
    hedge: list[float],
    caps: tuple[float | None, ...],
    doubt: list[float] | None,
    entry: tuple[int, float],
) -> None:
    index, signed_usd = entry
    names = ("token_usd", "net_usd", "sector_net_usd", "cluster_net_usd", "beta_net_usd", "cae_usd")
    limits = RiskLimits(**dict(zip(names, caps, strict=True)))
    book = _book(
        limits,
        bot_usd=np.array(bot),
        hedge_usd=np.array(hedge),
        beta_doubt=None if doubt is None else np.array(doubt),
    )
    advice = check_entry(book, SYMBOLS[index], signed_usd, rule=ALL)
    allowed = np.copysign(advice.allowed_usd, signed_usd)
    assert _worsened(book, index, allowed, CAP_TOLERANCE * 2) == []
    if advice.verdict is not Verdict.ALLOWED:
        beyond = allowed + np.copysign(max(1e-3, 1e-3 * abs(signed_usd)), signed_usd)
        assert _worsened(book, index, beyond, 0.0, allowed), "more would still have been good"


def _worsened(
    book: EntryBook, index: int, added_usd: float, tolerance: float, *stops_usd: float
) -> list[str]:
    """Caps that end above their limit though they were lower on the way."""
    places = [0.0, *(added_usd * np.linspace(0.05, 0.95, 10)), *stops_usd, added_usd]
    way = [_values(book, index, place) for place in places]
    found = []
    for (cap, scope), new in way[-1].items():
        bound = max(getattr(book.limits, cap), min(values[cap, scope] for values in way[:-1]))
        if new > bound * (1 + tolerance) + tolerance:
            found.append(f"{cap} {scope}")
    return found


def _values(book: EntryBook, index: int, added_usd: float) -> dict[tuple[str, str], float]:
    """What the caps measure with so much added."""
    added = np.zeros(4)
    added[index] = added_usd
    standing = book.standing(hedges=True, pending_usd=added)
    return {
        (cap, one.name): one.value
        for cap, measure in MEASURES.items()
        if getattr(book.limits, cap) is not None
        for one in measure(standing)
    }
