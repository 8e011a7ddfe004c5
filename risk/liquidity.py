"""How much of a token trades in a day, and which tokens trade too little to rely on."""

import numpy as np

from risk.book import FloatArray
from risk.errors import DataError
from risk.exclusion import Excluded, Selection, selection
from risk.returns import BARS_PER_DAY, BarPanel, utc

MIN_DAILY_VOLUME_USD = 1_000_000.0


def average_daily_volume_usd(panel: BarPanel, days: int = 30) -> FloatArray:
    """Average daily quote volume over the last ``days`` of the panel, USD, shape (N,).

    24 times the mean hourly volume of the bars that are there, so that neither a late listing nor
    a gap counts as hours without trade. NaN where none of those bars is there.

    Raises:
        DataError: a volume that is negative or infinite, named with its UTC time; or ``days``
            below 1.
    """
    if days < 1:
        raise DataError(f"average over {days} days, must be at least 1")
    volume = panel.quote_volume_usd[-days * BARS_PER_DAY :]
    there = ~np.isnan(volume)
    if volume.size and there.all() and volume.min() >= 0 and volume.max() < np.inf:
        whole: FloatArray = BARS_PER_DAY * volume.sum(axis=0) / len(volume)
        return whole
    bad = np.argwhere((volume < 0) | np.isinf(volume))
    if len(bad):
        row, column = bad[0]
        time = utc(panel.open_ms[len(panel.open_ms) - len(volume) + row])
        raise DataError(
            f"{panel.symbols[column]}: volume is {volume[row, column]:g} USD at {time}, "
            "must be at least 0"
        )
    count = there.sum(axis=0)
    total = np.where(there, volume, 0.0).sum(axis=0)
    return np.where(count > 0, BARS_PER_DAY * total / np.maximum(count, 1), np.nan)


def liquidity_filter(
    panel: BarPanel, min_daily_volume_usd: float = MIN_DAILY_VOLUME_USD, days: int = 30
) -> Selection:
    """Keep the tokens whose average daily volume over the last ``days`` reaches the floor.

    Thin books inflate or break correlation, and hedges in them cost more than they save. A token
    without any volume data is excluded too: unknown is not liquid.

    Raises:
        DataError: as ``average_daily_volume_usd``.
    """
    excluded = []
    volumes = average_daily_volume_usd(panel, days)
    for symbol, volume in zip(panel.symbols, volumes.tolist(), strict=True):
        if np.isnan(volume):
            excluded.append(Excluded(symbol, f"no volume known in the last {days} days"))
        elif volume < min_daily_volume_usd:
            reason = (
                f"trades {volume:,.0f} USD a day, below the floor of {min_daily_volume_usd:,.0f}"
            )
            excluded.append(Excluded(symbol, reason))
    return selection(panel.symbols, excluded)
