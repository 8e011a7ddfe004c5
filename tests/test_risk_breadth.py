"""Breadth: by hand, against pandas, and when it does not confirm."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.errors import DataError, EstimationError
from risk.returns import HOUR_MS, BarPanel
from risk.signals.breadth import BREADTH_RULE, Breadth, breadth, breadth_signal
from risk.signals.episodes import SignalKind, initial_state, observe, replay

NOW_MS = 1_750_000_000_000 // HOUR_MS * HOUR_MS


def panel(close: FloatArray, volume: FloatArray | None = None) -> BarPanel:
    bars, n = close.shape
    open_ms = NOW_MS + HOUR_MS * np.arange(bars, dtype=np.int64)
    traded = np.ones_like(close) if volume is None else volume
    return BarPanel(tuple(f"T{i}" for i in range(n)), open_ms, close, traded)


def measured(close: FloatArray, volume: FloatArray | None = None) -> Breadth:
    found = breadth(panel(close, volume))
    assert found is not None
    return found


def one_rises(volume_of_the_first: float = 97.0) -> tuple[FloatArray, FloatArray]:
    """Four tokens: the largest jumps by 10 % on the last day, the others slip by 1 %."""
    close = np.full((200, 4), 100.0)
    close[-10:, 0] = 110.0
    close[-10:, 1:] = 99.0
    volume = np.ones((200, 4))
    volume[:, 0] = volume_of_the_first
    return close, volume


def test_breadth_by_hand() -> None:
    found = measured(*one_rises())
    assert found.tokens == 4
    assert (found.advancing, found.declining, found.advance_decline) == (0.25, 0.75, -0.5)
    assert found.above_mean == 0.25
    assert found.move == pytest.approx(0.97 * 0.10 - 0.03 * 0.01)
    assert found.unknown == ()
    assert found.divergence == pytest.approx(0.5)


def test_a_move_that_all_make_is_confirmed() -> None:
    close = np.full((200, 4), 100.0)
    close[-10:] = 110.0
    assert measured(close).divergence == -1.0
    close[-10:] = 90.0
    assert measured(close).divergence == -1.0


def test_a_fall_of_the_large_one_alone() -> None:
    close, volume = one_rises()
    close[-10:] = 200.0 - close[-10:]
    found = measured(close, volume)
    assert found.move < -0.03
    assert found.divergence == pytest.approx(0.5)


def test_small_moves_need_no_confirmation() -> None:
    close, _ = one_rises()
    assert measured(close).move == pytest.approx(0.07 / 4)
    assert measured(close).divergence == 0.0


def test_an_unchanged_token_neither_advances_nor_declines() -> None:
    close = np.full((200, 3), 100.0)
    close[-1, 0] = 101.0
    found = measured(close)
    assert found.advancing == pytest.approx(1 / 3)
    assert found.declining == 0.0
    assert found.above_mean == pytest.approx(1 / 3)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(3, 8), at=st.integers(-30, -1))
def test_breadth_equals_pandas(seed: int, n: int, at: int) -> None:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (300, n)), axis=0))
    volume = rng.uniform(0, 100, (300, n))
    found = breadth(panel(close, volume), at)
    assert found is not None
    frame = pd.DataFrame(close)
    above = frame > frame.rolling(168).mean()
    change = frame.pct_change(24)
    weights = pd.DataFrame(volume).rolling(168).mean().iloc[at]
    assert found.above_mean == pytest.approx(above.iloc[at].mean())
    assert found.advance_decline == pytest.approx(np.sign(change.iloc[at]).mean())
    assert found.move == pytest.approx((weights * change.iloc[at]).sum() / weights.sum())
    # Nothing after the bar is read, and neither order nor price unit matters.
    end = 300 + at + 1
    assert breadth(panel(close[:end], volume[:end])) == found
    order = rng.permutation(n)
    mixed = breadth(panel((close * rng.uniform(0.01, 100, n))[:, order], volume[:, order]), at)
    assert mixed is not None
    assert mixed.above_mean == found.above_mean
    assert mixed.divergence == pytest.approx(found.divergence)
    assert -1 <= found.divergence <= 1


def test_tokens_without_bars_are_left_out_and_named() -> None:
    close, volume = one_rises()
    close = np.column_stack([close, np.full((200, 3), 50.0)])
    volume = np.column_stack([volume, np.full((200, 3), 1000.0)])
    close[:100, 4] = np.nan  # lists late
    close[-1, 5] = np.nan  # no bar now
    close[-25, 6] = np.nan  # none a day ago
    found = measured(close, volume)
    assert found.unknown == ("T4", "T5", "T6")
    assert found == Breadth(4, 0.25, 0.25, 0.75, -0.5, found.move, ("T4", "T5", "T6"))
    assert found.move == pytest.approx(measured(*one_rises()).move)


def test_unknown_volume_gives_equal_weights() -> None:
    close, volume = one_rises()
    volume[:, 2] = np.nan
    assert measured(close, volume).move == pytest.approx(0.07 / 4)
    assert measured(close, np.zeros_like(close)).move == pytest.approx(0.07 / 4)


def test_too_little_to_speak_of_breadth() -> None:
    close, volume = one_rises()
    assert breadth(panel(close[:, :2], volume[:, :2])) is None
    assert breadth(panel(close[:24], volume[:24])) is None
    assert breadth(panel(close[:50], volume[:50])) is None
    assert breadth(panel(np.empty((0, 3)))) is None
    assert breadth(panel(np.empty((200, 0)))) is None
    with pytest.raises(EstimationError, match="bar 200 of 200"):
        breadth(panel(close, volume), 200)
    close[60, 1] = 0.0
    with pytest.raises(DataError, match="T1: close is 0 at"):
        breadth(panel(close, volume))
    close[60, 1] = 100.0
    volume[190, 1] = -5.0
    with pytest.raises(DataError, match="volume"):
        breadth(panel(close, volume))


def test_the_signal() -> None:
    now = measured(*one_rises())
    state = initial_state(1)
    assert breadth_signal(state, now, ("A",)) is None
    state = replay(BREADTH_RULE, np.full((3, 1), now.divergence), NOW_MS + np.arange(3))
    found = breadth_signal(state, now, ("A", "B"))
    assert found is not None
    assert (found.kind, found.symbols, found.value) == (SignalKind.BREADTH, ("A", "B"), 0.5)
    assert found.sentence == (
        "Breadth does not confirm the sector's move of +9.7% in 24 hours: 25% of its 4 tokens "
        "rose, 75% fell, and 25% stand above their 7-day mean."
    )
    confirmed = state
    for k in range(3, 6):
        confirmed = observe(BREADTH_RULE, confirmed, np.array([-1.0]), NOW_MS + k)
    assert breadth_signal(confirmed, now, ("A",)) is None
    unknown = observe(BREADTH_RULE, state, np.array([math.nan]), NOW_MS + 9)
    assert breadth_signal(unknown, now, ("A",)) is not None
