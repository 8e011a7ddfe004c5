"""Stresses: by hand, against plain loops, and how they relate to each other."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.covariance.estimate import CovarianceEstimate, estimate_from
from risk.covariance.mean_ewma import mean_ewma_covariance
from risk.errors import DataError, EstimationError, MissingDataError
from risk.returns import HOUR_MS, BarPanel, log_returns, utc
from risk.tail.history import PriceHistory, price_history
from risk.tail.stress import auto_deleveraging, correlation_to_one, sector_gap, worst_window

SHARED = Path(__file__).resolve().parents[2] / "shared"
START_MS = 1_750_000_000_000 // HOUR_MS * HOUR_MS
SYMBOLS = ("A", "B", "BTC")


def estimate(rho: float = 0.5, symbols: tuple[str, ...] = SYMBOLS) -> CovarianceEstimate:
    n = len(symbols)
    correlation = np.full((n, n), rho) + (1 - rho) * np.eye(n)
    sigma = np.array([0.10, 0.05, 0.02])[:n]
    return estimate_from(symbols, sigma, correlation, observed_bars=np.full(n, 1441.0))


def panel(close: FloatArray, symbols: tuple[str, ...] = SYMBOLS) -> BarPanel:
    open_ms = START_MS + HOUR_MS * np.arange(len(close), dtype=np.int64)
    return BarPanel(symbols, open_ms, close, np.ones_like(close))


def walk(bars: int, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    common = rng.standard_t(4, (bars, 1)) * 0.004
    return np.asarray(100 * np.exp(np.cumsum(common + rng.normal(0, 0.004, (bars, 3)), axis=0)))


def history(close: FloatArray) -> PriceHistory:
    return price_history(panel(close), estimate())


def test_correlation_to_one_by_hand() -> None:
    x = np.array([1000.0, 2000.0, 0.0])
    full = correlation_to_one(x, estimate(), 1.0)
    assert full.loss_usd is None
    assert full.volatility_usd == pytest.approx(200.0)
    none = correlation_to_one(x, estimate(), 0.0)
    assert none.volatility_usd == pytest.approx(100 * math.sqrt(3))
    half = correlation_to_one(x, estimate(), 0.5)
    assert half.volatility_usd == pytest.approx(100 * math.sqrt(2 + 2 * 0.75))
    assert "from 173 to 187 USD a day; as far towards zero instead, to 158." in half.detail


def test_a_hedge_looks_better_at_one_and_the_detail_tells_the_other_side() -> None:
    x = np.array([1000.0, -2000.0, 0.0])
    found = correlation_to_one(x, estimate(), 1.0)
    assert found.volatility_usd == pytest.approx(0.0, abs=1e-6)
    assert "towards zero instead, to 141." in found.detail


@settings(max_examples=40, deadline=None)
@given(a=st.floats(0, 1), seed=st.integers(0, 1000))
def test_correlation_to_one_equals_the_stressed_matrix(a: float, seed: int) -> None:
    x = np.random.default_rng(seed).normal(0, 1000, 3)
    e = estimate(0.4)
    v = x * e.volatility_daily
    stressed = (1 - a) * e.correlation + a
    expected = math.sqrt(max(float(v @ stressed @ v), 0.0))
    assert correlation_to_one(x, e, a).volatility_usd == pytest.approx(expected, abs=1e-4)


def test_sector_gap_by_hand() -> None:
    x = np.array([1000.0, -400.0, 500.0])
    in_sector = np.array([True, True, False])
    down = sector_gap(x, estimate(), in_sector, gap=0.3, benchmark_gap=0.1)
    assert down.loss_usd == pytest.approx(0.3 * 600 + 0.1 * 500)
    v = x * np.array([0.7, 0.7, 0.9]) * estimate().volatility_daily
    assert down.volatility_usd == pytest.approx(math.sqrt(v @ estimate().correlation @ v))
    up = sector_gap(x, estimate(), in_sector, gap=-0.3, benchmark_gap=-0.1)
    assert up.loss_usd == pytest.approx(-230.0)
    flat = sector_gap(np.zeros(3), estimate(), in_sector)
    assert (flat.loss_usd, math.copysign(1, flat.loss_usd or 0.0)) == (0.0, 1.0)


def test_worst_window_by_hand() -> None:
    close = np.full((60, 3), 100.0)
    close[30:, 0] = 80.0  # A falls by 20 % at once,
    close[40:, 0] = 60.0  # by a quarter ten hours later,
    close[30:, 1] = 110.0  # B rises by 10 %
    found = worst_window(np.array([1000.0, 500.0, 0.0]), history(close), estimate(), 24)
    assert found.name == "worst day"
    # Both falls in one day, without B's rise: from the close of bar 30 B is up already, and A's
    # first fall is missed; from bar 29 or before, all three are in.
    assert found.loss_usd == pytest.approx(400 - 50)
    short = worst_window(np.array([1000.0, 500.0, 0.0]), history(close), estimate(), 5)
    assert short.name == "worst 5 hours"
    assert short.loss_usd == pytest.approx(250.0)
    assert utc(START_MS + 35 * HOUR_MS) in short.detail


@pytest.mark.parametrize("window", [24, 168])
def test_worst_window_equals_a_plain_loop(window: int) -> None:
    close, x = walk(600), np.array([3000.0, -1000.0, 500.0])
    losses = [-float(x @ (close[t + window] / close[t] - 1)) for t in range(len(close) - window)]
    found = worst_window(x, history(close), estimate(), window)
    assert found.loss_usd == pytest.approx(max(losses))
    assert utc(START_MS + int(np.argmax(losses)) * HOUR_MS) in found.detail
    assert f"{len(losses):,} windows" in found.detail


@pytest.mark.parametrize("window", [24, 100])
def test_the_next_worst_windows_share_no_hour(window: int) -> None:
    close, x = walk(600, 5), np.array([3000.0, -1000.0, 500.0])
    losses = {t: -float(x @ (close[t + window] / close[t] - 1)) for t in range(600 - window)}
    past = history(close)
    for rank in (1, 2, 3):
        found = worst_window(x, past, estimate(), window, rank)
        at = max(losses, key=lambda t: losses[t])
        assert found.loss_usd == pytest.approx(losses[at])
        assert utc(START_MS + at * HOUR_MS) in found.detail
        losses = {t: loss for t, loss in losses.items() if abs(t - at) >= window}
    assert found.name.endswith(" 3")
    with pytest.raises(EstimationError, match="no window"):
        worst_window(x, past, estimate(), window, 50)


def test_auto_deleveraging_equals_a_plain_loop() -> None:
    close = walk(200, 3)
    bot, hedge = np.array([3000.0, 0.0, 0.0]), np.array([0.0, -2500.0, -300.0])
    worst = -math.inf
    for t in range(len(close) - 24):
        path = [hedge * (close[t + s] / close[t] - 1) for s in range(25)]
        costs = [0.0]
        for before, now in pairwise(path):
            winning = now > 0
            low = np.clip(np.minimum(before, now), 0.0, None)
            costs.append(float((path[-1] - low)[winning].sum()))
        whole = float((bot + hedge) @ (close[t + 24] / close[t] - 1))
        worst = max(worst, 0.4 * max(costs) - whole)
    found = auto_deleveraging(bot, hedge, history(close), estimate(), share=0.4)
    assert found.loss_usd == pytest.approx(worst)
    v = (bot + 0.6 * hedge) * estimate().volatility_daily
    assert found.volatility_usd == pytest.approx(math.sqrt(v @ estimate().correlation @ v))


def test_only_a_winning_hedge_is_deleveraged_by_hand() -> None:
    """A crash in two steps: half of the short is gone before it paid anything."""
    bot, hedge = np.array([1000.0, 0.0, 0.0]), np.array([0.0, -1000.0, 0.0])
    close = np.full((40, 3), 100.0)
    close[20:, :2] = 90.0
    close[25:, :2] = 70.0
    crash = auto_deleveraging(bot, hedge, history(close), estimate(), share=0.5)
    assert crash.loss_usd == pytest.approx(0.5 * 300)
    assert "with the whole hedge kept it would lose 0 USD" in crash.detail
    rally = np.full((40, 3), 100.0)
    rally[20:, :2] = 130.0  # the short only ever loses: nobody closes it
    up = auto_deleveraging(bot, hedge, history(rally), estimate(), share=1.0)
    assert up.loss_usd == pytest.approx(0.0, abs=1e-9)
    # First against the short, then for it: closed on the way down, at no profit, never at its loss.
    turn = np.full((60, 3), 100.0)
    turn[20:, :2] = 120.0
    turn[25:, :2] = 80.0
    both = auto_deleveraging(bot, hedge, history(turn), estimate(), share=1.0, window_bars=24)
    assert both.loss_usd == pytest.approx(1000 * (1 - 80 / 120))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 500), scale=st.floats(0.1, 50))
def test_losing_more_of_the_hedge_is_never_better(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    past = history(walk(120, seed))
    bot, hedge = rng.normal(0, 1000, (2, 3))
    losses = [
        auto_deleveraging(bot, hedge, past, estimate(), share=share).loss_usd or 0.0
        for share in (0.0, 0.3, 0.7, 1.0)
    ]
    assert np.all(np.diff(losses) >= -1e-9)
    whole = worst_window(bot + hedge, past, estimate(), 24).loss_usd
    assert losses[0] == pytest.approx(whole)
    alone = auto_deleveraging(bot, np.zeros(3), past, estimate(), share=0.7)
    assert alone.loss_usd == pytest.approx(worst_window(bot, past, estimate(), 24).loss_usd)
    assert alone.detail == "There is no hedge to lose; the worst day of the book itself."
    larger = auto_deleveraging(scale * bot, scale * hedge, past, estimate(), share=0.3)
    assert larger.loss_usd == pytest.approx(scale * losses[1], abs=1e-9)


def test_a_gap_is_bridged_by_the_tokens_own_prices() -> None:
    close = walk(300)
    holes = close.copy()
    holes[100:130, 0] = np.nan
    past = history(holes)
    assert past.filled[:, 0].sum() == 30
    move = past.log_price[150, 0] - past.log_price[50, 0]
    assert move == pytest.approx(math.log(close[150, 0] / close[50, 0]))


def test_before_its_listing_a_token_moves_as_its_peers_suggest() -> None:
    close = walk(300)
    late = close.copy()
    late[:100, 0] = np.nan
    late[280:, 1] = np.nan
    past = history(late)
    covariance = estimate().covariance_daily
    r = np.diff(np.log(close), axis=0)
    weights = np.linalg.solve(covariance[1:, 1:], covariance[1:, 0])
    assert np.diff(past.log_price[:101, 0]) == pytest.approx(r[:100, 1:] @ weights)
    known = [0, 2]
    weights = np.linalg.solve(covariance[np.ix_(known, known)], covariance[known, 1])
    assert np.diff(past.log_price[279:, 1]) == pytest.approx(r[279:, known] @ weights)
    assert past.filled.sum(axis=0).tolist() == [100, 20, 0]
    x = np.array([1000.0, 0.0, 0.0])
    found = worst_window(x, past, estimate(), 24)
    told = "the peers of A standing in" in found.detail
    start = int((-x @ np.expm1(past.log_price[24:] - past.log_price[:-24]).T).argmax())
    assert told == bool(past.filled[start : start + 25, 0].any())


def test_hours_in_which_nothing_trades_are_unknown_and_not_zero() -> None:
    close = walk(300)
    close[:50] = np.nan
    past = history(close)
    assert np.isnan(past.log_price[:50]).all()
    found = worst_window(np.array([1000.0, 0.0, 0.0]), past, estimate(), 24)
    assert "226 windows" in found.detail
    with pytest.raises(EstimationError, match="no window of 168 hours"):
        worst_window(np.array([1.0, 0.0, 0.0]), history(walk(100)), estimate(), 168)
    with pytest.raises(EstimationError, match="no window"):
        auto_deleveraging(np.array([1.0, 0.0, 0.0]), np.zeros(3), history(walk(9)), estimate())
    with pytest.raises(EstimationError, match="no window"):
        worst_window(np.array([1.0, 0.0, 0.0]), history(walk(50)), estimate(), 0)
    nothing = price_history(panel(np.empty((0, 3))), estimate())
    with pytest.raises(EstimationError, match="no window"):
        worst_window(np.array([1.0, 0.0, 0.0]), nothing, estimate(), 24)


def test_what_cannot_be_stressed() -> None:
    past, e = history(walk(100)), estimate()
    x = np.array([1.0, 0.0, 0.0])
    with pytest.raises(DataError, match="B: notional"):
        worst_window(np.array([1.0, np.nan, 0.0]), past, e, 24)
    with pytest.raises(DataError, match="shape"):
        correlation_to_one(np.ones(2), e)
    with pytest.raises(DataError, match="in_sector"):
        sector_gap(x, e, np.array([True]))
    for share in (-0.1, 1.1, math.nan):
        with pytest.raises(EstimationError, match="between 0 and 1"):
            auto_deleveraging(x, x, past, e, share=share)
        with pytest.raises(EstimationError, match="between 0 and 1"):
            correlation_to_one(x, e, share)
    for gap in (1.5, math.nan, -math.inf):
        with pytest.raises(EstimationError, match="gap is"):
            sector_gap(x, e, np.ones(3, dtype=bool), gap=gap)
    short = price_history(panel(walk(100)[:, :2], ("A", "B")), e)
    with pytest.raises(MissingDataError, match="no price history of BTC"):
        worst_window(np.array([0.0, 0.0, 1.0]), short, e, 24)
    assert worst_window(x, short, e, 24).volatility_usd == pytest.approx(0.1)
    close = walk(100)
    close[50, 1] = -1.0
    with pytest.raises(DataError, match=r"B: close is -1 at 2025"):
        history(close)


def test_a_flat_book_loses_nothing() -> None:
    past, zero = history(walk(100)), np.zeros(3)
    for found in (
        worst_window(zero, past, estimate(), 24),
        auto_deleveraging(zero, zero, past, estimate()),
    ):
        assert found.loss_usd == found.volatility_usd == 0.0
        assert found.detail == "The book is flat."


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_real_worst_day_of_complete_tokens_equals_pandas() -> None:
    bars = pd.read_parquet(SHARED / "market" / "hourly.parquet")
    close = bars.pivot(index="timestamp", columns="symbol", values="close")
    wide = BarPanel(
        tuple(close.columns),
        pd.DatetimeIndex(close.index).as_unit("ms").asi8,
        close.to_numpy(),
        np.ones(close.shape),
    )
    e = mean_ewma_covariance(log_returns(wide), wide.symbols)
    past = price_history(wide, e)
    assert not np.isnan(past.log_price).any()
    held = ["FET/USDT:USDT", "NEAR/USDT:USDT", "TAO/USDT:USDT"]
    x = np.where(np.isin(np.array(e.symbols), held), 1000.0, 0.0)
    daily = close[held].pct_change(24, fill_method=None).sum(axis=1, min_count=3) * 1000
    found = worst_window(x, past, e, 24)
    assert found.loss_usd == pytest.approx(-daily.min())
    late = np.where(np.array(e.symbols) == "KAITO/USDT:USDT", 1000.0, 0.0)
    week = worst_window(late, past, e, 168)
    assert week.loss_usd is not None
    assert 200 < week.loss_usd < 1000
