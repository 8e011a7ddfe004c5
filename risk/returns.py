"""Hourly bars and their log returns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class BarPanel:
    """Closed hourly bars of N symbols on one grid of T hours; NaN where a symbol has no bar.

    Attributes:
        symbols: N unified symbols.
        open_ms: (T,) bar opens, UTC milliseconds, strictly increasing, one hour apart.
        close: (T, N) closing prices, quote units, above 0 or NaN.
        quote_volume_usd: (T, N) traded in the bar, USD, at least 0 or NaN.
    """

    symbols: tuple[str, ...]
    open_ms: NDArray[np.int64]
    close: FloatArray
    quote_volume_usd: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.open_ms), len(self.symbols))
        if self.close.shape != shape or self.quote_volume_usd.shape != shape:
            raise DataError(
                f"bars: close {self.close.shape} and volume "
                f"{self.quote_volume_usd.shape} must be {shape}"
            )
        if len(self.open_ms) > 1 and not np.all(np.diff(self.open_ms) == HOUR_MS):
            raise DataError("bars: open times must be one hour apart and increasing")
