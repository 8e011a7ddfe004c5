"""Numbers as a risk document has them: rounded, and null where they are not known. Pure."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray


def by_symbol(
    symbols: Iterable[str], values: FloatArray, held: NDArray[np.bool_], digits: int
) -> dict[str, float | None]:
    """Those that are held, rounded."""
    rows = zip(symbols, values.tolist(), held.tolist(), strict=True)
    return {symbol: share(value, digits) for symbol, value, is_held in rows if is_held}


def usd(value: float | None) -> float | None:
    """To a hundredth of a cent."""
    return share(value, 4)


def share(value: float | None, digits: int = 6) -> float | None:
    """Rounded, which also hides the noise of the last bit; what is not finite is not known."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits) + 0.0
