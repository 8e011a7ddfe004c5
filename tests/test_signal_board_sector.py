"""Signals of the whole sector through the board: stress, breadth and absorption rise and end."""

from collections.abc import Iterable

import numpy as np

from bot.measuring.estimation import MarketModel
from bot.measuring.universe import Universe
from bot.outlook.signal_board import SignalBoard
from risk.book import AccountState, Book, FloatArray
from risk.returns import HOUR_MS, BarPanel
from risk.signals.breadth import BREADTH_RULE, breadth
from risk.signals.concentration import ABSORPTION_RULE, SPIKE_RULE, correlation_spike
from risk.signals.episodes import Severity, Signal, SignalKind, SignalRule
from tests.panel_market import BTC, FET, START_MS, SYMBOLS, PanelMarket


def returns(hours: int, seed: int = 7) -> tuple[FloatArray, FloatArray]:
    """(hours, 1) of what all share and (hours, N) of what each has alone, unit variance."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((hours, 1)), rng.standard_normal((hours, len(SYMBOLS)))


def prices(step: FloatArray) -> FloatArray:
    return np.asarray(100 * np.exp(np.cumsum(step, axis=0)))


def mixed(hours: int, loading: FloatArray, size: FloatArray) -> FloatArray:
    """Prices whose hourly returns have this loading on the common factor and this deviation."""
    common, own = returns(hours)
    part = loading[:, None]
    return prices(size[:, None] * (part * common + np.sqrt(1 - part**2) * own))


async def told(
    source: PanelMarket, hours: Iterable[int], kind: SignalKind
) -> dict[int, Signal | None]:
    """The board's signal of one kind after each of these hours, looked at as the engine does."""
    model, board = MarketModel(source, backfill_days=60, shrinkage=0.2), SignalBoard()
    flat = Book(START_MS, (), AccountState("hedge", 6e4, 6e4, 0.0, 0.0, START_MS))
    found: dict[int, Signal | None] = {}
    for hour in hours:
        view = await model.refresh(source.symbols, START_MS + hour * HOUR_MS)
        board.advance(view, Universe(source.symbols[1:], (BTC,), ()), ())
        assert board.problems == {}
        chosen = [s for s in board.signals(flat) if s.kind is kind]
        assert len(chosen) <= 1
        found[hour] = chosen[0] if chosen else None
    return found


def expected(rule: SignalRule, values: dict[int, float]) -> dict[int, tuple[bool, int]]:
    """The plain machine: up or not after each time, and since when."""
    up, streak, since, begun = False, 0, 0, 0
    states = {}
    for time, value in values.items():
        speaks = value < rule.leave if up else value > rule.enter
        begun = time if speaks and not streak else begun
        streak = streak + 1 if speaks else 0
        if streak == (rule.leave_bars if up else rule.enter_bars):
            up, streak = not up, 0
            since = begun
        states[time] = up, since
    return states


def same(
    got: dict[int, Signal | None],
    wanted: dict[int, tuple[bool, int]],
    memory_hours: int,
    step: int = 1,
) -> list[int]:
    """Compare; the hours in which the signal was up."""
    for hour, signal in got.items():
        up, since = wanted[hour]
        assert (signal is not None) == up, hour
        if signal is not None:
            first = hour - memory_hours + step
            assert signal.since_ms == START_MS + max(since, first) * HOUR_MS
            assert signal.since_earlier == (since <= first)
    return [hour for hour, signal in got.items() if signal is not None]


async def test_correlation_under_stress_rises_late_and_ends_late() -> None:
    start, stop, end = 52 * 24, 53 * 24 + 6, 58 * 24
    loading, size = np.full(end, 0.4), np.full(end, 0.005)
    loading[start:stop], size[start:stop] = 0.97, 0.02
    close = mixed(end, loading, size)[:, :4]
    hours = range(start - 6, end + 1, 3)
    got = await told(PanelMarket(close, SYMBOLS[:4]), hours, SignalKind.CORRELATION_SPIKE)
    step = np.diff(np.log(close), axis=0)
    values = {}
    for hour in range(start - 30, end + 1):
        seen = step[max(hour - 1 - 50 * 24 - 72, 0) : hour - 1]
        spike = correlation_spike(seen[:, 1:], seen[:, 0], windows=50)
        assert spike is not None
        values[hour] = spike.value
    up = same(got, expected(SPIKE_RULE, values), memory_hours=24)
    assert start + SPIKE_RULE.enter_bars <= up[0] < start + 24
    assert stop + 24 < up[-1] < end - 12, "it lasts while the window of three days holds the stress"
    assert up == list(range(up[0], up[-1] + 1, 3)), "once, without a break"
    assert not [h for h in hours if values[h] > SPIKE_RULE.enter and h > up[-1]]
    signal = got[up[0]]
    assert signal is not None
    assert (signal.severity, signal.symbols) == (Severity.ALARM, SYMBOLS[1:4])
    assert "moves together under stress" in signal.sentence


