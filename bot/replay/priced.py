"""Positions of a file are held only while their token has a price. Pure, but for a remark."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bot.feeds.remarks import Tell
from bot.replay.holdings import Holdings
from risk.book import FloatArray
from risk.errors import DataError
from risk.returns import utc


def held_while_priced(
    where: str, holdings: Holdings, close: FloatArray, priced_later: NDArray[np.bool_], tell: Tell
) -> Holdings:
    """The same positions, closed at the last price where prices end for good while one is held.

    Nobody can hold what has no price yet, and a position without a price stops every hedge. A gap
    between two prices is none of this.

    Args:
        where: what names the positions, first in a message.
        close: (T + 1, N) prices at the hours, NaN where there is none.
        priced_later: (N,) whether the data have a price after the last hour.
        tell: is told of each that is closed.

    Raises:
        DataError: one is held before the first price within these hours; file, symbol and hour.
    """
    quantity = holdings.quantity_base.copy()
    for k, symbol in enumerate(holdings.symbols):
        held = np.flatnonzero(quantity[:, k])
        priced = np.flatnonzero(close[:, k] > 0)
        if not len(held):
            continue
        if not len(priced) or held[0] < priced[0]:
            first = f"its first is at {utc(_at(holdings, priced[0]))}" if len(priced) else "none"
            raise DataError(
                f"{where}: {symbol}: held at {utc(_at(holdings, held[0]))}, without a price then; "
                f"within these hours {first}"
            )
        last = int(priced[-1])
        if not priced_later[k] and held[-1] > last:
            # Not before the hour that lacks its price: until then nobody knows.
            quantity[last + 1 :, k] = 0.0
            tell(
                f"{where}: {symbol}: the data have no price after {utc(_at(holdings, last))}; "
                "closed at that one"
            )
    return replace(holdings, quantity_base=quantity)


def _at(holdings: Holdings, row: int) -> int:
    return int(holdings.time_ms[row])
