"""Two windows of correlations in a record: against numpy, and back out of half a matrix."""

import json

import numpy as np
import pytest

from bot.records.windows import window_matrix, window_pair, windows_record
from risk.returns import HOUR_MS, BarPanel, log_returns

SYMBOLS = ("A", "B", "C", "D")
BARS = 40 * 24


def panel() -> BarPanel:
    """C is listed two days before the end, D has a gap of ten days in the middle."""
    rng = np.random.default_rng(5)
    common = rng.normal(0, 0.01, (BARS, 1))
    close = 100 * np.exp(np.cumsum(common + rng.normal(0, 0.01, (BARS, 4)), axis=0))
    close[: BARS - 48, 2] = np.nan
    close[BARS - 15 * 24 : BARS - 5 * 24, 3] = np.nan
    opens = np.arange(BARS, dtype=np.int64) * HOUR_MS
    return BarPanel(SYMBOLS, opens, close, np.full((BARS, 4), 1e6))


def record() -> dict[str, object]:
    order = ("B", "D", "A", "C")
    return {"symbols": list(order), "windows": windows_record(log_returns(panel().subset(order)))}


@pytest.mark.parametrize(("window", "hours"), [("30d", 720), ("7d", 168)])
def test_a_pair_is_what_numpy_says_of_the_hours_that_both_have(window: str, hours: int) -> None:
    returns = np.diff(np.log(panel().close), axis=0)[-hours:]
    both = ~np.isnan(returns[:, [0, 1]]).any(axis=1)
    expected = np.corrcoef(returns[both][:, 0], returns[both][:, 1])[0, 1]
    assert window_pair(record(), window, "A", "B") == pytest.approx(expected, abs=0.005)
    assert window_pair(record(), window, "B", "A") == window_pair(record(), window, "A", "B")


def test_too_few_hours_are_not_known() -> None:
    found = record()
    assert window_pair(found, "30d", "A", "C") is None
    assert window_pair(found, "7d", "A", "C") is None
    assert window_pair(found, "30d", "A", "D") is not None, "20 days of 30"
    assert window_pair(found, "7d", "A", "D") is not None, "5 days of 7"
    assert window_pair(found, "30d", "A", "X") is None
    assert window_pair({"symbols": ["A", "B"]}, "30d", "A", "B") is None, "an older record"


def test_the_whole_matrix_has_every_pair_at_both_its_places() -> None:
    found = record()
    matrix = window_matrix(found, "7d")
    assert matrix is not None
    symbols = found["symbols"]
    assert isinstance(symbols, list)
    for i, one in enumerate(symbols):
        for j, other in enumerate(symbols):
            expected = 1.0 if i == j else window_pair(found, "7d", one, other)
            assert matrix[i][j] == expected
    json.dumps(found, allow_nan=False)


def test_windows_that_do_not_fit_their_symbols_are_not_drawn() -> None:
    found = record() | {"symbols": ["A", "B"]}
    assert window_matrix(found, "7d") is None
    assert window_pair(found, "7d", "A", "B") is None
