"""What is covered by an approval: hand cases, and what holds for all."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.approval import PendingProposal, ProposalState
from bot.approval.tolerance import Tolerance, exceeds, is_rest_of, only_reduces
from tests.approval_scene import leg, proposal, shown

TEN = Tolerance(leg_growth=0.1, cost_growth=0.25, volatility_growth=0.25)
SEEN = shown(FET=-1000.0, TAO=-500.0)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (SEEN, None),
        (shown(FET=-1100.0, TAO=-550.0), None),
        (shown(FET=-300.0), None),
        (proposal(), None),
        (replace(SEEN, trade_cost_usd=12.5), None),
        (
            shown(FET=-1100.02, TAO=-1.0),
            "FET/USDT:USDT: the trade would now be 1,100.02 USD, shown were 1,000.00 USD",
        ),
        (shown(FET=-10.0, WLD=-20.0), "it would now trade WLD/USDT:USDT as well (-20 USD)"),
        (shown(FET=10.0), "FET/USDT:USDT: it would now trade +10 USD, shown were -1,000 USD"),
        (
            replace(SEEN, trade_cost_usd=12.6),
            "its cost would now be 12.60 USD, shown were 10.00 USD",
        ),
    ],
)
def test_what_is_covered(now: PendingProposal, why: str | None) -> None:
    assert exceeds(SEEN, now, TEN) == why


NAN = float("nan")


@pytest.mark.parametrize(
    ("shown_usd", "now_usd", "covered"),
    [
        (1.0, 3.49, True),  # trading costs 10 USD, of which a quarter is 2.50
        (1.0, 3.52, False),
        (-1.0, 1.49, True),
        (-1.0, 1.52, False),
        (40.0, 49.9, True),  # of the funding itself
        (40.0, 50.1, False),
        (1.0, -500.0, True),
        (1.0, NAN, False),
        (NAN, 1.0, False),
    ],
)
def test_funding_that_is_covered(shown_usd: float, now_usd: float, covered: bool) -> None:
    why = exceeds(
        replace(SEEN, carry_usd_per_day=shown_usd), replace(SEEN, carry_usd_per_day=now_usd), TEN
    )
    assert (why is None) is covered
    assert covered or (why or "").startswith("funding would now be ")


@pytest.mark.parametrize(
    ("now_usd", "why"),
    [
        (1000.0, None),
        (500.0, None),
        (
            1000.02,
            "the daily volatility after it would now be 1,000.02 USD, shown were 800.00 USD",
        ),
        (NAN, "the daily volatility after it would now be nan USD, shown were 800.00 USD"),
    ],
)
def test_volatility_that_is_covered(now_usd: float, why: str | None) -> None:
    seen = replace(SEEN, volatility_after_daily_usd=800.0)
    assert exceeds(seen, replace(SEEN, volatility_after_daily_usd=now_usd), TEN) == why


def test_what_was_to_close_may_not_open() -> None:
    seen = proposal(leg("FET", 800.0, hedge_usd=-1000.0))
    assert exceeds(seen, proposal(leg("FET", 700.0, hedge_usd=-700.0)), TEN) is None
    through_zero = proposal(leg("FET", 800.0, hedge_usd=-300.0))
    assert exceeds(seen, through_zero, TEN) == (
        "FET/USDT:USDT: what it opens would now be 500.00 USD, shown were 0.00 USD"
    )


@pytest.mark.parametrize(
    ("one", "unasked"),
    [
        (proposal(leg("FET", 400.0, -1000.0), leg("TAO", 500.0, -500.0)), True),
        (proposal(leg("FET", 400.0, -1000.0), leg("TAO", -1.0, -500.0)), False),
        (proposal(leg("FET", 1200.0, -1000.0)), False),
        (proposal(leg("FET", 400.0, -1000.0), calmer=False), False),
        (proposal(leg("FET", 400.0, -1000.0), calmer=False, cures=("margin_use",)), True),
    ],
)
def test_what_needs_nobody(one: PendingProposal, unasked: bool) -> None:
    assert only_reduces(one) is unasked


USD = st.floats(-1e6, 1e6).filter(lambda usd: abs(usd) > 1)
TRADES = st.dictionaries(st.sampled_from(["FET", "TAO", "WLD", "NEAR"]), USD, max_size=4)


@given(TRADES, st.floats(0, 1))
def test_less_of_everything_is_covered(trades: dict[str, float], share: float) -> None:
    less = shown(**{base: usd * share for base, usd in trades.items()})
    assert exceeds(shown(**trades), less, Tolerance(0.0, 0.0, 0.0)) is None


@given(TRADES, TRADES)
def test_what_is_covered_trades_no_more_than_allowed(
    trades: dict[str, float], now: dict[str, float]
) -> None:
    if exceeds(shown(**trades), shown(**now), TEN) is None:
        assert now.keys() <= trades.keys()
        for base, usd in now.items():
            assert usd * trades[base] > 0
            assert abs(usd) <= 1.1 * abs(trades[base]) + 0.01


@given(TRADES, st.sampled_from(ProposalState))
def test_a_proposal_comes_back_from_the_journal_as_it_was(
    trades: dict[str, float], state: ProposalState
) -> None:
    one = shown(**trades).now(state, reason="because", by="ana", decided_ms=7)
    assert PendingProposal.of(json.loads(json.dumps(one.document()))) == one


@pytest.mark.parametrize(
    ("now", "covered"),
    [
        (shown(FET=-400.0), True),
        (shown(FET=-440.0, TAO=-1.0), True),
        (shown(FET=-440.02), False),
        (shown(FET=400.0), False),
        (shown(FET=-400.0, WLD=-1.0), False),
        (shown(FET=float("nan")), False),
        (proposal(), False),
    ],
)
def test_what_is_left_of_slices_is_covered_and_nothing_beside_it(
    now: PendingProposal, covered: bool
) -> None:
    assert is_rest_of(now, {"FET/USDT:USDT": -400.0, "TAO/USDT:USDT": -50.0}, TEN) is covered
