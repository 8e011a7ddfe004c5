"""What came of a decision: hand cases, and that the sums add up whatever the prices."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.attribution.course import moments_of, moves_of, realised_volatility_daily_usd
from bot.explain.outcome import FEWEST_MOVES, outcome_of

HOUR_MS = 3_600_000
FET, TAO = "FET/USDT:USDT", "TAO/USDT:USDT"


def cycle(
    hour: float, marks: dict[str, float], base: dict[str, tuple[float, float]], **more: Any
) -> dict[str, Any]:
    """A cycle's document; ``base`` has the coins of bot and hedge by symbol."""
    legs = [
        {
            "symbol": symbol,
            "mark_price": marks[symbol],
            "bot_usd": bot * marks[symbol],
            "hedge_after_usd": hedge * marks[symbol],
        }
        for symbol, (bot, hedge) in base.items()
    ]
    gross = sum(abs(bot * marks[symbol]) for symbol, (bot, _) in base.items())
    return {"timestamp_ms": round(hour * HOUR_MS), "legs": legs, "bot_gross_usd": gross, **more}


BOOK = {FET: (1000.0, 0.0), TAO: (0.0, -2.0)}


def test_gains_are_coins_times_the_change_of_price() -> None:
    (move,) = moves_of(
        moments_of([cycle(0, {FET: 1.0, TAO: 400.0}, BOOK), cycle(1, {FET: 1.1, TAO: 390.0}, BOOK)])
    )
    assert (move.start_ms, move.end_ms, move.unknown) == (0, HOUR_MS, ())
    assert move.bot_usd == pytest.approx(100.0)
    assert move.hedge_usd == pytest.approx(20.0)


def test_a_price_that_is_gone_makes_the_step_unknown_not_zero() -> None:
    later = cycle(1, {TAO: 390.0}, {TAO: (0.0, -2.0)})
    (move,) = moves_of(moments_of([cycle(0, {FET: 1.0, TAO: 400.0}, BOOK), later]))
    assert move.bot_usd is None
    assert move.hedge_usd == pytest.approx(20.0)
    assert move.unknown == (FET,)


def test_a_cycle_that_could_not_measure_is_stepped_over() -> None:
    held = {"timestamp_ms": HOUR_MS, "legs": [], "bot_gross_usd": None}
    first, last = cycle(0, {FET: 1.0}, {FET: (10.0, 0.0)}), cycle(2, {FET: 2.0}, {FET: (10.0, 0.0)})
    (move,) = moves_of(moments_of([first, held, last]))
    assert move.end_ms == 2 * HOUR_MS
    assert move.bot_usd == pytest.approx(10.0)
    assert outcome_of(held, [last]) is None


def test_realised_volatility_is_the_root_of_squared_gains_a_day() -> None:
    # Four steps of six hours, each 50 USD: variance 4 · 2,500 a day.
    assert realised_volatility_daily_usd([(6 * HOUR_MS, 50.0)] * 4) == pytest.approx(100.0)
    # The same gain in steps of uneven length: 2 · 2,500 in a quarter of a day.
    assert realised_volatility_daily_usd([(HOUR_MS, 50.0), (5 * HOUR_MS, -50.0)]) == pytest.approx(
        (5000 / 0.25) ** 0.5
    )
    assert realised_volatility_daily_usd([]) is None


def test_it_ends_with_the_next_trade_and_counts_funding_until_then() -> None:
    still = {"volatility_unhedged_daily_usd": 240.0, "volatility_after_daily_usd": 120.0}
    start = cycle(0, {FET: 1.0, TAO: 400.0}, BOOK, fills=[{}], **still)
    later = [
        cycle(3, {FET: 0.9, TAO: 380.0}, BOOK),
        cycle(6, {FET: 0.8, TAO: 370.0}, BOOK, fills=[{"trade_id": "1"}]),
        cycle(9, {FET: 0.1, TAO: 300.0}, BOOK),
    ]
    funding = [(0, 7.0), (4 * HOUR_MS, 1.5), (6 * HOUR_MS, 0.5), (7 * HOUR_MS, 9.0)]
    found = outcome_of(start, later, funding)
    assert found is not None
    assert (found.until_ms, found.traded_again, found.moves) == (6 * HOUR_MS, True, 2)
    assert found.bot_usd == pytest.approx(-200.0)
    assert found.hedge_usd == pytest.approx(60.0)
    assert found.together_usd == pytest.approx(-140.0)
    assert found.funding_usd == pytest.approx(2.0), "what was paid before, or later, is not of it"
    assert found.expected_bot_usd == pytest.approx(120.0), "240 a day, over a quarter of a day"
    assert found.expected_together_usd == pytest.approx(60.0)
    assert found.expected_effectiveness == pytest.approx(0.75)
    assert found.realised_effectiveness is None, "two steps are too few to judge by"


def test_effectiveness_is_told_once_there_are_enough_steps() -> None:
    book = {FET: (100.0, -50.0)}
    steps = [
        cycle(k, {FET: 10.0 + (k % 2)}, book, volatility_unhedged_daily_usd=1.0)
        for k in range(FEWEST_MOVES + 1)
    ]
    found = outcome_of(steps[0], steps[1:])
    assert found is not None
    assert found.realised_effectiveness == pytest.approx(0.75), "half of the position is a quarter"
    assert found.expected_effectiveness is None, "the cycle did not say what it expected"
    short = outcome_of(steps[0], steps[1:-1])
    assert short is not None
    assert short.realised_bot_daily_usd is None


def test_an_unmeasured_step_is_in_no_sum_and_its_time_is_told() -> None:
    only_fet = {FET: (1000.0, 0.0)}
    later = [
        cycle(1, {FET: 1.1}, only_fet),
        cycle(3, {FET: 1.2, TAO: 380.0}, BOOK),
    ]
    found = outcome_of(cycle(0, {FET: 1.0, TAO: 400.0}, BOOK), later)
    assert found is not None
    assert found.moves == 1
    assert found.unmeasured_hours == pytest.approx(1.0)
    assert found.bot_usd == pytest.approx(100.0)


@given(
    st.lists(st.floats(0.01, 1e5), min_size=2, max_size=12),
    st.floats(-1e4, 1e4),
    st.floats(-1e4, 1e4),
)
def test_steps_add_up_to_the_whole_way(prices: list[float], bot: float, hedge: float) -> None:
    """With coins that do not change, what lies between first and last price does not matter."""
    documents = [cycle(k, {FET: price}, {FET: (bot, hedge)}) for k, price in enumerate(prices)]
    found = outcome_of(documents[0], documents[1:])
    assert found is not None
    way = prices[-1] - prices[0]
    scale = max(prices) * max(abs(bot), abs(hedge), 1.0)
    assert found.bot_usd == pytest.approx(bot * way, abs=1e-9 * scale * len(prices))
    assert found.hedge_usd == pytest.approx(hedge * way, abs=1e-9 * scale * len(prices))
    assert found.together_usd == pytest.approx(found.bot_usd + found.hedge_usd, abs=1e-9 * scale)
