"""Regime change, correlation under stress, absorption: against plain loops, by their properties."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.correlation.regime import (
    REGIME_RULE,
    CorrelationChange,
    correlation_change,
    regime_signals,
    regime_values,
)
from risk.errors import DataError, EstimationError
from risk.returns import HOUR_MS
from risk.signals.concentration import (
    ABSORPTION_RULE,
    SPIKE_RULE,
    absorption_ratio,
    absorption_shift,
    absorption_signal,
    correlation_spike,
    mean_correlation,
    spike_signal,
)
from risk.signals.episodes import Severity, SignalKind, initial_state, observe, replay

SHARED = Path(__file__).resolve().parents[2] / "shared"
NOW_MS = 1_750_000_000_000 // HOUR_MS * HOUR_MS
WEEK, MONTH = 168, 720


def market(bars: int, n: int, common: float, seed: int = 0) -> FloatArray:
    """Returns whose pairs correlate by common², volatile in turns of a day."""
    rng = np.random.default_rng(seed)
    r = common * rng.normal(size=(bars, 1)) + math.sqrt(1 - common**2) * rng.normal(size=(bars, n))
    return np.asarray(0.01 * np.repeat(rng.uniform(0.3, 2, -(-bars // 24)), 24)[:bars, None] * r)


def names(n: int) -> tuple[str, ...]:
    return tuple(f"T{i}" for i in range(n))


def test_correlations_equal_pandas_with_gaps() -> None:
    r = market(WEEK + MONTH, 4, 0.8)
    r[-50:-30, 1] = np.nan
    r[100:130, 2] = np.nan
    found = correlation_change(r, names(4), seed=0, replications=20)
    assert found.recent == pytest.approx(pd.DataFrame(r[-WEEK:]).corr().to_numpy())
    assert found.before == pytest.approx(pd.DataFrame(r[:MONTH]).corr().to_numpy())
    upper = np.triu_indices(4, 1)
    assert found.mean_recent == pytest.approx(found.recent[upper].mean())
    assert found.mean_before == pytest.approx(found.before[upper].mean())


@pytest.mark.parametrize("holes", [0, 40])
def test_the_bootstrap_equals_a_plain_loop(holes: int) -> None:
    """The same draws, each replication put together bar by bar."""
    r = market(WEEK + MONTH, 3, 0.8, seed=4)
    rng = np.random.default_rng(1)
    r[rng.integers(0, len(r), holes), rng.integers(0, 3, holes)] = np.nan
    found = correlation_change(r, names(3), seed=7, replications=60)
    draw = np.random.default_rng(7)
    starts = [4 * draw.integers(0, bars // 4 - 5, size=(60, bars // 24)) for bars in (WEEK, MONTH)]
    differences = []
    for b in range(60):
        fisher = []
        for window, where in ((r[-WEEK:], starts[0]), (r[:MONTH], starts[1])):
            drawn = np.concatenate([window[s : s + 24] for s in where[b]])
            fisher.append(np.arctanh(pd.DataFrame(drawn).corr().to_numpy()[np.triu_indices(3, 1)]))
        differences.append(fisher[0] - fisher[1])
    drawn = np.array(differences)
    upper = np.triu_indices(3, 1)
    point = np.arctanh(found.recent[upper]) - np.arctanh(found.before[upper])
    assert found.z[upper] == pytest.approx(point / drawn.std(axis=0, ddof=1))
    assert found.mean_z == pytest.approx(point.mean() / drawn.mean(axis=1).std(ddof=1))


def test_a_window_of_no_whole_number_of_blocks_cuts_the_last_one() -> None:
    r, bars, block = market(130, 3, 0.8, seed=5), 50, 12
    settings_ = {"recent_bars": bars, "before_bars": 80, "block_bars": block, "replications": 40}
    found = correlation_change(r, names(3), seed=2, **settings_)
    draw, fisher = np.random.default_rng(2), []
    for window in (r[-bars:], r[:80]):
        first, blocks = (len(window) - block) % 4, -(-len(window) // block)
        starts = first + 4 * draw.integers(0, (len(window) - block) // 4 + 1, size=(40, blocks))
        drawn = [
            np.concatenate([window[s : s + block] for s in row])[: len(window)] for row in starts
        ]
        rho = [pd.DataFrame(one).corr().to_numpy()[np.triu_indices(3, 1)] for one in drawn]
        fisher.append(np.arctanh(np.array(rho)))
    error = (fisher[0] - fisher[1]).std(axis=0, ddof=1)
    upper = np.triu_indices(3, 1)
    point = np.arctanh(found.recent[upper]) - np.arctanh(found.before[upper])
    assert found.z[upper] == pytest.approx(point / error)


def test_the_same_seed_gives_the_same_answer() -> None:
    r = market(WEEK + MONTH, 5, 0.7)
    one, same, other = (
        correlation_change(r, names(5), seed=seed, replications=50) for seed in (3, 3, 4)
    )
    assert np.array_equal(one.z, same.z)
    assert one.mean_z == same.mean_z
    assert not np.array_equal(one.z, other.z)


def test_a_change_is_seen_and_no_change_is_not() -> None:
    calm = correlation_change(market(WEEK + MONTH, 6, 0.7, seed=1), names(6), seed=0)
    assert abs(calm.mean_z or 0.0) < 3
    closer = np.concatenate([market(MONTH, 6, 0.5, seed=1), market(WEEK, 6, 0.95, seed=2)])
    found = correlation_change(closer, names(6), seed=0)
    assert found.mean_z is not None
    assert found.mean_z > 8
    assert np.all(found.z[np.triu_indices(6, 1)] > 3)
    apart = np.concatenate([market(MONTH, 6, 0.95, seed=1), market(WEEK, 6, 0.5, seed=2)])
    assert np.all(correlation_change(apart, names(6), seed=0).z[np.triu_indices(6, 1)] < -3)


def test_under_no_change_z_is_about_standard_normal() -> None:
    z = [
        correlation_change(market(WEEK + MONTH, 3, 0.8, seed=s), names(3), seed=s, replications=200)
        for s in range(60)
    ]
    pairs = np.array([item.z[np.triu_indices(3, 1)] for item in z]).ravel()
    assert abs(pairs.mean()) < 0.35
    assert 0.8 < pairs.std() < 1.4


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 5))
def test_order_and_scale_of_tokens_do_not_matter(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    r = market(200, n, 0.7, seed)
    settings_ = {"recent_bars": 60, "before_bars": 120, "block_bars": 12, "replications": 30}
    one = correlation_change(r, names(n), seed=seed, **settings_)
    order = rng.permutation(n)
    scale = rng.uniform(0.01, 100, n)
    other = correlation_change((scale * r)[:, order], names(n), seed=seed, **settings_)
    assert other.z == pytest.approx(one.z[np.ix_(order, order)], rel=1e-6, abs=1e-8)
    assert other.mean_z == pytest.approx(one.mean_z, rel=1e-6)
    assert np.array_equal(one.z, one.z.T)


def test_what_is_not_known_is_nan_and_not_zero() -> None:
    r = market(WEEK + MONTH, 4, 0.8)
    r[:, 1] = 0.0  # stands still
    r[: MONTH // 2, 2] = np.nan  # lists late
    found = correlation_change(r, names(4), seed=0, replications=30)
    assert np.isnan(found.z[1, [0, 2, 3]]).all()
    assert np.isnan(found.z[2, [0, 1, 3]]).all()
    assert math.isfinite(found.z[0, 3])
    assert np.diag(found.z).tolist() == [0.0] * 4
    assert not np.isnan(found.mean_z or math.nan)
    nothing = correlation_change(np.zeros((900, 2)), names(2), seed=0, replications=5)
    assert (nothing.mean_z, nothing.mean_recent, nothing.mean_before) == (None, None, None)
    alone = correlation_change(market(900, 1, 0.5), names(1), seed=0, replications=5)
    assert alone.mean_z is None
    twins = np.repeat(market(900, 1, 0.5), 2, axis=1)
    assert math.isnan(correlation_change(twins, names(2), seed=0, replications=5).z[0, 1])


def test_regime_arguments_out_of_range() -> None:
    r = market(WEEK + MONTH, 2, 0.5)
    with pytest.raises(EstimationError, match="only 887 bars"):
        correlation_change(r[1:], names(2), seed=0)
    with pytest.raises(EstimationError, match="blocks"):
        correlation_change(r, names(2), seed=0, block_bars=200)
    with pytest.raises(EstimationError, match="replications"):
        correlation_change(r, names(2), seed=0, replications=1)
    with pytest.raises(DataError, match="shape"):
        correlation_change(r, names(3), seed=0)
    r[5, 1] = np.inf
    with pytest.raises(DataError, match="T1: a return is infinite"):
        correlation_change(r, names(2), seed=0)


def change(z: float, mean_z: float | None) -> CorrelationChange:
    def square(value: float) -> FloatArray:
        return np.array([[1.0, value], [value, 1.0]])

    mean = None if mean_z is None else 0.5
    return CorrelationChange(
        ("A", "B"), square(0.9), square(0.4), square(z) - np.eye(2), mean_z, mean, mean
    )


def test_regime_signals() -> None:
    now = change(-4.5, 5.0)
    assert regime_values(now).tolist() == [5.0, 4.5]
    state = replay(REGIME_RULE, np.tile(regime_values(now), (3, 1)), NOW_MS + np.arange(3))
    whole, pair = regime_signals(state, now, {"A"})
    assert (whole.symbols, whole.value, whole.threshold) == (("A", "B"), 5.0, 4.0)
    assert "all 2 tokens on average went from 0.50" in whole.sentence
    assert (pair.kind, pair.value, pair.threshold) == (SignalKind.REGIME_CHANGE, -4.5, -4.0)
    assert pair.sentence == (
        "Correlation of A and B went from 0.40 over 30 days to 0.90 in the last 7, 4.5 standard "
        "errors."
    )
    assert len(regime_signals(state, now, {"C"})) == 1
    unknown = change(math.nan, None)
    assert regime_signals(state, unknown, {"A"}) == ()
    with pytest.raises(DataError, match="state"):
        regime_signals(initial_state(1), now, {"A"})


# --- how much moves as one


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 6), bars=st.integers(3, 80))
def test_mean_correlation_equals_numpy(seed: int, n: int, bars: int) -> None:
    r = market(bars, n, 0.7, seed)
    expected = np.atleast_2d(np.corrcoef(r.T))[np.triu_indices(n, 1)].mean()
    assert mean_correlation(r) == pytest.approx(expected)


def test_mean_correlation_of_what_is_there() -> None:
    r = market(100, 5, 0.8)
    r[:50, 1] = np.nan
    r[7, 2] = np.nan
    r[:, 3] = 0.01
    kept = np.delete(r[:, [0, 2, 4]], 7, axis=0)
    expected = np.atleast_2d(np.corrcoef(kept.T))[np.triu_indices(3, 1)].mean()
    assert mean_correlation(r) == pytest.approx(expected)
    assert math.isnan(mean_correlation(r[:, :1]))
    assert math.isnan(mean_correlation(np.empty((0, 4))))
    assert math.isnan(mean_correlation(np.full((9, 3), np.nan)))


def test_a_spike_under_stress() -> None:
    bars = 24 * 64
    calm, btc = market(bars, 6, 0.6, 1), market(bars, 1, 0.0, 2)[:, 0]
    quiet = correlation_spike(calm, btc)
    assert quiet is not None
    assert quiet.usual == pytest.approx(0.36, abs=0.08)
    storm = calm.copy()
    storm[-72:] = 4 * market(72, 6, 0.97, 3)
    found = correlation_spike(storm, btc)
    assert found is not None
    assert found.stressed
    assert found.sector_rank == 1.0
    assert found.value == found.z > 5
    assert found.usual < found.adjusted < found.correlation
    state = replay(SPIKE_RULE, np.full((3, 1), found.value), NOW_MS + np.arange(3))
    signal = spike_signal(state, found, names(6))
    assert signal is not None
    assert (signal.kind, signal.severity) == (SignalKind.CORRELATION_SPIKE, Severity.ALARM)
    assert spike_signal(initial_state(1), found, names(6)) is None
    still = calm.copy()
    still[-72:] = 0.1 * market(72, 6, 0.97, 3)
    without = correlation_spike(
        still, 0.1 * btc + 0.9 * np.where(np.arange(bars) < bars - 72, btc, 0)
    )
    assert without is not None
    assert not without.stressed
    assert without.z > 5
    assert without.value == 0.0
    assert without.adjusted == without.correlation


def test_the_spikes_z_by_hand() -> None:
    r, btc = market(24 * 70, 4, 0.7, 5), market(24 * 70, 1, 0.0, 6)[:, 0]
    found = correlation_spike(r, btc)
    assert found is not None
    past = [mean_correlation(r[e - 72 : e]) for e in range(len(r) - 24 * 60, len(r), 24)]
    assert found.usual == pytest.approx(np.median(past))
    fisher = np.arctanh(past)
    middle = np.median(fisher)
    mad = np.median(np.abs(fisher - middle))
    assert found.z == pytest.approx((np.arctanh(found.correlation) - middle) / (1.4826 * mad))


def test_a_spike_that_cannot_be_known() -> None:
    r, btc = market(24 * 64, 4, 0.7), market(24 * 64, 1, 0.0)[:, 0]
    assert correlation_spike(r[-24 * 15 :], btc[-24 * 15 :]) is None
    assert correlation_spike(r[:10], btc[:10]) is None
    gone = btc.copy()
    gone[-60:] = np.nan
    assert correlation_spike(r, gone) is None
    with pytest.raises(DataError, match="benchmark has shape"):
        correlation_spike(r, btc[1:])
    gone[0] = np.inf
    with pytest.raises(DataError, match="benchmark: a return is infinite"):
        correlation_spike(r, gone)
    with pytest.raises(EstimationError, match="at least 1"):
        correlation_spike(r, btc, step_bars=0)
    with pytest.raises(DataError, match="shape"):
        mean_correlation(btc)


def test_absorption_by_hand() -> None:
    assert absorption_ratio(np.diag([4.0, 3.0, 2.0, 1.0, 0.0])) == pytest.approx(0.4)
    assert absorption_ratio(np.diag(np.arange(1.0, 7.0))) == pytest.approx(11 / 21)
    assert absorption_ratio(np.full((5, 5), 0.09)) == pytest.approx(1.0)
    equal = np.full((10, 10), 0.5) + 0.5 * np.eye(10)
    assert absorption_ratio(equal) == pytest.approx((5.5 + 0.5) / 10)
    assert absorption_ratio(equal, 1) == pytest.approx(0.55)
    assert absorption_ratio(np.array([[2.0]])) == 1.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 12), scale=st.floats(1e-6, 1e6))
def test_absorption_properties(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.cov(rng.normal(size=(n, 3 * n + 2))).reshape(n, n)
    found = absorption_ratio(matrix)
    k = -(-n // 5)
    assert k / n - 1e-9 <= found <= 1 + 1e-9
    assert absorption_ratio(scale * matrix) == pytest.approx(found)
    order = rng.permutation(n)
    assert absorption_ratio(matrix[np.ix_(order, order)]) == pytest.approx(found)
    singular = np.linalg.svd(matrix, compute_uv=False)
    assert found == pytest.approx(singular[:k].sum() / singular.sum())


def test_absorption_shift_and_its_signal() -> None:
    ratios = np.concatenate([np.tile([0.5, 0.6], 100), np.full(15, 0.8)])
    known = ratios[-365:]
    expected = (0.8 - known.mean()) / known.std(ddof=1)
    shift = absorption_shift(ratios)
    assert shift == pytest.approx(expected)
    assert absorption_shift(np.append(np.nan, ratios)) == pytest.approx(expected)
    assert absorption_shift(ratios[-40:]) is None
    assert absorption_shift(np.full(100, 0.5)) is None
    assert absorption_shift(np.append(ratios[:-15], np.full(15, np.nan))) is None
    with pytest.raises(EstimationError, match="shift of 5 against 5"):
        absorption_shift(ratios, 5, 5)
    state = observe(ABSORPTION_RULE, initial_state(1), np.array([shift]), NOW_MS)
    signal = absorption_signal(state, 0.8, ("A",))
    assert signal is not None
    assert signal.kind is SignalKind.ABSORPTION
    assert signal.value == pytest.approx(expected)
    assert absorption_signal(initial_state(1), 0.8, ("A",)) is None


def test_matrices_that_cannot_be_absorbed() -> None:
    for matrix, words in (
        (np.zeros((2, 3)), "square"),
        (np.zeros((0, 0)), "not empty"),
        (np.full((2, 2), np.nan), "not finite"),
        (np.zeros((2, 2)), "no variance"),
    ):
        with pytest.raises(EstimationError, match=words):
            absorption_ratio(matrix)
    with pytest.raises(EstimationError, match="3 eigenvectors of 2"):
        absorption_ratio(np.eye(2), 3)


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_real_weeks_are_measured_without_gaps() -> None:
    bars = pd.read_parquet(SHARED / "market" / "hourly.parquet")
    close = bars.pivot(index="timestamp", columns="symbol", values="close")
    r = np.diff(np.log(close.to_numpy()), axis=0)
    symbols = tuple(close.columns)
    found = correlation_change(r[-2000:], symbols, seed=1, replications=100)
    assert not np.isnan(found.z).any()
    btc = r[:, symbols.index("BTC/USDT:USDT")]
    crash = close.index.get_loc(pd.Timestamp("2025-02-03T12:00Z"))
    assert isinstance(crash, int)
    spike = correlation_spike(r[:crash], btc[:crash])
    assert spike is not None
    assert spike.stressed
    assert spike.value > SPIKE_RULE.enter