async def test_breadth_that_does_not_confirm_rises_and_ends() -> None:
    start, end = 12 * 24, 14 * 24 + 8
    common, own = returns(end)
    step = 0.0005 * (common + own)
    large = SYMBOLS.index(FET)
    step[start : start + 12] -= 0.002
    step[start : start + 12, large] = 0.01
    close = prices(step)
    source = PanelMarket(close, volume_usd={FET: 5e9})
    got = await told(source, range(start - 4, end + 1), SignalKind.BREADTH)
    columns = list(range(1, len(SYMBOLS)))
    values = {}
    for hour in range(start - 40, end + 1):
        rows = slice(hour - 8 * 24, hour)
        now = breadth(
            BarPanel(
                SYMBOLS[1:],
                START_MS + HOUR_MS * np.arange(hour - 8 * 24, hour, dtype=np.int64),
                close[rows][:, columns],
                source.volume[rows][:, columns],
            )
        )
        assert now is not None
        values[hour] = now.divergence
    up = same(got, expected(BREADTH_RULE, values), memory_hours=48)
    assert up[0] >= start + BREADTH_RULE.enter_bars
    # The move leaves the last day hour by hour from 24 hours after it began, and then the signal.
    assert start + 24 < up[-1] < start + 12 + 24 + BREADTH_RULE.leave_bars
    signal = got[up[0]]
    assert signal is not None
    assert "does not confirm the sector's move of +" in signal.sentence
    assert "20% of its 5 tokens rose, 80% fell" in signal.sentence


async def test_absorption_speaks_with_what_is_fetched_at_the_start() -> None:
    """A sector that becomes one position, and ten days later tokens of their own again."""
    start, stop, last = 56, 66, 90
    days = np.arange(last * 24) / 24
    loading = np.where((days >= start) & (days < stop), 0.95, 0.4)
    close = mixed(len(days), loading, np.full(len(days), 0.005))[:, :4]
    step = np.diff(np.log(close), axis=0)[:, 1:]
    midnight = (-START_MS // HOUR_MS) % 24
    hours = range(midnight, last * 24, 24)
    ratio = {h: plain_ratio(step[h - 1 - 14 * 24 : h - 1]) for h in hours if h > 14 * 24}
    values: dict[int, float] = {}
    for hour in [h for h in ratio if h - 34 * 24 in ratio]:
        window = np.array([ratio[h] for h in range(hour - 34 * 24, hour + 1, 24)])
        values[hour] = float((window[-5:].mean() - window.mean()) / window.std(ddof=1))
    looks = [h for h in values if h >= (start - 2) * 24][::3]
    got = await told(PanelMarket(close, SYMBOLS[:4]), looks, SignalKind.ABSORPTION)
    up = same(got, expected(ABSORPTION_RULE, values), memory_hours=10 * 24, step=24)
    assert start * 24 < up[0] < stop * 24
    assert stop * 24 < up[-1] < looks[-1], "it ends, after the tokens have gone their own ways"
    assert up == list(range(up[0], up[-1] + 1, 72)), "once, without a break"
    signal = got[up[1]]
    assert signal is not None
    assert signal.severity is Severity.WARNING
    assert "from the mean of 35 days" in signal.sentence


def plain_ratio(step: FloatArray) -> float:
    """Share of the first factor, of ⌈3 / 5⌉, of three tokens' correlation."""
    values = np.linalg.eigvalsh(np.corrcoef(step.T))
    return float(values[-1] / values.sum())
