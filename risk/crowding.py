"""Crowding read from funding rates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray


@dataclass(frozen=True, slots=True)
class FundingSeries:
    """Settled funding payments of one symbol, oldest first; K payments.

    Attributes:
        symbol: unified symbol of the instrument that it is used for.
        time_ms: (K,) payment times, UTC milliseconds, strictly increasing.
        rate: (K,) fraction of notional per interval, positive: longs pay shorts.
        interval_hours: (K,) length of the interval that each payment settles.
        substitute: taken from another venue, or the pinned base rate, for want of its own.
    """

    symbol: str
    time_ms: NDArray[np.int64]
    rate: FloatArray
    interval_hours: FloatArray
    substitute: bool = False
