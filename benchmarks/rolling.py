"""Rolling correlation of all pairs over a year of hours, against pandas."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from benchmarks.measure import DisagreementError, Effort, Line, alternate, require_close
from risk.book import FloatArray
from risk.correlation.rolling import pair_indices, rolling_correlation
from risk.returns import BARS_PER_DAY

TOKENS = 18
YEAR_BARS = 365 * BARS_PER_DAY
WINDOW_BARS = 30 * BARS_PER_DAY
LATE_BARS = 100 * BARS_PER_DAY
_TOLERANCE = 1e-8
"""pandas adds and takes away with compensation; ours does not take away at all."""


def run(effort: Effort) -> Iterator[Line]:
    """Complete data, then one token that was listed after a hundred days and stopped twice."""
    bars = effort.rounds(YEAR_BARS, 2 * WINDOW_BARS)
    yield _line("complete", _returns(bars), effort)
    gappy = _returns(bars)
    late = min(LATE_BARS, bars // 3)
    gappy[:late, 5] = np.nan
    gappy[late + 100 : late + 112, 5] = np.nan
    gappy[late + 300 : late + 303, 5] = np.nan
    yield _line("one listed late, with gaps", gappy, effort)


def _returns(bars: int) -> FloatArray:
    rng = np.random.default_rng([0x0A, bars])
    common = rng.standard_t(4, (bars, 3)) @ rng.normal(0.004, 0.003, (3, TOKENS))
    returns: FloatArray = common + rng.normal(0.0, 0.006, (bars, TOKENS))
    return returns


def _line(what: str, returns: FloatArray, effort: Effort) -> Line:
    frame, worst = pd.DataFrame(returns), [0.0]
    one, other = pair_indices(TOKENS)
    least = WINDOW_BARS // 2

    def ours() -> FloatArray:
        return rolling_correlation(returns, WINDOW_BARS, least)

    def theirs() -> FloatArray:
        matrices = frame.rolling(WINDOW_BARS, min_periods=least).corr().to_numpy()
        return matrices.reshape(len(returns), TOKENS, TOKENS)[:, one, other]

    def agree(a: FloatArray, b: FloatArray) -> None:
        if not np.array_equal(np.isnan(a), np.isnan(b)):
            raise DisagreementError("rolling: other gaps than pandas")
        worst[0] = max(worst[0], float(np.nanmax(np.abs(a - b))))
        require_close("rolling: ours and pandas", worst[0], _TOLERANCE)

    pairs = alternate(ours, theirs, effort.rounds(5, 1), agree=agree, warm_ups=effort.warm_ups)
    days = len(returns) // BARS_PER_DAY
    return pairs.line(
        "rolling",
        f"{len(one)} pairs, 30 days over {days}, {what}",
        "pandas rolling().corr()",
        f"largest difference {worst[0]:.0e}",
    )
