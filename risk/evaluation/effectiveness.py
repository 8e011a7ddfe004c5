"""How much of a book's risk a hedge took away, and whether that was foretold."""

import math

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError


def effectiveness(hedged_usd: FloatArray, unhedged_usd: FloatArray) -> float:
    """1 − Var(hedged)/Var(unhedged) of two PnL series (T,), each around its own mean.

    1 is a perfect hedge, 0 none, below 0 one that adds risk; NaN where the unhedged PnL does not
    move. (Ederington 1979.)

    Raises:
        DataError: lengths differ, or a PnL is not finite.
    """
    _require_alike(hedged_usd, unhedged_usd)
    variance = float(np.var(unhedged_usd))
    return 1.0 - float(np.var(hedged_usd)) / variance if variance > 0 else math.nan


def expected_shortfall(pnl_usd: FloatArray, level: float = 0.95) -> float:
    """Mean loss of the worst 1 − ``level`` of a PnL series (T,), at least one of them, USD.

    Positive for losses. The number of periods is rounded up. (Acerbi, Tasche 2002.)

    Raises:
        DataError: no PnL, one that is not finite, or a level outside 0 to 1.
    """
    if not 0 < level < 1:
        raise DataError(f"level is {level}, must be between 0 and 1")
    if not len(pnl_usd) or not np.all(np.isfinite(pnl_usd)):
        raise DataError("expected shortfall of a series that is empty or not finite")
    count = max(math.ceil((1 - level) * len(pnl_usd) - 1e-9), 1)
    return -float(np.mean(np.partition(pnl_usd, count - 1)[:count]))


def shortfall_cut(hedged_usd: FloatArray, unhedged_usd: FloatArray, level: float = 0.95) -> float:
    """1 − ES(hedged)/ES(unhedged), (T,) each; NaN where the unhedged tail is not a loss.

    Raises:
        DataError: as ``expected_shortfall``, or lengths differ.
    """
    _require_alike(hedged_usd, unhedged_usd)
    before = expected_shortfall(unhedged_usd, level)
    return 1.0 - expected_shortfall(hedged_usd, level) / before if before > 0 else math.nan


def bias(pnl_usd: FloatArray, predicted_usd: FloatArray) -> float:
    """Standard deviation of PnL divided by what was foretold for it: the bias statistic.

    1 is calibrated, above 1 risk was understated. (Barra; Menchero, Wang, Orr 2011.)

    Args:
        pnl_usd: (T,) of the hedged book, before costs.
        predicted_usd: (T,) standard deviation foretold for the same period; where it is 0 there
            was nothing at risk, and the period is left out.

    Returns:
        NaN with fewer than two periods at risk.

    Raises:
        DataError: lengths differ, a number is not finite, or a prediction is negative.
    """
    _require_alike(pnl_usd, predicted_usd)
    if np.any(predicted_usd < 0):
        raise DataError("a predicted standard deviation is below 0")
    at_risk: NDArray[np.bool_] = predicted_usd > 0
    if np.count_nonzero(at_risk) < 2:
        return math.nan
    return float(np.std(pnl_usd[at_risk] / predicted_usd[at_risk]))


def _require_alike(one: FloatArray, other: FloatArray) -> None:
    if one.shape != other.shape or one.ndim != 1 or not len(one):
        raise DataError(f"series of shapes {one.shape} and {other.shape}, must be two alike")
    if not (np.all(np.isfinite(one)) and np.all(np.isfinite(other))):
        raise DataError("a series holds a number that is not finite")
