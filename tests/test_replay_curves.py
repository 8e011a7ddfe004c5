"""Equity curves of a replay: sums of gains, drawdowns, and the files."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from bot.replay.curves import drawdown_usd, write_curves
from bot.replay.figures import result_of
from risk.returns import HOUR_MS

START_MS = 1_738_368_000_000
GAINS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


def test_curves_are_the_gains_added_up(tmp_path: Path) -> None:
    hours_ms = START_MS + HOUR_MS * np.arange(4, dtype=np.int64)
    files = write_curves(
        hours_ms, np.array([10.0, -30.0, 5.0]), np.array([-2.0, 20.0, 0.0]), tmp_path
    )
    table = pq.read_table(files["curves"])
    assert str(table.schema.field("timestamp").type) == "timestamp[ms, tz=UTC]"
    assert [one.timestamp() * 1000 for one in table["timestamp"].to_pylist()] == hours_ms.tolist()
    assert table["unhedged_usd"].to_pylist() == [0.0, 10.0, -20.0, -15.0]
    assert table["hedges_usd"].to_pylist() == [0.0, -2.0, 18.0, 18.0]
    assert table["hedged_usd"].to_pylist() == [0.0, 8.0, -2.0, 3.0]
    assert Path(files["picture"]).read_bytes().startswith(b"\x89PNG")


@given(GAINS)
def test_the_deepest_drawdown_is_the_one_of_the_summary(gains: list[float]) -> None:
    hourly = np.array(gains)
    equity = np.concatenate(([0.0], np.cumsum(hourly)))
    assert -drawdown_usd(equity).min() == result_of(hourly, 1.0).max_drawdown_usd
    assert drawdown_usd(equity).max() <= 0.0
