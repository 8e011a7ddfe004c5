"""Arrays that a tape is made of."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError
from risk.returns import HOUR_MS


@dataclass(frozen=True, slots=True)
class HourlyBars:
    """Bars of N symbols over T hours, (T, N) each; NaN in all five where there is no bar.

    Attributes:
        start_ms: open of the first hour, UTC milliseconds, a whole hour.
        open, high, low, close: quote units.
        volume_base: base units.
    """

    start_ms: int
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume_base: FloatArray
    volume_usd: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        for name in ("open", "high", "low", "volume_base"):
            if getattr(self, name).shape != self.close.shape:
                raise DataError(f"bars: {name} and close differ in shape")
        if self.start_ms % HOUR_MS:
            raise DataError(f"bars: start {self.start_ms} ms is not a whole hour")
        object.__setattr__(
            self, "volume_usd", quote_volume_usd(self.high, self.low, self.close, self.volume_base)
        )

    @property
    def hours(self) -> int:
        """T."""
        return int(self.close.shape[0])


@dataclass(frozen=True, slots=True)
class FundingTrack:
    """Settled payments of one symbol, (K,) each, oldest first; as FundingSeries, but ``substitute``
    is told for each payment, because the source may change on the way, and ``premium`` is NaN
    where it is not known."""

    time_ms: NDArray[np.int64]
    rate: FloatArray
    interval_hours: FloatArray
    substitute: NDArray[np.bool_]
    premium: FloatArray | None = None

    @property
    def premiums(self) -> FloatArray:
        """(K,) on the 8-hour basis, NaN where not known."""
        return np.full(len(self.rate), np.nan) if self.premium is None else self.premium

    def then(self, later: "FundingTrack") -> "FundingTrack":
        """This one, followed by ``later``."""
        return FundingTrack(
            np.concatenate([self.time_ms, later.time_ms]),
            np.concatenate([self.rate, later.rate]),
            np.concatenate([self.interval_hours, later.interval_hours]),
            np.concatenate([self.substitute, later.substitute]),
            np.concatenate([self.premiums, later.premiums]),
        )

    def take(self, chosen: slice | NDArray[np.bool_]) -> "FundingTrack":
        """The payments chosen by slice or mask."""
        return FundingTrack(
            self.time_ms[chosen],
            self.rate[chosen],
            self.interval_hours[chosen],
            self.substitute[chosen],
            None if self.premium is None else self.premium[chosen],
        )


@dataclass(frozen=True, slots=True)
class OpenInterestSeries:
    """(K,) times in UTC milliseconds, increasing, and open interest in base units."""

    time_ms: NDArray[np.int64]
    base: FloatArray


def quote_volume_usd(
    high: FloatArray, low: FloatArray, close: FloatArray, volume_base: FloatArray
) -> FloatArray:
    """Traded value, USD: base volume at the typical price (high + low + close) / 3."""
    return np.asarray(volume_base * (high + low + close) / 3.0, dtype=np.float64)
