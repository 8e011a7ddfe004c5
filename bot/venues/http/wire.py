"""Numbers as the Binance protocol writes them: strings with a fixed number of decimals."""

import json
import math
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

Json = Any  # whatever json.dumps takes: rows are built as plain dicts, lists and strings


def plain(value: Decimal) -> str:
    """A Decimal with the digits it has, never in scientific notation."""
    return "0" if value == 0 else f"{value:f}"


def fixed(value: Decimal | float, places: int) -> str:
    """Rounded half to even to ``places`` decimals; zero never carries a sign.

    Raises:
        ValueError: the number is not finite: an exchange never sends one.
    """
    if not math.isfinite(value):
        raise ValueError(f"cannot write {value} as a number")
    text = f"{value:.{places}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def decimals_of(step: Decimal) -> int:
    """Decimals that a multiple of ``step`` needs: 2 for 0.01, 0 for 10."""
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "steps are finite"
    return max(0, -exponent)


def to_step(value: Decimal | float, step: Decimal) -> Decimal:
    """The multiple of ``step`` nearest to ``value``."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    return (exact / step).to_integral_value(ROUND_HALF_EVEN) * step


def encode(document: Json) -> bytes:
    """Compact JSON in the order in which the rows were built."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
