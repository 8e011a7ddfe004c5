"""What a bot held and what it earned, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.replay.figures import daily_gains_usd, effectiveness_daily, result_of
from bot.replay.holdings import (
    Holdings,
    RandomBot,
    bet_at_random,
    bought_and_held,
    funding_gains_usd,
    price_gains_usd,
)
from risk.errors import DataError
from risk.returns import HOUR_MS

START_MS = 1_738_368_000_000


def hours(count: int) -> np.ndarray:
    return START_MS + HOUR_MS * np.arange(count, dtype=np.int64)


def test_what_is_bought_first_is_kept() -> None:
    close = np.array([[2.0, 10.0], [3.0, 5.0], [4.0, 5.0]])
    held = bought_and_held(("A", "B"), hours(3), close, np.array([100.0, -50.0]))
    assert held.at(START_MS) == {"A": 50.0, "B": -5.0}
    assert held.at(START_MS + 2 * HOUR_MS + 59) == {"A": 50.0, "B": -5.0}
    assert held.at(START_MS - 1) == {}
    # 50 * (3 - 2) - 5 * (5 - 10), then 50 * (4 - 3)
    assert price_gains_usd(held, close).tolist() == [75.0, 50.0]


def test_a_symbol_without_a_price_cannot_be_bought() -> None:
    with pytest.raises(DataError, match="B: no price at the first hour"):
        bought_and_held(("A", "B"), hours(1), np.array([[1.0, np.nan]]), np.array([1.0, 1.0]))


def test_after_their_end_nothing_is_known() -> None:
    held = Holdings(("A",), hours(2), np.ones((2, 1)))
    with pytest.raises(DataError, match="after their last hour"):
        held.at(START_MS + 2 * HOUR_MS)


def test_a_gap_in_prices_comes_with_the_next_price() -> None:
    close = np.array([[2.0], [np.nan], [5.0], [6.0]])
    held = Holdings(("A",), hours(4), np.full((4, 1), 10.0))
    assert price_gains_usd(held, close).tolist() == [0.0, 30.0, 10.0]


def test_longs_pay_a_positive_rate_on_what_was_held_before() -> None:
    close = np.array([[2.0], [3.0], [4.0], [4.0]])
    quantity = np.array([[10.0], [0.0], [-10.0], [0.0]])
    held = Holdings(("A",), hours(4), quantity)
    paid_ms = np.array(
        [START_MS, START_MS + HOUR_MS, START_MS + 2 * HOUR_MS, START_MS + 3 * HOUR_MS]
    )
    rate = np.array([0.5, 0.01, 0.01, 0.02])
    # The first was due before; then 10 * 3 at 1 % is paid, nothing is held, 10 * 4 at 2 % received.
    assert funding_gains_usd(held, close, [(0, paid_ms, rate)]).tolist() == pytest.approx(
        [-0.3, 0.0, 0.8]
    )


def test_a_payment_within_the_hour_counts_in_it() -> None:
    held = Holdings(("A",), hours(2), np.full((2, 1), 10.0))
    at = np.array([START_MS + HOUR_MS // 2])
    gains = funding_gains_usd(held, np.array([[2.0], [2.0]]), [(0, at, np.array([0.01]))])
    assert gains.tolist() == pytest.approx([-0.2])


def test_the_figures_by_hand() -> None:
    hourly = np.zeros(72)
    hourly[5], hourly[30], hourly[31], hourly[60] = 100.0, -300.0, 50.0, 40.0
    found = result_of(hourly, 1000.0)
    assert found.pnl_usd == -110.0
    assert found.max_drawdown_usd == 300.0
    assert found.es95_daily_usd == 250.0  # of three days the worst one
    daily = np.array([100.0, -250.0, 40.0])
    assert daily_gains_usd(hourly).tolist() == daily.tolist()
    assert found.volatility_annual == pytest.approx(daily.std(ddof=1) * 365**0.5 / 1000)


def test_hours_after_the_last_whole_day_are_in_no_day() -> None:
    assert daily_gains_usd(np.ones(47)).tolist() == [24.0]


def test_hedges_that_take_half_of_every_day_take_three_quarters_of_the_variance() -> None:
    alone = np.random.default_rng(1).standard_normal(24 * 30)
    assert effectiveness_daily(alone, 0.5 * alone) == pytest.approx(0.75)
    assert effectiveness_daily(np.zeros(48), np.ones(48)) is None
    assert effectiveness_daily(alone[:24], alone[:24]) is None


@given(st.integers(0, 50), st.floats(0, 1))
def test_random_bets_know_nothing_of_what_comes_later(seed: int, short_share: float) -> None:
    rng = np.random.default_rng(3)
    close = np.exp(np.cumsum(0.01 * rng.standard_normal((60, 5)), axis=0))
    close[20:30, 2] = np.nan
    liquid = np.isfinite(close) & (rng.random((60, 5)) < 0.7)
    bot = RandomBot(slots=3, gross_usd=3000.0, mean_hours=8.0, short_share=short_share, seed=seed)
    symbols = tuple("ABCDE")
    whole = bet_at_random(symbols, hours(60), close, liquid, bot)
    other = close.copy()
    other[40:] *= 2.0
    changed = bet_at_random(symbols, hours(60), other, liquid, bot)
    assert np.array_equal(whole.quantity_base[:40], changed.quantity_base[:40])
    assert not whole.quantity_base[20:30, 2].any()
    assert (np.count_nonzero(whole.quantity_base, axis=1) <= 3).all()
    if short_share == 0.0:
        assert (whole.quantity_base >= 0.0).all()


def test_random_bets_are_of_the_same_size_when_bought() -> None:
    close = np.full((200, 4), 2.0)
    bot = RandomBot(slots=2, gross_usd=100.0, mean_hours=10.0, seed=5)
    held = bet_at_random(tuple("ABCD"), hours(200), close, np.isfinite(close), bot).quantity_base
    assert set(np.unique(held).tolist()) == {0.0, 25.0}
    assert len({tuple(row) for row in (held != 0).tolist()}) > 3
