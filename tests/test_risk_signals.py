"""The state machine of signals against a plain one; pairs, volume, funding, listings."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.correlation.rolling import pair_indices
from risk.crowding.report import CrowdingReport, TokenCrowding
from risk.errors import DataError, EstimationError
from risk.returns import HOUR_MS
from risk.signals.activity import (
    FUNDING_RULE,
    VOLUME_RULE,
    funding_signals,
    funding_values,
    listing_signals,
    volume_signals,
    volume_z,
)
from risk.signals.episodes import (
    Severity,
    SignalKind,
    SignalRule,
    SignalState,
    initial_state,
    observe,
    replay,
)
from risk.signals.pairs import PairStates, initial_pairs, observe_pairs, pair_signals

NOW_MS = 1_750_000_000_000 // HOUR_MS * HOUR_MS


def times(count: int) -> NDArray[np.int64]:
    return NOW_MS + HOUR_MS * np.arange(count, dtype=np.int64)


def active_after(rule: SignalRule, values: list[float]) -> list[bool]:
    """Whether one thing is up after each observation."""
    state, seen = initial_state(1), []
    for k, value in enumerate(values):
        state = observe(rule, state, np.array([value]), NOW_MS + k * HOUR_MS)
        seen.append(bool(state.active[0]))
    return seen


def plain(rule: SignalRule, values: list[float]) -> list[bool]:
    """The same, one thing at a time, in the words of the rule."""
    up, run, armed, seen = False, 0, -1, []
    for k, value in enumerate(values):
        if not math.isnan(value):
            a, b = (1, -1) if rule.above else (-1, 1)
            if rule.arm is not None and a * value < a * rule.arm:
                armed = k
            fresh = armed >= 0 and (rule.arm_ms is None or (k - armed) * HOUR_MS <= rule.arm_ms)
            if up:
                speaks = b * value > b * rule.leave
            else:
                speaks = a * value > a * rule.enter and (rule.arm is None or fresh)
            run = run + 1 if speaks else 0
            if run >= (rule.leave_bars if up else rule.enter_bars):
                up, run = not up, 0
                armed = -1 if up else armed
        seen.append(up)
    return seen


def test_a_signal_rises_and_falls_by_hand() -> None:
    rule = SignalRule(enter=0.8, leave=0.7, enter_bars=2, leave_bars=3)
    values = [0.9, 0.75, 0.81, 0.82, 0.75, 0.69, 0.69, 0.71, 0.6, 0.6, 0.6, 0.9]
    found = active_after(rule, values)
    assert found == [False] * 3 + [True] * 7 + [False] * 2
    state = replay(rule, np.array(values[:6])[:, None], times(6))
    assert state.since_ms[0] == NOW_MS + 2 * HOUR_MS
    assert state.value[0] == 0.69
    done = replay(rule, np.array(values)[:, None], times(len(values)))
    assert done.since_ms[0] == -1


def test_thresholds_themselves_change_nothing() -> None:
    rule = SignalRule(enter=0.8, leave=0.7, enter_bars=1, leave_bars=1)
    assert active_after(rule, [0.8, 0.81, 0.7, 0.69]) == [False, True, True, False]


def test_unknown_values_neither_raise_nor_drop() -> None:
    rule = SignalRule(enter=0.8, leave=0.7, enter_bars=2, leave_bars=2)
    nan = math.nan
    assert active_after(rule, [0.9, nan, nan, 0.9]) == [False, False, False, True]
    assert active_after(rule, [0.9, 0.9, 0.1, nan, nan]) == [False, True, True, True, True]
    state = replay(rule, np.array([[0.9], [nan]]), times(2))
    assert state.value[0] == 0.9


def test_a_fall_from_above() -> None:
    rule = SignalRule(enter=0.2, leave=0.3, enter_bars=2, leave_bars=1, arm=0.5)
    assert not rule.above
    assert not any(active_after(rule, [0.1] * 10))
    assert not any(active_after(rule, [0.45, 0.1, 0.1, 0.1]))
    # Up after two bars; down again above 0.3, and then only after another stay above 0.5.
    assert active_after(rule, [0.6, 0.1, 0.1, 0.35, 0.1, 0.1, 0.1, 0.6, 0.1, 0.1]) == [
        False, False, True, False, False, False, False, False, False, True,
    ]  # fmt: skip
    forgetful = SignalRule(
        enter=0.2, leave=0.3, enter_bars=1, leave_bars=1, arm=0.5, arm_ms=3 * HOUR_MS
    )
    assert active_after(forgetful, [0.6, 0.4, 0.4, 0.1])[-1]
    assert not active_after(forgetful, [0.6, 0.4, 0.4, 0.4, 0.1])[-1]


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(
        st.one_of(st.floats(-1, 1), st.just(math.nan), st.sampled_from([0.2, 0.5])), max_size=60
    ),
    enter=st.sampled_from([-0.5, 0.0, 0.2, 0.5]),
    leave=st.sampled_from([-0.5, 0.0, 0.2, 0.5]),
    bars=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    armed=st.sampled_from([None, (None,), (5 * HOUR_MS,)]),
)
def test_it_equals_the_plain_machine_and_never_flickers(
    values: list[float],
    enter: float,
    leave: float,
    bars: tuple[int, int],
    armed: tuple[int | None] | None,
) -> None:
    far = leave - 0.1 if enter >= leave else leave + 0.1
    rule = SignalRule(
        enter,
        leave,
        *bars,
        arm=None if armed is None else far,
        arm_ms=None if armed is None else armed[0],
    )
    seen = active_after(rule, values)
    assert seen == plain(rule, values)
    changes = [k for k, now in enumerate(seen) if now != (seen[k - 1] if k else False)]
    for one, other in itertools.pairwise(changes):
        needs = rule.leave_bars if seen[one] else rule.enter_bars
        known = sum(not math.isnan(value) for value in values[one + 1 : other + 1])
        assert known >= needs
    # Many at once are each alone.
    both = np.column_stack([values, [-value for value in values]])
    state = replay(rule, both.reshape(-1, 2), times(len(values)))
    assert state.active[0] == (seen[-1] if seen else False)


def test_looking_twice_at_one_bar_counts_once() -> None:
    rule = SignalRule(enter=0.8, leave=0.7, enter_bars=2, leave_bars=2)
    first = observe(rule, initial_state(1), np.array([0.9]), NOW_MS)
    again = observe(rule, first, np.array([0.9]), NOW_MS)
    assert again is first
    with pytest.raises(DataError, match="after one at"):
        observe(rule, first, np.array([0.9]), NOW_MS - 1)
    with pytest.raises(DataError, match="infinite"):
        observe(rule, first, np.array([math.inf]), NOW_MS + 1)
    with pytest.raises(DataError, match="shape"):
        observe(rule, first, np.array([0.9, 0.9]), NOW_MS + 1)
    with pytest.raises(DataError, match="history"):
        replay(rule, np.zeros((3, 1)), times(2))


def test_rules_that_make_no_sense() -> None:
    with pytest.raises(EstimationError, match="finite"):
        SignalRule(math.nan, 0.0)
    with pytest.raises(EstimationError, match="at least 1"):
        SignalRule(1.0, 0.0, enter_bars=0)
    with pytest.raises(EstimationError, match="far side"):
        SignalRule(enter=0.2, leave=0.3, arm=0.25)


# --- pairs


def watched(*matrices: FloatArray, symbols: tuple[str, ...] = ("A", "B", "C")) -> PairStates:
    states = initial_pairs(symbols)
    for k, matrix in enumerate(matrices):
        states = observe_pairs(states, matrix, NOW_MS + k * HOUR_MS)
    return states


def matrix(ab: float, ac: float = 0.5, bc: float = 0.5) -> FloatArray:
    return np.array([[1.0, ab, ac], [ab, 1.0, bc], [ac, bc, 1.0]])


def test_duplicate_exposure_needs_the_same_side() -> None:
    states = watched(*[matrix(0.9)] * 6)
    (found,) = pair_signals(states, np.array([1000.0, 500.0, 0.0]))
    assert (found.kind, found.symbols) == (SignalKind.DUPLICATE_EXPOSURE, ("A", "B"))
    assert (found.value, found.threshold, found.since_ms) == (0.9, 0.8, NOW_MS)
    assert found.severity is Severity.WARNING
    assert found.sentence == (
        "A and B move as one (correlation 0.90) and the book is long both, 1,000 and 500 USD: "
        "that is one bet, not two."
    )
    (short,) = pair_signals(states, np.array([-1000.0, -500.0, 0.0]))
    assert "short both" in short.sentence
    (opposite,) = pair_signals(states, np.array([1000.0, -500.0, 0.0]))
    assert opposite.kind is SignalKind.HIGH_CORRELATION
    assert pair_signals(states, np.zeros(3)) == ()
    assert pair_signals(watched(*[matrix(0.9)] * 5), np.array([1.0, 1.0, 0.0])) == ()


def test_high_pairs_are_told_strongest_first() -> None:
    found = pair_signals(watched(*[matrix(0.72, 0.78, 0.75)] * 6), np.array([1.0, 0.0, 0.0]))
    assert [(s.kind, s.symbols) for s in found] == [
        (SignalKind.HIGH_CORRELATION, ("A", "C")),
        (SignalKind.HIGH_CORRELATION, ("A", "B")),
    ]


def test_decoupling_of_a_hedge_is_an_alarm() -> None:
    states = watched(matrix(0.6), *[matrix(0.1)] * 6)
    (hedge,) = pair_signals(states, np.array([1000.0, -500.0, 0.0]))
    assert (hedge.kind, hedge.severity) == (SignalKind.DECOUPLING, Severity.ALARM)
    assert hedge.since_ms == NOW_MS + HOUR_MS
    assert "no longer hedges" in hedge.sentence
    (other,) = pair_signals(states, np.zeros(3))
    assert other.severity is Severity.NOTE
    assert pair_signals(watched(*[matrix(0.1)] * 9), np.zeros(3)) == ()


def test_pairs_survive_unknown_correlations_and_refuse_absurd_ones() -> None:
    unknown = matrix(math.nan)
    states = watched(*[matrix(0.9)] * 6, unknown, unknown)
    assert len(pair_signals(states, np.array([1.0, 1.0, 0.0]))) == 1
    with pytest.raises(DataError, match=r"A and B: correlation is 1\.5"):
        observe_pairs(states, matrix(1.5), NOW_MS + 20 * HOUR_MS)
    with pytest.raises(DataError, match="shape"):
        observe_pairs(states, np.eye(2), NOW_MS + 20 * HOUR_MS)
    with pytest.raises(DataError, match="C: notional"):
        pair_signals(states, np.array([1.0, 1.0, math.nan]))
    with pytest.raises(DataError, match="shape"):
        pair_signals(states, np.ones(2))
    assert pair_signals(watched(np.eye(1), symbols=("A",)), np.ones(1)) == ()
    assert [a.tolist() for a in pair_indices(3)] == [[0, 0, 1], [1, 2, 2]]


# --- volume


def test_volume_against_the_same_hour() -> None:
    rng = np.random.default_rng(0)
    hours = 24 * 30 + 1
    pattern = 10 ** (5 + np.sin(np.arange(hours) / 24 * 2 * np.pi))[:, None]
    volume = pattern * np.exp(rng.normal(0, 0.3, (hours, 2)))
    volume[-1, 0] *= 30
    z = volume_z(volume)
    same_hour = np.log1p(volume[:-1][::-1][23::24])
    centre = np.median(same_hour, axis=0)
    spread = 1.4826 * np.median(np.abs(same_hour - centre), axis=0)
    assert len(same_hour) == 30
    assert z == pytest.approx((np.log1p(volume[-1]) - centre) / spread)
    assert z[0] > 6
    assert abs(z[1]) < 4
    (found,) = volume_signals(observe(VOLUME_RULE, initial_state(2), z, NOW_MS), ("A", "B"))
    assert (found.kind, found.symbols) == (SignalKind.VOLUME_SPIKE, ("A",))
    with pytest.raises(DataError, match="state"):
        volume_signals(initial_state(3), ("A", "B"))


def test_volume_that_is_missing_flat_or_wrong() -> None:
    flat = np.full((24 * 30 + 1, 3), 1000.0)
    flat[:, 1] = np.nan
    flat[-1, 2] = np.nan
    z = volume_z(flat)
    assert z[0] == 0.0
    assert np.isnan(z[1:]).all()
    flat[-1, 0] = 1500.0
    assert volume_z(flat)[0] == pytest.approx(math.log(1501 / 1001) / 0.1)
    assert np.isnan(volume_z(flat[-24 * 10 :])).all()
    assert volume_z(np.empty((0, 2))).shape == (2,)
    with pytest.raises(DataError, match="negative"):
        volume_z(np.array([[-1.0]]))
    with pytest.raises(DataError, match="shape"):
        volume_z(np.array([1.0]))


# --- funding


def funding_report(*z_own: float | None) -> CrowdingReport:
    tokens = tuple(TokenCrowding("ABCD"[i], z_own=z) for i, z in enumerate(z_own))
    return CrowdingReport(NOW_MS, tokens, None)


def risen(report: CrowdingReport) -> SignalState:
    values = np.tile(funding_values(report), (3, 1))
    return replay(FUNDING_RULE, values, times(3))


def test_funding_spikes_on_correlated_positions_are_one_thing() -> None:
    report = funding_report(3.0, 4.0, 3.5, None)
    correlation = np.full((4, 4), 0.1) + 0.9 * np.eye(4)
    correlation[0, 1] = correlation[1, 0] = 0.8
    state = risen(report)
    (found,) = funding_signals(state, report, correlation, np.array([1000.0, 500.0, 10.0, 5.0]))
    assert found.kind is SignalKind.FUNDING_SPIKE
    assert found.symbols == ("A", "B")
    assert found.value == pytest.approx(3.5)
    assert "crowded longs" in found.sentence
    assert "1,500 USD" in found.sentence
    # Shorts are paid by crowded longs, and a token alone is no cluster.
    assert funding_signals(state, report, correlation, np.array([-1.0, 1.0, 1.0, 1.0])) == ()
    shorts = funding_report(-3.0, -4.0, 0.1, None)
    (found,) = funding_signals(risen(shorts), shorts, correlation, -np.ones(4))
    assert "crowded shorts" in found.sentence
    with pytest.raises(DataError, match="4 tokens"):
        funding_signals(state, report, correlation, np.ones(3))


def test_groups_hang_together_by_a_chain() -> None:
    report = funding_report(3.0, 3.0, 3.0, 3.0)
    correlation = np.eye(4)
    correlation[0, 1] = correlation[1, 2] = 0.9
    (found,) = funding_signals(risen(report), report, correlation, np.ones(4))
    assert found.symbols == ("A", "B", "C")


# --- listings


def test_listings_come_and_go() -> None:
    found = listing_signals({"A", "B"}, {"B", "C"}, NOW_MS, held={"A"})
    assert [(s.kind, s.symbols, s.severity) for s in found] == [
        (SignalKind.NEW_LISTING, ("C",), Severity.NOTE),
        (SignalKind.DELISTING, ("A",), Severity.ALARM),
    ]
    assert found[1].sentence == "A is no longer listed and the book holds it."
    assert listing_signals({"A"}, {"A"}, NOW_MS) == ()
    assert listing_signals(set(), {"A"}, NOW_MS) == ()
    with pytest.raises(DataError, match="none of the 1 symbols"):
        listing_signals({"A"}, set(), NOW_MS)


@given(
    st.lists(
        st.lists(
            st.sampled_from([0.0, 0.65, 0.7, 0.75, 0.8, 0.85, math.nan]), min_size=3, max_size=3
        ),
        max_size=40,
    ),
    st.sampled_from([(0.8, 0.7), (-0.8, -0.7), (0.1, 0.75)]),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.lists(st.integers(0, 3), min_size=40, max_size=40),
)
def test_a_replay_is_one_observation_after_another(
    values: list[list[float]],
    thresholds: tuple[float, float],
    bars: tuple[int, int],
    steps: list[int],
) -> None:
    """Whatever is unknown, and also where a bar is told twice or bars are left out."""
    rule = SignalRule(thresholds[0], thresholds[1], *bars)
    history = np.array(values, dtype=np.float64).reshape(-1, 3)
    if thresholds[0] < 0:
        history = -history
    at = NOW_MS + HOUR_MS * np.cumsum(np.array(steps[: len(history)], dtype=np.int64))
    state = initial_state(3)
    for row, time_ms in zip(history, at.tolist(), strict=True):
        state = observe(rule, state, row, time_ms)
    found = replay(rule, history, at)
    assert found.time_ms == state.time_ms
    for name in ("active", "run", "run_ms", "since_ms", "armed_ms", "value"):
        mine, plainly = getattr(found, name), getattr(state, name)
        np.testing.assert_array_equal(mine, plainly, err_msg=name)
        assert mine.dtype == plainly.dtype


def test_a_replay_refuses_what_an_observation_refuses() -> None:
    rule = SignalRule(0.8, 0.7)
    with pytest.raises(DataError, match="infinite"):
        replay(rule, np.array([[0.0], [math.inf]]), times(2))
    with pytest.raises(DataError, match="after one at"):
        replay(rule, np.zeros((2, 1)), times(2)[::-1].copy())
